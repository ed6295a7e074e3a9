"""The priors of networks: what this worker adds, what all workers share in Redis, and what is used.

Each worker keeps what it measured since its last write, at most one speed for each viewer of a
network (:mod:`gateway.client.prior`). It writes them to the sketches of their window: it reads the
sketches, adds the viewers that they lack, and stores each one if nobody has changed it meanwhile;
otherwise the viewers are added the next time.

When a window has ended and ``SETTLE_S`` later nobody writes to it any more, the first worker that
looks publishes its priors in one hash, which all workers read. Several may do so; they compute the
same. Sketches expire soon afterwards.

Only the names of networks, the sketches' bits and rounded speeds are stored: no address and no
session.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

from gateway.client.prior import (
    MAX_BYTES,
    SLOTS,
    PriorConfig,
    PriorSketch,
    is_network,
    published,
    read_published,
    rounded,
)
from gateway.observe import metrics
from gateway.store.connection.keys import PRIORS, prior_window_key
from gateway.store.connection.protocol import (
    Commands,
    RedisReply,
    Script,
    StoreUnavailable,
    Trouble,
)
from gateway.store.coordination.lua import OWN
from gateway.store.garbage import found_garbage

SETTLE_S: Final = 120
"""Seconds after its end until a window is published. Workers write for the last time within two
intervals of theirs, and hosts' clocks differ."""
BATCH: Final = 20
"""Networks that are read or written in one step. Adding viewers to a sketch takes some 50 µs, and
requests wait meanwhile."""
WINDOWS: Final = 2
"""The most windows that a worker keeps: the current one, and the one before until it settles."""
MAX_PAGES: Final = 5000
"""The most steps of ``BATCH`` or more in which a hash is read."""
_WINDOW_FIELD: Final = b"window"
_NO_ROOM: Final = (1 << SLOTS) - 1
"""The viewers of a network for which there is no room in this window: no further one is added."""
_MAX_FIELD_BYTES: Final = 64

# ARGV: the most bytes of a sketch, and the networks. A longer value counts as none.
READ: Final = Script(
    "prior_read",
    OWN
    + b"""
own(KEYS[1], 'hash')
local found = {}
for at = 2, #ARGV do
  local short = redis.call('HSTRLEN', KEYS[1], ARGV[at]) <= tonumber(ARGV[1])
  found[at - 1] = short and redis.call('HGET', KEYS[1], ARGV[at]) or ''
end
return found
""",
)

# ARGV: the most networks, seconds to live, the most bytes of a sketch, and for each network: its
# key, the sketch that was read (or nothing), and the new one. Answers for each: 1 stored, 0 changed
# meanwhile, -1 no room.
WRITE: Final = Script(
    "prior_write",
    OWN
    + b"""
own(KEYS[1], 'hash')
local count, outcomes = redis.call('HLEN', KEYS[1]), {}
for at = 4, #ARGV, 3 do
  local now = redis.call('HGET', KEYS[1], ARGV[at])
  local outcome = 0
  if not now and count >= tonumber(ARGV[1]) then
    outcome = -1
  elseif (now or '') == ARGV[at + 1] or now and #now > tonumber(ARGV[3]) then
    if not now then count = count + 1 end
    redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 2])
    outcome = 1
  end
  outcomes[#outcomes + 1] = outcome
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return outcomes
""",
)

# ARGV: a cursor, and the most bytes of a value. Answers the next cursor, then fields and values.
PAGE: Final = Script(
    "prior_page",
    OWN
    + b"""
own(KEYS[1], 'hash')
local page = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', 20)
local found = {page[1]}
for at = 1, #page[2], 2 do
  if #page[2][at] <= 64 and #page[2][at + 1] <= tonumber(ARGV[2]) then
    found[#found + 1] = page[2][at]
    found[#found + 1] = page[2][at + 1]
  end
end
return found
""",
)

# ARGV: seconds to live, the number of fields to delete, these, then fields and values.
PUBLISH: Final = Script(
    "prior_publish",
    OWN
    + b"""
own(KEYS[1], 'hash')
local stale = tonumber(ARGV[2])
for at = 3, 2 + stale do redis.call('HDEL', KEYS[1], ARGV[at]) end
for at = 3 + stale, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1]) end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
""",
)


