"""Tests of :mod:`gateway.edge.registered`: which edges count as registered, and how long."""

from math import inf

import pytest

from gateway.edge.edge import Edge
from gateway.edge.registered import Heartbeat, RegisteredEdges

A, B = Edge("a", "http://a.example/"), Edge("b", "http://b.example/")
MOVED = Edge("a", "http://moved.example/")


def beat(edge: Edge, left_s: float = 6.0, key_id: str = "key") -> Heartbeat:
    """A heartbeat with a time to live of 6 seconds."""
    return Heartbeat(edge, left_s, 6.0, key_id)


def test_who_registers_is_there() -> None:
    """Edges are in the order of their ids, with their latest values."""
    registered = RegisteredEdges()
    assert (A, B) == registered.update([beat(B), beat(A)], (), 0.0)
    assert (MOVED, B) == registered.update([beat(MOVED), beat(B, left_s=2.0)], (), 1.0)
    assert 3.0 == registered.next_end_s


LEAVING = [
    ("silent, but its time is not over", 4.0, (), (A,)),
    ("silent, and its time is over", 5.0, (), ()),
    ("it took leave", 1.0, ("a",), ()),
]


@pytest.mark.parametrize(
    ("now_s", "goodbye", "expected"), [row[1:] for row in LEAVING], ids=[r[0] for r in LEAVING]
)
def test_who_is_missing(now_s: float, goodbye: tuple[str, ...], expected: tuple[Edge, ...]) -> None:
    """An edge stays until its time to live is over or it deregisters."""
    registered = RegisteredEdges()
    registered.update([beat(A, left_s=5.0)], (), 0.0)
    assert expected == registered.update([], goodbye, now_s)


def test_nobody_expires_while_the_register_is_away() -> None:
    """When the register is empty after an hour, edges have their full time to live again."""
    registered = RegisteredEdges()
    registered.update([beat(A), beat(B)], (), 0.0)
    registered.read_failed()
    assert (A, B) == registered.edges
    assert (A, B) == registered.update([], (), 3600.0)
    assert (A, B) == registered.update([beat(A)], (), 3605.9)
    assert (A,) == registered.update([beat(A)], (), 3606.0)


def test_no_longer_wanted() -> None:
    """Edges can be removed by what they are, and by the key that signed them last."""
    registered = RegisteredEdges()
    registered.update([beat(A, key_id="old"), beat(B)], (), 0.0)
    assert (B,) == registered.keep(lambda edge, key_id: (edge, key_id) != (A, "old"))
    assert (B,) == registered.edges == registered.update([], (), 1.0)
    assert () == registered.keep(lambda edge, _: edge != B)
    assert inf == registered.next_end_s
