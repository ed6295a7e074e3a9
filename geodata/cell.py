"""Which places are near enough to each other to share one decision?

A cell is a continent, a country, a square of one degree and a class of accuracy. Everyone in a cell
is ranked from its centre, so a cached decision does not depend on who asked first. One degree moves
a point by at most 79 km, which is no more than a good GeoIP database is off by itself.

There are at most 64,800 squares and 7 classes of accuracy; countries share few squares. GeoNames
counts towns in 10,894 pairs of country and square, so about 76,000 keys can occur at all, and a
country-only database has no more than 250. The number of a viewer's network (``asn``) and
``anonymous`` are in no cell: a policy that reads them has to add them to its own key.
"""

from dataclasses import replace
from math import floor
from typing import Final

from geodata.place import Place

# From a cell's centre to its corner is at most 78.7 km, so the least class covers every cell. The
# greatest is half the circumference: an accuracy of anywhere.
RADIUS_CLASSES_KM: Final = (100, 250, 500, 1000, 2500, 5000, 20_016)


def place_cell(place: Place) -> str:
    """A short stable key, such as ``NA-US:38,-93:2500``, equal for all places that may share a
    decision.

    ``-`` stands for an unknown place and ``!`` for one not looked up. A place without a point has
    no square: ``EU-FR``, ``EU-``.
    """
    if place.status == "not_looked_up":
        return "!"
    if place.status == "unknown":
        return "-"
    region = f"{place.continent or ''}-{place.country or ''}"
    if place.latitude is None or place.longitude is None:
        return region
    row, column = _square(place.latitude, place.longitude)
    return f"{region}:{row},{column}:{_radius_class(place.accuracy_km)}"


def snap(place: Place) -> Place:
    """The place as everyone in its cell is ranked: at the cell's centre, its radius rounded up.

    Equal for equal cells, but for ``asn`` and ``anonymous``, which stay; idempotent.
    """
    if place.latitude is None or place.longitude is None:
        return place
    row, column = _square(place.latitude, place.longitude)
    return replace(
        place,
        latitude=row + 0.5,
        longitude=column + 0.5,
        accuracy_km=float(_radius_class(place.accuracy_km)),
    )


def _square(latitude: float, longitude: float) -> tuple[int, int]:
    """The south-west corner of a point's square, in whole degrees; the north pole is in the last
    row, and 180° E is 180° W."""
    return min(floor(latitude), 89), (floor(longitude) + 180) % 360 - 180


def _radius_class(accuracy_km: float | None) -> int:
    """The least class that is no smaller than the radius; the greatest when it is not known."""
    if accuracy_km is None:
        return RADIUS_CLASSES_KM[-1]
    return next((km for km in RADIUS_CLASSES_KM if accuracy_km <= km), RADIUS_CLASSES_KM[-1])
