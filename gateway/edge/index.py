"""Which edges may serve a place, nearest first, without looking at all of them?

The index depends on the edges alone. Their conditions change often, and are considered afterwards
(:mod:`gateway.edge.rank`), so an :class:`EdgeIndex` lives as long as the list of edges does.

Distances are in *bands*: the first ends at ``NEAR_KM``, and each next one ends ``BAND_RATIO`` times
farther away. Bands are fixed, so the band of an edge never depends on another edge.
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
"""The upper bounds of the bands in km; the last is beyond half the Earth's circumference."""
NO_BAND: Final = len(BANDS_KM)
"""Takes the place of a band where there is no distance: the edge or the viewer has no location."""
REGIONS: Final = ("country", "continent", "nearest", "fallback", "any")
"""How an edge may relate to a place, best first."""
MAX_SCANNED: Final = 64
"""Up to this many edges are compared one by one instead of by the grid."""

Band = tuple[int, Sequence[int]]
"""A band, and the ascending positions of the edges in it."""

# The bounds of the bands as negated cosines, to compare with scalar products of unit vectors.
_LIMITS: Final = [-math.cos(min(km / EARTH_RADIUS_KM, math.pi)) for km in BANDS_KM[:-1]]
# The number of bands that are complete after each step of a search: up to 177 km, 418 km, 985 km
# and 2,323 km.
_STEPS: Final = range(7, 38, 9)
# Cubes are numbered along three axes. _MIDDLE is the number of the cube at the Earth's centre.
_MIDDLE: Final = 64
_NUMBERS: Final = 2 * _MIDDLE
_NEIGHBOURS: Final = tuple(
    (x * _NUMBERS + y) * _NUMBERS + z for x, y, z in product((-1, 0, 1), repeat=3)
)


def _side(bands: int) -> float:
    """The length of the chord across that many bands on the unit sphere, with a margin for
    rounding."""
    return 2 * math.sin(BANDS_KM[bands - 1] / EARTH_RADIUS_KM / 2) * (1 + 1e-6)


class _PointGrid:
    """The locations of some edges in a grid of cubes.

    A search goes in steps of growing radius. Each step has its own grid, whose cubes are as long as
    the radius: all edges within the radius are in the cube of the viewer or in a neighbouring one.
    """

    def __init__(self, points: Sequence[tuple[int, Vector]]) -> None:
        """``points`` are positions of edges and their directions."""
        self._points = points
        self._cubes: dict[int, dict[int, list[tuple[int, Vector]]]] = {}

    def bands(self, here: Vector) -> Iterator[Band]:
        """The bands around ``here`` that have edges, nearest first; each holds all of its edges."""
        begun = 0
        for bands in _STEPS if len(self._points) > MAX_SCANNED else ():
            around = self._around(here, bands)
            if around:
                yield from _by_band(around, here, begun, bands)
                begun = bands
        yield from _by_band(self._points, here, begun, NO_BAND)

    def _around(self, here: Vector, bands: int) -> list[tuple[int, Vector]]:
        """All edges of the nearest ``bands``, and possibly more."""
        side = _side(bands)
        cubes = self._cubes.get(bands)
        if cubes is None:
            cubes = self._cubes[bands] = {}
            for point in self._points:
                cubes.setdefault(_cube(point[1], side), []).append(point)
        middle = _cube(here, side)
        return [point for offset in _NEIGHBOURS for point in cubes.get(middle + offset, ())]


def _cube(point: Vector, side: float) -> int:
    x, y, z = point
    return (int(x / side + _MIDDLE) * _NUMBERS + int(y / side + _MIDDLE)) * _NUMBERS + int(
        z / side + _MIDDLE
    )


def _by_band(
    points: Iterable[tuple[int, Vector]], here: Vector, first: int, end: int
) -> list[Band]:
    """The bands from ``first`` up to but not including ``end`` that have a point."""
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


