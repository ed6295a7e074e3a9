"""How do decision events get from a request to the stream? Over a queue that never makes it wait.

A request leaves behind a recipe for its event, some µs of work; who empties the queue makes the
event. Each event has a number, given before anything can be lost, so a reader sees by the gaps
what never arrived. Redis remembers the last number that each writer has brought: a batch whose
answer was late may be sent again, and nothing is in the stream twice.
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
"""How long Redis remembers a writer that writes nothing: longer than any batch is tried again."""

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
    """Recipes of events that wait for being written. ``writer`` names this process's queue."""

    def __init__(self) -> None:
        self.writer = secrets.token_hex(6)
        self._recipes: deque[tuple[int, Recipe]] = deque()
        self._last = 0
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        """How many wait."""
        return len(self._recipes)

    def offer(self, recipe: Recipe, limit: int) -> None:
        """Put an event in. Never waits, never raises. Above ``limit`` the oldest leave: after an
        outage readers are better served with the present than with the past."""
        self._last += 1
        self._recipes.append((self._last, recipe))
        while len(self._recipes) > limit:
            self._recipes.popleft()
            _overflow.inc()
        self._filled.set()

    def take(self) -> tuple[int, Recipe] | None:
        """The oldest recipe, with its number; None when there is none."""
        if not self._recipes:
            self._filled.clear()
            return None
        return self._recipes.popleft()

    async def wait(self) -> None:
        """Wait until there is something."""
        await self._filled.wait()


async def append(
    redis: Commands, writer: str, events: Sequence[Numbered], stream_max_length: int
) -> None:
    """Write events in order, in one step and one round trip. Sending a batch again is harmless.

    Raises StoreUnavailable; the events may be written nevertheless.
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
