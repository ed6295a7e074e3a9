"""How do events get from a request to the store without delaying the request?

A request queues a recipe for its event, which takes a few µs; the writer builds the event. Each
event gets a number before it can be lost, so readers of the stream detect missing events by the
gaps. The store remembers the last number of each writer: a batch whose reply was late can be sent
again, and no event is stored twice.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from gateway.observe import metrics
from gateway.store.events.event import AnyEvent

Recipe = Callable[[], AnyEvent]

_overflow = metrics.EVENTS_DROPPED.labels("overflow")


class Queued(NamedTuple):
    """An event to be built: its number among all of this writer, and among those that go to the
    stream, None when it does not; and the name of the session among whose events it is kept."""

    number: int
    stream_number: int | None
    session: bytes | None
    recipe: Recipe


class EventQueue:
    """Recipes of events that wait to be written. ``writer`` names this process's queue.

    ``has_stream``: the store has a stream of events.
    """

    def __init__(self, *, has_stream: bool) -> None:
        self.writer = secrets.token_hex(6)
        self.has_stream = has_stream
        self._waiting: deque[Queued] = deque()
        self._last = 0
        self._last_of_stream = 0
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        """Number of waiting recipes."""
        return len(self._waiting)

    def offer(self, recipe: Recipe, limit: int, *, stream: bool, session: bytes | None) -> None:
        """Queue an event for the stream, and for the events of ``session``. Never waits, never
        raises. Above ``limit`` the oldest are dropped: after an outage recent events are more
        useful."""
        self._last += 1
        self._last_of_stream += stream
        number = self._last_of_stream if stream else None
        self._waiting.append(Queued(self._last, number, session, recipe))
        while len(self._waiting) > limit:
            self._waiting.popleft()
            _overflow.inc()
        self._filled.set()

    def take(self) -> Queued | None:
        """The oldest recipe; None when the queue is empty."""
        if not self._waiting:
            self._filled.clear()
            return None
        return self._waiting.popleft()

    async def wait(self) -> None:
        """Wait until the queue is not empty."""
        await self._filled.wait()
