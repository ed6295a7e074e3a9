"""From where? Edges in the order in which a viewer should try them.

The order is (region, distance band, rendezvous):

1. *Region*: edges that name the viewer's country, then those that name the continent, then every
   other edge with a point on the map, then fallback edges without one, then the rest.
2. *Distance band*: great-circle distance from the viewer's probable point, in the fixed bands of
   :mod:`gateway.edge.atlas`, so that removing one edge moves nobody else. The edge that serves is
   so at most 10 % farther than the nearest, or within ``NEAR_KM``.
3. *Rendezvous*: edges of one band are equal. Weighted rendezvous hashing over asset and viewer
   (:mod:`gateway.edge.preference`) shares them, so the same viewer and the same title stay on the
   same cache.

Edges that are down are not ranked, unless all are. An edge that takes a share of new viewers only
(it is degraded, draining, full or has just come back: :mod:`gateway.edge.fleet`) is passed over by
the others, who stand before the next edge in line; where nobody takes them, the order stays.

A GeoIP point is only as good as its accuracy radius. A viewer known to be "somewhere in the US" is
not in the middle of Kansas, so each viewer is placed at one of ``SPOTS`` points spread evenly over
a disc around it, always the same for the same viewer. Traffic of a wide place so divides
among its edges as the area does, and that of an exact place goes to the nearest.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from itertools import islice

from gateway.edge.atlas import BANDS_KM, NEAR_KM, NO_BAND
from gateway.edge.edge import Edge, stable_hash, unit_vector
from gateway.edge.fleet import Fleet
from gateway.edge.preference import DIVIDED, SPAN, in_line, mix
from gateway.reason import Reason, Step
from geodata.distance import EARTH_RADIUS_KM
from geodata.place import Place

SPOTS = 32
"""Into how many points the disc of a place is divided; bounds how many rankings a place has."""
CONFIDENCE = 0.67
"""The share of viewers who are within the accuracy radius, as the makers of GeoIP databases state
it; the disc is so much larger that it holds all."""
WANTED = 8
"""A ranking stops after the band with which it holds at least this many edges that take viewers."""
SPARE = 64
"""So many edges of a tier are enough when it is only there in case that better ones fail."""

_GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))


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
    edges, down, closed = fleet.edges, fleet.down, fleet.closed
    point = unit_vector(*_probable_point(place, spot)) if place.located else None
    found: list[Tier] = []
    count = 0
    for region, band, group in fleet.atlas.bands(place, point):
        here = [at for at in group if at not in down] if down else group
        if not here:
            continue
        if found and len(here) > SPARE:
            here = nsmallest(SPARE, here, key=lambda at: mix(edges[at].key + spot))
        count += sum(at not in closed for at in here) if closed else len(here)
        if not found and len(group) > DIVIDED:
            here = group  # it is divided the same whatever fails
        found.append(Tier(tuple(here), region, None if band == NO_BAND else band))
        if count >= WANTED:
            break
    return tuple(found)


def order(fleet: Fleet, ranked: Sequence[Tier], asset: str, viewer: str) -> tuple[int, ...]:
    """The best ``WANTED`` edges of ``ranked``: tiers in order, each by rendezvous hashing
    (:mod:`gateway.edge.preference`) over asset and viewer.

    Edges that do not take this viewer come after all that do.
    """
    key = stable_hash(f"{asset}\0{viewer}")
    ordered: list[int] = []
    passed: list[int] = []
    for tier in ranked:
        line: Iterable[int]
        behind: Iterable[int] = ()
        if len(tier.edges) <= DIVIDED:
            line = in_line(fleet.edges, tier.edges, key)
        else:
            whole = fleet.line(tier.edges)
            line, behind = whole.taking(key), whole.passing(key)
        if fleet.plain:
            ordered += islice(line, WANTED)
            continue
        for at in line:
            (ordered if _admitted(fleet, at, key) else passed).append(at)
            if len(ordered) == WANTED:
                break
        passed += islice(behind, WANTED)
    return tuple((ordered + passed)[:WANTED])


def _admitted(fleet: Fleet, position: int, key: int) -> bool:
    """Whether the edge takes this viewer: the viewer's own hash against the share it admits."""
    condition = fleet.conditions[position]
    if not condition.open:
        return False
    return condition.admits >= 1 or mix(key + fleet.edges[position].key) < condition.admits * SPAN


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
