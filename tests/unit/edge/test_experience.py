"""On which edges playback is poor for a network."""

import pytest

from gateway.edge.edge import Edge
from gateway.edge.experience import MAX_EDGES, Experience, NetworkExperiences, poor_edges
from gateway.edge.fleet import EdgeCondition, Fleet
from gateway.edge.rank import ordered_by_key, ranked_tiers, without_poor
from geodata.place import NOT_LOOKED_UP

WINDOW_S = 300.0


def seen(viewers: int, troubled: int, first: int = 0) -> Experience:
    """An experience of so many viewers."""
    experience = Experience()
    for number in range(viewers):
        experience = experience.with_viewer(first + number, number < troubled)
    return experience


CASES = [
    ("nobody", {}, set()),
    ("one edge alone", {"a": (50, 50)}, set()),
    ("one is poor", {"a": (20, 10), "b": (20, 1)}, {"a"}),
    ("none has trouble", {"a": (20, 0), "b": (20, 0)}, set()),
    ("little trouble", {"a": (20, 3), "b": (20, 0)}, set()),
    ("the network is poor", {"a": (20, 18), "b": (20, 15)}, set()),
    ("too few viewers", {"a": (19, 19), "b": (20, 0)}, set()),
    ("too few on others", {"a": (20, 20), "b": (19, 0)}, set()),
    ("others together", {"a": (20, 20), "b": (10, 0), "c": (10, 1)}, {"a"}),
    ("two of three", {"a": (20, 12), "b": (20, 12), "c": (200, 2)}, {"a", "b"}),
]


@pytest.mark.parametrize(
    ("counts", "expected"), [row[1:] for row in CASES], ids=[row[0] for row in CASES]
)
def test_poor_edges(counts: dict[str, tuple[int, int]], expected: set[str]) -> None:
    """By the share of viewers with trouble, against the network's other edges."""
    experiences = {name: seen(*given) for name, given in counts.items()}
    assert expected == poor_edges(experiences, 20)


def test_one_viewer_has_one_voice() -> None:
    """However much it reports; what went wrong once stays so."""
    experience = Experience()
    for troubled in (False, True, False):
        experience = experience.with_viewer(7, troubled)
    assert (1, 1) == (experience.viewers.bit_count(), experience.troubled.bit_count())


def memory(viewers: int = 20) -> NetworkExperiences:
    """What a worker knows of network ``n`` after so many viewers of each of two edges."""
    found = NetworkExperiences(WINDOW_S)
    for slot in range(viewers):
        found.add("n", "bad", slot, True, 0.0, 20)
        found.add("n", "good", slot, False, 0.0, 20)
    return found


def test_a_network_knows_its_poor_edges_for_two_windows() -> None:
    """Others do not; and what is old counts no more."""
    found = memory()
    assert {"bad"} == found.poor("n", 1.0)
    assert set() == found.poor("other", 1.0)
    assert {"bad"} == found.poor("n", 2 * WINDOW_S - 1)
    assert set() == found.poor("n", 2 * WINDOW_S)


def test_the_window_before_counts_as_well() -> None:
    """Until the next one ends."""
    found = memory()
    found.add("n", "good", 1, False, WINDOW_S, 20)
    assert {"bad"} == found.poor("n", WINDOW_S)
    found.add("n", "good", 1, False, 2 * WINDOW_S, 20)
    assert set() == found.poor("n", 2 * WINDOW_S)


def test_a_network_has_a_bounded_number_of_edges() -> None:
    """The first ones that its viewers play from."""
    found = NetworkExperiences(WINDOW_S)
    for number in range(2 * MAX_EDGES):
        found.add("n", f"e{number}", 1, True, 0.0, 1)
        found.add("n", "e0", 1, False, 0.0, 1)
    for slot in range(30):
        found.add("n", f"e{MAX_EDGES}", slot, True, 0.0, 1)
    assert f"e{MAX_EDGES}" not in found.poor("n", 0.0)


def test_poor_edges_come_behind_those_that_take_the_viewer() -> None:
    """Nobody is sent to an edge that takes no viewers, and an order without poor ones stays."""
    edges = [Edge(name, f"https://{name}.example/") for name in ("a", "b", "c")]
    closed = {"b": EdgeCondition(state="draining", admits=0.0)}
    fleet = Fleet.of(edges, closed)
    order = ordered_by_key(fleet, ranked_tiers(fleet, NOT_LOOKED_UP, 0), 1)
    names = [fleet.edges[at].id for at in order]
    assert "b" == names[-1]
    poor = without_poor(fleet, order, {names[0]}, 1)
    assert [names[1], names[0], "b"] == [fleet.edges[at].id for at in poor]
    assert order == without_poor(fleet, order, set(), 1)
    assert order == without_poor(fleet, order, {"a", "b", "c"}, 1)
