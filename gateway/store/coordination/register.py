"""Registrations and drains of edges in Redis.

A registration is an entry of a hash, and a time of expiry by Redis's own clock in a sorted set.
Reading is one script in one round trip and writes nothing, so it works on a replica and on a full
Redis. Each registration removes expired entries. An edge that deregisters keeps an entry without
facts for a while, so that readers can tell deregistration from loss.

A drain stays until it is ended. An ended drain leaves an entry that marks the end. So a gateway
that knows a drain and finds *no entry* concludes that Redis has lost it, and writes it back.

Entries are returned unchecked: whoever can write to Redis can write anything.
"""

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
from gateway.store.coordination.lua import NOW, OWN
from gateway.untrusted import json_of

_KEYS = (EDGE_FACTS, EDGE_UNTIL, EDGE_DRAINS)

MAX_REGISTERED = 1000
"""The most registrations read; those that expire last come first."""

MAX_DRAINS = 1000
"""The most drain entries read."""

MAX_FACTS_BYTES = 4096
"""The longest entry read."""

MIN_TTL_MS = 1_000
"""The shortest time to live of a registration."""

MAX_TTL_MS = 3_600_000
"""The longest time to live of a registration; one that expires later is not ours."""

CLOCKS_DIFFER_S = 86_400
"""How far in the future a drain may be dated: Redis's clock may be wrong, and the drain is meant
all the same."""

DEREGISTERED_S = 60
"""Seconds that the marker of a deregistered edge is kept."""

ENDED_DRAIN_S = 7 * 86_400
"""Seconds that the entry of an ended drain is kept."""

_WRITE = NOW + OWN

# The facts of an entry: what is behind its first line, which is new in each heartbeat.
_FACTS = b"""
local function facts_of(entry) return entry and string.match(entry, '\\n(.*)$') end
"""

# ARGV: the most registrations, the most bytes of an entry, the most drains, the longest time to
# live in ms. The last part of the reply counts what is not ours: keys of another type, entries that
# are too long, and registrations that expire later than any may.
READ = Script(
    "edges_read",
    NOW
    + b"""
local garbage = 0
local function holds(key, kind)
  local found = redis.call('TYPE', key).ok
  if found ~= kind and found ~= 'none' then garbage = garbage + 1 end
  return found == kind
end
local most_bytes, latest = tonumber(ARGV[2]), string.format('%.0f', now + ARGV[4])
local facts_hold, until_holds = holds(KEYS[1], 'hash'), holds(KEYS[2], 'zset')
local ids, entries = {}, {}
if facts_hold and until_holds then
  ids = redis.call(
    'ZREVRANGEBYSCORE', KEYS[2], latest, string.format('(%.0f', now), 'WITHSCORES',
    'LIMIT', 0, ARGV[1]
  )
  garbage = garbage + redis.call('ZCOUNT', KEYS[2], '(' .. latest, '+inf')
end
for i = 1, #ids, 2 do
  if #ids[i] > 255 then
    garbage = garbage + 1
  else
    local short = redis.call('HSTRLEN', KEYS[1], ids[i]) <= most_bytes
    local facts = short and redis.call('HGET', KEYS[1], ids[i])
    entries[#entries + 1] = {ids[i], facts, string.format('%.0f', ids[i + 1] - now)}
  end
end
local drains = {}
if holds(KEYS[3], 'hash') then
  if redis.call('HLEN', KEYS[3]) > tonumber(ARGV[3]) then return {entries, false, garbage} end
  local found = redis.call('HGETALL', KEYS[3])
  for i = 1, #found, 2 do
    if #found[i] <= 255 and #found[i + 1] <= most_bytes then
      drains[#drains + 1] = found[i]
      drains[#drains + 1] = found[i + 1]
    else
      garbage = garbage + 1
    end
  end
end
return {entries, drains, garbage}
""",
)

_PRUNE = b"""
-- Remove drain entries that are not ours, and those that ended before old (Unix time).
local function prune(key, old, most_bytes)
  own(key, 'hash')
  if redis.call('HLEN', key) > 100000 then redis.call('DEL', key) end
  local entries = redis.call('HGETALL', key)
  for i = 1, #entries, 2 do
    local good = #entries[i] <= 255 and #entries[i + 1] <= tonumber(most_bytes)
    local entry
    if good then good, entry = pcall(cjson.decode, entries[i + 1]) end
    good = good and type(entry) == 'table' and type(entry.since_s) == 'number'
      and type(entry.drained) == 'boolean'
    if not good or (entry.drained == false and entry.since_s < old) then
      redis.call('HDEL', key, entries[i])
    end
  end
end
"""

# ARGV: the longest time to live in ms, the most bytes of an entry, and drain entries that could not
# be read: edge ids and texts. Each is removed if it is still the same.
REPAIR = Script(
    "edges_repair",
    _WRITE
    + _PRUNE
    + b"""
own(KEYS[1], 'hash')
own(KEYS[2], 'zset')
local function remove(ids)
  for _, id in ipairs(ids) do
    redis.call('ZREM', KEYS[2], id)
    redis.call('HDEL', KEYS[1], id)
  end
end
local latest = string.format('(%.0f', now + ARGV[1])
remove(redis.call('ZRANGEBYSCORE', KEYS[2], latest, '+inf', 'LIMIT', 0, 1000))
local long = {}
for _, id in ipairs(redis.call('ZREVRANGE', KEYS[2], 0, 999)) do
  if #id > 255 then long[#long + 1] = id end
end
remove(long)
prune(KEYS[3], 0, ARGV[2])
for i = 3, #ARGV, 2 do
  if redis.call('HGET', KEYS[3], ARGV[i]) == ARGV[i + 1] then
    redis.call('HDEL', KEYS[3], ARGV[i])
  end
end
return redis.status_reply('OK')
""",
)

