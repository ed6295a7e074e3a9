"""Which edges would a gateway with this config have now, and in which condition?

For commands that look once: names are resolved, and the register, the drains, the overrides
and the probes' findings are read from the store. Nothing is probed or written.
"""

import asyncio

from gateway.background.dns_edges import DnsEdges
from gateway.background.edge_register import EdgeRegister
from gateway.background.fleet import FleetKeeper
from gateway.background.health_watch import HealthWatch
from gateway.background.overrides import OverrideWatch
from gateway.config.build import drains_of, templates_of
from gateway.config.load import Loaded
from gateway.store.connection.protocol import Store
from gateway.store.coordination.bus import Subscription

LIMIT_S = 3.0


async def survey(loaded: Loaded, store: Store) -> FleetKeeper:
    """The fleet of ``loaded``, as the keeper has it; ``store`` is started. What cannot be found out
    within a few seconds is left out, and logged."""
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
    return keeper
