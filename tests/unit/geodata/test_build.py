"""The rules by which the table of countries and the embedded database are made."""

import hashlib
import sys
from pathlib import Path
from typing import Any

import geoip2.database
import maxminddb
import pytest

from geodata.build import (
    Span,
    Town,
    centre_and_radius,
    combined,
    fetch,
    spans,
    tabulate,
    write_countries,
    write_database,
)
from geodata.regions import COUNTRIES, COUNTRIES_CSV, read_countries
from tests.unit.geodata.mmdb_files import write_mmdb


@pytest.mark.parametrize(
    ("name", "towns", "expected"),
    [
        ("one town", [Town(10, 20, 5)], (10, 20, 20)),
        ("two equal towns", [Town(0, 10, 5), Town(0, 20, 5)], (0, 15, 556)),
        ("the larger one pulls", [Town(0, 10, 9), Town(0, 20, 1)], (0, 11, 111)),
        ("over the antimeridian", [Town(0, 179, 5), Town(0, -179, 5)], (0, 180, 111)),
        ("nobody counts", [Town(0, 10, 5), Town(60, 90, 0)], (0, 10, 20)),
    ],
)
def test_a_country_is_where_its_people_are(
    name: str, towns: list[Town], expected: tuple[int, int, int]
) -> None:
    """The mean of unit vectors weighted by people, and the circle around nine in ten of them."""
    latitude, longitude, radius_km = centre_and_radius(towns)
    assert expected == (round(latitude), round(abs(longitude)), round(radius_km))


def test_a_country_without_people_has_no_centre() -> None:
    """An empty list of towns is an error, not a point in the Atlantic."""
    with pytest.raises(ValueError, match="have no people"):
        centre_and_radius([])


@pytest.mark.parametrize(
    ("name", "ranges", "routes", "expected"),
    [
        ("nothing", [], [], []),
        ("the first alone", [Span(1, 5, "US")], [], [Span(1, 5, "US")]),
        ("the second alone", [], [Span(1, 5, "US")], [Span(1, 5, "US")]),
        ("the first counts", [Span(1, 5, "US")], [Span(1, 5, "CA")], [Span(1, 5, "US")]),
        (
            "the second fills gaps",
            [Span(3, 4, "US")],
            [Span(1, 6, "CA")],
            [Span(1, 2, "CA"), Span(3, 4, "US"), Span(5, 6, "CA")],
        ),
        (
            "neighbours of one country are joined",
            [Span(1, 2, "US"), Span(3, 4, "US")],
            [Span(5, 6, "US"), Span(8, 9, "US")],
            [Span(1, 6, "US"), Span(8, 9, "US")],
        ),
        (
            "APNIC's office is not in Vietnam",
            [Span(1, 9, "AU")],
            [Span(2, 3, "VN"), Span(4, 5, "NZ")],
            [Span(1, 1, "AU"), Span(2, 3, "VN"), Span(4, 5, "NZ"), Span(6, 9, "AU")],
        ),
        ("but may host America", [Span(1, 9, "AU")], [Span(1, 9, "US")], [Span(1, 9, "AU")]),
        ("AFRINIC's office", [Span(1, 9, "MU")], [Span(1, 9, "ZA")], [Span(1, 9, "ZA")]),
    ],
)
def test_two_sources_make_one(
    name: str, ranges: list[Span], routes: list[Span], expected: list[Span]
) -> None:
    """The first source counts, but for gaps and for the countries of registries' offices."""
    assert expected == list(combined(ranges, routes))


def test_small_networks_share_a_block(tmp_path: Path) -> None:
    """A /24 goes to the country with the most addresses; private and odd codes are left out."""
    networks = {
        "8.8.8.0/26": "CA",
        "8.8.8.64/26": "CA",
        "8.8.8.128/25": "US",
        "8.8.8.64/28": "US",
        "8.8.16.0/23": "US",
        "8.9.0.0/24": "AN",
        "10.0.0.0/24": "US",
        "2001:4860::/47": "US",
    }
    records = {network: {"country_code": code} for network, code in networks.items()}
    with maxminddb.open_database(write_mmdb(tmp_path / "a.mmdb", "country", records)) as reader:
        found = [spans(reader, version, COUNTRIES) for version in (4, 6)]
    ipv4, ipv6 = 8 << 16 | 8 << 8 | 8, 0x20014860 << 16
    assert [
        [Span(ipv4, ipv4, "US"), Span(ipv4 + 8, ipv4 + 9, "US")],
        [Span(ipv6, ipv6 + 1, "US")],
    ] == found


def test_the_database_is_read_by_geoip2(tmp_path: Path) -> None:
    """What is written is a City database of the age of its first source."""
    ranges = write_mmdb(tmp_path / "a.mmdb", "country", {"8.8.8.0/24": {"country_code": "US"}})
    routes = write_mmdb(tmp_path / "b.mmdb", "country", {"8.8.9.0/24": {"country_code": "CA"}})
    path = tmp_path / "city.mmdb"
    write_database(ranges, routes, COUNTRIES, path)
    with geoip2.database.Reader(path) as reader, maxminddb.open_database(ranges) as first:
        assert [reader.city(address).country.iso_code for address in ("8.8.8.8", "8.8.9.9")] == [
            "US",
            "CA",
        ]
        assert first.metadata().build_epoch == reader.metadata().build_epoch


def test_the_table_survives_writing(tmp_path: Path) -> None:
    """Reading what was written gives the same countries."""
    write_countries(COUNTRIES.values(), tmp_path / "countries.csv")
    assert read_countries(tmp_path / "countries.csv") == COUNTRIES
    assert COUNTRIES_CSV.read_text().count("\n") == 251


def test_the_table_is_computed_from_countries_and_their_towns() -> None:
    """Countries that ISO 3166-1 no longer has are left out; those without people have a place."""

    def country(name: str, continent: str) -> dict[str, Any]:
        return {"name": name, "continentcode": continent}

    def town(code: str, latitude: float, longitude: float) -> dict[str, Any]:
        place = {"latitude": latitude, "longitude": longitude, "population": 5}
        return {"countrycode": code, **place}

    countries = {
        "FR": country("France", "EU"),
        "AN": country("Netherlands Antilles", "NA"),
        "AQ": country("Antarctica", "AN"),
    }
    towns = [town("FR", 48.123, 2.345), town("AN", 12.1, -68.9)]
    table = tabulate(countries, towns)
    assert [(place.code, place.name, place.continent) for place in table] == [
        ("AQ", "Antarctica", "AN"),
        ("FR", "France", "EU"),
    ]
    assert (table[1].latitude, table[1].longitude) == (48.12, 2.35)


def test_a_download_is_used_when_its_digest_is_right(tmp_path: Path) -> None:
    """Another file than the pinned one ends the build."""
    command = [sys.executable, "-c", "open('a.whl', 'w').write('towns')"]
    digest = hashlib.sha256(b"towns").hexdigest()
    assert fetch(command, tmp_path, "*.whl", digest) == tmp_path / "a.whl"
    with pytest.raises(SystemExit, match=f"a.whl: sha256 is {digest}, pinned is 00"):
        fetch(command, tmp_path, "*.whl", "00")
