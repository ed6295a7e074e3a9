"""Which edges are full? Looks at what is leased about once a second, and tells the fleet.

Requests meet a full edge's bound by themselves (:mod:`gateway.store.coordination.leases`). That the
fleet knows of it as well lets rankings look past full edges to the next region.
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
    """Look and judge every ``interval_s`` seconds, until cancelled."""
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
    """The edges that are full, in the condition that they have had since they are."""
    full = full_edges(loads.leased, loads.bounds, before)
    return {edge: before.get(edge) or _full(loads, edge, now_s) for edge in sorted(full)}


def _full(loads: Loads, edge: str, now_s: float) -> EdgeCondition:
    leased, bound = loads.leased[edge] / 1000, loads.bounds[edge] / 1000
    whose = ", this worker's share" if loads.alone else ""
    why = f"{leased:,.0f} of {bound:,.0f} Mbit/s leased{whose}"
    return EdgeCondition(full=True, why=why, since_s=now_s)


def _show(loads: Loads, before: frozenset[str]) -> frozenset[str]:
    """Set the metrics; what is gone is set to 0, since a series cannot be taken back."""
    for edge in {*loads.bounds, *before}:
        metrics.EDGE_LEASED.labels(edge).set(loads.leased.get(edge, 0))
        metrics.EDGE_CAPACITY.labels(edge).set(loads.bounds.get(edge, 0))
    return frozenset(loads.bounds)
