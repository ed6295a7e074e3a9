"""A bounded map of what was used lately."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.cache import Recent


def test_what_is_used_stays_and_the_rest_goes() -> None:
    """Whatever is asked for again survives any number of newcomers."""
    recent: Recent[int, int] = Recent(10)
    recent.put(-1, 1)
    for number in range(100):
        recent.put(number, number)
        assert 1 == recent.get(-1)
    assert recent.get(0) is None
    assert 99 == recent.get(99)
    recent.clear()
    assert 0 == len(recent)
    assert recent.get(99) is None


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 30))), st.integers(2, 12))
def test_it_is_bounded_and_never_wrong(steps: list[tuple[bool, int]], capacity: int) -> None:
    """It holds no more than its capacity, and finds the last value put or nothing."""
    recent: Recent[int, int] = Recent(capacity)
    last: dict[int, int] = {}
    for at, (puts, key) in enumerate(steps, 1):
        if puts:
            last[key] = at
            recent.put(key, at)
            assert at == recent.get(key)
        else:
            assert recent.get(key) in (None, last.get(key))
        assert len(recent) <= capacity
