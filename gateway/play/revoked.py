"""Has an operator revoked the session of a request, or the token that it came with?"""

from collections.abc import Iterable

from gateway.play import problems
from gateway.play.runtime import Gateway
from gateway.store.connection.keys import session_name
from gateway.store.coordination.revocations import revoked_session


def is_revoked(gateway: Gateway, session: bytes | None, names: Iterable[bytes] = ()) -> bool:
    """Whether a session is revoked, or one of the names of its token.

    ``session`` is its ``session_name``, None without one; ``names`` are those of
    :func:`gateway.store.coordination.revocations.revoked_name`. Asks nothing but this worker's
    memory, which follows Redis within a second.
    """
    revoked = gateway.revoked
    if not revoked:
        return False
    if session is not None and revoked_session(session) in revoked:
        return True
    return not revoked.isdisjoint(names)


def check_session(gateway: Gateway, session: str | None) -> None:
    """Raises a 403 problem for a session (its id) that is revoked."""
    if gateway.revoked and session is not None and is_revoked(gateway, session_name(session)):
        raise problems.revoked()
