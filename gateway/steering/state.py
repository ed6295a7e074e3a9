"""What does steering remember of a session? The state that travels in the RELOAD-URI.

With it, any worker can answer without asking a store. It is signed (:mod:`gateway.trust.keys`), so
what is read here was written by a gateway with the same keys. It is checked all the same: versions
may differ, and a state may have been issued for another asset, or long ago.

Layout, big-endian: ``0x02``, asset (8 bytes), viewer (8), spread point (1), shape (4), needed and
expected kbit/s (4 each), edge told first (8), time of that (4), time of the first answer (4), time
of issue (4), estimate in kbit/s (4), tag of the base's host (2), a byte with ``unstated`` (bit 0),
``said`` (bits 1 to 6) and ``live`` (bit 7), the lengths of the two that follow (1 each): the base
pathway (n), a clone (2 + 2) for each that the player knows; and a record (8 + 4 + 4) for each
measured pathway.
The state of a playlist whose URLs are signed anew while it plays begins with ``0x03``, and has in
front of the records: the version of the source (4), the number of bytes that follow (1), and a bit
for each variant and then for each I-frame playlist of the source that the player has.
The upper four bits of the second length are the number of pathways that an MPD or a playlist with
copies declares. Times are whole seconds since 1970. Edges are their 64-bit keys, since the id of an
edge may be long; the base is a name because clones refer to it. A ``shape`` of 0 is that of no
edge: the session has no clones.
"""

import re
import struct
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

from gateway.edge.rank import SPREAD_POINTS

MAX_AGE_S: Final = 86_400
"""An older state belongs to a session that has ended."""
CLOCK_SKEW_S: Final = 60
"""How far the clocks of hosts may differ."""
MAX_RECORDS: Final = 4
MAX_CLONES: Final = 8
MAX_KEPT_BYTES: Final = 32
"""The most bytes of these bits: playlists with more entries have no reference."""
MAX_BYTES: Final = 224 + 5 + MAX_KEPT_BYTES
"""The longest stored form."""
MAX_KBPS: Final = 20_000_000

_FORMAT: Final = 2
_FORMAT_WITH_PLAYLIST: Final = 3
_VERSION_BYTES: Final = 4
_HEAD = struct.Struct(">B8sQBIIIQIIIIHBBB")
_CLONE = struct.Struct(">HH")
_RECORD = struct.Struct(">QII")
_DECLARED_SHIFT: Final = 4
_CLONES_MASK: Final = (1 << _DECLARED_SHIFT) - 1
MAX_SAID: Final = 63
_SAID_SHIFT: Final = 1
_LIVE_SHIFT: Final = 7
_BASE = re.compile(rb"[A-Za-z0-9][A-Za-z0-9_.-]{0,68}")  # an edge's id, and maybe its host's hash


class PlaylistReference(NamedTuple):
    """From what the URIs of a session's playlist can be rebuilt: the first bytes of the version of
    its source, and which entries it has, as bits."""

    version: bytes
    kept: bytes


class PathwayRecord(NamedTuple):
    """What a session has seen of an edge: kbit/s, 0 when the player left it by itself; and when, in
    Unix seconds."""

    edge: int
    kbps: int
    at_s: int


class Clone(NamedTuple):
    """A pathway that the player knows besides the base: the ``tag`` of the edge, and the
    ``host_tag`` that it had."""

    edge: int
    host: int


