"""What does it take to trust an MMDB file?

A file is copied before it is read: the fast reader maps its file into memory, and a mapped file
that somebody cuts short kills the process (SIGBUS). It is refused when it is not a regular file,
not a complete MMDB, of another type than asked for, or when a sample of its records is damaged.

Cost, measured with a full City record in eight languages: 23 µs for ``geoip2``'s model over the C
reader, 271 µs over the pure Python one. So the copy lives in a memory file (``memfd_create``,
Linux) that the C reader can map; where there is none, the pure Python reader holds the bytes.
The record itself is a third to a half of it (``RecordReader``).
"""

import os
import shutil
from abc import ABC, abstractmethod
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Final, Generic, Self, TypeVar, cast

import geoip2.database
import geoip2.errors
import maxminddb

Answer = TypeVar("Answer")
Signature = tuple[int, int, int, int]
Record = dict[str, Any]
"""What a file holds for an address, of no known shape."""

# What the readers and the models raise for records that are not what the format promises.
DAMAGED: Final = (maxminddb.InvalidDatabaseError, AttributeError, TypeError, ValueError)

# One address in each IPv4 /8, and in each IPv6 /12 to /16 that a registry hands out from.
_SAMPLE: Final[tuple[IPv4Address | IPv6Address, ...]] = (
    *(IPv4Address(f"{octet}.64.0.1") for octet in range(1, 224)),
    *(IPv6Address(f"{block:x}::1") for block in range(0x2400, 0x2C10, 16)),
)


class GeoError(Exception):
    """A database file that cannot be used. ``str()`` names the file, the reason and what may be."""

    def __init__(self, path: Path, reason: str, allowed: str) -> None:
        super().__init__(f"{path}: {reason}; allowed is {allowed}")
        self.path = path
        self.reason = reason


class RecordReader(geoip2.database.Reader):
    """A reader that also gives a record as the file has it.

    ``geoip2`` makes some twenty objects of a City record, with every name in it, where a place
    takes six values. The reader below it is its own, so a new release of it may need a look here.
    """

    def record(self, ip: IPv4Address | IPv6Address) -> Record | None:
        """What the file holds for an address. What is no map is damage when it is read."""
        return cast("Record | None", self._db_reader.get(ip))


class MmdbFile(ABC, Generic[Answer]):
    """One opened file that has an answer for some addresses.

    ``kind`` is the one of ``kinds`` that occurs in the file's own type, ``build_epoch`` the Unix
    time at which it was built, ``ip_version`` 4 or 6 (which holds both families).
    ``damaged`` counts answers that could not be read.
    """

    kinds: ClassVar[tuple[str, ...]]
    allowed: ClassVar[str]

    def __init__(self, path: Path, signature: Signature, reader: RecordReader, kind: str) -> None:
        metadata = reader.metadata()
        self.path = path
        self.signature = signature
        self.kind = kind
        self.build_epoch = metadata.build_epoch
        self.ip_version = metadata.ip_version
        self.damaged = 0
        self._reader = reader

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a file; GeoError says why it cannot be used. Blocks while it copies the file."""
        try:
            if not path.is_file():
                reason = "is not a regular file" if path.exists() else "does not exist"
                raise GeoError(path, reason, cls.allowed)
            with path.open("rb") as file:
                signature = _signature(os.fstat(file.fileno()))
                reader = open_reader(file)
                if signature != _signature(os.fstat(file.fileno())):
                    raise GeoError(path, "changed while it was read", cls.allowed)
            database_type = reader.metadata().database_type
            kind = next((kind for kind in cls.kinds if kind in database_type), None)
            if kind is None:
                raise GeoError(path, f"is of type {database_type!r}", cls.allowed)
            opened = cls(path, signature, reader, kind)
        except OSError as error:
            raise GeoError(path, f"cannot be read ({error.strerror})", cls.allowed) from error
        except DAMAGED as error:
            raise GeoError(path, "is not a complete MMDB file", cls.allowed) from error
        opened._check_sample()
        return opened

    def find(self, ip: IPv4Address | IPv6Address) -> Answer | None:
        """What the file says of an address, or None. Never raises; damage is counted."""
        if ip.version > self.ip_version:
            return None
        try:
            return self._ask(ip)
        except geoip2.errors.AddressNotFoundError:
            return None
        except DAMAGED:
            self.damaged += 1
            return None

    @abstractmethod
    def _ask(self, ip: IPv4Address | IPv6Address) -> Answer | None:
        """The answer for an address of a family that the file holds; may raise."""

    def _check_sample(self) -> None:
        for ip in _SAMPLE:
            self.find(ip)
        if self.damaged:
            reason = f"holds {self.damaged} damaged records in a sample of {len(_SAMPLE)}"
            raise GeoError(self.path, reason, self.allowed)


def open_reader(file: BinaryIO, *, memfd: bool = hasattr(os, "memfd_create")) -> RecordReader:
    """A reader over a private copy of an open file, which may then be cut short or overwritten."""
    if not memfd:
        return RecordReader(file, mode=geoip2.database.MODE_FD)
    with os.fdopen(os.memfd_create("geodata"), "wb") as copy:
        shutil.copyfileobj(file, copy)
        copy.flush()
        # The map outlives the descriptor.
        return RecordReader(f"/proc/self/fd/{copy.fileno()}")


def file_signature(path: Path) -> Signature | None:
    """What tells one version of a file from the next, or None when there is no file to ask."""
    try:
        return _signature(path.stat())
    except OSError:
        return None


def _signature(stat: os.stat_result) -> Signature:
    # The time of change and not of modification: a copy may keep the latter.
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_ctime_ns
