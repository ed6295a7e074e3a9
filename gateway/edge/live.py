"""Does a live playlist still advance?

A live media playlist gets a new segment about every target duration. One that got none for longer
than a few target durations is stale: the edge answers, and players run dry all the same.
"""

from dataclasses import dataclass

from manifests.hls.media import MediaPlaylist


@dataclass(frozen=True, slots=True)
class Head:
    """How far a live playlist has come: the media sequence numbers of its first and last segment
    (``last`` is ``first - 1`` without segments), and when it was first seen there (Unix time)."""

    first: int
    last: int
    since_s: float


def head_of(previous: Head | None, playlist: MediaPlaylist, now_s: float) -> Head | None:
    """How far ``playlist``, read at ``now_s``, has come; None when it is complete.

    A playlist that is a little behind what was seen has not advanced: several caches stand behind
    one name. One that ends before everything seen was begun anew.
    """
    if playlist.ended:
        return None
    first = playlist.media_sequence
    last = first + playlist.segments - 1
    if previous is not None and previous.first - 1 <= last <= previous.last:
        return previous
    return Head(first, last, now_s)


def staleness(head: Head | None, target_duration_s: float, factor: float, now_s: float) -> str:
    """Why the playlist counts as stuck; empty when it does not. It is stale when nothing was new
    for longer than ``factor`` target durations."""
    if head is None:
        return ""
    silent_s = now_s - head.since_s
    if silent_s <= factor * target_duration_s:
        return ""
    return f"stale live playlist: stuck at segment {head.last}"
