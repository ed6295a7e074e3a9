"""How does a measurement that comes without a playlist request reach its session's estimate?

Probes, steering requests and reports are answered before their samples are stored. If this worker
has the session's record, a sample is added to it at once. Otherwise it waits for the record, or is
dropped and counted when too many wait.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from gateway.client.estimate import MAX_SAMPLES, EstimatorConfig
from gateway.client.session import SessionRecord
from gateway.client.throughput import Measurement, with_measurement
from gateway.observe import metrics
from gateway.play.awaited_records import MAX_WAITING, AwaitedRecords
from gateway.play.session_use import Caller
from gateway.store.caches.sessions import Sessions
from gateway.store.connection.keys import session_name

Asking = Callable[[bytes], Caller]
"""Who asks, about the session with this ``session_name``."""


class _Waiting(NamedTuple):
    """A sample: when it was taken, in seconds since 1970, the constants to add it with, and who
    took it."""

    measured: Measurement
    now_s: float
    config: EstimatorConfig
    caller: Caller | None


class Measurements:
    """Adds samples to the estimates of sessions, without delaying anybody."""

    def __init__(self, sessions: Sessions, max_waiting: int = MAX_WAITING) -> None:
        self._sessions = sessions
        self._awaited: AwaitedRecords[list[_Waiting]] = AwaitedRecords(
            sessions, self._put, max_waiting
        )

    def add(
        self,
        session: str | bytes,
        measured: Measurement,
        now_s: float,
        config: EstimatorConfig,
        caller: Caller | None = None,
    ) -> None:
        """Add what the player of ``session`` (its id or its name) measured at ``now_s``. Never
        waits, never raises. An implausible speed changes nothing, nor does one of a ``caller`` who
        may not use the session."""
        name = session_name(session) if isinstance(session, str) else session
        metrics.samples(measured.source).inc()
        sample = _Waiting(measured, now_s, config, caller)
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
        self, session: str, measured: Measurement, now_s: float, config: EstimatorConfig, by: Asking
    ) -> None:
        """As :meth:`add`, but wait for the store, at most for its deadline: this worker's next
        request of the session finds the sample, and so does another worker's, which reads it.

        ``by`` says who asks about a session with this name. What is measured for the session of
        another is added to the caller's own.
        """
        name = session_name(session)
        metrics.samples(measured.source).inc()
        record, _ = await self._sessions.get(name)
        caller = by(name)
        if not record.is_new and caller.use_of(record) == "another":
            name = session_name(caller.own_session(session))
            record, _ = await self._sessions.get(name)
            caller = by(name)
        sample = _Waiting(measured, now_s, config, caller)
        self._put(name, record, [*(self._awaited.pop(name) or ()), sample])
        await self._sessions.written()

    async def run(self) -> None:
        """Add the samples that wait for their records, until cancelled."""
        await self._awaited.run()

    def _put(self, name: bytes, record: SessionRecord, samples: Sequence[_Waiting]) -> None:
        changed = record
        for measured, now_s, config, caller in samples:
            if caller is not None and caller.use_of(changed) != "own":
                continue
            estimate = with_measurement(changed.estimate, measured, now_s, config)
            if estimate is not None and estimate is not changed.estimate:
                changed = changed.measured(estimate)
                changed = changed if caller is None else caller.noted_in(changed)
        if changed is not record:
            self._sessions.put(name, changed)
