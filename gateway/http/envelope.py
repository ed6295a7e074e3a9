"""What every answer has in common: request id, CORS, problems instead of tracebacks, counting.

A plain ASGI wrapper around the routes, so that an answer of any kind passes through one place.
"""

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import NamedTuple

import structlog
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.observe import metrics
from gateway.observe.request_id import set_request_id
from gateway.play import problems
from gateway.play.headers import ALLOWED, EXPOSED, request_id
from gateway.play.play import PLAY, known_key, known_reply, play
from gateway.play.problems import Problem
from gateway.play.reply import WRITE_WHOLE, HeaderLines, Reply, WriteWhole
from gateway.play.request import READ
from gateway.play.runtime import Gateway

log = structlog.get_logger()
_logger = logging.getLogger(__name__)

_PREFLIGHT_S = "7200"
_LONGEST_SHOWN = 600
_ASKED = "gateway.asked"

_EXPOSE = (b"access-control-expose-headers", EXPOSED.encode("ascii"))
_ANYBODY = HeaderLines((b"access-control-allow-origin", b"*"), _EXPOSE)
_NOBODY = HeaderLines((b"vary", b"Origin"))


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
        write: WriteWhole | None = scope.pop(WRITE_WHOLE, None)
        asked: _Asked = scope.pop(_ASKED, None) or self._asked(scope)
        known = known_reply(self._gateway, asked.key, asked.start)
        if known is not None:
            reply, timing = known
            await reply.give(write, send, timing, asked.identity, asked.cors)
            self._count(scope, reply.status, asked)
            return
        set_request_id(asked.identity.decode("ascii"))
        answering = _Answering(scope, write, send, asked)
        try:
            answered = await self._problem_of(answering, receive)
            if answered is not None and answering.status is None:
                shown = problems.response(answered, scope["path"][:_LONGEST_SHOWN])
                await shown(scope, receive, answering.send)
        finally:
            self._count(scope, answering.status, asked)

    def at_once(self, scope: Scope, write: WriteWhole) -> bool:
        """Answer a request whose answer is known, by ``write``; False for any other."""
        asked = self._asked(scope)
        known = known_reply(self._gateway, asked.key, asked.start)
        if known is None:
            scope[_ASKED] = asked
            return False
        reply, timing = known
        reply.written(write, timing, asked.identity, asked.cors)
        self._count(scope, reply.status, asked)
        return True

    def _asked(self, scope: Scope) -> "_Asked":
        start = time.perf_counter()
        read: list[bytes] = []
        given = origin = None
        for line in scope["headers"]:
            name = line[0]
            if name in READ:
                read += line
            elif name == b"origin":
                origin = origin or line[1]
            elif name == b"x-request-id":
                given = given or line[1]
        played = scope["path"].startswith(PLAY)
        key = known_key(self._gateway, scope, read) if played else None
        return _Asked(start, key, request_id(given), self._cors(origin))

    def _count(self, scope: Scope, status: int | None, asked: "_Asked") -> None:
        """What was answered, and how soon."""
        path: str = scope["path"]
        route = route_name(path)
        seconds = time.perf_counter() - asked.start
        metrics.requests(route, status or 500).inc()
        metrics.request_seconds(route).observe(seconds)
        if _logger.isEnabledFor(logging.DEBUG):  # so that nothing is made up for nobody
            log.debug(
                "request",
                method=scope["method"],
                path=path[:_LONGEST_SHOWN],
                status=status,
                request_id=asked.identity.decode("ascii"),
                ms=round(seconds * 1000, 2),
            )

    async def _problem_of(self, answering: "_Answering", receive: Receive) -> Problem | None:
        """Let the routes answer; None when they did, else why not."""
        scope = answering.scope
        try:
            self._admit(scope)
            if scope["method"] == "OPTIONS" and scope["path"].startswith("/v1/"):
                await _preflight()(scope, receive, answering.send)
            elif scope["path"].startswith(PLAY):  # nearly every request: no router is asked
                await answering.give(*await play(scope, receive, answering.asked.key))
            else:
                await self._app(scope, receive, answering.send)
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
            identity = answering.asked.identity.decode("ascii")
            log.exception("request_failed", path=path, request_id=identity)
            return problems.internal(identity)
        return None

    def _admit(self, scope: Scope) -> None:
        longest = self._gateway.runtime.settings.limits.max_url_bytes
        if len(scope["path"]) + len(scope["query_string"]) > longest:
            raise problems.url_too_long(longest)

    def _cors(self, origin: bytes | None) -> HeaderLines:
        """Who may read the answer (F11). ``*``, or the caller's own origin where it is listed."""
        allowed = self._gateway.runtime.settings.server.cors_origins
        if "*" in allowed:
            return _ANYBODY
        if origin is None or origin.decode("latin-1") not in allowed:
            return _NOBODY
        return HeaderLines((b"access-control-allow-origin", origin), _EXPOSE) + _NOBODY


class _Asked(NamedTuple):
    """When a request came (``time.perf_counter``), its :func:`known_key`, its id, and who may read
    the answer."""

    start: float
    key: bytes | None
    identity: bytes
    cors: HeaderLines


@dataclass(slots=True)
class _Answering:
    """One request that is being answered; ``status`` is None until an answer has begun."""

    scope: Scope
    write: WriteWhole | None
    to: Send
    asked: _Asked
    status: int | None = None

    async def give(self, reply: Reply, timing: bytes) -> None:
        """Send a finished answer."""
        self.status = reply.status
        await reply.give(self.write, self.to, timing, self.asked.identity, self.asked.cors)

    async def send(self, message: Message) -> None:
        """Send what a route says, with the headers that all answers have."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = (b"x-request-id", self.asked.identity)
            message["headers"] = [*message["headers"], own, *self.asked.cors.pairs]
        await self.to(message)


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
    if path.startswith(PLAY):
        if path.endswith(".m3u8"):
            return "play_hls"
        return "play_dash" if path.endswith(".mpd") else "play_json"
    if path.startswith("/v1/steering/"):
        return "steering"
    return _ROUTES.get(path, "other")
