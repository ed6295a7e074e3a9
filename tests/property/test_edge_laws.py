"""Laws of the choice of edges, for any edges and any place."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.edge.edge import Edge
from gateway.edge.fleet import EdgeCondition, Fleet
from gateway.edge.index import BANDS_KM
from gateway.edge.rank import (
    MIN_RANKED,
    admits,
    ordered_edges,
    ranked_tiers,
    spread_point_of,
    viewer_key,
)
from geodata.cell import snap
from geodata.distance import great_circle_km
from geodata.place import NOT_LOOKED_UP, UNKNOWN, Continent, Place

law = settings(deadline=None)
# A few points that are near each other in pairs, poles and the antimeridian among them.
latitudes = st.sampled_from([90.0, 89.9, 52.5, 52.0, 0.0, -33.9, -90.0]) | st.floats(-90, 90)
longitudes = st.sampled_from([-180.0, 179.9, 13.4, 13.0, 0.0]) | st.floats(-180, 180)
countries = st.sampled_from(["DE", "US", "FJ"])
CONTINENTS: list[Continent] = ["EU", "NA", "OC"]
continents = st.sampled_from(CONTINENTS)
points = st.none() | st.tuples(latitudes, longitudes)


@st.composite
def fleets(draw: st.DrawFn) -> tuple[Edge, ...]:
    """Edges with distinct ids."""
    return tuple(
        Edge(
            id=f"edge-{number}",
            url=f"https://{number}.example/",
            latitude=point[0] if point else None,
            longitude=point[1] if point else None,
            countries=draw(st.frozensets(countries, max_size=1)),
            continents=draw(st.frozensets(continents, max_size=1)),
            weight=draw(st.sampled_from([1, 100, 100, 10_000])),
            fallback=draw(st.booleans()),
        )
        for number, point in enumerate(draw(st.lists(points, min_size=1, max_size=12)))
    )


@st.composite
def places(draw: st.DrawFn) -> Place:
    """A place with a location, exact or not, or without one."""
    point = draw(points)
    found = Place(
        "found",
        draw(st.none() | countries),
        draw(st.none() | continents),
        point[0] if point else None,
        point[1] if point else None,
        draw(st.none() | st.floats(0, 25_000)) if point else None,
    )
    return draw(st.sampled_from([found, found, found, UNKNOWN, NOT_LOOKED_UP]))


def ranking(fleet: tuple[Edge, ...], place: Place, viewer: str) -> list[str]:
    """The ids of the edges for a viewer, best first."""
    whole = Fleet.of(fleet)
    ranked = ranked_tiers(whole, snap(place), spread_point_of(place, viewer))
    return [fleet[at].id for at in ordered_edges(whole, ranked, "film", viewer)]


@law
@given(fleets(), places(), st.text(max_size=5))
def test_there_is_always_an_edge(fleet: tuple[Edge, ...], place: Place, viewer: str) -> None:
    """An order has ``MIN_RANKED`` edges or all there are, and none twice."""
    found = ranking(fleet, place, viewer)
    assert min(MIN_RANKED, len(fleet)) == len(set(found)) == len(found)


@law
@given(fleets(), places(), st.text(max_size=5), st.data())
def test_removing_an_edge_moves_only_its_own_share(
    fleet: tuple[Edge, ...], place: Place, viewer: str, choice: st.DataObject
) -> None:
    """Only viewers of a removed edge move, and they go to the next edge of their order."""
    gone = choice.draw(st.sampled_from(fleet))
    rest = tuple(edge for edge in fleet if edge is not gone)
    before = [name for name in ranking(fleet, place, viewer) if name != gone.id]
    after = ranking(rest, place, viewer) if rest else []
    assert before == after[: len(before)]


@law
@given(fleets(), places(), st.text(max_size=5), st.randoms(use_true_random=False))
def test_the_order_of_the_list_does_not_matter(
    fleet: tuple[Edge, ...], place: Place, viewer: str, random: Random
) -> None:
    """The choice does not depend on the order of edges in the config."""
    shuffled = list(fleet)
    random.shuffle(shuffled)
    assert ranking(fleet, place, viewer) == ranking(tuple(shuffled), place, viewer)


@law
@given(latitudes, longitudes, latitudes, longitudes)
def test_bands_are_distances(lat1: float, lon1: float, lat2: float, lon2: float) -> None:
    """An edge's band contains its great-circle distance."""
    place = Place("found", latitude=lat1, longitude=lon1)
    bound = ranked_tiers(Fleet.of([Edge("e", "https://e.example/", lat2, lon2)]), place, 0)[
        0
    ].nearer_than_km
    assert bound is not None
    km = great_circle_km(lat1, lon1, lat2, lon2)
    below = BANDS_KM[BANDS_KM.index(bound) - 1] if bound > BANDS_KM[0] else 0.0
    assert below - 0.001 <= km <= bound + 0.001


@law
@given(fleets(), places(), st.integers(0, 32))
def test_nearer_regions_and_bands_come_first(
    fleet: tuple[Edge, ...], place: Place, spot: int
) -> None:
    """Tiers are in order, and each edge is in one tier at most."""
    regions = ["country", "continent", "nearest", "fallback", "any"]
    ranked = ranked_tiers(Fleet.of(fleet), snap(place), spot if place.located else 0)
    keys = [(regions.index(tier.region), tier.nearer_than_km or 1e9) for tier in ranked]
    assert sorted(set(keys)) == keys
    edges = [at for tier in ranked for at in tier.edges]
    assert len(set(edges)) == len(edges)


conditions = st.sampled_from(
    [
        EdgeCondition(),
        EdgeCondition("down", admits=0),
        EdgeCondition("draining", admits=0),
        EdgeCondition("degraded", admits=0.5),
        EdgeCondition(admits=0.1),
        EdgeCondition(full=True),
    ]
)


@law
@given(fleets(), places(), st.text(max_size=5), st.data())
def test_edges_that_take_the_viewer_come_first_and_those_that_take_nobody_last(
    fleet: tuple[Edge, ...], place: Place, viewer: str, data: st.DataObject
) -> None:
    """Whatever their regions and distances; those that are down are in no order."""
    judged = {edge.id: data.draw(conditions) for edge in fleet}
    whole = Fleet.of(fleet, judged)
    tiers = ranked_tiers(whole, snap(place), spread_point_of(place, viewer))
    found = ordered_edges(whole, tiers, "film", viewer)
    assert found
    if whole.all_down:
        return
    key = viewer_key("film", viewer)
    steps = [0 if admits(whole, at, key) else 1 if whole.open(at) else 2 for at in found]
    assert sorted(steps) == steps
    assert whole.down.isdisjoint(found)
