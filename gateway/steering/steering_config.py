"""The constants of content steering, as ``[steering]`` configures them."""

from dataclasses import dataclass
from typing import Literal

Copies = Literal["never", "needed", "always"]
"""``needed``: where edges cannot be clones of each other, or the player cannot clone."""


@dataclass(frozen=True, slots=True)
class SteeringConfig:
    """How often players ask, and when sessions move. Times are in seconds, shares from 0 to 1.

    ``enabled``: playlists tell players where to ask.
    A player asks every ``ttl_s``, varied by ``ttl_jitter``; one that asks too often is told to wait
    for up to ``max_ttl_s``. A session moves at most once in
    ``dwell_s``, unless its edge is down. Sessions leave a draining or degraded edge over
    ``leave_s``. An edge is too slow for a viewer below ``slow_share`` of what the viewer's network
    has shown; what other viewers of it measure on an edge counts from ``slow_viewers`` of them on.
    Another edge that was measured must be better by the share ``hysteresis``. A
    measurement or a failure counts for ``forget_s``. ``max_pathways`` is the most that an answer
    names. ``inline``: playlists hold the first answer. ``copies``: whether playlists list the
    ladder once for each of some edges.
    """

    enabled: bool = True
    ttl_s: int = 30
    max_ttl_s: int = 300
    ttl_jitter: float = 0.1
    dwell_s: int = 60
    leave_s: int = 120
    slow_share: float = 0.5
    slow_viewers: int = 8
    hysteresis: float = 0.25
    forget_s: int = 600
    max_pathways: int = 3
    inline: bool = False
    copies: Copies = "needed"