@dataclass(slots=True)
class _Network:
    """What this worker knows of one network in a window: the viewers that its sketch has, and the
    speeds that it lacks, by slot."""

    viewers: int = 0
    waiting: dict[int, int] = field(default_factory=dict)


class Priors:
    """The priors of networks. ``known`` has those in use, in kbit/s by network; ``active`` is
    whether there are any to use or to add to."""

    def __init__(self, redis: Commands | None, config: PriorConfig) -> None:
        self._redis = redis
        self.known: dict[str, int] = {}
        self._read_s = 0.0
        self._windows: dict[int, dict[str, _Network]] = {}  # by their beginning
        self._config = config
        self.use(config)

    def use(self, config: PriorConfig) -> None:
        """Use this config from now on. Windows of another length are other windows."""
        if config.window_s != self._config.window_s:
            self._windows = {}
        self._config = config
        self.active = config.enabled and self._redis is not None
        if not self.active:
            self.known, self._windows = {}, {}

    def add(self, network: str, viewer: int, kbps: float, now_s: float) -> None:
        """Count a viewer (its slot) of a network, if it was not yet counted in the window of
        ``now_s``. What comes for a window before those that are kept is too late."""
        start_s = self.window_start_s(now_s)
        networks = self._windows.get(start_s)
        if networks is None:
            if len(self._windows) == WINDOWS:
                oldest_s = min(self._windows)
                if start_s < oldest_s:
                    return
                del self._windows[oldest_s]
            networks = self._windows[start_s] = {}
        known = networks.get(network)
        if known is None:
            if len(networks) >= self._config.max_networks:
                return
            known = networks[network] = _Network()
        if not known.viewers >> viewer & 1 and viewer not in known.waiting:
            known.waiting[viewer] = rounded(kbps)

    async def flush(self, now_s: float) -> None:
        """Write what waits. Raises StoreUnavailable; what was not written waits on, until its
        window is published."""
        if self._redis is None:
            return
        window_s = self._config.window_s
        # A window in the future is from before the host's clock was set back.
        self._windows = {
            start_s: networks
            for start_s, networks in self._windows.items()
            if start_s <= now_s < start_s + window_s + SETTLE_S
        }
        for start_s, networks in sorted(self._windows.items()):
            waiting = [(key, network) for key, network in networks.items() if network.waiting]
            name = prior_window_key(window_s, start_s)
            for at in range(0, len(waiting), BATCH):
                await self._write(self._redis, name, dict(waiting[at : at + BATCH]))

    async def _write(self, redis: Commands, name: bytes, waiting: dict[str, _Network]) -> None:
        fields = [network.encode() for network in waiting]
        reply = await redis.run(READ, [name], [b"%d" % MAX_BYTES, *fields])
        words: list[bytes] = []
        changed: list[tuple[_Network, PriorSketch]] = []
        for network, key, stored in zip(waiting.values(), fields, _list(reply), strict=True):
            before = stored if isinstance(stored, bytes) else b""
            sketch = PriorSketch.from_bytes(before) if before else PriorSketch()
            if sketch is None:
                found_garbage("priors", "not a sketch of a network")
                sketch = PriorSketch()
            after = sketch.with_viewers(network.waiting)
            if after is sketch:
                _counted(network, after)
                continue
            words += (key, before, after.to_bytes())
            changed.append((network, after))
        if not changed:
            return
        config = self._config
        ttl_s = 2 * (config.window_s + SETTLE_S)
        head = [b"%d" % number for number in (config.max_networks, ttl_s, MAX_BYTES)]
        outcomes = _list(await redis.run(WRITE, [name], [*head, *words]))
        for (network, after), outcome in zip(changed, outcomes, strict=True):
            if outcome == 1:
                _counted(network, after)
            elif outcome == -1:
                network.viewers, network.waiting = _NO_ROOM, {}

    async def look(self, now_s: float) -> None:
        """Read the published priors; publish those of the last window first, if nobody has.

        Raises StoreUnavailable; the priors that are known stay in use for ``keep_s`` at most.
        """
        if self._redis is None or not self.active:
            return
        if now_s - self._read_s > self._config.keep_s:
            self.known = {}
        shared = await self.read(now_s)
        end_s = self.window_start_s(now_s - SETTLE_S)
        if not end_s <= _number(shared.get(_WINDOW_FIELD)) <= now_s:
            await self._publish(self._redis, shared, end_s, now_s)
            await self.read(now_s)
        metrics.NETWORK_PRIORS.set(len(self.known))

    async def read(self, now_s: float) -> dict[bytes, bytes]:
        """Read the published priors, and write nothing. Returns all that is published, by field.

        Raises StoreUnavailable.
        """
        shared: dict[bytes, bytes] = {}
        if self._redis is None or not self.active:
            return shared
        known: dict[str, int] = {}
        async for key, data in _pages(self._redis, PRIORS, _MAX_FIELD_BYTES):
            shared[key] = data
            kbps = read_published(data, now_s, self._config)
            if kbps is not None and is_network(network := _text(key)):
                known[network] = kbps
        self.known, self._read_s = known, now_s
        return shared

    async def _publish(
        self, redis: Commands, shared: dict[bytes, bytes], end_s: int, now_s: float
    ) -> None:
        """Publish the priors of the window that ended at ``end_s``, and remove those too old."""
        config = self._config
        new: dict[bytes, bytes] = {}
        name = prior_window_key(config.window_s, end_s - config.window_s)
        async for key, data in _pages(redis, name, MAX_BYTES):
            sketch = PriorSketch.from_bytes(data)
            if sketch is None or not is_network(_text(key)):
                found_garbage("priors", "not a sketch of a network")
                continue
            kbps = sketch.prior_kbps(config)
            if kbps is not None and len(new) < config.max_networks:
                new[key] = published(kbps, end_s)
        ttl = b"%d" % (config.keep_s + config.window_s)
        stale = self._stale({name: shared[name] for name in shared if name not in new}, new, now_s)
        for at in range(0, len(stale), BATCH):
            part = stale[at : at + BATCH]
            await redis.run(PUBLISH, [PRIORS], [ttl, b"%d" % len(part), *part])
        items = list(new.items())
        for at in range(0, len(items), BATCH):
            words = [word for item in items[at : at + BATCH] for word in item]
            await redis.run(PUBLISH, [PRIORS], [ttl, b"0", *words])
        # Last, so that a worker that dies before is replaced by the next one that looks.
        await redis.run(PUBLISH, [PRIORS], [ttl, b"0", _WINDOW_FIELD, b"%d" % end_s])

    def _stale(
        self, others: dict[bytes, bytes], new: dict[bytes, bytes], now_s: float
    ) -> list[bytes]:
        """Which published priors without a new value are to be removed: garbage, those too old, and
        the oldest of more than twice ``max_networks``."""
        fresh: list[bytes] = []
        stale: list[bytes] = []
        for key, data in others.items():
            usable = is_network(_text(key)) and read_published(data, now_s, self._config)
            (fresh if usable else stale).append(key)
        fresh.sort(key=lambda key: others[key][4:])  # the end of its window
        excess = max(0, len(fresh) + len(new) - 2 * self._config.max_networks)
        return [*stale, *fresh[:excess]]

    def window_start_s(self, now_s: float) -> int:
        """When the window at ``now_s`` has begun, both in seconds since 1970."""
        return int(now_s) // self._config.window_s * self._config.window_s


