"""Where is Redis? Turns a URL into a connection factory, and into a form that is safe to log."""

from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gateway.store.connection.protocol import StoreError
from gateway.store.connection.reply_parser import BoundedParser

CONNECT_TIMEOUT_S = 1.0
"""Seconds for name lookup, TCP, TLS and login together. No request waits for this."""


def connections(url: str) -> Callable[[], AbstractConnection]:
    """A factory of connections to ``redis://``, ``rediss://`` or ``unix://``, not connected yet.

    The query sets options of the client, such as ``?db=1`` or ``?ssl_ca_certs=/path``. Raises
    StoreError, without any part of the password, when the URL is invalid.
    """
    if not _is_well_formed(url):
        hint = "is a special character in the password not percent-encoded?"
        raise StoreError(f"store url {shown_url(url)!r} is malformed: {hint}")
    try:
        options: dict[str, Any] = {**parse_url(url)}
        make: type[AbstractConnection] = options.pop("connection_class", Connection)
        # The pipeline has its own deadlines, so the client's timeouts and retries are off, whatever
        # the URL says. RESP 2 is enough for GET and SET and saves a round trip.
        options |= {
            "protocol": 2,
            "parser_class": BoundedParser,
            "socket_timeout": None,
            "socket_connect_timeout": CONNECT_TIMEOUT_S,
            "retry": Retry(NoBackoff(), 0),
            "retry_on_timeout": False,
            "health_check_interval": 0,
            "client_name": "gateway",
            "driver_info": None,
        }
        connect = partial(make, **options)
        connect()  # an unknown option fails here, not at the first request
    except (ValueError, TypeError, RedisError) as error:
        raise StoreError(f"store url {shown_url(url)!r}: {error}") from error
    if urlsplit(url).scheme == "unix" and not urlsplit(url).path:
        raise StoreError("store url 'unix://' names no socket; write unix:///path/to/socket")
    return connect


def shown_url(url: str) -> str:
    """The URL without user, password and query, as it may be logged."""
    if "://" not in url and "@" not in url:
        return url  # without "://" it has no password, and showing it helps to find the mistake
    if not _is_well_formed(url):
        return url.partition(":")[0] + "://…"  # any part may belong to the password
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _is_well_formed(url: str) -> bool:
    """Whether the URL splits as intended. A ``/``, ``?`` or ``#`` in a password ends the host
    early: then the port is invalid, or the ``@`` follows behind it."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # reading it checks it
    except ValueError:
        return False
    return "@" not in parts.path + parts.query + parts.fragment
