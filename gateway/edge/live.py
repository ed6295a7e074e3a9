"""Does a live playlist still advance?

A live media playlist gets a new segment about once per target duration. A playlist that got none
for several target durations is stale: the edge answers, but players run out of media.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LivePosition:
    """How far a live playlist has advanced.

    ``first`` and ``last`` are the media sequence numbers of its first and last segment (``last`` is
    ``first - 1`` when there are no segments). ``since_s`` is when this position was first seen, in
    seconds of a clock that never jumps.
    """

    first: int
    last: int
    since_s: float


def live_position(
    previous: LivePosition | None, first: int, last: int, now_s: float
) -> LivePosition:
    """The position of a live playlist that held segments ``first`` to ``last`` at ``now_s``.

    A playlist slightly behind ``previous`` has not advanced: several caches may answer under one
    name, and one of them may lag. A playlist that ends before ``previous`` begins was restarted.
    """
    if previous is not None and previous.first - 1 <= last <= previous.last:
        return previous
    return LivePosition(first, last, now_s)


def staleness(
    position: LivePosition | None, target_duration_s: float, factor: float, now_s: float
) -> str:
    """Why the playlist is stale; empty when it is not.

    It is stale when there was no new segment for more than ``factor`` target durations.
    """
    if position is None:
        return ""
    silent_s = now_s - position.since_s
    if silent_s <= factor * target_duration_s:
        return ""
    return f"stale live playlist: no segment after {position.last}"
