"""In which content coding is a body sent? (RFC 9110, 12.5.3)"""

import zlib
from collections.abc import Callable

import brotli
import zstandard

from gateway.offload import INLINE_BYTES

_MAX_HEADER = 256
_GZIP = 16
"""zlib writes gzip's header and trailer when this is added to the window size (zlib.h)."""

_ZSTD_LEVEL = 3
"""On playlists, level 9 saves 1.5 % more and takes eight times as long."""

_zstd = zstandard.ZstdCompressor(level=_ZSTD_LEVEL)
"""Shared: creating a compressor takes as long as compressing a playlist. Only for bodies that are
compressed on the event loop, since two threads must not use one compressor."""


def _zstandard(body: bytes) -> bytes:
    if len(body) <= INLINE_BYTES:
        return _zstd.compress(body)
    return zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(body)


def _brotli(body: bytes) -> bytes:
    """On short playlists, quality 5 saves 20 to 30 bytes more and takes three times as long."""
    coded: bytes = brotli.compress(body, quality=2 if len(body) <= INLINE_BYTES else 5)
    return coded


def _gzip(body: bytes) -> bytes:
    """Compress with a window no larger than the body. Allocating the usual 256 KiB takes longer
    than compressing a playlist, and the result is no smaller."""
    window = min(max((len(body) - 1).bit_length(), 9), 15)
    coder = zlib.compressobj(6, zlib.DEFLATED, _GZIP + window, min(window - 6, 8))
    return coder.compress(body) + coder.flush()


_CODERS: dict[str, Callable[[bytes], bytes]] = {
    "zstd": _zstandard,
    "br": _brotli,
    "gzip": _gzip,
}
"""In order of preference, for codings with equal weights in Accept-Encoding."""


def compress(body: bytes, coding: str) -> bytes:
    """``body`` in one of the codings that :func:`negotiate` gives. A body of more than
    ``INLINE_BYTES`` takes too long for the event loop."""
    return body if coding == "identity" else _CODERS[coding](body)


def negotiate(accept_encoding: str) -> str:
    """``zstd``, ``br``, ``gzip`` or ``identity`` for an ``Accept-Encoding`` field value.

    A field that is longer than any real client sends gets ``identity``, which is always allowed.
    ``x-gzip`` is ``gzip`` (8.4.1.3).
    """
    if not accept_encoding or len(accept_encoding) > _MAX_HEADER:
        return "identity"
    weights = _weights(accept_encoding)
    any_other = weights.get("*", 0.0)
    best, best_weight = "identity", 0.0
    for coding in _CODERS:
        weight = weights.get(coding, any_other)
        if weight > best_weight:
            best, best_weight = coding, weight
    return best if best_weight >= weights.get("identity", 0.0) else "identity"


def accepts_identity(accept_encoding: str) -> bool:
    """Whether a client takes a body without a coding. ``identity;q=0`` refuses it, and so does
    ``*;q=0`` without ``identity``."""
    weights = _weights(accept_encoding)
    return weights.get("identity", weights.get("*", 1.0)) > 0


def _weights(accept_encoding: str) -> dict[str, float]:
    return dict(_weight(part) for part in accept_encoding.split(",") if part.strip())


def _weight(part: str) -> tuple[str, float]:
    coding, _, parameters = part.partition(";")
    name, _, value = parameters.partition("=")
    weight = 1.0
    if name.strip().lower() == "q":
        try:
            weight = float(value.strip())
        except ValueError:
            weight = 0.0
    return coding.strip().lower().removeprefix("x-"), weight
