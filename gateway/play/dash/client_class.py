"""To which class does a viewer belong? Everything that a class manifest follows from, but its
source and the fleet (docs/dash.md, "Live at scale").

A class is made from what its first decision *kept*, not from who asked: all viewers who get the
same Representations from the same edge have one class, whatever their devices, networks and
profiles are. Its key is in the URL of the MPD, signed (:mod:`gateway.trust.keys`), and does not
expire: dash.js never asks again after a refresh that failed.

Layout, big-endian: ``0x01``, asset (8 bytes), key of the edge (8), of the next one (8), flags (2),
order of the others (1), codec families that were asked for, allowed and decodable (1 each, as
bits), video ranges that are allowed and shown (1 each), bit rate (4, in bit/s), height (2), least
height (2), frame rate (4, in frames per 1000 s), start bit rate (4), least number of rungs (1).
With the mac these are 66 bytes, so base64 leaves no unused bit: a class has one text.
"""

import struct
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from math import ceil
from typing import Any, Final, TypeVar

from gateway.edge.edge import Edge
from gateway.edge.fleet import Fleet
from gateway.edge.rank import EdgeTier, ordered_by_key, viewer_key
from gateway.ladder.fit import NothingToPlayError
from gateway.ladder.periods import fit_all
from gateway.ladder.rung import Constraints, Rung
from gateway.play.dash.bits import bits_of, members_of
from gateway.play.dash.edit import gone_of
from gateway.play.dash.ladder import shorter_side
from gateway.play.dash.manifest import DashManifest
from gateway.trust.keys import KeyRing, Purpose
from geodata.place import NOT_LOOKED_UP, Place
from manifests.codecs import CodecFamily, VideoRange
from manifests.dash.model import Representation

ORDERS: Final = 4
"""The most orders in which the other edges may follow."""
SPARE: Final = 4
"""How many edges that are not up may be skipped."""
MOST_REPRESENTATIONS: Final = 500
"""With more, the limits of a class are not simplified, since that takes several fits."""

_FORMAT: Final = 1
_LAYOUT: Final = struct.Struct(">B8sQQHBBBBBBIHHIIB")
_BANDWIDTH, _HEIGHT, _LEAST, _RATE, _WANTED, _ALLOWED, _DECODED, _LISTED, _SHOWN = (
    1 << bit for bit in range(9)
)
_IMMERSIVE, _SCREEN, _AUDIO_ONLY, _UNTOUCHED, _SINGLE, _START = (1 << bit for bit in range(9, 15))
_KNOWN: Final = (1 << 15) - 1
_MOST_BPS: Final = 0xFFFF_FFFF
_MOST_PIXELS: Final = 0xFFFF
_MOST_RUNGS: Final = 0xFF
_PER_1000_S: Final = 1000

_NO_LIMIT: Final[dict[str, Any]] = {
    "min_rungs": 1,
    "min_height": None,
    "audio_only": True,
    "immersive": True,
    "screen": True,
    "max_frame_rate": None,
    "allowed_ranges": None,
    "device_ranges": None,
    "wanted_codecs": None,
    "allowed_codecs": None,
    "device_codecs": None,
    "max_height": None,
    "max_bandwidth": None,
    "untouched": False,
}
"""The values that mean no limit, in the order in which limits without effect are dropped."""

EVERYTHING: Final = Constraints(untouched=True)
"""The limits of a class that gets all that there is."""

TiersAt = Callable[[Place], Sequence[EdgeTier]]
"""The edges for a place, best tier first."""


@dataclass(frozen=True, slots=True)
class ClientClass:
    """A class of viewers of one asset.

    ``limits`` are those of its ladder. ``edge`` is the ``Edge.key`` of the edge that it loads from
    first, ``substitute`` of the next one, near which others are found when the first was removed.
    ``order`` is one of the ``ORDERS`` in which equal edges follow. ``single``: its MPD names one
    edge, as its player would mix several. ``start`` is the bit rate to start on, in bit/s, where
    the MPD says so.
    """

    limits: Constraints
    edge: int
    substitute: int
    order: int = 0
    single: bool = False
    start: int | None = None

    def to_bytes(self, asset: str) -> bytes:
        """The payload of its key (see the module)."""
        limits = self.limits
        flags = 0
        for flag, given in (
            (_BANDWIDTH, limits.max_bandwidth is not None),
            (_HEIGHT, limits.max_height is not None),
            (_LEAST, limits.min_height is not None),
            (_RATE, limits.max_frame_rate is not None),
            (_WANTED, limits.wanted_codecs is not None),
            (_ALLOWED, limits.allowed_codecs is not None),
            (_DECODED, limits.device_codecs is not None),
            (_LISTED, limits.allowed_ranges is not None),
            (_SHOWN, limits.device_ranges is not None),
            (_IMMERSIVE, limits.immersive),
            (_SCREEN, limits.screen),
            (_AUDIO_ONLY, limits.audio_only),
            (_UNTOUCHED, limits.untouched),
            (_SINGLE, self.single),
            (_START, self.start is not None),
        ):
            flags |= flag if given else 0
        return _LAYOUT.pack(
            _FORMAT,
            _name(asset),
            self.edge,
            self.substitute,
            flags,
            self.order,
            bits_of(CodecFamily, limits.wanted_codecs),
            bits_of(CodecFamily, limits.allowed_codecs),
            bits_of(CodecFamily, limits.device_codecs),
            bits_of(VideoRange, limits.allowed_ranges),
            bits_of(VideoRange, limits.device_ranges),
            min(limits.max_bandwidth or 0, _MOST_BPS),
            min(limits.max_height or 0, _MOST_PIXELS),
            min(limits.min_height or 0, _MOST_PIXELS),
            min(ceil((limits.max_frame_rate or 0) * _PER_1000_S), _MOST_BPS),
            min(self.start or 0, _MOST_BPS),
            min(limits.min_rungs, _MOST_RUNGS),
        )


