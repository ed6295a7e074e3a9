"""What is remembered of a session, in the store and, in case that it is gone, in this process."""

from cachetools import TTLCache

from gateway.client.session import SessionRecord
from gateway.observe.metrics import STORE_GARBAGE
from gateway.store.protocol import Store, StoreUnavailable, Trouble

REMEMBERED = 16_384
"""So many sessions each worker remembers by itself (some 15 MB)."""


class Sessions:
    """Session records. The store's count; this process's own stand in where it has none."""

    def __init__(self, store: Store, ttl_s: float) -> None:
        """A record is kept for ``ttl_s`` seconds after it was last written."""
        self._store = store
        self.ttl_s = ttl_s
        self._own: TTLCache[str, SessionRecord] = TTLCache(REMEMBERED, ttl_s)

    async def get(self, session: str) -> tuple[SessionRecord, Trouble | None]:
        """The record of a session, empty when nothing is known, and why the store could not be
        asked if it could not: then the record is not ``whole``."""
        own = self._own.get(session)
        try:
            data = await self._store.get_session(session)
        except StoreUnavailable as error:
            return own or SessionRecord(whole=False), error.trouble
        if data is not None:
            stored = SessionRecord.from_bytes(data)
            if stored is not None:
                return stored, None
            STORE_GARBAGE.inc()
        if own is None:
            return SessionRecord(), None
        found = SessionRecord(own.estimate, own.places)
        self._write(session, found)  # the store has lost it
        return found, None

    def put(self, session: str, record: SessionRecord) -> None:
        """Remember a record; nobody waits for it. One that is not whole stays in this process."""
        self._own[session] = record
        if record.whole:
            self._write(session, record)

    def _write(self, session: str, record: SessionRecord) -> None:
        self._store.put_session_later(session, record.to_bytes(), self.ttl_s)
