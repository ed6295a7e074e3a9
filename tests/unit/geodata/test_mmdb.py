"""Which files are trusted, and that nothing done to a file afterwards matters."""

import os
import shutil
import subprocess
import sys
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any, BinaryIO

import geoip2.database
import maxminddb_rust
import pytest

from geodata.database import AnonymousIpDatabase, AsnDatabase, GeoDatabase
from geodata.lookup import EMBEDDED
from geodata.mmdb import GeoError, MmdbFile, file_signature, open_reader
from tests.unit.geodata.mmdb_files import GERMANY, MINNEAPOLIS, write_mmdb

SOMEBODY = IPv4Address("81.2.69.142")


def city_file(folder: Path) -> Path:
    """A small City database."""
    return write_mmdb(folder / "city.mmdb", "GeoLite2-City", {"81.2.69.0/24": MINNEAPOLIS})


def missing(folder: Path) -> Path:
    """A path with nothing there."""
    return folder / "missing.mmdb"


def directory(folder: Path) -> Path:
    """A directory."""
    return folder


def pipe(folder: Path) -> Path:
    """A pipe with no writer: opening it would block for ever."""
    os.mkfifo(folder / "pipe.mmdb")
    return folder / "pipe.mmdb"


def below_a_file(folder: Path) -> Path:
    """A path that goes through a file."""
    return city_file(folder) / "city.mmdb"


def unreadable(folder: Path) -> Path:
    """A name that is too long to be opened."""
    return folder / ("x" * 300)


def empty(folder: Path) -> Path:
    """An empty file."""
    path = folder / "empty.mmdb"
    path.touch()
    return path


def text(folder: Path) -> Path:
    """A file of words."""
    path = folder / "text.mmdb"
    path.write_text("not a database\n" * 100)
    return path


def half(folder: Path) -> Path:
    """The first half of a database."""
    path = city_file(folder)
    os.truncate(path, path.stat().st_size // 2)
    return path


def without_its_tree(folder: Path) -> Path:
    """The last half of a database, which still has its metadata."""
    networks = {f"{octet}.0.0.0/24": {"country": {"iso_code": "US"}} for octet in range(1, 200)}
    path = write_mmdb(folder / "city.mmdb", "GeoLite2-City", networks)
    path.write_bytes(path.read_bytes()[-600:])
    return path


def damaged_records(folder: Path) -> Path:
    """A database whose data section is overwritten."""
    path = write_mmdb(folder / "city.mmdb", "GeoLite2-City", {"0.0.0.0/1": MINNEAPOLIS})
    content = path.read_bytes()
    start, end = content.index(b"\0" * 16) + 16, content.rindex(b"\xab\xcd\xefMaxMind.com")
    path.write_bytes(content[:start] + b"\xff" * (end - start) + content[end:])
    return path


def misshapen_records(folder: Path) -> Path:
    """A City database that holds words where records belong."""
    return write_mmdb(folder / "city.mmdb", "GeoLite2-City", {"0.0.0.0/1": "somewhere"})


def isp(folder: Path) -> Path:
    """A database of another type."""
    return write_mmdb(folder / "isp.mmdb", "GeoIP2-ISP", {"81.2.69.0/24": {"isp": "A"}})


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (missing, "does not exist"),
        (directory, "is not a regular file"),
        (pipe, "is not a regular file"),
        (below_a_file, "does not exist"),
        (unreadable, "cannot be read (File name too long)"),
        (empty, "is not a complete MMDB file"),
        (text, "is not a complete MMDB file"),
        (half, "is not a complete MMDB file"),
        (without_its_tree, "is not a complete MMDB file"),
        (damaged_records, "holds 127 damaged records in a sample of 352"),
        (misshapen_records, "holds 127 damaged records in a sample of 352"),
        (isp, "is of type 'GeoIP2-ISP'"),
    ],
)
def test_a_useless_file_is_refused(tmp_path: Path, make: object, reason: str) -> None:
    """The error names the file, the reason, and what is allowed."""
    assert callable(make)
    path = make(tmp_path)
    with pytest.raises(GeoError) as caught:
        GeoDatabase.open(path)
    assert reason == caught.value.reason
    assert path == caught.value.path
    expected = f"{path}: {reason}; allowed is a City or Country database of GeoIP2, GeoLite2 or "
    assert expected + "DB-IP" == str(caught.value)


@pytest.mark.parametrize("kind", [AsnDatabase, AnonymousIpDatabase])
def test_each_database_has_its_own_type(tmp_path: Path, kind: type[MmdbFile[object, Any]]) -> None:
    """A City database is no ASN database and no Anonymous-IP database."""
    with pytest.raises(GeoError, match=f"type 'GeoLite2-City'; allowed is {kind.allowed}"):
        kind.open(city_file(tmp_path))


