"""Which edges, in which order: region, distance, rendezvous."""

import math
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from itertools import islice

import pytest

from gateway.edge.edge import Edge
from gateway.edge.fleet import EdgeCondition, Fleet
from gateway.edge.index import BANDS_KM
from gateway.edge.override import WHOLE, Override
from gateway.edge.rank import (
    MAX_RESERVE,
    MIN_RANKED,
    SPREAD_POINTS,
    EdgeTier,
    PreferenceOrder,
    edge_reason,
    ordered_by_key,
    ordered_edges,
    ranked_tiers,
    spread_point_of,
    without_poor,
)
from gateway.store.caches.decision_wire import tiers_from_bytes, tiers_to_bytes
from geodata.cell import snap
from geodata.distance import great_circle_km
from geodata.place import NOT_LOOKED_UP, UNKNOWN, Continent, Place


def edge(
    name: str,
    at: tuple[float, float] | None = None,
    continent: Continent | None = None,
    country: str | None = None,
    weight: int = 100,
    *,
    fallback: bool = False,
) -> Edge:
    """An edge with that name."""
    return Edge(
        name,
        f"https://{name}.example/",
        at[0] if at else None,
        at[1] if at else None,
        frozenset({country} if country else ()),
        frozenset({continent} if continent else ()),
        weight,
        fallback,
    )


def place(
    at: tuple[float, float] | None,
    country: str | None = None,
    continent: Continent | None = None,
    accuracy_km: float | None = 20.0,
) -> Place:
    """A place that was found."""
    latitude, longitude = at or (None, None)
    return Place("found", country, continent, latitude, longitude, accuracy_km if at else None)


def best(edges: Sequence[Edge], where: Place, viewer: str = "v", asset: str = "film") -> str:
    """The serving edge, as a decision finds it."""
    fleet = Fleet.of(edges)
    ranked = ranked_tiers(fleet, snap(where), spread_point_of(where, viewer))
    return edges[ordered_edges(fleet, ranked, asset, viewer)[0]].id


def shares(edges: Sequence[Edge], where: Place, viewers: int) -> dict[str, float]:
    """The share of many viewers that each edge serves."""
    count = Counter(best(edges, where, f"viewer-{number}") for number in range(viewers))
    return {name: number / viewers for name, number in count.items()}


VIRGINIA, KANSAS, OREGON = (38.95, -77.45), (39.1, -94.6), (45.6, -121.2)
DUBLIN, FRANKFURT, SINGAPORE = (53.3, -6.3), (50.1, 8.7), (1.3, 103.8)
PARIS, MIDDLE_OF_US = (48.9, 2.4), (38.96, -92.66)
WORLD = [
    edge("virginia", VIRGINIA, "NA"),
    edge("dublin", DUBLIN, "EU"),
    edge("frankfurt", FRANKFURT, "EU", "CH"),
    edge("singapore", SINGAPORE, "AS"),
    edge("global", fallback=True),
]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        # A country goes before a continent, and that before distance.
        (place((47.4, 8.5), "CH", "EU"), "country:frankfurt continent:dublin nearest:virginia"),
        (place((41.0, 29.0), "TR", "AS"), "continent:singapore nearest:frankfurt nearest:dublin"),
        (place(PARIS, "FR", "EU"), "continent:frankfurt continent:dublin nearest:virginia"),
        # Nobody names it: the nearest serves, the fallback edge has no point on the map.
        (
            place((-33.9, 18.4), "ZA", "AF"),
            "nearest:frankfurt:singapore nearest:dublin nearest:virginia",
        ),
        # A place without a point knows its region only.
        (place(None, "CH", "EU"), "country:frankfurt continent:dublin fallback:global"),
        (place(None, "ZA", "AF"), "fallback:global any"),
        (UNKNOWN, "fallback:global any"),
        (NOT_LOOKED_UP, "fallback:global any"),
    ],
)
def test_regions_and_distances(where: Place, expected: str) -> None:
    """Country, continent, distance, fallback, the rest: in this order."""
    found = [
        ":".join(
            [tier.region, *([] if tier.region == "any" else [WORLD[at].id for at in tier.edges])]
        )
        for tier in ranked_tiers(Fleet.of(WORLD), where, 0)
    ]
    assert expected.split() == found[: len(expected.split())]


