"""Where is Redis? Turns a URL into a connection factory, and into a form that is safe to log."""

import re
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit

from redis.asyncio.connection import (
    AbstractConnection,
    Connection,
    SSLConnection,
    parse_url,
)
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gateway.store.connection.protocol import StoreError
from gateway.store.connection.reply_parser import BoundedParser

SCHEMES: Final = ("redis", "rediss", "unix")
ALLOWED: Final = "redis://, rediss:// or unix://"

CONNECT_TIMEOUT_S = 1.0
"""Seconds for name lookup, TCP, TLS and login together. No request waits for this."""

_MAX_PORT = 65_535
_MAX_SOCKET_BYTES = 107
_HOST: Final = re.compile(r"[\w-]{1,63}(\.[\w-]{1,63})*\.?", re.ASCII)
_FILES: Final = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_OPTION: Final = re.compile(r"unexpected keyword argument '([a-z_]{1,40})'")


def check_url(url: str) -> None:
    """Check that :func:`connections` accepts ``url``.

    Raises ValueError with the second half of a sentence that starts with the URL. It has no part of
    the URL, which may hold a password anywhere.
    """
    _options(url)


def connections(url: str) -> Callable[[], AbstractConnection]:
    """A factory of connections to ``redis://``, ``rediss://`` or ``unix://``, not connected yet.

    The query sets options of the client, such as ``?db=1`` or ``?ssl_ca_certs=/path``. Raises
    StoreError, without any part of the URL, when it is invalid.
    """
    try:
        make, options = _options(url)
    except ValueError as error:
        raise StoreError(f"the store's URL {error}") from None

    def connect() -> AbstractConnection:  # a partial would print its options
        return make(**options)

    return connect


def shown_url(url: str) -> str:
    """The URL without user, password and query, as it may be logged."""
    try:
        parts = _parts(url)
    except ValueError:
        return "(hidden)" if ":" in url else url
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _options(url: str) -> tuple[type[AbstractConnection], dict[str, Any]]:
    """The class of connections to ``url``, and their options. Raises ValueError."""
    _parts(url)
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
        made = make(**options)  # an unknown option fails here, not at the first request
    except (ValueError, TypeError, RedisError) as error:
        raise ValueError(_option_fault(str(error))) from None
    for name in _FILES:
        if name in options and not _is_file(options[name]):
            raise ValueError(f"has an {name} that is not a file")
    if isinstance(made, SSLConnection):
        try:
            made.ssl_context.get()
        except (OSError, ValueError, TypeError, RedisError) as error:
            raise ValueError(f"has TLS options that cannot be used ({_tls_fault(error)})") from None
    return make, options


def _tls_fault(error: Exception) -> str:
    """What is wrong with TLS options, without any of them."""
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__


def _option_fault(message: str) -> str:
    """What the client says about an option, without its value."""
    unknown = _OPTION.search(message)
    if unknown is not None:
        return f"has an option that the client does not know, {unknown[1]}"
    if message.startswith("Invalid value for '"):
        return f"has an option with an invalid value, {message.split(chr(39))[1]}"
    return "has an option that the client refuses"


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except (OSError, ValueError):  # no permission, a null character
        return False


def _parts(url: str) -> SplitResult:
    """The parts of a URL that says all that it seems to say. Raises ValueError."""
    scheme, slashes, _ = url.partition("://")
    if scheme.startswith(("redis+", "rediss+", "redis-")) and slashes:
        raise ValueError("names a cluster or sentinels, which are not supported")
    if scheme not in SCHEMES or not slashes:
        raise ValueError(f"does not start with {ALLOWED}")
    if not url.isprintable() or " " in url:
        raise ValueError("has a space or a control character")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError("has square brackets that do not enclose an IPv6 address") from None
    # A "/", "?" or "#" in a password ends the host early.
    if "@" in parts.path + parts.query + parts.fragment:
        raise ValueError(
            'has an "@" behind its host; is a "/", "?" or "#" in the password not percent-encoded?'
        )
    if parts.fragment:
        raise ValueError('has a "#"; write %23')
    (_check_socket if scheme == "unix" else _check_host)(parts)
    return parts


def _check_socket(parts: SplitResult) -> None:
    if parts.path in {"", "/"}:
        raise ValueError("names no socket; write unix:///path/to/socket")
    if parts.netloc.rpartition("@")[2]:
        raise ValueError("names a host; write unix:///path/to/socket, with three slashes")
    path = unquote_to_bytes(parts.path)
    if len(path) > _MAX_SOCKET_BYTES or b"\0" in path:
        raise ValueError(f"has the path of no socket, which has at most {_MAX_SOCKET_BYTES} bytes")


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _check_host(parts: SplitResult) -> None:
    try:
        port_is_good = parts.port is None or 0 < parts.port <= _MAX_PORT
    except ValueError:
        port_is_good = False
    if not port_is_good:
        raise ValueError(f"has a port that is not a number from 1 to {_MAX_PORT}")
    if not parts.hostname:
        raise ValueError("names no host; write redis://localhost for this machine")
    if not (_is_address(parts.hostname) or _HOST.fullmatch(parts.hostname)):
        raise ValueError("has a host that is neither a name nor an IP address")
    database = parts.path.removeprefix("/")
    if database and not (database.isascii() and database.isdigit() and len(database) < 6):  # noqa: PLR2004
        raise ValueError("has a path that is not the number of a database, such as /0")
