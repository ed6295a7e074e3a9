"""How do decision events get from a request to the stream without delaying the request?

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
from gateway.store.events.event import VERSION, Event

Recipe = Callable[[], Event]

_overflow = metrics.EVENTS_DROPPED.labels("overflow")

MEMORY_OF_WRITERS_MS = 3_600_000
"""Milliseconds that Redis remembers a silent writer: longer than any batch is retried."""

_APPEND = Script(
    "put_events",
    b"""
local known = tonumber(redis.call('GET', KEYS[2]) or '0')
local last = known
for at = 5, #ARGV, 2 do
  local number = tonumber(ARGV[at])
  if number > known then
    redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*',
      'v', ARGV[4], 'id', ARGV[1] .. '-' .. ARGV[at], 'event', ARGV[at + 1])
    last = number
  end
end
redis.call('SET', KEYS[2], string.format('%.0f', last), 'PX', ARGV[3])
""",
)


@dataclass(frozen=True, slots=True)
class Numbered:
    """An event as it is written: its number among its writer's events, from 1, and its JSON."""

    number: int
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
        words += (b"%d" % event.number, event.data)
    await redis.run(_APPEND, (EVENTS, event_writer_key(writer)), words)
