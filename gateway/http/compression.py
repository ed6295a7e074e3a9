"""In which content coding does a body leave? (RFC 9110, 12.5.3)"""

import gzip
from collections.abc import Callable
from functools import lru_cache

import brotli
import zstandard

_MAX_HEADER = 256

_CODERS: dict[str, Callable[[bytes], bytes]] = {
    "zstd": lambda body: zstandard.ZstdCompressor(level=9).compress(body),
    "br": lambda body: brotli.compress(body, quality=5),
    "gzip": lambda body: gzip.compress(body, compresslevel=6, mtime=0),
}
"""In the order of preference among codings that the client likes equally."""


def encode(body: bytes, coding: str) -> bytes:
    """``body`` in one of the codings that :func:`negotiate` gives."""
    return body if coding == "identity" else _CODERS[coding](body)


def negotiate(accept_encoding: str) -> str:
    """``zstd``, ``br``, ``gzip`` or ``identity`` for an ``Accept-Encoding`` field value.

    A field that is too long to be honest is answered with ``identity``, which is always right.
    """
    if not accept_encoding or len(accept_encoding) > _MAX_HEADER:
        return "identity"
    return _negotiate(accept_encoding)


@lru_cache(512)
def _negotiate(accept_encoding: str) -> str:
    weights = dict(_weight(part) for part in accept_encoding.split(",") if part.strip())
    any_other = weights.get("*", 0.0)
    best, best_weight = "identity", 0.0
    for coding in _CODERS:
        weight = weights.get(coding, any_other)
        if weight > best_weight:
            best, best_weight = coding, weight
    return best if best_weight >= weights.get("identity", 0.0) else "identity"


def _weight(part: str) -> tuple[str, float]:
    coding, _, parameters = part.partition(";")
    name, _, value = parameters.partition("=")
    weight = 1.0
    if name.strip().lower() == "q":
        try:
            weight = float(value.strip())
        except ValueError:
            weight = 0.0
    return coding.strip().lower(), weight
