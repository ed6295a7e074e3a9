"""What may it play? The rungs that fit the constraints, and the one to start on.

The fit is a pure function of rungs and constraints: idempotent, order-stable, and never empty
(rule A11). When nothing would be left, limits are given up in this written order, each announced:

1. ``min_resolution`` (the request's lower bound),
2. the bit-rate, height and frame-rate caps: the lowest rung that is playable stays,
3. the video range,
4. immersive video for a client that shows flat pictures,
5. the profile's codecs, then the device's: a guess at what somebody can decode is no reason to
   show nothing.

The codecs that the request itself names are never given up: nothing left means
:class:`NothingToPlayError`. An HLS playlist with video keeps video: audio-only entries alone do not
count as a ladder.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.ladder.rung import Constraints, Rung
from gateway.reason import Reason, Step
from manifests.codecs import CodecFamily, VideoRange

DEFAULT_START_BANDWIDTH = 2_000_000
"""bit/s to start on when nothing was measured (rule B4)."""


class NothingToPlayError(ValueError):
    """The request's own codecs leave nothing of this asset (answered with 406)."""


@dataclass(frozen=True, slots=True)
class Fit:
    """``kept``: indices of rungs in output order, the one to start on first."""

    kept: tuple[int, ...]
    reasons: tuple[Reason, ...]


_Test = Callable[[Rung], bool]


def fit(rungs: Sequence[Rung], limits: Constraints) -> Fit:
    """Fit a ladder; ``rungs`` in the source's order, at least one.

    Raises :class:`NothingToPlayError` when the request's own codecs exclude every entry.
    """
    reasons: list[Reason] = []
    pictures = [rung for rung in rungs if rung.has_video] or list(rungs)
    playable = _playable(pictures, limits, reasons)
    kept = _within_caps(playable, limits, reasons)
    kept = _whole_audio_groups(kept, playable, reasons)
    kept = _with_a_safe_rung(kept, playable, limits, reasons)
    kept = _enough(kept, playable, limits, reasons)
    sound = _audio_only(rungs, pictures, limits, reasons)
    chosen = {rung.index for rung in kept} | {rung.index for rung in sound}
    ordered = [rung for rung in rungs if rung.index in chosen]
    if limits.untouched:
        return Fit(tuple(rung.index for rung in ordered), tuple(reasons))
    start = _start(kept, limits, reasons)
    ordered.sort(key=lambda rung: rung.index != start.index)
    return Fit(tuple(rung.index for rung in ordered), tuple(reasons))


def _playable(rungs: Sequence[Rung], limits: Constraints, reasons: list[Reason]) -> Sequence[Rung]:
    """What the client can decode and show. Only the request's own codecs are final."""
    wanted = limits.wanted_codecs
    if wanted is not None:
        asked = [rung for rung in rungs if rung.families <= wanted]
        if not asked:
            names = ", ".join(sorted(wanted))
            raise NothingToPlayError(
                f"no rendition of this asset uses only the codecs asked for: {names}"
            )
        _note(reasons, "codecs-asked", rungs, asked, f"the request asks for {_names(wanted)}")
        rungs = asked
    device, allowed, ranges = limits.device_codecs, limits.allowed_codecs, limits.video_ranges
    if device is not None:
        decodable = device | {CodecFamily.AVC}
        text = f"the device decodes {_names(decodable)}"
        rungs = _soft(rungs, lambda r: r.families <= decodable, "device-codecs", text, reasons)
    if allowed is not None:
        text = f"the profile allows {_names(allowed)}"
        rungs = _soft(rungs, lambda r: r.families <= allowed, "profile-codecs", text, reasons)
    if not limits.immersive:
        text = "the device shows flat pictures only"
        rungs = _soft(rungs, lambda r: not r.immersive, "immersive", text, reasons)
    if ranges is not None:
        text = f"the device and the profile take {_names(ranges)}"
        rungs = _soft(rungs, lambda r: r.video_range in ranges, "video-range", text, reasons)
    return rungs


