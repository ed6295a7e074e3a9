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

_PAGE = Path(__file__).parent / "page"

# Public addresses of universities, registries and carriers, which have not moved for decades.
PLACES = (
    ("Norway", "129.240.2.6"),
    ("Germany", "141.20.1.1"),
    ("South Africa", "137.158.1.1"),
    ("United States", "128.174.5.6"),
    ("Brazil", "200.160.2.3"),
    ("India", "14.139.34.1"),
    ("Vietnam", "203.162.4.1"),
    ("Japan", "133.11.1.1"),
    ("Australia", "130.102.1.1"),
)


def site(
    edges: Sequence[RunningEdge],
    admin_url: str,
    origin_url: str,
    served: ServedEdges | None = None,
) -> ASGIApp:
    """The pages below ``/demo``, with links to ``admin_url``. Their CSP allows media from ``edges``
    only, and the origin's clock, which live MPDs name. With ``served``, pages can stop and start
    edges: ``POST /demo/edges/{id}/stop``."""
    scripts = player.scripts()
    settings = {
        "places": [{"name": name, "address": address} for name, address in PLACES],
        "operators": admin_url,
        "players": list(scripts),
    }

    async def settings_json(_: Request) -> Response:
        found = [
            {
                "id": e.edge.id,
                "city": e.edge.city,
                "url": e.url,
                "serves": served.serves(e.edge.id) if served else None,
            }
            for e in edges
        ]
        return JSONResponse({"edges": found, **settings})

    async def switch(request: Request) -> Response:
        edge, action = request.path_params["edge"], request.path_params["action"]
        origin = request.headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
            return Response("another page's request\n", status_code=403, media_type="text/plain")
        actions = {} if served is None else {"stop": served.stop, "start": served.start}
        if action not in actions or edge not in {e.edge.id for e in edges}:
            return Response("no such edge or action\n", status_code=404, media_type="text/plain")
        try:
            await actions[action](edge)
        except PortBusyError as error:
            return Response(f"{error}\n", status_code=409, media_type="text/plain")
        return Response(status_code=204)

    routes = [
        _file("/demo", _PAGE / "index.html", "text/html"),
        _file("/demo/page.css", _PAGE / "page.css", "text/css"),
        _file("/demo/page.js", _PAGE / "page.js", "text/javascript"),
        _file("/demo/players.js", _PAGE / "players.js", "text/javascript"),
        Route("/demo/settings.json", settings_json),
        Route("/demo/edges/{edge}/{action}", switch, methods=["POST"]),
        *(_file(f"/demo/{name}", scripts.get(name), "text/javascript") for name in player.PLAYERS),
    ]
    origins = [*(edge.url for edge in edges), origin_url]
    return _WithSecurityHeaders(Starlette(routes=routes), origins)


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
