"""Which edges have registered themselves, and which have operators drained? Read from Redis.

The register is read about once a second, and whenever a message says that it changed. While Redis
cannot be read, the last known registrations (which probes check) and drains stay in force. After
Redis has restarted empty, gateways write the drains back, and edges register again.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from functools import partial
from random import SystemRandom

import structlog

from gateway.background.announced_edges import AnnouncedEdges
from gateway.background.entry_parser import EntryParser
from gateway.background.fleet import FleetKeeper
from gateway.background.following import follow
from gateway.config.schema import Settings
from gateway.edge.fleet import EdgeCondition
from gateway.edge.registered import RegisteredEdges
from gateway.store.connection.protocol import Commands, StoreUnavailable
from gateway.store.coordination import register
from gateway.store.coordination.bus import Subscription
from gateway.store.coordination.register import Drain, RegisterEntry, drain_of
from gateway.store.garbage import found_garbage

POLL_S = 1.0
REST_S = 0.05
MAX_WHY_CHARS = 200

log = structlog.get_logger()
_random = SystemRandom()


class EdgeRegister:
    """Reads the register and reports to the keeper."""

    def __init__(
        self,
        keeper: FleetKeeper,
        commands: Commands | None,
        changes: Subscription,
        settings: Settings,
    ) -> None:
        """``commands`` is None where there is no Redis to register with. ``changes`` triggers an
        immediate read. ``settings`` say whether registered edges are used; drains always are."""
        self._keeper = keeper
        self._commands = commands
        self._changes = changes
        self._registered = RegisteredEdges()
        self._announced = AnnouncedEdges(settings)
        self._drain_entries = EntryParser(_drain)
        self._drained: dict[bytes, tuple[bytes, Drain]] = {}
        self._first = asyncio.Event()
        self._unread = False
        self._too_many = False

    def configure(self, settings: Settings) -> None:
        """Use the keys and patterns of a new config. Edges that they refuse leave at once, also
        while Redis cannot be read."""
        self._announced.configure(settings)
        self._keeper.found("registry", self._registered.keep(self._announced.accepts))

    async def run(self) -> None:
        """Follow the register until cancelled."""
        if self._commands is None:
            self._first.set()
            return
        await follow(self._changes, partial(self._look, self._commands), self._pause_s)

    async def _look(self, commands: Commands) -> None:
        await self.read(commands)
        self._first.set()

    def _pause_s(self) -> float:
        """About a second, or until the next registration expires, so that its edge goes at once."""
        left_s = self._registered.next_end_s - asyncio.get_running_loop().time()
        usual_s = POLL_S * _random.uniform(0.8, 1.2)
        return usual_s if self._unread else min(usual_s, max(left_s, 0.0) + REST_S)

    async def first_look(self, limit_s: float) -> None:
        """Wait until one read has ended, successful or not, but no longer than ``limit_s``."""
        try:
            async with asyncio.timeout(limit_s):
                await self._first.wait()
        except TimeoutError:
            log.warning("registry_not_read_yet")

    async def read(self, commands: Commands, *, repairs: bool = True) -> None:
        """Read once and report to the keeper. Survives a Redis that cannot be read. Without
        ``repairs`` nothing is written."""
        try:
            contents = await register.read(commands)
        except StoreUnavailable as error:
            self._registered.read_failed()
            if not self._unread:
                log.warning("registry_not_read", reason=str(error))
            self._unread = True
            return
        if self._unread:
            log.info("registry_recovered")
        self._unread = False
        self._use_entries(contents.entries)
        lost: Mapping[bytes, bytes] = {}
        unreadable: Mapping[bytes, bytes] = {}
        if contents.drains is not None:
            lost, unreadable = self._use_drains(contents.drains)
        elif not self._too_many:
            log.error("drains_not_read", reason=f"more than {register.MAX_DRAINS} entries")
        self._too_many = contents.drains is None
        if contents.garbage:
            found_garbage("register", "too long, no time, or a key of another type")
        if repairs:
            if contents.garbage or unreadable or self._too_many:
                await _repair(commands, unreadable)
            await _put_back(commands, lost)

    def _use_entries(self, entries: Sequence[RegisterEntry]) -> None:
        if not self._announced.enabled:
            self._keeper.found("registry", ())
            return
        beats, leaving = self._announced.read(entries, time.time())
        now_s = asyncio.get_running_loop().time()
        self._keeper.found("registry", self._registered.update(beats, leaving, now_s))

    def _use_drains(
        self, entries: Mapping[bytes, bytes]
    ) -> tuple[Mapping[bytes, bytes], Mapping[bytes, bytes]]:
        """Report drains to the keeper. Returns the drains that Redis has lost (they were there, and
        now there is not even an entry that ends them), and the entries that cannot be read."""
        drains = self._drain_entries.parse(entries.items())
        unreadable = {key: entry for key, entry in entries.items() if key not in drains}
        lost = {key: known for key, known in self._drained.items() if key not in drains}
        drained = {key: (entries[key], drain) for key, drain in drains.items() if drain.drained}
        self._drained = lost | drained
        self._keeper.judged(
            "drain",
            {key.decode(): condition_of(drain) for key, (_, drain) in self._drained.items()},
        )
        return {key: entry for key, (entry, _) in lost.items()}, unreadable


async def _repair(commands: Commands, unreadable: Mapping[bytes, bytes]) -> None:
    """Remove from Redis what is not ours; if that fails, the next read tries again."""
    try:
        await register.repair(commands, unreadable)
    except StoreUnavailable as error:
        log.debug("register_not_repaired", reason=str(error))


async def _put_back(commands: Commands, lost: Mapping[bytes, bytes]) -> None:
    """Write lost drains back to Redis; if that fails, the next read tries again."""
    if not lost:
        return
    try:
        await register.restore_drains(commands, lost)
    except StoreUnavailable as error:
        log.debug("drains_not_restored", reason=str(error))
    else:
        log.warning("drains_restored", edges=sorted(key.decode() for key in lost))


def _drain(edge_id: bytes, entry: bytes | None) -> Drain:
    drain = drain_of(entry or b"", time.time())
    if drain is None or not edge_id.isascii():
        raise ValueError("the drain entry is malformed")
    return drain


def condition_of(drain: Drain) -> EdgeCondition:
    """A drained edge takes no new sessions."""
    why = "".join(char for char in drain.why if char.isprintable())[:MAX_WHY_CHARS]
    return EdgeCondition("draining", admits=0.0, why=why, since_s=drain.since_s)
