"""``gateway edge register``: keeps an edge registered with heartbeats until the command is stopped.

It runs beside the edge for as long as the edge should get viewers. It survives any failure of
Redis; when Redis is back, with or without its data, the edge is registered again at once.
"""

import asyncio
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from random import SystemRandom

import structlog

from gateway.commands.recorded import record
from gateway.commands.store_access import open_store, shared_store
from gateway.config.load import Loaded
from gateway.operators.announcement import announce
from gateway.store.connection.protocol import Commands, StoreUnavailable
from gateway.store.coordination.register import deregister, register
from gateway.trust.keys import SigningKey
from gateway.trust.registrations import next_at_ms, signed

RETRY_S = 0.25
SIGNAL_S = 0.01
"""Seconds in which the event loop surely sees a signal that has arrived."""
JITTER = 0.1

log = structlog.get_logger()
_random = SystemRandom()


@dataclass(frozen=True, slots=True)
class HeartbeatSettings:
    """The registration of an edge (:func:`gateway.config.registration.facts_of`), the key that
    signs it, the interval of heartbeats, and the time to live."""

    edge_id: str
    facts: bytes
    key: SigningKey
    interval_s: float
    ttl_s: float


class Announcer:
    """Signs the announcements of an edge. Each is dated after the one before it, whatever happens
    to the clock of the host (``unix``, Unix time in seconds)."""

    def __init__(self, heartbeat: HeartbeatSettings, unix: Callable[[], float] = time.time) -> None:
        self._heartbeat = heartbeat
        self._unix = unix
        self._last_ms = 0

    def heartbeat(self) -> bytes:
        """An entry that says that the edge is there."""
        return self._signed(self._heartbeat.facts)

    def farewell(self) -> bytes:
        """An entry that says that it leaves."""
        return self._signed(b"")

    def _signed(self, facts: bytes) -> bytes:
        self._last_ms = next_at_ms(round(self._unix() * 1000), self._last_ms)
        return signed(self._heartbeat.key, self._heartbeat.edge_id, facts, self._last_ms)


async def register_once(loaded: Loaded, heartbeat: HeartbeatSettings) -> None:
    """Send one heartbeat. Raises CommandError."""
    async with open_store(loaded) as (_, commands):
        await _beat(commands, heartbeat, Announcer(heartbeat))
        await record(commands, "edge.register", heartbeat.edge_id)


async def register_until_stopped(loaded: Loaded, heartbeat: HeartbeatSettings) -> None:
    """Send heartbeats until SIGTERM or SIGINT, then deregister. Raises CommandError when the
    config names no Redis to register with."""
    store = shared_store(loaded)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await store.start()
    try:
        if store.redis is not None:
            announcer = Announcer(heartbeat)
            await _keep_registered(store.redis, heartbeat, announcer, stop)
            await _deregister(store.redis, heartbeat, announcer)
    finally:
        await store.close()


async def _keep_registered(
    commands: Commands, heartbeat: HeartbeatSettings, announcer: Announcer, stop: asyncio.Event
) -> None:
    trouble: str | None = ""
    recorded = False
    while not stop.is_set():
        pause_s = heartbeat.interval_s * _random.uniform(1.0 - JITTER, 1.0)
        try:
            await _beat(commands, heartbeat, announcer)
        except StoreUnavailable as error:
            pause_s = min(RETRY_S, pause_s)
            if not trouble:
                log.warning("edge_not_registered", edge=heartbeat.edge_id, reason=str(error))
            trouble = str(error)
        else:
            if trouble is not None:
                log.info("edge_registered", edge=heartbeat.edge_id, ttl_s=heartbeat.ttl_s)
            if not recorded:
                recorded = await record(commands, "edge.register", heartbeat.edge_id)
            trouble = None
        try:
            async with asyncio.timeout(pause_s):
                await stop.wait()
        except TimeoutError:
            # A process that was frozen is told of both at once: that it is to stop comes first, or
            # it would take back an edge that another one has now.
            await asyncio.sleep(SIGNAL_S)


async def _beat(commands: Commands, heartbeat: HeartbeatSettings, announcer: Announcer) -> None:
    """Send one heartbeat. Raises StoreUnavailable."""
    entry = announcer.heartbeat()
    if await register(commands, heartbeat.edge_id, entry, heartbeat.ttl_s):
        await announce(commands, "register", heartbeat.edge_id)


async def _deregister(
    commands: Commands, heartbeat: HeartbeatSettings, announcer: Announcer
) -> None:
    try:
        farewell = announcer.farewell()
        left = await deregister(commands, heartbeat.edge_id, heartbeat.facts, farewell)
    except StoreUnavailable as error:
        log.warning("edge_not_deregistered", edge=heartbeat.edge_id, reason=str(error))
        return
    if not left:  # another process has registered the edge since, or it has expired
        log.info("edge_not_ours_any_more", edge=heartbeat.edge_id)
        return
    await record(commands, "edge.deregister", heartbeat.edge_id)
    await announce(commands, "leave", heartbeat.edge_id)
    log.info("edge_deregistered", edge=heartbeat.edge_id)
