"""Registrations and drains of edges in Redis.

A registration is an entry of a hash, and a time of expiry by Redis's own clock in a sorted set.
Reading is one script in one round trip and writes nothing, so it works on a replica and on a full
Redis. Each registration removes expired entries. An edge that deregisters keeps an empty entry for
a while, so that readers can tell deregistration from loss.

A drain stays until it is ended. An ended drain leaves an entry that marks the end. So a gateway
that knows a drain and finds *no entry* concludes that Redis has lost it, and writes it back.

Entries are returned unchecked: whoever can write to Redis can write anything.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.store.connection.keys import EDGE_DRAINS, EDGE_FACTS, EDGE_UNTIL
from gateway.store.connection.protocol import (
    Commands,
    RedisReply,
    Script,
    StoreUnavailable,
    Trouble,
)

MAX_REGISTERED = 1000
"""The most registrations read; those that expire last come first."""

MAX_DRAINS = 1000
"""The most drain entries read."""

MAX_FACTS_BYTES = 4096
"""The longest entry read."""

DEREGISTERED_S = 60
"""Seconds that the marker of a deregistered edge is kept."""

ENDED_DRAIN_S = 7 * 86_400
"""Seconds that the entry of an ended drain is kept."""

_NOW = b"""
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

_WRITE = (
    _NOW
    + b"""
local function own(key, kind)
  local found = redis.call('TYPE', key).ok
  if found ~= kind and found ~= 'none' then redis.call('DEL', key) end
end
"""
)

READ = Script(
    "edges_read",
    _NOW
    + b"""
local function holds(key, kind) return redis.call('TYPE', key).ok == kind end
local function bounded(text)
  if text and #text <= tonumber(ARGV[2]) then return text end
  return false
end
local entries = {}
local after = '(' .. string.format('%.0f', now)
local ids = {}
if holds(KEYS[1], 'hash') and holds(KEYS[2], 'zset') then
  ids = redis.call(
    'ZREVRANGEBYSCORE', KEYS[2], '+inf', after, 'WITHSCORES', 'LIMIT', 0, ARGV[1]
  )
end
for i = 1, #ids, 2 do
  local facts = bounded(redis.call('HGET', KEYS[1], ids[i]))
  entries[#entries + 1] = {bounded(ids[i]), facts, string.format('%.0f', ids[i + 1] - now)}
end
local drains = {}
if holds(KEYS[3], 'hash') then
  if redis.call('HLEN', KEYS[3]) > tonumber(ARGV[3]) then return {entries, false} end
  drains = redis.call('HGETALL', KEYS[3])
end
return {entries, drains}
""",
)

REGISTER = Script(
    "edges_register",
    _WRITE
    + b"""
own(KEYS[1], 'hash')
own(KEYS[2], 'zset')
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 1000)) do
  redis.call('ZREM', KEYS[2], id)
  redis.call('HDEL', KEYS[1], id)
end
local was = redis.call('HGET', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], string.format('%.0f', now + ARGV[3]), ARGV[1])
for i = 1, 2 do
  if redis.call('PTTL', KEYS[i]) < tonumber(ARGV[4]) then
    redis.call('PEXPIRE', KEYS[i], ARGV[4])
  end
end
return was == ARGV[2] and 0 or 1
""",
)

DEREGISTER = Script(
    "edges_deregister",
    _WRITE
    + b"""
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], '')
redis.call('ZADD', KEYS[2], string.format('%.0f', now + ARGV[3]), ARGV[1])
for i = 1, 2 do
  if redis.call('PTTL', KEYS[i]) < tonumber(ARGV[3]) then
    redis.call('PEXPIRE', KEYS[i], ARGV[3])
  end
end
return 1
""",
)

DRAIN = Script(
    "edges_drain",
    _WRITE
    + b"""
own(KEYS[1], 'hash')
local old = now / 1000 - ARGV[1]
local entries = redis.call('HGETALL', KEYS[1])
for i = 1, #entries, 2 do
  local good, entry = pcall(cjson.decode, entries[i + 1])
  good = good and type(entry) == 'table' and type(entry.since_s) == 'number'
    and type(entry.drained) == 'boolean'
  if not good or (entry.drained == false and entry.since_s < old) then
    redis.call('HDEL', KEYS[1], entries[i])
  end
end
for i = 2, #ARGV, 3 do
  local entry = cjson.encode({
    drained = ARGV[i + 1] == '1', why = ARGV[i + 2], since_s = math.floor(now / 1000)
  })
  redis.call('HSET', KEYS[1], ARGV[i], entry)
end
return redis.status_reply('OK')
""",
)