REGISTER = Script(
    "edges_register",
    _WRITE
    + _FACTS
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
return facts_of(was) == facts_of(ARGV[2]) and 0 or 1
""",
)

DEREGISTER = Script(
    "edges_deregister",
    _WRITE
    + _FACTS
    + b"""
own(KEYS[1], 'hash')
own(KEYS[2], 'zset')
if facts_of(redis.call('HGET', KEYS[1], ARGV[1])) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[4])
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
    + _PRUNE
    + b"""
prune(KEYS[1], now / 1000 - ARGV[1], ARGV[2])
for i = 3, #ARGV, 3 do
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
    """One registration: an edge id, its entry (:mod:`gateway.trust.registrations`; None when
    missing or too long), and the milliseconds until it expires."""

    id: bytes
    entry: bytes | None
    left_ms: int


@dataclass(frozen=True, slots=True)
class RegisterContents:
    """The register at one moment: registrations, drain entries by edge id (None when there are too
    many to read), and the number of entries and keys that are not ours."""

    entries: tuple[RegisterEntry, ...]
    drains: Mapping[bytes, bytes] | None
    garbage: int


async def read(commands: Commands) -> RegisterContents:
    """Read everything in one round trip. Raises StoreUnavailable."""
    bounds = (MAX_REGISTERED, MAX_FACTS_BYTES, MAX_DRAINS, MAX_TTL_MS)
    reply = await commands.run(READ, _KEYS, [b"%d" % bound for bound in bounds])
    match reply:
        case [list(entries), drains, int(garbage)]:
            found = (_entry(entry) for entry in entries)
            return RegisterContents(
                tuple(entry for entry in found if entry is not None), _pairs(drains), garbage
            )
        case _:
            raise StoreUnavailable(Trouble.REJECTED, f"unexpected reply: {reply!r}")


async def repair(commands: Commands, unreadable: Mapping[bytes, bytes]) -> None:
    """Remove what is not ours, and the drain entries ``unreadable``, by edge id, unless they have
    changed. Raises StoreUnavailable."""
    words = [b"%d" % MAX_TTL_MS, b"%d" % MAX_FACTS_BYTES]
    words += [word for pair in unreadable.items() for word in pair]
    await commands.run(REPAIR, _KEYS, words)


def _pairs(reply: RedisReply) -> dict[bytes, bytes] | None:
    if not isinstance(reply, list):
        return None
    pairs = zip(reply[::2], reply[1::2], strict=False)
    return {
        key: value for key, value in pairs if isinstance(key, bytes) and isinstance(value, bytes)
    }


def _entry(reply: RedisReply) -> RegisterEntry | None:
    match reply:
        case [bytes(edge_id), facts, bytes(left_ms)] if left_ms.isdigit() and len(left_ms) <= len(
            str(MAX_TTL_MS)
        ):
            return RegisterEntry(edge_id, facts if isinstance(facts, bytes) else None, int(left_ms))
        case _:
            return None


async def register(commands: Commands, edge_id: str, entry: bytes, ttl_s: float) -> bool:
    """Write or renew a registration. Returns whether it is new or its facts have changed.

    Raises StoreUnavailable.
    """
    ttl_ms = round(ttl_s * 1000)
    keep_ms = max(ttl_ms, DEREGISTERED_S * 1000)
    words = (edge_id.encode(), entry, b"%d" % ttl_ms, b"%d" % keep_ms)
    return await commands.run(REGISTER, (EDGE_FACTS, EDGE_UNTIL), words) == 1


async def deregister(commands: Commands, edge_id: str, facts: bytes, farewell: bytes) -> bool:
    """Deregister an edge with the entry ``farewell``, unless another registration has replaced the
    one with these facts. Returns whether it was still this one.

    Raises StoreUnavailable.
    """
    words = (edge_id.encode(), facts, b"%d" % (DEREGISTERED_S * 1000), farewell)
    return await commands.run(DEREGISTER, (EDGE_FACTS, EDGE_UNTIL), words) == 1


async def drain(commands: Commands, ids: Sequence[str], why: str) -> None:
    """Drain these edges from now on. Raises StoreUnavailable."""
    await _set_drains(commands, ids, drained=True, why=why)


async def undrain(commands: Commands, ids: Sequence[str]) -> None:
    """End the drains of these edges. Raises StoreUnavailable."""
    await _set_drains(commands, ids, drained=False, why="")


async def _set_drains(commands: Commands, ids: Sequence[str], *, drained: bool, why: str) -> None:
    words = [b"%d" % ENDED_DRAIN_S, b"%d" % MAX_FACTS_BYTES]
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


def drain_of(entry: bytes, now_s: float) -> Drain | None:
    """Parse a drain entry; None when it is malformed, or dated after ``now_s`` (Unix time)."""
    try:
        fields = json_of(entry, MAX_FACTS_BYTES)
    except ValueError:
        return None
    match fields:
        case {"drained": bool(drained), "why": str(why), "since_s": int(since_s)} if (
            0 <= since_s <= now_s + CLOCKS_DIFFER_S
        ):
            return Drain(drained, why, since_s)
        case _:
            return None
