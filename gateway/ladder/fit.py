"""What may it play? The rungs that fit the constraints, and the one to start on.

The fit is a pure function of rungs and constraints: idempotent, order-stable, and never empty
(rule A11). Where limits leave nothing together, those that come first in this list are given up,
each announced:

1. ``min_resolution`` (the request's lower bound): the highest rung below it serves,
2. the bit-rate and height caps: the lowest rung that is playable stays,
3. the frame rate,
4. the video ranges, the profile's and then the device's,
5. flat pictures for a client that does not show immersive ones,
6. the codecs, the profile's and then the device's: a guess at what somebody can decode is no reason
   to show nothing.

The codecs that the request itself names are never given up: nothing left means
:class:`NothingToPlayError`. An entry that is audio-only beside video, or that clients may skip,
does not count as something left.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from gateway.ladder import words
from gateway.ladder.rung import Constraints, Rung
from gateway.ladder.start import start_rung
from gateway.ladder.whole import (
    lowest,
    whole_audio_groups,
    with_enough,
    with_home_pathway,
    with_safe_rung,
)
from gateway.reason import Reason, Step
from manifests.codecs import CodecFamily


class NothingToPlayError(ValueError):
    """The request's own codecs leave nothing of this asset (answered with 406)."""


@dataclass(frozen=True, slots=True)
class Fit:
    """``kept``: indices of rungs in output order, the one to start on first."""

    kept: tuple[int, ...]
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class _Limit:
    """One limit that a rung keeps or breaks, and its name in reasons."""

    code: str
    text: str
    holds: Callable[[Rung], bool]


def fit(rungs: Sequence[Rung], limits: Constraints, home_pathway: str | None = None) -> Fit:
    """Fit a ladder; ``rungs`` in the source's order, at least one.

    ``home_pathway`` is where content steering starts: it keeps a rung if it has one (rule C1.1).
    Raises :class:`NothingToPlayError` when the request's own codecs exclude every entry.
    """
    reasons: list[Reason] = []
    main = _main(rungs)
    asked = _asked(main, limits, reasons)
    playable = _playable(asked, limits, reasons)
    kept = _within_caps(playable, limits, reasons)
    kept = _high_enough(kept, limits, reasons)
    kept = whole_audio_groups(kept, playable, reasons)
    kept = with_safe_rung(kept, playable, limits, reasons)
    kept = with_enough(kept, playable, limits, reasons)
    kept = with_home_pathway(kept, [playable, asked], home_pathway, reasons)
    beside = _beside(rungs, main, kept, limits, reasons)
    chosen = {rung.index for rung in (*kept, *beside)}
    order = [rung.index for rung in rungs if rung.index in chosen]
    if not limits.untouched:
        start, reason = start_rung(kept, limits.start_bandwidth, home_pathway)
        reasons.append(reason)
        order.remove(start.index)
        order.insert(0, start.index)
    return Fit(tuple(order), tuple(reasons))


def _main(rungs: Sequence[Rung]) -> Sequence[Rung]:
    """The entries that make up the ladder, of which one at least has to stay."""
    pictures = [rung for rung in rungs if rung.has_video]
    return [rung for rung in pictures if not rung.skippable] or pictures or rungs


def _asked(rungs: Sequence[Rung], limits: Constraints, reasons: list[Reason]) -> Sequence[Rung]:
    """What uses only codecs that the request asks for."""
    wanted = limits.wanted_codecs
    if wanted is None:
        return rungs
    asked = [rung for rung in rungs if rung.uses_only(wanted)]
    if not asked:
        raise NothingToPlayError(
            f"no rendition of this asset uses only the codecs asked for: {words.names(wanted)}"
        )
    text = f"the request asks for {words.names(wanted)}"
    reasons += words.left_out("codecs-asked", text, rungs, asked)
    return asked


