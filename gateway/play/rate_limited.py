"""What is answered to a client network, a session or a token that asks for too much?

The body is always the same, so that a refusal costs less than any answer. Client networks
are refused before their query and body are read (:mod:`gateway.http.rate_check`), sessions and
tokens as soon as they are known.
"""

import json
import random
import time
from collections.abc import Mapping
from math import ceil
from typing import Final, Literal

from gateway.observe import metrics
from gateway.play import problems
from gateway.play.problems import Problem
from gateway.play.rate_limits import RateLimit
from gateway.play.reply import RawHeaders, Reply
from gateway.play.request import Request
from gateway.play.runtime import Gateway
from gateway.trust.admission import Admission

JITTER_S: Final = 4
"""The most seconds added to Retry-After at random, so that the clients of a network do not all come
back together."""

_chance: Final = random.Random()  # noqa: S311  # spreads clients, keeps no secret


class RateLimited(Exception):  # noqa: N818  # not an error of the gateway
    """Raised for a caller that asks for too much; has the answer."""

    def __init__(self, which: RateLimit, wait_s: float) -> None:
        """``wait_s``: seconds until one more request would be answered."""
        super().__init__(which)
        retry_s = ceil(wait_s) + int(_chance.random() * (JITTER_S + 1))
        headers, body = _READY[which]
        self.reply = Reply(429, ((b"retry-after", b"%d" % retry_s), *headers), body)
        self._by = which if which in ("session", "token") else "network"

    def count(self, route: str) -> None:
        """Count the refusal on a route, by its metric label."""
        metrics.rate_limited(route, self._by).inc()
        _problems.inc()


def limit_session(gateway: Gateway, request: Request, session: str | None, assets: int) -> None:
    """Count the assets that a session asks for. Raises RateLimited for one that asks for more than
    ``rate.session_per_s`` allows. A request without a session counts for its client network
    alone."""
    if session is not None and not request.by_operator:
        _limit(gateway, request, "session", session, assets)


def limit_token(
    gateway: Gateway, request: Request, admissions: Mapping[int, Admission | Problem]
) -> None:
    """Count the assets to which a token admits, or the admission that a request carries instead of
    one. Raises RateLimited for more than ``rate.token_per_s`` allows."""
    if not admissions or request.by_operator:
        return
    admitted = [each for each in admissions.values() if isinstance(each, Admission)]
    name = admitted[0].counted_as if admitted else None
    if name is not None:  # a request has one token
        _limit(gateway, request, "token", name, len(admitted))


def _limit(
    gateway: Gateway,
    request: Request,
    which: Literal["session", "token"],
    name: str | bytes,
    assets: int,
) -> None:
    """Count ``assets``. A batch that is admitted is answered whole, and is paid for afterwards."""
    rates, now_s = gateway.rates, time.monotonic()
    wait_s = rates.take_one(which, name, now_s)
    if wait_s:
        client = gateway.runtime.clients.address(request.peer, request.headers)
        if client is None or not rates.is_exempt(client):
            raise RateLimited(which, wait_s)
    elif assets > 1:
        rates.charge_one(which, name, now_s, assets - 1)


def _ready(which: RateLimit) -> tuple[RawHeaders, bytes]:
    members = problems.problem_members(problems.too_many_requests(which))
    headers = {"Cache-Control": "no-store", **problems.NOSNIFF}
    reply = Reply.of(429, json.dumps(members).encode(), problems.MEDIA_TYPE, headers)
    return reply.headers, reply.body


_REFUSED: Final[tuple[RateLimit, ...]] = ("manifests", "decisions", "other", "session", "token")
_READY: Final = {which: _ready(which) for which in _REFUSED}
"""The headers and the body of each refusal, made once."""
_problems: Final = metrics.PROBLEMS.labels("too-many-requests")
