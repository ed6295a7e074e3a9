"""The whole gateway inside the test's own process: the same application, without a socket."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
from starlette.types import ASGIApp, Message

from gateway.app import Application, build
from gateway.config.load import load

OPERATORS = "http://127.0.0.1:8090"
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
    """A client whose requests come from ``peer``; those to ``OPERATORS`` reach the operators'
    listener. Errors of the application raise in the test."""

    def transport(listener: ASGIApp) -> httpx.ASGITransport:
        return httpx.ASGITransport(listener, raise_app_exceptions=True, client=(peer, 50000))

    return httpx.AsyncClient(
        transport=transport(app),
        mounts={OPERATORS: transport(app.operators)},
        base_url="http://gateway.test",
    )


async def ask(
    app: ASGIApp,
    path: str,
    query: bytes = b"",
    headers: list[tuple[bytes, bytes]] | None = None,
    method: str = "GET",
    peer: str = "127.0.0.1",
    body: bytes = b"",
) -> tuple[int, list[tuple[str, str]], bytes]:
    """One ASGI request, with bytes that no client library would send."""
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": b"/",
        "query_string": query,
        "root_path": "",
        "headers": _with_host(headers or []),
        "client": (peer, 1),
        "server": ("gateway.test", 80),
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start, *parts = sent
    found = [(n.decode("latin-1").lower(), v.decode("latin-1")) for n, v in start["headers"]]
    return start["status"], found, b"".join(part.get("body", b"") for part in parts)


def _with_host(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    given = any(name == b"host" for name, _ in headers)
    return headers if given else [(b"host", b"gateway.test"), *headers]
