"""What does this worker do when another one announces a change?

``policy``: another worker has reloaded its config, so check whether our file has changed, too.
Nothing is reloaded unless it has, so workers with different files do not affect each other.
``assets``: a purge. After a gap in the messages the file is checked, and the source revalidates its
copies. The topic ``edges`` is followed by the modules that know edges.
"""

import asyncio
from collections.abc import Callable
from random import SystemRandom

import structlog

from gateway.observe import metrics
from gateway.source.source import Source
from gateway.store.connection.protocol import Commands
from gateway.store.coordination.acknowledgements import acknowledge
from gateway.store.coordination.bus import Bus, Gap, Message
from gateway.store.coordination.messages import (
    ControlMessage,
    PolicyReloaded,
    Purge,
    decode_message,
    encode_message,
)
from gateway.store.coordination.presence import Presence

RETRY_S = 1.0
"""Seconds before an announcement that was not accepted is sent again."""

log = structlog.get_logger()
_random = SystemRandom()


class Control:
    """Follows messages of other workers, and announces what happened here."""

    def __init__(
        self,
        bus: Bus,
        presence: Presence,
        commands: Commands | None,
        look: Callable[[], None],
        source: Callable[[], Source],
    ) -> None:
        """``look`` schedules a check of the config file. ``source`` gives the source in use.
        ``commands`` writes acknowledgements of purges; None without Redis."""
        self._bus = bus
        self._presence = presence
        self._commands = commands
        self._look = look
        self._source = source
        self._policy_events = bus.subscribe("policy")
        self._asset_events = bus.subscribe("assets")
        self._version = ""
        self._at_work = False
        self._reloaded = asyncio.Event()

    def reloaded(self, version: str) -> None:
        """A config came into force here: announce it to the others as soon as they can be
        reached."""
        self._version = version
        self._reloaded.set()

    async def run(self) -> None:
        """Follow until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._announce())
            tasks.create_task(self._follow_policy())
            tasks.create_task(self._follow_assets())

    async def _announce(self) -> None:
        while True:
            await self._reloaded.wait()
            self._reloaded.clear()
            if not await self._bus.publish("policy", encode_message(PolicyReloaded(self._version))):
                self._reloaded.set()
                await asyncio.sleep(RETRY_S * _random.uniform(0.8, 1.2))

    async def _follow_policy(self) -> None:
        async for event in self._policy_events:
            match event if isinstance(event, Gap) else _decoded(event):
                case Gap() | PolicyReloaded():
                    self._look()
                case _:
                    continue

    async def _follow_assets(self) -> None:
        if self._at_work:  # an earlier run failed before it had finished a purge
            await self._source().revalidate_all()
        self._at_work = False
        async for event in self._asset_events:
            self._at_work = True
            match event if isinstance(event, Gap) else _decoded(event):
                case Gap(_, "lost" | "slow"):
                    await self._source().revalidate_all()
                case Purge() as purge:
                    await self._purge(purge)
                case _:
                    pass
            self._at_work = False

    async def _purge(self, purge: Purge) -> None:
        if purge.asset is not None:
            await self._source().purge(purge.asset)
        elif purge.prefix is not None:
            await self._source().purge_prefix(purge.prefix)
        log.info("purged", asset=purge.asset, prefix=purge.prefix)
        if self._commands is not None:
            await acknowledge(self._commands, purge.token, self._presence.id)


def _decoded(message: Message) -> ControlMessage | None:
    """Decode a message; count one that cannot be decoded."""
    found = decode_message(message.body)
    if found is None:
        metrics.BUS_IGNORED.labels(message.topic).inc()
    return found
