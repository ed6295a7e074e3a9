"""Events in Redis: the stream, and the lists of sessions' last events.

One script writes a batch to all of them. The list of a session expires with its last event. An
index has the time of each session's last event; by it, sessions are listed, and the oldest are
removed when there are too many.
"""

from collections.abc import Iterator, Sequence

from gateway.store.connection.keys import (
    DIGEST_BYTES,
    EVENTS,
    SESSION_EVENTS,
    SESSION_INDEX,
    event_writer_key,
    shown_session,
)
from gateway.store.connection.protocol import Commands, RedisReply, Script
from gateway.store.coordination.lua import NOW, OWN
from gateway.store.events.event import MAX_EVENT_BYTES, VERSION, AnyEvent, MalformedEventError
from gateway.store.events.log import (
    Cursor,
    ListedSession,
    LogBounds,
    Numbered,
    SessionEvents,
    SessionPage,
    event_of_session,
    in_order,
)
from gateway.store.garbage import found_garbage

MEMORY_OF_WRITERS_MS = 3_600_000
"""Milliseconds that Redis remembers a silent writer: longer than any batch is retried."""

MAX_ENTRY_BYTES = DIGEST_BYTES + 1 + MAX_EVENT_BYTES

# A stream of another type is not ours, nor is one with an id after which none can come, or that is
# of tomorrow: all later ids would be, too. A new one begins. A last number that this writer has not
# reached is not ours either. Returns how much was not ours.
#
# KEYS: the stream, the writer's last number, the index, the lists of sessions.
# ARGV: writer, length of the stream, memory of writers (ms), version, length of a list, its
# lifetime (ms), most sessions, the lists' prefix; then for each event its number, its number in the
# stream or '', its kind, its JSON, the position of its list in KEYS or '', its entry in the list.
_APPEND = Script(
    "put_events",
    NOW
    + OWN
    + b"""
local now_us = time[1] * 1000000 + time[2]
local function whole(number) return string.format('%.0f', number) end
local function add(at)
  return redis.pcall('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'v', ARGV[4],
    'id', ARGV[1] .. '-' .. ARGV[at + 1], 'kind', ARGV[at + 2], 'event', ARGV[at + 3])
end
local function stream(at)
  local id = add(at)
  local why = type(id) == 'table' and id.err or ''
  local full = why:find('equal or smaller') or why:find('exhausted')
  if full or (why == '' and tonumber(id:match('^%d+')) > now + 86400000) then
    redis.call('DEL', KEYS[1])
    garbage = garbage + 1
    id = add(at)
  end
  return type(id) == 'table' and id
end
local function keep(at)
  local key = KEYS[tonumber(ARGV[at + 4])]
  own(key, 'list')
  redis.call('LPUSH', key, ARGV[at + 5])
  redis.call('LTRIM', key, 0, ARGV[5] - 1)
  redis.call('PEXPIRE', key, ARGV[6])
  redis.call('ZADD', KEYS[3], whole(now_us + (at - 9) / 6), key:sub(#ARGV[8] + 1))
end
own(KEYS[1], 'stream')
own(KEYS[3], 'zset')
local text = redis.pcall('GETRANGE', KEYS[2], 0, 31)
local known = type(text) == 'string' and tonumber(text) or 0
if not (known >= 0 and known <= tonumber(ARGV[#ARGV - 5])) then
  known = 0
  garbage = garbage + 1
end
local last = known
for at = 9, #ARGV, 6 do
  local number = tonumber(ARGV[at])
  if number > known then
    local failed = ARGV[at + 1] ~= '' and stream(at)
    if failed then return failed end
    if ARGV[at + 4] ~= '' then keep(at) end
    last = number
  end
end
redis.call('SET', KEYS[2], whole(last), 'PX', ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', whole(now_us - ARGV[6] * 1000))
redis.call('ZREMRANGEBYSCORE', KEYS[3], whole(now_us + 86400000000), '+inf')
local over = redis.call('ZCARD', KEYS[3]) - ARGV[7]
if over > 0 then
  local removed = redis.call('ZPOPMIN', KEYS[3], whole(math.min(over, 1000)))
  for at = 1, #removed, 2 do redis.call('DEL', ARGV[8] .. removed[at]) end
end
return garbage
""",
)

# KEYS: the list. ARGV: the most events, the most bytes of one. Entries that are larger are 0. They
# are read one by one, so that Redis holds but one that is too long.
_OF_SESSION = Script(
    "get_session_events",
    b"""
local found = {}
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'list' then return kind ~= 'none' and 0 or found end
for at = 0, ARGV[1] - 1 do
  local entry = redis.call('LINDEX', KEYS[1], at)
  if not entry then break end
  found[at + 1] = #entry <= tonumber(ARGV[2]) and entry or 0
end
return found
""",
)

