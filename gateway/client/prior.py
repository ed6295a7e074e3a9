"""What do other viewers of this network measure?

A *network* is an autonomous system (without an ASN database, an address prefix), a country, and a
class of devices. Of each network, what its viewers measured in one window of time is kept as a
quantile sketch: a t-digest of ``fastdigest``. When the window has ended and enough viewers were
counted, one low quantile is published as the network's *prior*, with which a player of unknown
speed starts.

No viewer can be found in a prior, and none decides it alone:

- A viewer is a household's address prefix, whatever sessions and devices it has. It counts once in
  a window: it sets one of ``SLOTS`` bits of the sketch, and a viewer whose bit is set already is
  not added. A bit is 8 bits of a hash, which very many prefixes share. So the set bits never exceed
  the number of viewers; they are the population.
- Below ``min_viewers`` there is no prior.
- A prior is made of one window that has ended, and windows share no measurement. So no two priors
  can be subtracted, and nobody learns anything by asking before and after a viewer comes.
- Speeds are rounded before they are added, and a prior is rounded down to one of a few steps.
"""

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import floor, inf, log
from typing import Final, Self
from zlib import crc32

from fastdigest import TDigest

from gateway.client.estimate import MAX_KBPS, MIN_KBPS, plausible
from geodata.place import Place

SLOTS: Final = 256
STEP: Final = 1.25
"""Priors are powers of this factor, in kbit/s."""

_FORMAT: Final = 1
_NAME: Final = re.compile(r"(?:[0-9]{1,10}|x[0-9a-f]{8}) (?:[A-Z]{2}|None) [a-z]{1,10}")
_MAX_CENTROIDS: Final = 32
_BITMAP_BYTES: Final = SLOTS // 8
_HEAD: Final = struct.Struct(f">B{_BITMAP_BYTES}s")
_CENTROID: Final = struct.Struct(">fH")
_PUBLISHED: Final = struct.Struct(">II")
MAX_BYTES: Final = _HEAD.size + 2 * _MAX_CENTROIDS * _CENTROID.size
"""The most bytes of a stored sketch."""


@dataclass(frozen=True, slots=True)
class PriorConfig:
    """The constants of priors, from ``[prior]`` of the configuration."""

    enabled: bool
    quantile: float
    min_viewers: int
    window_s: int
    keep_s: int
    max_networks: int


def network_name(place: Place, prefix: str, device: str) -> str:
    """The name of a network: AS number, country and class of devices, such as ``3215 FR phone``.

    ``prefix`` is a viewer's ``viewer_prefix``. Without an AS number, a hash of its /16 (IPv4) or
    /32 (IPv6) takes that place.
    """
    network = place.asn if place.asn is not None else f"x{crc32(_wider(prefix, 2).encode()):08x}"
    return f"{network} {place.country} {device}"


def wide_network(prefix: str) -> str:
    """The /16 (IPv4) or /32 (IPv6) of a ``viewer_prefix``, as text."""
    return _wider(prefix, 2)


def is_network(name: str) -> bool:
    """Whether ``network_name`` can have made a name, which may have been read from a store."""
    return _NAME.fullmatch(name) is not None


def viewer_slot(prefix: str) -> int:
    """The bit of a viewer, from 0 to ``SLOTS`` - 1.

    A viewer is the /24 (IPv4) or /48 (IPv6) of its ``viewer_prefix``: an IPv6 household may own
    many /56.
    """
    viewer = _wider(prefix, 3) if ":" in prefix else prefix
    return crc32(viewer.encode()) % SLOTS


def _wider(prefix: str, groups: int) -> str:
    """The first groups of a ``viewer_prefix``: 8 bits each for IPv4, 16 for IPv6."""
    if ":" not in prefix:
        return ".".join(prefix.split(".", groups)[:groups])
    given = prefix.removesuffix("::/56").split(":")
    return ":".join([*given, "0", "0"][:groups])  # "::" stands for zeros


def rounded(kbps: float) -> int:
    """A speed to two significant digits, as it is added to a sketch."""
    return max(MIN_KBPS, int(float(f"{kbps:.1e}")))


