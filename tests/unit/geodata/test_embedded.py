"""The database in the box: well-known addresses of every continent, both families."""

from collections import Counter
from ipaddress import IPv4Address, ip_address

import geoip2.database
import pytest

from geodata.lookup import EMBEDDED, GeoLookup
from geodata.place import UNKNOWN
from geodata.regions import COUNTRIES, is_country


@pytest.fixture(scope="module")
def lookup() -> GeoLookup:
    """One lookup for all tests of this module."""
    return GeoLookup()


@pytest.mark.parametrize(
    ("address", "country", "continent"),
    [
        ("8.8.8.8", "US", "NA"),
        ("12.0.0.1", "US", "NA"),
        ("24.48.0.1", "CA", "NA"),
        ("187.188.0.1", "MX", "NA"),
        ("193.0.6.139", "NL", "EU"),
        ("80.10.246.2", "FR", "EU"),
        ("85.140.1.1", "RU", "EU"),
        ("196.25.1.1", "ZA", "AF"),
        ("41.160.0.1", "ZA", "AF"),
        ("41.58.0.1", "NG", "AF"),
        ("41.33.0.1", "EG", "AF"),
        ("105.160.0.1", "KE", "AF"),
        ("117.192.0.1", "IN", "AS"),
        ("103.4.145.1", "BD", "AS"),
        ("39.32.0.1", "PK", "AS"),
        ("14.160.0.1", "VN", "AS"),
        ("133.1.1.1", "JP", "AS"),
        ("88.255.0.1", "TR", "AS"),
        ("200.147.3.157", "BR", "SA"),
        ("181.0.0.1", "AR", "SA"),
        ("190.24.0.1", "CO", "SA"),
        ("139.130.4.5", "AU", "OC"),
        ("202.27.184.3", "NZ", "OC"),
        ("202.62.120.1", "FJ", "OC"),
        ("2001:4860:4860::8888", "US", "NA"),
        ("2600:1700::1", "US", "NA"),
        ("2001:569::1", "CA", "NA"),
        ("2003::1", "DE", "EU"),
        ("2a01:e0a::1", "FR", "EU"),
        ("2a02:6b8::1", "RU", "EU"),
        ("2001:4200::1", "ZA", "AF"),
        ("2c0f:fe38::1", "KE", "AF"),
        ("2405:200::1", "IN", "AS"),
        ("2400:c600::1", "BD", "AS"),
        ("2407:d000::1", "PK", "AS"),
        ("2001:ee0:4001::1", "VN", "AS"),
        ("2400:4050::1", "JP", "AS"),
        ("2804:14c::1", "BR", "SA"),
        ("2800:810::1", "AR", "SA"),
        ("2001:8003::1", "AU", "OC"),
        ("2404:4400::1", "NZ", "OC"),
        ("2002:808:808::1", "US", "NA"),
    ],
)
def test_well_known_addresses(
    lookup: GeoLookup, address: str, country: str, continent: str
) -> None:
    """Each is in its country, at that country's point, with that country's spread."""
    place = lookup.place(ip_address(address))
    assert (country, continent) == (place.country, place.continent)
    home = COUNTRIES[country]
    assert (home.latitude, home.longitude, home.radius_km) == (
        place.latitude,
        place.longitude,
        place.accuracy_km,
    )


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.1.1",
        "172.16.0.1",
        "192.168.1.1",
        "192.0.2.1",
        "198.51.100.1",
        "203.0.113.5",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fd00::1",
        "ff02::1",
        "2001:db8::1",
        "64:ff9b::808:808",
        "::ffff:10.1.2.3",
    ],
)
def test_special_addresses_are_unknown(lookup: GeoLookup, address: str) -> None:
    """Private, local, documentation and multicast addresses are nowhere."""
    assert lookup.place(ip_address(address)) == UNKNOWN


def test_geoip2_reads_it() -> None:
    """``Reader.city()`` finds the country's name and point as in any other City database."""
    with geoip2.database.Reader(EMBEDDED) as reader:
        record = reader.city("8.8.8.8")
    assert (
        record.country.name,
        record.country.iso_code,
        record.continent.code,
    ) == ("United States", "US", "NA")
    assert (
        record.location.latitude,
        record.location.longitude,
        record.location.accuracy_radius,
    ) == (38.96, -92.66, 2363)


def test_it_is_small() -> None:
    """At most 10 MB go into a checkout and an image."""
    assert EMBEDDED.stat().st_size <= 10_000_000


def test_every_answer_is_a_country(lookup: GeoLookup) -> None:
    """One address of each IPv4 /14: those that are found lie in known countries all over."""
    places = [lookup.place(IPv4Address(number << 18 | 0x8001)) for number in range(1 << 14)]
    codes = Counter(place.country for place in places)
    unknown = codes.pop(None)
    assert all(is_country(code) for code in codes if code)
    assert len(codes) >= 120
    assert unknown <= 3_000
