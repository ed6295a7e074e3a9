"""Which rungs go or come back so that what is left of a ladder is whole?

Limits judge every entry alone. A ladder also has to offer each picture for each audio group (rule
A11.4), something that every client plays (B1), as many rungs as the operator wants, and the pathway
on which content steering starts (C1.1). Entries that are copies of each other, on pathways or as
redundant streams (A6.16), go and come together.
"""

from collections.abc import Callable, Sequence

from gateway.ladder import words
from gateway.ladder.rung import Constraints, Rung
from gateway.reason import Reason, Step
from manifests.codecs import CodecFamily, VideoRange

_AVC = frozenset({CodecFamily.AVC})


def lowest(rungs: Sequence[Rung]) -> list[Rung]:
    """The rungs with the least BANDWIDTH, and of those the least height: one rung and its copies.

    Which of them stands first must not matter, or a fitted ladder would not fit.
    """
    least = min((rung.bandwidth, rung.height or 0) for rung in rungs)
    return [rung for rung in rungs if (rung.bandwidth, rung.height or 0) == least]


def _with_copies(
    rungs: Sequence[Rung], playable: Sequence[Rung], kept: Sequence[Rung]
) -> list[Rung]:
    """The pictures of ``rungs`` for every audio group that is listed anyway, and ``rungs`` where
    their group is not."""
    listed = {rung.audio_group for rung in kept}
    pictures = {rung.picture for rung in rungs}
    copies = [rung for rung in playable if rung.audio_group in listed and rung.picture in pictures]
    covered = {rung.picture for rung in copies}
    return [*copies, *(rung for rung in rungs if rung.picture not in covered)]


def _added(code: str, why: str, rung: Rung) -> Reason:
    return Reason(Step.LADDER, code, f"{why}: {words.describe(rung)}")


def whole_audio_groups(
    kept: Sequence[Rung], playable: Sequence[Rung], reasons: list[Reason]
) -> Sequence[Rung]:
    """Every kept picture for every kept audio group (rule A11.4).

    Where a dearer audio group pushes some kept picture over a cap, the group goes, not the picture.
    Groups that share no ladder stay as they are.
    """
    pictures = {(rung.pathway, rung.picture) for rung in kept}
    chosen = {rung.index for rung in kept}
    broken = {
        rung.audio_group
        for rung in playable
        if rung.index not in chosen and (rung.pathway, rung.picture) in pictures
    }
    whole = [rung for rung in kept if rung.audio_group not in broken]
    if {(rung.pathway, rung.picture) for rung in whole} != pictures:
        return kept
    gone = {rung.audio_group for rung in kept if rung.audio_group in broken}
    names = sorted("muxed" if group is None else ascii(group) for group in gone)
    text = f"audio {', '.join(names)} does not fit with every rung"
    reasons += words.left_out("audio-groups", text, kept, whole)
    return whole


def with_safe_rung(
    kept: Sequence[Rung], playable: Sequence[Rung], limits: Constraints, reasons: list[Reason]
) -> Sequence[Rung]:
    """Rule B1: H.264 and SDR stay listed, unless the request asks for other codecs or the operator
    allows no others. What a device is thought to play is a guess and no reason to do without."""
    asked = limits.wanted_codecs is not None

    def in_avc(rung: Rung) -> bool:
        return asked or rung.uses_only(_AVC)

    def in_sdr(rung: Rung) -> bool:
        return rung.video_range is VideoRange.SDR

    def in_both(rung: Rung) -> bool:
        return in_avc(rung) and in_sdr(rung)

    tests: tuple[Callable[[Rung], bool], ...] = (in_both, in_sdr, in_avc)
    for safe in tests:
        if any(safe(rung) for rung in kept):
            return kept
        candidates = [rung for rung in playable if safe(rung)]
        if candidates:
            least = lowest(candidates)
            why = "kept for clients without newer codecs or HDR"
            reasons.append(_added("safe-rung-added", why, least[0]))
            return [*kept, *_with_copies(least, candidates, kept)]
    return kept


def with_enough(
    kept: Sequence[Rung], playable: Sequence[Rung], limits: Constraints, reasons: list[Reason]
) -> Sequence[Rung]:
    """At least ``min_rungs`` different pictures, the lowest first, if the source has them."""
    chosen = list(kept)
    pictures = {rung.picture for rung in kept}
    missing = [rung for rung in playable if rung.picture not in pictures]
    while missing and len(pictures) < limits.min_rungs:
        least = lowest(missing)
        chosen += _with_copies(least, playable, kept)
        pictures |= {rung.picture for rung in least}
        missing = [rung for rung in missing if rung.picture not in pictures]
        why = f"min_rungs = {limits.min_rungs} adds"
        reasons.append(_added("min-rungs-added", why, least[0]))
    # An audio group that comes with them comes with every picture (A11.4).
    new = {rung.audio_group for rung in chosen} - {rung.audio_group for rung in kept}
    chosen += [rung for rung in playable if rung.audio_group in new and rung.picture in pictures]
    return chosen


def with_home_pathway(
    kept: Sequence[Rung],
    choices: Sequence[Sequence[Rung]],
    home: str | None,
    reasons: list[Reason],
) -> Sequence[Rung]:
    """Rule C1.1: the pathway that content steering starts on keeps its lowest rung, from the first
    of ``choices`` that has one."""
    if home is None or any(rung.pathway == home for rung in kept):
        return kept
    for rungs in choices:
        there = [rung for rung in rungs if rung.pathway == home]
        if there:
            added = lowest(there)
            why = "kept, since content steering starts on its pathway"
            reasons.append(_added("home-pathway-added", why, added[0]))
            return [*kept, *added]
    return kept
