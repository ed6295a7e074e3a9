"""Records to places: what each shape of record becomes."""

from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Any

import geoip2.database
import geoip2.errors
import pytest

from geodata.database import AnonymousIpDatabase, AsnDatabase, GeoDatabase
from geodata.lookup import EMBEDDED
from geodata.place import UNKNOWN, Place
from geodata.regions import COUNTRIES
from tests.unit.geodata.mmdb_files import GERMANY, MINNEAPOLIS, write_mmdb

SOMEBODY = IPv4Address("81.2.69.142")
US, DE, SG = COUNTRIES["US"], COUNTRIES["DE"], COUNTRIES["SG"]
KANSAS = {"latitude": 37.751, "longitude": -97.822}
BERLIN = {"latitude": 52.5, "longitude": 13.4}


def in_country(code: str, radius_km: float | None = None) -> Place:
    """A place of which no more than the country is known."""
    home = COUNTRIES[code]
    radius_km = radius_km or home.radius_km
    return Place("found", code, home.continent, home.latitude, home.longitude, radius_km)


def without(record: dict[str, Any], *keys: str) -> dict[str, Any]:
    """The record less some of its members."""
    return {key: value for key, value in record.items() if key not in keys}


@pytest.mark.parametrize(
    ("name", "record", "expected"),
    [
        ("full", MINNEAPOLIS, Place("found", "US", "NA", 44.98, -93.26, 20.0)),
        ("no location", without(MINNEAPOLIS, "location"), in_country("US")),
        (
            "a town without a radius",
            {**GERMANY, "city": {"names": {"en": "Berlin"}}, "location": BERLIN},
            Place("found", "DE", "EU", 52.5, 13.4, 50.0),
        ),
        (
            "a town by its number alone",
            {**GERMANY, "city": {"geoname_id": 2950159}, "location": BERLIN},
            Place("found", "DE", "EU", 52.5, 13.4, 50.0),
        ),
        (
            "a state",
            {
                **GERMANY,
                "subdivisions": [{"iso_code": "BE"}],
                "location": {**BERLIN, "accuracy_radius": 500},
            },
            Place("found", "DE", "EU", 52.5, 13.4, 500.0),
        ),
        (
            "no town, but a small radius",
            {**GERMANY, "location": {**BERLIN, "accuracy_radius": 10}},
            Place("found", "DE", "EU", 52.5, 13.4, 10.0),
        ),
        (
            "the middle of Kansas stands for the whole US",
            {"country": {"iso_code": "US"}, "location": {**KANSAS, "accuracy_radius": 1000}},
            in_country("US"),
        ),
        (
            "a country's centre without a radius",
            {"country": {"iso_code": "US"}, "location": KANSAS},
            in_country("US"),
        ),
        (
            "a radius wider than the country stays",
            {
                "country": {"iso_code": "SG"},
                "location": {"latitude": 1.4, "longitude": 103.8, "accuracy_radius": 50},
            },
            in_country("SG", 50.0),
        ),
        ("a country alone", {"country": {"iso_code": "IN"}}, in_country("IN")),
        (
            "the record's own continent counts",
            {"continent": {"code": "AS"}, "country": {"iso_code": "CY"}},
            Place(
                "found",
                "CY",
                "AS",
                COUNTRIES["CY"].latitude,
                COUNTRIES["CY"].longitude,
                COUNTRIES["CY"].radius_km,
            ),
        ),
        ("a continent alone", {"continent": {"code": "EU"}}, Place("found", None, "EU")),
        ("no known code", {"continent": {"code": "XX"}, "country": {"iso_code": "ZZ"}}, UNKNOWN),
        ("an empty record", {}, UNKNOWN),
        (
            "registered in a country, used anywhere",
            {"registered_country": {"iso_code": "US"}},
            UNKNOWN,
        ),
        (
            "a point at sea",
            {"location": {"latitude": 1.0, "longitude": 2.0}},
            Place("found", None, None, 1.0, 2.0, 1000.0),
        ),
        (
            "a point at sea with a radius",
            {"location": {"latitude": 1.0, "longitude": 2.0, "accuracy_radius": 5}},
            Place("found", None, None, 1.0, 2.0, 5.0),
        ),
        (
            "a latitude off the Earth",
            {**GERMANY, "location": {"latitude": 91.0, "longitude": 2.0, "accuracy_radius": 5}},
            in_country("DE"),
        ),
        (
            "a longitude that is no number",
            {**GERMANY, "location": {"latitude": 9.0, "longitude": float("nan")}},
            in_country("DE"),
        ),
        (
            "a radius without a size",
            {**MINNEAPOLIS, "location": {**KANSAS, "accuracy_radius": 0}},
            Place("found", "US", "NA", 37.751, -97.822, 50.0),
        ),
        ("words for a number", {**GERMANY, "location": {**BERLIN, "latitude": "north"}}, UNKNOWN),
        ("a list for a country", {"country": {"iso_code": ["US"]}}, UNKNOWN),
        ("a record of words", "Berlin", UNKNOWN),
    ],
)
def test_a_city_record_becomes_a_place(
    tmp_path: Path, name: str, record: Any, expected: Place
) -> None:
    """Points are trusted as far as the record goes, and never further than its country."""
    path = write_mmdb(tmp_path / "city.mmdb", "GeoIP2-City", {"81.2.69.0/24": record})
    assert expected == GeoDatabase.open(path).place(SOMEBODY)