@dataclass(slots=True)  # not frozen, which costs a call for each field: every answer makes two
class SteeringState:
    """The state of one session of one asset.

    ``asset`` is its ``asset_name``. ``viewer`` is the key for rendezvous hashing, 0 before the
    first answer; ``spread_point`` is where the viewer counts as being
    (:func:`gateway.edge.rank.spread_point_of`). ``base`` is the pathway that the playlist declares,
    ``shape`` says which edges can be clones of it (:mod:`gateway.edge.edge_url`). ``need_kbps`` is
    the bit rate of the highest rung, ``expected_kbps`` what the session takes up on its edge.
    ``told`` is the edge that the last answer put first, since ``told_s``, 0 when it has never
    changed. ``began_s`` is the time of the first answer. ``estimate_kbps`` is the best that the
    viewer's network has shown lately, 0 when unknown. ``base_host`` is the ``host_tag`` that the
    base had in the playlist, 0 when unknown. ``clones`` are each a :class:`Clone`. ``declared`` is
    how many pathways an MPD, or a playlist with copies, declares: the base and the first of
    ``clones``; 0 for a playlist that declares the base alone. ``unstated``: the player may say that
    it uses what it was told, whatever it uses. ``said`` is what the last answer said of the
    session, up to ``MAX_SAID``, so that what it says again is no news. ``playlist`` is there when
    URLs of the session are signed anew while it plays; then tags name signatures as well
    (:mod:`gateway.steering.signatures`). ``live``: the MPD is refreshed, and may then
    declare other edges.
    """

    asset: bytes
    viewer: int
    spread_point: int
    base: str
    shape: int
    need_kbps: int
    expected_kbps: int
    told: int
    told_s: int = 0
    issued_s: int = 0
    estimate_kbps: int = 0
    records: tuple[PathwayRecord, ...] = ()
    began_s: int = 0
    base_host: int = 0
    clones: tuple[tuple[int, int], ...] = ()
    declared: int = 0
    unstated: bool = False
    said: int = 0
    playlist: PlaylistReference | None = None
    live: bool = False

    def to_bytes(self) -> bytes:
        """The stored form (see the module), at most ``MAX_BYTES``."""
        base = self.base.encode("ascii")
        reference = self.playlist
        head = _HEAD.pack(
            _FORMAT if reference is None else _FORMAT_WITH_PLAYLIST,
            self.asset,
            self.viewer,
            self.spread_point,
            self.shape,
            self.need_kbps,
            self.expected_kbps,
            self.told,
            self.told_s,
            self.began_s,
            self.issued_s,
            self.estimate_kbps,
            self.base_host,
            self.unstated | self.said << _SAID_SHIFT | self.live << _LIVE_SHIFT,
            len(base),
            len(self.clones) | self.declared << _DECLARED_SHIFT,
        )
        clones = b"".join([_CLONE.pack(*clone) for clone in self.clones])
        records = b"".join([_RECORD.pack(*record) for record in self.records])
        if reference is None:
            return head + base + clones + records
        size = bytes([len(reference.kept)])
        return head + base + clones + reference.version + size + reference.kept + records

    @classmethod
    def from_bytes(cls, data: bytes, asset: bytes, now_s: float) -> Self | None:
        """Read what :meth:`to_bytes` wrote for ``asset``; None for anything else, and for a state
        that is too old, or from the future."""
        if len(data) < _HEAD.size or data[0] not in (_FORMAT, _FORMAT_WITH_PLAYLIST):
            return None
        form, its_asset, *values, base_host, flags, size, counts = _HEAD.unpack_from(data)
        count, declared = counts & _CLONES_MASK, counts >> _DECLARED_SHIFT
        viewer, spread_point, shape, need, expected, told, told_s, began_s, *rest = values
        issued_s, estimate = rest
        end = _HEAD.size + size
        base = data[_HEAD.size : end]
        clones_end = end + count * _CLONE.size
        clones = data[end:clones_end]
        reference = None
        records_at = clones_end
        if form == _FORMAT_WITH_PLAYLIST:
            reference, records_at = _reference(data, clones_end)
        records = _records(data[records_at:], now_s)
        in_time = issued_s == 0 or -CLOCK_SKEW_S <= now_s - issued_s <= MAX_AGE_S
        good = (
            its_asset == asset
            and in_time
            and max(told_s, began_s) <= issued_s
            and spread_point <= SPREAD_POINTS
            and max(need, expected, estimate) <= MAX_KBPS
            and len(base) == size
            and count <= MAX_CLONES
            and declared <= count + 1
            and len(clones) == count * _CLONE.size
            and _BASE.fullmatch(base) is not None
            and (reference is None or _is_whole(reference, data, records_at))
            and records is not None
        )
        if not good or records is None:
            return None
        return cls(
            its_asset,
            viewer,
            spread_point,
            base.decode("ascii"),
            shape,
            need,
            expected,
            told,
            told_s,
            issued_s,
            estimate,
            records,
            began_s,
            base_host,
            tuple(_CLONE.iter_unpack(clones)),
            declared,
            bool(flags & 1),
            flags >> _SAID_SHIFT & MAX_SAID,
            reference,
            bool(flags >> _LIVE_SHIFT),
        )


def _is_whole(reference: PlaylistReference, data: bytes, end: int) -> bool:
    """Whether a reference is not cut off, and not too long."""
    return len(reference.version) == _VERSION_BYTES and (
        end <= len(data) and len(reference.kept) <= MAX_KEPT_BYTES
    )


def _reference(data: bytes, at: int) -> tuple[PlaylistReference | None, int]:
    """The reference at an offset, and where it ends."""
    kept_at = at + _VERSION_BYTES + 1
    end = kept_at + (data[kept_at - 1] if len(data) >= kept_at else 0)
    return PlaylistReference(data[at : kept_at - 1], data[kept_at:end]), end


def _records(data: bytes, now_s: float) -> tuple[PathwayRecord, ...] | None:
    if len(data) % _RECORD.size or len(data) > MAX_RECORDS * _RECORD.size:
        return None
    found = tuple(map(PathwayRecord._make, _RECORD.iter_unpack(data)))
    good = len({record.edge for record in found}) == len(found) and all(
        record.at_s <= now_s + CLOCK_SKEW_S and record.kbps <= MAX_KBPS for record in found
    )
    return found if good else None