def _counted(network: _Network, sketch: PriorSketch) -> None:
    """The viewers of ``sketch`` no longer wait."""
    network.viewers = sketch.viewers
    network.waiting = {
        slot: kbps for slot, kbps in network.waiting.items() if not sketch.viewers >> slot & 1
    }


async def _pages(redis: Commands, name: bytes, most: int) -> AsyncIterator[tuple[bytes, bytes]]:
    """The fields of a hash with values of at most ``most`` bytes."""
    cursor = b"0"
    for _ in range(MAX_PAGES):
        match _list(await redis.run(PAGE, [name], [cursor, b"%d" % most])):
            case [bytes(cursor), *found]:
                for at in range(0, len(found) - 1, 2):
                    key, value = found[at : at + 2]
                    if isinstance(key, bytes) and isinstance(value, bytes):
                        yield key, value
            case _:
                raise StoreUnavailable(Trouble.REJECTED, "prior_page")
        if cursor == b"0":
            return


def _list(reply: RedisReply) -> list[RedisReply]:
    if not isinstance(reply, list):
        raise StoreUnavailable(Trouble.REJECTED, "a reply about priors is no list")
    return reply


def _text(key: bytes) -> str:
    return key.decode("ascii", "replace")


def _number(text: bytes | None) -> int:
    return int(text) if text and text.isdigit() else 0
