"""A server in the test's own event loop whose connections are the gateway's."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable, Collection

import uvicorn
from starlette.types import ASGIApp

from gateway.listener import Listener
from gateway.serving.limits import ConnectionLimits
from gateway.serving.server_config import ServerConfig
from tests.integration.connection_attacks import echo

SHORT = ConnectionLimits(
    head_timeout_s=0.6,
    body_timeout_s=0.6,
    idle_timeout_s=0.8,
    write_timeout_s=0.6,
    trusted_proxies=("127.0.0.0/8",),
    linger_s=0.2,
)
PATIENCE_S = 4.0
"""Far above all of these."""


async def until(holds: Callable[[], bool], within_s: float = 5) -> None:
    """Wait until something holds. Raises TimeoutError."""
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError
        await asyncio.sleep(0.01)


def is_idle(server: uvicorn.Server) -> bool:
    """Has the server neither connections nor requests?"""
    return not server.server_state.connections and not server.server_state.tasks


@contextlib.asynccontextmanager
async def serving(
    app: ASGIApp = echo, limits: ConnectionLimits = SHORT, tls: Collection[Listener] = ()
) -> AsyncIterator[tuple[uvicorn.Server, int]]:
    """The server, and its port."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        server = uvicorn.Server(ServerConfig(app, limits, tls=tls, lifespan="off"))
        task = asyncio.create_task(server.serve(sockets=[bound]))
        await until(lambda: server.started)
        try:
            yield server, bound.getsockname()[1]
        finally:
            server.should_exit = True
            async with asyncio.timeout(10):
                await task
