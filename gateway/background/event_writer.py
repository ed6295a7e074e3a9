"""Writes events to the store in batches, retries until they are accepted, and never delays a
request.

While Redis is gone, frozen, full or read-only, the current batch is kept, and the queue behind it
fills up to its bound.
"""

import asyncio
from collections.abc import Callable
from random import SystemRandom

import structlog

from gateway.config.build import log_bounds_of
from gateway.config.schema import Settings
from gateway.observe import metrics
from gateway.store.connection.protocol import StoreUnavailable
from gateway.store.events.log import EventLog, Numbered
from gateway.store.events.queue import EventQueue

log = structlog.get_logger()
_random = SystemRandom()

MAX_BATCH_BYTES = 128 * 1024
"""The largest batch, whatever ``batch_size`` says: requests may share the connection."""

MADE_IN_A_ROW = 8
"""Events to build (some 50 µs each) before requests get the event loop again."""

FIRST_BACKOFF_S = 0.25
MAX_BACKOFF_S = 2.0
GRACE_S = 1.0


class EventWriter:
    """Writes ``queue`` to ``events``. ``settings`` gives the current settings."""

    def __init__(
        self, queue: EventQueue, events: EventLog, settings: Callable[[], Settings]
    ) -> None:
        self._queue = queue
        self._events = events
        self._settings = settings
        self._batch: list[Numbered] = []
        self._held = False

    async def run(self) -> None:
        """Write until cancelled."""
        backoff_s = 0.0
        while True:
            if not self._batch:
                await self._queue.wait()
                await self._gather()
            if await self._write():
                backoff_s = 0.0
            else:
                backoff_s = min(max(FIRST_BACKOFF_S, 2 * backoff_s), MAX_BACKOFF_S)
                await asyncio.sleep(backoff_s * _random.uniform(0.5, 1.5))

    async def finish(self, grace_s: float = GRACE_S) -> None:
        """Write what is left, for ``grace_s`` seconds at most. Call it after ``run`` was
        cancelled."""
        try:
            async with asyncio.timeout(grace_s):
                while self._batch or len(self._queue):
                    await self._fill()
                    if not await self._write():
                        await asyncio.sleep(FIRST_BACKOFF_S)
        except TimeoutError:
            lost = len(self._batch) + len(self._queue)
            metrics.EVENTS_DROPPED.labels("shutdown").inc(lost)
            log.warning("events_lost", count=lost)

    async def _gather(self) -> None:
        """Wait briefly for more events, then take a batch."""
        settings = self._settings().events
        if len(self._queue) < settings.batch_size:
            await asyncio.sleep(settings.flush_interval_ms / 1000 * _random.uniform(0.5, 1.0))
        await self._fill()

    async def _fill(self) -> None:
        """Fill the batch up to its bounds."""
        most = self._settings().events.batch_size
        size = sum(len(event.data) for event in self._batch)
        while len(self._batch) < most and size < MAX_BATCH_BYTES:
            taken = self._queue.take()
            if taken is None:
                break
            try:
                event = taken.recipe()
                data = event.to_bytes()
            except Exception:
                # A bug that affects one event must not stop all others.
                log.exception("event_failed")
                metrics.EVENTS_DROPPED.labels("fault").inc()
                continue
            self._batch.append(
                Numbered(taken.number, taken.stream_number, event.KIND, data, taken.session)
            )
            size += len(data)
            if len(self._batch) % MADE_IN_A_ROW == 0:
                await asyncio.sleep(0)
        metrics.EVENTS_QUEUED.set(len(self._queue) + len(self._batch))

    async def _write(self) -> bool:
        """Write the batch; False when Redis did not accept it, or did not confirm it in time."""
        if not self._batch:
            return True
        bounds = log_bounds_of(self._settings())
        try:
            await self._events.append(self._queue.writer, self._batch, bounds)
        except StoreUnavailable as error:
            metrics.EVENTS_QUEUED.set(len(self._queue) + len(self._batch))
            if not self._held:
                log.warning("events_not_written", reason=error.trouble, detail=error.detail[:200])
            self._held = True
            return False
        for_stream = sum(event.stream_number is not None for event in self._batch)
        metrics.EVENTS_WRITTEN.inc(for_stream)
        metrics.SESSION_EVENTS_WRITTEN.inc(sum(event.session is not None for event in self._batch))
        self._batch.clear()
        metrics.EVENTS_QUEUED.set(len(self._queue))
        if self._held:
            log.info("events_recovered")
        self._held = False
        return True
