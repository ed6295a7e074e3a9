"""Session records in the store, with copies in this process in case the store loses them."""

import contextlib
from collections.abc import Callable
from time import monotonic
from typing import NamedTuple

from gateway.cache import SESSIONS, Cache
from gateway.client.session import SessionRecord
from gateway.store.connection.keys import session_name
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
        self._own: Cache[bytes, _Remembered] = Cache(SESSIONS)

    async def get(self, session: str | bytes) -> tuple[SessionRecord, Trouble | None]:
        """The record of a session (its id or its ``session_name``), empty when nothing is known.
        When the store could not be asked, the second value says why, and the record is not
        ``whole``."""
        name = _name(session)
        fresh = self.fresh(name)
        if fresh is not None:
            return fresh, None
        own = self._known(name)
        try:
            data = await self._store.get_session(name)
        except StoreUnavailable as error:
            return own or SessionRecord(whole=False), error.trouble
        if data is not None:
            stored = SessionRecord.from_bytes(data)
            if stored is not None:
                self._keep(name, stored)
                return stored, None
            found_garbage("session", "not a record")
        if own is None:
            found = SessionRecord()
        else:
            found = SessionRecord(own.estimate, own.places, playback=own.playback)
            self._write(name, found)  # the store has lost it
        self._keep(name, found)
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
        self._keep(name, record)
        if record.whole:
            self._write(name, record)

    async def written(self) -> None:
        """Wait until the store has what was put, or for its deadline."""
        with contextlib.suppress(StoreUnavailable):
            await self._store.flush()

    def _known(self, name: bytes) -> SessionRecord | None:
        """This process's record, at any age that the store would have kept it for."""
        own = self._own.get(name)
        return own.record if own and self._clock() - own.seen <= self.ttl_s else None

    def _keep(self, name: bytes, record: SessionRecord) -> None:
        self._own.put(name, _Remembered(record, self._clock()))

    def _write(self, name: bytes, record: SessionRecord) -> None:
        self._store.put_session_later(name, record.to_bytes(), self.ttl_s)


def _name(session: str | bytes) -> bytes:
    return session_name(session) if isinstance(session, str) else session
