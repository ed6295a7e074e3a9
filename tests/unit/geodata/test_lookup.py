"""What the gateway holds: several databases, one cache, and files that come and go."""

import os
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from threading import Event

import pytest

from geodata.lookup import EMBEDDED, GeoLookup, carried_ipv4
from geodata.place import NOT_LOOKED_UP, UNKNOWN, Place
from tests.unit.geodata.mmdb_files import GERMANY, MINNEAPOLIS, write_mmdb

SOMEBODY = IPv4Address("81.2.69.142")
NETWORK = "81.2.69.0/24"


def city(path: Path, country: str = "US") -> Path:
    """Write a City database that has one network, in one country, in one step."""
    record = {"country": {"iso_code": country}}
    write_mmdb(path.with_suffix(".new"), "GeoLite2-City", {NETWORK: record}).replace(path)
    return path


@pytest.mark.parametrize(
    ("name", "with_place", "with_asn", "with_anonymous", "expected"),
    [
        ("place", True, False, False, ("found", "DE", None, None)),
        ("place and network", True, True, False, ("found", "DE", 64500, None)),
        ("place and anonymity", True, False, True, ("found", "DE", None, True)),
        ("all", True, True, True, ("found", "DE", 64500, True)),
        ("no place", False, True, True, ("not_looked_up", None, 64500, True)),
    ],
)
def test_databases_are_asked_together(
    tmp_path: Path,
    name: str,
    with_place: bool,
    with_asn: bool,
    with_anonymous: bool,
    expected: tuple[str, str | None, int | None, bool | None],
) -> None:
    """A place holds what each configured database says, and None for those that are not."""
    place = write_mmdb(tmp_path / "country.mmdb", "GeoIP2-Country", {NETWORK: GERMANY})
    asn = {"autonomous_system_number": 64500}
    lookup = GeoLookup(
        place if with_place else tmp_path / "missing.mmdb",
        write_mmdb(tmp_path / "a.mmdb", "GeoLite2-ASN", {NETWORK: asn}) if with_asn else None,
        write_mmdb(tmp_path / "b.mmdb", "GeoIP2-Anonymous-IP", {NETWORK: {"is_anonymous": True}})
        if with_anonymous
        else None,
    )
    found = lookup.place(SOMEBODY)
    assert expected == (found.status, found.country, found.asn, found.anonymous)
    roles = ["place", *["asn"] * with_asn, *["anonymous_ip"] * with_anonymous]
    assert roles == [status.role for status in lookup.status]


def test_unknown_keeps_its_network(tmp_path: Path) -> None:
    """An address that only the ASN database lists is of an unknown place."""
    asn = {"autonomous_system_number": 64500}
    lookup = GeoLookup(
        city(tmp_path / "city.mmdb"),
        write_mmdb(tmp_path / "asn.mmdb", "GeoLite2-ASN", {"81.2.70.0/24": asn}),
    )
    assert Place("unknown", asn=64500) == lookup.place(IPv4Address("81.2.70.1"))


def test_a_missing_file_at_the_start_is_no_failure(tmp_path: Path) -> None:
    """Nothing is looked up, the status tells why, and a reload mends it."""
    path = tmp_path / "city.mmdb"
    lookup = GeoLookup(path)
    assert lookup.place(SOMEBODY) == NOT_LOOKED_UP
    (status,) = lookup.status
    assert (
        status.loaded,
        status.outcome,
        status.loads,
        status.refusals,
    ) == (False, "refused", 0, 1)
    assert status.last_error is not None
    assert status.last_error.startswith(f"{path}: does not exist; allowed is ")
    city(path)
    (status,) = lookup.reload()
    assert (
        status.loaded,
        status.outcome,
        status.last_error,
        status.loads,
        status.refusals,
    ) == (True, "replaced", None, 1, 1)
    assert lookup.place(SOMEBODY).country == "US"


def test_a_new_file_is_taken_into_use(tmp_path: Path) -> None:
    """A reload sees a replaced file, forgets cached answers, and leaves an unchanged one alone."""
    path = city(tmp_path / "city.mmdb")
    lookup = GeoLookup(path)
    assert lookup.place(SOMEBODY).country == "US"
    assert [status.outcome for status in lookup.reload()] == ["unchanged"]
    city(path, "DE")
    assert lookup.place(SOMEBODY).country == "US"
    assert [status.outcome for status in lookup.reload()] == ["replaced"]
    assert lookup.place(SOMEBODY).country == "DE"
    (status,) = lookup.status
    assert (status.loads, status.refusals, status.kind, status.ip_version) == (2, 0, "City", 6)


