"""Which requests are admitted? The checks that every request must pass before it is handled.

The envelope runs :func:`admit` once for each request, on every route. A check is a function in
``CHECKS`` that raises a :class:`gateway.play.problems.Problem`, or a
:class:`gateway.play.rate_limited.RateLimited`.
"""

import re
from collections.abc import Callable, Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.types import Scope

from gateway.http.rate_check import check_rate
from gateway.listener import OPERATORS, PLAYERS, Listener
from gateway.play import problems
from gateway.play.runtime import Gateway

Check = Callable[[Gateway, Scope], None]

_HOST = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[^:]*))(?::[0-9]*)?")
_WEB = (b"http://", b"https://")
_FOR_BALANCERS = frozenset({"/livez", "/readyz"})


def check_url_length(gateway: Gateway, scope: Scope) -> None:
    """Raises a 414 problem for a path and query that are longer than the config allows."""
    longest = gateway.runtime.settings.limits.max_url_bytes
    if len(scope["path"]) + len(scope["query_string"]) > longest:
        raise problems.url_too_long(longest)


def check_host(gateway: Gateway, scope: Scope) -> None:
    """Raises a 421 problem for a Host that is no address and that the config does not name.

    Otherwise any web page could read the operators' listener through the browser of somebody who
    reaches it: the page's own name is made to resolve to this address (DNS rebinding). Requests
    without Host are not from browsers.
    """
    host = _header(scope, b"host")
    if host is None:
        return
    text = host.decode("latin-1")
    found = _HOST.fullmatch(text)
    if found is None or not (found["v6"] or _is_known(gateway, found["name"])):
        raise problems.unknown_host(text, "admin.allowed_hosts")


def check_players_host(gateway: Gateway, scope: Scope) -> None:
    """Raises a 421 problem for a Host that the config does not allow to players. Load balancers ask
    for liveness and readiness under any name. A request without Host is HTTP/1.0; the URLs in its
    answer have the address of the listener."""
    server = gateway.runtime.settings.server
    if not server.allowed_hosts or scope["path"] in _FOR_BALANCERS:
        return
    host = _header(scope, b"host")
    if host is None:
        return
    text = host.decode("latin-1")
    found = _HOST.fullmatch(text)
    own = urlsplit(server.public_url or "").hostname or ""
    if found is None or not (
        found["v6"] or _is_one_of(found["name"], (own, *server.allowed_hosts))
    ):
        raise problems.unknown_host(text, "server.allowed_hosts")


def _is_known(gateway: Gateway, given: str) -> bool:
    admin = gateway.runtime.settings.admin
    return _is_one_of(given, (admin.host.lower(), *admin.allowed_hosts))


def _is_one_of(given: str, allowed: Collection[str]) -> bool:
    """Whether ``given`` is ``localhost``, an address, or one of the allowed names."""
    name = given.removesuffix(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    if (name and name in allowed) or "*" in allowed:
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def check_origin(gateway: Gateway, scope: Scope) -> None:  # noqa: ARG001
    """Raises a 403 problem for a request that a web page of another origin makes."""
    origin = _header(scope, b"origin")
    if origin is None:
        return
    host = _header(scope, b"host")
    if host is None or origin not in {scheme + host for scheme in _WEB}:
        raise problems.foreign_origin()


def _header(scope: Scope, wanted: bytes) -> bytes | None:
    return next((value for name, value in scope["headers"] if name == wanted), None)


CHECKS: dict[Listener, list[Check]] = {
    PLAYERS: [check_rate, check_players_host, check_url_length],
    OPERATORS: [check_host, check_origin, check_url_length],
}
"""The checks of each listener."""


def admit(gateway: Gateway, listener: Listener, scope: Scope) -> None:
    """Run all checks. Raises the problem of the first check that the request fails."""
    for check in CHECKS[listener]:
        check(gateway, scope)
