"""Where is a viewer, and how accurate is that?"""

from typing import Literal, NamedTuple

Continent = Literal["AF", "AN", "AS", "EU", "NA", "OC", "SA"]


class Place(NamedTuple):
    """What a GeoIP database says about an address.

    ``status`` distinguishes *unknown* (the database does not say) from *not looked up* (no
    database, or no usable address). ``country`` is ISO 3166-1 alpha-2, ``latitude`` and
    ``longitude`` are WGS 84 degrees, and ``accuracy_km`` is the radius around that point within
    which the address probably is.
    """

    status: Literal["found", "unknown", "not_looked_up"]
    country: str | None = None
    continent: Continent | None = None
    latitude: float | None = None
    longitude: float | None = None
    accuracy_km: float | None = None
    asn: int | None = None
    anonymous: bool | None = None

    @property
    def located(self) -> bool:
        """True when there is a point to measure distances from."""
        return self.latitude is not None and self.longitude is not None


UNKNOWN = Place(status="unknown")
NOT_LOOKED_UP = Place(status="not_looked_up")
