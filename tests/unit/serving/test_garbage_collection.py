"""The search for garbage: short looks, and still everything in circles goes."""

import gc
import weakref
from collections.abc import Callable, Iterator

import pytest

from gateway.serving.garbage_collection import GENERATION_0, GENERATION_1, excluded_from_collection


@pytest.fixture(autouse=True)
def _collector_as_before() -> Iterator[None]:
    """Other tests have the collector as they found it."""
    before = gc.get_threshold()
    gc.collect()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


class Circle:
    """Refers to itself, so that only the collector frees it."""

    def __init__(self) -> None:
        self.me = self


def looks_while(work: Callable[[], object]) -> list[int]:
    """The generations that the collector looked at meanwhile."""
    found: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            found.append(info["generation"])

    gc.callbacks.append(note)
    try:
        work()
    finally:
        gc.callbacks.remove(note)
    return found


def test_filling_caches_never_looks_at_all_of_them() -> None:
    """200,000 objects that stay: the young are looked at, the whole never is."""
    with excluded_from_collection():
        pass
    kept: list[list[int]] = []
    looks = looks_while(lambda: kept.extend([at] for at in range(200_000)))
    assert (True, 0) == (looks.count(0) > 100, looks.count(2))


def test_circles_go_while_others_come() -> None:
    """Of 50,000 circles that nobody refers to, those are left that were not looked at yet."""
    with excluded_from_collection():
        pass
    left: weakref.WeakSet[Circle] = weakref.WeakSet()
    for _ in range(50_000):
        left.add(Circle())
    assert len(left) <= GENERATION_0 * (GENERATION_1 + 1)


def test_a_start_is_never_looked_at() -> None:
    """Neither while it makes its objects nor later."""
    built: list[list[int]] = []

    def start() -> None:
        with excluded_from_collection():
            built.extend([at] for at in range(200_000))

    assert [] == looks_while(start)
    assert (True, 0) == (gc.get_freeze_count() > len(built), len(gc.get_objects(2)))


def test_a_start_that_fails_leaves_the_search_on() -> None:
    """An exception passes, and what comes after is looked at."""
    with pytest.raises(RuntimeError), excluded_from_collection():
        raise RuntimeError
    assert gc.isenabled()
