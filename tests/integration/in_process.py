"""The whole gateway inside the test's own process: the same application, without a socket."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx

from gateway.app import Application, build
from gateway.config.load import load

MEMORY = {"GATEWAY_STORE__URL": "memory"}


def application(
    config: Path | None = None, environ: Mapping[str, str] | None = None
) -> Application:
    """The application of a config; the store is this process's memory."""
    return build(load(config, {**MEMORY, **(environ or {})}))


@contextlib.asynccontextmanager
async def started(
    config: Path | None = None, environ: Mapping[str, str] | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application whose store and followers run."""
    app = application(config, environ)
    async with app.lifespan(app), asking(app) as client:
        yield client


def asking(app: Application, peer: str = "127.0.0.1") -> httpx.AsyncClient:
    """A client whose requests come from ``peer``. Errors of the application raise in the test."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=True, client=(peer, 50000))
    return httpx.AsyncClient(transport=transport, base_url="http://gateway.test")