@pytest.mark.parametrize(
    ("edges", "where", "expected"),
    [
        ([edge("a"), edge("b")], UNKNOWN, {"a", "b"}),
        ([edge("a"), edge("b")], place(PARIS, "FR", "EU"), {"a", "b"}),
        ([edge("a", DUBLIN), edge("b", SINGAPORE)], UNKNOWN, {"a", "b"}),
        ([edge("a", fallback=True), edge("b"), edge("c", fallback=True)], UNKNOWN, {"a", "c"}),
        ([edge("a", DUBLIN), edge("b", fallback=True)], place(PARIS), {"a"}),
        ([edge("only", SINGAPORE, "AS")], place(PARIS, "FR", "EU"), {"only"}),
        ([edge("only", SINGAPORE, "AS")], UNKNOWN, {"only"}),
        ([edge("only", fallback=True)], place(PARIS, "FR", "EU"), {"only"}),
        # An unknown continent or country is nobody's region.
        ([edge("a", None, "EU"), edge("b", fallback=True)], place(None), {"b"}),
    ],
)
def test_who_serves(edges: list[Edge], where: Place, expected: set[str]) -> None:
    """Unknown places get the fallback edges; without any, all are equal; one edge serves all."""
    assert expected == set(shares(edges, where, 200))


@pytest.mark.parametrize(
    ("at", "expected"),
    [(VIRGINIA, "virginia"), (KANSAS, "kansas"), (OREGON, "oregon"), ((40.7, -74.0), "virginia")],
)
def test_exact_viewers_go_to_the_nearest(at: tuple[float, float], expected: str) -> None:
    """With a small accuracy radius, all viewers are at the location itself."""
    edges = [edge(name, at) for name, at in (("virginia", VIRGINIA), ("kansas", KANSAS))]
    edges.append(edge("oregon", OREGON))
    assert {expected: 1.0} == shares(edges, place(at, "US", "NA", 50.0), 200)


@pytest.mark.no_cover  # thousands of viewers through the same few lines
def test_a_country_is_no_address() -> None:
    """Viewers somewhere in the US are divided among the edges there."""
    edges = [edge("v", VIRGINIA, "NA"), edge("k", KANSAS, "NA"), edge("o", OREGON, "NA")]
    found = shares(edges, place(MIDDLE_OF_US, "US", "NA", 2363.0), 10_000)
    assert {"v": 0.38, "k": 0.37, "o": 0.25} == pytest.approx(found, abs=0.03)


def test_spots() -> None:
    """An exact location is used itself; otherwise viewers are spread evenly over some points."""
    exact, vague = place(PARIS, accuracy_km=99.9), place(PARIS, accuracy_km=100.0)
    assert 0 == spread_point_of(exact, "v") == spread_point_of(place(PARIS, accuracy_km=None), "v")
    assert 0 == spread_point_of(UNKNOWN, "v") == spread_point_of(place(None, "FR"), "v")
    count = Counter(
        spread_point_of(vague, f"viewer-{number}") for number in range(SPREAD_POINTS * 1000)
    )
    assert set(range(1, SPREAD_POINTS + 1)) == set(count)
    assert 1000 == pytest.approx(min(count.values()), rel=0.2)


@pytest.mark.parametrize("accuracy_km", [100.0, 2500.0, 20_016.0])
@pytest.mark.parametrize("at", [(0.0, 179.9), (89.9, 0.0), (-90.0, 12.0), PARIS])
def test_spots_anywhere_on_earth(at: tuple[float, float], accuracy_km: float) -> None:
    """Across poles and the antimeridian every spot has its ranking, and the places next to it
    are near: half the spots are within the radius."""
    here = edge("here", at)
    where = place(at, accuracy_km=accuracy_km)
    bounds = [
        ranked_tiers(Fleet.of([here]), where, spot)[0].nearer_than_km
        for spot in range(1, SPREAD_POINTS + 1)
    ]
    near = [km for km in bounds if km is not None and km <= max(accuracy_km * 1.1, BANDS_KM[0])]
    assert SPREAD_POINTS / 2 <= len(near)
    assert len(bounds) == SPREAD_POINTS


@pytest.mark.parametrize(
    ("viewer", "near", "far"),
    [
        ((0.0, 179.9), (0.0, -179.9), (0.0, 175.0)),
        ((89.9, 0.0), (89.9, 180.0), (80.0, 0.0)),
        ((-90.0, 100.0), (-89.5, -30.0), (-80.0, 100.0)),
    ],
)
def test_the_edges_of_the_map(
    viewer: tuple[float, float], near: tuple[float, float], far: tuple[float, float]
) -> None:
    """Distances cross the antimeridian and the poles."""
    edges = [edge("far", far), edge("near", near)]
    assert [(1,), (0,)] == [tier.edges for tier in ranked_tiers(Fleet.of(edges), place(viewer), 0)]


