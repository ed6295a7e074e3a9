"""How does what a player measured apart from a request for a playlist reach its session's estimate?

Probes, steering requests and reports are answered before their samples are stored. If this worker
has the session's record, a sample is added to it at once. Otherwise it waits for the record, or is
dropped and counted when too many wait.
"""

from collections.abc import Sequence
from typing import NamedTuple

from gateway.client.estimate import MAX_SAMPLES, EstimatorConfig
from gateway.client.session import SessionRecord
from gateway.client.throughput import Measurement, with_measurement
from gateway.observe import metrics
from gateway.play.awaited_records import MAX_WAITING, AwaitedRecords
from gateway.store.caches.sessions import Sessions
from gateway.store.connection.keys import session_name


class _Waiting(NamedTuple):
    """A sample: when it was taken, in seconds since 1970, and the constants to add it with."""

    measured: Measurement
    now_s: float
    config: EstimatorConfig


class Measurements:
    """Adds samples to the estimates of sessions, without delaying anybody."""

    def __init__(self, sessions: Sessions, max_waiting: int = MAX_WAITING) -> None:
        self._sessions = sessions
        self._awaited: AwaitedRecords[list[_Waiting]] = AwaitedRecords(
            sessions, self._put, max_waiting
        )

    def add(
        self, session: str | bytes, measured: Measurement, now_s: float, config: EstimatorConfig
    ) -> None:
        """Add what the player of ``session`` (its id or its name) measured at ``now_s``. Never
        waits, never raises. An implausible speed changes nothing."""
        name = session_name(session) if isinstance(session, str) else session
        metrics.samples(measured.source).inc()
        sample = _Waiting(measured, now_s, config)
        others = self._awaited.get(name)
        if others is not None:
            others.append(sample)
            del others[:-MAX_SAMPLES]
            return
        record = self._sessions.fresh(name)
        if record is not None:
            self._put(name, record, (sample,))
        elif not self._awaited.put(name, [sample]):
            metrics.SAMPLES_DROPPED.inc()

    async def add_now(
        self, session: str, measured: Measurement, now_s: float, config: EstimatorConfig
    ) -> None:
        """As :meth:`add`, but wait for the store, at most for its deadline: this worker's next
        request of the session finds the sample, and so does another worker's, which reads it."""
        name = session_name(session)
        metrics.samples(measured.source).inc()
        record, _ = await self._sessions.get(name)
        sample = _Waiting(measured, now_s, config)
        self._put(name, record, [*(self._awaited.pop(name) or ()), sample])
        await self._sessions.written()

    async def run(self) -> None:
        """Add the samples that wait for their records, until cancelled."""
        await self._awaited.run()

    def _put(self, name: bytes, record: SessionRecord, samples: Sequence[_Waiting]) -> None:
        estimate = record.estimate
        for measured, now_s, config in samples:
            estimate = with_measurement(estimate, measured, now_s, config) or estimate
        if estimate is not record.estimate:
            self._sessions.put(name, record.measured(estimate))
