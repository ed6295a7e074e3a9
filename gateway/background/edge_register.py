"""Which edges have registered themselves, and which do operators drain? Followed from Redis.

The register is read about once a second, and whenever somebody says that it changed. While Redis
cannot be asked, what was last known stays: registered edges (probes judge them), and drains. A
Redis that was restarted empty gets the drains back from the gateways, and the registrations from
the edges themselves.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from random import SystemRandom
from typing import Generic, TypeVar

import structlog
from cachetools import LRUCache

from gateway.background.fleet import FleetKeeper
from gateway.config.registration import MAX_TTL_S, Registration, registration_of
from gateway.edge.fleet import EdgeCondition
from gateway.edge.registered import Heartbeat, RegisteredEdges
from gateway.observe import metrics
from gateway.store.connection.protocol import Commands, StoreUnavailable
from gateway.store.coordination import register
from gateway.store.coordination.bus import Subscription
from gateway.store.coordination.register import Drain, Entry, drain_of

POLL_S = 1.0
REST_S = 0.05
MAX_WHY_CHARS = 200
REMEMBERED = 2 * register.MAX_REGISTERED
"""So many entries of each kind are remembered as checked, good or garbage."""

log = structlog.get_logger()
_random = SystemRandom()
_Sense = TypeVar("_Sense")


class EdgeRegister:
    """Reads the register, and tells the keeper."""

    def __init__(
        self,
        keeper: FleetKeeper,
        commands: Commands | None,
        changes: Subscription,
        enabled: Callable[[], bool],
    ) -> None:
        """``commands`` is None where there is no Redis, so nobody to register with. ``changes``
        says when to look at once. ``enabled``: whether registered edges are wanted; drains are in
        any case."""
        self._keeper = keeper
        self._commands = commands
        self._changes = changes
        self._enabled = enabled
        self._registered = RegisteredEdges()
        self._registrations = Checked(_registration)
        self._about_drains = Checked(_drain)
        self._drained: dict[bytes, bytes] = {}
        self._look = asyncio.Event()
        self._first = asyncio.Event()
        self._unread = False

    async def run(self) -> None:
        """Follow until cancelled."""
        if self._commands is None:
            self._first.set()
            return
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen())
            while True:
                self._look.clear()
                await self.read(self._commands)
                self._first.set()
                try:
                    async with asyncio.timeout(self._pause_s()):
                        await self._look.wait()
                except TimeoutError:
                    continue  # nobody said anything; look all the same

    def _pause_s(self) -> float:
        """About a second, or until a registration ends, so that its edge is gone at once."""
        left_s = self._registered.next_end_s - asyncio.get_running_loop().time()
        usual_s = POLL_S * _random.uniform(0.8, 1.2)
        return usual_s if self._unread else min(usual_s, max(left_s, 0.0) + REST_S)

    async def first_look(self, limit_s: float) -> None:
        """Wait until the register was read once or could not be, but no longer than ``limit_s``."""
        try:
            async with asyncio.timeout(limit_s):
                await self._first.wait()
        except TimeoutError:
            log.warning("registry_is_late")

    async def _listen(self) -> None:
        async for _ in self._changes:
            self._look.set()

    async def read(self, commands: Commands) -> None:
        """Read once, and tell the keeper what follows. Survives a Redis that cannot be asked."""
        try:
            contents = await register.read(commands)
        except StoreUnavailable as error:
            self._registered.read_failed()
            if not self._unread:
                log.warning("registry_not_read", reason=str(error))
            self._unread = True
            return
        if self._unread:
            log.info("registry_read_again")
        self._unread = False
        self._use_entries(contents.entries)
        if contents.drains is not None:
            await _put_back(commands, self._use_drains(contents.drains))

    def _use_entries(self, entries: Sequence[Entry]) -> None:
        if not self._enabled():
            self._registered.clear()
            self._keeper.found("registry", ())
            return
        beats = [beat for entry in entries if (beat := self._heartbeat(entry)) is not None]
        leaving = {entry.id.decode("ascii", "replace") for entry in entries if entry.facts == b""}
        now_s = asyncio.get_running_loop().time()
        self._keeper.found("registry", self._registered.update(beats, leaving, now_s))

    def _heartbeat(self, entry: Entry) -> Heartbeat | None:
        """None for an edge that took leave, and for garbage."""
        if entry.facts == b"":
            return None
        found = self._registrations.get(entry.id, entry.facts)
        if found is None:
            return None
        return Heartbeat(found.edge, min(entry.left_ms / 1000, MAX_TTL_S), found.ttl_s)

    def _use_drains(self, entries: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
        """Tell the keeper. Returns the drains that Redis has lost: they were there, and now there
        is not even an entry that takes them back."""
        lost = {key: self._drained[key] for key in self._drained.keys() - entries.keys()}
        self._drained = dict(lost)
        conditions: dict[str, EdgeCondition] = {}
        for key, entry in {**entries, **lost}.items():
            drain = self._about_drains.get(key, entry)
            if drain is not None and drain.drained:
                self._drained[key] = entry
                conditions[key.decode()] = condition_of(drain)
        self._keeper.judged("drain", conditions)
        return lost


async def _put_back(commands: Commands, lost: Mapping[bytes, bytes]) -> None:
    """Give Redis back what it has lost, if it takes it; else the next look tries again."""
    if not lost:
        return
    try:
        await register.restore_drains(commands, lost)
    except StoreUnavailable as error:
        log.debug("drains_not_restored", reason=str(error))
    else:
        log.warning("drains_restored", edges=sorted(key.decode() for key in lost))


class Checked(Generic[_Sense]):
    """What entries mean, each worked out once. Garbage is logged and counted, once as well."""

    def __init__(self, meaning: Callable[[bytes, bytes | None], _Sense]) -> None:
        """``meaning`` takes an id and an entry, and raises ValueError for garbage."""
        self._meaning = meaning
        self._known: LRUCache[tuple[bytes, bytes | None], _Sense | None] = LRUCache(REMEMBERED)

    def get(self, edge_id: bytes, entry: bytes | None) -> _Sense | None:
        """None for garbage."""
        key = (edge_id, entry)
        if key not in self._known:
            self._known[key] = self._first_time(edge_id, entry)
        return self._known[key]

    def _first_time(self, edge_id: bytes, entry: bytes | None) -> _Sense | None:
        try:
            return self._meaning(edge_id, entry)
        except ValueError as error:
            metrics.REGISTRY_GARBAGE.inc()
            log.warning("registry_garbage", edge=repr(edge_id[:64]), reason=str(error)[:500])
            return None


def _registration(edge_id: bytes, facts: bytes | None) -> Registration:
    if facts is None:
        raise ValueError("a registration is missing or too long")
    found = registration_of(facts)
    if found.edge.id.encode() != edge_id:
        raise ValueError("a registration stands under another id")
    return found


def _drain(edge_id: bytes, entry: bytes | None) -> Drain:
    drain = drain_of(entry or b"")
    if drain is None or not edge_id.isascii():
        raise ValueError("an entry about drains makes no sense")
    return drain


def condition_of(drain: Drain) -> EdgeCondition:
    """A drained edge takes no new sessions; those that play stay."""
    why = "".join(char for char in drain.why if char.isprintable())[:MAX_WHY_CHARS]
    return EdgeCondition("draining", admits=0.0, why=why, since_s=drain.since_s)