RESTORE = Script(
    "edges_restore",
    _WRITE
    + b"""
own(KEYS[1], 'hash')
for i = 1, #ARGV, 2 do redis.call('HSETNX', KEYS[1], ARGV[i], ARGV[i + 1]) end
return redis.status_reply('OK')
""",
)


@dataclass(frozen=True, slots=True)
class RegisterEntry:
    """One registration: an edge id, its facts (empty when it deregistered; None when missing or too
    long), and the milliseconds until it expires."""

    id: bytes
    facts: bytes | None
    left_ms: int


@dataclass(frozen=True, slots=True)
class RegisterContents:
    """The register at one moment: registrations, and drain entries by edge id (None when there are
    too many to read)."""

    entries: tuple[RegisterEntry, ...]
    drains: Mapping[bytes, bytes] | None


async def read(commands: Commands) -> RegisterContents:
    """Read everything in one round trip. Raises StoreUnavailable."""
    bounds = (b"%d" % MAX_REGISTERED, b"%d" % MAX_FACTS_BYTES, b"%d" % MAX_DRAINS)
    reply = await commands.run(READ, (EDGE_FACTS, EDGE_UNTIL, EDGE_DRAINS), bounds)
    match reply:
        case [list(entries), drains]:
            found = (_entry(entry) for entry in entries)
            return RegisterContents(
                tuple(entry for entry in found if entry is not None), _pairs(drains)
            )
        case _:
            raise StoreUnavailable(Trouble.REJECTED, f"unexpected reply: {reply!r}")


def _pairs(reply: RedisReply) -> dict[bytes, bytes] | None:
    if not isinstance(reply, list):
        return None
    pairs = zip(reply[::2], reply[1::2], strict=False)
    return {
        key: value for key, value in pairs if isinstance(key, bytes) and isinstance(value, bytes)
    }


def _entry(reply: RedisReply) -> RegisterEntry | None:
    match reply:
        case [bytes(edge_id), facts, bytes(left_ms)] if left_ms.isdigit():
            return RegisterEntry(edge_id, facts if isinstance(facts, bytes) else None, int(left_ms))
        case _:
            return None


async def register(commands: Commands, edge_id: str, facts: bytes, ttl_s: float) -> bool:
    """Write or renew a registration. Returns whether it is new or its facts have changed.

    Raises StoreUnavailable.
    """
    ttl_ms = round(ttl_s * 1000)
    keep_ms = max(ttl_ms, DEREGISTERED_S * 1000)
    words = (edge_id.encode(), facts, b"%d" % ttl_ms, b"%d" % keep_ms)
    return await commands.run(REGISTER, (EDGE_FACTS, EDGE_UNTIL), words) == 1


async def deregister(commands: Commands, edge_id: str, facts: bytes) -> bool:
    """Deregister an edge, unless another registration has replaced this one. Returns whether it was
    still this one.

    Raises StoreUnavailable.
    """
    words = (edge_id.encode(), facts, b"%d" % (DEREGISTERED_S * 1000))
    return await commands.run(DEREGISTER, (EDGE_FACTS, EDGE_UNTIL), words) == 1


async def drain(commands: Commands, ids: Sequence[str], why: str) -> None:
    """Drain these edges from now on. Raises StoreUnavailable."""
    await _set_drains(commands, ids, drained=True, why=why)


async def undrain(commands: Commands, ids: Sequence[str]) -> None:
    """End the drains of these edges. Raises StoreUnavailable."""
    await _set_drains(commands, ids, drained=False, why="")


async def _set_drains(commands: Commands, ids: Sequence[str], *, drained: bool, why: str) -> None:
    words = [b"%d" % ENDED_DRAIN_S]
    for edge_id in ids:
        words += [edge_id.encode(), b"%d" % drained, why.encode()]
    await commands.run(DRAIN, (EDGE_DRAINS,), words)


async def restore_drains(commands: Commands, drains: Mapping[bytes, bytes]) -> None:
    """Write back entries that Redis has lost, unless another gateway has already done so. Raises
    StoreUnavailable."""
    words = [word for pair in drains.items() for word in pair]
    await commands.run(RESTORE, (EDGE_DRAINS,), words)


@dataclass(frozen=True, slots=True)
class Drain:
    """An operator's drain of an edge; ``since_s`` is Unix time by Redis's clock."""

    drained: bool
    why: str
    since_s: float


def drain_of(entry: bytes) -> Drain | None:
    """Parse a drain entry; None when it is malformed."""
    if len(entry) > MAX_FACTS_BYTES:
        return None
    try:
        fields = json.loads(entry)
    except (ValueError, RecursionError):
        return None
    match fields:
        case {"drained": bool(drained), "why": str(why), "since_s": int(since_s)}:
            return Drain(drained, why, since_s)
        case _:
            return None
