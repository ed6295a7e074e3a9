"""Which edges are full? Reads what is leased about once a second, and reports full edges to the
fleet.

Each request checks an edge's capacity itself (:mod:`gateway.store.coordination.leases`). The fleet
has to know as well, so that rankings can skip full edges and go on to the next region.
"""

import time
from random import SystemRandom

from gateway.background.fleet import FleetKeeper
from gateway.edge.capacity import full_edges
from gateway.edge.fleet import EdgeCondition
from gateway.observe import metrics
from gateway.store.coordination.leases import Leases, Loads

INTERVAL_S = 1.0

_random = SystemRandom()


async def follow(leases: Leases, keeper: FleetKeeper, interval_s: float = INTERVAL_S) -> None:
    """Update the fleet every ``interval_s`` seconds, until cancelled."""
    conditions: dict[str, EdgeCondition] = {}
    shown: frozenset[str] = frozenset()
    while True:
        if leases.active or shown:
            loads = await leases.look()
            shown = _show(loads, shown)
            conditions = judge(loads, conditions, time.time())
            keeper.judged("capacity", conditions)
        await leases.wait(interval_s * _random.uniform(0.8, 1.2))


def judge(loads: Loads, before: dict[str, EdgeCondition], now_s: float) -> dict[str, EdgeCondition]:
    """The conditions of full edges; an edge that was full before keeps its condition and its start
    time."""
    full = full_edges(loads.leased, loads.bounds, before)
    return {edge: before.get(edge) or _full(loads, edge, now_s) for edge in sorted(full)}


def _full(loads: Loads, edge: str, now_s: float) -> EdgeCondition:
    leased, bound = loads.leased[edge] / 1000, loads.bounds[edge] / 1000
    whose = ", this worker's share" if loads.alone else ""
    why = f"{leased:,.0f} of {bound:,.0f} Mbit/s leased{whose}"
    return EdgeCondition(full=True, why=why, since_s=now_s)


def _show(loads: Loads, before: frozenset[str]) -> frozenset[str]:
    """Set the metrics. A removed edge is set to 0, since a series cannot be deleted."""
    for edge in {*loads.bounds, *before}:
        metrics.EDGE_LEASED.labels(edge).set(loads.leased.get(edge, 0))
        metrics.EDGE_CAPACITY.labels(edge).set(loads.bounds.get(edge, 0))
    return frozenset(loads.bounds)