def _limits_of_playback(limits: Constraints) -> Iterator[_Limit]:
    """What the client can decode and show, the most important first."""
    device, allowed = limits.device_codecs, limits.allowed_codecs
    if device is not None:
        decodable = device | {CodecFamily.AVC}  # B1
        text = f"the device decodes {words.names(decodable)}"
        yield _Limit("device-codecs", text, lambda rung: rung.uses_only(decodable))
    if allowed is not None:
        text = f"the profile allows {words.names(allowed)}"
        yield _Limit("profile-codecs", text, lambda rung: rung.uses_only(allowed))
    if not limits.immersive:
        text = "the device shows flat pictures only"
        yield _Limit("immersive", text, lambda rung: not rung.immersive)  # A6.10
    shown, listed = limits.device_ranges, limits.allowed_ranges
    if shown is not None:
        text = f"the device shows {words.names(shown)}"
        yield _Limit("device-range", text, lambda rung: rung.video_range in shown)
    if listed is not None:
        text = f"the profile allows {words.names(listed)}"
        yield _Limit("profile-range", text, lambda rung: rung.video_range in listed)
    rate = limits.max_frame_rate
    if rate is not None:
        text = f"at most {rate:g} frames/s"
        yield _Limit("frame-rate", text, lambda rung: (rung.frame_rate or 0.0) <= rate)


def _playable(rungs: Sequence[Rung], limits: Constraints, reasons: list[Reason]) -> Sequence[Rung]:
    """What the client can decode and show, as far as there is such a thing."""
    for limit in _limits_of_playback(limits):
        left = [rung for rung in rungs if limit.holds(rung)]
        if left:
            reasons += words.left_out(limit.code, limit.text, rungs, left)
            rungs = left
        else:
            text = f"{limit.text}, but nothing else exists; limit given up"
            reasons.append(Reason(Step.LADDER, f"{limit.code}-relaxed", text))
    return rungs


def _within_caps(
    playable: Sequence[Rung], limits: Constraints, reasons: list[Reason]
) -> Sequence[Rung]:
    kept = [rung for rung in playable if _is_within(rung, limits)]
    if kept:
        reasons += words.left_out("caps", words.caps(limits), playable, kept)
        return kept
    kept = lowest(playable)
    text = f"nothing is {words.caps(limits)}; the lowest rung stays: {words.describe(kept[0])}"
    reasons.append(Reason(Step.LADDER, "caps-relaxed", text))
    return kept


def _is_within(rung: Rung, limits: Constraints) -> bool:
    cap, tallest = limits.max_bandwidth, limits.max_height
    return (cap is None or rung.bandwidth <= cap) and (
        tallest is None or rung.height is None or rung.height <= tallest
    )


def _high_enough(
    kept: Sequence[Rung], limits: Constraints, reasons: list[Reason]
) -> Sequence[Rung]:
    """The request's least height, or the best that there is below it."""
    least = limits.min_height
    heights = [rung.height for rung in kept if rung.height is not None]
    if least is None or not heights:
        return kept
    best = max(heights)
    tall = [rung for rung in kept if rung.height is None or rung.height >= min(least, best)]
    text = f"the request asks for at least {least}p"
    if best < least:
        text = f"{text}, but the best is {best}p, which serves instead"
        reasons.append(Reason(Step.LADDER, "min-resolution-relaxed", text))
    else:
        reasons += words.left_out("min-resolution", text, kept, tall)
    return tall


def _beside(
    rungs: Sequence[Rung],
    main: Sequence[Rung],
    kept: Sequence[Rung],
    limits: Constraints,
    reasons: list[Reason],
) -> Sequence[Rung]:
    """Audio-only and skippable entries beside the ladder: as far as they break no limit, the
    platform takes them (rule B10), and their audio group is listed still."""
    counted = {rung.index for rung in main}
    others = [rung for rung in rungs if rung.index not in counted]
    if not others:
        return ()
    taken = [rung for rung in others if limits.audio_only or rung.has_video]
    reasons += words.left_out(
        "audio-only", "the platform takes no audio-only variants", others, taken
    )
    wanted = limits.wanted_codecs
    tests = [limit.holds for limit in _limits_of_playback(limits)]
    gone = {rung.audio_group for rung in main} - {rung.audio_group for rung in kept}
    fitting = [
        rung
        for rung in taken
        if _is_within(rung, limits)
        and rung.audio_group not in gone
        and (wanted is None or rung.uses_only(wanted))
        and (not rung.has_video or all(holds(rung) for holds in tests))
    ]
    text = "audio-only and optional entries go by the same limits"
    reasons += words.left_out("beside", text, taken, fitting)
    return fitting