@pytest.mark.parametrize("harm", ["truncated", "emptied", "removed", "text", "of another type"])
def test_the_last_good_one_stays(tmp_path: Path, harm: str) -> None:
    """A bad new file changes no answer; each attempt is counted, and a good file ends it."""
    path = city(tmp_path / "city.mmdb")
    lookup = GeoLookup(path)
    if harm == "truncated":
        os.truncate(path, path.stat().st_size - 20)
    elif harm == "emptied":
        os.truncate(path, 0)
    elif harm == "removed":
        path.unlink()
    elif harm == "text":
        path.write_text("moved to a better place")
    else:
        write_mmdb(path, "GeoIP2-ISP", {NETWORK: {"isp": "A"}})
    lookup.reload()
    (status,) = lookup.reload()
    assert (
        status.outcome,
        status.loaded,
        status.loads,
        status.refusals,
    ) == ("refused", True, 1, 2)
    assert status.last_error is not None
    assert lookup.place(SOMEBODY).country == "US"
    assert lookup.place(IPv4Address("81.2.70.1")) == UNKNOWN
    city(path, "DE")
    (status,) = lookup.reload()
    assert (status.outcome, status.last_error) == ("replaced", None)
    assert lookup.place(SOMEBODY).country == "DE"


def test_a_restored_file_clears_the_error(tmp_path: Path) -> None:
    """When the file in use comes back untouched, nothing is wrong any more."""
    folder = tmp_path / "mounted"
    folder.mkdir()
    lookup = GeoLookup(city(folder / "city.mmdb"))
    away = folder.rename(tmp_path / "away")
    assert [status.outcome for status in lookup.reload()] == ["refused"]
    away.rename(folder)
    (status,) = lookup.reload()
    assert (status.outcome, status.last_error) == ("unchanged", None)


@pytest.mark.no_cover  # the same few lines very often
def test_lookups_run_beside_reloads(tmp_path: Path) -> None:
    """While files are replaced, cut short in place and reloaded, every lookup has an answer."""
    path = city(tmp_path / "city.mmdb")
    lookup = GeoLookup(path)
    done = Event()

    def read() -> set[str | None]:
        seen = set()
        while not done.is_set():
            seen.add(lookup.place(SOMEBODY).country)
        return seen

    with ThreadPoolExecutor() as pool:
        readers = [pool.submit(read) for _ in range(2)]
        try:
            for turn in range(12):
                city(path, ("DE", "IN", "US")[turn % 3])
                lookup.reload()
                os.truncate(path, 100)
                lookup.reload()
        finally:
            done.set()
        seen = readers[0].result() | readers[1].result()
    assert {"US", "DE", "IN"} == seen
    assert (lookup.status[0].loads, lookup.status[0].refusals) == (13, 12)


def test_damage_shows_in_the_status(tmp_path: Path) -> None:
    """An answer that cannot be read is unknown, and counted."""
    networks = {NETWORK: {"country": "words"}, "81.2.70.0/24": MINNEAPOLIS}
    lookup = GeoLookup(write_mmdb(tmp_path / "city.mmdb", "GeoIP2-City", networks))
    assert lookup.place(SOMEBODY) == UNKNOWN
    assert [status.damaged for status in lookup.status] == [1]


@pytest.mark.parametrize(
    ("name", "address", "expected"),
    [
        ("IPv4", "81.2.69.142", None),
        ("IPv6", "2001:4860:4860::8888", None),
        ("mapped", "::ffff:81.2.69.142", "81.2.69.142"),
        ("6to4", "2002:5102:458e::1", "81.2.69.142"),
        ("Teredo, its client", "2001:0:4136:e378:8000:63bf:aefd:ba71", "81.2.69.142"),
        ("NAT64", "64:ff9b::5102:458e", None),
    ],
)
def test_carried_ipv4(name: str, address: str, expected: str | None) -> None:
    """The client's own IPv4 address is found inside transition addresses (RFC 4291, 3056, 4380)."""
    carried = carried_ipv4(ip_address(address))
    assert expected == (str(carried) if carried else None)


def test_an_ipv4_database_answers_for_carried_addresses(tmp_path: Path) -> None:
    """A mapped address has a place in a database without IPv6."""
    path = write_mmdb(tmp_path / "a.mmdb", "GeoLite2-City", {NETWORK: GERMANY}, 4)
    assert GeoLookup(path).place(ip_address("::ffff:81.2.69.142")).country == "DE"


def test_the_embedded_database_is_the_default() -> None:
    """Without a path there are places all the same."""
    (status,) = GeoLookup().status
    assert (status.path, status.loaded, status.kind) == (EMBEDDED, True, "City")
