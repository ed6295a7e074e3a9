"""How does what a player measured apart from a request for a playlist reach its session's estimate?

Probes, steering requests and reports are answered before their samples are stored. If this worker
has the session's record, a sample is added to it at once. Otherwise it waits, and a background task
reads the record first. What waits is bounded: more samples are dropped and counted, since no player
waits for the store.
"""

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple

from gateway.client.estimate import MAX_SAMPLES, EstimatorConfig
from gateway.client.session import SessionRecord
from gateway.client.throughput import Measurement, with_measurement
from gateway.observe import metrics
from gateway.store.caches.sessions import Sessions
from gateway.store.connection.keys import session_name

MAX_WAITING: Final = 4096
"""The most sessions whose samples wait for their records."""
AT_ONCE: Final = 64
"""How many records are read together."""


class _Waiting(NamedTuple):
    """A sample: when it was taken, in seconds since 1970, and the constants to add it with."""

    measured: Measurement
    now_s: float
    config: EstimatorConfig


class Measurements:
    """Adds samples to the estimates of sessions, without delaying anybody."""

    def __init__(self, sessions: Sessions, max_waiting: int = MAX_WAITING) -> None:
        self._sessions = sessions
        self._max_waiting = max_waiting
        self._waiting: dict[bytes, list[_Waiting]] = {}
        self._filled = asyncio.Event()

    def add(
        self, session: str | bytes, measured: Measurement, now_s: float, config: EstimatorConfig
    ) -> None:
        """Add what the player of ``session`` (its id or its name) measured at ``now_s``. Never
        waits, never raises. An implausible speed changes nothing."""
        name = session_name(session) if isinstance(session, str) else session
        metrics.samples(measured.source).inc()
        sample = _Waiting(measured, now_s, config)
        others = self._waiting.get(name)
        if others is not None:
            others.append(sample)
            del others[:-MAX_SAMPLES]
            return
        record = self._sessions.fresh(name)
        if record is not None:
            self._put(name, record, (sample,))
        elif len(self._waiting) >= self._max_waiting:
            metrics.SAMPLES_DROPPED.inc()
        else:
            self._waiting[name] = [sample]
            self._filled.set()

    async def add_now(
        self, session: str, measured: Measurement, now_s: float, config: EstimatorConfig
    ) -> None:
        """As :meth:`add`, but wait for the store, at most for its deadline: this worker's next
        request of the session finds the sample, and so does another worker's, which reads it."""
        name = session_name(session)
        metrics.samples(measured.source).inc()
        record, _ = await self._sessions.get(name)
        sample = _Waiting(measured, now_s, config)
        self._put(name, record, [*self._waiting.pop(name, ()), sample])
        await self._sessions.written()

    async def run(self) -> None:
        """Add the samples that wait for their records, until cancelled."""
        while True:
            await self._filled.wait()
            names = list(self._waiting)[:AT_ONCE]
            if not names:
                self._filled.clear()
            await asyncio.gather(*map(self._store, names))

    async def _store(self, name: bytes) -> None:
        record, _ = await self._sessions.get(name)
        self._put(name, record, self._waiting.pop(name, ()))

    def _put(self, name: bytes, record: SessionRecord, samples: Sequence[_Waiting]) -> None:
        estimate = record.estimate
        for measured, now_s, config in samples:
            estimate = with_measurement(estimate, measured, now_s, config) or estimate
        if estimate is not record.estimate:
            self._sessions.put(name, record.measured(estimate))