def _soft(
    rungs: Sequence[Rung], test: _Test, code: str, text: str, reasons: list[Reason]
) -> Sequence[Rung]:
    """Apply a limit unless it would leave nothing; say so either way."""
    left = [rung for rung in rungs if test(rung)]
    if left:
        _note(reasons, code, rungs, left, text)
        return left
    reasons.append(
        Reason(Step.LADDER, f"{code}-relaxed", f"{text}, but nothing else exists; limit given up")
    )
    return rungs


def _within_caps(
    playable: Sequence[Rung], limits: Constraints, reasons: list[Reason]
) -> Sequence[Rung]:
    cap, tallest = limits.max_bandwidth, limits.max_height
    kept: Sequence[Rung] = [
        rung
        for rung in playable
        if (cap is None or rung.bandwidth <= cap)
        and (tallest is None or rung.height is None or rung.height <= tallest)
    ]
    if kept:
        _note(reasons, "caps", playable, kept, _caps_text(limits))
    else:
        kept = _lowest(playable)
        least = kept[0]
        text = f"nothing fits {_caps_text(limits)}; the lowest rung stays: {_describe(least)}"
        reasons.append(Reason(Step.LADDER, "caps-relaxed", text))
    if limits.max_frame_rate is not None:
        top = limits.max_frame_rate
        kept = _soft(
            kept,
            lambda r: r.frame_rate is None or r.frame_rate <= top,
            "frame-rate",
            f"at most {top:g} frames/s",
            reasons,
        )
    if limits.min_height is not None:
        least_height = limits.min_height
        # Where the ladder does not reach that high, the next lower rung serves (as Mux does).
        best = max((rung.height for rung in kept if rung.height is not None), default=0)
        floor = min(least_height, best)
        tall = [rung for rung in kept if rung.height is None or rung.height >= floor]
        _note(reasons, "min-resolution", kept, tall, f"the request asks for at least {floor}p")
        kept = tall
    return kept


def _lowest(rungs: Sequence[Rung]) -> Sequence[Rung]:
    """The rung with the least BANDWIDTH, and its redundant copies (rule A6.16)."""
    least = min(rungs, key=lambda rung: rung.bandwidth)
    return [
        rung for rung in rungs if rung.bandwidth == least.bandwidth and rung.height == least.height
    ]


def _whole_audio_groups(
    kept: Sequence[Rung], playable: Sequence[Rung], reasons: list[Reason]
) -> Sequence[Rung]:
    """Every kept picture for every kept audio group (rule A11.4).

    Where a dearer audio group pushes some kept picture over a cap, the group goes, not the picture.
    """
    groups = {rung.audio_group for rung in kept}
    if len(groups) == 1:
        return kept
    pictures = {rung.picture for rung in kept}
    chosen = {rung.index for rung in kept}
    broken = {
        rung.audio_group
        for rung in playable
        if rung.picture in pictures and rung.index not in chosen
    }
    whole = [rung for rung in kept if rung.audio_group not in broken]
    if {rung.picture for rung in whole} != pictures:
        return kept  # the groups do not share one ladder: nothing to make equal
    names = ", ".join(sorted(str(group) for group in groups & broken))
    _note(reasons, "audio-groups", kept, whole, f"audio {names} does not fit with every rung")
    return whole


def _with_a_safe_rung(
    kept: Sequence[Rung], playable: Sequence[Rung], limits: Constraints, reasons: list[Reason]
) -> Sequence[Rung]:
    """Rule B1: H.264 and SDR stay listed unless the client is known to do without."""

    def safe(rung: Rung) -> bool:
        return (limits.device_codecs is not None or rung.families <= {CodecFamily.AVC}) and (
            limits.video_ranges is not None or rung.video_range is VideoRange.SDR
        )

    fallback = [rung for rung in playable if safe(rung)]
    if not fallback or any(safe(rung) for rung in kept):
        return kept
    added = _lowest(fallback)
    text = f"kept for clients without newer codecs or HDR: {_describe(added[0])}"
    reasons.append(Reason(Step.LADDER, "safe-rung-added", text))
    return [*kept, *added]


