"""How many sessions of one subject play at once, as all workers together see it?

A session is counted from its first manifest until it has sent nothing for a while: no request for a
manifest or for steering, and no report. Redis keeps the sessions of each subject in a sorted set,
by the millisecond of their last sign of life on Redis's own clock, and the subject of each session
in a key beside it, so that a report, which names its session alone, finds it. Both expire. Names
are hashes.

Redis decides about the next session in one script. While it cannot be asked, every session is
admitted: viewers do not lose their playback because of Redis. Without a Redis (``memory``), each
process counts by itself.
"""

import asyncio
import math
from collections.abc import Callable
from time import monotonic
from typing import Final

from gateway.cache import COUNTED_SESSIONS, SUBJECTS, Cache
from gateway.store.connection.keys import COUNTED, counted_session_key, subject_key
from gateway.store.connection.protocol import Commands, Script, Store, StoreUnavailable
from gateway.store.coordination.lua import NOW, OWN
from gateway.store.garbage import found_garbage

MAX_SESSIONS: Final = 1000
"""The most sessions of one subject that are counted."""
SEEN_AGAIN_SHARE: Final = 0.25
"""A sign of life is written again when this share of the time has passed."""
MAX_WAITING: Final = 4096
"""The most sessions of which a sign of life waits to be written."""
TOUCHED_AT_ONCE: Final = 200
FLUSH_S: Final = 1.0

# KEYS: the subject's sessions, the session's subject. ARGV: session, the most sessions, the time to
# live in ms, 1 to count the session or 0 to look, the subject. Returns 1 when it may play, and the
# ms until the first of the others can have ended, 0 when there is room. What is dated ahead of
# Redis's clock is not ours.
TAKE = Script(
    "sessions_take",
    NOW
    + OWN
    + b"""
local most, ttl, takes = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] == '1'
own(KEYS[1], 'zset')
own(KEYS[2], 'string')
local from, to = string.format('(%.0f', now - ttl), string.format('%.0f', now + 60000)
local last = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or 0)
local plays = last > now - ttl and last <= now + 60000
if not plays and redis.call('ZCOUNT', KEYS[1], from, to) >= most then
  local first = redis.call('ZRANGEBYSCORE', KEYS[1], from, to, 'WITHSCORES', 'LIMIT', 0, 1)
  return {0, math.ceil(first[2] and first[2] + ttl - now or ttl)}
end
if takes then
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - ttl))
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '(' .. to, '+inf')
  redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
  redis.call('PEXPIRE', KEYS[1], ttl)
  redis.call('SET', KEYS[2], ARGV[5], 'PX', ttl)
end
return {1, 0}
""",
)

# KEYS: what the names of both kinds of keys begin with. ARGV: the time to live in ms, sessions.
# Returns how many of them are counted.
TOUCH = Script(
    "sessions_touch",
    NOW
    + b"""
local ttl, counted = tonumber(ARGV[1]), 0
for i = 2, #ARGV do
  local key = KEYS[1] .. 's:' .. ARGV[i]
  local subject = redis.pcall('GETRANGE', key, 0, 40)
  if type(subject) == 'string' and #subject == 40 then
    local sessions = KEYS[1] .. 'of:' .. subject
    if type(redis.pcall('ZSCORE', sessions, ARGV[i])) == 'string' then
      redis.call('ZADD', sessions, string.format('%.0f', now), ARGV[i])
      redis.call('PEXPIRE', sessions, ttl)
      redis.call('PEXPIRE', key, ttl)
      counted = counted + 1
    end
  end
end
return counted
""",
)


