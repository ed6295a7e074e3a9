"""What do all answers have in common? Admission, request id, CORS, problems, metrics.

Every request passes through :meth:`Envelope.__call__`. One ``try`` encloses everything that can
fail, so that every error becomes a problem document.
"""

import asyncio
import logging
import random
import re
import time
from typing import Any

import structlog
from starlette.routing import Router
from starlette.types import Lifespan, Receive, Scope, Send

from gateway.http.access_log import is_logged, log_answer
from gateway.http.admission import admit
from gateway.http.asgi import send_reply
from gateway.http.authorise import authorise
from gateway.http.cors import ANY_ORIGIN, cors_headers, preflight
from gateway.http.rate_check import HEADERS
from gateway.http.routes import TABLES, Route, label_of
from gateway.http.tracing import Trace, begin_trace, end_trace
from gateway.listener import PLAYERS, Listener
from gateway.observe import metrics
from gateway.observe.logs import LONGEST_PATH_CHARS
from gateway.observe.request_id import set_request_id
from gateway.play import problems
from gateway.play.problems import Problem
from gateway.play.rate_limited import RateLimited
from gateway.play.reply import RawHeaders, Reply
from gateway.play.request import NO_HEADERS, Headers, read_headers
from gateway.play.runtime import Gateway

log = structlog.get_logger()
_logger = logging.getLogger(__name__)

_REQUEST_ID = re.compile(r"[A-Za-z0-9._~+/=@:-]{1,128}")

_FOR_OPERATORS: RawHeaders = (
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
)
"""Instead of CORS headers: no web page of another origin may embed what operators read."""


class Envelope:
    """The gateway as the ASGI application of one listener."""

    def __init__(
        self, gateway: Gateway, listener: Listener, lifespan: Lifespan[Any] | None = None
    ) -> None:
        self._gateway = gateway
        self._listener = listener
        self._is_for_players = listener == PLAYERS
        self._routes = TABLES[listener]
        self._other = Router(lifespan=lifespan)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Starlette handles lifespan events and refuses WebSockets."""
        if scope["type"] != "http":
            await self._other(scope, receive, send)
            return
        start = time.perf_counter()
        path, method = scope["path"], scope["method"]
        identity, headers = f"{random.getrandbits(64):016x}", NO_HEADERS
        route: Route | None = None
        reply: Reply | None = None
        kind: str | None = None
        trace: Trace | None = None
        try:
            try:
                headers = read_headers(scope["headers"])
                identity = _identity(headers, identity)
                set_request_id(identity)
                if self._gateway.tracer is not None:
                    trace = begin_trace(self._gateway.tracer, self._gateway, scope, start)
                scope[HEADERS] = headers
                route = self._route(path)
                admit(self._gateway, self._listener, scope)
                reply = await self._handle(route, scope, headers, receive)
            except RateLimited as limited:
                reply, kind = limited.reply, "too-many-requests"
                limited.count(label_of(route, path))
            except Problem as problem:
                reply = problems.reply(problem, path, for_operators=not self._is_for_players)
                kind = problem.kind
            except asyncio.CancelledError:  # server.shutdown_grace_s has ended
                reply, kind = problems.reply(problems.shutting_down(), path), "shutting-down"
            except Exception:
                shown = path[:LONGEST_PATH_CHARS]
                log.exception("request_failed", path=shown, request_id=identity)
                reply, kind = problems.reply(problems.internal(identity), path), "internal"
            if reply.is_public:
                more = ANY_ORIGIN
            else:
                more = ((b"x-request-id", identity.encode("ascii")), *self._common(headers))
            await send_reply(reply, more, send)
        finally:
            status = 500 if reply is None else reply.status
            label = label_of(route, path)
            seconds = self._count(label, method, path, status, identity, start)
            traced = trace and end_trace(trace, self._listener, scope, route, reply, identity)
            logged = self._gateway.runtime.settings.access_log
            if logged.enabled and is_logged(logged, status):
                log_answer(
                    self._gateway,
                    self._listener,
                    scope,
                    headers,
                    reply,
                    request_id=identity,
                    trace_id=traced,
                    route=label,
                    status=status,
                    ms=round(seconds * 1000, 2),
                    problem=kind,
                )

    def _route(self, path: str) -> Route | None:
        route = self._routes.find(path)
        if route is None or route.switch is None:
            return route
        on = route.switch(self._gateway.runtime.settings)
        return route if self._listener in on else None

    async def _handle(
        self, route: Route | None, scope: Scope, headers: Headers, receive: Receive
    ) -> Reply:
        """Call the route's handler. Raises :class:`Problem`."""
        method = scope["method"]
        if method == "OPTIONS" and self._takes_preflights(scope["path"]):
            return preflight(self._gateway.runtime.settings.server.cors_allow_headers)
        if route is None:
            raise problems.no_such_path()
        if method not in route.methods:
            more = ("OPTIONS",) if self._takes_preflights(scope["path"]) else ()
            allowed = sorted((*route.methods, *more))
            raise problems.method_not_allowed(method, ", ".join(allowed))
        if not self._is_for_players:
            receive = await authorise(self._gateway, route.access, scope, headers, receive)
        return await route.handler(self._gateway, scope, headers, receive)

    def _takes_preflights(self, path: str) -> bool:
        return self._is_for_players and path.startswith("/v1/")

    def _common(self, headers: Headers) -> RawHeaders:
        """The headers that every answer of this listener has."""
        if not self._is_for_players:
            return _FOR_OPERATORS
        settings = self._gateway.runtime.settings
        allowed = settings.server.cors_origins
        return cors_headers(headers.get("origin"), allowed, credentials=settings.sets_cookies)

    def _count(
        self,
        label: str,
        method: str,
        path: str,
        status: int,
        identity: str,
        start: float,
    ) -> float:
        """Record status and duration in metrics and the debug log. Returns the seconds."""
        seconds = time.perf_counter() - start
        metrics.requests(label, status).inc()
        metrics.request_seconds(label).observe(seconds)
        if _logger.isEnabledFor(logging.DEBUG):  # avoids building the line otherwise
            log.debug(
                "request",
                method=method,
                path=path[:LONGEST_PATH_CHARS],
                status=status,
                request_id=identity,
                ms=round(seconds * 1000, 2),
            )
        return seconds


def _identity(headers: Headers, otherwise: str) -> str:
    """The request id: the client's own when it is well formed, else ``otherwise``. Ids are not
    secret, so they need no cryptographic randomness."""
    given = headers.get("x-request-id")
    return given if given is not None and _REQUEST_ID.fullmatch(given) else otherwise
