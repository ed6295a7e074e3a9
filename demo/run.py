"""Runs the demo: three edges, the gateway and the page, in one process."""

import asyncio
import contextlib
import signal
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import click
from starlette.types import ASGIApp, Receive, Scope, Send

from demo.config import CATALOGUE, config_text
from demo.edges import EDGES, HOST, listen, serve, serve_edges
from demo.site import site

Compose = Callable[[Path], ASGIApp]
"""Builds the gateway from the path of its config. The ASGI lifespan starts and stops it."""


@contextlib.asynccontextmanager
async def running(port: int, compose: Compose) -> AsyncIterator[str]:
    """Run the demo while the context is open; gives its URL, such as ``http://127.0.0.1:8080``.

    ``port`` 0 uses any free port. Raises :class:`demo.edges.PortBusyError`.
    """
    with listen(HOST, port) as bound, tempfile.TemporaryDirectory(prefix="gateway-demo-") as folder:
        actual = bound.getsockname()[1]
        async with serve_edges(CATALOGUE, EDGES) as edges:
            config = Path(folder) / "gateway.toml"
            config.write_text(config_text(CATALOGUE, edges, actual), "utf-8")
            app = _with_page(site(edges), compose(config))
            async with serve(app, bound, lifespan=True):
                yield f"http://{HOST}:{actual}"


async def run(port: int, compose: Compose) -> None:
    """Run the demo until SIGINT or SIGTERM. Prints its URLs, and ``ready`` when it answers."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    click.echo("starting Valkey, three edges and the gateway …")
    async with running(port, compose) as url:
        click.echo(f"page      {url}/demo")
        click.echo(f"playlist  {url}/v1/play/demo.m3u8")
        click.echo(f"decision  {url}/v1/play/demo")
        click.echo(f"metrics   {url}/metrics")
        click.echo("ready")
        await stop.wait()
        click.echo("stopping …")


def _with_page(page: ASGIApp, gateway: ASGIApp) -> ASGIApp:
    """An app that sends ``/demo`` and paths below it to ``page``, and all else to the gateway."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        chosen = page if path == "/demo" or path.startswith("/demo/") else gateway
        await chosen(scope, receive, send)

    return app
