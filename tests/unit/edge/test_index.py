"""The index finds the edges for a place, and misses none."""

from collections.abc import Sequence
from random import Random

import pytest

from gateway.edge.edge import Edge, unit_vector
from gateway.edge.index import BANDS_KM, MAX_SCANNED, NO_BAND, REGIONS, EdgeIndex
from geodata.distance import great_circle_km
from geodata.place import Continent, Place

MANY = 1_500
COUNTRIES = ("FR", "US")
CONTINENTS: tuple[Continent, ...] = ("EU", "NA")
AROUND: tuple[Continent | None, ...] = ("EU", "AS", None)


def spread(random: Random, style: str) -> tuple[float, float]:
    """A point anywhere, near a city, or near the poles and the antimeridian."""
    if style == "world":
        return random.uniform(-90, 90), random.uniform(-180, 180)
    if style == "city":
        return random.gauss(48.9, 1.0), random.gauss(2.4, 1.0)
    return random.choice([90.0, -90.0, 89.99, 0.0]), random.choice([180.0, -180.0, 179.99, 0.0])


def fleet_of(style: str) -> list[Edge]:
    """Many edges: some without a location, some with regions, some fallbacks."""
    random = Random(style)
    found = []
    for number in range(MANY):
        at = spread(random, style) if random.random() < 0.95 else (None, None)
        countries = [name for name in COUNTRIES if random.random() < 0.1]
        continents = [name for name in CONTINENTS if random.random() < 0.2]
        found.append(
            Edge(
                f"e{number}",
                f"https://{number}.example/",
                at[0],
                at[1],
                frozenset(countries),
                frozenset(continents),
                fallback=random.random() < 0.1,
            )
        )
    return found


def looked_at_one_by_one(
    edges: Sequence[Edge], place: Place, point: tuple[float, float] | None
) -> dict[str, tuple[str, float]]:
    """Region and distance in km of each edge, computed one by one."""
    found = {}
    for edge in edges:
        km = -1.0
        if point is not None and edge.latitude is not None and edge.longitude is not None:
            km = great_circle_km(*point, edge.latitude, edge.longitude)
        if place.country in edge.countries:
            region = "country"
        elif place.continent in edge.continents:
            region = "continent"
        elif km >= 0:
            region = "nearest"
        else:
            region = "fallback" if edge.fallback else "any"
        found[edge.id] = region, km
    return found


@pytest.mark.parametrize("style", ["world", "city", "ends"])
@pytest.mark.parametrize("located", [True, False])
def test_every_edge_is_found_once_and_in_its_place(style: str, located: bool) -> None:
    """For all edges and places, groups are in order, and each edge is in its own group."""
    edges = fleet_of(style)
    index = EdgeIndex(edges)
    random = Random(1)
    for number in range(12):
        point = spread(random, "world" if number % 3 == 0 else style) if located else None
        place = Place("found", random.choice(["FR", "JP", None]), random.choice(AROUND))
        expected = looked_at_one_by_one(edges, place, point)
        groups = list(index.bands(place, None if point is None else unit_vector(*point)))
        keys = [(REGIONS.index(region), band) for region, band, group in groups if group]
        assert sorted(keys) == keys
        assert sorted(range(MANY)) == sorted(at for _, _, group in groups for at in group)
        for region, band, group in groups:
            assert sorted(group) == list(group)
            for at in group:
                its_region, km = expected[edges[at].id]
                assert region == its_region
                if band == NO_BAND:
                    assert km < 0
                else:
                    nearest = BANDS_KM[band - 1] if band else 0.0
                    assert nearest - 0.001 <= km <= BANDS_KM[band] + 0.001


def test_those_nearby_are_found_without_looking_at_all() -> None:
    """The first groups of many edges come from the cubes around the place; so do they where a
    cube ends, a hair to either side of it."""
    random = Random(2)
    edges = [
        Edge(f"e{at}", "https://e.example/", *spread(random, "world"))
        for at in range(20 * MAX_SCANNED)
    ]
    index = EdgeIndex(edges)
    for longitude in (0.0, 1e-9, -1e-9, 180.0, 90.0):
        here = unit_vector(0.0, longitude)
        groups = index.bands(Place("found"), here)
        region, band, group = next(groups)
        nearest = min(
            range(len(edges)),
            key=lambda at: great_circle_km(
                0.0, longitude, edges[at].latitude or 0.0, edges[at].longitude or 0.0
            ),
        )
        assert "nearest" == region
        assert nearest in group
        assert band < NO_BAND