class _EdgeGroup:
    """The edges that serve one country or continent, or all edges."""

    def __init__(self, edges: Sequence[Edge], positions: Sequence[int]) -> None:
        self.positions = tuple(positions)
        self.members = frozenset(positions)
        directions = [(at, edges[at].direction) for at in positions]
        self.grid = _PointGrid([(at, there) for at, there in directions if there is not None])
        self.unlocated = tuple(at for at, there in directions if there is None)

    def bands(self, here: Vector | None) -> Iterator[Band]:
        """All edges of the group, nearest band first. Edges without a location come last; when
        ``here`` is None, that is all of them."""
        if here is not None:
            yield from self.grid.bands(here)
        rest = self.positions if here is None else self.unlocated
        if rest:
            yield NO_BAND, rest


class EdgeIndex:
    """All edges by the regions that they serve and by location.

    Edges are named by their position in ``edges``; ``positions`` gives it for an id, ``by_key`` for
    an edge's key, and ``by_tag`` all of them for a ``tag``. ``identity`` differs between two
    indexes when anything that ranking depends on differs. ``signs``: the URLs of some are signed.
    ``needs_cookies``: the signatures of some are in cookies.
    """

    def __init__(self, edges: Sequence[Edge]) -> None:
        """The ids of ``edges`` must be distinct."""
        self.edges = tuple(edges)
        self.positions: Mapping[str, int] = {edge.id: at for at, edge in enumerate(edges)}
        hosts: dict[int, set[str]] = {}
        for edge in edges:
            if edge.host is not None:
                hosts.setdefault(edge.shape, set()).add(edge.host)
        self._shapes = {shape for shape, found in hosts.items() if len(found) > 1}
        self.by_key: Mapping[int, int] = {edge.key: at for at, edge in enumerate(edges)}
        self.by_tag: dict[int, list[int]] = {}
        for at, edge in enumerate(edges):
            self.by_tag.setdefault(edge.tag, []).append(at)
        self.identity = b"".join(edge.identity for edge in edges)
        self.signs = any(edge.url_signing is not None for edge in edges)
        self.needs_cookies = any(
            edge.signing is not None and edge.url_signing is None for edge in edges
        )
        countries: dict[str, list[int]] = {}
        continents: dict[str, list[int]] = {}
        for at, edge in enumerate(edges):
            for country in edge.countries:
                countries.setdefault(country, []).append(at)
            for continent in edge.continents:
                continents.setdefault(continent, []).append(at)
        self._countries = {name: _EdgeGroup(edges, found) for name, found in countries.items()}
        self._continents = {name: _EdgeGroup(edges, found) for name, found in continents.items()}
        self._all = _EdgeGroup(edges, range(len(edges)))
        self._rest = {
            located: tuple(_fallback_first(edges, positions))
            for located, positions in ((False, self._all.positions), (True, self._all.unlocated))
        }

    def has_sibling(self, edge: Edge) -> bool:
        """Whether the URL of another edge differs from that of ``edge`` in the host alone, so that
        sessions can be steered from one to the other."""
        return edge.host is not None and edge.shape in self._shapes

    def bands(self, place: Place, here: Vector | None) -> Iterator[tuple[str, int, Sequence[int]]]:
        """Every edge once, in groups of equal edges: (region, band, positions), best region first
        and its nearest band first.

        ``here`` is the viewer's estimated location; None when the place has no coordinates.
        """
        country = self._countries.get(place.country or "")
        continent = self._continents.get(place.continent or "")
        named = [group.members for group in (country, continent) if group is not None]
        if country is not None:
            for band, positions in country.bands(here):
                yield "country", band, positions
        if continent is not None:
            before = named[:-1]
            for band, positions in continent.bands(here):
                yield "continent", band, _without(positions, before)
        if here is not None:
            for band, positions in self._all.grid.bands(here):
                yield "nearest", band, _without(positions, named)
        for region, rest in zip(("fallback", "any"), self._rest[here is not None], strict=True):
            yield region, NO_BAND, _without(rest, named)


def _fallback_first(edges: Sequence[Edge], positions: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """The fallback edges, then the other edges."""
    for fallback in (True, False):
        yield tuple(at for at in positions if edges[at].fallback is fallback)


def _without(positions: Sequence[int], named: Sequence[frozenset[int]]) -> Sequence[int]:
    """``positions`` without the edges that were in an earlier group."""
    for members in named:
        positions = [at for at in positions if at not in members]
    return positions
