"""Connections: a head in time, a stop that loses no request, and answers as uvicorn writes them."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.serving import connection
from gateway.serving.connection import BoundedConnection

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def ok(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer everything with two letters."""
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


@contextlib.asynccontextmanager
async def serving(
    app: ASGIApp = ok, protocol: type[HttpToolsProtocol] = BoundedConnection
) -> AsyncIterator[tuple[uvicorn.Server, int]]:
    """A server whose connections are ours, and its port."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        config = uvicorn.Config(
            app,
            http=protocol,
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
        )
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve(sockets=[bound]))
        try:
            yield server, bound.getsockname()[1]
        finally:
            server.should_exit = True
            async with asyncio.timeout(10):
                await task


class Player:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, data: bytes) -> None:
        """Send at once."""
        self._writer.write(data)

    async def answer(self) -> bytes:
        """The next answer; what came until the end when there is none."""
        async with asyncio.timeout(5):
            try:
                return await self._reader.readuntil(b"\r\n\r\nok")
            except asyncio.IncompleteReadError as error:
                return error.partial

    async def rest(self) -> bytes:
        """All that comes until the end."""
        async with asyncio.timeout(20):
            return await self._reader.read()

    def close(self) -> None:
        """Go away."""
        self._writer.close()


@contextlib.asynccontextmanager
async def player(port: int) -> AsyncIterator[Player]:
    """A player that has just connected."""
    found = Player(*await asyncio.open_connection("127.0.0.1", port))
    try:
        yield found
    finally:
        found.close()


@pytest.mark.parametrize("begun", [b"", b"G", b"GET / HTTP/1.1\r\nHost:"])
async def test_a_head_that_never_ends(monkeypatch: pytest.MonkeyPatch, begun: bytes) -> None:
    """The connection ends, whether it was silent or slow."""
    monkeypatch.setattr(connection, "HEAD_S", 0.2)
    async with serving() as (_, port), player(port) as slow:
        slow.send(begun)
        assert b"" == await slow.answer()


async def test_a_second_head_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request has its time; between two of them a connection may be silent for longer."""
    monkeypatch.setattr(connection, "HEAD_S", 0.2)
    async with serving() as (_, port), player(port) as slow:
        for _ in range(2):
            slow.send(REQUEST)
            assert (await slow.answer()).startswith(b"HTTP/1.1 200")
            await asyncio.sleep(0.5)
        slow.send(REQUEST[:-2])
        assert b"" == await slow.answer()


async def test_a_stop_answers_what_was_on_the_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a connection that was new, and on one that was idle; then both end, and so does the
    server, without waiting for one that stays silent."""
    monkeypatch.setattr(connection, "DRAIN_S", 2.0)
    async with (
        serving(ok) as (server, port),
        player(port) as new,
        player(port) as idle,
        player(port) as silent,
    ):
        idle.send(REQUEST)
        await idle.answer()
        server.should_exit = True
        await asyncio.sleep(0.5)
        for late in (new, idle):
            late.send(REQUEST)
            answer = await late.answer()
            assert answer.startswith(b"HTTP/1.1 200")
            assert b"connection: close" in answer.lower()
            assert b"" == await late.answer()
        assert b"" == await silent.answer()


async def test_heads_that_end_in_the_middle_of_a_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has its own bytes and its own time, though one always comes with the end of another."""
    monkeypatch.setattr(connection, "MAX_HEAD_BYTES", 8 * len(REQUEST))
    monkeypatch.setattr(connection, "HEAD_S", 0.4)
    async with serving() as (_, port), player(port) as steady:
        steady.send(REQUEST[:-2])
        for _ in range(20):
            await asyncio.sleep(0.05)
            steady.send(REQUEST[-2:] + REQUEST[:-2])
            assert (await steady.answer()).startswith(b"HTTP/1.1 200")
        assert b"" == await steady.answer()
