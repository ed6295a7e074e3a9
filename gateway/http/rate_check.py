"""May this client network ask for more? A refusal costs less than any answer.

It is made before the query and the body are read. :mod:`gateway.play.rate_limited` refuses sessions
and tokens.
"""

import time
from typing import Final

from starlette.types import Scope

from gateway.play.rate_limited import RateLimited
from gateway.play.rate_limits import RateClass
from gateway.play.request import Headers
from gateway.play.runtime import Gateway

HEADERS: Final = "gateway.headers"
"""Where the scope has the parsed headers."""

_NEVER: Final = frozenset({"/v1/cmcd", "/v1/probe", "/livez", "/readyz"})
"""Paths with budgets of their own, and those that tell whether the gateway lives."""
_MANIFESTS: Final = ("/v1/play/", "/v1/class/")
_DECISIONS: Final = "/v1/decisions"
_STEERING: Final = "/v1/steering/"


def class_of(path: str, method: str) -> RateClass | None:
    """Which limit counts a request; None for one that no limit of the network counts. A player
    is always steered (rule C4.2), and a browser whose preflight is refused does not send the
    request itself."""
    if path.startswith(_MANIFESTS):
        return None if method == "OPTIONS" else "manifests"
    if path.startswith(_STEERING) or path in _NEVER or method == "OPTIONS":
        return None
    return "decisions" if path == _DECISIONS else "other"


def check_rate(gateway: Gateway, scope: Scope) -> None:
    """Raises RateLimited for a client network that asks for more than ``[rate]`` allows. A client
    whose address a trusted proxy does not tell cannot be counted."""
    which = class_of(scope["path"], scope["method"])
    peer = scope.get("client")
    if which is None or peer is None:
        return
    headers: Headers = scope[HEADERS]
    client = gateway.runtime.clients.address(peer[0], headers)
    if client is None:
        return
    wait_s = gateway.rates.take(which, client, time.monotonic())
    if wait_s and not gateway.runtime.clients.trusts(client):
        raise RateLimited(which, wait_s)
