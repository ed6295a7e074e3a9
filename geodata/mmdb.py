"""How is an MMDB file opened safely, and read fast?

A file is copied before it is read: the C reader maps its file into memory, and truncating a mapped
file kills the process (SIGBUS). A file is refused when it is not a regular file, not a complete
MMDB or of another type than expected, and when a sample of its records is damaged.

Places are read for each request, and a City record names its town, country and continent in up
to ten languages. ``maxminddb_rust`` decodes the values that a place needs and nothing else: 2 µs,
where ``maxminddb`` needs 9 for the whole record and ``geoip2``'s models 23. So it reads City and
Country files; ``geoip2`` reads the small records of the other kinds.

The copy is a memory file (``memfd_create``, Linux), which a reader can map; elsewhere the reader
holds the bytes.
"""

import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import BinaryIO, ClassVar, Final, Generic, Protocol, Self, TypeVar

import geoip2.errors
import maxminddb
import maxminddb_rust

Value = TypeVar("Value")
Signature = tuple[int, int, int, int]

# What readers and models raise for records that do not follow the format.
DAMAGED: Final = (
    maxminddb.InvalidDatabaseError,
    maxminddb_rust.InvalidDatabaseError,
    AttributeError,
    TypeError,
    ValueError,
)

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


class FileMetadata(Protocol):
    """What a file says about itself."""

    @property
    def build_epoch(self) -> int:
        """When the file was built, in Unix seconds."""

    @property
    def database_type(self) -> str:
        """Which records it has, such as ``GeoLite2-City``."""

    @property
    def ip_version(self) -> int:
        """4, or 6 for both address families."""


class Reader(Protocol):
    """An opened file, of ``geoip2`` or of ``maxminddb_rust``."""

    def metadata(self) -> FileMetadata:
        """What the file says about itself."""


OpenedReader = TypeVar("OpenedReader", bound=Reader)


class MmdbFile(ABC, Generic[Value, OpenedReader]):
    """One opened file, with values for some addresses.

    ``kind`` is the member of ``kinds`` that occurs in the file's own type, ``build_epoch`` the Unix
    time of its build, ``ip_version`` 4, or 6 for both address families. ``damaged`` counts records
    that could not be read.
    """

    kinds: ClassVar[tuple[str, ...]]
    allowed: ClassVar[str]

    def __init__(self, path: Path, signature: Signature, reader: OpenedReader, kind: str) -> None:
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
                reader = open_reader(file, cls._opened)
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

    @staticmethod
    @abstractmethod
    def _opened(database: str | BinaryIO, mode: int) -> OpenedReader:
        """A reader of a path or an open file."""

    @abstractmethod
    def _read(self, ip: IPv4Address | IPv6Address) -> Value | None:
        """The value for an address of a family that the file covers; may raise."""

    def _check_sample(self) -> None:
        for ip in _SAMPLE:
            self.find(ip)
        if self.damaged:
            reason = f"holds {self.damaged} damaged records in a sample of {len(_SAMPLE)}"
            raise GeoError(self.path, reason, self.allowed)


def open_reader(
    file: BinaryIO,
    opened: Callable[[str | BinaryIO, int], OpenedReader],
    *,
    memfd: bool = hasattr(os, "memfd_create"),
) -> OpenedReader:
    """A reader of a private copy of an open file, which may then be truncated or overwritten."""
    if not memfd:
        return opened(file, maxminddb.MODE_FD)
    with os.fdopen(os.memfd_create("geodata"), "wb") as copy:
        shutil.copyfileobj(file, copy)
        copy.flush()
        # The map outlives the descriptor.
        return opened(f"/proc/self/fd/{copy.fileno()}", maxminddb.MODE_AUTO)


def file_signature(path: Path) -> Signature | None:
    """A value that differs between versions of a file, or None when there is no file."""
    try:
        return _signature(path.stat())
    except OSError:
        return None


def _signature(stat: os.stat_result) -> Signature:
    # ctime rather than mtime: a copy may keep the mtime of its original.
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_ctime_ns
