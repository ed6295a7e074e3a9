"""Serves ``/demo``: the page, its scripts and style, its settings, and the players."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo import player
from demo.edges import PortBusyError, RunningEdge, ServedEdges
from demo.operators import Operators, OperatorsError
from demo.viewers import DEVICES, NETWORKS, PLACES, PRESETS

ACTIONS = ("kill", "slow", "drain", "mend")
"""What can be done to an edge."""
SCRIPTS = ("page.js", "players.js", "strip.js", "edges.js", "decision.js", "measure.js")
_PAGE = Path(__file__).parent / "page"


def site(
    edges: Sequence[RunningEdge],
    admin_url: str,
    origin_url: str,
    served: ServedEdges | None = None,
    operators: Operators | None = None,
) -> ASGIApp:
    """The pages below ``/demo``, with links to ``admin_url``. Their CSP allows media from ``edges``
    only, and the origin's clock, which live MPDs name.

    With ``served`` and ``operators``, ``/demo/edges.json`` tells the state of the edges, and pages
    can act on them: ``POST /demo/edges/{id}/kill``, ``slow``, ``drain`` and ``mend``.
    """
    scripts = player.scripts()
    settings = {
        "edges": [{"id": e.edge.id, "city": e.edge.city, "url": e.url} for e in edges],
        "places": [{"name": name, "address": address} for name, address in PLACES],
        "devices": [
            {"id": name, "name": device.name, "user_agent": device.user_agent}
            for name, device in DEVICES.items()
        ],
        "networks": [{"name": name, "kbps": kbps} for name, kbps in NETWORKS],
        "presets": [
            {"name": name, "device": device, "from": dict(PLACES)[place], "network": kbps}
            for name, device, place, kbps in PRESETS
        ],
        "operators": admin_url,
        "players": list(scripts),
    }
    controls = None if served is None or operators is None else Controls(served, operators)

    async def settings_json(_: Request) -> Response:
        return JSONResponse(settings)

    async def edges_json(_: Request) -> Response:
        if controls is None:
            return _text("nothing to control\n", 404)
        try:
            return JSONResponse({"edges": await controls.edges()})
        except OperatorsError as error:
            return _text(f"{error}\n", 502)

    async def act(request: Request) -> Response:
        edge, action = request.path_params["edge"], request.path_params["action"]
        origin = request.headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
            return _text("another page's request\n", 403)
        known = edge in {e.edge.id for e in edges} and action in ACTIONS
        if controls is None or not known:
            return _text(f"no such edge or action; actions are {', '.join(ACTIONS)}\n", 404)
        try:
            await controls.act(edge, action)
        except PortBusyError as error:
            return _text(f"{error}\n", 409)
        except OperatorsError as error:
            return _text(f"{error}\n", 502)
        return Response(status_code=204)

    routes = [
        _file("/demo", _PAGE / "index.html", "text/html"),
        _file("/demo/page.css", _PAGE / "page.css", "text/css"),
        *(_file(f"/demo/{name}", _PAGE / name, "text/javascript") for name in SCRIPTS),
        Route("/demo/settings.json", settings_json),
        Route("/demo/edges.json", edges_json),
        Route("/demo/edges/{edge}/{action}", act, methods=["POST"]),
        *(_file(f"/demo/{name}", scripts.get(name), "text/javascript") for name in player.PLAYERS),
    ]
    origins = [*(edge.url for edge in edges), origin_url]
    return _WithSecurityHeaders(Starlette(routes=routes), origins)


class Controls:
    """The edges of the demo as the page sees them: what was done to them here, and what the gateway
    knows of them."""

    def __init__(self, served: ServedEdges, operators: Operators) -> None:
        self._served = served
        self._operators = operators
        self._drained: set[str] = set()

    async def edges(self) -> list[dict[str, object]]:
        """Each edge with its ``faults``, and with what :meth:`Operators.edges` tells of it."""
        known = await self._operators.edges()
        return [
            {
                "id": each.edge.id,
                "city": each.edge.city,
                "faults": self._served.faults(each.edge.id),
                **known.get(each.edge.id, {}),
            }
            for each in self._served.running
        ]

    async def act(self, edge: str, action: str) -> None:
        """Do one of :data:`ACTIONS`. Raises PortBusyError and OperatorsError."""
        if action == "kill":
            await self._served.kill(edge)
        elif action == "slow":
            self._served.slow(edge)
        elif action == "drain":
            await self._operators.drain(edge)
            self._drained.add(edge)
        else:
            await self._served.mend(edge)
            known = await self._operators.edges()
            if edge in self._drained or known[edge]["state"] == "draining":
                await self._operators.undrain(edge)
                self._drained.discard(edge)


def _text(body: str, status: int) -> Response:
    return Response(body, status_code=status, media_type="text/plain")


def _file(url_path: str, file: Path | None, media_type: str) -> Route:
    """A route to a file; 404 for one that is not here."""

    async def answer(_: Request) -> Response:
        if file is None:
            return Response("not installed\n", status_code=404, media_type="text/plain")
        return FileResponse(file, media_type=media_type)

    return Route(url_path, answer)


class _WithSecurityHeaders:
    """Adds a Content-Security-Policy: scripts and styles from this site, media from the edges."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        self._app = app
        media = " ".join(["'self'", "blob:", *origins])
        self._headers = {
            "content-security-policy": (
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
                f"connect-src {media}; media-src {media} data:; worker-src 'self' blob:; "
                "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            ),
            "x-content-type-options": "nosniff",
            "cache-control": "no-cache",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        await self._app(scope, receive, send_with_headers)
