"""Which places are near enough to each other to share one decision?

A cell is a continent, a country, a square of one degree and a class of accuracy. Everyone in a cell
is ranked from its centre, so a cached decision does not depend on who asked first. One degree moves
a point by at most 79 km, which is within the error of a good GeoIP database.

There are at most 64,800 squares and 7 classes of accuracy, and few squares belong to more than one
country. GeoNames lists towns in 10,894 pairs of country and square, so about 76,000 keys can occur,
and at most 250 with a country-only database. The key contains neither the number of a viewer's
network (``asn``) nor ``anonymous``: a policy that reads them must add them to its own key.
"""

from bisect import bisect_left
from math import floor
from typing import Final

from geodata.place import Place

# A cell's corner is at most 78.7 km from its centre, so the smallest class covers every cell. The
# largest is half the Earth's circumference, for a place that may be anywhere.
RADIUS_CLASSES_KM: Final = (100, 250, 500, 1000, 2500, 5000, 20_016)


def place_cell(place: Place) -> str:
    """A short stable key, such as ``NA-US:38,-93:2500``; places with the same key share a decision.

    ``-`` is an unknown place and ``!`` one that was not looked up. The key of a place without a
    point has no square: ``EU-FR``, ``EU-``.
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

    Places in one cell give equal results, except for ``asn`` and ``anonymous``, which stay.
    Idempotent.
    """
    if place.latitude is None or place.longitude is None:
        return place
    row, column = _square(place.latitude, place.longitude)
    return place._replace(
        latitude=row + 0.5,
        longitude=column + 0.5,
        accuracy_km=float(_radius_class(place.accuracy_km)),
    )


def _square(latitude: float, longitude: float) -> tuple[int, int]:
    """The south-west corner of a point's square, in whole degrees. The north pole belongs to the
    northernmost row, and 180° E counts as 180° W."""
    return min(floor(latitude), 89), (floor(longitude) + 180) % 360 - 180


def _radius_class(accuracy_km: float | None) -> int:
    """The smallest class that covers the radius; the largest when the radius is not known."""
    if accuracy_km is None or accuracy_km > RADIUS_CLASSES_KM[-1]:
        return RADIUS_CLASSES_KM[-1]
    return RADIUS_CLASSES_KM[bisect_left(RADIUS_CLASSES_KM, accuracy_km)]
