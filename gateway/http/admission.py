"""Which requests are admitted? The checks that every request must pass before it is handled.

The envelope runs :func:`admit` once for each request, on every route. A check is a function in
``CHECKS`` that raises a :class:`gateway.play.problems.Problem`.
"""

from collections.abc import Callable

from starlette.types import Scope

from gateway.play import problems
from gateway.play.runtime import Gateway

Check = Callable[[Gateway, Scope], None]


def check_url_length(gateway: Gateway, scope: Scope) -> None:
    """Raises a 414 problem for a path and query that are longer than the config allows."""
    longest = gateway.runtime.settings.limits.max_url_bytes
    if len(scope["path"]) + len(scope["query_string"]) > longest:
        raise problems.url_too_long(longest)


CHECKS: list[Check] = [check_url_length]


def admit(gateway: Gateway, scope: Scope) -> None:
    """Run all checks. Raises the problem of the first check that the request fails."""
    for check in CHECKS:
        check(gateway, scope)
