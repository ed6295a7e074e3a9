"""The interface of the store.

A read has three outcomes: a value, None (no such entry, ``cache=miss``), or ``StoreUnavailable``
(the store did not answer, ``cache=off``).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha1
from typing import Literal, Protocol

StoreState = Literal["up", "readonly", "down"]
"""``readonly``: reads work, writes are refused (full, or a replica)."""

RedisReply = bytes | int | None | list["RedisReply"]
"""A reply of Redis: strings as bytes, numbers as int, lists of these."""

Replaced = Callable[[bytes | None], None]
"""Is told the value that a write has replaced; None when there was none, or garbage."""

MAX_VALUE_BYTES = 256 * 1024
"""A larger value is neither stored nor read: it would delay all others on the connection."""

MAX_SESSION_BYTES = 4096
"""A larger value is no record of a session."""

MAX_VALUES_BYTES = 4 * 1024 * 1024
"""The most that one read of several values gets; those beyond it count as missing."""


class Trouble(StrEnum):
    """Why the store could not be asked: a fixed set, fit for a metric label."""

    CONNECTING = "connecting"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    LOST = "lost"
    AUTH = "auth"
    LOADING = "loading"
    FULL = "full"
    READ_ONLY = "read-only"
    REJECTED = "rejected"
    OVERFLOW = "overflow"
    CLOSED = "closed"


class StoreError(Exception):
    """The store cannot work as configured; the message is for the operator."""


class StoreUnavailable(Exception):  # noqa: N818
    """The store could not be asked. ``trouble`` is a stable code, ``detail`` is for people."""

    def __init__(self, trouble: Trouble, detail: str = "") -> None:
        super().__init__(trouble, detail)
        self.trouble = trouble
        self.detail = detail

    def __str__(self) -> str:
        """``timeout`` or ``rejected: NOPERM …``."""
        return f"{self.trouble}: {self.detail}" if self.detail else str(self.trouble)


class StoreObserver(Protocol):
    """Counts operations. Called on the event loop, so it must not block."""

    def operation(self, name: str, outcome: str, seconds: float) -> None:
        """One operation ended. ``name``: ``get_decision``, ``get_session``, ``get_source``, the
        same with ``put``, ``get_decisions``, or the name that a caller of ``Commands`` gives.
        ``outcome``: ``hit``, ``miss``, ``stored``, ``done`` or a ``Trouble``."""
        ...

    def state_changed(self, state: StoreState, reason: str) -> None:
        """The state has changed; ``reason`` is a ``Trouble``, or empty when up."""
        ...

    def dropped(self, count: int) -> None:
        """``count`` writes were dropped; their values are computed again when needed."""
        ...


class NullObserver:
    """Counts nothing."""

    def operation(self, name: str, outcome: str, seconds: float) -> None:
        """Ignore it."""

    def state_changed(self, state: StoreState, reason: str) -> None:
        """Ignore it."""

    def dropped(self, count: int) -> None:
        """Ignore it."""


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script that Redis runs as one step. ``text`` uses KEYS and ARGV; ``name`` is for
    metrics."""

    name: str
    text: bytes
    sha: bytes = field(init=False)

    def __post_init__(self) -> None:
        """Compute the digest by which Redis knows the script."""
        digest = sha1(self.text, usedforsecurity=False).hexdigest().encode()
        object.__setattr__(self, "sha", digest)


class Commands(Protocol):
    """Redis commands, for more than reading and writing one value."""

    async def ask(self, name: str, *words: bytes) -> RedisReply:
        """Send one command and wait for its reply; ``name`` labels the operation in metrics.

        Raises StoreUnavailable, at the deadline at the latest. An error reply is ``rejected`` (or
        ``full``, ``read-only``).
        """
        ...

    async def run(
        self, script: Script, keys: Sequence[bytes], words: Sequence[bytes]
    ) -> RedisReply:
        """Run a script, loading it when Redis does not know it. Raises StoreUnavailable."""
        ...

    def tell(self, name: str, *words: bytes) -> None:
        """Send one command without waiting. Never raises; losses are counted."""
        ...


class Store(Protocol):
    """Decisions, sessions and source manifests, kept for a while and shared by all workers. Any of
    them may be lost without harm. No value is empty."""

    @property
    def redis(self) -> Commands | None:
        """Redis commands; None when the store has no Redis (``memory``)."""
        ...

    @property
    def state(self) -> StoreState:
        """The current state, at most about a second old; for ``/readyz``."""
        ...

    @property
    def trouble(self) -> Trouble | None:
        """Why the state is not ``up``; None when it is."""
        ...

    async def start(self) -> None:
        """Start the store. One that cannot be reached is ``down``, not an error: it is tried again.

        Raises StoreError when it can never work (an embedded server that does not start).
        """
        ...

    async def close(self) -> None:
        """Finish pending writes, then release everything; takes at most about a second."""
        ...

    async def get_decision(self, key: str) -> bytes | None:
        """The value stored under ``key``, None when there is none.

        Raises StoreUnavailable, at the deadline at the latest.
        """
        ...

    async def get_session(self, session: str | bytes) -> bytes | None:
        """The record of a player session, None when there is none.

        Raises StoreUnavailable, at the deadline at the latest.
        """
        ...

    async def get_decisions(self, keys: Sequence[str]) -> list[bytes | None]:
        """The values stored under each of ``keys``, in one round trip.

        Raises StoreUnavailable, at the deadline at the latest.
        """
        ...

    async def get_source(self, name: str) -> bytes | None:
        """The copy of a source manifest stored under ``name``, None when there is none.

        Raises StoreUnavailable, at the deadline at the latest.
        """
        ...

    def put_source_later(self, name: str, value: bytes, ttl_s: float) -> None:
        """Store a copy of a source manifest in the background. Never raises."""
        ...

    def put_decision_later(self, key: str, value: bytes, ttl_s: float) -> None:
        """Store a value for ``ttl_s`` seconds in the background. Never raises."""
        ...

    def put_session_later(
        self, session: str | bytes, value: bytes, ttl_s: float, replaced: Replaced | None = None
    ) -> None:
        """Store a session's record for ``ttl_s`` seconds in the background. Never raises.

        ``replaced`` is called when the store has it, with what it had before; not at all when the
        write is lost, or when a later one of the same session takes its place.
        """
        ...

    async def flush(self) -> None:
        """Wait until every write so far was stored or dropped.

        Raises StoreUnavailable, at the deadline at the latest.
        """
        ...
