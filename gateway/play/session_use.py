"""May a caller use the session that it names? May it begin a new one?

A session id is no secret: whoever learns one could slow its owner down, by measuring for it, or
move its lease. So the record remembers the players and networks that use it
(:class:`gateway.client.session.SessionUser`). A request is of the session when its User-Agent *or*
its network is that of an earlier one: a phone keeps its session when it changes networks, and an
app when it is updated. A caller with neither uses a session of its own, with the same id and
another name.

A session that nobody knows begins with its first request. A client network may begin as many in a
minute as ``rate.new_sessions_per_min`` says; nothing is kept of others. ``docs/limits.md`` says
what remains possible.
"""

import time
from typing import Final, Literal, NamedTuple

from gateway.client.address import Address
from gateway.client.session import SessionRecord, SessionUser, user_hashes
from gateway.observe import metrics
from gateway.play.clients import ClientLookup, Sender
from gateway.play.rate_limits import RateLimits
from gateway.play.request import Headers
from gateway.store.caches.sessions import Sessions

Use = Literal["own", "another", "too-many"]
"""The caller's own session, that of somebody else, or one more than it may begin."""

_unused: Final = {use: metrics.SESSIONS_UNUSED.labels(use) for use in ("another", "too-many")}


class SessionAccess(NamedTuple):
    """What decides whether a caller may begin or use a session."""

    rates: RateLimits
    clients: ClientLookup
    sessions: Sessions

    def may_begin(self, client: Address | None) -> bool:
        """Whether one more session may begin in a network of clients. Counts it. Clients whose
        address is unknown, or that of a trusted proxy, cannot be counted."""
        if client is None or not self.rates.take("new_sessions", client, time.monotonic()):
            return True
        if self.clients.trusts(client):
            return True
        _unused["too-many"].inc()
        return False


class Caller:
    """Who names a session in one request."""

    __slots__ = ("_access", "_hashes", "_name", "_sender")

    def __init__(
        self,
        access: SessionAccess,
        name: bytes,
        headers: Headers,
        sender: Sender,
    ) -> None:
        """``name`` is the ``session_name`` of the session."""
        self._access = access
        self._name = name
        self._sender = sender
        self._hashes = user_hashes(name, headers.get("user-agent"), sender.prefix)

    @property
    def user(self) -> SessionUser:
        """What the session's record remembers of the caller."""
        return SessionUser(int(time.time()), *self._hashes)

    def noted_in(self, record: SessionRecord) -> SessionRecord:
        """The record with the caller among its users; the same object when it is one already."""
        return record if record.has_user(*self._hashes) else record.used_by(self.user)

    def use_of(self, record: SessionRecord) -> Use:
        """What the caller is to the session with this record. Counts a session that begins, and
        what is not used."""
        if record.has_user(*self._hashes):
            return "own"
        if record.is_new:
            return "own" if self.may_begin() else "too-many"
        if record.is_of(self.user):
            return "own"
        _unused["another"].inc()
        return "another"

    def may_begin(self) -> bool:
        """Whether one more session may begin in the caller's network."""
        return self._access.may_begin(self._sender.client)

    def may_tell(self) -> bool:
        """Whether events may be recorded under the session's name, as far as this worker
        knows."""
        record = self._access.sessions.fresh(self._name)
        return self.may_begin() if record is None else self.use_of(record) == "own"

    def own_session(self, session: str) -> str:
        """The id of the caller's own session, when ``session`` is that of another."""
        return f"{session}\0{self._hashes[0]:04x}{self._hashes[1]:04x}"
