"""What may the gateway ask of its store, and what may the store answer?

Three answers are kept apart: a value, None ("asked, nothing there", ``cache=miss``) and
``StoreUnavailable`` ("could not be asked", ``cache=off``). One place in the gateway catches the
last.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha1
from typing import Literal, Protocol

State = Literal["up", "readonly", "down"]
"""``readonly``: values are still read, writes are refused (full, or a replica)."""

Reply = bytes | int | None | list["Reply"]
"""What Redis answers: text and blobs as bytes, numbers as int, lists of any of them."""

MAX_VALUE_BYTES = 256 * 1024
"""A larger value is not stored: it would hold up everyone else's on the same connection."""


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


class StoreUnavailable(Exception):  # noqa: N818  # a state of the store, no fault of ours
    """The store could not be asked. ``trouble`` is the stable reason, ``detail`` is for people."""

    def __init__(self, trouble: Trouble, detail: str = "") -> None:
        super().__init__(trouble, detail)
        self.trouble = trouble
        self.detail = detail

    def __str__(self) -> str:
        """``timeout`` or ``rejected: NOPERM …``."""
        return f"{self.trouble}: {self.detail}" if self.detail else str(self.trouble)


class StoreObserver(Protocol):
    """Who counts. Called on the event loop, so it must not block."""

    def operation(self, name: str, outcome: str, seconds: float) -> None:
        """One operation ended. ``name``: ``get_decision``, ``get_session``, ``get_source``, the
        same with ``put``, ``get_decisions``, or what a caller of ``Commands`` says. ``outcome``:
        ``hit``, ``miss``, ``stored``, ``done`` or a ``Trouble``."""
        ...

    def state_changed(self, state: State, reason: str) -> None:
        """The state is another one now; ``reason`` is a ``Trouble``, or empty when up."""
        ...

    def dropped(self, count: int) -> None:
        """``count`` writes were given up; what they held is decided afresh next time."""
        ...


class SilentObserver:
    """Counts nothing."""

    def operation(self, name: str, outcome: str, seconds: float) -> None:
        """Ignore it."""

    def state_changed(self, state: State, reason: str) -> None:
        """Ignore it."""

    def dropped(self, count: int) -> None:
        """Ignore it."""


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script that Redis runs as one step. ``text`` reads KEYS and ARGV; ``name`` is for
    metrics."""

    name: str
    text: bytes
    sha: bytes = field(init=False)

    def __post_init__(self) -> None:
        """Work out the name by which Redis knows it."""
        digest = sha1(self.text, usedforsecurity=False).hexdigest().encode()
        object.__setattr__(self, "sha", digest)


class Commands(Protocol):
    """Redis itself, for what is more than reading and writing one value."""

    async def ask(self, name: str, *words: bytes) -> Reply:
        """Send one command and wait for its reply; ``name`` is the operation's, for metrics.

        Raises StoreUnavailable, at the deadline at the latest; an error that Redis answers with is
        ``rejected`` (or ``full``, ``read-only``).
        """
        ...

    async def run(self, script: Script, keys: Sequence[bytes], words: Sequence[bytes]) -> Reply:
        """Run a script, loaded first where Redis does not know it. Raises StoreUnavailable."""
        ...

    def tell(self, name: str, *words: bytes) -> None:
        """Send one command and wait for nothing. Never raises; losses are counted."""
        ...


class Store(Protocol):
    """Decisions and sessions, kept for a while, shared by all workers. Losing any is harmless."""

    @property
    def redis(self) -> Commands | None:
        """Redis itself; None when there is none behind this store (``memory``)."""
        ...

    @property
    def state(self) -> State:
        """How the store is now, at most about a second old; for ``/readyz``."""
        ...

    @property
    def trouble(self) -> Trouble | None:
        """Why the state is not ``up``; None when it is."""
        ...

    async def start(self) -> None:
        """Get ready. A store that cannot be reached is ``down``, not an error: it is tried again.

        Raises StoreError when it can never work (an embedded server that does not start).
        """
        ...

    async def close(self) -> None:
        """Let writes under way finish, then let go of everything. Takes about a second at most."""
        ...

    async def get_decision(self, key: str) -> bytes | None:
        """The decision stored under ``key``, None when there is none.

        Raises StoreUnavailable, at the deadline at the latest.
        """
        ...

    async def get_session(self, session: str) -> bytes | None:
        """What is remembered of a player session, None when nothing is.

        Raises StoreUnavailable, at the deadline at the latest.
        """
        ...

    async def get_decisions(self, keys: Sequence[str]) -> list[bytes | None]:
        """What is stored under each of ``keys``, in one round trip.

        Raises StoreUnavailable, at the deadline at the latest.
        """
        ...

    async def get_source(self, name: str) -> bytes | None:
        """The copy of a source manifest stored under ``name``, None when there is none.

        Raises StoreUnavailable, at the deadline at the latest.
        """
        ...

    def put_source_later(self, name: str, value: bytes, ttl_s: float) -> None:
        """Keep a copy of a source manifest without making the caller wait. Never raises."""
        ...

    def put_decision_later(self, key: str, value: bytes, ttl_s: float) -> None:
        """Store a decision for ``ttl_s`` seconds without making the caller wait. Never raises."""
        ...

    def put_session_later(self, session: str, value: bytes, ttl_s: float) -> None:
        """Remember a session for ``ttl_s`` seconds without making the caller wait. Never raises."""
        ...

    async def flush(self) -> None:
        """Wait until every write asked for so far was stored or given up.

        Raises StoreUnavailable, at the deadline at the latest.
        """
        ...