def sign_class(keys: KeyRing, client: ClientClass, asset: str) -> str:
    """The key of a class, as text for the path of a URL."""
    return keys.sign(Purpose.CLIENT_CLASS, client.to_bytes(asset))


def read_class(keys: KeyRing, text: str, asset: str) -> ClientClass | None:
    """The class of a key that a gateway with the same keys has issued for ``asset``; None for
    anything else."""
    payload = keys.verify(Purpose.CLIENT_CLASS, text)
    return None if payload is None else _from_bytes(payload, asset)


def as_read(client: ClientClass, asset: str) -> ClientClass:
    """The class as its key will give it: frame rates are rounded there."""
    found = _from_bytes(client.to_bytes(asset), asset)
    if found is None:
        raise AssertionError("a class that was written cannot be read")
    return found


def class_tag(client: ClientClass, asset: str) -> str:
    """A short name of a class: 16 hexadecimal digits."""
    return blake2b(client.to_bytes(asset), digest_size=8).hexdigest()


def _from_bytes(payload: bytes, asset: str) -> ClientClass | None:
    if len(payload) != _LAYOUT.size or payload[0] != _FORMAT:
        return None
    _, name, edge, substitute, flags, order, *values = _LAYOUT.unpack(payload)
    if name != _name(asset) or flags & ~_KNOWN or order >= ORDERS:
        return None
    wanted, allowed, decoded, listed, shown, bandwidth, height, least, rate, start, rungs = values
    limits = Constraints(
        max_bandwidth=bandwidth if flags & _BANDWIDTH else None,
        max_height=height if flags & _HEIGHT else None,
        min_height=least if flags & _LEAST else None,
        max_frame_rate=rate / _PER_1000_S if flags & _RATE else None,
        wanted_codecs=members_of(CodecFamily, wanted) if flags & _WANTED else None,
        allowed_codecs=members_of(CodecFamily, allowed) if flags & _ALLOWED else None,
        device_codecs=members_of(CodecFamily, decoded) if flags & _DECODED else None,
        allowed_ranges=members_of(VideoRange, listed) if flags & _LISTED else None,
        device_ranges=members_of(VideoRange, shown) if flags & _SHOWN else None,
        immersive=bool(flags & _IMMERSIVE),
        screen=bool(flags & _SCREEN),
        audio_only=bool(flags & _AUDIO_ONLY),
        min_rungs=rungs,
        untouched=bool(flags & _UNTOUCHED),
    )
    single = bool(flags & _SINGLE)
    return ClientClass(limits, edge, substitute, order, single, start if flags & _START else None)


def class_limits(manifest: DashManifest, kept: Collection[int], limits: Constraints) -> Constraints:
    """The limits of the class of viewers who get the rungs ``kept`` under ``limits``.

    They keep the same Representations of this MPD as ``limits`` do. Where simple limits suffice,
    they are the highest bit rate, height and frame rate that stay, the codecs and ranges.
    Otherwise, as when no rung meets a cap, they are the members of ``limits`` that have an effect,
    rounded to what the MPD lists.
    """
    own = replace(limits, start_bandwidth=None)
    rungs = manifest.ladder.rungs
    if not rungs:
        return own
    if len(list(_every(manifest))) > MOST_REPRESENTATIONS:
        return _rounded(manifest, own)
    gone = frozenset(gone_of(manifest.mpd, kept, own))
    for simple in (EVERYTHING,) if not gone else _simple(rungs, frozenset(kept)):
        if gone_for(manifest, simple) == gone:
            return simple
    found = _rounded(manifest, own)
    if gone_for(manifest, found) != gone:
        return own
    for name, value in _NO_LIMIT.items():
        less = replace(found, **{name: value})
        if less != found and gone_for(manifest, less) == gone:
            found = less
    return found


def kept_for(manifest: DashManifest, limits: Constraints) -> tuple[int, ...]:
    """The rungs that stay within the limits of a class. Codecs that its viewers asked for are given
    up when the title no longer has them: a class that was served is served on."""
    ladder = manifest.ladder
    try:
        return fit_all(ladder.rungs, limits, ladder.home_pathway).kept
    except NothingToPlayError:
        without = replace(limits, wanted_codecs=None)
        return fit_all(ladder.rungs, without, ladder.home_pathway).kept


