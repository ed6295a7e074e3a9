"""Since when do sessions leave an edge?

An edge that drains or is degraded is left over a period, not at once. The period begins when this
worker learns of it. All workers learn of it within a second or so. It begins again when the edge's
state changes, or when its share of viewers falls after a whole period: the sessions that were to
stay until then have a whole period, too. Of those that were to leave, some leave later. A share
that goes up and down, as that of an edge which is full now and then, keeps nobody for longer than
another period.
"""

from collections.abc import Mapping
from typing import NamedTuple

from gateway.edge.fleet import EdgeState, Fleet

LEFT_STATES = ("draining", "degraded")


class Leaving(NamedTuple):
    """What an edge that is left is like: its state, the share of new viewers that it admits (0 to
    1), and since when sessions leave it because of these, in seconds of a monotonic clock."""

    state: EdgeState
    admits: float
    since_s: float


def leaving_since(
    fleet: Fleet, before: Mapping[int, Leaving], clock_s: float, leave_s: float
) -> Mapping[int, Leaving]:
    """When sessions began to leave each edge that they leave, by the edge's key.

    ``clock_s`` is what the monotonic clock shows now. ``before`` is the last answer of this
    function. ``leave_s`` is the period.
    """
    found: dict[int, Leaving] = {}
    for edge, condition in zip(fleet.edges, fleet.conditions, strict=True):
        if condition.state not in LEFT_STATES:
            continue
        share = condition.admits if condition.open else 0.0
        last = before.get(edge.key)
        since_s = clock_s
        if last is not None and last.state == condition.state:
            is_running = clock_s < last.since_s + leave_s
            since_s = last.since_s if is_running or last.admits <= share else clock_s
        found[edge.key] = Leaving(condition.state, share, since_s)
    return found
