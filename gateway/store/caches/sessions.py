"""Session records in the store, with copies in this process in case the store loses them.

Several workers may write the record of one session, each from its own copy. The reply to a write
has the record that it replaced. If that is not the one that this worker knew, another worker has
written in between: both are merged, and the result is written again, in the background. So a
worker that overwrites a record always gets it back. Only a worker that ends, or loses
its connection, between a write and its reply loses what another has measured just before.
"""

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from time import monotonic
from typing import NamedTuple

from gateway.cache import SESSIONS, Cache
from gateway.client.estimate import EstimatorConfig
from gateway.client.session import SessionRecord
from gateway.observe import metrics
from gateway.store.connection.keys import session_name
from gateway.store.connection.protocol import Store, StoreUnavailable, Trouble
from gateway.store.garbage import found_garbage

TRUST_S = 30.0
"""Seconds that a worker uses its own copy of a record without reading the store. Most requests of a
player reach the same worker; a measurement by another worker shows up this much later at most."""


class _Remembered(NamedTuple):
    """A record, and when it was last read or written (monotonic seconds).

    ``stored`` is the hash of the bytes that the store was last known to have, which the record
    includes. ``unwritten``: the store has not said yet that it has the record.
    """

    record: SessionRecord
    seen: float
    stored: int = 0
    unwritten: bool = False


class Sessions:
    """Session records. This process's record is used where the store has none, and merged with the
    store's where both have one."""

    def __init__(
        self,
        store: Store,
        ttl_s: float,
        estimator: EstimatorConfig,
        *,
        trust_s: float = TRUST_S,
        clock: Callable[[], float] = monotonic,
        unix_clock: Callable[[], float] = time.time,
    ) -> None:
        """A record is kept for ``ttl_s`` seconds after its last write. ``clock`` gives monotonic
        seconds, ``unix_clock`` seconds since 1970."""
        self._store = store
        self.ttl_s = ttl_s
        self._estimator = estimator
        self._trust_s = trust_s
        self._clock = clock
        self._unix_clock = unix_clock
        self._own: Cache[bytes, _Remembered] = Cache(SESSIONS)

    def use(self, estimator: EstimatorConfig) -> None:
        """Use other constants for merging estimates."""
        self._estimator = estimator

    async def get(self, session: str | bytes) -> tuple[SessionRecord, Trouble | None]:
        """The record of a session (its id or its ``session_name``), empty when nothing is known.
        When the store could not be asked, the second value says why, and the record is not
        ``whole``."""
        name = _name(session)
        fresh = self.fresh(name)
        if fresh is not None:
            return fresh, None
        try:
            data = await self._store.get_session(name)
        except StoreUnavailable as error:
            own = self._known(name)
            return SessionRecord(whole=False) if own is None else own.record, error.trouble
        own = self._known(name)
        stored = None
        if data is not None and (own is None or hash(data) != own.stored or not own.record.whole):
            stored = self._read(data)
        elif data is not None and own is not None and not own.unwritten:
            self._keep(name, own.record, hash(data))
            return own.record, None
        if stored is None:
            found = SessionRecord()
            if own is not None:
                found = replace(own.record, whole=True)
        else:
            found = stored if own is None else self._merged(stored, own.record)
        lost = own is not None and found != stored  # the store has lost it, or never had it
        self._keep(name, found, 0 if data is None else hash(data), unwritten=lost)
        if lost:
            self._write(name, found)
        return found, None

    def fresh(self, session: str | bytes) -> SessionRecord | None:
        """The record of a session that this worker has seen within ``trust_s``, else None."""
        own = self._own.get(_name(session))
        if own is None or self._clock() - own.seen > self._trust_s or not own.record.whole:
            return None
        return own.record

    def put(self, session: str | bytes, record: SessionRecord) -> None:
        """Remember a record, without waiting. A record that is not whole stays in this process."""
        name = _name(session)
        own = self._own.get(name)
        stored = 0 if own is None else own.stored
        self._keep(name, record, stored, unwritten=record.whole)
        if record.whole:
            self._write(name, record)

    async def written(self) -> None:
        """Wait until the store has what was put, or for its deadline."""
        with contextlib.suppress(StoreUnavailable):
            await self._store.flush()

    def _known(self, name: bytes) -> _Remembered | None:
        """This process's record, at any age that the store would have kept it for."""
        own = self._own.get(name)
        return own if own and self._clock() - own.seen <= self.ttl_s else None

    def _keep(
        self, name: bytes, record: SessionRecord, stored: int, *, unwritten: bool = False
    ) -> None:
        self._own.put(name, _Remembered(record, self._clock(), stored, unwritten))

    def _merged(self, one: SessionRecord, other: SessionRecord) -> SessionRecord:
        return one.merged(other, self._unix_clock(), self._estimator)

    def _write(self, name: bytes, record: SessionRecord) -> None:
        data = record.to_bytes()
        replaced = partial(self._replaced, name, record, hash(data))
        self._store.put_session_later(name, data, self.ttl_s, replaced)

    def _replaced(
        self, name: bytes, record: SessionRecord, written: int, before: bytes | None
    ) -> None:
        """``record`` was written, and the store had ``before``: merge what another worker wrote."""
        own = self._own.get(name) or _Remembered(record, self._clock())
        now, seen, known, unwritten = own
        own = _Remembered(now, seen, written, unwritten and now is not record)
        self._own.put(name, own)
        if before is None or hash(before) == known or hash(before) == written:
            return
        other = self._read(before)
        if other is None:
            return
        found = self._merged(own.record, other)
        if found != own.record:
            metrics.SESSIONS_MERGED.inc()
            self._own.put(name, own._replace(record=found, unwritten=True))
            self._write(name, found)

    def _read(self, data: bytes) -> SessionRecord | None:
        record = SessionRecord.from_bytes(data)
        if record is None:
            found_garbage("session", "not a record")
        return record


def _name(session: str | bytes) -> bytes:
    return session_name(session) if isinstance(session, str) else session
