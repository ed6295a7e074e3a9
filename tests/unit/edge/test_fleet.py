"""Which edges serve, which take new viewers, and the epoch."""

from collections import Counter
from itertools import pairwise

import pytest

from gateway.edge.edge import Edge
from gateway.edge.fleet import UP, EdgeCondition, Fleet, worst
from gateway.edge.rank import ordered_edges, ranked_tiers
from geodata.place import UNKNOWN

EDGES = tuple(Edge(name, f"https://{name}.example/") for name in "abcd")
DOWN = EdgeCondition("down", admits=0.0)
VIEWERS = 20_000


def firsts(
    conditions: dict[str, EdgeCondition], weights: dict[str, int] | None = None
) -> list[str]:
    """The edge of each of many viewers."""
    edges = [Edge(edge.id, edge.url, weight=(weights or {}).get(edge.id, 100)) for edge in EDGES]
    fleet = Fleet.of(edges, conditions)
    ranked = ranked_tiers(fleet, UNKNOWN, 0)
    return [edges[ordered_edges(fleet, ranked, "film", f"v{n}")[0]].id for n in range(VIEWERS)]


@pytest.mark.parametrize(
    ("conditions", "serving", "all_down", "plain"),
    [
        ({}, (0, 1, 2, 3), False, True),
        ({"b": DOWN}, (0, 2, 3), False, True),
        ({"b": EdgeCondition("draining")}, (0, 1, 2, 3), False, False),
        ({"b": EdgeCondition(full=True)}, (0, 1, 2, 3), False, False),
        ({"b": EdgeCondition(admits=0.5)}, (0, 1, 2, 3), False, False),
        ({"b": EdgeCondition("degraded")}, (0, 1, 2, 3), False, True),
        (dict.fromkeys("abcd", DOWN), (0, 1, 2, 3), True, True),
        ({"nobody": DOWN}, (0, 1, 2, 3), False, True),
    ],
)
def test_who_serves(
    conditions: dict[str, EdgeCondition], serving: tuple[int, ...], all_down: bool, plain: bool
) -> None:
    """Edges that are down do not serve, unless all are down."""
    fleet = Fleet.of(EDGES, conditions)
    assert (serving, all_down, plain) == (fleet.serving, fleet.all_down, fleet.plain)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], UP),
        (
            [EdgeCondition("degraded", 0.5, why="slow"), UP],
            EdgeCondition("degraded", 0.5, why="slow"),
        ),
        (
            [
                EdgeCondition("draining", 0, why="by hand"),
                EdgeCondition("down", 0, why="dead", since_s=3),
            ],
            EdgeCondition("down", 0, why="dead", since_s=3),
        ),
        ([EdgeCondition(full=True, why="full"), UP], EdgeCondition(full=True, why="full")),
        ([EdgeCondition(admits=0.3), EdgeCondition(admits=0.2)], EdgeCondition(admits=0.2)),
    ],
)
def test_several_judges(given: list[EdgeCondition], expected: EdgeCondition) -> None:
    """The worst state with its reason, and the smallest share."""
    assert expected == worst(given)
    assert expected == worst(reversed(given))


@pytest.mark.no_cover  # thousands of viewers through the same few lines
def test_a_share_of_new_viewers() -> None:
    """An edge that admits a third gets a third of its viewers; the others go to other edges."""
    before, after = firsts({}), firsts({"a": EdgeCondition(admits=1 / 3)})
    kept = sum(then == "a" for now, then in zip(before, after, strict=True) if now == "a")
    assert pytest.approx(1 / 3, abs=0.02) == kept / Counter(before)["a"]
    moved = Counter(then for now, then in zip(before, after, strict=True) if now != then)
    assert {"b", "c", "d"} == set(moved)
    assert max(moved.values()) < 1.15 * min(moved.values())


@pytest.mark.no_cover  # thousands of viewers through the same few lines
def test_nobody_else_moves() -> None:
    """Changing one edge's share does not move other edges' viewers; a larger one only adds."""
    shares = [firsts({"a": EdgeCondition(admits=share)}) for share in (0.0, 0.2, 0.7, 1.0)]
    for less, more in pairwise(shares):
        assert all(then in (now, "a") for now, then in zip(less, more, strict=True))
    assert "a" not in shares[0]


@pytest.mark.parametrize(
    "conditions",
    [dict.fromkeys("abcd", DOWN), dict.fromkeys("abcd", EdgeCondition("draining", 0))],
)
@pytest.mark.no_cover  # thousands of viewers through the same few lines
def test_when_nobody_takes_anybody(conditions: dict[str, EdgeCondition]) -> None:
    """When all edges are down, they are ranked as if all were up."""
    assert firsts({}) == firsts(conditions)


def test_closed_edges_do_not_count_as_enough() -> None:
    """When all edges of a region are full, the next region is ranked as well."""
    near = [Edge(f"n{n}", f"https://n{n}.example/", fallback=True) for n in range(10)]
    far = Edge("far", "https://far.example/")
    fleet = Fleet.of([*near, far], {edge.id: EdgeCondition(full=True) for edge in near})
    found = ordered_edges(fleet, ranked_tiers(fleet, UNKNOWN, 0), "film", "v")
    assert 10 == found[0]


def test_what_follows_from_the_edges_outlives_their_states() -> None:
    """The index is built again when an edge is added, removed, moved or changed."""
    first = Fleet.of(EDGES)
    moved = (*EDGES[:3], Edge("d", "https://d.example/", 1.0, 2.0))
    assert first.index is Fleet.of(list(EDGES), {"a": DOWN}, first).index
    for edges in (EDGES[1:], EDGES[::-1], moved, (*EDGES, Edge("e", "https://e.example/"))):
        after = Fleet.of(edges, last=first)
        assert after.index is not first.index
        assert {edge.id: at for at, edge in enumerate(edges)} == after.positions


def test_the_ideal_fleet() -> None:
    """The same edges, all of them up."""
    fleet = Fleet.of(EDGES, {"a": DOWN, "b": EdgeCondition(full=True)})
    assert Fleet.of(EDGES) == fleet.ideal
    assert fleet.ideal is fleet.ideal


def test_who_is_open() -> None:
    """Which edges take new viewers; when every edge is down, all do."""
    conditions = {"a": DOWN, "b": EdgeCondition(full=True), "c": EdgeCondition(admits=0.1)}
    fleet = Fleet.of(EDGES, conditions)
    assert [False, False, True, True] == [fleet.open(at) for at in range(4)]
    none = Fleet.of(EDGES, dict.fromkeys("abcd", DOWN))
    assert [True] * 4 == [none.open(at) for at in range(4)]


def test_the_epoch_is_the_same_for_the_same() -> None:
    """The epoch depends on the order of edges, but not on texts, times and shares above zero."""
    plain = Fleet.of(EDGES).epoch
    assert plain == Fleet.of(EDGES, {"a": EdgeCondition(why="w", since_s=1.0, admits=0.1)}).epoch
    assert plain != Fleet.of(EDGES[::-1]).epoch
    assert plain != Fleet.of(EDGES, {"a": DOWN}).epoch
    assert Fleet.of(EDGES, {"a": DOWN}).epoch != Fleet.of(EDGES[1:]).epoch
    assert "0" * 16 != plain
    assert 16 == len(plain)