# KEYS: the index. ARGV: the time and the session after which to begin, both '' for the first page;
# the most sessions, the lifetime of a list (s), the lists' prefix, the most bytes of an event.
# Returns for each session its hash, its time, the number of its events, and the last one (0: not
# ours). A session whose list is gone has no events.
_SESSIONS = Script(
    "list_sessions",
    NOW
    + b"""
local found = {}
local earliest = string.format('%.0f', (now - ARGV[4] * 1000) * 1000)
local latest = ARGV[1] ~= '' and ARGV[1] or string.format('%.0f', (now + 86400000) * 1000)
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'zset' then return kind ~= 'none' and 0 or found end
local from = 0
while #found < tonumber(ARGV[3]) do
  local part = redis.call('ZREVRANGEBYSCORE', KEYS[1], latest, earliest, 'WITHSCORES',
    'LIMIT', from, 100)
  if #part == 0 then break end
  from = from + 100
  for at = 1, #part, 2 do
    local session, written = part[at], part[at + 1]
    if written ~= ARGV[1] or session < ARGV[2] then
      local key = ARGV[5] .. session
      local list = redis.call('TYPE', key).ok == 'list'
      local last = list and redis.call('LINDEX', key, 0) or ''
      found[#found + 1] = {session, written, list and redis.call('LLEN', key) or 0,
        #last <= tonumber(ARGV[6]) and last or 0}
      if #found >= tonumber(ARGV[3]) then break end
    end
  end
end
return found
""",
)


class RedisEventLog:
    """Events in Redis. ``writes`` and ``reads`` are two connections, so that neither delays the
    other; each has a deadline."""

    def __init__(self, writes: Commands, reads: Commands) -> None:
        self._writes = writes
        self._reads = reads

    async def append(self, writer: str, events: Sequence[Numbered], bounds: LogBounds) -> None:
        """See ``EventLog.append``: one round trip."""
        keys = [EVENTS, event_writer_key(writer), SESSION_INDEX]
        positions: dict[bytes, bytes] = {}
        words = [
            writer.encode(),
            b"%d" % bounds.stream_max_length,
            b"%d" % MEMORY_OF_WRITERS_MS,
            VERSION,
            b"%d" % bounds.session_events,
            b"%d" % (bounds.expire_s * 1000),
            b"%d" % bounds.max_sessions,
            SESSION_EVENTS,
        ]
        for event in events:
            position, entry = b"", b""
            if event.session is not None:
                position = positions.get(event.session, b"")
                if not position:
                    keys.append(_list_of(shown_session(event.session)))
                    position = positions[event.session] = b"%d" % len(keys)
                entry = event.of_session
            number = b"" if event.stream_number is None else b"%d" % event.stream_number
            data = b"" if event.stream_number is None else event.data
            words += (b"%d" % event.number, number, event.kind.encode(), data, position, entry)
        reply = await self._writes.run(_APPEND, keys, words)
        if isinstance(reply, int) and reply:
            found_garbage("events", "a stream, list, index or last number that is not ours", reply)

    async def events_of(self, session: str, bounds: LogBounds) -> SessionEvents | None:
        """See ``EventLog.events_of``."""
        words = (b"%d" % bounds.session_events, b"%d" % MAX_ENTRY_BYTES)
        reply = await self._reads.run(_OF_SESSION, (_list_of(session),), words)
        if not isinstance(reply, list):
            found_garbage("events", "a key of another type")
            return None
        found = [each for each in map(_read, reply) if each is not None]
        found = [each for each in found if shown_session(each[0]) == session]
        if not found:
            return None
        return SessionEvents(found[0][0], in_order(event for _, event in reversed(found)))

    async def sessions(self, after: Cursor | None, limit: int, bounds: LogBounds) -> SessionPage:
        """See ``EventLog.sessions``."""
        words = (
            b"" if after is None else b"%d" % after.written_us,
            b"" if after is None else after.session.encode("ascii"),
            b"%d" % (limit + 1),
            b"%d" % bounds.expire_s,
            SESSION_EVENTS,
            b"%d" % MAX_ENTRY_BYTES,
        )
        reply = await self._reads.run(_SESSIONS, (SESSION_INDEX,), words)
        if not isinstance(reply, list):
            found_garbage("events", "a key of another type")
            return SessionPage((), None)
        read = list(_listed(reply))
        more = len(reply) > limit
        cursors = [cursor for cursor, _ in read[:limit]]
        return SessionPage(
            tuple(session for _, session in read[:limit] if session is not None),
            cursors[-1] if more and cursors else None,
        )


def _list_of(session: str) -> bytes:
    return SESSION_EVENTS + session.encode("ascii")


def _read(entry: RedisReply) -> tuple[bytes, AnyEvent | None] | None:
    """A session's name and event; None for what is not ours."""
    try:
        if isinstance(entry, bytes):
            return event_of_session(entry)
    except MalformedEventError:
        pass
    found_garbage("events", "an entry of a session's list that is no event")
    return None


def _listed(reply: list[RedisReply]) -> Iterator[tuple[Cursor, ListedSession | None]]:
    """Sessions with their places in the index; without its events, a session is None."""
    for row in reply:
        match row:
            case [bytes(session), bytes(written), int(events), last]:
                cursor = Cursor(int(float(written)), session.decode("ascii", "replace"))
                event = None if last == b"" else _read(last)
                ours = event is not None and shown_session(event[0]) == cursor.session
                if event is None or event[1] is None or not ours:
                    yield cursor, None
                else:
                    yield cursor, ListedSession(cursor.session, cursor.written_us, events, event[1])
            case _:
                found_garbage("events", "a row of the list of sessions")
