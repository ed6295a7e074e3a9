"""Which requests are let in? Every check that a request has to pass before it is handled.

The envelope runs :func:`admit` once for each request, whatever it asks for and however often it
was asked before. A check is a function in ``CHECKS`` that raises a
:class:`gateway.play.problems.Problem`.
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
    """Let a request in, or raise the problem of the first check that it does not pass."""
    for check in CHECKS:
        check(gateway, scope)
