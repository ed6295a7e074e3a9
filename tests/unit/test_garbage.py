"""The search for garbage: short looks, and still everything in circles goes."""

import gc
import weakref
from collections.abc import Callable, Iterator

import pytest

from gateway.garbage import MIDDLE, YOUNG, settle


@pytest.fixture(autouse=True)
def _collector_as_before() -> Iterator[None]:
    """Other tests have the collector as they found it."""
    before = gc.get_threshold()
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
    settle()
    kept: list[list[int]] = []
    looks = looks_while(lambda: kept.extend([at] for at in range(200_000)))
    assert (True, 0) == (looks.count(0) > 100, looks.count(2))


def test_circles_go_while_others_come() -> None:
    """Of 50,000 circles that nobody refers to, those are left that were not looked at yet."""
    settle()
    left: weakref.WeakSet[Circle] = weakref.WeakSet()
    for _ in range(50_000):
        left.add(Circle())
    assert len(left) <= YOUNG * (MIDDLE + 1)


def test_what_was_built_is_not_looked_at_again() -> None:
    """Whatever is there when the application has been built is left out of every look."""
    built = [[at] for at in range(1_000)]
    settle()
    assert (True, 0) == (gc.get_freeze_count() > len(built), len(gc.get_objects(2)))
