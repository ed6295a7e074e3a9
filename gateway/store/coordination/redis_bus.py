"""How does a message reach every worker through Redis, and what if it is lost on the way?

Each topic has a short log in Redis, a stream, and a pub/sub channel. Publishing appends to the log
and notifies the channel, in one script. The log holds the messages; a notification only says *now*.
Each worker reads the log on from the last entry that it knows, at every notification and about once
a second without one. So a lost notification, or a lost subscription, delays a message until the
next poll.

A read starts at the last known entry itself. When that is not the first entry of the reply, the log
was trimmed past it or evicted, or Redis has restarted empty. It is then unknown which messages were
missed, so subscribers get a gap. An empty log gets a first entry without a message, so that there
always is an entry to start from.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from random import SystemRandom
from typing import Literal

import structlog
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from gateway.observe import metrics
from gateway.store.connection.address import CONNECT_TIMEOUT_S
from gateway.store.connection.keys import bus_channel, bus_log
from gateway.store.connection.protocol import (
    Commands,
    RedisReply,
    Script,
    Store,
    StoreUnavailable,
    Trouble,
)
from gateway.store.connection.redis import RedisStore
from gateway.store.coordination.bus import (
    MAX_MESSAGE_BYTES,
    TOPICS,
    Bus,
    Gap,
    GapReason,
    LocalBus,
    Message,
    Subscribers,
    Subscription,
    Topic,
)
from gateway.store.garbage import found_garbage

POLL_S = 1.0
"""Seconds between reads of the log without notifications, before jitter."""

KEPT = 1000
"""Messages that a log keeps at least, before the oldest are trimmed."""

BATCH = 100
"""Messages in one read: bounds how long a worker that was away blocks its event loop."""

FIRST_BACKOFF_S = 0.1
MAX_BACKOFF_S = 1.0

SILENCE_S = 5.0
"""A subscription that was silent for this many seconds is sent a PING; silent for as long again, it
is replaced."""

ANCHOR = b""
"""The message of the entry that a new log starts with."""

PUBLISH = Script(
    "bus_publish",
    b"""
