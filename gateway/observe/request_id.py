"""Which player's request is this work for? Its id, for logs and for what is asked of others."""

import secrets
from contextvars import ContextVar

_current: ContextVar[str | None] = ContextVar("request_id", default=None)


def request_id() -> str:
    """The id of the request that is being answered; a fresh one where there is none."""
    return _current.get() or secrets.token_hex(16)


def set_request_id(identity: str) -> None:
    """From here on, in this task and those that it starts."""
    _current.set(identity)
