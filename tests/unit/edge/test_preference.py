"""Preference order among equal edges: each edge once, by weight, and few viewers ever move."""

from collections import Counter

import pytest

from gateway.edge.edge import Edge, stable_hash
from gateway.edge.fleet import EdgeCondition, Fleet
from gateway.edge.preference import MAX_UNDIVIDED, divide, preference_order
from gateway.edge.rank import MIN_RANKED, EdgeTier, ordered_edges, ranked_tiers
from geodata.place import UNKNOWN

MANY = 500
DOWN, FULL = EdgeCondition("down", admits=0.0), EdgeCondition(full=True)


def some(count: int, weights: tuple[int, ...] = (100,)) -> list[Edge]:
    """``count`` edges whose weights repeat ``weights``."""
    return [
        Edge(f"e{at}", f"https://{at}.example/", weight=weights[at % len(weights)])
        for at in range(count)
    ]


_tiers: dict[int, tuple[Fleet, tuple[EdgeTier, ...]]] = {}


def order_of(fleet: Fleet, viewer: str) -> tuple[str, ...]:
    """The ids of the edges for a viewer of unknown place. The edges of a fleet are ranked once, as
    the gateway's cache of rankings does."""
    if id(fleet) not in _tiers:
        _tiers[id(fleet)] = fleet, ranked_tiers(fleet, UNKNOWN, 0)
    found = ordered_edges(fleet, _tiers[id(fleet)][1], "film", viewer)
    return tuple(fleet.edges[at].id for at in found)


@pytest.mark.parametrize("count", [1, MAX_UNDIVIDED, MAX_UNDIVIDED + 1, MANY])
def test_every_serving_edge_comes_once(count: int) -> None:
    """Each open edge and each closed edge comes once; edges that are down do not come."""
    edges = some(count)
    closed, down = set(range(0, count, 3)), set(range(1, count, 3))
    group = divide(edges, range(count), closed, down)
    for key in range(20):
        is_open = list(group.open_in_order(stable_hash(str(key))))
        is_closed = list(group.closed_in_order(key))
        assert set(range(2, count, 3)) == set(is_open)
        assert closed == set(is_closed)
        assert count - len(down) == len(is_open) + len(is_closed)


def test_small_groups_are_not_divided() -> None:
    """The largest group that is scored edge by edge has the same order when it is divided."""
    edges = some(MAX_UNDIVIDED, (100, 300))
    group = divide(edges, range(MAX_UNDIVIDED), (), ())
    for number in range(50):
        key = stable_hash(f"v{number}")
        assert preference_order(edges, range(MAX_UNDIVIDED), key) == list(group.open_in_order(key))


@pytest.mark.no_cover  # thousands of viewers through the same few lines
def test_large_groups_share_by_weight() -> None:
    """Each of 500 edges is first for its share of viewers by weight, within what chance allows; the
    edges of each weight together are within 2 %."""
    weights = (100, 300, 50)
    fleet = Fleet.of(some(MANY, weights))
    viewers = 20_000
    count = Counter(order_of(fleet, f"s{number}")[0] for number in range(viewers))
    total = sum(edge.weight for edge in fleet.edges)
    for weight in weights:
        group = [edge for edge in fleet.edges if edge.weight == weight]
        share = sum(edge.weight for edge in group) / total
        assert pytest.approx(share, abs=0.02) == sum(count[edge.id] for edge in group) / viewers
    for edge in fleet.edges:
        expected = viewers * edge.weight / total
        assert abs(count[edge.id] - expected) < 5 * expected**0.5, edge.id


@pytest.mark.parametrize("state", [DOWN, FULL])
@pytest.mark.no_cover  # thousands of viewers through the same few lines
def test_only_viewers_of_failed_edges_move(state: EdgeCondition) -> None:
    """Viewers of other edges stay, however many edges fail; viewers of a failed edge go to the next
    edge in their order that is up."""
    edges = some(MANY)
    before = Fleet.of(edges)
    failed = {f"e{at}": state for at in range(0, MANY, 4)}
    after = Fleet.of(edges, failed)
    for number in range(1_000):
        order = order_of(before, f"v{number}")
        expected = [name for name in order if name not in failed]
        assert expected == list(order_of(after, f"v{number}"))[: len(expected)]


@pytest.mark.no_cover  # thousands of viewers through the same few lines
def test_removing_an_edge_moves_few_viewers() -> None:
    """The halves have other weights then: at most a few times the edge's own share moves."""
    edges = some(MANY)
    before, after = Fleet.of(edges), Fleet.of(edges[1:])
    viewers = 10_000
    moved = sum(order_of(before, f"v{n}")[0] != order_of(after, f"v{n}")[0] for n in range(viewers))
    assert viewers / MANY / 2 < moved < 5 * viewers / MANY


@pytest.mark.no_cover  # thousands of viewers through the same few lines
def test_viewers_of_a_failed_edge_spread() -> None:
    """They go to many other edges of its part, and not too many of them to one edge."""
    edges = some(MANY)
    before, after = Fleet.of(edges), Fleet.of(edges, {"e0": DOWN})
    moved: Counter[str] = Counter()
    for number in range(15_000):
        if order_of(before, f"v{number}")[0] == "e0":
            moved[order_of(after, f"v{number}")[0]] += 1
    assert MAX_UNDIVIDED / 4 < len(moved)
    assert max(moved.values()) < 0.2 * sum(moved.values())


@pytest.mark.no_cover  # thousands of viewers through the same few lines
def test_an_edge_of_a_large_group_may_admit_a_share() -> None:
    """An edge that admits a third keeps a third of its viewers."""
    edges = some(MAX_UNDIVIDED + 1)
    before, after = Fleet.of(edges), Fleet.of(edges, {"e0": EdgeCondition(admits=1 / 3)})
    own = [n for n in range(15_000) if order_of(before, f"v{n}")[0] == "e0"]
    kept = sum(order_of(after, f"v{n}")[0] == "e0" for n in own)
    assert pytest.approx(1 / 3, abs=0.08) == kept / len(own)


@pytest.mark.parametrize("state", [DOWN, FULL])
def test_when_no_edge_of_a_large_group_takes_viewers(state: EdgeCondition) -> None:
    """All edges are ranked as if they were up."""
    edges = some(MANY)
    up, failed = Fleet.of(edges), Fleet.of(edges, {edge.id: state for edge in edges})
    for number in range(100):
        assert order_of(up, f"v{number}") == order_of(failed, f"v{number}")
        assert MIN_RANKED == len(set(order_of(failed, f"v{number}")))
