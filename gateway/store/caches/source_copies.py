"""Copies of source manifests, and purges of them, that workers share over the store."""

import time
from collections.abc import Callable, Mapping
from functools import partial

from gateway.store.connection.keys import SOURCE_PURGES
from gateway.store.connection.protocol import RedisReply, Script, Store, StoreUnavailable
from gateway.store.coordination.lua import NOW, OWN
from gateway.store.garbage import found_garbage

MOST_PURGES = 1000
MAX_PATTERN_BYTES = 513
"""An asset id, and the sign that marks it as exact."""

CLOCKS_DIFFER_S = 60.0
"""How far in the future a purge may be dated: clocks of hosts differ a little. A purge of the year
5138 would turn caching off until then."""

KEPT_AHEAD_S = 86_400
"""A purge that is dated further ahead than this by Redis's clock is removed."""

# KEYS: the purges. ARGV: pattern, time, longest life of a copy (ms), the most purges kept. Beyond
# that, everything up to the time of the oldest half counts as purged.
_NOTE = Script(
    "note_purge",
    OWN
    + b"""
own(KEYS[1], 'zset')
redis.call('ZADD', KEYS[1], 'GT', ARGV[2], ARGV[1])
local most = tonumber(ARGV[4])
if redis.call('ZCARD', KEYS[1]) > most then
    local oldest = redis.call('ZPOPMIN', KEYS[1], math.floor(most / 2))
    redis.call('ZADD', KEYS[1], 'GT', oldest[#oldest], '')
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
""",
)

# ARGV: the most purges, the longest pattern, seconds. Returns patterns with their times, and how
# much was not ours. That is removed, if Redis can be written to.
_READ = Script(
    "get_purges",
    NOW
    + b"""
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'zset' then
  if kind == 'none' then return {{}, 0} end
  redis.pcall('DEL', KEYS[1])
  return {{}, 1}
end
local latest = string.format('%.0f', now / 1000 + ARGV[3])
local garbage = redis.call('ZCOUNT', KEYS[1], '(' .. latest, '+inf')
if garbage > 0 then redis.pcall('ZREMRANGEBYSCORE', KEYS[1], '(' .. latest, '+inf') end
local found = {}
local notes = redis.call(
  'ZREVRANGEBYSCORE', KEYS[1], latest, '0', 'WITHSCORES', 'LIMIT', 0, ARGV[1]
)
for i = 1, #notes, 2 do
  if #notes[i] <= tonumber(ARGV[2]) then
    found[#found + 1] = notes[i]
    found[#found + 1] = notes[i + 1]
  else
    redis.pcall('ZREM', KEYS[1], notes[i])
    garbage = garbage + 1
  end
end
return {found, garbage}
""",
)


class SourceCopies:
    """Copies in the store (:class:`gateway.source.origin.copies.SharedCopies`). While the store
    cannot be asked, it has no copies, and writes are lost."""

    def __init__(self, store: Store, wall: Callable[[], float] = time.time) -> None:
        """``wall`` gives Unix time."""
        self._store = store
        self._wall = wall

    async def get(self, name: str) -> bytes | None:
        """The value stored under ``name``."""
        try:
            return await self._store.get_source(name)
        except StoreUnavailable:
            return None

    def put(self, name: str, value: bytes, ttl_s: float) -> None:
        """Store a value without waiting."""
        self._store.put_source_later(name, value, ttl_s)

    async def purges(self) -> Mapping[str, float] | None:
        """Purged patterns and their Unix times."""
        if self._store.redis is None:
            return {}
        bounds = (b"%d" % MOST_PURGES, b"%d" % MAX_PATTERN_BYTES, b"%d" % KEPT_AHEAD_S)
        try:
            reply = await self._store.redis.run(_READ, [SOURCE_PURGES], bounds)
        except StoreUnavailable:
            return None
        match reply:
            case [list(words), int(garbage)]:
                latest = self._wall() + CLOCKS_DIFFER_S
                notes = list(map(partial(_note, latest), words[::2], words[1::2]))
                garbage += notes.count(None)
            case _:
                notes, garbage = [], 1
        if garbage:
            found_garbage("purges", "no purge, no time, or a key of another type", garbage)
        return dict(note for note in notes if note is not None)

    async def note_purge(self, pattern: str, at: float, ttl_s: float) -> None:
        """Record a purge for workers that start later."""
        if self._store.redis is None:
            return
        words = (pattern.encode(), b"%.6f" % at, b"%d" % (ttl_s * 1000), b"%d" % MOST_PURGES)
        try:
            await self._store.redis.run(_NOTE, [SOURCE_PURGES], words)
        except StoreUnavailable:
            return  # the store has counted the failure


def _note(latest: float, pattern: RedisReply, at: RedisReply) -> tuple[str, float] | None:
    """One purge; None for anything that this code did not write, and for a time after
    ``latest``."""
    if not isinstance(pattern, bytes) or not isinstance(at, bytes):
        return None
    try:
        note = pattern.decode("ascii"), float(at)
    except ValueError:
        return None
    return note if 0 <= note[1] <= latest else None
