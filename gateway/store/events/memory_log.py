"""The last events of sessions in this process, for a gateway without Redis. There is no stream."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import NamedTuple

from gateway.store.connection.keys import shown_session
from gateway.store.events.log import (
    Cursor,
    ListedSession,
    LogBounds,
    Numbered,
    SessionEvents,
    SessionPage,
    event_of_session,
    in_order,
)


class _Kept(NamedTuple):
    """The entries of a session, newest first, and when the last was written (Unix time in µs)."""

    written_us: int
    entries: deque[bytes]


class MemoryEventLog:
    """Events of sessions, those with the oldest last event first. ``clock`` gives Unix time in
    seconds."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._sessions: OrderedDict[str, _Kept] = OrderedDict()
        self._last_us = 0

    async def append(
        self,
        writer: str,  # noqa: ARG002
        events: Sequence[Numbered],
        bounds: LogBounds,
    ) -> None:
        """See ``EventLog.append``; never raises. A batch is sent once."""
        for event in events:
            if event.session is None:
                continue
            session = shown_session(event.session)
            kept = self._sessions.pop(session, None)
            entries = deque() if kept is None else kept.entries
            entries.appendleft(event.of_session)
            while len(entries) > bounds.session_events:
                entries.pop()
            self._last_us = max(self._last_us + 1, int(self._clock() * 1e6))  # all differ
            self._sessions[session] = _Kept(self._last_us, entries)
        self._expire(bounds)

    def _expire(self, bounds: LogBounds) -> None:
        oldest_us = int((self._clock() - bounds.expire_s) * 1e6)
        while self._sessions:
            first = next(iter(self._sessions.values()))
            if first.written_us > oldest_us and len(self._sessions) <= bounds.max_sessions:
                return
            self._sessions.popitem(last=False)

    async def events_of(self, session: str, bounds: LogBounds) -> SessionEvents | None:
        """See ``EventLog.events_of``; never raises."""
        self._expire(bounds)
        kept = self._sessions.get(session)
        if kept is None:
            return None
        read = [event_of_session(entry) for entry in islice(kept.entries, bounds.session_events)]
        return SessionEvents(read[0][0], in_order(event for _, event in reversed(read)))

    async def sessions(self, after: Cursor | None, limit: int, bounds: LogBounds) -> SessionPage:
        """See ``EventLog.sessions``; never raises."""
        self._expire(bounds)
        found: list[ListedSession] = []
        for session, kept in reversed(self._sessions.items()):
            if after is not None and kept.written_us >= after.written_us:
                continue
            _, last = event_of_session(kept.entries[0])
            if last is not None:
                found.append(ListedSession(session, kept.written_us, len(kept.entries), last))
            if len(found) > limit:
                break
        more = len(found) > limit
        last_shown = found[limit - 1] if more else None
        return SessionPage(
            tuple(found[:limit]),
            None if last_shown is None else Cursor(last_shown.written_us, last_shown.session),
        )
