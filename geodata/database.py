"""What does one GeoIP file say about an address?"""

from ipaddress import IPv4Address, IPv6Address
from typing import Any, BinaryIO, Final

import geoip2.database
import maxminddb_rust

from geodata.mmdb import MmdbFile, Value
from geodata.place import UNKNOWN, Place
from geodata.regions import Country, as_continent, country

# Radius of a town and its surroundings, for databases that name a town without a radius (DB-IP).
TOWN_RADIUS_KM = 50.0
# The largest radius that MaxMind gives. It means "somewhere in the country".
GREATEST_RADIUS_KM = 1000.0

Point = tuple[float, float, float]

COUNTRY: Final = ("country", "iso_code")
CONTINENT: Final = ("continent", "code")
LOCATION: Final = ("location",)
# A record with one of these is about a town or a region; DB-IP names them and gives no ids.
LOCAL: Final = (("city", "geoname_id"), ("city", "names"), ("subdivisions",))


class GeoDatabase(MmdbFile[Place, maxminddb_rust.Reader]):
    """A City or Country database: GeoIP2, GeoLite2, DB-IP or the embedded one."""

    kinds = ("City", "Country")
    allowed = "a City or Country database of GeoIP2, GeoLite2 or DB-IP"

    def place(self, ip: IPv4Address | IPv6Address) -> Place:
        """Where an address is; ``UNKNOWN`` when the file does not say. Never raises.

        A point has a radius in km. When the file gives only the country, the point is the centre of
        the country's population and the radius covers nine tenths of it, so that the point is not
        mistaken for a street address.
        """
        return self.find(ip) or UNKNOWN

    @staticmethod
    def _opened(database: str | BinaryIO, mode: int) -> maxminddb_rust.Reader:
        return maxminddb_rust.Reader(database, mode)

    def _read(self, ip: IPv4Address | IPv6Address) -> Place | None:
        # The country where the address is used. ``registered_country`` is where its owner is
        # registered, which may be another country, as with satellite operators.
        code = self._reader.get_path(ip, COUNTRY)
        home = country(code) if code else None
        point = self._point(ip, home) if self.kind == "City" else _country_point(home)
        continent = as_continent(self._reader.get_path(ip, CONTINENT) or "")
        if continent is None and home is not None:
            continent = home.continent
        if not (home or continent or point):
            return None
        latitude, longitude, accuracy_km = point or (None, None, None)
        code = home.code if home else None
        return Place("found", code, continent, latitude, longitude, accuracy_km)

    def _point(self, ip: IPv4Address | IPv6Address, home: Country | None) -> Point | None:
        """The record's point in degrees and km, or the country's where the record means all of
        it."""
        location: dict[str, Any] = self._reader.get_path(ip, LOCATION) or {}
        radius_km = _number(location.get("accuracy_radius"), 1.0, 20_016.0) or 0.0
        latitude = _number(location.get("latitude"), -90.0, 90.0)
        longitude = _number(location.get("longitude"), -180.0, 180.0)
        if latitude is None or longitude is None:
            return _country_point(home)
        if any(self._reader.get_path(ip, path) for path in LOCAL):
            return latitude, longitude, radius_km or TOWN_RADIUS_KM
        if home is None:
            return latitude, longitude, radius_km or GREATEST_RADIUS_KM
        if 0 < radius_km < min(home.radius_km, GREATEST_RADIUS_KM):
            return latitude, longitude, radius_km
        return _country_point(home, radius_km)


class ModelDatabase(MmdbFile[Value, geoip2.database.Reader]):
    """A database whose small records are read as ``geoip2``'s models."""

    @staticmethod
    def _opened(database: str | BinaryIO, mode: int) -> geoip2.database.Reader:
        return geoip2.database.Reader(database, mode=mode)


class AsnDatabase(ModelDatabase[int]):
    """A database of autonomous systems."""

    kinds = ("GeoLite2-ASN",)
    allowed = "an ASN database of GeoLite2 or DB-IP"

    def asn(self, ip: IPv4Address | IPv6Address) -> int | None:
        """The number of the autonomous system that announces an address; never raises."""
        return self.find(ip)

    def _read(self, ip: IPv4Address | IPv6Address) -> int | None:
        number = self._reader.asn(ip).autonomous_system_number
        return None if number is None else int(number)


class AnonymousIpDatabase(ModelDatabase[bool]):
    """A database of VPNs, proxies and Tor exits."""

    kinds = ("GeoIP2-Anonymous-IP",)
    allowed = "an Anonymous-IP database of GeoIP2"

    def anonymous(self, ip: IPv4Address | IPv6Address) -> bool:
        """True when the database lists the address as anonymous; never raises."""
        return self.find(ip) or False

    def _read(self, ip: IPv4Address | IPv6Address) -> bool:
        return bool(self._reader.anonymous_ip(ip).is_anonymous)


def _country_point(home: Country | None, radius_km: float = 0.0) -> Point | None:
    if home is None:
        return None
    return home.latitude, home.longitude, max(home.radius_km, radius_km)


def _number(value: float | None, least: float, greatest: float) -> float | None:
    """The value if it is within the range, which NaN is not. Raises ValueError for no number."""
    if value is None:
        return None
    number = float(value)
    return number if least <= number <= greatest else None
