"""A store inside one process, for a gateway without Redis. Bounded in bytes and in time."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

from gateway.store.connection.keys import decision_key, session_key, source_key
from gateway.store.connection.protocol import (
    MAX_VALUE_BYTES,
    NullObserver,
    Replaced,
    StoreObserver,
    StoreState,
    Trouble,
)

ENTRY_OVERHEAD_BYTES = 300
"""Measured memory of one entry besides its value: name, record, dictionary slot."""


@dataclass(frozen=True, slots=True)
class _Entry:
    value: bytes
    expires_at: float


class MemoryStore:
    """Values by name; the least recently used are evicted when ``max_bytes`` is reached.

    ``clock`` gives monotonic seconds. Workers do not share this store.
    """

    def __init__(
        self,
        *,
        max_bytes: int = 64 * 1024 * 1024,
        clock: Callable[[], float] = monotonic,
        observer: StoreObserver | None = None,
    ) -> None:
        self._max_bytes = max_bytes
        self._clock = clock
        self._observer = observer or NullObserver()
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self._used_bytes = 0

    @property
    def redis(self) -> None:
        """Always None."""
        return

    @property
    def state(self) -> StoreState:
        """Always up."""
        return "up"

    @property
    def trouble(self) -> Trouble | None:
        """Always None."""
        return None

    async def start(self) -> None:
        """Nothing to start."""

    async def close(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._used_bytes = 0

    async def get_decision(self, key: str) -> bytes | None:
        """See ``Store.get_decision``; never raises."""
        return self._get("get_decision", decision_key(key))

    async def get_session(self, session: str | bytes) -> bytes | None:
        """See ``Store.get_session``; never raises."""
        return self._get("get_session", session_key(session))

    async def get_decisions(self, keys: Sequence[str]) -> list[bytes | None]:
        """See ``Store.get_decisions``; never raises."""
        return [self._get("get_decisions", decision_key(key)) for key in keys]

    async def get_source(self, name: str) -> bytes | None:
        """See ``Store.get_source``; never raises."""
        return self._get("get_source", source_key(name))

    def put_source_later(self, name: str, value: bytes, ttl_s: float) -> None:
        """See ``Store.put_source_later``; stored at once."""
        self._put("put_source", source_key(name), value, ttl_s)

    def put_decision_later(self, key: str, value: bytes, ttl_s: float) -> None:
        """See ``Store.put_decision_later``; stored at once."""
        self._put("put_decision", decision_key(key), value, ttl_s)

    def put_session_later(
        self, session: str | bytes, value: bytes, ttl_s: float, replaced: Replaced | None = None
    ) -> None:
        """See ``Store.put_session_later``; stored at once."""
        key = session_key(session)
        before = self._entries.get(key)
        known = before is not None and before.expires_at > self._clock()
        stored = self._put("put_session", key, value, ttl_s)
        if stored and replaced is not None:
            replaced(before.value if before is not None and known else None)

    async def flush(self) -> None:
        """Nothing to wait for."""

    def _get(self, name: str, key: bytes) -> bytes | None:
        entry = self._entries.get(key)
        if entry is not None and entry.expires_at <= self._clock():
            self._remove(key)
            entry = None
        if entry is None:
            self._observer.operation(name, "miss", 0.0)
            return None
        self._entries.move_to_end(key)
        self._observer.operation(name, "hit", 0.0)
        return entry.value

    def _put(self, name: str, key: bytes, value: bytes, ttl_s: float) -> bool:
        if len(value) > min(MAX_VALUE_BYTES, self._max_bytes - ENTRY_OVERHEAD_BYTES):
            self._observer.operation(name, Trouble.OVERFLOW, 0.0)
            self._observer.dropped(1)
            return False
        self._remove(key)
        self._entries[key] = _Entry(value, self._clock() + ttl_s)
        self._used_bytes += len(value) + ENTRY_OVERHEAD_BYTES
        while self._used_bytes > self._max_bytes:
            self._remove(next(iter(self._entries)))
        self._observer.operation(name, "stored", 0.0)
        return True

    def _remove(self, key: bytes) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._used_bytes -= len(entry.value) + ENTRY_OVERHEAD_BYTES
