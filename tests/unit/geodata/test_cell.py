"""Cells: the key, the snapped place, and what they leave out."""

import pytest

from geodata.cell import place_cell, snap
from geodata.place import NOT_LOOKED_UP, UNKNOWN, Continent, Place


def at(
    latitude: float,
    longitude: float,
    accuracy_km: float | None = 20,
    country: str | None = "US",
    continent: Continent | None = "NA",
) -> Place:
    """A place that was found."""
    return Place("found", country, continent, latitude, longitude, accuracy_km)


@pytest.mark.parametrize(
    ("name", "place", "expected"),
    [
        ("unknown", UNKNOWN, "-"),
        ("not looked up", NOT_LOOKED_UP, "!"),
        ("unknown, but of a known network", Place("unknown", asn=64500), "-"),
        ("a town", at(44.98, -93.26), "NA-US:44,-94:100"),
        ("a country", at(38.96, -92.66, 2363), "NA-US:38,-93:2500"),
        ("a class's own radius", at(0.5, 0.5, 250), "NA-US:0,0:250"),
        ("just over it", at(0.5, 0.5, 250.1), "NA-US:0,0:500"),
        ("anywhere", at(0.5, 0.5, 99_999), "NA-US:0,0:20016"),
        ("accuracy unknown", at(0.5, 0.5, None), "NA-US:0,0:20016"),
        ("south and west", at(-0.1, -0.1), "NA-US:-1,-1:100"),
        ("north pole", at(90, 0), "NA-US:89,0:100"),
        ("south pole", at(-90, 0), "NA-US:-90,0:100"),
        ("180° E", at(0, 180), "NA-US:0,-180:100"),
        ("180° W", at(0, -180), "NA-US:0,-180:100"),
        ("a point at sea", at(0.5, 0.5, 20, None, None), "-:0,0:100"),
        ("a country without a point", Place("found", "FR", "EU"), "EU-FR"),
        ("a continent", Place("found", None, "EU"), "EU-"),
        ("a continent, and no longitude", Place("found", None, "EU", 1.0), "EU-"),
    ],
)
def test_place_cell(name: str, place: Place, expected: str) -> None:
    """The key is short, stable and tells what decisions may depend on."""
    assert expected == place_cell(place)


@pytest.mark.parametrize(
    ("name", "place", "expected"),
    [
        ("unknown", UNKNOWN, UNKNOWN),
        ("not looked up", NOT_LOOKED_UP, NOT_LOOKED_UP),
        ("no point", Place("found", "FR", "EU"), Place("found", "FR", "EU")),
        ("no longitude", Place("found", "FR", "EU", 1.0), Place("found", "FR", "EU", 1.0)),
        ("a town", at(44.98, -93.26, 20), at(44.5, -93.5, 100.0)),
        ("a country", at(38.96, -92.66, 2363), at(38.5, -92.5, 2500.0)),
        ("180° E", at(0, 180), at(0.5, -179.5, 100.0)),
        ("north pole", at(90, 10), at(89.5, 10.5, 100.0)),
    ],
)
def test_snap(name: str, place: Place, expected: Place) -> None:
    """A place moves to the centre of its cell, and its radius up to the cell's class."""
    assert expected == snap(place)


def test_the_network_stays_outside_the_cell() -> None:
    """``asn`` and ``anonymous`` are in no key, and survive snapping."""
    plain = at(44.98, -93.26)
    tagged = Place("found", "US", "NA", 44.98, -93.26, 20, asn=64500, anonymous=True)
    assert place_cell(plain) == place_cell(tagged)
    assert (snap(tagged).asn, snap(tagged).anonymous) == (64500, True)
