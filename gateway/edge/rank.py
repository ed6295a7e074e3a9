"""From where? Edges in the order in which a viewer should try them.

The order is (region, distance band, rendezvous hash):

1. *Region*: edges that name the viewer's country, then edges that name the continent, then all
   other edges with coordinates, then fallback edges without coordinates, then the rest.
2. *Distance band*: the great-circle distance from the viewer's estimated location, in the fixed
   bands of :mod:`gateway.edge.index`. Because the bands are fixed, removing one edge moves no
   other edge's viewers. The serving edge is at most 10 % farther away than the nearest edge, or
   within ``NEAR_KM``.
3. *Rendezvous hash*: the edges of one band are equal. Weighted rendezvous hashing over asset and
   viewer (:mod:`gateway.edge.preference`) chooses among them, so that the same viewer and title
   stay on the same cache.

Edges that are down are not ranked, unless all are down. An edge that takes only a share of new
viewers (:mod:`gateway.edge.fleet`) comes after the others for the viewers that it does not take.
Edges that take no new viewers come last.

A GeoIP location is only as good as its accuracy radius. A viewer known to be "somewhere in the US"
is not in the middle of Kansas. Each viewer of such a place is assigned one of ``SPREAD_POINTS``
points spread evenly over a disc around the location; the same viewer always gets the same point.
The viewers of a large area are thus divided among its edges as the area is, while those of an exact
location go to the nearest edge.
"""

import math
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from heapq import nsmallest
from itertools import islice
from typing import overload

from gateway.edge.edge import stable_hash, unit_vector
from gateway.edge.fleet import Fleet
from gateway.edge.index import BANDS_KM, NEAR_KM, NO_BAND
from gateway.edge.override import Diversion, diversion_of
from gateway.edge.preference import (
    HASH_RANGE,
    MAX_UNDIVIDED,
    DividedGroup,
    divide,
    preference_order,
    splitmix64,
)
from gateway.reason import Reason, Step
from geodata.distance import EARTH_RADIUS_KM
from geodata.place import Place

SPREAD_POINTS = 32
"""Points over which the viewers of an inexact location are spread. A location has at most this many
rankings, and one more."""
CONFIDENCE = 0.67
"""The share of viewers within the accuracy radius, as makers of GeoIP databases state it. The disc
is larger than that radius by so much that it covers all viewers."""
MIN_RANKED = 8
"""A ranking ends with the band that brings it to this many edges that take viewers."""
MAX_RESERVE = 64
"""The most edges of a tier that is only used when every edge of the tiers before it fails."""

_GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))


@dataclass(frozen=True, slots=True)
class EdgeTier:
    """Edges that are equally good for one place, as positions in the fleet.

    ``divided`` holds the same edges ready for :func:`ordered_edges` when there are too many to
    score one by one; :func:`with_divided_groups` sets it.
    """

    edges: tuple[int, ...]
    region: str
    band: int | None
    divided: DividedGroup | None = field(default=None, compare=False, repr=False)

    @property
    def nearer_than_km(self) -> float | None:
        """The upper bound of the tier's distance band in km; None when distance was not used."""
        return None if self.band is None else BANDS_KM[self.band]


def spread_point_of(place: Place, viewer: str) -> int:
    """Which of the place's points ``viewer`` is assigned: 1 to ``SPREAD_POINTS``, or 0, the place's
    own coordinates, when these are exact enough."""
    if not place.located or (place.accuracy_km or 0.0) < NEAR_KM:
        return 0
    return 1 + stable_hash(f"spot\0{viewer}") % SPREAD_POINTS


def _coordinates(place: Place, spread_point: int) -> tuple[float, float]:
    """Latitude and longitude of a spread point. The points lie on a sunflower spiral, which covers
    the disc evenly."""
    latitude, longitude = place.latitude or 0.0, place.longitude or 0.0
    if spread_point == 0:
        return latitude, longitude
    disc_km = (place.accuracy_km or 0.0) / math.sqrt(CONFIDENCE)
    part = (spread_point - 0.5) / SPREAD_POINTS
    away = min(disc_km * math.sqrt(part) / EARTH_RADIUS_KM, math.pi)
    bearing = spread_point * _GOLDEN_ANGLE
    north, east = math.radians(latitude), math.radians(longitude)
    sine = math.sin(north) * math.cos(away) + math.cos(north) * math.sin(away) * math.cos(bearing)
    new_north = math.asin(max(-1.0, min(1.0, sine)))
    new_east = east + math.atan2(
        math.sin(bearing) * math.sin(away) * math.cos(north),
        math.cos(away) - math.sin(north) * math.sin(new_north),
    )
    return math.degrees(new_north), (math.degrees(new_east) + 540) % 360 - 180


