"""What is remembered of a session, in the store and, in case the store loses it, in this
process?"""

import asyncio
import math
from collections.abc import Callable
from itertools import takewhile
from time import monotonic

from gateway.cache import Recent
from gateway.client.session import SessionRecord
from gateway.observe.metrics import STORE_GARBAGE
from gateway.store.connection.protocol import Store, StoreUnavailable, Trouble

REMEMBERED = 16_384
"""Sessions that each worker remembers (about 15 MB)."""

TRUST_S = 30.0
"""Seconds that a worker uses its own record of a session without asking the store. Most requests of
a player reach the same worker; a measurement by another worker shows up this much later at most."""

WRITE_S = 5.0
"""Seconds that a measurement may wait to be written, so that several become one write."""
LOOK_S = 0.25


class _Remembered:
    """A record, when it was last seen, and since when it waits to be written. It is changed in
    place, since nearly every request of a session changes it."""

    __slots__ = ("record", "seen", "waits_since")

    def __init__(self, record: SessionRecord, seen: float) -> None:
        self.record = record
        self.seen = self.waits_since = seen


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
        self._own: Recent[str, _Remembered] = Recent(REMEMBERED)
        self._later: dict[str, _Remembered] = {}
        self._timer: asyncio.TimerHandle | None = None

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
            STORE_GARBAGE.inc()
        if own is None:
            found = SessionRecord()
        else:
            found = SessionRecord(own.estimate, own.places)
            self._write(session, found)  # the store has lost it
        self._keep(session, found)
        return found, None

    def fresh(self, session: str) -> SessionRecord | None:
        """The record of a session that this worker has seen within ``trust_s``, else None."""
        held = self._own.get(session)
        if held is None or self._clock() - held.seen > self._trust_s or not held.record.whole:
            return None
        return held.record

    def put(self, session: str, record: SessionRecord) -> None:
        """Remember a record, without waiting. A record that is not whole stays in this process."""
        self._keep(session, record)
        if record.whole:
            self._write(session, record)

    def put_soon(self, session: str, record: SessionRecord) -> None:
        """Remember a record in this process now, and in the store within ``WRITE_S`` seconds."""
        now = self._clock()
        held = self._own.get(session)
        if held is None:
            held = self._keep(session, record)
        held.record, held.seen = record, now
        waiting = self._later.get(session)
        if waiting is not held:
            held.waits_since = now if waiting is None else waiting.waits_since
            self._later[session] = held
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def flush(self) -> None:
        """Write every record that waits."""
        self._write_older(-math.inf)

    def _look(self) -> None:
        self._timer = None
        self._write_older(WRITE_S if len(self._later) < REMEMBERED else -math.inf)
        if self._later:
            self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def _write_older(self, age_s: float) -> None:
        """Write the records that have waited for longer than ``age_s``; the oldest come first."""
        now = self._clock()
        due = takewhile(lambda each: now - each[1].waits_since > age_s, self._later.items())
        for session, held in list(due):
            self._write(session, held.record)

    def _known(self, session: str) -> SessionRecord | None:
        """This process's record, at any age that the store would have kept it for."""
        held = self._own.get(session)
        return held.record if held and self._clock() - held.seen <= self.ttl_s else None

    def _keep(self, session: str, record: SessionRecord) -> _Remembered:
        held = _Remembered(record, self._clock())
        self._own.put(session, held)
        return held

    def _write(self, session: str, record: SessionRecord) -> None:
        self._later.pop(session, None)
        self._store.put_session_later(session, record.to_bytes(), self.ttl_s)
