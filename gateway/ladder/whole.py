"""Which rungs are removed or put back so that the fitted ladder is complete?

Limits judge every rung alone. A ladder as a whole also needs each picture for each audio group
(rule A11.4), a rung that every client plays (B1), as many rungs as the operator wants, a rung on
the pathway on which content steering starts (C1.1), and one for whatever only some of them serve
(E6, E17). Copies of a rung, on other pathways or as redundant streams (A6.16), are removed and put
back together.
"""

from collections.abc import Callable, Sequence

from gateway.ladder import words
from gateway.ladder.rung import Constraints, Rung
from gateway.reason import Reason, Step
from manifests.codecs import CodecFamily, VideoRange

_AVC = frozenset({CodecFamily.AVC})
_MAX_NAME = 80
"""Characters of a name in a reason, which comes from the source."""
_MAX_NAMES = 3


def lowest(rungs: Sequence[Rung]) -> list[Rung]:
    """The rungs with the lowest BANDWIDTH, and of those the lowest height: one rung and its copies.

    The result does not depend on their order, so that fitting a fitted ladder changes nothing.
    """
    least = min((rung.bandwidth, rung.height or 0) for rung in rungs)
    return [rung for rung in rungs if (rung.bandwidth, rung.height or 0) == least]


def _with_copies(
    rungs: Sequence[Rung], playable: Sequence[Rung], kept: Sequence[Rung]
) -> list[Rung]:
    """The pictures of ``rungs`` for every audio group that ``kept`` has, and the rungs themselves
    where their own group is not in ``kept``."""
    listed = {rung.audio_group for rung in kept}
    pictures = {rung.picture for rung in rungs}
    copies = [rung for rung in playable if rung.audio_group in listed and rung.picture in pictures]
    covered = {rung.picture for rung in copies}
    return [*copies, *(rung for rung in rungs if rung.picture not in covered)]


def _added(code: str, why: str, rungs: Sequence[Rung]) -> Reason:
    """The reason for adding one rung, as these entries; it names the one of the lowest bit rate."""
    return Reason(Step.LADDER, code, f"{why}: {words.describe(lowest(rungs)[0])}")


def whole_audio_groups(
    kept: Sequence[Rung], playable: Sequence[Rung], reasons: list[Reason]
) -> Sequence[Rung]:
    """Every kept picture for every kept audio group (rule A11.4).

    Where an audio group with a higher bit rate takes some kept picture over a cap, the group is
    removed, not the picture. Groups that have different pictures stay as they are.
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
    names = sorted("muxed" if group is None else ascii(group[:40]) for group in gone)
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""  # noqa: PLR2004
    text = f"with audio {', '.join(names[:5])}{more} some rungs exceed the limits"
    reasons += words.removal_reason("audio-groups", text, kept, whole)
    return whole


def with_safe_rung(
    kept: Sequence[Rung], playable: Sequence[Rung], limits: Constraints, reasons: list[Reason]
) -> Sequence[Rung]:
    """Keep a rung in H.264 and SDR (rule B1), unless the request or the operator excludes them.
    What a device plays is a guess, and must not remove the rung that every device plays."""
    asked = limits.wanted_codecs is not None

    def in_avc(rung: Rung) -> bool:
        return asked or rung.uses_only(_AVC)

    def in_sdr(rung: Rung) -> bool:
        return rung.video_range is VideoRange.SDR

    def in_both(rung: Rung) -> bool:
        return in_avc(rung) and in_sdr(rung)

    tests: tuple[tuple[str, Callable[[Rung], bool]], ...] = (
        ("SDR" if asked else "H.264 in SDR", in_both),
        ("SDR", in_sdr),
        ("H.264", in_avc),
    )
    for name, safe in tests:
        if any(safe(rung) for rung in kept):
            return kept
        candidates = [rung for rung in playable if safe(rung)]
        if candidates:
            least = lowest(candidates)
            why = f"kept for clients that play only {name}"
            added = _with_copies(least, candidates, kept)
            reasons.append(_added("safe-rung-added", why, added))
            return [*kept, *added]
    return kept


def with_enough(
    kept: Sequence[Rung], playable: Sequence[Rung], limits: Constraints, reasons: list[Reason]
) -> Sequence[Rung]:
    """Add the lowest rungs until there are ``min_rungs`` different pictures, if the source has as
    many."""
    chosen = list(kept)
    pictures = {rung.picture for rung in kept}
    missing = [rung for rung in playable if rung.picture not in pictures]
    while missing and len(pictures) < limits.min_rungs:
        least = lowest(missing)
        added = _with_copies(least, playable, kept)
        chosen += added
        pictures |= {rung.picture for rung in least}
        missing = [rung for rung in missing if rung.picture not in pictures]
        why = f"added because min_rungs is {limits.min_rungs}"
        reasons.append(_added("min-rungs-added", why, added))
    # An audio group that is added needs every picture (A11.4).
    new = {rung.audio_group for rung in chosen} - {rung.audio_group for rung in kept}
    chosen += [rung for rung in playable if rung.audio_group in new and rung.picture in pictures]
    return chosen


def with_home_pathway(
    kept: Sequence[Rung],
    choices: Sequence[Sequence[Rung]],
    home: str | None,
    reasons: list[Reason],
) -> Sequence[Rung]:
    """Keep the lowest rung of the pathway on which content steering starts (rule C1.1), from the
    first of ``choices`` that has one."""
    if home is None or any(rung.pathway == home for rung in kept):
        return kept
    for rungs in choices:
        there = [rung for rung in rungs if rung.pathway == home]
        if there:
            added = lowest(there)
            why = "kept because content steering starts on its pathway"
            reasons.append(_added("home-pathway-added", why, added))
            return [*kept, *added]
    return kept


def with_all_served(
    kept: Sequence[Rung], playable: Sequence[Rung], reasons: list[Reason]
) -> Sequence[Rung]:
    """Keep the lowest rung for everything that a playable rung serves and no kept one does: another
    camera, a key system, events (rules E6, E17). ``Rung.serves`` names it."""
    served = {name for rung in kept for name in rung.serves}
    missing: dict[str, list[Rung]] = {}
    for rung in playable:
        for name in rung.serves - served:
            missing.setdefault(name, []).append(rung)
    if not missing:
        return kept
    added: list[Rung] = []
    names = []
    for name in sorted(missing):
        if name not in served:
            least = lowest(missing[name])
            served.update(*[rung.serves for rung in least])
            added += least
            names.append(ascii(name[:_MAX_NAME]))
    text = f"kept as the only ones with {', '.join(names[:_MAX_NAMES])}"
    if len(names) > _MAX_NAMES:
        text = f"{text} and {len(names) - _MAX_NAMES} more"
    reasons.append(_added("only-rungs-added", text, added))
    return [*kept, *added]
