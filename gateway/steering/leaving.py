"""Since when do sessions leave an edge?

An edge that drains or is degraded is left over a period, not at once. The period begins when this
worker learns of it. All workers learn of it within a second or so.
"""

from collections.abc import Mapping

from gateway.edge.fleet import Fleet

LEFT_STATES = ("draining", "degraded")


def leaving_since(fleet: Fleet, before: Mapping[int, float], clock_s: float) -> Mapping[int, float]:
    """When sessions began to leave each edge that they leave, by the edge's key.

    Times are seconds of a monotonic clock, which shows ``clock_s`` now. ``before`` is the last
    answer of this function.
    """
    return {
        edge.key: before.get(edge.key, clock_s)
        for edge, condition in zip(fleet.edges, fleet.conditions, strict=True)
        if condition.state in LEFT_STATES
    }