@pytest.mark.parametrize("spot", range(0, SPREAD_POINTS + 1, 8))
@pytest.mark.no_cover  # thousands of viewers through the same few lines
def test_shares_follow_weights(spot: int) -> None:
    """Equal edges share sessions by weight, within 2 % of 20,000."""
    weights = {"a": 100, "b": 300, "c": 50, "d": 1, "e": 549}
    edges = [edge(name, DUBLIN, weight=weight) for name, weight in weights.items()]
    ranked = ranked_tiers(Fleet.of(edges), place(DUBLIN, accuracy_km=2500.0), spot)
    viewers = 20_000 if spot == 0 else 5_000
    count = Counter(
        ordered_edges(Fleet.of(edges), ranked, "film", f"s{number}")[0] for number in range(viewers)
    )
    assert 1 == len(ranked)
    assert {
        at: pytest.approx(weight / 1000, abs=0.02 if spot == 0 else 0.04)
        for at, weight in enumerate(weights.values())
    } == {at: count[at] / viewers for at in range(len(edges))}


def test_titles_share_out_one_viewer() -> None:
    """The titles of one viewer are spread over the edges."""
    edges = [edge(name) for name in "abcd"]
    found = Counter(best(edges, UNKNOWN, "v", f"film-{number}") for number in range(4000))
    assert {name: pytest.approx(0.25, abs=0.03) for name in "abcd"} == {
        name: number / 4000 for name, number in found.items()
    }


def test_choices_are_pinned() -> None:
    """The edge of a viewer and title is the same in all releases."""
    edges = [edge(name, weight=weight) for name, weight in (("a", 100), ("b", 200), ("c", 1))]
    ranked = ranked_tiers(Fleet.of(edges), UNKNOWN, 0)
    fleet = Fleet.of(edges)
    orders = [
        ordered_edges(fleet, ranked, "film", viewer)
        for viewer in ("s1", "s2", "s3", "s4", "é\ud800")
    ]
    assert [(1, 0, 2), (1, 0, 2), (1, 0, 2), (0, 1, 2), (0, 1, 2)] == orders


ANOTHER = """
from gateway.edge.edge import Edge
from gateway.edge.fleet import Fleet
from gateway.edge.rank import ordered_edges, ranked_tiers, spread_point_of
from geodata.place import UNKNOWN, Place
edges = [Edge(f"e{number}", "https://e.example/") for number in range(20)]
fleet = Fleet.of(edges)
us = Place("found", "US", "NA", 39.0, -93.0, 2500.0)
for number in range(20):
    viewer = f"s{number}"
    order = ordered_edges(fleet, ranked_tiers(fleet, UNKNOWN, 0), "film", viewer)
    print(order, spread_point_of(us, viewer))
"""


