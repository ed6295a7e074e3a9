"""Which edges have registered themselves, and which do operators drain? Followed from Redis.

The register is read about once a second, and whenever somebody says that it changed. While Redis
cannot be asked, what was last known stays: registered edges (probes judge them), and drains. A
Redis that was restarted empty gets the drains back from the gateways, and the registrations from
the edges themselves.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from random import SystemRandom

import structlog

from gateway.background.fleet import FleetKeeper
from gateway.config.registration import MAX_TTL_S, Registration, registration_of
from gateway.edge.fleet import Condition
from gateway.edge.registered import Heartbeat, Roll
from gateway.observe import metrics
from gateway.store import register
from gateway.store.bus import Subscription
from gateway.store.protocol import Commands, StoreUnavailable
from gateway.store.register import Contents, Drain, Entry

POLL_S = 1.0
REMEMBERED = 2 * register.MAX_REGISTERED
"""So many entries are remembered as checked, good or garbage."""
MAX_WHY_CHARS = 200

log = structlog.get_logger()
_random = SystemRandom()


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
        self._roll = Roll()
        self._drains: dict[bytes, bytes] = {}
        self._checked: OrderedDict[tuple[bytes, bytes], Registration | None] = OrderedDict()
        self._look = asyncio.Event()
        self._first = asyncio.Event()
        self._unread: str | None = None

    def look(self) -> None:
        """Read soon: something changed."""
        self._look.set()

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
                try:
                    async with asyncio.timeout(POLL_S * _random.uniform(0.8, 1.2)):
                        await self._look.wait()
                except TimeoutError:
                    continue  # nobody said anything; look all the same

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
            await self._heal(commands, contents)
        except StoreUnavailable as error:
            self._roll.could_not_be_read()
            if self._unread is None:
                log.warning("registry_not_read", reason=str(error))
            self._unread = str(error)
        else:
            if self._unread is not None:
                log.info("registry_read_again")
            self._unread = None
            self._use(contents)
        self._first.set()

    async def _heal(self, commands: Commands, contents: Contents) -> None:
        """Put back what Redis has lost. Raises StoreUnavailable, except where nothing may be
        written: then there is nothing to be done about it."""
        if contents.drains is None:
            return
        lost = {key: self._drains[key] for key in self._drains.keys() - contents.drains.keys()}
        if lost:
            log.warning("drains_restored", edges=sorted(key.decode() for key in lost))
            await register.restore_drains(commands, lost)

    def _use(self, contents: Contents) -> None:
        beats = [beat for entry in contents.entries if (beat := self._heartbeat(entry))]
        leaving = {
            entry.id.decode("ascii", "replace") for entry in contents.entries if entry.facts == b""
        }
        now_s = asyncio.get_running_loop().time()
        if self._enabled():
            self._keeper.found("registry", self._roll.read(beats, leaving, now_s))
        else:
            self._roll.forget()
            self._keeper.found("registry", ())
        if contents.drains is not None:
            self._drain(contents.drains)

    def _heartbeat(self, entry: Entry) -> Heartbeat | None:
        """The entry, if it makes sense; told of once, counted once."""
        if entry.facts == b"":
            return None
        found = self._check(entry.id, entry.facts)
        if found is None:
            return None
        left_s = min(entry.left_ms / 1000, MAX_TTL_S)
        return Heartbeat(found.edge, left_s, found.ttl_s)

    def _check(self, edge_id: bytes, facts: bytes | None) -> Registration | None:
        key = (edge_id, facts or b"")
        if key not in self._checked:
            self._checked[key] = _registration(edge_id, facts)
            if len(self._checked) > REMEMBERED:
                self._checked.popitem(last=False)
        self._checked.move_to_end(key)
        return self._checked[key]

    def _drain(self, entries: Mapping[bytes, bytes]) -> None:
        read: dict[bytes, tuple[bytes, Drain]] = {}
        for key, entry in entries.items():
            drain = register.drain_of(entry)
            if drain is not None and key.isascii():
                read[key] = (entry, drain)
            elif (key, entry) not in self._checked:
                self._check_drain(key, entry)
        self._drains = {key: entry for key, (entry, _) in read.items()}
        self._keeper.judged(
            "drain",
            {
                key.decode(): condition_of(drain)
                for key, (_, drain) in read.items()
                if drain.drained
            },
        )

    def _check_drain(self, key: bytes, entry: bytes) -> None:
        """Count an entry about a drain that makes no sense, once."""
        self._checked[key, entry] = None
        metrics.REGISTRY_GARBAGE.inc()
        log.warning("drain_refused", edge=repr(key[:64]), reason="is not about a drain")


def condition_of(drain: Drain) -> Condition:
    """A drained edge takes no new sessions."""
    return Condition("draining", admits=0.0, why=drain.why[:MAX_WHY_CHARS], since_s=drain.since_s)


def _registration(edge_id: bytes, facts: bytes | None) -> Registration | None:
    try:
        if facts is None:
            raise ValueError("is missing or too long")
        found = registration_of(facts)
        if found.edge.id.encode() != edge_id:
            raise ValueError("stands under another id")
    except ValueError as error:
        metrics.REGISTRY_GARBAGE.inc()
        log.warning("registration_refused", edge=repr(edge_id[:64]), reason=str(error)[:500])
        return None
    return found
