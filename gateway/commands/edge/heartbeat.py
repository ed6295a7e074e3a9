"""``gateway edge register``: an edge says that it is there, again and again, until it leaves.

It runs beside the edge for as long as the edge is to get viewers. Whatever happens to Redis, it
goes on; when Redis comes back, with or without what it knew, the edge is registered again at once.
"""

import asyncio
import signal
from dataclasses import dataclass
from random import SystemRandom

import structlog

from gateway.commands.edge.reach import announce, reached, shared_store
from gateway.config.load import Loaded
from gateway.store.connection.protocol import Commands, StoreUnavailable
from gateway.store.coordination.register import deregister, register

RETRY_S = 0.25
JITTER = 0.1

log = structlog.get_logger()
_random = SystemRandom()


@dataclass(frozen=True, slots=True)
class Heartbeats:
    """What is said of an edge (:func:`gateway.config.registration.facts_of`), how often, and how
    long it holds."""

    edge_id: str
    facts: bytes
    interval_s: float
    ttl_s: float


async def say_once(loaded: Loaded, beats: Heartbeats) -> None:
    """One heartbeat. Raises RosterError."""
    async with reached(loaded) as (_, commands):
        await _say(commands, beats)


async def say_until_stopped(loaded: Loaded, beats: Heartbeats) -> None:
    """Heartbeats until SIGTERM or SIGINT; then the edge takes leave. Raises RosterError when
    there is no Redis that it could ever register with."""
    store = shared_store(loaded)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await store.start()
    try:
        if store.redis is not None:
            await _keep_saying(store.redis, beats, stop)
            await _leave(store.redis, beats)
    finally:
        await store.close()


async def _keep_saying(commands: Commands, beats: Heartbeats, stop: asyncio.Event) -> None:
    trouble: str | None = ""
    while not stop.is_set():
        pause_s = beats.interval_s * _random.uniform(1.0 - JITTER, 1.0)
        try:
            await _say(commands, beats)
        except StoreUnavailable as error:
            pause_s = min(RETRY_S, pause_s)
            if not trouble:
                log.warning("edge_not_registered", edge=beats.edge_id, reason=str(error))
            trouble = str(error)
        else:
            if trouble is not None:
                log.info("edge_registered", edge=beats.edge_id, ttl_s=beats.ttl_s)
            trouble = None
        try:
            async with asyncio.timeout(pause_s):
                await stop.wait()
        except TimeoutError:
            continue  # not stopped: the next one


async def _say(commands: Commands, beats: Heartbeats) -> None:
    """Raises StoreUnavailable."""
    if await register(commands, beats.edge_id, beats.facts, beats.ttl_s):
        await announce(commands, "register", beats.edge_id)


async def _leave(commands: Commands, beats: Heartbeats) -> None:
    try:
        left = await deregister(commands, beats.edge_id, beats.facts)
    except StoreUnavailable as error:
        log.warning("edge_leaves_unheard", edge=beats.edge_id, reason=str(error))
        return
    if left:
        await announce(commands, "leave", beats.edge_id)
    log.info("edge_left", edge=beats.edge_id)
