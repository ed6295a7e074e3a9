"""May this client network ask for more? A refusal costs less than any answer.

It is made before the query and the body are read, and its body is always the same.
"""

import json
import random
import time
from math import ceil
from typing import Final

from starlette.types import Scope

from gateway.observe import metrics
from gateway.play import problems
from gateway.play.rate_limits import RateClass
from gateway.play.reply import RawHeaders, Reply
from gateway.play.request import Headers
from gateway.play.runtime import Gateway

HEADERS: Final = "gateway.headers"
"""Where the scope has the parsed headers."""
JITTER_S: Final = 4
"""Up to so many seconds are added to Retry-After, so that the clients of a network do not all come
back together."""

_NEVER: Final = frozenset({"/v1/cmcd", "/v1/probe", "/livez", "/readyz"})
"""Paths with budgets of their own, and those that tell whether the gateway lives."""
_MANIFESTS: Final = ("/v1/play/", "/v1/class/")
_DECISIONS: Final = "/v1/decisions"
_STEERING: Final = "/v1/steering/"

_chance: Final = random.Random()  # noqa: S311  # spreads clients, keeps no secret


class RateLimited(Exception):  # noqa: N818  # not an error of the gateway
    """The answer to a client network that asks for too much."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def class_of(path: str, method: str) -> RateClass | None:
    """Which limit counts a request; None for requests that are never refused. A session that plays
    is always steered (rule C4.2), and a browser that may not ask for permission fails the request
    for which it asks."""
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
        raise RateLimited(_reply(which, wait_s))


def _reply(which: RateClass, wait_s: float) -> Reply:
    retry_s = ceil(wait_s) + int(_chance.random() * (JITTER_S + 1))
    headers, body = _READY[which]
    return Reply(429, ((b"retry-after", b"%d" % retry_s), *headers), body)


def _ready(which: RateClass) -> tuple[RawHeaders, bytes]:
    members = problems.problem_members(problems.too_many_requests(which))
    reply = Reply.of(
        429, json.dumps(members).encode(), problems.MEDIA_TYPE, {"Cache-Control": "no-store"}
    )
    return reply.headers, reply.body


_CLASSES: Final[tuple[RateClass, ...]] = ("manifests", "decisions", "other")
_READY: Final = {which: _ready(which) for which in _CLASSES}
"""The headers and the body of each refusal, made once."""
_problems: Final = metrics.PROBLEMS.labels("too-many-requests")


def count(route: str) -> None:
    """Count a refusal on a route, by its metric label."""
    metrics.rate_limited(route, "network").inc()
    _problems.inc()