def _enough(
    kept: Sequence[Rung], playable: Sequence[Rung], limits: Constraints, reasons: list[Reason]
) -> Sequence[Rung]:
    """At least ``min_rungs`` different pictures, the lowest first, if the source has them."""
    chosen = list(kept)
    pictures = {rung.picture for rung in kept}
    for rung in sorted(playable, key=lambda rung: rung.bandwidth):
        if len(pictures) >= limits.min_rungs:
            break
        if rung.picture in pictures:
            continue
        pictures.add(rung.picture)
        chosen.append(rung)
        text = f"min_rungs = {limits.min_rungs} adds {_describe(rung)}"
        reasons.append(Reason(Step.LADDER, "min-rungs-added", text))
    return chosen


def _audio_only(
    rungs: Sequence[Rung], pictures: Sequence[Rung], limits: Constraints, reasons: list[Reason]
) -> Sequence[Rung]:
    """Audio-only entries beside video: within the bit rate, and where the platform takes them."""
    looked_at = {rung.index for rung in pictures}
    sound = [rung for rung in rungs if rung.index not in looked_at]
    if not limits.audio_only:
        _note(reasons, "audio-only", sound, [], "the platform takes no audio-only variants (B10)")
        return []
    cap = limits.max_bandwidth
    kept = [rung for rung in sound if cap is None or rung.bandwidth <= cap]
    _note(reasons, "audio-only-caps", sound, kept, _caps_text(limits))
    return kept


def _start(kept: Sequence[Rung], limits: Constraints, reasons: list[Reason]) -> Rung:
    """The highest rung that the start bit rate carries, else the lowest.

    Among codecs, H.264 in SDR is what every client starts on without a doubt; among audio groups,
    the one that the source lists first is its packager's default.
    """
    target = DEFAULT_START_BANDWIDTH if limits.start_bandwidth is None else limits.start_bandwidth
    first = min(kept, key=lambda rung: rung.index)
    pool = [rung for rung in kept if rung.audio_group == first.audio_group]
    pool = [r for r in pool if r.families <= {CodecFamily.AVC}] or pool
    pool = [r for r in pool if r.video_range is VideoRange.SDR] or pool
    affordable = [rung for rung in pool if rung.bandwidth <= target]
    if affordable:
        start = max(affordable, key=lambda rung: (rung.bandwidth, -rung.index))
        text = f"start on {_describe(start)}, the highest within {target // 1000} kbit/s"
        reasons.append(Reason(Step.START, "start-within-speed", text))
        return start
    start = min(pool, key=lambda rung: (rung.bandwidth, rung.index))
    text = f"start on {_describe(start)}, the lowest: nothing is within {target // 1000} kbit/s"
    reasons.append(Reason(Step.START, "start-lowest", text))
    return start


def _note(
    reasons: list[Reason], code: str, before: Sequence[Rung], after: Sequence[Rung], text: str
) -> None:
    """Record a limit that took something away."""
    gone = len(before) - len(after)
    if gone:
        text = f"{text}: {gone} of {len(before)} left out"
        reasons.append(Reason(Step.LADDER, code, text))


def _names(values: frozenset[CodecFamily] | frozenset[VideoRange]) -> str:
    return ", ".join(sorted(values))


def _caps_text(limits: Constraints) -> str:
    parts = []
    if limits.max_bandwidth is not None:
        parts.append(f"{limits.max_bandwidth // 1000} kbit/s")
    if limits.max_height is not None:
        parts.append(f"{limits.max_height}p")
    return "at most " + " and ".join(parts or ["anything"])


def _describe(rung: Rung) -> str:
    height = "no stated height" if rung.height is None else f"{rung.height}p"
    return f"{height} at {rung.bandwidth // 1000} kbit/s"
