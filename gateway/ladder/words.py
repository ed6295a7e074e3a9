"""How do reasons name rungs and limits?"""

from collections.abc import Sequence

from gateway.ladder.rung import Constraints, Rung
from gateway.reason import Reason, Step
from manifests.codecs import CodecFamily, VideoRange


def removal_reason(
    code: str, text: str, before: Sequence[Rung], after: Sequence[Rung]
) -> tuple[Reason, ...]:
    """The reason for a limit that removed entries; nothing for one that removed none. ``after`` are
    those of ``before`` that are left. Entries are counted only if every rung has one left."""
    if len(before) == len(after):
        return ()
    rungs = {rung.picture for rung in before}
    gone = rungs - {rung.picture for rung in after}
    if not gone:
        return variants_removed(code, text, before, after)
    return (Reason(Step.LADDER, code, f"{text}: {len(gone)} of {len(rungs)} rungs removed"),)


def variants_removed(
    code: str, text: str, before: Sequence[Rung], after: Sequence[Rung]
) -> tuple[Reason, ...]:
    """The same for entries that do not count as rungs."""
    gone = len(before) - len(after)
    if not gone:
        return ()
    return (Reason(Step.LADDER, code, f"{text}: {gone} of {len(before)} variants removed"),)


def names(values: frozenset[CodecFamily] | frozenset[VideoRange]) -> str:
    """``avc, hevc``."""
    return ", ".join(sorted(values))


def caps(limits: Constraints) -> str:
    """``at most 2500 kbit/s and 1080p``."""
    parts = []
    if limits.max_bandwidth is not None:
        parts.append(f"{limits.max_bandwidth // 1000} kbit/s")
    if limits.max_height is not None:
        parts.append(f"{limits.max_height}p")
    return "at most " + " and ".join(parts)


def describe(rung: Rung) -> str:
    """``720p at 1200 kbit/s``."""
    height = "no stated height" if rung.height is None else f"{rung.height}p"
    return f"{height} at {rung.bandwidth // 1000} kbit/s"
