"""The origin of the demo: the manifests of its titles, and of the live programme ``demo-live``."""

import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from demo import loop
from demo.edges import HOST, WithHeaders, listen, serve, url_of
from demo.live import STEP_S, LiveProgramme
from demo.media import MEDIA_TYPES, Media

TITLE = "demo"
"""The asset id of the title."""
_LOOPS_A_PERIOD = 3
LIVE = "demo-live"
"""The asset id of the live programme. Edges need nothing for it: it plays the title's files."""


def utc_now() -> datetime:
    """The time of this machine."""
    return datetime.now(UTC)


def origin_app(root: Path, now: Callable[[], datetime] = utc_now) -> ASGIApp:
    """The ASGI application of the origin: the catalogue in ``root``, the MPD of the live programme
    and, for its ``UTCTiming``, the time."""
    title = (root / TITLE / "manifest.mpd").read_text("utf-8")
    mpd = loop.manifest(title, _LOOPS_A_PERIOD)
    programme = LiveProgramme(mpd, base_url=f"../{TITLE}/", clock_url="../time")

    async def live(request: Request) -> Response:
        time = now()
        headers = {
            "etag": f'"{programme.publish_time(time).timestamp():.0f}"',
            "cache-control": f"max-age={STEP_S // 2}, stale-while-revalidate=0",
        }
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(status_code=304, headers=headers)
        return Response(programme.manifest(time), headers=headers, media_type=MEDIA_TYPES[".mpd"])

    async def time(_: Request) -> Response:
        return PlainTextResponse(
            now().isoformat(timespec="milliseconds"), headers={"cache-control": "no-store"}
        )

    routes = [
        Route(f"/{LIVE}/manifest.mpd", live),
        Route("/time", time),
        Mount("/", Media(root)),
    ]
    return WithHeaders(Starlette(routes=routes), {})


@contextlib.asynccontextmanager
async def serve_origin(root: Path, now: Callable[[], datetime] = utc_now) -> AsyncIterator[str]:
    """Serve the catalogue in ``root`` and the live programme on any free port while the context is
    open; gives the origin's URL, which ends with ``/``."""
    with listen(HOST, 0) as bound:
        async with serve(origin_app(root, now), bound, lifespan=False):
            yield url_of(bound)