@pytest.mark.parametrize(
    ("database_type", "kind"),
    [
        ("GeoIP2-City", "City"),
        ("GeoIP2-City-Europe", "City"),
        ("GeoLite2-City", "City"),
        ("DBIP-City-Lite", "City"),
        ("DBIP-Location (compat=City)", "City"),
        ("GeoIP2-Country", "Country"),
        ("GeoLite2-Country", "Country"),
        ("DBIP-Country-Lite", "Country"),
    ],
)
def test_every_publisher_is_read(tmp_path: Path, database_type: str, kind: str) -> None:
    """City and Country databases of each publisher say what they are."""
    path = write_mmdb(tmp_path / "a.mmdb", database_type, {"81.2.69.0/24": GERMANY})
    database = GeoDatabase.open(path)
    assert (kind, 6, path) == (database.kind, database.ip_version, database.path)
    assert database.build_epoch > 1_700_000_000
    assert database.place(SOMEBODY).country == "DE"


@pytest.mark.parametrize("harm", ["truncate", "overwrite", "replace", "remove"])
def test_an_open_database_outlives_its_file(tmp_path: Path, harm: str) -> None:
    """Whatever happens to the file in place, answers stay; a mapped file would end the process."""
    path = city_file(tmp_path)
    database = GeoDatabase.open(path)
    before = database.place(SOMEBODY)
    if harm == "truncate":
        os.truncate(path, 0)
    elif harm == "overwrite":
        path.write_bytes(b"\xff" * path.stat().st_size)
    elif harm == "replace":
        text(tmp_path).replace(path)
    else:
        path.unlink()
    assert before.country == "US"
    assert before == database.place(SOMEBODY)
    assert database.damaged == 0


GROWING = """
import sys, time
with open(sys.argv[1], "ab", buffering=0) as file:
    for count in range(100_000):  # more would hide the metadata at the end of the file
        file.write(b"\\0")
        if count == 0:
            print("growing", flush=True)
        time.sleep(0.00001)
"""


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    """A copy that may be half old and half new is not used."""
    path = Path(shutil.copy(EMBEDDED, tmp_path))
    command = [sys.executable, "-c", GROWING, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        try:
            assert writer.stdout is not None
            assert b"growing\n" == writer.stdout.readline()
            with pytest.raises(GeoError, match="changed while it was read"):
                read_often(path)
        finally:
            writer.kill()


def read_often(path: Path) -> None:
    """Open a file again and again: on a busy machine one read may fall between two writes."""
    for _ in range(100):
        GeoDatabase.open(path)


@pytest.mark.parametrize("memfd", [True, False])
def test_readers_take_a_map_and_bytes(tmp_path: Path, memfd: bool) -> None:
    """Without memory files a reader holds the bytes; both readers say the same of a record."""
    with city_file(tmp_path).open("rb") as file:
        values = open_reader(file, maxminddb_rust.Reader, memfd=memfd)
        file.seek(0)
        models = open_reader(file, geoip2_reader, memfd=memfd)
    path = ("city", "names", "en")
    assert models.city(SOMEBODY).city.name == values.get_path(SOMEBODY, path) == "Minneapolis"


def geoip2_reader(database: str | BinaryIO, mode: int) -> geoip2.database.Reader:
    """The reader of ``geoip2``'s models."""
    return geoip2.database.Reader(database, mode=mode)


def test_damage_that_the_sample_missed_is_counted(tmp_path: Path) -> None:
    """An answer that cannot be read is no answer, and shows in ``damaged``."""
    networks = {"81.2.69.0/24": {"country": "words"}, "81.2.70.0/24": GERMANY}
    database = GeoDatabase.open(write_mmdb(tmp_path / "a.mmdb", "GeoLite2-City", networks))
    assert database.place(SOMEBODY).status == "unknown"
    assert database.place(IPv4Address("81.2.70.1")).country == "DE"
    assert database.damaged == 1


def test_an_ipv4_database_has_no_answer_for_ipv6(tmp_path: Path) -> None:
    """An IPv6 address is unknown to it, and is no damage."""
    path = write_mmdb(tmp_path / "a.mmdb", "GeoLite2-City", {"81.2.69.0/24": GERMANY}, 4)
    database = GeoDatabase.open(path)
    assert database.ip_version == 4
    assert database.place(IPv6Address("2001:db8::1")).status == "unknown"
    assert database.place(SOMEBODY).country == "DE"
    assert database.damaged == 0


def test_the_signature_tells_versions_apart(tmp_path: Path) -> None:
    """Equal for the same file, another one after a replacement, None without a file."""
    path = city_file(tmp_path)
    first = file_signature(path)
    assert first == file_signature(path)
    city_file(tmp_path).touch()
    assert first != file_signature(path)
    path.unlink()
    assert None is file_signature(path)