def ranked_tiers(fleet: Fleet, place: Place, spread_point: int) -> tuple[EdgeTier, ...]:
    """The best tiers of the fleet for a place, best first.

    They hold at least ``MIN_RANKED`` edges that take new viewers, if the fleet has so many. A place
    that is unknown gets the fallback edges and then the others. Without fallback edges, all edges
    are equal.
    """
    edges, down, closed = fleet.edges, fleet.down, fleet.closed
    point = unit_vector(*_coordinates(place, spread_point)) if place.located else None
    found: list[EdgeTier] = []
    count = 0
    for region, band, group in fleet.index.bands(place, point):
        serving = [at for at in group if at not in down] if down else group
        if not serving:
            continue
        if found and len(serving) > MAX_RESERVE:
            serving = nsmallest(
                MAX_RESERVE, serving, key=lambda at: splitmix64(edges[at].key + spread_point)
            )
        count += sum(at not in closed for at in serving) if closed else len(serving)
        if not found and len(group) > MAX_UNDIVIDED:
            serving = group  # edges that are down must not change how the group is divided
        found.append(EdgeTier(tuple(serving), region, None if band == NO_BAND else band))
        if count >= MIN_RANKED:
            break
    return with_divided_groups(fleet, found)


def with_divided_groups(fleet: Fleet, tiers: Iterable[EdgeTier]) -> tuple[EdgeTier, ...]:
    """``tiers`` of the fleet, with ``divided`` set for those of more than ``MAX_UNDIVIDED`` edges.

    Dividing takes 0.3 ms for 1,000 edges and 6 ms for 10,000. It is done once for a ranking, which
    is then kept, not for each request.
    """
    return tuple(
        replace(tier, divided=divide(fleet.edges, tier.edges, fleet.closed, fleet.down))
        if len(tier.edges) > MAX_UNDIVIDED
        else tier
        for tier in tiers
    )


def ordered_edges(
    fleet: Fleet, tiers: Sequence[EdgeTier], asset: str, viewer: str, count: int = MIN_RANKED
) -> tuple[int, ...]:
    """The best ``count`` edges of ``tiers``: tier by tier, each in the viewer's preference order
    for the asset (:mod:`gateway.edge.preference`).

    Edges that do not take this viewer come after all edges that do, and those that take nobody come
    last. The target of an operator's override (:mod:`gateway.edge.override`) comes before the edge
    whose sessions it takes over, in addition to the ``count``.
    """
    return ordered_by_key(fleet, tiers, viewer_key(asset, viewer), count, asset)


def without_poor(
    fleet: Fleet, positions: Sequence[int], poor: Container[str], key: int
) -> tuple[int, ...]:
    """The same edges, with the ``poor`` ones (ids) behind the others that take the viewer with that
    ``key``. An operator's override decides alone."""
    if fleet.diversions:
        return tuple(positions)
    good = [at for at in positions if fleet.edges[at].id not in poor and admits(fleet, at, key)]
    return (*good, *(at for at in positions if at not in good))


def viewer_key(asset: str, viewer: str) -> int:
    """The 64 bits by which a viewer of an asset is known to rendezvous hashing."""
    return stable_hash(f"{asset}\0{viewer}")


def ordered_by_key(
    fleet: Fleet,
    tiers: Sequence[EdgeTier],
    key: int,
    count: int = MIN_RANKED,
    asset: str = "",
    *,
    diverted: bool = True,
) -> tuple[int, ...]:
    """:func:`ordered_edges` for the viewer with that :func:`viewer_key`. ``asset`` is for the
    overrides of some assets; ``diverted`` False leaves all overrides out."""
    ordered: list[int] = []
    skipped: list[int] = []
    last: list[int] = []
    for tier in tiers:
        if len(ordered) >= count:
            break
        candidates: Iterable[int]
        closed: Iterable[int] = ()
        if tier.divided is None:
            candidates = preference_order(fleet.edges, tier.edges, key)
        else:
            candidates = tier.divided.open_in_order(key)
            closed = tier.divided.closed_in_order(key)
        if fleet.plain:
            ordered += islice(candidates, count)
            continue
        for at in candidates:
            if admits(fleet, at, key):
                ordered.append(at)
                if len(ordered) == count:
                    break
            else:
                (skipped if fleet.open(at) else last).append(at)
        last += islice(closed, count)
    ordered = (ordered + skipped + last)[:count]
    if diverted and fleet.diversions:
        _divert(fleet, ordered, key, asset)
    return tuple(ordered)


