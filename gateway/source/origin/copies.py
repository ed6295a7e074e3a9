"""What is stored of an origin's response, in this process and in Redis?

A shared copy is a checksum, a line of JSON, and a zstd frame. Reading one trusts nothing: Redis may
hold anything.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from typing import Any, Protocol

import zstandard

from gateway.clock import Clock
from gateway.source.origin.body import CodingError, decoded
from gateway.source.origin.freshness import Lifetime
from gateway.source.origin.origin_config import FreshnessBounds
from gateway.source.source import SourceManifest

_LAYOUT = 1
_VALIDATOR = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_LONGEST_VALIDATOR = 1024
_MAX_HEADER_BYTES = 8192
_PATH = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%-]+(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)*")
_LIFETIME = ("answered_at", "age_s", "fresh_s", "revalidate_s", "error_s")
_LARGEST_S = 2.0**40
"""More than any time and any lifetime, in seconds."""
MAX_SHARED_BYTES = 300_000
"""More than the store takes (256 KiB)."""
_CLOCKS_DIFFER_S = 60.0
"""How far in the future a copy may be dated: clocks of machines differ a little."""


class SharedCopies(Protocol):
    """Where workers share copies. No method raises: what cannot be read counts as absent."""

    async def get(self, name: str) -> bytes | None:
        """The value stored under ``name``; None when there is none or the store cannot be asked."""
        ...

    def put(self, name: str, value: bytes, ttl_s: float) -> None:
        """Store a value in the background; it may be lost."""
        ...

    async def purges(self) -> Mapping[str, float] | None:
        """Purge patterns and their times (see :class:`Purges`); None when the store cannot be
        asked."""
        ...

    async def note_purge(self, pattern: str, at: float, ttl_s: float) -> None:
        """Record a purge for workers that start later."""
        ...


@dataclass(frozen=True, slots=True)
class StoredCopy:
    """The last good response for one path. ``path`` is the base for relative URIs, below the
    origin's URL; ``packed`` is the body as a zstd frame. ``purged_at`` is the newest purge of it
    that was known when it was requested; None for none. Times are those of this process's
    clock."""

    path: str
    origin: str
    etag: str | None
    last_modified: str | None
    asked_at: float
    lifetime: Lifetime
    digest: str
    packed: bytes
    purged_at: float | None = None

    @property
    def validators(self) -> dict[str, str]:
        """The request headers that make a request conditional on this copy."""
        given = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: text for name, text in given.items() if text is not None}


@dataclass(frozen=True, slots=True)
class CachedManifest:
    """A stored copy with its parsed manifest. ``retry_at`` (loop time) is when a failing origin may
    be asked again, and ``why`` is how it failed."""

    copy: StoredCopy
    manifest: SourceManifest
    size: int
    revalidated: bool = False
    retry_at: float = 0.0
    why: str | None = None

    def after_failure(self, why: str, retry_at: float) -> "CachedManifest":
        """The same manifest, with the origin's failure noted."""
        return replace(self, why=why, retry_at=retry_at)


def validator(text: str | None) -> str | None:
    """An ``ETag`` or ``Last-Modified`` if it is safe to send back unchanged, else None."""
    if text is None or len(text) > _LONGEST_VALIDATOR or not _VALIDATOR.fullmatch(text):
        return None
    return text


def is_clean_path(path: str) -> bool:
    """Whether ``path`` may appear in the URIs of a manifest."""
    return len(path) <= _LONGEST_VALIDATOR and _PATH.fullmatch(path) is not None


def packed(body: bytes) -> bytes:
    """A body as it is stored and shared."""
    return zstandard.compress(body, 3)


def digest_of(body: bytes) -> str:
    """A digest of 16 hexadecimal digits."""
    return blake2b(body, digest_size=8).hexdigest()


def to_bytes(copy: StoredCopy, clock: Clock) -> bytes:
    """Serialise a copy for the store, with Unix times; it has those of ``clock``."""
    table = asdict(copy)
    del table["packed"]
    table["asked_at"] = clock.to_unix(copy.asked_at)
    if copy.purged_at is not None:
        table["purged_at"] = clock.to_unix(copy.purged_at)
    table["lifetime"]["answered_at"] = clock.to_unix(copy.lifetime.answered_at)
    whole = json.dumps({"v": _LAYOUT, **table}).encode() + b"\n" + copy.packed
    return digest_of(whole).encode() + b"\n" + whole


def from_bytes(
    data: bytes, origins: tuple[str, ...], clock: Clock, bounds: FreshnessBounds, max_bytes: int
) -> tuple[StoredCopy, bytes] | None:
    """Parse a shared copy and its body; None unless it is a complete copy from one of ``origins``.
    Its times are those of ``clock``, and its lifetime is cut to ``bounds``."""
    if len(data) > MAX_SHARED_BYTES:
        return None
    checksum, _, whole = data.partition(b"\n")
    header, line, frame = whole.partition(b"\n")
    if checksum != digest_of(whole).encode() or not line or len(header) > _MAX_HEADER_BYTES:
        return None
    try:
        table = json.loads(header)
        copy = _checked(table, frame, origins)
        body = decoded(frame, "zstd", max_bytes)
    except (ValueError, TypeError, KeyError, RecursionError, CodingError):
        return None
    life = copy.lifetime
    latest = clock.unix() + _CLOCKS_DIFFER_S
    if digest_of(body) != copy.digest or not copy.asked_at <= life.answered_at <= latest:
        return None
    bounded = replace(
        life,
        answered_at=clock.from_unix(life.answered_at),
        fresh_s=min(life.fresh_s, bounds.max_fresh_s),
        revalidate_s=min(life.revalidate_s, bounds.max_stale_while_revalidate_s),
        error_s=min(life.error_s, bounds.max_stale_if_error_s),
    )
    purged_at = None if copy.purged_at is None else clock.from_unix(copy.purged_at)
    asked_at = clock.from_unix(copy.asked_at)
    return replace(copy, asked_at=asked_at, lifetime=bounded, purged_at=purged_at), body


def _checked(table: Any, frame: bytes, origins: tuple[str, ...]) -> StoredCopy:  # noqa: ANN401
    """Raises ValueError, TypeError or KeyError for a header that this code did not write."""
    said = table["lifetime"]
    life = [float(_number(said[name])) for name in _LIFETIME]
    purged_at = table.get("purged_at")  # older gateways do not say it
    copy = StoredCopy(
        path=_text(table["path"]),
        origin=_text(table["origin"]),
        etag=validator(table["etag"]),
        last_modified=validator(table["last_modified"]),
        asked_at=float(_number(table["asked_at"])),
        lifetime=Lifetime(life[0], life[1], life[2], life[3], life[4]),
        digest=_text(table["digest"]),
        packed=frame,
        purged_at=None if purged_at is None else float(_number(purged_at)),
    )
    if table["v"] != _LAYOUT or copy.origin not in origins or not is_clean_path(copy.path):
        raise ValueError("not a copy of ours")
    return copy


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a string")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("not a number")
    if not 0 <= value <= _LARGEST_S:  # false for NaN, too
        raise ValueError("not a number of seconds")
    return value
