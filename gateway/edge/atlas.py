"""Which edges may serve a place, nearest first, without looking at all of them?

What follows from the edges alone: how they are now comes and goes, and is asked for afterwards
(:mod:`gateway.edge.rank`). So an :class:`Atlas` stays while the edges do.

Distances are in *bands*: ``NEAR_KM``, then ``BAND_RATIO`` wider each. Bands are fixed, so that
which one an edge is in never depends on another edge.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Final

from gateway.edge.edge import Edge, Vector
from geodata.distance import EARTH_RADIUS_KM
from geodata.place import Place

NEAR_KM: Final = 100.0
"""Edges within this distance of a viewer are equally near (about 1 ms of light in fibre)."""
BAND_RATIO: Final = 1.1
BANDS_KM: Final = tuple(NEAR_KM * BAND_RATIO**band for band in range(57))
"""The upper bounds of the bands; the last one is beyond half the circumference."""
NO_BAND: Final = len(BANDS_KM)
"""Instead of a band where there is no distance: the edge or the viewer has no point on the map."""
REGIONS: Final = ("country", "continent", "nearest", "fallback", "any")
"""What an edge may be to a place, best first."""
FEW: Final = 64
"""So few edges are looked at one by one."""

Band = tuple[int, Sequence[int]]
"""A band, and the positions of the edges in it, ascending."""

# The bounds again, as what a scalar product of unit vectors is compared to.
_LIMITS: Final = [-math.cos(min(km / EARTH_RADIUS_KM, math.pi)) for km in BANDS_KM[:-1]]
# How many bands a search has seen to the end after each of its steps: up to 177 km, 418 km, 985 km,
# 2,323 km.
_STEPS: Final = range(7, 38, 9)
# Cubes are numbered in three directions, from the middle, which is _MOST.
_MOST: Final = 64
_NUMBERS: Final = 2 * _MOST
_AROUND: Final = tuple(
    (x * _NUMBERS + y) * _NUMBERS + z for x, y, z in product((-1, 0, 1), repeat=3)
)


def _side(bands: int) -> float:
    """The chord of so many bands on the unit sphere, and a little more than rounding takes away."""
    return 2 * math.sin(BANDS_KM[bands - 1] / EARTH_RADIUS_KM / 2) * (1 + 1e-6)


class _Chart:
    """The points of some edges. Space is cut into cubes, whose side is as long as a step of the
    search is wide: what a step finds is in the cube of the place and those around it."""

    def __init__(self, points: Sequence[tuple[int, Vector]]) -> None:
        """``points`` are edges' positions and directions."""
        self._points = points
        self._cubes: dict[int, dict[int, list[tuple[int, Vector]]]] = {}

    def bands(self, here: Vector) -> Iterator[Band]:
        """The edges by distance from ``here``, nearest band first; of each band all at once."""
        begun = 0
        for bands in _STEPS if len(self._points) > FEW else ():
            around = self._around(here, bands)
            if around:
                yield from _by_band(around, here, begun, bands)
                begun = bands
        yield from _by_band(self._points, here, begun, NO_BAND)

    def _around(self, here: Vector, bands: int) -> list[tuple[int, Vector]]:
        """Edges among which are all of the nearest ``bands``."""
        side = _side(bands)
        cubes = self._cubes.get(bands)
        if cubes is None:
            cubes = self._cubes[bands] = {}
            for point in self._points:
                cubes.setdefault(_cube(point[1], side), []).append(point)
        middle = _cube(here, side)
        return [point for offset in _AROUND for point in cubes.get(middle + offset, ())]


def _cube(point: Vector, side: float) -> int:
    x, y, z = point
    return (int(x / side + _MOST) * _NUMBERS + int(y / side + _MOST)) * _NUMBERS + int(
        z / side + _MOST
    )


def _by_band(
    points: Iterable[tuple[int, Vector]], here: Vector, first: int, end: int
) -> list[Band]:
    """The bands from ``first`` up to but not including ``end`` in which there is a point."""
    x, y, z = here
    farthest = _LIMITS[end - 1] if end <= len(_LIMITS) else math.inf
    found: dict[int, list[int]] = {}
    for position, (east, north, up) in points:
        away = -(x * east + y * north + z * up)
        if away < farthest:
            band = bisect_right(_LIMITS, away)
            if band >= first:
                found.setdefault(band, []).append(position)
    return [(band, sorted(found[band])) for band in sorted(found)]


class _Area:
    """Some edges: all that serve a country, or a continent, or all there are."""

    def __init__(self, edges: Sequence[Edge], positions: Sequence[int]) -> None:
        self.positions = tuple(positions)
        self.members = frozenset(positions)
        directions = [(at, edges[at].direction) for at in positions]
        self.chart = _Chart([(at, there) for at, there in directions if there is not None])
        self.unlocated = tuple(at for at, there in directions if there is None)

    def bands(self, here: Vector | None) -> Iterator[Band]:
        """All of them. Those without a point come last; without ``here`` nobody has one."""
        if here is not None:
            yield from self.chart.bands(here)
        rest = self.positions if here is None else self.unlocated
        if rest:
            yield NO_BAND, rest


class Atlas:
    """All edges by what they serve and where they are. Positions are those in ``edges``."""

    def __init__(self, edges: Sequence[Edge]) -> None:
        """Ids are distinct."""
        self.edges = tuple(edges)
        self.positions: Mapping[str, int] = {edge.id: at for at, edge in enumerate(edges)}
        self.identity = b"".join(edge.identity for edge in edges)
        countries: dict[str, list[int]] = {}
        continents: dict[str, list[int]] = {}
        for at, edge in enumerate(edges):
            for country in edge.countries:
                countries.setdefault(country, []).append(at)
            for continent in edge.continents:
                continents.setdefault(continent, []).append(at)
        self._countries = {name: _Area(edges, found) for name, found in countries.items()}
        self._continents = {name: _Area(edges, found) for name, found in continents.items()}
        self._world = _Area(edges, range(len(edges)))
        self._rest = {
            located: tuple(_fallback_first(edges, positions))
            for located, positions in (
                (False, self._world.positions),
                (True, self._world.unlocated),
            )
        }

    def bands(self, place: Place, here: Vector | None) -> Iterator[tuple[str, int, Sequence[int]]]:
        """Every edge once, in groups of equals: best region first, and its nearest band.

        ``here`` is where the viewer probably is; None when the place has no point on the map.
        """
        country = self._countries.get(place.country or "")
        continent = self._continents.get(place.continent or "")
        named = [area.members for area in (country, continent) if area is not None]
        if country is not None:
            for band, group in country.bands(here):
                yield "country", band, group
        if continent is not None:
            before = named[:-1]
            for band, group in continent.bands(here):
                yield "continent", band, _without(group, before)
        if here is not None:
            for band, group in self._world.chart.bands(here):
                yield "nearest", band, _without(group, named)
        for region, group in zip(("fallback", "any"), self._rest[here is not None], strict=True):
            yield region, NO_BAND, _without(group, named)


def _fallback_first(edges: Sequence[Edge], positions: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """The fallback edges, and the others."""
    for fallback in (True, False):
        yield tuple(at for at in positions if edges[at].fallback is fallback)


def _without(group: Sequence[int], named: Sequence[frozenset[int]]) -> Sequence[int]:
    """Those of the group that were not in its turn before."""
    for members in named:
        group = [at for at in group if at not in members]
    return group