@dataclass(frozen=True, slots=True)
class PriorSketch:
    """What the viewers of one network measured in one window.

    Bit n of ``viewers`` is set when a viewer of slot n was added. ``centroids`` are those of the
    t-digest, as (mean in kbit/s, viewers), from the lowest.
    """

    viewers: int = 0
    centroids: tuple[tuple[float, int], ...] = ()

    @property
    def population(self) -> int:
        """At least so many different viewers were added."""
        return self.viewers.bit_count()

    def with_viewers(self, speeds: Mapping[int, int]) -> Self:
        """The sketch with more viewers: kbit/s by slot. A slot that is set already adds nothing,
        so that several workers may add the same viewer. The same object when nothing is new."""
        new = {slot: kbps for slot, kbps in speeds.items() if not self.viewers >> slot & 1}
        if not new:
            return self
        digest = self._digest()
        digest.batch_update([float(kbps) for _, kbps in sorted(new.items())])
        centroids = tuple((_single(mean), round(count)) for mean, count in digest.centroids)
        return type(self)(self.viewers | sum(1 << slot for slot in new), centroids)

    def prior_kbps(self, config: PriorConfig) -> int | None:
        """The network's prior in kbit/s; None while too few viewers are counted."""
        if self.population < max(config.min_viewers, 1):
            return None
        kbps = min(MAX_KBPS, max(MIN_KBPS, self._digest().quantile(config.quantile)))
        # The small additions let a power that was computed slightly too low count as that power.
        return max(MIN_KBPS, int(STEP ** floor(log(kbps, STEP) + 1e-9) + 1e-6))

    def _digest(self) -> TDigest:
        if not self.centroids:
            return TDigest(max_centroids=_MAX_CENTROIDS)
        centroids = [{"m": mean, "c": float(count)} for mean, count in self.centroids]
        low, high = self.centroids[0][0], self.centroids[-1][0]
        return TDigest.from_dict(
            {"max_centroids": _MAX_CENTROIDS, "min": low, "max": high, "centroids": centroids}
        )

    def to_bytes(self) -> bytes:
        """The stored form, at most ``MAX_BYTES``: the format (1), 32 bytes of bits, and for each
        centroid its mean (4 bytes, a float) and its viewers (2 bytes), big-endian."""
        bits = self.viewers.to_bytes(_BITMAP_BYTES, "big")
        parts = (_CENTROID.pack(mean, count) for mean, count in self.centroids)
        return _HEAD.pack(_FORMAT, bits) + b"".join(parts)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self | None:
        """Read what ``to_bytes`` wrote; None for anything else, because a store may hold
        garbage."""
        if not _HEAD.size <= len(data) <= MAX_BYTES:
            return None
        version, bits = _HEAD.unpack_from(data)
        body = data[_HEAD.size :]
        if version != _FORMAT or len(body) % _CENTROID.size:
            return None
        centroids = tuple((mean, count) for mean, count in _CENTROID.iter_unpack(body))
        viewers = int.from_bytes(bits, "big")
        lowest = -inf
        for mean, count in centroids:
            if not plausible(mean) or mean < lowest or not count:
                return None
            lowest = mean
        if sum(count for _, count in centroids) != viewers.bit_count():
            return None
        return cls(viewers, centroids)


def published(kbps: int, window_end_s: int) -> bytes:
    """The form in which a prior is shared: kbit/s, and the end of its window in seconds since
    1970."""
    return _PUBLISHED.pack(kbps, window_end_s)


def read_published(data: bytes, now_s: float, config: PriorConfig) -> int | None:
    """The prior in kbit/s; None when it is too old, or garbage."""
    if len(data) != _PUBLISHED.size:
        return None
    kbps, window_end_s = _PUBLISHED.unpack(data)
    fresh = now_s - config.keep_s <= window_end_s <= now_s + config.window_s
    return kbps if fresh and plausible(kbps) else None


def _single(value: float) -> float:
    """The number that is stored for a mean: single precision."""
    return float(struct.unpack(">f", struct.pack(">f", value))[0])
