"""How is an MMDB file opened safely, and read fast?

A file is copied before it is read: the C reader maps its file into memory, and truncating a mapped
file kills the process (SIGBUS). A file is refused when it is not a regular file, not a complete
MMDB or of another type than expected, and when a sample of its records is damaged.

The C reader needs 23 µs for a full City record in eight languages with ``geoip2``'s models, the
pure Python reader 271 µs. So the copy is a memory file (``memfd_create``, Linux), which the C
reader can map; elsewhere the pure Python reader holds the bytes. Without ``geoip2``'s models a
record takes a third to a half of that time (``RecordReader``).
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

Value = TypeVar("Value")
Signature = tuple[int, int, int, int]
Record = dict[str, Any]
"""A file's record for an address, not yet checked for its structure."""

# What readers and models raise for records that do not follow the format.
DAMAGED: Final = (maxminddb.InvalidDatabaseError, AttributeError, TypeError, ValueError)

# One address in each IPv4 /8, and in each IPv6 /12 to /16 that a registry assigns from.
_SAMPLE: Final[tuple[IPv4Address | IPv6Address, ...]] = (
    *(IPv4Address(f"{octet}.64.0.1") for octet in range(1, 224)),
    *(IPv6Address(f"{block:x}::1") for block in range(0x2400, 0x2C10, 16)),
)


class GeoError(Exception):
    """A file that cannot be used. ``str()`` names the file, the reason and what is allowed."""

    def __init__(self, path: Path, reason: str, allowed: str) -> None:
        super().__init__(f"{path}: {reason}; allowed is {allowed}")
        self.path = path
        self.reason = reason


class RecordReader(geoip2.database.Reader):
    """A reader that also returns records as they are in the file.

    ``geoip2`` builds some twenty objects from a City record, while a place needs six values. This
    uses a private attribute of ``geoip2``, so check it with each new release.
    """

    def record(self, ip: IPv4Address | IPv6Address) -> Record | None:
        """The record of an address, None without one. Its structure is not checked."""
        return cast("Record | None", self._db_reader.get(ip))


class MmdbFile(ABC, Generic[Value]):
    """One opened file, with values for some addresses.

    ``kind`` is the member of ``kinds`` that occurs in the file's own type, ``build_epoch`` the Unix
    time of its build, ``ip_version`` 4, or 6 for both address families. ``damaged`` counts records
    that could not be read.
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

    def find(self, ip: IPv4Address | IPv6Address) -> Value | None:
        """The value for an address, or None. Never raises; counts damaged records."""
        if ip.version > self.ip_version:
            return None
        try:
            return self._read(ip)
        except geoip2.errors.AddressNotFoundError:
            return None
        except DAMAGED:
            self.damaged += 1
            return None

    @abstractmethod
    def _read(self, ip: IPv4Address | IPv6Address) -> Value | None:
        """The value for an address of a family that the file covers; may raise."""

    def _check_sample(self) -> None:
        for ip in _SAMPLE:
            self.find(ip)
        if self.damaged:
            reason = f"holds {self.damaged} damaged records in a sample of {len(_SAMPLE)}"
            raise GeoError(self.path, reason, self.allowed)


def open_reader(file: BinaryIO, *, memfd: bool = hasattr(os, "memfd_create")) -> RecordReader:
    """A reader of a private copy of an open file, which may then be truncated or overwritten."""
    if not memfd:
        return RecordReader(file, mode=geoip2.database.MODE_FD)
    with os.fdopen(os.memfd_create("geodata"), "wb") as copy:
        shutil.copyfileobj(file, copy)
        copy.flush()
        # The map outlives the descriptor.
        return RecordReader(f"/proc/self/fd/{copy.fileno()}")


def file_signature(path: Path) -> Signature | None:
    """A value that differs between versions of a file, or None when there is no file."""
    try:
        return _signature(path.stat())
    except OSError:
        return None


def _signature(stat: os.stat_result) -> Signature:
    # ctime rather than mtime: a copy may keep the mtime of its original.
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_ctime_ns
