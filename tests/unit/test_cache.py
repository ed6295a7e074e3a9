"""The one mechanism for caches: bounded, and never wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cache import CACHES, PLAYLISTS, TALLIES, Cache, CacheSpec

SPEC = CacheSpec("numbers", 10, "entries", "a number", "nothing")
BYTES = CacheSpec("texts", 1_000, "bytes", "a name", "nothing")


def test_what_is_used_stays_and_the_rest_goes() -> None:
    """Whatever is asked for again survives any number of newcomers."""
    cache: Cache[int, int] = Cache(SPEC)
    cache.put(-1, 1)
    for number in range(100):
        cache.put(number, number)
        assert 1 == cache.get(-1)
    assert cache.get(0) is None
    assert 99 == cache.get(99)
    cache.clear()
    assert 0 == len(cache)
    assert cache.get(99) is None


@given(
    st.lists(st.tuples(st.sampled_from(["put", "get", "pop"]), st.integers(0, 30))),
    st.integers(2, 12),
)
def test_it_is_bounded_and_never_wrong(steps: list[tuple[str, int]], capacity: int) -> None:
    """It holds no more than its capacity, and finds the last value put or nothing."""
    cache: Cache[int, int] = Cache(SPEC, capacity)
    last: dict[int, int] = {}
    for at, (step, key) in enumerate(steps, 1):
        if step == "put":
            last[key] = at
            cache.put(key, at)
            assert at == cache.get(key)
        elif step == "pop":
            last.pop(key, None)
            cache.pop(key)
            assert cache.get(key) is None
        else:
            assert cache.get(key) in (None, last.get(key))
        assert len(cache) <= capacity
        assert set(cache.keys()) <= set(last)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.integers(0, 700))))
def test_weights_are_bounded(steps: list[tuple[bool, int, int]]) -> None:
    """A cache of bytes holds no more of them than its capacity, whatever is replaced or removed;
    a value that alone takes more than half is not kept, and nor is the value that it replaces."""
    cache: Cache[int, bytes] = Cache(BYTES, weigh=len)
    for puts, key, size in steps:
        if puts:
            cache.put(key, b"x" * size)
            assert (size if size <= 500 else None) == (
                None if (found := cache.get(key)) is None else len(found)
            )
        else:
            cache.pop(key)
        held = [cache._young, cache._old]
        assert sum(len(value) for part in held for value in part.values()) <= 1_000
        assert cache._weight == sum(map(len, cache._young.values()))


def test_a_capacity_that_the_config_sets_must_be_given() -> None:
    """The spec names the key of the config instead of a number."""
    with pytest.raises(ValueError, match=r"limits\.local_cache_bytes"):
        Cache(PLAYLISTS)


def test_there_are_few_caches() -> None:
    """At most twelve, each with a name of its own. Tallies have names of their own as well."""
    specs = (*CACHES, *TALLIES)
    assert len(CACHES) <= 12
    assert len({spec.name for spec in specs}) == len(specs)
