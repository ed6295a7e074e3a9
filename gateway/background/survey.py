"""Which edges would a gateway with this config have now, and in which condition?

For commands that look once: names are resolved, and the register, the drains, the overrides, the
probes' findings and what is leased are read from the store. Nothing is probed or written.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.background.capacity import judge
from gateway.background.dns_edges import DnsEdges
from gateway.background.edge_register import EdgeRegister
from gateway.background.fleet import FleetKeeper
from gateway.background.health_watch import HealthWatch
from gateway.background.overrides import OverrideWatch
from gateway.config.build import drains_of, templates_of
from gateway.config.load import Loaded
from gateway.edge.fleet import EdgeCondition, Fleet
from gateway.edge.resolved import EdgeTemplate
from gateway.store.connection.protocol import Commands, Store, StoreUnavailable, Trouble
from gateway.store.coordination.bus import Subscription
from gateway.store.coordination.leases import loads_of

LIMIT_S = 3.0


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found. ``leased_kbps`` is what is leased on each edge that has a capacity; nothing
    when the store does not say. ``unresolved`` are the templates whose names got no answer: their
    edges are not known here, so the table itself stands for them. ``no_writes`` is why the store
    takes no writes: what gateways have found since then is not in it."""

    keeper: FleetKeeper
    leased_kbps: Mapping[str, int]
    unresolved: Sequence[EdgeTemplate]
    no_writes: Trouble | None

    @property
    def fleet(self) -> Fleet:
        """The fleet, with the conditions of its edges."""
        return self.keeper.fleet


async def survey(loaded: Loaded, store: Store) -> Survey:
    """The fleet of ``loaded``; ``store`` is started. What cannot be found out within a few seconds
    is left out, and logged."""
    settings = loaded.settings
    keeper = FleetKeeper(loaded.policy.edges)
    keeper.judged("config", drains_of(settings))
    names = DnsEdges(keeper, templates_of(settings), settings.dns)
    asking = asyncio.create_task(names.run())
    try:
        await names.first_answers(LIMIT_S)
    finally:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    if store.redis is not None:
        changes = Subscription("edges")
        register = EdgeRegister(keeper, store.redis, changes, settings)
        await register.read(store.redis, repairs=False)
        await OverrideWatch(keeper, store.redis, changes).read(store.redis, repairs=False)
    await HealthWatch(store, keeper, settings.health, None).first_look()
    leased = {} if store.redis is None else await _leased(keeper, store.redis)
    unresolved = names.unresolved()
    keeper.judged("dns", {template.edge.id: _not_resolved(template) for template in unresolved})
    no_writes = store.trouble if store.state == "readonly" else None
    return Survey(keeper, leased, unresolved, no_writes)


async def _leased(keeper: FleetKeeper, commands: Commands) -> Mapping[str, int]:
    """What is leased on each edge that has a capacity; the keeper is told which of them are full.
    Nothing when the store does not say."""
    try:
        loads = await loads_of(commands, keeper.fleet.edges)
    except StoreUnavailable:
        return {}
    full = judge(loads, {}, time.time())
    unknown = {edge: replace(condition, since_s=None) for edge, condition in full.items()}
    keeper.judged("capacity", unknown)  # since when is not known here
    return loads.leased


def _not_resolved(template: EdgeTemplate) -> EdgeCondition:
    return EdgeCondition(
        why=f"{template.question.name} is not resolved here; gateways may have other edges"
    )
