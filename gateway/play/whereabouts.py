"""On which edge does a session play, after its player has moved?

The session's record and its lease were written with the playlist. They follow when the player
reports with a steering request that it uses another edge: not when it was told to move, which it
may not do. Steering requests are answered before that is stored. If this worker has the session's
record, it is changed at once. Otherwise the move waits for the record, or is dropped and counted
when too many wait.
"""

import time
from collections.abc import Callable
from typing import Final, NamedTuple

from gateway.client.session import SessionRecord
from gateway.edge.edge import Edge
from gateway.observe import metrics
from gateway.play.awaited_records import MAX_WAITING, AwaitedRecords
from gateway.play.session_use import Caller
from gateway.store.caches.sessions import Sessions
from gateway.store.coordination.leases import Leases

REFRESH_SHARE: Final = 0.25
"""A record is written again when this share of its lifetime has passed. So it does not expire while
the session plays."""


class _Seen(NamedTuple):
    """An asset that a session plays and the kbit/s that it takes up, the edge, when that was seen
    (Unix time), and who said so."""

    asset: str
    kbps: int
    edge: Edge
    at_s: float
    caller: Caller | None


class Whereabouts:
    """Lets records and leases of sessions follow their players, without delaying anybody."""

    def __init__(self, sessions: Sessions, leases: Leases, max_waiting: int = MAX_WAITING) -> None:
        self._sessions = sessions
        self._leases = leases
        self._awaited: AwaitedRecords[_Seen] = AwaitedRecords(sessions, self._put, max_waiting)

    def seen(
        self, session: bytes, asset: str, kbps: int, edge: Edge, caller: Caller | None = None
    ) -> None:
        """The player of a session (its ``session_name``) uses ``edge`` for ``asset``, where it
        takes up ``kbps``. Never waits, never raises. A ``caller`` who may not use the session
        changes nothing."""
        found = _Seen(asset, kbps, edge, time.time(), caller)
        waits = self._awaited.get(session) is not None
        record = None if waits else self._sessions.fresh(session)
        if record is not None:
            self._put(session, record, found)
        elif not self._awaited.put(session, found):
            metrics.PLACES_DROPPED.inc()

    def seen_unnamed(
        self,
        viewer: int,
        asset: str,
        kbps: int,
        edge: Edge,
        *,
        at_first: bool,
        may_begin: Callable[[], bool] = lambda: True,
    ) -> None:
        """The same for a session that the request does not name; ``viewer`` stands for it.
        ``may_begin`` says whether it may have a lease that it did not have before.

        The lease taken with its playlist cannot be found, and expires. ``at_first``: that lease has
        not expired yet, and the player still uses its edge, so no second one is taken.
        """
        lease = f"steering\0{viewer:x}"
        has = self._leases.has(lease)
        if has or (self._leases.active and not at_first and may_begin()):
            self._leases.follow(lease, asset, kbps, edge.id)

    async def run(self) -> None:
        """Write what waits for its record, until cancelled."""
        await self._awaited.run()

    def _put(self, session: bytes, record: SessionRecord, seen: _Seen) -> None:
        caller = seen.caller
        if caller is not None:
            if caller.use_of(record) != "own":
                return
            record = caller.noted_in(record)
        self._leases.follow(session, seen.asset, seen.kbps, seen.edge.id)
        refresh_s = self._sessions.ttl_s * REFRESH_SHARE
        placed = record.placed(seen.asset, seen.edge.id, seen.at_s, refresh_s)
        if placed is record:
            return
        before = record.edge_of(seen.asset)
        if before is not None and before != seen.edge.id:
            metrics.SESSIONS_FOLLOWED.labels(seen.edge.template or seen.edge.id).inc()
        self._sessions.put(session, placed)