def test_another_process_agrees() -> None:
    """A choice does not depend on the process, such as its hash seed."""
    outputs = [
        subprocess.run(
            [sys.executable, "-c", ANOTHER],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1] != ""


@pytest.mark.no_cover  # thousands of viewers through the same few lines
def test_a_ranking_is_bounded() -> None:
    """With 10,000 edges a ranking ends early, and an order has only a few edges."""
    edges = [
        edge(f"e{number}", (math.sin(number) * 80, number * 7919 % 360 - 180.0))
        for number in range(10_000)
    ]
    ranked = ranked_tiers(Fleet.of(edges), place(PARIS, "FR", "EU"), 0)
    nearest = min(range(len(edges)), key=lambda at: _km(edges[at], PARIS))
    assert nearest in ranked[0].edges
    assert MIN_RANKED <= sum(len(tier.edges) for tier in ranked) <= 30
    assert MIN_RANKED == len(ordered_edges(Fleet.of(edges), ranked, "film", "v"))
    many = Fleet.of([edge(f"e{number}") for number in range(10_000)])
    equal = ranked_tiers(many, UNKNOWN, 0)
    assert MIN_RANKED == len(set(ordered_edges(many, equal, "film", "v")))


def test_a_stored_ranking_gives_the_same_order() -> None:
    """A large group that is read from the store is divided like one that was ranked here."""
    fleet = Fleet.of([edge(f"e{number}") for number in range(200)])
    ranked = ranked_tiers(fleet, UNKNOWN, 0)
    stored = tiers_from_bytes(tiers_to_bytes(ranked), fleet) or ()
    for number in range(50):
        expected = ordered_edges(fleet, ranked, "film", f"v{number}")
        assert expected == ordered_edges(fleet, stored, "film", f"v{number}")


@pytest.mark.parametrize("few", [1, 3, 8, 20])
def test_the_first_few_are_the_first_of_all(few: int) -> None:
    """An order that is worked out in two steps is the one that is worked out at once."""
    fleet = Fleet.of([edge(f"e{number}") for number in range(10)])
    tiers = ranked_tiers(fleet, UNKNOWN, 0)
    for key in range(1 << 40, 20 << 40, 1 << 40):
        whole = ordered_by_key(fleet, tiers, key, 8)
        order = PreferenceOrder(fleet, tiers, key, few, 8)
        assert whole[:few] == tuple(islice(order, few))
        assert whole == tuple(order)
        assert (8, whole[7], whole[2:5]) == (len(order), order[7], order[2:5])
        assert whole[0] == PreferenceOrder(fleet, tiers, key, few, 8)[0]


def test_poor_edges_come_last() -> None:
    """As do edges that take no viewers. Overrides decide alone."""
    draining = {"b": EdgeCondition("draining", admits=0)}
    fleet = Fleet.of([edge(name) for name in "abc"], draining)
    assert (2, 0, 1) == without_poor(fleet, (0, 1, 2), {"a"}, 7)
    assert (0, 2, 1) == without_poor(fleet, (0, 1, 2), {"d"}, 7)
    assert (2, 0, 1) == without_poor(fleet, (0, 1, 2), {"a", "b"}, 7)
    given = Override("1", "a", "b", 0, WHOLE, 0, 10**9, "me@here", "")
    diverted = Fleet.of([edge(name) for name in "abc"], overrides=[given])
    assert (0, 1, 2) == without_poor(diverted, (0, 1, 2), {"a"}, 7)


def test_edges_in_reserve_are_few() -> None:
    """After the fallback edge come only some of 10,000 edges, the same for all viewers."""
    edges = [edge(f"e{number}") for number in range(9_999)] + [edge("spare", fallback=True)]
    first, second = ranked_tiers(Fleet.of(edges), UNKNOWN, 0)
    assert (9_999,) == first.edges
    assert MAX_RESERVE == len(set(second.edges))
    assert (first, second) == ranked_tiers(Fleet.of(edges), NOT_LOOKED_UP, 0)
    assert MAX_RESERVE < len(ranked_tiers(Fleet.of(edges[:-1]), UNKNOWN, 0)[0].edges)


def _km(there: Edge, here: tuple[float, float]) -> float:
    return great_circle_km(*here, there.latitude or 0.0, there.longitude or 0.0)


AT = "km from the viewer's estimated location"
SHARED = "chosen by weight among 2 equal edges"


@pytest.mark.parametrize(
    ("edges", "where", "text"),
    [
        (
            WORLD,
            place(PARIS, "FR", "EU"),
            f"frankfurt serves the continent EU, at most 505 {AT} [edge-continent]",
        ),
        (
            WORLD,
            place((47.4, 8.5), "CH", "EU", 150.0),
            (
                f"frankfurt serves the country CH, at most 314 {AT}, which GeoIP knows to within "
                "150 km [edge-country]"
            ),
        ),
        (
            [edge("a", DUBLIN), edge("b", DUBLIN)],
            place(DUBLIN),
            (
                "a is the nearest edge (no edge names the viewer's country or continent), at most "
                f"100 {AT}, {SHARED} [edge-nearest]"
            ),
        ),
        (
            WORLD,
            UNKNOWN,
            "global is a fallback edge (the viewer's place is unknown) [edge-fallback]",
        ),
        (
            WORLD,
            NOT_LOOKED_UP,
            "global is a fallback edge (the viewer's place is not looked up) [edge-fallback]",
        ),
        (
            WORLD,
            place(None, "ZA", "AF"),
            (
                "global is a fallback edge (no edge names this place, which has no coordinates) "
                "[edge-fallback]"
            ),
        ),
        (
            [edge("a", fallback=True), edge("b")],
            place(PARIS, "FR", "EU"),
            (
                "a is a fallback edge (no edge names this place, and none has coordinates) "
                "[edge-fallback]"
            ),
        ),
        (
            [edge("a"), edge("b")],
            UNKNOWN,
            f"a was chosen from all edges (there is no fallback edge), {SHARED} [edge-any]",
        ),
    ],
)
def test_reasons(edges: list[Edge], where: Place, text: str) -> None:
    """Every way to an edge has its own sentence and code."""
    fleet = Fleet.of(edges)
    tier = ranked_tiers(fleet, where, 0)[0]
    assert f"edge: {text}" == str(edge_reason(fleet, tier.edges[0], tier, where, tier))


@pytest.mark.parametrize(
    ("km", "bound"), [(0, 100.0), (99, 100.0), (101, 110.0), (20_015, BANDS_KM[-1])]
)
def test_bands(km: float, bound: float) -> None:
    """100 km, then each band ends 10 % farther, up to the other side of the Earth."""
    there = edge("there", (0.0, math.degrees(km / 6371.0088)))
    assert bound == pytest.approx(
        ranked_tiers(Fleet.of([there]), place((0.0, 0.0)), 0)[0].nearer_than_km
    )
    assert EdgeTier((0,), "any", None).nearer_than_km is None
