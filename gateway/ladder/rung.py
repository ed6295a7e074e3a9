"""What is a ladder made of, and what may limit it? Values that HLS and DASH share."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from manifests.codecs import CodecFamily, VideoRange


@dataclass(frozen=True, slots=True)
class Rung:
    """One entry of a ladder: an HLS variant stream or a DASH Representation.

    ``index`` is its position in the source. ``bandwidth`` is the peak in bit/s (BANDWIDTH, rule
    A6.2), ``average_bandwidth`` the average where the source states one. ``height`` is the shorter
    side in pixels, so that portrait and landscape video are treated alike; ``stated_height`` is the
    height that the source states. ``codecs`` are the elements of the source's codecs text.
    ``families`` is empty when the source names no codecs; ``other_video`` says that it names video
    of a family that the gateway does not know. ``video_range`` None is a value that the gateway
    does not know. ``skippable``: conforming clients ignore the entry or all of its audio (rule
    A2.1), so it never counts as a rung. ``picture`` is equal for entries that show the same picture
    with other audio, on another pathway or at another URI. ``playability`` is equal for entries
    that a player plays or drops alike: they need the same decoders, display and output protection
    (G5).

    Only DASH has values for the last two. ``period`` is the position of the entry's Period. Periods
    play one after the other, so each has a ladder of its own; they are listed in order. ``serves``
    names what only some entries of a Period have, such as another camera or the encryption for one
    key system. What a playable entry serves is still served by one of those that stay.
    """

    index: int
    bandwidth: int
    average_bandwidth: int | None
    height: int | None
    stated_height: int | None
    frame_rate: float | None
    codecs: tuple[str, ...]
    families: frozenset[CodecFamily]
    other_video: bool
    video_range: VideoRange | None
    immersive: bool
    has_video: bool
    skippable: bool
    audio_group: str | None
    pathway: str
    picture: tuple[int, int]
    playability: int
    period: int = 0
    serves: frozenset[str] = frozenset()

    def uses_only(self, families: frozenset[CodecFamily]) -> bool:
        """True when no codec outside ``families`` is named, also when none is named at all."""
        return not self.other_video and self.families <= families


def counted(rungs: Sequence[Rung]) -> Sequence[Rung]:
    """The entries that count as rungs: those with video that clients do not ignore (rule A2.1). If
    there are none, audio-only ones count, and then whatever there is."""
    heeded = [rung for rung in rungs if not rung.skippable]
    return [rung for rung in heeded if rung.has_video] or heeded or _pictures(rungs) or rungs


def _pictures(rungs: Sequence[Rung]) -> Sequence[Rung]:
    return [rung for rung in rungs if rung.has_video]


def steps_within(groups: Sequence[Hashable], bandwidths: Sequence[int]) -> list[int]:
    """For each entry, the position of its bandwidth among the different ones of its group."""
    found: dict[Hashable, set[int]] = {}
    for group, bandwidth in zip(groups, bandwidths, strict=True):
        found.setdefault(group, set()).add(bandwidth)
    steps = {
        group: {bandwidth: step for step, bandwidth in enumerate(sorted(each))}
        for group, each in found.items()
    }
    return [steps[group][one] for group, one in zip(groups, bandwidths, strict=True)]


def rung_count(rungs: Sequence[Rung]) -> int:
    """How many different rungs the entries are. Copies of a rung, with other audio, on other
    pathways or at other URIs, count once (rule A6.16). Of several Periods, the one with the most
    counts."""
    return max(len({rung.picture for rung in counted(one)}) for one in by_period(rungs))


def by_period(rungs: Sequence[Rung]) -> Sequence[Sequence[Rung]]:
    """The entries of each Period, in the order of Periods. HLS has one."""
    if len({rung.period for rung in rungs}) <= 1:
        return [rungs]
    periods: dict[int, list[Rung]] = {}
    for rung in rungs:
        periods.setdefault(rung.period, []).append(rung)
    return list(periods.values())


@dataclass(frozen=True, slots=True)
class Ladder:
    """The rungs of one source manifest, in its order, whatever its format.

    ``version`` changes when the source's bytes do. ``home_pathway`` is the pathway on which the
    source's content steering starts; None without steering. ``peaks`` are the different peaks in
    bit/s, ascending.
    """

    version: str
    rungs: tuple[Rung, ...]
    home_pathway: str | None = None
    peaks: Sequence[int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Collect the peaks, which every request needs."""
        object.__setattr__(self, "peaks", sorted({rung.bandwidth for rung in self.rungs}))


@dataclass(frozen=True, slots=True)
class Constraints:
    """Profile, device and request limits, merged; None means no limit.

    ``max_bandwidth`` in bit/s, heights in pixels. ``wanted_codecs`` is the request's own list and
    is never relaxed; ``allowed_codecs`` and ``allowed_ranges`` are the profile's; ``device_codecs``
    and ``device_ranges`` are what the device may decode and show. ``start_bandwidth`` in bit/s is
    where playback should start. ``screen`` False is a device that plays only sound. ``untouched``
    keeps the source's order.
    """

    max_bandwidth: int | None = None
    max_height: int | None = None
    min_height: int | None = None
    max_frame_rate: float | None = None
    wanted_codecs: frozenset[CodecFamily] | None = None
    allowed_codecs: frozenset[CodecFamily] | None = None
    device_codecs: frozenset[CodecFamily] | None = None
    allowed_ranges: frozenset[VideoRange] | None = None
    device_ranges: frozenset[VideoRange] | None = None
    immersive: bool = True
    screen: bool = True
    audio_only: bool = True
    min_rungs: int = 1
    start_bandwidth: int | None = None
    untouched: bool = False
