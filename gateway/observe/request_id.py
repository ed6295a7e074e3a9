"""The id of the current request, for logs and for requests to origins."""

import secrets
from contextvars import ContextVar

_current: ContextVar[str | None] = ContextVar("request_id", default=None)


def request_id() -> str:
    """The id of the current request; a new random id outside of requests."""
    return _current.get() or secrets.token_hex(16)


def set_request_id(identity: str) -> None:
    """Set the id for this task and for the tasks that it starts."""
    _current.set(identity)
