"""From where? Edges in the order in which a viewer should try them.

The order is (region, distance band, rendezvous):

1. *Region*: edges that name the viewer's country, then those that name the continent, then every
   other edge with a point on the map, then fallback edges without one, then the rest.
2. *Distance band*: great-circle distance from the viewer's probable point. Bands are fixed
   (``NEAR_KM``, then ``BAND_RATIO`` wider each): which band an edge is in never depends on another
   edge, so that removing one edge moves nobody else. The edge that serves is so at most 10 %
   farther than the nearest, or within ``NEAR_KM``.
3. *Rendezvous*: edges of one band are equal. Weighted rendezvous hashing over asset and viewer
   shares them, so the same viewer and the same title stay on the same cache.

Edges that are down are not ranked, unless all are. An edge that takes a share of new viewers only
(it is degraded, draining, full or has just come back: :mod:`gateway.edge.fleet`) is passed over by
the others, who stand before the next edge in line; where nobody takes them, the order stays.

A GeoIP point is only as good as its accuracy radius. A viewer known to be "somewhere in the US" is
not in the middle of Kansas, so each viewer is placed at one of ``SPOTS`` points spread evenly over
a disc around it, always the same for the same viewer. Traffic of a wide place so divides
among its edges as the area does, and that of an exact place goes to the nearest.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import nsmallest

from gateway.edge.edge import Edge, Vector, stable_hash, unit_vector
from gateway.edge.fleet import Fleet
from gateway.reason import Reason, Step
from geodata.distance import EARTH_RADIUS_KM
from geodata.place import Place

NEAR_KM = 100.0
"""Edges within this distance of a viewer are equally near (about 1 ms of light in fibre)."""
BAND_RATIO = 1.1
BANDS_KM = tuple(NEAR_KM * BAND_RATIO**band for band in range(57))
"""The upper bounds of the bands; the last one is beyond half the circumference."""
SPOTS = 32
"""Into how many points the disc of a place is divided; bounds how many rankings a place has."""
CONFIDENCE = 0.67
"""The share of viewers who are within the accuracy radius, as the makers of GeoIP databases state
it; the disc is so much larger that it holds all."""
WANTED = 8
"""A ranking stops after the band with which it holds at least this many edges that take viewers."""
SPARE = 64
"""So many edges of a tier are enough when it is only there in case that better ones fail."""

# The bounds again, as what a scalar product of unit vectors is compared to.
_BAND_LIMITS = [-math.cos(min(km / EARTH_RADIUS_KM, math.pi)) for km in BANDS_KM[:-1]]
_GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))
_SPAN = 2.0**64
_UINT64 = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Tier:
    """Edges that are equal for one place: positions in the fleet, best tier first."""

    edges: tuple[int, ...]
    region: str
    band: int | None

    @property
    def nearer_than_km(self) -> float | None:
        """The upper bound of the tier's distance band in km; None when distance was not used."""
        return None if self.band is None else BANDS_KM[self.band]


def spot_of(place: Place, viewer: str) -> int:
    """Which of the place's points stands for ``viewer``: 1 to ``SPOTS``, or 0, the place's own
    point, when that is exact enough."""
    if not place.located or (place.accuracy_km or 0.0) < NEAR_KM:
        return 0
    return 1 + stable_hash(f"spot\0{viewer}") % SPOTS


def _probable_point(place: Place, spot: int) -> tuple[float, float]:
    """The point for ``spot``: on a sunflower spiral, which covers the disc evenly."""
    latitude, longitude = place.latitude or 0.0, place.longitude or 0.0
    if spot == 0:
        return latitude, longitude
    disc_km = (place.accuracy_km or 0.0) / math.sqrt(CONFIDENCE)
    away = min(disc_km * math.sqrt((spot - 0.5) / SPOTS) / EARTH_RADIUS_KM, math.pi)
    bearing = spot * _GOLDEN_ANGLE
    north, east = math.radians(latitude), math.radians(longitude)
    sine = math.sin(north) * math.cos(away) + math.cos(north) * math.sin(away) * math.cos(bearing)
    new_north = math.asin(max(-1.0, min(1.0, sine)))
    new_east = east + math.atan2(
        math.sin(bearing) * math.sin(away) * math.cos(north),
        math.cos(away) - math.sin(north) * math.sin(new_north),
    )
    return math.degrees(new_north), (math.degrees(new_east) + 540) % 360 - 180


