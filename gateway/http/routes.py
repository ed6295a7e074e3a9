"""The whole URL map, on one page."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.types import Receive, Scope

from gateway.http.asgi import read_request
from gateway.http.batch import decide_batch
from gateway.http.operations import livez, openapi, prometheus, readyz
from gateway.play import problems
from gateway.play.play import play
from gateway.play.reply import Reply
from gateway.play.runtime import Gateway

Handler = Callable[[Gateway, Scope, Receive], Awaitable[Reply]]
Label = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Route:
    """A path and its handler. A path that ends with ``/`` matches all paths below it.

    ``label`` gives the route's name in metrics, which is always one of a fixed set.
    """

    path: str
    methods: tuple[str, ...]
    handler: Handler
    label: Label


def _named(label: str) -> Label:
    return lambda _: label


def _play_label(path: str) -> str:
    if path.endswith(".m3u8"):
        return "play_hls"
    return "play_dash" if path.endswith(".mpd") else "play_json"


async def _play(gateway: Gateway, scope: Scope, receive: Receive) -> Reply:  # noqa: ARG001
    name = scope["path"].removeprefix(_PLAY)
    return await play(gateway, read_request(scope), name)


async def _not_yet(gateway: Gateway, scope: Scope, receive: Receive) -> Reply:  # noqa: ARG001
    """Answer a reserved path with a 404 problem."""
    raise problems.not_available_yet(scope["path"].split("/")[2])


_PLAY = "/v1/play/"
_READ = ("GET", "HEAD")

ROUTES = (
    Route(_PLAY, _READ, _play, _play_label),
    Route("/v1/steering/", _READ, _not_yet, _named("steering")),
    Route("/v1/cmcd", ("GET", "HEAD", "POST"), _not_yet, _named("cmcd")),
    Route("/v1/probe", ("GET", "HEAD", "POST"), _not_yet, _named("probe")),
    Route("/v1/decisions", ("POST",), decide_batch, _named("decisions")),
    Route("/livez", _READ, livez, _named("livez")),
    Route("/readyz", _READ, readyz, _named("readyz")),
    Route("/metrics", _READ, prometheus, _named("metrics")),
    Route("/openapi.json", _READ, openapi, _named("openapi")),
)
"""Every route of the gateway."""

_EXACT = {route.path: route for route in ROUTES if not route.path.endswith("/")}
_BELOW = {route.path: route for route in ROUTES if route.path.endswith("/")}
_SEGMENTS = 3
"""The number of ``/`` in each path that ends with one."""


def label_of(route: Route | None, path: str) -> str:
    """The metric label of a request for ``path`` that ``route`` handles."""
    return "other" if route is None else route.label(path)


def find_route(path: str) -> Route | None:
    """The route of a path; None when there is none.

    Takes two dict lookups at most. Starlette's router would take as long as answering a bare
    request.
    """
    found = _EXACT.get(path)
    if found is not None:
        return found
    parts = path.split("/", _SEGMENTS)
    return _BELOW.get("/".join(parts[:_SEGMENTS]) + "/") if len(parts) > _SEGMENTS else None
