"""The table of countries: complete, and by the conventions of GeoIP databases."""

from pathlib import Path

import pytest

from geodata.distance import great_circle_km
from geodata.regions import (
    CONTINENTS,
    COUNTRIES,
    as_continent,
    continent_of,
    country,
    is_country,
    read_countries,
)


def test_every_country_is_there() -> None:
    """The 249 codes of ISO 3166-1 and Kosovo, each on one of seven continents."""
    assert len(COUNTRIES) == 250
    assert {country.continent for country in COUNTRIES.values()} == CONTINENTS
    assert all(code == country.code for code, country in COUNTRIES.items())


@pytest.mark.parametrize(
    ("code", "continent"),
    [
        ("US", "NA"),
        ("GL", "NA"),
        ("GT", "NA"),
        ("BR", "SA"),
        ("GF", "SA"),
        ("GB", "EU"),
        ("RU", "EU"),
        ("CY", "EU"),
        ("XK", "EU"),
        ("TR", "AS"),
        ("GE", "AS"),
        ("KZ", "AS"),
        ("IN", "AS"),
        ("BD", "AS"),
        ("PK", "AS"),
        ("EG", "AF"),
        ("NA", "AF"),
        ("AU", "OC"),
        ("UM", "OC"),
        ("AQ", "AN"),
        ("ZZ", None),
        ("EU", None),
        ("us", None),
        ("", None),
    ],
)
def test_continent_of(code: str, continent: str | None) -> None:
    """Continents follow GeoNames; what is no country has none."""
    assert continent == continent_of(code)
    assert (continent is not None) == is_country(code)
    assert (continent is not None) == (country(code) is not None)


@pytest.mark.parametrize(
    ("code", "continent"), [("NA", "NA"), ("AN", "AN"), ("na", None), ("XX", None), ("", None)]
)
def test_as_continent(code: str, continent: str | None) -> None:
    """Only the seven codes are continents."""
    assert continent == as_continent(code)


@pytest.mark.parametrize(
    ("code", "latitude", "longitude", "within_km", "least_radius_km", "greatest_radius_km"),
    [
        ("US", 38.9, -92.7, 200, 1500, 2800),
        ("RU", 56.8, 51.6, 200, 1500, 3000),
        ("CA", 48.7, -88.5, 300, 1500, 3000),
        ("IN", 21.0, 78.4, 100, 900, 1500),
        ("BD", 23.7, 90.4, 60, 150, 300),
        ("PK", 30.4, 71.4, 100, 500, 900),
        ("DE", 51.1, 9.8, 100, 250, 450),
        ("SG", 1.35, 103.82, 20, 20, 40),
        ("FJ", -17.8, 178.0, 60, 50, 250),
        ("KI", 1.3, 173.5, 300, 20, 600),
        ("VA", 41.9, 12.45, 5, 20, 20),
    ],
)
def test_a_country_is_a_point_with_an_error(
    code: str,
    latitude: float,
    longitude: float,
    within_km: float,
    least_radius_km: float,
    greatest_radius_km: float,
) -> None:
    """The point is where people live, also across the antimeridian; the radius is their spread."""
    found = COUNTRIES[code]
    assert great_circle_km(found.latitude, found.longitude, latitude, longitude) <= within_km
    assert least_radius_km <= found.radius_km <= greatest_radius_km


def test_every_point_is_on_earth() -> None:
    """Each country has coordinates in range and a radius of 20 to 5,000 km."""
    for found in COUNTRIES.values():
        assert -90 <= found.latitude <= 90, found
        assert -180 <= found.longitude <= 180, found
        assert 20 <= found.radius_km <= 5000, found


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("XX,Nowhere,ZZ,0,0,20", KeyError),
        ("XX,Nowhere,EU,north,0,20", ValueError),
    ],
)
def test_a_malformed_table_is_refused(tmp_path: Path, line: str, error: type[Exception]) -> None:
    """A table with an unknown continent or a word for a number is not read."""
    table = tmp_path / "countries.csv"
    table.write_text(f"code,name,continent,latitude,longitude,radius_km\n{line}\n")
    with pytest.raises(error):
        read_countries(table)
