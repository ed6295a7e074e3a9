"""The id of the current request and its trace, for logs and for requests to origins."""

import secrets
from contextvars import ContextVar

_traceparent: ContextVar[str | None] = ContextVar("traceparent", default=None)
_current: ContextVar[str | None] = ContextVar("request_id", default=None)


def request_id() -> str:
    """The id of the current request; a new random id outside of requests."""
    return _current.get() or secrets.token_hex(16)


def set_request_id(identity: str) -> None:
    """Set the id for this task and for the tasks that it starts."""
    _current.set(identity)


def traceparent() -> str | None:
    """What tells others of the current request's trace (W3C Trace Context); None without one."""
    return _traceparent.get()


def set_traceparent(text: str) -> None:
    """Set it for this task and for the tasks that it starts."""
    _traceparent.set(text)
