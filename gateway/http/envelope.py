"""What every answer has in common: request id, CORS, problems instead of tracebacks, counting.

A plain ASGI wrapper around the routes, so that an answer of any kind passes through one place.
"""

import asyncio
import logging
import time
from collections.abc import Iterable

import structlog
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.http import problems
from gateway.http.headers import ALLOWED, EXPOSED, request_id
from gateway.http.playback import known_key, known_reply, play
from gateway.http.problems import Problem
from gateway.http.reply import Reply
from gateway.http.runtime import Gateway
from gateway.observe import metrics
from gateway.observe.request_id import set_request_id

log = structlog.get_logger()
_logger = logging.getLogger(__name__)

_PREFLIGHT_S = "7200"
_LONGEST_SHOWN = 600

_EXPOSE = (b"access-control-expose-headers", EXPOSED.encode("ascii"))
_ANYBODY = ((b"access-control-allow-origin", b"*"), _EXPOSE)
_NOBODY = ((b"vary", b"Origin"),)


class Envelope:
    """Wraps the routes; see the module's docstring."""

    def __init__(self, app: ASGIApp, gateway: Gateway) -> None:
        """``app`` raises :class:`Problem` for whatever it does not answer."""
        self._app = app
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        path: str = scope["path"]
        given: bytes | None = None
        origin: bytes | None = None
        for name, value in scope["headers"]:
            if name == b"x-request-id":
                given = given or value
            elif name == b"origin":
                origin = origin or value
        identity = request_id(None if given is None else given.decode("latin-1"))
        added = ((b"x-request-id", identity.encode("ascii")), *self._cors(origin))
        played = path.startswith("/v1/play/")
        key = known_key(self._gateway, scope) if played else None
        known = known_reply(self._gateway, key, start)
        if known is not None:
            await Reply(known.status, (*known.headers, *added), known.body)(scope, receive, send)
            self._count(scope, path, known.status, start, identity)
            return
        set_request_id(identity)
        status: int | None = None

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *added]
            await send(message)

        try:
            answered = await self._problem_of(scope, receive, send_with_headers, identity, key)
            if answered is not None and status is None:
                shown = problems.response(answered, path[:_LONGEST_SHOWN])
                await shown(scope, receive, send_with_headers)
        finally:
            self._count(scope, path, status, start, identity)

    def _count(
        self, scope: Scope, path: str, status: int | None, start: float, identity: str
    ) -> None:
        """What was answered, and how soon."""
        route = route_name(path)
        seconds = time.perf_counter() - start
        metrics.requests(route, status or 500).inc()
        metrics.request_seconds(route).observe(seconds)
        if _logger.isEnabledFor(logging.DEBUG):  # so that nothing is made up for nobody
            log.debug(
                "request",
                method=scope["method"],
                path=path[:_LONGEST_SHOWN],
                status=status,
                request_id=identity,
                ms=round(seconds * 1000, 2),
            )

    async def _problem_of(
        self, scope: Scope, receive: Receive, send: Send, identity: str, key: bytes | None
    ) -> Problem | None:
        """Let the routes answer; None when they did, else why not."""
        try:
            self._admit(scope)
            if scope["method"] == "OPTIONS" and scope["path"].startswith("/v1/"):
                await _preflight()(scope, receive, send)
            elif scope["path"].startswith("/v1/play/"):
                await play(scope, receive, send, key)  # nearly every request: no router is asked
            else:
                await self._app(scope, receive, send)
        except Problem as problem:
            return problem
        except HTTPException as error:  # the router knows the path, but not with this method
            allow = (error.headers or {}).get("Allow", "")
            return problems.method_not_allowed(
                scope["method"], ", ".join(sorted(allow.split(", ")))
            )
        except asyncio.CancelledError:  # the grace of a shutdown has ended
            return problems.shutting_down()
        except Exception:  # the last resort: a player gets an answer all the same
            path = scope["path"][:_LONGEST_SHOWN]
            log.exception("request_failed", path=path, request_id=identity)
            return problems.internal(identity)
        return None

    def _admit(self, scope: Scope) -> None:
        longest = self._gateway.runtime.settings.limits.max_url_bytes
        if len(scope["path"]) + len(scope["query_string"]) > longest:
            raise problems.url_too_long(longest)

    def _cors(self, origin: bytes | None) -> Iterable[tuple[bytes, bytes]]:
        """Who may read the answer (F11). ``*``, or the caller's own origin where it is listed."""
        allowed = self._gateway.runtime.settings.server.cors_origins
        if "*" in allowed:
            return _ANYBODY
        if origin is None or origin.decode("latin-1") not in allowed:
            return _NOBODY
        return ((b"access-control-allow-origin", origin), _EXPOSE, *_NOBODY)


def _preflight() -> Response:
    """D3.5: header-mode CMCD makes browser requests non-simple."""
    headers = {
        "Access-Control-Allow-Methods": "GET, HEAD, POST, OPTIONS",
        "Access-Control-Allow-Headers": ALLOWED,
        "Access-Control-Max-Age": _PREFLIGHT_S,
    }
    return Response(None, 204, headers)


_ROUTES = {
    "/v1/decisions": "decisions",
    "/v1/cmcd": "cmcd",
    "/v1/probe": "probe",
    "/livez": "livez",
    "/readyz": "readyz",
    "/metrics": "metrics",
    "/openapi.json": "openapi",
}


def route_name(path: str) -> str:
    """The metric label of a path: one of a fixed set, whatever players send."""
    if path.startswith("/v1/play/"):
        if path.endswith(".m3u8"):
            return "play_hls"
        return "play_dash" if path.endswith(".mpd") else "play_json"
    if path.startswith("/v1/steering/"):
        return "steering"
    return _ROUTES.get(path, "other")
