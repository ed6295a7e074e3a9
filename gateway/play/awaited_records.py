"""Values for session records that wait until the record has been read from the store.

Requests that are answered before anything is stored leave it here when this worker does not have
the record. A background task reads the records. What waits is bounded, since no player waits for
the store.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from gateway.client.session import SessionRecord
from gateway.store.caches.sessions import Sessions

MAX_WAITING: Final = 4096
"""The most sessions that wait for their records."""
AT_ONCE: Final = 64
"""How many records are read together."""

T = TypeVar("T")


class AwaitedRecords(Generic[T]):
    """One value for each session that waits, by its ``session_name``."""

    def __init__(
        self,
        sessions: Sessions,
        write: Callable[[bytes, SessionRecord, T], None],
        max_waiting: int = MAX_WAITING,
    ) -> None:
        """``write`` is called with the session's name, its record and what waited for it."""
        self._sessions = sessions
        self._write = write
        self._max_waiting = max_waiting
        self._waiting: dict[bytes, T] = {}
        self._filled = asyncio.Event()

    def get(self, name: bytes) -> T | None:
        """What waits for the record of a session; None when nothing does."""
        return self._waiting.get(name)

    def put(self, name: bytes, value: T) -> bool:
        """Let ``value`` wait, instead of what waited for this record before. False when too many
        sessions wait; then nothing changes."""
        if name not in self._waiting and len(self._waiting) >= self._max_waiting:
            return False
        self._waiting[name] = value
        self._filled.set()
        return True

    def pop(self, name: bytes) -> T | None:
        """What waits for the record of a session. It no longer waits."""
        return self._waiting.pop(name, None)

    async def run(self) -> None:
        """Read the records and write what waits for them, until cancelled."""
        while True:
            await self._filled.wait()
            names = list(self._waiting)[:AT_ONCE]
            if not names:
                self._filled.clear()
            await asyncio.gather(*map(self._read, names))

    async def _read(self, name: bytes) -> None:
        record, _ = await self._sessions.get(name)
        value = self.pop(name)
        if value is not None:
            self._write(name, record, value)
