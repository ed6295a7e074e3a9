"""How do events get from a request to the stream without delaying the request?

A request queues a recipe for its event, which takes a few µs; the writer builds the event. Each
event gets a number before it can be lost, so readers detect missing events by the gaps. Redis
remembers the last number of each writer: a batch whose reply was late can be sent again, and no
event is stored twice.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.observe import metrics
from gateway.store.connection.keys import EVENTS, event_writer_key
from gateway.store.connection.protocol import Commands, Script
from gateway.store.coordination.lua import NOW, OWN
from gateway.store.events.event import VERSION, AnyEvent, EventKind
from gateway.store.garbage import found_garbage

Recipe = Callable[[], AnyEvent]

_overflow = metrics.EVENTS_DROPPED.labels("overflow")

MEMORY_OF_WRITERS_MS = 3_600_000
"""Milliseconds that Redis remembers a silent writer: longer than any batch is retried."""

# A stream of another type is not ours, nor is one with an id after which none can come, or that is
# of tomorrow: all later ids would be, too. A new one begins. A last number that this writer has not
# reached is not ours either. Returns how much was not ours.
_APPEND = Script(
    "put_events",
    NOW
    + OWN
    + b"""
local function add(at)
  return redis.pcall('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*',
    'v', ARGV[4], 'id', ARGV[1] .. '-' .. ARGV[at], 'kind', ARGV[at + 1], 'event', ARGV[at + 2])
end
own(KEYS[1], 'stream')
local text = redis.pcall('GETRANGE', KEYS[2], 0, 31)
local known = type(text) == 'string' and tonumber(text) or 0
if not (known >= 0 and known <= tonumber(ARGV[#ARGV - 2])) then
  known = 0
  garbage = garbage + 1
end
local last = known
for at = 5, #ARGV, 3 do
  local number = tonumber(ARGV[at])
  if number > known then
    local id = add(at)
    local why = type(id) == 'table' and id.err or ''
    local full = why:find('equal or smaller') or why:find('exhausted')
    if full or (why == '' and tonumber(id:match('^%d+')) > now + 86400000) then
      redis.call('DEL', KEYS[1])
      garbage = garbage + 1
      id = add(at)
    end
    if type(id) == 'table' then return id end
    last = number
  end
end
redis.call('SET', KEYS[2], string.format('%.0f', last), 'PX', ARGV[3])
return garbage
""",
)


@dataclass(frozen=True, slots=True)
class Numbered:
    """An event as it is written: its number among its writer's events, from 1, its kind, and its
    JSON."""

    number: int
    kind: EventKind
    data: bytes


class EventQueue:
    """Recipes of events that wait to be written. ``writer`` names this process's queue."""

    def __init__(self) -> None:
        self.writer = secrets.token_hex(6)
        self._recipes: deque[tuple[int, Recipe]] = deque()
        self._last = 0
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        """Number of waiting recipes."""
        return len(self._recipes)

    def offer(self, recipe: Recipe, limit: int) -> None:
        """Queue an event. Never waits, never raises. Above ``limit`` the oldest are dropped: after
        an outage recent events are more useful."""
        self._last += 1
        self._recipes.append((self._last, recipe))
        while len(self._recipes) > limit:
            self._recipes.popleft()
            _overflow.inc()
        self._filled.set()

    def take(self) -> tuple[int, Recipe] | None:
        """The oldest recipe and its number; None when the queue is empty."""
        if not self._recipes:
            self._filled.clear()
            return None
        return self._recipes.popleft()

    async def wait(self) -> None:
        """Wait until the queue is not empty."""
        await self._filled.wait()


async def append(
    redis: Commands, writer: str, events: Sequence[Numbered], stream_max_length: int
) -> None:
    """Write events in order, in one round trip. Sending a batch again is harmless.

    Raises StoreUnavailable; the events may have been written nevertheless.
    """
    words = [
        writer.encode(),
        b"%d" % stream_max_length,
        b"%d" % MEMORY_OF_WRITERS_MS,
        VERSION,
    ]
    for event in events:
        words += (b"%d" % event.number, event.kind.encode(), event.data)
    reply = await redis.run(_APPEND, (EVENTS, event_writer_key(writer)), words)
    if isinstance(reply, int) and reply:
        found_garbage("events", "a stream or a last number that is not ours", reply)