class ConcurrentSessions:
    """Counts the sessions of subjects, and hears of their signs of life."""

    def __init__(
        self, store: Store, ends_after_s: float, clock: Callable[[], float] = monotonic
    ) -> None:
        """A session ends ``ends_after_s`` seconds after its last sign of life. ``clock`` gives
        monotonic seconds."""
        self._store = store
        self._ends_after_s = ends_after_s
        self._clock = clock
        self._seen: Cache[bytes, float] = Cache(COUNTED_SESSIONS)
        self._waiting: dict[bytes, None] = {}
        self._local: Cache[bytes, dict[bytes, float]] = Cache(SUBJECTS)

    def use(self, ends_after_s: float) -> None:
        """Let sessions end after another time from now on."""
        self._ends_after_s = ends_after_s

    async def take(self, subject: bytes, session: bytes, most: int, *, take: bool) -> int | None:
        """Whether a session of a subject may play, when at most ``most`` of its sessions may play
        at once. None when it may, else the seconds until one of the others can have
        ended. Never fails.

        ``subject`` and ``session`` are hashes of ``DIGEST_BYTES``. With ``take`` the session counts
        from now on; otherwise nothing changes.
        """
        most = min(most, MAX_SESSIONS)
        redis = self._store.redis
        if redis is None:
            return self._take_here(subject, session, most, take=take)
        if self._store.state != "up":
            return None
        ttl_ms = round(self._ends_after_s * 1000)
        words = (
            session.hex().encode("ascii"),
            b"%d" % most,
            b"%d" % ttl_ms,
            b"%d" % take,
            subject.hex().encode("ascii"),
        )
        try:
            reply = await redis.run(
                TAKE, (subject_key(subject), counted_session_key(session)), words
            )
        except StoreUnavailable:
            return None
        match reply:
            case [1, int()]:
                if take:
                    self._seen.put(session, self._clock())
                return None
            case [0, int(wait_ms)] if 0 <= wait_ms <= ttl_ms + 60_000:
                return max(1, math.ceil(wait_ms / 1000))
            case _:
                found_garbage("subjects", "an unexpected reply")
                return None

    def seen(self, session: bytes) -> None:
        """A session (its ``session_name``) gave a sign of life. Redis gets it soon. Never waits,
        never raises; nothing happens for a session that is not counted."""
        now_s = self._clock()
        last_s = self._seen.get(session)
        if last_s is not None and now_s - last_s < SEEN_AGAIN_SHARE * self._ends_after_s:
            return
        if self._store.redis is None:
            self._seen_here(session, now_s)
        elif len(self._waiting) < MAX_WAITING:
            self._waiting[session] = None
        else:  # its next sign of life counts instead
            return
        self._seen.put(session, now_s)

    async def run(self) -> None:
        """Write signs of life, until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_S)
            redis = self._store.redis
            if redis is not None:
                await self.flush(redis)

    async def flush(self, redis: Commands) -> None:
        """Write the signs of life that wait. One that Redis does not take is lost; the next one of
        its session is written."""
        while self._waiting:
            part = list(self._waiting)[:TOUCHED_AT_ONCE]
            for session in part:
                del self._waiting[session]
            words = [b"%d" % round(self._ends_after_s * 1000)]
            words += [session.hex().encode("ascii") for session in part]
            try:
                await redis.run(TOUCH, (COUNTED,), words)
            except StoreUnavailable:
                for session in part:  # their next ones count instead
                    self._seen.pop(session)
                return

    def _take_here(self, subject: bytes, session: bytes, most: int, *, take: bool) -> int | None:
        """:meth:`take` for a process that shares nothing."""
        now_s = self._clock()
        playing = self._local.get(subject)
        if playing is None:
            playing = {}
        for one in [one for one, at in playing.items() if now_s - at >= self._ends_after_s]:
            del playing[one]
        if session not in playing and len(playing) >= most:
            first_s = min(playing.values(), default=now_s) + self._ends_after_s
            return max(1, math.ceil(first_s - now_s))
        if take:
            playing[session] = now_s
            self._local.put(subject, playing)
            self._local.put(session, playing)
        return None

    def _seen_here(self, session: bytes, now_s: float) -> None:
        playing = self._local.get(session)
        if playing is not None and session in playing:
            playing[session] = now_s
