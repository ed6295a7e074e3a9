"""The whole URL map, on one page; but for ``/v1/play/``, which the envelope hands on itself."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from gateway.http.batch import decisions
from gateway.http.operations import livez, openapi, prometheus, readyz
from gateway.play import problems


async def _not_yet(request: Request) -> Response:
    """Parts of the interface that are reserved, and answered with a 404 problem."""
    raise problems.not_available_yet(request.url.path.split("/")[2])


async def nowhere(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001
    """Whatever no route matches."""
    raise problems.no_such_path()


def routes() -> list[BaseRoute]:
    """Every route of the gateway."""
    return [
        Route("/v1/decisions", decisions, methods=["POST"]),
        Route("/v1/steering/{asset:path}", _not_yet, methods=["GET", "HEAD"]),
        Route("/v1/cmcd", _not_yet, methods=["GET", "HEAD", "POST"]),
        Route("/v1/probe", _not_yet, methods=["GET", "HEAD", "POST"]),
        Route("/livez", livez),
        Route("/readyz", readyz),
        Route("/metrics", prometheus),
        Route("/openapi.json", openapi),
    ]