def tiers(fleet: Fleet, place: Place, spot: int) -> tuple[Tier, ...]:
    """The best tiers of the fleet for a place, with at least ``WANTED`` edges that take new
    viewers if there are.

    An unknown place gets the fallback edges, and after them the others; where no edge is marked
    as a fallback, all are equal.
    """
    edges = fleet.edges
    point = unit_vector(*_probable_point(place, spot)) if place.located else None
    grouped: dict[tuple[int, int], list[int]] = {}
    for position in fleet.serving:
        grouped.setdefault(_rank_key(edges[position], place, point), []).append(position)
    found: list[Tier] = []
    count = 0
    for (region, band), equal in sorted(grouped.items()):
        here = equal
        if found and len(equal) > SPARE:
            here = nsmallest(SPARE, equal, key=lambda at: _mix(edges[at].key + spot))
        found.append(Tier(tuple(here), REGIONS[region], None if band == _NO_BAND else band))
        count += len(here) if fleet.plain else sum(map(fleet.open, here))
        if count >= WANTED:
            break
    return tuple(found)


REGIONS = ("country", "continent", "nearest", "fallback", "any")
_COUNTRY, _CONTINENT, _NEAREST, _FALLBACK, _ANY = range(5)
_NO_BAND = len(BANDS_KM)


def _rank_key(edge: Edge, place: Place, here: Vector | None) -> tuple[int, int]:
    there, band = edge.direction, _NO_BAND
    if here is not None and there is not None:
        cosine = here[0] * there[0] + here[1] * there[1] + here[2] * there[2]
        band = bisect_right(_BAND_LIMITS, -cosine)
    if place.country in edge.countries:
        return _COUNTRY, band
    if place.continent in edge.continents:
        return _CONTINENT, band
    if band != _NO_BAND:
        return _NEAREST, band
    return (_FALLBACK if edge.fallback else _ANY), _NO_BAND


def order(fleet: Fleet, ranked: Sequence[Tier], asset: str, viewer: str) -> tuple[int, ...]:
    """The best ``WANTED`` edges of ``ranked``: tiers in order, each by weighted rendezvous hashing.

    The score of an edge is ``-weight / ln(h)`` with ``h`` in (0, 1) hashed from asset, viewer and
    the edge's id (Schindelhauer and Schomaker 2005): an edge wins with a probability in proportion
    to its weight, and taking one away moves its own share only. Edges that do not take this viewer
    come after all that do.
    """
    key = stable_hash(f"{asset}\0{viewer}")
    ordered: list[int] = []
    passed: list[int] = []
    for tier in ranked:
        taking: Sequence[int] = tier.edges
        if not fleet.plain:
            admitted = {at: _admitted(fleet, at, key) for at in tier.edges}
            taking = [at for at in tier.edges if admitted[at]]
            passed += _best(fleet, [at for at in tier.edges if not admitted[at]], key)
        ordered += _best(fleet, taking, key)
    return tuple((ordered + passed)[:WANTED])


def _best(fleet: Fleet, equal: Sequence[int], key: int) -> Iterable[int]:
    if len(equal) <= 1:
        return equal
    scores = [(_score(fleet.edges[position], key), position) for position in equal]
    return [position for _, position in nsmallest(WANTED, scores)]


def _admitted(fleet: Fleet, position: int, key: int) -> bool:
    """Whether the edge takes this viewer: the viewer's own hash against the share it admits."""
    condition = fleet.conditions[position]
    if not condition.open:
        return False
    return condition.admits >= 1 or _mix(key + fleet.edges[position].key) < condition.admits * _SPAN


def _score(edge: Edge, key: int) -> float:
    """Ascending: the least is the winner (``ln(h) / -weight`` is the reciprocal's order)."""
    return -math.log((_mix(key ^ edge.key) + 0.5) / _SPAN) / edge.weight


def _mix(value: int) -> int:
    """The finaliser of SplitMix64: every bit of ``value`` sways every bit of the result."""
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & _UINT64
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB & _UINT64
    return value ^ (value >> 31)


def explain(edge: Edge, tier: Tier, place: Place) -> Reason:
    """Why ``edge`` of ``tier`` was chosen, in a sentence."""
    match tier.region:
        case "country":
            why = f"serves the country {place.country}"
        case "continent":
            why = f"serves the continent {place.continent}"
        case "nearest":
            why = "is the nearest, since no edge names this place"
        case "fallback" if place.status == "found":
            why = "is a fallback, since no edge names this place and none has coordinates"
        case "fallback":
            why = f"is a fallback, since the place is {place.status.replace('_', ' ')}"
        case _:
            why = "is any edge, since no fallback edge is configured"
    parts = [f"{edge.id} {why}"]
    if tier.nearer_than_km is not None:
        parts.append(f"within {tier.nearer_than_km:.0f} km of the viewer's probable point")
        radius = place.accuracy_km or 0.0
        if radius >= NEAR_KM:
            parts.append(f"which is one of {SPOTS} spread over a radius of {radius:.0f} km")
    if len(tier.edges) > 1:
        parts.append(f"shared by weight among {len(tier.edges)} equal edges")
    return Reason(Step.EDGE, f"edge-{tier.region}", ", ".join(parts))
