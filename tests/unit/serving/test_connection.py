"""Connections: a head in time, a stop that loses no request, and answers as uvicorn writes them."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.play.reply import WRITE_WHOLE, HeaderLines, Reply, WriteWhole
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


@pytest.mark.parametrize("at_once", [False, True])
async def test_a_stop_answers_what_was_on_the_way(
    monkeypatch: pytest.MonkeyPatch,
    at_once: bool,
) -> None:
    """On a connection that was new, and on one that was idle; then both end, and so does the
    server, without waiting for one that stays silent."""
    monkeypatch.setattr(connection, "DRAIN_S", 2.0)
    async with (
        serving(Ready(FULL) if at_once else ok) as (server, port),
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


class Finished:
    """An application that gives a finished answer, and notes how that went: True where it was
    written whole."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self.whole: list[bool] = []

    async def __call__(
        self,
        scope: Scope,
        receive: Receive,  # noqa: ARG002
        send: Send,
    ) -> None:
        """Answer."""
        offered: WriteWhole | None = scope.pop(WRITE_WHOLE, None)
        at = len(self.whole)
        self.whole.append(False)

        def write(status: int, lines: bytes, body: bytes) -> bool:
            self.whole[at] = offered is not None and offered(status, lines, body)
            return self.whole[at]

        await self._reply.give(write, send, b"known;dur=0.1", b"id-1", MORE)


class Ready(Finished):
    """One that answers at once, but for ``/slow``."""

    def at_once(self, scope: Scope, write: WriteWhole) -> bool:
        """Answer, if it may."""
        if scope["path"] == "/slow":
            return False
        self.whole.append(self._reply.written(write, b"known;dur=0.1", b"id-1", MORE))
        return True


MORE = HeaderLines((b"vary", b"Origin"))
SLOW = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
FULL = Reply(200, HeaderLines((b"etag", b'"a"'), (b"content-length", b"2")), b"ok")
CLOSE = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
ALIKE = [
    (FULL, CLOSE),
    (FULL, REQUEST + CLOSE),
    (FULL, CLOSE.replace(b"GET", b"HEAD")),
    (FULL, REQUEST.replace(b"GET", b"HEAD") + CLOSE),
    (FULL, b"GET / HTTP/1.0\r\n\r\n"),
    (FULL, b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
    (FULL, b"POST / HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc" + CLOSE),
    (FULL, CLOSE + REQUEST),
    (FULL, SLOW + REQUEST + SLOW + CLOSE),
    (FULL, REQUEST + SLOW + CLOSE + REQUEST),
    (FULL, SLOW + 2000 * REQUEST + CLOSE),
    (FULL, b"GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc" + REQUEST + CLOSE),
    (Reply(304, HeaderLines((b"etag", b'"a"')), b""), REQUEST + CLOSE),
    (Reply(200, HeaderLines((b"content-length", b"0")), b""), REQUEST + CLOSE),
]


@pytest.mark.parametrize(("reply", "request_bytes"), ALIKE)
async def test_an_answer_is_written_as_uvicorn_writes_it(
    reply: Reply, request_bytes: bytes
) -> None:
    """Byte for byte, to the end of the connection, whether it is written whole or sent."""
    answers = []
    for protocol, kind in (
        (HttpToolsProtocol, Finished),
        (BoundedConnection, Finished),
        (BoundedConnection, Ready),
    ):
        app = kind(reply)
        async with serving(app, protocol) as (_, port), player(port) as one:
            one.send(request_bytes)
            answer = await one.rest()
        lines = [line for line in answer.split(b"\r\n") if not line.startswith(b"date:")]
        answers.append((len(app.whole), lines))
        assert {protocol is BoundedConnection} == set(app.whole)
    assert answers[0] == answers[1] == answers[2]
    assert b"x-request-id: id-1" in answers[1][1]


@pytest.mark.parametrize("kind", [Finished, Ready])
async def test_a_player_that_reads_slowly(kind: type[Finished]) -> None:
    """What it has not taken yet holds the next answer back, and nothing is lost."""
    size = 32 * 1024 * 1024
    app = kind(Reply(200, HeaderLines((b"content-length", b"%d" % size)), b"x" * size))
    async with serving(app) as (_, port), player(port) as slow:
        slow.send(REQUEST + CLOSE)
        await asyncio.sleep(0.5)
        assert [True, False] == app.whole
        received = await slow.rest()
    assert 2 * size == received.count(b"x") - received.count(b"x-request-id")


@pytest.mark.parametrize("value", [b"a\r\nb: c", b"a\nb", b"\0", b"\x7f"])
def test_a_header_is_one_line(value: bytes) -> None:
    """Whatever would make it two, or is no text, is refused, as uvicorn refuses it."""
    with pytest.raises(ValueError, match="control character"):
        HeaderLines((b"a", b"b"), (b"etag", value))
