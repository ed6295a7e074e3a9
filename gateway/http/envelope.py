"""What every answer has in common: request id, CORS, problems instead of tracebacks, counting.

A plain ASGI wrapper around the routes, so that an answer of any kind passes through one place.
"""

import time
from collections.abc import Sequence

import structlog
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.http import problems
from gateway.http.headers import ALLOWED, EXPOSED, request_id
from gateway.http.problems import Problem
from gateway.http.runtime import Gateway
from gateway.observe import metrics

log = structlog.get_logger()

_PREFLIGHT_S = "7200"
_LONGEST_SHOWN = 600


class Envelope:
    """Wraps the application; see the module's docstring."""

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
        headers = Request(scope).headers
        identity = request_id(headers.get("x-request-id"))
        cors = self._cors(headers.get("origin"))
        status = 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                added = MutableHeaders(scope=message)
                added["X-Request-ID"] = identity
                for name, value in cors:
                    if name == "Vary":
                        added.add_vary_header(value)
                    else:
                        added[name] = value
            await send(message)

        try:
            if scope["method"] == "OPTIONS" and path.startswith("/v1/"):
                await _preflight()(scope, receive, send_with_headers)
            else:
                await self._routed(scope, receive, send_with_headers, identity)
        finally:
            route = route_name(path)
            seconds = time.perf_counter() - start
            metrics.REQUESTS.labels(route, str(status)).inc()
            metrics.REQUEST_SECONDS.labels(route).observe(seconds)
            log.debug(
                "request",
                method=scope["method"],
                path=path[:_LONGEST_SHOWN],
                status=status,
                request_id=identity,
                ms=round(seconds * 1000, 2),
            )

    async def _routed(self, scope: Scope, receive: Receive, send: Send, identity: str) -> None:
        shown = scope["path"][:_LONGEST_SHOWN]
        try:
            self._admit(scope)
            await self._app(scope, receive, send)
        except Problem as problem:
            await problems.response(problem, shown)(scope, receive, send)
        except HTTPException as error:
            await problems.response(_unrouted(error, scope), shown)(scope, receive, send)
        except Exception:  # the last resort: a player gets an answer all the same
            log.exception("request_failed", path=shown, request_id=identity)
            problem = Problem(
                500, "internal", "Internal error", f"look for request id {identity} in the logs"
            )
            await problems.response(problem, shown)(scope, receive, send)

    def _admit(self, scope: Scope) -> None:
        longest = self._gateway.runtime.settings.limits.max_url_bytes
        if len(scope["path"]) + len(scope["query_string"]) > longest:
            detail = f"path and query are longer than {longest} bytes"
            raise Problem(414, "url-too-long", "URL too long", detail)

    def _cors(self, origin: str | None) -> Sequence[tuple[str, str]]:
        """Who may read the answer (F11). ``*``, or the caller's own origin where it is listed."""
        allowed = self._gateway.runtime.settings.server.cors_origins
        if "*" in allowed:
            return (
                ("Access-Control-Allow-Origin", "*"),
                ("Access-Control-Expose-Headers", EXPOSED),
            )
        if origin is None or origin not in allowed:
            return (("Vary", "Origin"),)
        return (
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Expose-Headers", EXPOSED),
            ("Vary", "Origin"),
        )


def _preflight() -> Response:
    """D3.5: header-mode CMCD makes browser requests non-simple."""
    headers = {
        "Access-Control-Allow-Methods": "GET, HEAD, POST, OPTIONS",
        "Access-Control-Allow-Headers": ALLOWED,
        "Access-Control-Max-Age": _PREFLIGHT_S,
    }
    return Response(None, 204, headers)


def _unrouted(error: HTTPException, scope: Scope) -> Problem:
    """What the router has to say: no such path, or not with this method."""
    if error.status_code == 405:  # noqa: PLR2004
        allow = (error.headers or {}).get("Allow", "GET")
        detail = f"{scope['method']} is not answered here; allowed: {allow}"
        return Problem(
            405, "method-not-allowed", "Method not allowed", detail, headers={"Allow": allow}
        )
    return Problem(404, "no-such-path", "No such path", "nothing is answered at this path")


_ROUTES = (
    ("/v1/steering/", "steering"),
    ("/v1/cmcd", "cmcd"),
    ("/v1/probe", "probe"),
    ("/livez", "livez"),
    ("/readyz", "readyz"),
    ("/metrics", "metrics"),
    ("/openapi.json", "openapi"),
)


def route_name(path: str) -> str:
    """The metric label of a path: one of a fixed set, whatever players send."""
    if path.startswith("/v1/play/"):
        if path.endswith(".m3u8"):
            return "play_hls"
        return "play_dash" if path.endswith(".mpd") else "play_json"
    return next((name for prefix, name in _ROUTES if path.startswith(prefix)), "other")