@pytest.mark.parametrize(
    ("name", "record", "expected"),
    [
        ("full", GERMANY, in_country("DE")),
        ("a continent alone", {"continent": {"code": "EU"}}, Place("found", None, "EU")),
        ("nothing", {}, UNKNOWN),
    ],
)
def test_a_country_record_becomes_a_place(
    tmp_path: Path, name: str, record: Any, expected: Place
) -> None:
    """The point and the radius come from the table of countries."""
    path = write_mmdb(tmp_path / "country.mmdb", "GeoIP2-Country", {"81.2.69.0/24": record})
    assert expected == GeoDatabase.open(path).place(SOMEBODY)


@pytest.mark.parametrize(
    "damage",
    [
        {"country": "words"},
        {"country": {"iso_code": ["US"]}},
        {"continent": 7},
        {"continent": {"code": ["NA"]}},
        {"city": "words"},
        {"location": "words"},
        {"location": {"latitude": "north", "longitude": 1.0}},
        {"location": {"accuracy_radius": {}}},
    ],
)
def test_a_record_of_another_shape_is_damage(tmp_path: Path, damage: dict[str, Any]) -> None:
    """It is no answer, and is counted; a part of it is not taken for the whole."""
    networks = {"81.2.69.0/24": {**MINNEAPOLIS, **damage}}
    database = GeoDatabase.open(write_mmdb(tmp_path / "city.mmdb", "GeoIP2-City", networks))
    assert (UNKNOWN, 1) == (database.place(SOMEBODY), database.damaged)


def test_geoip2_says_the_same_of_every_record() -> None:
    """Records are read without its models; those are the second opinion."""
    database = GeoDatabase.open(EMBEDDED)
    compared = 0
    with geoip2.database.Reader(EMBEDDED) as reader:
        for number in range(1 << 13):
            ip = IPv4Address(number << 19 | 0x8001)
            place = database.place(ip)
            try:
                record = reader.city(ip)
            except geoip2.errors.AddressNotFoundError:
                assert place == UNKNOWN
                continue
            compared += 1
            assert (record.country.iso_code, record.continent.code) == (
                place.country,
                place.continent,
            )
    assert compared > 4_000


@pytest.mark.parametrize(
    "address",
    ["10.0.0.1", "127.0.0.1", "0.0.0.0", "255.255.255.255", "::", "::1", "fe80::1%eth0", "ff02::1"],
)
def test_an_address_without_an_answer_is_unknown(tmp_path: Path, address: str) -> None:
    """Private, local and unlisted addresses are unknown, not an error."""
    path = write_mmdb(tmp_path / "city.mmdb", "GeoIP2-City", {"81.2.69.0/24": GERMANY})
    assert GeoDatabase.open(path).place(ip_address(address)) == UNKNOWN


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"autonomous_system_number": 64500, "autonomous_system_organization": "A"}, 64500),
        ({"autonomous_system_organization": "A"}, None),
        ({"autonomous_system_number": "many"}, None),
    ],
)
def test_asn(tmp_path: Path, record: Any, expected: int | None) -> None:
    """The number is given where the record has one; DB-IP's files are read too."""
    kind = "DBIP-ASN-Lite (compat=GeoLite2-ASN)"
    database = AsnDatabase.open(write_mmdb(tmp_path / "a.mmdb", kind, {"81.2.69.0/24": record}))
    assert expected == database.asn(SOMEBODY)
    assert None is database.asn(IPv4Address("81.2.70.1"))


def test_anonymous(tmp_path: Path) -> None:
    """An address is anonymous when the database lists it as such."""
    networks = {
        "81.2.69.0/24": {"is_anonymous": True, "is_tor_exit_node": True},
        "81.2.70.0/24": {"is_hosting_provider": True},
    }
    path = write_mmdb(tmp_path / "a.mmdb", "GeoIP2-Anonymous-IP", networks)
    database = AnonymousIpDatabase.open(path)
    assert [
        database.anonymous(IPv4Address(address))
        for address in ("81.2.69.1", "81.2.70.1", "81.2.71.1")
    ] == [True, False, False]
