"""Copies of source manifests, and purges of them, that workers share over the store."""

from collections.abc import Mapping

from gateway.store.connection.keys import SOURCE_PURGES
from gateway.store.connection.protocol import Script, Store, StoreUnavailable

MOST_PURGES = 1000

# KEYS: the purges. ARGV: pattern, time, longest life of a copy (ms), the most purges kept. Beyond
# that, everything up to the time of the oldest half counts as purged.
_NOTE = Script(
    "note_purge",
    b"""
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


class SourceCopies:
    """Copies in the store (:class:`gateway.source.origin.copies.SharedCopies`). While the store
    cannot be asked, it has no copies, and writes are lost."""

    def __init__(self, store: Store) -> None:
        self._store = store

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
        try:
            reply = await self._store.redis.ask(
                "get_purges", b"ZRANGE", SOURCE_PURGES, b"0", b"-1", b"WITHSCORES"
            )
        except StoreUnavailable:
            return None
        words = reply if isinstance(reply, list) else []
        return dict(filter(None, map(_note, words[::2], words[1::2])))

    async def note_purge(self, pattern: str, at: float, ttl_s: float) -> None:
        """Record a purge for workers that start later."""
        if self._store.redis is None:
            return
        words = (pattern.encode(), b"%.6f" % at, b"%d" % (ttl_s * 1000), b"%d" % MOST_PURGES)
        try:
            await self._store.redis.run(_NOTE, [SOURCE_PURGES], words)
        except StoreUnavailable:
            return  # the store has counted the failure


def _note(pattern: object, at: object) -> tuple[str, float] | None:
    """One purge; None for anything that this code did not write."""
    if not isinstance(pattern, bytes) or not isinstance(at, bytes):
        return None
    try:
        return pattern.decode(), float(at)
    except ValueError:
        return None
