"""What may it play? The rungs of one Period that fit the constraints, and the one to start on.

The fit is a pure function of rungs and constraints: idempotent, order-stable, and never empty
(rule A11). When no rung meets all limits, limits are given up in this order, each with a reason:

1. ``min_resolution`` (the request's lower bound): the highest rung below it serves,
2. the caps on bit rate and height: the lowest playable rung stays,
3. the frame rate,
4. the video ranges, the profile's and then the device's,
5. the limit to flat video, for devices that show no immersive video,
6. the codecs, the profile's and then the device's, which are a guess from the User-Agent.

The codecs that the request itself names are never given up: when no rung uses only these, the fit
raises :class:`NothingToPlayError`. A rung counts as left only if it has video and clients cannot
skip it, where the source has such rungs.

A device without a screen gets the audio-only rungs. A title without any serves it the lowest rung.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from gateway.ladder import words
from gateway.ladder.rung import Constraints, Rung, counted, rung_count
from gateway.ladder.start import start_order
from gateway.ladder.whole import (
    lowest,
    whole_audio_groups,
    with_all_served,
    with_enough,
    with_home_pathway,
    with_safe_rung,
)
from gateway.reason import Reason, Step
from manifests.codecs import CodecFamily

_AVC = frozenset({CodecFamily.AVC})


class NothingToPlayError(ValueError):
    """No rung uses only the codecs that the request asks for (answered with 406)."""


@dataclass(frozen=True, slots=True)
class Fit:
    """``kept``: indices of entries in output order, the one to start on first. ``rungs``: how many
    different rungs these are."""

    kept: tuple[int, ...]
    reasons: tuple[Reason, ...]
    rungs: int


@dataclass(frozen=True, slots=True)
class _Limit:
    """One limit that a rung meets or does not meet; ``code`` and ``text`` name it in reasons."""

    code: str
    text: str
    holds: Callable[[Rung], bool]


def fit(rungs: Sequence[Rung], limits: Constraints, home_pathway: str | None = None) -> Fit:
    """Fit the ladder of one Period; ``rungs`` in the source's order, at least one.

    ``home_pathway`` is the pathway on which content steering starts. It keeps at least one rung if
    it has any (rule C1.1). Raises :class:`NothingToPlayError` when no rung uses only the codecs
    that the request asks for.
    """
    reasons: list[Reason] = []
    audio = () if limits.screen else _audio_only(rungs, limits, home_pathway, reasons)
    rungs = audio or rungs
    main = _main(rungs, limits, reasons)
    asked = _asked(main, limits, reasons)
    playable = kept = _playable(asked, limits, reasons)
    one_rung = not (limits.screen or audio)
    if one_rung:
        kept = lowest([rung for rung in playable if rung.uses_only(_AVC)] or playable)
    kept = _within_caps(kept, limits, reasons)
    kept = _high_enough(kept, limits, reasons)
    if not one_rung:
        kept = whole_audio_groups(kept, playable, reasons)
        kept = with_safe_rung(kept, playable, limits, reasons)
        kept = with_enough(kept, playable, limits, reasons)
        kept = with_all_served(kept, playable, reasons)
    kept = with_home_pathway(kept, [playable, asked], home_pathway, reasons)
    beside = _beside(rungs, main, kept, limits, reasons)
    chosen = {rung.index for rung in (*kept, *beside)}
    entries = [rung for rung in rungs if rung.index in chosen]
    order = tuple([rung.index for rung in entries])
    if not limits.untouched:
        order, reason = start_order(entries, kept, limits.start_bandwidth, home_pathway)
        reasons.append(reason)
    return Fit(order, tuple(reasons), rung_count(kept))


def _main(rungs: Sequence[Rung], limits: Constraints, reasons: list[Reason]) -> Sequence[Rung]:
    """The entries of which at least one has to stay."""
    main = counted(rungs)
    skippable = sum(rung.skippable for rung in rungs)
    if skippable and not limits.untouched:
        text = f"players may ignore {skippable} of {len(rungs)} variants, or their audio, because "
        text += "of unknown values"
        end = "no others are left to count" if main[0].skippable else "they do not count as rungs"
        reasons.append(Reason(Step.LADDER, "variants-ignored", f"{text}; {end}"))
    return main


def _audio_only(
    rungs: Sequence[Rung], limits: Constraints, home: str | None, reasons: list[Reason]
) -> Sequence[Rung]:
    """The rungs for a device without a screen: those whose codecs are all audio.

    Empty when clients ignore all of these, or when the pathway on which content steering starts
    (rule C1.1) has none of them, but other rungs that could be served.
    """
    text = "the device has no screen"
    audio = [rung for rung in rungs if not rung.has_video and rung.codecs and not rung.other_video]
    served = {rung.pathway for rung in audio if not rung.skippable}
    at_home = [rung for rung in counted(rungs) if rung.pathway == home]
    if not served or (home not in served and any(is_asked(rung, limits) for rung in at_home)):
        text = f"{text}, but no audio-only rung would serve it; only the lowest rung is kept"
        text = f"{text}, in H.264 if there is one"
        reasons.append(Reason(Step.LADDER, "no-screen-relaxed", text))
        return ()
    reasons += words.removal_reason("no-screen", text, rungs, audio)
    return audio


def _asked(rungs: Sequence[Rung], limits: Constraints, reasons: list[Reason]) -> Sequence[Rung]:
    """The rungs that use only codecs that the request asks for."""
    wanted = limits.wanted_codecs
    if wanted is None:
        return rungs
    asked = [rung for rung in rungs if is_asked(rung, limits)]
    if not asked:
        raise NothingToPlayError(
            "no rung of this asset uses only the codecs to which the request is limited: "
            f"{words.names(wanted) or 'none'}"
        )
    text = f"the request is limited to {words.names(wanted)}"
    reasons += words.removal_reason("codecs-asked", text, rungs, asked)
    return asked


def is_asked(rung: Rung, limits: Constraints) -> bool:
    """Whether a rung uses only codecs that the request asks for."""
    return limits.wanted_codecs is None or rung.uses_only(limits.wanted_codecs)


def _limits_of_playback(limits: Constraints) -> Iterator[_Limit]:
    """The limits of what the client can decode and show, the most important first."""
    device, allowed = limits.device_codecs, limits.allowed_codecs
    if device is not None:
        decodable = device | {CodecFamily.AVC}  # B1
        text = f"the device probably decodes {words.names(decodable)}"
        yield _Limit("device-codecs", text, lambda rung: rung.uses_only(decodable))
    if allowed is not None:
        text = f"the profile allows {words.names(allowed)}"
        yield _Limit("profile-codecs", text, lambda rung: rung.uses_only(allowed))
    if not limits.immersive:
        text = "the device is not known to show immersive video"
        yield _Limit("immersive", text, lambda rung: not rung.immersive)  # A6.10
    shown, listed = limits.device_ranges, limits.allowed_ranges
    if shown is not None:
        text = f"the device probably shows {words.names(shown)}"
        yield _Limit("device-range", text, lambda rung: rung.video_range in shown)
    if listed is not None:
        text = f"the profile allows {words.names(listed)}"
        yield _Limit("profile-range", text, lambda rung: rung.video_range in listed)
    rate = limits.max_frame_rate
    if rate is not None:
        text = f"at most {rate:g} frames/s"
        yield _Limit("frame-rate", text, lambda rung: (rung.frame_rate or 0.0) <= rate)


def _playable(rungs: Sequence[Rung], limits: Constraints, reasons: list[Reason]) -> Sequence[Rung]:
    """The rungs that the client can decode and show; a limit that no rung meets is given up."""
    for limit in _limits_of_playback(limits):
        left = [rung for rung in rungs if limit.holds(rung)]
        if left:
            reasons += words.removal_reason(limit.code, limit.text, rungs, left)
            rungs = left
        else:
            text = f"{limit.text}, but no rung that is left meets this limit; it is ignored"
            reasons.append(Reason(Step.LADDER, f"{limit.code}-relaxed", text))
    return rungs


def _within_caps(
    playable: Sequence[Rung], limits: Constraints, reasons: list[Reason]
) -> Sequence[Rung]:
    kept = [rung for rung in playable if _is_within(rung, limits)]
    if kept:
        reasons += words.removal_reason("caps", words.caps(limits), playable, kept)
        return kept
    kept = lowest(playable)
    caps, least = words.caps(limits), words.describe(kept[0])
    text = f"no rung that is left has {caps}; the one of the lowest bit rate is kept: {least}"
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
    """The rungs of at least the height that the request asks for; if there are none, the highest
    rungs."""
    least = limits.min_height
    heights = [rung.height for rung in kept if rung.height is not None]
    if least is None or not heights:
        return kept
    best = max(heights)
    tall = [rung for rung in kept if rung.height is None or rung.height >= min(least, best)]
    text = f"the request asks for at least {least}p"
    if best < least:
        text = f"{text}, but the highest rung that is left is {best}p, which is kept instead"
        reasons.append(Reason(Step.LADDER, "min-resolution-relaxed", text))
    else:
        reasons += words.removal_reason("min-resolution", text, kept, tall)
    return tall


def _beside(
    rungs: Sequence[Rung],
    main: Sequence[Rung],
    kept: Sequence[Rung],
    limits: Constraints,
    reasons: list[Reason],
) -> Sequence[Rung]:
    """The entries that stay without counting as rungs: audio-only and skippable ones. An entry
    stays if it meets the limits, the platform accepts audio-only variants (rule B10), and its audio
    group stays."""
    rung_indices = {rung.index for rung in main}
    others = [rung for rung in rungs if rung.index not in rung_indices]
    if not others:
        return ()
    taken = [rung for rung in others if limits.audio_only or rung.has_video]
    reasons += words.variants_removed(
        "audio-only", "the platform accepts no audio-only variants", others, taken
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
    text = "audio-only and ignored variants must meet the same limits, and have an audio group left"
    reasons += words.variants_removed("beside", text, taken, fitting)
    return fitting
