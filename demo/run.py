"""Runs the demo: the origin, three edges, the gateway and the page, in one process."""

import asyncio
import contextlib
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import click
from starlette.types import ASGIApp, Receive, Scope, Send

from demo.config import CATALOGUE, config_text
from demo.edges import EDGES, HOST, HOSTS, PortBusyError, listen, serve, serve_edges
from demo.origin import serve_origin
from demo.site import site

ADMIN_PORT = 8090
"""Where operators ask, if it is free."""
ONE_HOST = (
    f"note      this machine has no {' and '.join(HOSTS[1:])}, so the edges differ in their ports, "
    "and running sessions are not steered to another edge"
)


class TwoListeners(Protocol):
    """The gateway: an application for players, whose ASGI lifespan starts and stops it, and another
    for operators."""

    operators: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a player."""


Compose = Callable[[Path], TwoListeners]
"""Builds the gateway from the path of its config."""


@contextlib.asynccontextmanager
async def running(port: int, compose: Compose) -> AsyncIterator[tuple[str, str]]:
    """Run the demo while the context is open; gives its URLs for players and for operators, such as
    ``http://127.0.0.1:8080``.

    ``port`` 0 uses any free port. Raises :class:`demo.edges.PortBusyError`.
    """
    async with contextlib.AsyncExitStack() as stack:
        bound = stack.enter_context(listen(HOST, port))
        for_operators = stack.enter_context(_listen_for_operators())
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="gateway-demo-"))
        actual, admin_port = bound.getsockname()[1], for_operators.getsockname()[1]
        url, admin_url = f"http://{HOST}:{actual}", f"http://{HOST}:{admin_port}"
        origin = await stack.enter_async_context(serve_origin(CATALOGUE))
        served = await stack.enter_async_context(serve_edges(CATALOGUE, EDGES))
        edges = served.running
        if len({urlsplit(edge.url).hostname for edge in edges}) < len(edges):
            click.echo(ONE_HOST)
        config = Path(folder) / "gateway.toml"
        config.write_text(config_text(origin, edges, actual, admin_port), "utf-8")
        gateway = compose(config)
        app = with_page(site(edges, admin_url, origin, served), gateway)
        await stack.enter_async_context(serve(app, bound, lifespan=True))
        await stack.enter_async_context(serve(gateway.operators, for_operators, lifespan=False))
        yield url, admin_url


def _listen_for_operators() -> socket.socket:
    try:
        return listen(HOST, ADMIN_PORT)
    except PortBusyError:
        return listen(HOST, 0)


async def run(port: int, compose: Compose) -> None:
    """Run the demo until SIGINT or SIGTERM. Prints its URLs, and ``ready`` when it answers."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    click.echo("starting Valkey, an origin, three edges and the gateway …")
    async with running(port, compose) as (url, admin_url):
        click.echo(f"page      {url}/demo")
        click.echo(f"HLS       {url}/v1/play/demo.m3u8")
        click.echo(f"DASH      {url}/v1/play/demo.mpd")
        click.echo(f"live      {url}/v1/play/demo-live.mpd")
        click.echo(f"decision  {url}/v1/play/demo")
        click.echo(f"metrics   {admin_url}/metrics")
        click.echo("ready")
        await stop.wait()
        click.echo("stopping …")


def with_page(page: ASGIApp, gateway: ASGIApp) -> ASGIApp:
    """An app that sends ``/demo`` and paths below it to ``page``, and all else to the gateway."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        chosen = page if path == "/demo" or path.startswith("/demo/") else gateway
        await chosen(scope, receive, send)

    return app
