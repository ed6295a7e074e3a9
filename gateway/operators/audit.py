"""The audit log of one process: entries are logged at once, and wait for Redis in a bounded queue.

Without Redis the process keeps its own last entries.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Callable
from socket import gethostname
from typing import Any, Final

import structlog

from gateway.observe import metrics
from gateway.operators.audit_entry import AuditEntry, read_members
from gateway.store.connection.protocol import Commands
from gateway.store.events import audit_stream

MAX_WAITING: Final = 1000
"""Entries that wait while Redis does not accept them. The oldest stay: newer ones are dropped and
counted."""
MAX_BATCH: Final = 100

log = structlog.get_logger()


class AuditTrail:
    """Takes entries, and reads the log."""

    def __init__(self, redis: Commands | None, max_length: Callable[[], int]) -> None:
        """``redis`` is None when the store has none. ``max_length`` is about the most entries that
        are kept."""
        self._redis = redis
        self._max_length = max_length
        self._writer = secrets.token_hex(6)
        self._written = 0
        self._waiting: deque[tuple[bytes, str]] = deque()
        self._kept: deque[tuple[str, bytes]] = deque(maxlen=MAX_WAITING)
        self._filled = asyncio.Event()

    @property
    def waiting(self) -> int:
        """The number of entries that Redis does not have yet."""
        return len(self._waiting)

    def add(self, entry: AuditEntry, once: str = "") -> None:
        """Log an entry, and queue it. Never waits, never raises. Of the entries of all processes of
        this host with the same ``once``, Redis keeps those of one process for some seconds: what
        happens to all is there once, and again if it happens again."""
        log.info("audit", **{key: value for key, value in entry.members().items() if key != "time"})
        data = entry.to_bytes()
        if self._redis is None:
            self._written += 1
            self._kept.append((f"{entry.time_ms}-{self._written}", data))
        elif len(self._waiting) >= MAX_WAITING:
            metrics.AUDIT_ENTRIES.labels("dropped").inc()
        else:
            name = f"{gethostname()} {once}" if once else ""
            self._waiting.append((data, name))
            self._filled.set()

    async def filled(self) -> None:
        """Wait until an entry waits."""
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()

    async def write(self) -> None:
        """Write some of the entries that wait. Raises StoreUnavailable; they wait on then."""
        if self._redis is None or not self._waiting:
            return
        batch = [self._waiting[at] for at in range(min(MAX_BATCH, len(self._waiting)))]
        await audit_stream.append(
            self._redis, self._writer, self._written + 1, batch, self._max_length()
        )
        for _ in batch:
            self._waiting.popleft()
        self._written += len(batch)
        metrics.AUDIT_ENTRIES.labels("written").inc(len(batch))

    async def newest(
        self, before: str | None, limit: int
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Up to ``limit`` entries before the one with the id ``before``, the newest first; and the
        id before which the next page begins, None when this is the last. Raises
        StoreUnavailable."""
        if self._redis is not None:
            found = await audit_stream.read_before(self._redis, before, limit + 1)
        else:
            older = [each for each in self._kept if before is None or _is_before(each[0], before)]
            found = older[-limit - 1 :][::-1]
        page = [described(entry_id, data) for entry_id, data in found[:limit]]
        following = found[limit - 1][0] if len(found) > limit else None
        return [each for each in page if each is not None], following


def _is_before(entry_id: str, other: str) -> bool:
    """Whether one of two ids of this process is the older one; entries are numbered."""
    return int(entry_id.partition("-")[2]) < int(other.partition("-")[2])


def described(entry_id: str, data: bytes) -> dict[str, Any] | None:
    """An entry with its id; None for what is no entry."""
    found = read_members(data)
    return None if found is None else {"id": entry_id, **found}