local function add()
  return redis.pcall('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'm', ARGV[1])
end
local id = add()
local why = type(id) == 'table' and id.err or ''
-- Not a log of ours, or one with an id after which none can come: followers see a gap.
if why:find('WRONGTYPE') or why:find('equal or smaller') or why:find('exhausted') then
  redis.call('DEL', KEYS[1])
  id = add()
end
if type(id) == 'string' then redis.pcall('PUBLISH', ARGV[3], id) end
return id
""",
)

ATTACH = Script(
    "bus_attach",
    b"""
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'stream' and kind ~= 'none' then redis.call('DEL', KEYS[1]) end
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
if last[1] then return last[1][1] end
return redis.call('XADD', KEYS[1], '*', 'm', '')
""",
)

# ARGV: the first entry's id, the most entries, the longest message. Entries without a message of
# ours are ids alone. They are read one by one, so that Redis holds but one that is too long.
READ = Script(
    "bus_read",
    b"""
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'stream' then return kind ~= 'none' and 0 or {} end
local found, first = {}, ARGV[1]
while #found < tonumber(ARGV[2]) do
  local entry = redis.pcall('XRANGE', KEYS[1], first, '+', 'COUNT', 1)[1]
  if not entry then break end  -- also after the highest id there is, which is no start
  local fields = entry[2]
  local ours = #fields == 2 and fields[1] == 'm' and #fields[2] <= tonumber(ARGV[3])
  found[#found + 1] = ours and {entry[1], fields[2]} or {entry[1]}
  first = '(' .. entry[1]
end
return found
""",
)

_BusState = Literal["live", "polling", "away"]
"""``live``: notifications arrive. ``polling``: they do not, and the log is polled. ``away``: the
log cannot be read."""

_log = structlog.get_logger(__name__)
_random = SystemRandom()


async def publish(commands: Commands, topic: Topic, body: bytes) -> bool:
    """Append to a topic's log and notify. Never raises; returns whether the log is known to hold
    the message."""
    accepted = len(body) <= MAX_MESSAGE_BYTES
    if accepted:
        words = (body, b"%d" % KEPT, bus_channel(topic))
        try:
            await commands.run(PUBLISH, (bus_log(topic),), words)
        except StoreUnavailable as error:
            _log.debug("bus_publish_failed", topic=topic, reason=str(error))
            accepted = False
    metrics.BUS_PUBLISHED.labels(topic, "accepted" if accepted else "refused").inc()
    return accepted


@dataclass(slots=True)
class _LogPosition:
    """The position in one log: the last known entry, and the gap to report."""

    last: bytes | None = None
    gap: GapReason | None = "away"  # messages from before the start count as missed


class RedisBus:
    """The bus over ``store``, whose deadline bounds each read and each publishing. A deadline of
    about a second suits it: a slow Redis is no reason to miss messages, and no player waits for
    them. The owner starts and closes the store."""

    def __init__(self, store: RedisStore, *, poll_s: float = POLL_S) -> None:
        self._store = store
        self._poll_s = poll_s
        self._subscribers = Subscribers()
        self._positions = {topic: _LogPosition() for topic in TOPICS}
        self._notified = asyncio.Event()
        self._subscribed = False
        self._state: _BusState | None = None

    async def publish(self, topic: Topic, body: bytes) -> bool:
        """See ``Bus.publish``."""
        return await publish(self._store, topic, body)

    def subscribe(self, topic: Topic) -> Subscription:
        """See ``Bus.subscribe``."""
        return self._subscribers.add(topic)

    async def run(self) -> None:
        """See ``Bus.run``."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow())
            tasks.create_task(self._listen())

    async def _follow(self) -> None:
        """Read the logs on, at every notification and about once a second."""
        while True:
            try:
                async with asyncio.timeout(self._poll_s * _random.uniform(0.8, 1.2)):
                    await self._notified.wait()
            except TimeoutError:
                pass  # no notification: read all the same
            self._notified.clear()
            try:
                await self._read_all()
            except StoreUnavailable as error:
                for position in self._positions.values():
                    position.gap = position.gap or "away"
                self._enter("away", str(error))
            else:
                self._enter("live" if self._subscribed else "polling")

    async def _read_all(self) -> None:
        """Read all logs on, concurrently. Raises StoreUnavailable."""
        reads = (self._read(topic, position) for topic, position in self._positions.items())
        for failed in await asyncio.gather(*reads, return_exceptions=True):
            if failed is not None:
                raise failed

    async def _read(self, topic: Topic, position: _LogPosition) -> None:
        """Deliver the new messages of one log. Raises StoreUnavailable."""
        if position.last is None:
            position.last = await self._attach(topic)
        while True:
            entries = await self._entries(topic, position.last)
            known = bool(entries) and entries[0][0] == position.last
            if not known:
                position.gap = "lost"
                entries = entries or await self._entries(topic, b"-")
            if not entries:
                position.last = await self._attach(topic)
            self._report_gap(topic, position)
            if not entries:
                return
            for entry_id, body in entries[1 if known else 0 :]:
                if body is None:
                    found_garbage("bus", "an entry of a log without a message, or too long a one")
                elif body != ANCHOR:
                    self._subscribers.deliver(Message(topic, entry_id.decode(), body))
            position.last = entries[-1][0]
            if len(entries) <= BATCH:
                return

    def _report_gap(self, topic: Topic, position: _LogPosition) -> None:
        if position.gap is not None:
            self._subscribers.deliver(Gap(topic, position.gap))
            position.gap = None

    async def _attach(self, topic: Topic) -> bytes:
        """The id of a log's last entry. Raises StoreUnavailable."""
        reply = await self._store.run(ATTACH, (bus_log(topic),), ())
        if not isinstance(reply, bytes):
            raise StoreUnavailable(Trouble.REJECTED, f"not an entry id: {reply!r}")
        return reply

    async def _entries(self, topic: Topic, first: bytes) -> list[tuple[bytes, bytes | None]]:
        """Ids and messages from the entry ``first`` on; None for an entry without a message. Raises
        StoreUnavailable."""
        words = (first, b"%d" % (BATCH + 1), b"%d" % MAX_MESSAGE_BYTES)
        reply = await self._store.run(READ, (bus_log(topic),), words)
        if not isinstance(reply, list):
            found_garbage("bus", "a log is a key of another type")
            return []
        return list(_parsed(reply))

    async def _listen(self) -> None:
        """Keep a subscription for notifications, until cancelled."""
        loop = asyncio.get_running_loop()
        backoff_s = 0.0
        while True:
            started = loop.time()
            connection = self._store.connect()
            try:
                await self._receive(connection)
            except (RedisError, OSError, ValueError) as error:
                _log.debug("bus_connection_lost", reason=str(error))
            finally:
                self._subscribed = False
                await connection.disconnect(nowait=True)
            self._notified.set()  # read now: a notification may have been missed
            if loop.time() - started > SILENCE_S:
                backoff_s = 0.0
            backoff_s = min(max(FIRST_BACKOFF_S, 2 * backoff_s), MAX_BACKOFF_S)
            await asyncio.sleep(backoff_s * _random.uniform(0.8, 1.2))

    async def _receive(self, connection: AbstractConnection) -> None:
        """Receive notifications. Raises RedisError or OSError when the connection fails."""
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await connection.connect()  # type: ignore[no-untyped-call]
            await connection.send_command(b"SUBSCRIBE", *map(bus_channel, TOPICS))
            await connection.read_response()
        self._subscribed = True
        silent = False
        while True:
            self._notified.set()
            if await connection.read_response(timeout=SILENCE_S) is not None:
                silent = False
                continue
            if silent:
                raise TimeoutError("silent for too long")
            silent = True
            await connection.send_command(b"PING", check_health=False)

    def _enter(self, state: _BusState, reason: str = "") -> None:
        if state == self._state:
            return
        self._state = state
        write = _log.info if state == "live" else _log.warning
        write("bus_state", state=state, reason=reason)


def bus_over(control: Store) -> Bus:
    """The bus over a control store: Redis where there is one, else this process alone."""
    return RedisBus(control) if isinstance(control, RedisStore) else LocalBus()


def _parsed(reply: list[RedisReply]) -> Iterator[tuple[bytes, bytes | None]]:
    """Entries of a log, whoever wrote them; an entry without a message has None in its place."""
    for entry in reply:
        match entry:
            case [bytes(entry_id), bytes(body)]:
                yield entry_id, body
            case [bytes(entry_id)]:
                yield entry_id, None
            case _:
                continue
