"""Runs the demo: the origin, three edges, the gateway and the page, in one process."""

import asyncio
import contextlib
import shlex
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import click
from starlette.types import ASGIApp, Receive, Scope, Send

from demo.config import CATALOGUE, FOR_THE_PAGE, config_text
from demo.edges import EDGES, HOST, HOSTS, PortBusyError, listen, serve, serve_edges
from demo.front import with_page
from demo.operators import Command, Operators
from demo.origin import serve_origin
from demo.site import site

ADMIN_PORT = 8090
"""Where operators ask, if it is free."""
CAPACITY_MBPS = 40
"""Of each edge."""
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


@dataclass(frozen=True, slots=True)
class Running:
    """A demo that runs: its URLs for players and for operators, such as
    ``http://127.0.0.1:8080``, and its config."""

    url: str
    admin_url: str
    config: Path


@contextlib.asynccontextmanager
async def running(
    port: int, compose: Compose, store: str, command: Command
) -> AsyncIterator[Running]:
    """Run the demo while the context is open, over the store at a URL. ``command`` runs commands
    of the gateway.

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
        text = config_text(
            origin, edges, actual, admin_port, store=store, capacity_mbps=CAPACITY_MBPS
        )
        config.write_text(text + FOR_THE_PAGE, "utf-8")
        gateway = compose(config)
        operators = Operators(admin_url, config, command)
        stack.push_async_callback(operators.close)
        app = with_page(site(edges, admin_url, origin, served, operators), gateway)
        await stack.enter_async_context(serve(app, bound, lifespan=True))
        await stack.enter_async_context(serve(gateway.operators, for_operators, lifespan=False))
        yield Running(url, admin_url, config)


def _listen_for_operators() -> socket.socket:
    try:
        return listen(HOST, ADMIN_PORT)
    except PortBusyError:
        return listen(HOST, 0)


async def run(port: int, compose: Compose, store: str, command: Command) -> None:
    """Run the demo until SIGINT or SIGTERM, as :func:`running` does. Prints its URLs, and ``ready``
    when it answers."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    click.echo("starting an origin, three edges and the gateway …")
    async with running(port, compose, store, command) as demo:
        click.echo(f"page      {demo.url}/demo")
        click.echo(f"HLS       {demo.url}/v1/play/demo.m3u8")
        click.echo(f"DASH      {demo.url}/v1/play/demo.mpd")
        click.echo(f"live      {demo.url}/v1/play/demo-live.mpd")
        click.echo(f"decision  {demo.url}/v1/play/demo")
        click.echo(f"metrics   {demo.admin_url}/metrics")
        click.echo(f"store     {store}")
        click.echo("commands that reach it, in another terminal:")
        typed = f"{_gateway()} {{}} --config {shlex.quote(str(demo.config))}"
        for words in ("edge list", "edge drain demo-eu", "stats", "purge demo"):
            click.echo(f"          {typed.format(words)}")
        click.echo("ready")
        await stop.wait()
        click.echo("stopping …")


def _gateway() -> str:
    """The command that started this process, as one types it here."""
    script = Path(sys.argv[0]).absolute()
    if script.name != "gateway":
        return f"{shlex.quote(sys.executable)} -m gateway"
    if script.is_relative_to(Path.cwd()):
        return shlex.quote(str(script.relative_to(Path.cwd())))
    return shlex.quote(str(script))