class PreferenceOrder(Sequence[int]):
    """What :func:`ordered_by_key` gives, of which most callers need the first few: these are found
    first, and the others when somebody asks for them."""

    __slots__ = ("_all", "_asset", "_count", "_few", "_of")

    def __init__(
        self,
        fleet: Fleet,
        tiers: Sequence[EdgeTier],
        key: int,
        few: int,
        count: int,
        asset: str = "",
    ) -> None:
        self._of = fleet, tiers, key
        self._count = count
        self._asset = asset
        # An override may put any edge in front.
        few = count if fleet.diversions else min(few, count)
        self._few = ordered_by_key(fleet, tiers, key, few, asset)
        self._all = self._few if few == count or len(self._few) < few else None

    def __iter__(self) -> Iterator[int]:
        """The positions in order."""
        yield from self._few
        if self._all is not self._few:
            yield from self._whole()[len(self._few) :]

    def __len__(self) -> int:
        """How many there are."""
        return len(self._whole())

    @overload
    def __getitem__(self, at: int) -> int: ...

    @overload
    def __getitem__(self, at: slice) -> tuple[int, ...]: ...

    def __getitem__(self, at: int | slice) -> int | tuple[int, ...]:
        """One position, or a part of them."""
        return self._whole()[at]

    def _whole(self) -> tuple[int, ...]:
        if self._all is None:
            self._all = ordered_by_key(*self._of, self._count, self._asset)
        return self._all


def _divert(fleet: Fleet, ordered: list[int], key: int, asset: str) -> None:
    """Put the targets of overrides in front of the edges whose sessions they take over, where they
    take this viewer."""
    for ranked in tuple(ordered):
        for source, found in diversions_from(fleet, ranked, key, asset):
            place = ordered.index(source)
            if found.target in ordered:
                if ordered.index(found.target) < place:
                    continue
                ordered.remove(found.target)
            ordered.insert(place, found.target)


def diversions_from(fleet: Fleet, at: int, key: int, asset: str) -> Iterator[tuple[int, Diversion]]:
    """The overrides that move this viewer from the edge at position ``at``, with the position of
    the edge that each moves it from: the target of one may be the source of the next. They end at
    an edge that does not take the viewer."""
    while True:
        found = diversion_of(fleet.diversions, fleet.edges, at, key, asset)
        if found is None or not admits(fleet, found.target, key):
            return
        yield at, found
        at = found.target


def admits(fleet: Fleet, position: int, key: int) -> bool:
    """Whether the edge takes this viewer: the viewer's hash for this edge lies within the share of
    new viewers that the edge admits."""
    condition = fleet.conditions[position]
    if not condition.open:
        return False
    if condition.admits >= 1:
        return True
    return splitmix64(key + fleet.edges[position].key) < condition.admits * HASH_RANGE


def edge_reason(fleet: Fleet, at: int, tier: EdgeTier, place: Place, best: EdgeTier) -> Reason:
    """Why the edge at position ``at``, which is in ``tier``, was chosen, in a sentence.

    ``best`` is the tier that would come first if all edges were up and had room.
    """
    edge, passed_over = fleet.edges[at], (best.region, best.band) != (tier.region, tier.band)
    match tier.region:
        case "country":
            why = f"serves the country {place.country}"
        case "continent":
            why = f"serves the continent {place.continent}"
        case "nearest":
            why = _nearest(best, passed_over=passed_over)
        case "fallback":
            why = f"is a fallback edge ({_fallback(place, passed_over=passed_over)})"
        case _ if passed_over:
            why = "was chosen from the edges that are left (better ones were passed over)"
        case _:
            why = "was chosen from all edges (there is no fallback edge)"
    parts = [f"{edge.id} {why}"]
    if tier.nearer_than_km is not None:
        parts.append(f"at most {tier.nearer_than_km:.0f} km from the viewer's estimated location")
        radius = place.accuracy_km or 0.0
        if radius >= NEAR_KM:
            parts.append(f"which GeoIP knows to within {radius:.0f} km")
    equal = [other for other in tier.edges if fleet.open(other) is fleet.open(at)]
    if len(equal) > 1:
        parts.append(f"chosen by weight among {len(equal)} equal edges")
    return Reason(Step.EDGE, f"edge-{tier.region}", ", ".join(parts))


def _nearest(best: EdgeTier, *, passed_over: bool) -> str:
    if best.region != "nearest":
        why = "those that name the viewer's country or continent were passed over"
        return f"is the nearest edge that is left ({why})"
    left = " that is left" if passed_over else ""
    return f"is the nearest edge{left} (no edge names the viewer's country or continent)"


def _fallback(place: Place, *, passed_over: bool) -> str:
    if place.status != "found":
        return f"the viewer's place is {place.status.replace('_', ' ')}"
    if passed_over:
        return "edges that are better for this place were passed over"
    why = "and none has coordinates" if place.located else "which has no coordinates"
    return f"no edge names this place, {why}"
