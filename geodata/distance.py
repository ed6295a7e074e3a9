"""How far apart are two points on Earth?"""

from math import asin, cos, radians, sin, sqrt

EARTH_RADIUS_KM = 6371.0088  # IUGG mean radius R1


def great_circle_km(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """The great-circle distance in km between two points given in WGS 84 degrees.

    Haversine on a sphere of the mean radius: symmetric, 0 for equal points, at most half the
    circumference (20,015.1 km), and at most 0.6 % off the ellipsoid. Longitudes may lie on
    different sides of the antimeridian.
    """
    phi1, phi2 = radians(lat1), radians(lat2)
    half_latitude = sin((phi2 - phi1) / 2)
    half_longitude = sin(radians(lon2 - lon1) / 2)
    haversine = half_latitude**2 + cos(phi1) * cos(phi2) * half_longitude**2
    # For antipodes, rounding may give a sum slightly above 1, for which asin is not defined.
    return 2 * EARTH_RADIUS_KM * asin(sqrt(min(1.0, haversine)))
