"""Where are events kept? In a stream for other programs, and, bounded, by session for operators."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from gateway.store.connection.keys import DIGEST_BYTES
from gateway.store.events.event import (
    VERSION,
    AnyEvent,
    EventKind,
    MalformedEventError,
    parse_event,
)

MAX_PAGE = 200
"""The most sessions in one page of their list."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """An event as it is written: the numbers of :class:`gateway.store.events.queue.Queued`, its
    kind, its JSON, and the name of its session."""

    number: int
    stream_number: int | None
    kind: EventKind
    data: bytes
    session: bytes | None = None

    @property
    def of_session(self) -> bytes:
        """The form in which a session's events keep it: the session's name, the first letter of the
        kind, and the JSON."""
        return (self.session or b"") + self.kind[:1].encode() + self.data


@dataclass(frozen=True, slots=True)
class LogBounds:
    """How much is kept: of the stream, of each session (and how long after its last event), and of
    how many sessions."""

    stream_max_length: int
    session_events: int
    expire_s: int
    max_sessions: int


class SessionEvents(NamedTuple):
    """The last events of a session in the order of their times, and the session's
    ``session_name``. Gateways write in batches, so they arrive in another order."""

    name: bytes
    events: tuple[AnyEvent, ...]


class ListedSession(NamedTuple):
    """A session in the list: its shown hash, when its last event was written (Unix time in µs), the
    number of its events that are kept, and the last of them."""

    session: str
    written_us: int
    events: int
    last: AnyEvent


class Cursor(NamedTuple):
    """Where a page of the list ends: the values of its last session."""

    written_us: int
    session: str


class SessionPage(NamedTuple):
    """A page of the list, and where the next one begins; None when this is the last."""

    sessions: tuple[ListedSession, ...]
    next: Cursor | None


class EventLog(Protocol):
    """Keeps events."""

    async def append(self, writer: str, events: Sequence[Numbered], bounds: LogBounds) -> None:
        """Write events in order. Sending a batch again is harmless.

        Raises StoreUnavailable; the events may have been written nevertheless.
        """
        ...

    async def events_of(self, session: str, bounds: LogBounds) -> SessionEvents | None:
        """The last events of the session with this shown hash; None when there are none. Raises
        StoreUnavailable."""
        ...

    async def sessions(self, after: Cursor | None, limit: int, bounds: LogBounds) -> SessionPage:
        """Up to ``limit`` sessions after ``after``, those with the latest events first. A session
        that gets an event meanwhile moves to the front. Raises StoreUnavailable."""
        ...


def in_order(events: Iterable[AnyEvent | None]) -> tuple[AnyEvent, ...]:
    """Events in the order of their times; of equal times, as they are given."""
    known = [event for event in events if event is not None]
    return tuple(sorted(known, key=lambda event: event.time))


_KINDS: dict[bytes, bytes] = {b"d": b"decision", b"p": b"pathway"}


def event_of_session(entry: bytes) -> tuple[bytes, AnyEvent | None]:
    """Read what :attr:`Numbered.of_session` wrote: the session's name and the event, None for one
    of a later version's kinds. Raises MalformedEventError."""
    name, kind = entry[:DIGEST_BYTES], entry[DIGEST_BYTES : DIGEST_BYTES + 1]
    if not kind:
        raise MalformedEventError("too short")
    data = entry[DIGEST_BYTES + 1 :]
    fields = {b"v": VERSION, b"kind": _KINDS.get(kind, kind), b"event": data}
    return name, parse_event(fields)