def gone_for(manifest: DashManifest, limits: Constraints) -> frozenset[int]:
    """The Representations that go within the limits of a class, by their ``index``."""
    return frozenset(gone_of(manifest.mpd, kept_for(manifest, limits), limits))


def _simple(rungs: Sequence[Rung], kept: frozenset[int]) -> Iterable[Constraints]:
    """The limits that may have kept these rungs and no others, the simplest first."""
    stay = [rung for rung in rungs if rung.index in kept]
    lost = [rung for rung in rungs if rung.index not in kept]
    caps = Constraints(
        max_bandwidth=_cap([rung.bandwidth for rung in stay], [rung.bandwidth for rung in lost]),
        max_height=_cap([rung.height or 0 for rung in stay], [rung.height or 0 for rung in lost]),
        max_frame_rate=_cap(
            [rung.frame_rate or 0.0 for rung in stay], [rung.frame_rate or 0.0 for rung in lost]
        ),
        immersive=any(rung.immersive for rung in stay) or not any(r.immersive for r in lost),
    )
    shown = {rung.video_range for rung in stay}
    if any(rung.video_range not in shown for rung in lost):
        known = frozenset([one for one in shown if one is not None])
        caps = replace(caps, device_ranges=known)
    families = frozenset[CodecFamily]().union(*[rung.families for rung in stay])
    found = [caps]
    if not all(rung.uses_only(families) for rung in lost):
        found = [replace(caps, device_codecs=families), replace(caps, wanted_codecs=families)]
    yield from found
    least = min([rung.height for rung in stay if rung.height is not None], default=None)
    if least is not None and any((rung.height or least) < least for rung in lost):
        yield from [replace(each, min_height=least) for each in found]


_Number = TypeVar("_Number", int, float)


def _cap(stay: Sequence[_Number], lost: Sequence[_Number]) -> _Number | None:
    """The highest value that stays, if a higher one is lost."""
    most = max(stay, default=None)
    return most if most is not None and any(value > most for value in lost) else None


def _rounded(manifest: DashManifest, limits: Constraints) -> Constraints:
    """The limits with their numbers as the MPD has them."""
    every = list(_every(manifest))
    cap, tallest, rate = limits.max_bandwidth, limits.max_height, limits.max_frame_rate
    if cap is not None:
        cap = max(
            [b for each in every if (b := each.bandwidth) is not None and b <= cap], default=1
        )
    heights = [height for each in every if (height := shorter_side(each)) is not None]
    if tallest is not None:
        tallest = max([height for height in heights if height <= tallest], default=1)
    least = limits.min_height
    if least is not None:
        least = min([height for height in heights if height >= least], default=_MOST_PIXELS)
    if rate is not None:
        rate = max(
            [r for each in every if (r := each.frame_rate) is not None and r <= rate], default=1
        )
    return replace(
        limits, max_bandwidth=cap, max_height=tallest, min_height=least, max_frame_rate=rate
    )


def _every(manifest: DashManifest) -> Iterator[Representation]:
    for period in manifest.mpd.periods:
        for found in period.adaptation_sets:
            yield from found.representations


def edges_for_class(
    client: ClientClass, asset: str, fleet: Fleet, tiers_at: TiersAt, most: int
) -> tuple[Edge, ...]:
    """The edges of a class, the one to load from first: at least one, at most ``most``.

    Those of a viewer follow from its place. Those of a class follow from its edge: they are the
    nearest to that one, in one of ``ORDERS`` orders where they are equal. So the fleet and the
    key give them. An edge that is down or gone is replaced by the next; the others are up.
    """
    known = fleet.index.by_key
    first, next_one = known.get(client.edge), known.get(client.substitute)
    home = first if first is not None else next_one
    place = NOT_LOOKED_UP if home is None else place_of(fleet.edges[home])
    key = viewer_key(asset, f"{client.edge:x}/{client.order}")
    order = ordered_by_key(fleet, tiers_at(place), key, most + SPARE, asset)
    lead = first if first is not None and first not in fleet.down else order[0]
    others = [at for at in order if at != lead and fleet.conditions[at].state == "up"]
    return tuple([fleet.edges[at] for at in (lead, *others)][:most])


def place_of(edge: Edge) -> Place:
    """Where an edge is, as if it were a viewer; by the regions that it serves if its coordinates
    are not known."""
    if edge.latitude is not None:
        found = Place("found", latitude=edge.latitude, longitude=edge.longitude, accuracy_km=0.0)
    elif edge.countries or edge.continents:
        continent = min(edge.continents, default=None)
        found = Place("found", country=min(edge.countries, default=None), continent=continent)
    else:
        found = NOT_LOOKED_UP
    return found


def _name(asset: str) -> bytes:
    return blake2b(asset.encode(), digest_size=8, person=b"class").digest()
