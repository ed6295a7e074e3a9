"""In which order are the entries listed? The ones to start on come first (rule B4).

A player drops the entries that it cannot play (G5), and starts on the first that is left. So the
start rung is put first for every group of entries that players play or drop alike: for each audio
group, each set of codecs, each video range and each level of output protection. Whatever a player
drops, the first entry that is left is the start rung of its group.

Each pathway is listed whole before the next, and within each its start rungs come before the other
entries. The other entries keep the source's order.
"""

from collections.abc import Iterable, Sequence
from operator import attrgetter

from gateway.ladder import words
from gateway.ladder.rung import Rung
from gateway.reason import Reason, Step
from manifests.codecs import CodecFamily, VideoRange

DEFAULT_START_BANDWIDTH = 2_000_000
"""bit/s to start on when nothing was measured (rule B4)."""

_index = attrgetter("index")
_bandwidth = attrgetter("bandwidth")
_alike = attrgetter("audio_group", "playability")
_AVC = frozenset({CodecFamily.AVC})


def start_order(
    entries: Sequence[Rung],
    kept: Sequence[Rung],
    start_bandwidth: int | None,
    home_pathway: str | None,
) -> tuple[tuple[int, ...], Reason]:
    """The indices of ``entries`` in output order, and why the first one is the one to start on.

    ``kept`` are those of ``entries`` that count as rungs, at least one: a player may start on
    them. The start rung of a group is the highest within ``start_bandwidth`` (bit/s), else the
    lowest. The first entry is on the pathway on which content steering starts (C2.6). A higher
    ``start_bandwidth`` never makes its bit rate lower.
    """
    target = DEFAULT_START_BANDWIDTH if start_bandwidth is None else start_bandwidth
    candidates = _by_pathway(kept)
    listed = _by_pathway(entries)
    # Where only entries without a start rung are left, they come last.
    pathways = sorted(candidates, key=lambda pathway: pathway != home_pathway)
    order: dict[int, None] = {}
    for pathway in dict.fromkeys((*pathways, *listed)):
        order |= dict.fromkeys(_starts(candidates.get(pathway, ()), target))
        order |= dict.fromkeys(map(_index, listed[pathway]))
    first = next(iter(order))
    return tuple(order), _reason(kept, first, target)


def _by_pathway(rungs: Iterable[Rung]) -> dict[str, list[Rung]]:
    """The entries of each pathway, and the pathways, in the order of the source."""
    found: dict[str, list[Rung]] = {}
    for rung in sorted(rungs, key=_index):
        found.setdefault(rung.pathway, []).append(rung)
    return found


def _starts(rungs: Sequence[Rung], target: int) -> Iterable[int]:
    """The indices of the start rungs of one pathway's rungs, each followed by its copies (A6.16).

    Groups that more players can play come first: H.264, and of that SDR. Of these, the group
    with the highest picture within ``target`` comes first. Of groups with the same one, such
    as those that differ in their audio, the one that the source lists first does: it has the
    packager's default audio.
    """
    groups: dict[object, list[Rung]] = {}
    cheapest: dict[tuple[int, int], int] = {}
    for rung in rungs:
        groups.setdefault(_alike(rung), []).append(rung)
        known = cheapest.get(rung.picture, rung.bandwidth)
        cheapest[rung.picture] = min(known, rung.bandwidth)
    ranked = []
    for group in groups.values():
        within = [rung for rung in group if rung.bandwidth <= target]
        start = max(within, key=_bandwidth) if within else min(group, key=_bandwidth)
        # Audio costs more in one group than in another: pictures are compared at their lowest cost.
        worth = max([cheapest[rung.picture] for rung in within], default=-start.bandwidth)
        copies = [
            rung.index
            for rung in group
            if rung.picture == start.picture and rung.bandwidth == start.bandwidth
        ]
        ranked.append((_tier(start), not within, -worth, group[0].index, copies))
    return [index for *_, copies in sorted(ranked) for index in copies]


def _tier(rung: Rung) -> tuple[bool, bool]:
    """Sorts entries that every player can play before the others."""
    return not rung.uses_only(_AVC), rung.video_range is not VideoRange.SDR


def _reason(kept: Sequence[Rung], first: int, target: int) -> Reason:
    """Why playback starts on this entry, and what it is preferred to."""
    start = next(rung for rung in kept if rung.index == first)
    within = start.bandwidth <= target
    better = [
        rung
        for rung in kept
        if (rung.bandwidth <= target if within else True)
        and (rung.bandwidth > start.bandwidth if within else rung.bandwidth < start.bandwidth)
    ]
    on = f"start on {words.describe(start)}"
    if within:
        code, plain = "start-within-speed", "the highest rung within the start bit rate"
        instead = "higher within the start bit rate, but passed over"
    else:
        code, plain = "start-lowest", "the lowest rung, since none is within the start bit rate"
        instead = "lower, but passed over"
    if not better:
        return Reason(Step.START, code, f"{on}, {plain}")
    why: dict[str, Rung] = {}
    for rung in sorted(better, key=_bandwidth, reverse=within):
        why.setdefault(_difference(rung, start), rung)
    passed = ", ".join(f"{words.describe(rung)} ({cause})" for cause, rung in why.items())
    return Reason(Step.START, code, f"{on}; {instead}: {passed}")


def _difference(rung: Rung, start: Rung) -> str:
    """In what respect an entry is worse to start on than ``start``."""
    if rung.pathway != start.pathway:
        return "on another pathway"
    causes = []
    codecs, ranges = (
        mine and not theirs for mine, theirs in zip(_tier(rung), _tier(start), strict=True)
    )
    if codecs:
        causes.append("not H.264")
    if ranges:
        causes.append("of unknown video range" if rung.video_range is None else "HDR")
    if not causes and rung.picture == start.picture:
        return "the same picture, listed later"
    return ", ".join(causes) or "not a better picture"
