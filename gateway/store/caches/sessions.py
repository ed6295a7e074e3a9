"""Session records in the store, with copies in this process in case the store loses them."""

from collections.abc import Callable
from time import monotonic
from typing import NamedTuple

from gateway.cache import SESSIONS, Cache
from gateway.client.session import SessionRecord
from gateway.store.connection.protocol import Store, StoreUnavailable, Trouble
from gateway.store.garbage import found_garbage

TRUST_S = 30.0
"""Seconds that a worker uses its own copy of a record without reading the store. Most requests of a
player reach the same worker; a measurement by another worker shows up this much later at most."""


class _Remembered(NamedTuple):
    """A record, and when it was last read or written (monotonic seconds)."""

    record: SessionRecord
    seen: float


class Sessions:
    """Session records. The store's record counts; this process's record is used where the store has
    none."""

    def __init__(
        self,
        store: Store,
        ttl_s: float,
        *,
        trust_s: float = TRUST_S,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """A record is kept for ``ttl_s`` seconds after its last write. ``clock`` gives monotonic
        seconds."""
        self._store = store
        self.ttl_s = ttl_s
        self._trust_s = trust_s
        self._clock = clock
        self._own: Cache[str, _Remembered] = Cache(SESSIONS)

    async def get(self, session: str) -> tuple[SessionRecord, Trouble | None]:
        """The record of a session, empty when nothing is known. When the store could not be asked,
        the second value says why, and the record is not ``whole``."""
        fresh = self.fresh(session)
        if fresh is not None:
            return fresh, None
        own = self._known(session)
        try:
            data = await self._store.get_session(session)
        except StoreUnavailable as error:
            return own or SessionRecord(whole=False), error.trouble
        if data is not None:
            stored = SessionRecord.from_bytes(data)
            if stored is not None:
                self._keep(session, stored)
                return stored, None
            found_garbage("session", "not a record")
        if own is None:
            found = SessionRecord()
        else:
            found = SessionRecord(own.estimate, own.places)
            self._write(session, found)  # the store has lost it
        self._keep(session, found)
        return found, None

    def fresh(self, session: str) -> SessionRecord | None:
        """The record of a session that this worker has seen within ``trust_s``, else None."""
        own = self._own.get(session)
        if own is None or self._clock() - own.seen > self._trust_s or not own.record.whole:
            return None
        return own.record

    def put(self, session: str, record: SessionRecord) -> None:
        """Remember a record, without waiting. A record that is not whole stays in this process."""
        self._keep(session, record)
        if record.whole:
            self._write(session, record)

    def _known(self, session: str) -> SessionRecord | None:
        """This process's record, at any age that the store would have kept it for."""
        own = self._own.get(session)
        return own.record if own and self._clock() - own.seen <= self.ttl_s else None

    def _keep(self, session: str, record: SessionRecord) -> None:
        self._own.put(session, _Remembered(record, self._clock()))

    def _write(self, session: str, record: SessionRecord) -> None:
        self._store.put_session_later(session, record.to_bytes(), self.ttl_s)
