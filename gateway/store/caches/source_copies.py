"""Where do workers share copies of source manifests, and what of them was purged?"""

from collections.abc import Mapping

from gateway.store.connection.keys import SOURCE_PURGES
from gateway.store.connection.protocol import Script, Store, StoreUnavailable

MOST_PURGES = 1000

# KEYS: the notes. ARGV: what, when, how long any copy may live (ms), how many notes are kept.
# When there are too many, everything as old as the oldest half counts as purged.
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
    """Copies in the store (:class:`gateway.source.origin.copies.SharedCopies`). A store that cannot
    be asked has none, and loses what it is given."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get(self, name: str) -> bytes | None:
        """What is stored under ``name``."""
        try:
            return await self._store.get_source(name)
        except StoreUnavailable:
            return None

    def put(self, name: str, value: bytes, ttl_s: float) -> None:
        """Store it without making anybody wait."""
        self._store.put_source_later(name, value, ttl_s)

    async def purges(self) -> Mapping[str, float] | None:
        """The notes: what was purged, and when (Unix time)."""
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
        """Note it for workers that start later."""
        if self._store.redis is None:
            return
        words = (pattern.encode(), b"%.6f" % at, b"%d" % (ttl_s * 1000), b"%d" % MOST_PURGES)
        try:
            await self._store.redis.run(_NOTE, [SOURCE_PURGES], words)
        except StoreUnavailable:
            return  # counted where it happened


def _note(pattern: object, at: object) -> tuple[str, float] | None:
    """One note; None for what nobody of us wrote."""
    if not isinstance(pattern, bytes) or not isinstance(at, bytes):
        return None
    try:
        return pattern.decode(), float(at)
    except ValueError:
        return None
