"""Choosing an edge with room, as tables; tests/property/test_lease_laws.py has the laws."""

import pytest

from gateway.background.capacity import judge
from gateway.edge.capacity import CandidateEdge, EdgeLease, LeaseTable, choose_edge
from gateway.edge.fleet import EdgeCondition
from gateway.store.coordination.leases import Loads

A, B, C = CandidateEdge("a", 100), CandidateEdge("b", 200), CandidateEdge("c")
CLOSED = CandidateEdge("d", 100, takes_new=False)


@pytest.mark.parametrize(
    ("line", "loads", "kept", "expected"),
    [
        ((A, B, C), (0, 0, 0), None, (0, "first")),
        ((A, B, C), (90, 0, 0), None, (0, "first")),
        ((A, B, C), (91, 0, 0), None, (1, "spilled")),
        ((A, B, C), (91, 191, 10**9), None, (2, "spilled")),
        ((A, B), (95, 191), None, (1, "over")),
        ((A, B), (91, 195), None, (0, "over")),
        ((A, A), (95, 95), None, (0, "over")),
        ((A, B), (1000, 0), 0, (0, "kept")),
        ((CLOSED, A), (0, 0), None, (1, "spilled")),
        ((CLOSED, A), (0, 95), None, (1, "over")),
        ((CLOSED, A), (99, 0), 0, (0, "kept")),
        ((CLOSED, CLOSED), (0, 0), None, (0, "first")),
        ((CandidateEdge("zero", 0), A), (0, 99), None, (1, "over")),
    ],
)
def test_choose(
    line: tuple[CandidateEdge, ...], loads: tuple[int, ...], kept: int | None, expected: object
) -> None:
    """A session of 10 kbit/s goes to the first edge with room, otherwise to the least used one."""
    assert expected == choose_edge(line, loads, 10, kept)


def test_one_placement_clears_a_bounded_number_away() -> None:
    """One placement removes a bounded number of ended leases."""
    table = LeaseTable(10)
    for number in range(100):
        table.put(b"%d" % number, EdgeLease("a", 1, b"", 5))
    table.place(b"new", b"", 1, (C,), None, 6, take=True)
    assert (37, 36) == (len(table), table.load("a"))
    assert 36 == table.expire(6, 500)


def test_an_edge_stays_full_in_the_condition_that_it_has() -> None:
    """An edge that stays full keeps its condition, so that the fleet does not change."""
    bounds = {"a": 100_000, "b": 100_000}
    first = judge(Loads({"a": 98_000, "b": 0}, bounds, alone=False), {}, 7.0)
    condition = EdgeCondition(full=True, why="98 of 100 Mbit/s leased", since_s=7.0)
    assert {"a": condition} == first
    later = judge(Loads({"a": 91_000, "b": 99_000}, bounds, alone=True), first, 8.0)
    assert condition == later["a"]
    assert "99 of 100 Mbit/s leased, this worker's share" == later["b"].why
    assert {} == judge(Loads({"a": 1, "b": 2}, bounds, alone=False), later, 9.0)
