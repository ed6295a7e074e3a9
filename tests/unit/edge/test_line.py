"""Equal edges in line: all of them once, by weight, and nobody moves who need not."""

from collections import Counter

import pytest

from gateway.edge.edge import Edge, stable_hash
from gateway.edge.fleet import Condition, Fleet
from gateway.edge.preference import DIVIDED, divided, in_line
from gateway.edge.rank import WANTED, order, tiers
from geodata.place import UNKNOWN

MANY = 500
DOWN, SHUT = Condition("down", admits=0.0), Condition(full=True)


def some(count: int, weights: tuple[int, ...] = (100,)) -> list[Edge]:
    """So many edges, of these weights in turn."""
    return [
        Edge(f"e{at}", f"https://{at}.example/", weight=weights[at % len(weights)])
        for at in range(count)
    ]


def line_of(fleet: Fleet, viewer: str) -> tuple[str, ...]:
    """The ids of the edges for a viewer of unknown place."""
    found = order(fleet, tiers(fleet, UNKNOWN, 0), "film", viewer)
    return tuple(fleet.edges[at].id for at in found)


@pytest.mark.parametrize("count", [1, DIVIDED, DIVIDED + 1, MANY])
def test_everybody_stands_in_line_once(count: int) -> None:
    """Of open and closed edges each comes once; those that are down do not."""
    edges = some(count)
    closed, down = set(range(0, count, 3)), set(range(1, count, 3))
    line = divided(edges, range(count), closed, down)
    for key in range(20):
        taking, passing = list(line.taking(stable_hash(str(key)))), list(line.passing(key))
        assert set(range(2, count, 3)) == set(taking)
        assert closed == set(passing)
        assert count - len(down) == len(taking) + len(passing)


def test_up_to_a_number_everybody_is_looked_at() -> None:
    """A group that is just small enough stands as if it had not been divided."""
    edges = some(DIVIDED, (100, 300))
    line = divided(edges, range(DIVIDED), (), ())
    for number in range(50):
        key = stable_hash(f"v{number}")
        assert in_line(edges, range(DIVIDED), key) == list(line.taking(key))


@pytest.mark.no_cover  # thousands of viewers through the same few lines
def test_large_groups_share_by_weight() -> None:
    """Each edge of 500 is the first of as many viewers as its weight says, as chance allows; those
    of each weight together within 2 %."""
    weights = (100, 300, 50)
    fleet = Fleet.of(some(MANY, weights))
    viewers = 40_000
    count = Counter(line_of(fleet, f"s{number}")[0] for number in range(viewers))
    total = sum(edge.weight for edge in fleet.edges)
    for weight in weights:
        group = [edge for edge in fleet.edges if edge.weight == weight]
        share = sum(edge.weight for edge in group) / total
        assert pytest.approx(share, abs=0.02) == sum(count[edge.id] for edge in group) / viewers
    for edge in fleet.edges:
        expected = viewers * edge.weight / total
        assert abs(count[edge.id] - expected) < 5 * expected**0.5, edge.id


@pytest.mark.parametrize("state", [DOWN, SHUT])
def test_only_those_of_an_edge_that_fails_move(state: Condition) -> None:
    """Whoever was elsewhere stays there, however many edges fail; those who were on them go to
    the next in their line that is well."""
    edges = some(MANY)
    before = Fleet.of(edges)
    failed = {f"e{at}": state for at in range(0, MANY, 4)}
    after = Fleet.of(edges, failed)
    for number in range(1_000):
        line = line_of(before, f"v{number}")
        expected = [name for name in line if name not in failed]
        assert expected == list(line_of(after, f"v{number}"))[: len(expected)]


@pytest.mark.no_cover  # thousands of viewers through the same few lines
def test_an_edge_that_goes_for_good_moves_few() -> None:
    """Halves are weighed anew then: a few times its own share moves, no more."""
    edges = some(MANY)
    before, after = Fleet.of(edges), Fleet.of(edges[1:])
    viewers = 10_000
    moved = sum(line_of(before, f"v{n}")[0] != line_of(after, f"v{n}")[0] for n in range(viewers))
    assert viewers / MANY / 2 < moved < 5 * viewers / MANY


@pytest.mark.no_cover  # thousands of viewers through the same few lines
def test_those_of_a_failed_edge_spread() -> None:
    """They go to the others of its part: to many, and not too many of them to one."""
    edges = some(MANY)
    before, after = Fleet.of(edges), Fleet.of(edges, {"e0": DOWN})
    moved: Counter[str] = Counter()
    for number in range(30_000):
        if line_of(before, f"v{number}")[0] == "e0":
            moved[line_of(after, f"v{number}")[0]] += 1
    assert DIVIDED / 4 < len(moved)
    assert max(moved.values()) < 0.2 * sum(moved.values())


@pytest.mark.no_cover  # thousands of viewers through the same few lines
def test_a_share_of_viewers_of_a_large_group() -> None:
    """An edge that admits a third keeps a third of its viewers."""
    edges = some(DIVIDED + 1)
    before, after = Fleet.of(edges), Fleet.of(edges, {"e0": Condition(admits=1 / 3)})
    own = [n for n in range(30_000) if line_of(before, f"v{n}")[0] == "e0"]
    kept = sum(line_of(after, f"v{n}")[0] == "e0" for n in own)
    assert pytest.approx(1 / 3, abs=0.08) == kept / len(own)


@pytest.mark.parametrize("state", [DOWN, SHUT])
def test_when_nobody_of_many_is_well(state: Condition) -> None:
    """All of them are ranked as if they were well."""
    edges = some(MANY)
    well, ill = Fleet.of(edges), Fleet.of(edges, {edge.id: state for edge in edges})
    for number in range(100):
        assert line_of(well, f"v{number}") == line_of(ill, f"v{number}")
        assert WANTED == len(set(line_of(ill, f"v{number}")))
