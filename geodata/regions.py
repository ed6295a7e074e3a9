"""Which countries are there, on which continents, and where do their people live?

The table is ``countries.csv``, computed by ``geodata/build.py`` from GeoNames (see SOURCES.md): the
249 codes of ISO 3166-1 alpha-2 and ``XK`` (Kosovo), which GeoIP databases use too. Continents
follow GeoNames, as GeoIP databases do: Russia and Cyprus are in EU, Turkey, Georgia and Kazakhstan
in AS, Egypt in AF, and an overseas territory with its own code on its own continent (GF in SA).
"""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final, get_args

from geodata.place import Continent

COUNTRIES_CSV: Final = Path(__file__).with_name("countries.csv")
CONTINENTS: Final[frozenset[Continent]] = frozenset(get_args(Continent))
_CONTINENT: Final[dict[str, Continent]] = {continent: continent for continent in CONTINENTS}


@dataclass(frozen=True, slots=True)
class Country:
    """A country as a point with a radius: where its people live, and how spread out.

    ``latitude`` and ``longitude`` (WGS 84 degrees) are the mean position of its towns weighted by
    their population. Nine tenths of the people counted live within ``radius_km`` of it.
    """

    code: str
    name: str
    continent: Continent
    latitude: float
    longitude: float
    radius_km: float


def read_countries(path: Path) -> dict[str, Country]:
    """The table in ``path``, by country code; KeyError or ValueError when it is malformed."""
    with path.open(encoding="utf-8", newline="") as file:
        return {
            row["code"]: Country(
                code=row["code"],
                name=row["name"],
                continent=_CONTINENT[row["continent"]],
                latitude=float(row["latitude"]),
                longitude=float(row["longitude"]),
                radius_km=float(row["radius_km"]),
            )
            for row in csv.DictReader(file)
        }


COUNTRIES: Final = read_countries(COUNTRIES_CSV)


def is_country(code: str) -> bool:
    """True for an ISO 3166-1 alpha-2 code in upper case, or ``XK``; not for ``EU`` or ``ZZ``."""
    return code in COUNTRIES


def country(code: str) -> Country | None:
    """The country with this code, or None when there is none."""
    return COUNTRIES.get(code)


def continent_of(code: str) -> Continent | None:
    """The continent of a country by the convention of GeoNames, or None for an unknown code."""
    found = COUNTRIES.get(code)
    return found.continent if found else None


def as_continent(code: str) -> Continent | None:
    """``code`` if it is one of the seven continents, else None."""
    return _CONTINENT.get(code)
