"""Tests of :mod:`gateway.edge.registered`: who counts as registered, and how long."""

from math import inf

import pytest

from gateway.edge.edge import Edge
from gateway.edge.registered import Heartbeat, Roll

A, B = Edge("a", "http://a.example/"), Edge("b", "http://b.example/")
MOVED = Edge("a", "http://moved.example/")


def beat(edge: Edge, left_s: float = 6.0) -> Heartbeat:
    """A heartbeat that holds for 6 seconds, of which some are left."""
    return Heartbeat(edge, left_s, 6.0)


def test_who_registers_is_there() -> None:
    """In the order of ids, and as it last said."""
    roll = Roll()
    assert (A, B) == roll.read([beat(B), beat(A)], (), 0.0)
    assert (MOVED, B) == roll.read([beat(MOVED), beat(B, left_s=2.0)], (), 1.0)
    assert 3.0 == roll.next_end_s


LEAVING = [
    ("silent, but its time is not over", 4.0, (), (A,)),
    ("silent, and its time is over", 5.0, (), ()),
    ("it took leave", 1.0, ("a",), ()),
]


@pytest.mark.parametrize(
    ("now_s", "goodbye", "expected"), [row[1:] for row in LEAVING], ids=[r[0] for r in LEAVING]
)
def test_who_is_missing(now_s: float, goodbye: tuple[str, ...], expected: tuple[Edge, ...]) -> None:
    """An edge stays as long as it said, or until it said that it goes."""
    roll = Roll()
    roll.read([beat(A, left_s=5.0)], (), 0.0)
    assert expected == roll.read([], goodbye, now_s)


def test_nobody_expires_while_the_register_is_away() -> None:
    """After an hour away it comes back empty: edges have their whole time to register again."""
    roll = Roll()
    roll.read([beat(A), beat(B)], (), 0.0)
    roll.could_not_be_read()
    assert (A, B) == roll.edges
    assert (A, B) == roll.read([], (), 3600.0)
    assert (A, B) == roll.read([beat(A)], (), 3605.9)
    assert (A,) == roll.read([beat(A)], (), 3606.0)


def test_no_longer_wanted() -> None:
    """Registered edges can be turned off, and nothing of them is left."""
    roll = Roll()
    roll.read([beat(A)], (), 0.0)
    roll.forget()
    assert () == roll.edges == roll.read([], (), 1.0)
    assert inf == roll.next_end_s
