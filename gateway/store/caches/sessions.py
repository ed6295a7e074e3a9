"""What is remembered of a session, in the store and, in case that it is gone, in this process."""

from collections.abc import Callable
from time import monotonic
from typing import NamedTuple

from gateway.cache import SESSIONS, Cache
from gateway.client.session import SessionRecord
from gateway.observe.metrics import STORE_GARBAGE
from gateway.store.connection.protocol import Store, StoreUnavailable, Trouble

TRUST_S = 30.0
"""Seconds for which a worker trusts its own copy of a session before it asks the store again. A
player's next request mostly comes to the same worker; what another worker measured may show this
much later."""


class _Held(NamedTuple):
    """A record, and when it was last read from the store or written, in monotonic seconds."""

    record: SessionRecord
    seen: float


class Sessions:
    """Session records. The store's count; this process's own stand in where it has none."""

    def __init__(
        self,
        store: Store,
        ttl_s: float,
        *,
        trust_s: float = TRUST_S,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """A record is kept for ``ttl_s`` seconds after it was last written. ``clock`` gives
        seconds that never go back."""
        self._store = store
        self.ttl_s = ttl_s
        self._trust_s = trust_s
        self._clock = clock
        self._own: Cache[str, _Held] = Cache(SESSIONS)

    async def get(self, session: str) -> tuple[SessionRecord, Trouble | None]:
        """The record of a session, empty when nothing is known, and why the store could not be
        asked if it could not: then the record is not ``whole``."""
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
            STORE_GARBAGE.inc()
        if own is None:
            found = SessionRecord()
        else:
            found = SessionRecord(own.estimate, own.places)
            self._write(session, found)  # the store has lost it
        self._keep(session, found)
        return found, None

    def fresh(self, session: str) -> SessionRecord | None:
        """The record of a session that this worker has seen a moment ago, else None."""
        held = self._own.get(session)
        if held is None or self._clock() - held.seen > self._trust_s or not held.record.whole:
            return None
        return held.record

    def put(self, session: str, record: SessionRecord) -> None:
        """Remember a record; nobody waits for it. One that is not whole stays in this process."""
        self._keep(session, record)
        if record.whole:
            self._write(session, record)

    def _known(self, session: str) -> SessionRecord | None:
        """What this process knows of it, however long ago, as long as the store would keep it."""
        held = self._own.get(session)
        return held.record if held and self._clock() - held.seen <= self.ttl_s else None

    def _keep(self, session: str, record: SessionRecord) -> None:
        self._own.put(session, _Held(record, self._clock()))

    def _write(self, session: str, record: SessionRecord) -> None:
        self._store.put_session_later(session, record.to_bytes(), self.ttl_s)
