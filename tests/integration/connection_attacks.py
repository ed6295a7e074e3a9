"""What may a hostile peer do to a connection? Attacks over raw sockets.

An attack returns "" when the server has resisted, else what went wrong. The application behind the
server is :func:`echo`, so that any ASGI server can be attacked alike.
"""

import asyncio
import contextlib
import json
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from pathlib import Path

from starlette.types import Receive, Scope, Send

HEAD = b"POST /echo HTTP/1.1\r\nHost: x\r\n"
GET = b"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n"
LARGE = b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n"
CLOSE = b"GET /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
EARLY = b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"
WEBSOCKET = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
LARGE_BYTES = 1024 * 1024


def kernel_buffers_bytes() -> int:
    """What the two sockets of a connection may hold although the server reads nothing. Linux lets
    a receive buffer grow to the last figure of ``tcp_rmem`` when the reader is late."""
    limits = (Path("/proc/sys/net/ipv4") / name for name in ("tcp_rmem", "tcp_wmem"))
    return sum(int(limit.read_text().split()[-1]) for limit in limits if limit.exists())


MOST_TAKEN_BYTES = kernel_buffers_bytes() + 8_000_000
FLOOD_BYTES = MOST_TAKEN_BYTES + 4_000_000
"""A flood ends when the server closes the connection or reads no more."""


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the body, then say what was asked for. ``/large`` answers 1 MiB, ``/early`` at once, and
    ``/fault`` raises."""
    if scope["type"] != "http":
        raise NotImplementedError
    path = scope["path"]
    if path == "/fault":
        raise ValueError("a fault of the application")
    body, more = b"", path != "/early"
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message.get("body", b"")
        more = message.get("more_body", False)
    said = {
        "method": scope["method"],
        "path": path,
        "query": scope["query_string"].decode("latin-1"),
        "headers": [[n.decode("latin-1"), v.decode("latin-1")] for n, v in scope["headers"]],
        "body": body.decode("latin-1"),
    }
    content = b"x" * LARGE_BYTES if path == "/large" else json.dumps(said).encode()
    headers = [(b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})


class Peer:
    """One connection to the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        """Send all of it; a server that has closed is no error."""
        with contextlib.suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()

    async def answer(self, within_s: float = 10) -> tuple[int, dict[str, str], bytes]:
        """The next answer: status, headers and body. Raises IncompleteReadError at the end."""
        async with asyncio.timeout(within_s):
            lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {}
            for line in lines[1:-2]:
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
            status = int(lines[0].split(" ")[1])
            if status in {100, 204, 304}:
                return status, headers, b""
            if headers.get("transfer-encoding") == "chunked":
                return status, headers, await self._chunks()
            if "content-length" not in headers:
                return status, headers, await self._reader.read()
            return status, headers, await self._reader.readexactly(int(headers["content-length"]))

    async def _chunks(self) -> bytes:
        body = b""
        while True:
            size = int(await self._reader.readuntil(b"\r\n"), 16)
            body += (await self._reader.readexactly(size + 2))[:-2]
            if not size:
                return body

    async def ends(self, within_s: float) -> bool:
        """Does the server close the connection in time? What it sends until then is dropped."""
        try:
            async with asyncio.timeout(within_s):
                while await self._reader.read(65536):
                    pass
        except (ConnectionError, ssl.SSLError):
            return True
        except TimeoutError:
            return False
        return True

    def reset(self) -> None:
        """End the connection with RST."""
        sock = self.writer.get_extra_info("socket")
        if sock is None:  # TLS is gone already
            return
        with contextlib.suppress(OSError):  # the server was faster
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


OVER_TLS: ContextVar[ssl.SSLContext | None] = ContextVar("over_tls", default=None)
"""How peers connect; None is without TLS."""


@contextlib.asynccontextmanager
async def peer(port: int) -> AsyncIterator[Peer]:
    """A connection; reset at the end, if it is still there."""
    tls = OVER_TLS.get()
    found = Peer(*await asyncio.open_connection("127.0.0.1", port, ssl=tls))
    try:
        yield found
    finally:
        found.reset()


Attack = Callable[[int, float], Awaitable[str]]
"""Called with a port, and the seconds after which the server must have lost its patience."""


async def trailers_become_headers(port: int, _s: float) -> str:
    """Trailers after the body, in a packet of their own."""
    async with peer(port) as one:
        await one.send(CHUNKED + b"3\r\nabc\r\n")
        await asyncio.sleep(0.1)
        await one.send(b"0\r\nX-Forwarded-For: 133.11.1.1\r\n\r\n")
        return _forged(await one.answer())


async def trailers_in_the_same_packet(port: int, _s: float) -> str:
    """Head, body and trailers at once: the application has not run yet when they are read."""
    async with peer(port) as one:
        await one.send(CHUNKED + b"3\r\nabc\r\n0\r\nX-Forwarded-For: 133.11.1.1\r\n\r\n")
        return _forged(await one.answer())


def _forged(answer: tuple[int, dict[str, str], bytes]) -> str:
    if b"133.11.1.1" in answer[2]:
        return "in the headers"
    return "" if b'"abc"' in answer[2] else f"answered {answer[0]}"


def flood(begin: bytes, unit: bytes) -> Attack:
    """The same again and again after ``begin``."""

    async def attack(port: int, _s: float) -> str:
        async with peer(port) as one:
            await one.send(begin)
            sent, piece = 0, unit * (65536 // len(unit))
            while sent < FLOOD_BYTES:
                try:
                    async with asyncio.timeout(2):
                        one.writer.write(piece)
                        await one.writer.drain()
                except (TimeoutError, ConnectionError):
                    break
                sent += len(piece)
                await asyncio.sleep(0)
            return "" if sent < MOST_TAKEN_BYTES else "took all of it"

    return attack


def held(*packets: bytes, answered: bool = False) -> Attack:
    """Packets, and then silence: the connection must end."""

    async def attack(port: int, patience_s: float) -> str:
        async with peer(port) as one:
            for packet in packets:
                await one.send(packet)
                if answered and packet is packets[0]:
                    await one.answer()
                await asyncio.sleep(0.05)
            return "" if await one.ends(patience_s) else "held"

    return attack


def dripped(begin: bytes, drop: bytes, *, answered: bool = False) -> Attack:
    """A few bytes again and again: they must not prolong anything."""

    async def attack(port: int, patience_s: float) -> str:
        async with peer(port) as one:
            await one.send(begin)
            if answered:
                await one.answer()

            async def drip() -> None:
                while True:
                    await asyncio.sleep(patience_s / 50)
                    await one.send(drop)

            task = asyncio.create_task(drip())
            try:
                return "" if await one.ends(patience_s) else "held"
            finally:
                task.cancel()

    return attack


def answered(request: bytes, *statuses: int, ends: bool = True) -> Attack:
    """Exactly these statuses, in this order, and then the end."""

    async def attack(port: int, _s: float) -> str:
        async with peer(port) as one:
            await one.send(request)
            found: list[int] = []
            while len(found) < len(statuses):
                try:
                    found.append((await one.answer(5))[0])
                except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
                    found.append(0)
            if tuple(found) != statuses:
                return f"answered {' '.join(map(str, found))}"
            return "" if not ends or await one.ends(5) else "stays open"

    return attack


def refused(request: bytes, *statuses: int) -> Attack:
    """One answer with one of these statuses, or none, and then the end."""

    async def attack(port: int, _s: float) -> str:
        async with peer(port) as one:
            await one.send(request)
            try:
                status = (await one.answer(5))[0]
            except (asyncio.IncompleteReadError, ConnectionError):
                return ""
            except TimeoutError:
                return "held"
            if status not in statuses:
                return f"answered {status}"
            return "" if await one.ends(5) else "stays open"

    return attack


async def _socket_of(port: int) -> socket.socket:
    """A connection whose answers nobody reads."""

    def connected() -> socket.socket:
        sock, tls = socket.create_connection(("127.0.0.1", port)), OVER_TLS.get()
        return sock if tls is None else tls.wrap_socket(sock, server_hostname="127.0.0.1")

    return await asyncio.to_thread(connected)


async def unread(port: int, patience_s: float) -> str:
    """Forty requests in one packet, and nobody reads the answers."""
    sock = await _socket_of(port)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.sendall(LARGE * 40)
    waited, step = 0.0, 0.25
    with sock:
        while waited < patience_s:
            await asyncio.sleep(step)
            waited += step
            # Only an end that has reached this side shows here; what is unread stays unread.
            info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
            if info[0] != 1:  # ESTABLISHED
                return ""
    return "held"


async def reset_unread(port: int, _s: float) -> str:
    """The same, and then RST: nothing to log."""
    sock = await _socket_of(port)
    sock.sendall(LARGE * 40)
    await asyncio.sleep(0.3)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
    await asyncio.sleep(0.3)
    return ""


async def upgrade_with_a_body(port: int, _s: float) -> str:
    """Some HTTP clients offer h2c with their first request, whatever its method."""
    async with peer(port) as one:
        offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n"
        await one.send(HEAD + offer + b"Content-Length: 3\r\n\r\nabc" + GET)
        first = await one.answer()
        if b'"abc"' not in first[2]:
            return "the body is lost"
        try:
            second = await one.answer(2)
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            return "" if first[1].get("connection") == "close" else "the next request is lost"
        return "" if second[0] == 200 else f"answered {second[0]}"


async def absolute_form(port: int, _s: float) -> str:
    """RFC 9112, 3.2.2: the host of the target counts, not the Host header."""
    async with peer(port) as one:
        await one.send(b"GET http://a.example?q=1 HTTP/1.1\r\nHost: b.example\r\n\r\n")
        status, _, body = await one.answer()
    if status != 200:
        return f"answered {status}"
    said = json.loads(body)
    hosts = [value for name, value in said["headers"] if name == "host"]
    good = (hosts, said["path"], said["query"]) == (["a.example"], "/", "q=1")
    return "" if good else "Host counts"


async def expect_continue(port: int, _s: float) -> str:
    """100 comes before the body is sent."""
    async with peer(port) as one:
        await one.send(HEAD + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        first = (await one.answer())[0]
        await one.send(b"abc")
        status, _, body = await one.answer()
        return "" if (first, status, b'"abc"' in body) == (100, 200, True) else "no 100"


ATTACKS: dict[str, Attack] = {
    "trailers become headers": trailers_become_headers,
    "trailers in the same packet become headers": trailers_in_the_same_packet,
    "a flood of trailers": flood(CHUNKED + b"0\r\n", b"a: b\r\n"),
    "a flood in one trailer": flood(CHUNKED + b"0\r\na: ", b"b"),
    "a flood of chunk extensions": flood(CHUNKED + b"3;", b"a=b;"),
    "a flood of chunks of one byte": flood(CHUNKED, b"1\r\na\r\n"),
    "a flood of body": flood(CHUNKED, b"1000\r\n" + b"a" * 4096 + b"\r\n"),
    "a flood of headers": flood(b"GET / HTTP/1.1\r\n", b"a: b\r\n"),
    "a flood in one header": flood(b"GET / HTTP/1.1\r\na: ", b"b"),
    "a flood in the request line": flood(b"GET /", b"b"),
    "2,000 headers": refused(
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 2000 + b"\r\n", 431, 400
    ),
    "a silent connection": held(),
    "a head that never ends": held(b"GET / HTTP/1.1\r\nHost:"),
    "a head that drips": dripped(b"GET / HTTP/1.1\r\nHost: x\r\n", b"a: b\r\n"),
    "a line end after an answer": held(GET, b"\r\n", answered=True),
    "line ends that drip after an answer": dripped(GET, b"\r\n", answered=True),
    "a body that never comes": held(HEAD + b"Content-Length: 1000\r\n\r\n"),
    "one byte of 1,000": held(HEAD + b"Content-Length: 1000\r\n\r\n", b"a"),
    "a body that drips": dripped(HEAD + b"Content-Length: 100000\r\n\r\n", b"a"),
    "a part of a chunk": held(CHUNKED, b"5\r\nab"),
    "trailers that never end": held(CHUNKED, b"0\r\na: b\r\n"),
    "a body that nobody reads": held(EARLY),
    "answers that nobody reads": unread,
    "answers that nobody reads, and RST": reset_unread,
    "no Host": refused(b"GET / HTTP/1.1\r\n\r\n", 400),
    "two Hosts": refused(b"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 400),
    "a Host that is none": refused(b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    "HTTP/2.0": refused(b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 400, 505),
    "HTTP/0.9": refused(b"GET /\r\n\r\n", 400, 505),
    "HTTP/1.2": refused(b"GET / HTTP/1.2\r\nHost: x\r\n\r\n", 400, 505),
    "CONNECT": refused(b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 400, 405, 501),
    "authority-form": refused(b"GET a.example:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "absolute-form": absolute_form,
    "a fragment": refused(b"GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "Content-Length and Transfer-Encoding": refused(
        HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400
    ),
    "two Content-Lengths": refused(
        HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400
    ),
    "Content-Length: +3": refused(HEAD + b"Content-Length: +3\r\n\r\nabc", 400),
    "Transfer-Encoding: chunked, gzip": refused(
        HEAD + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400, 501
    ),
    "Transfer-Encoding: gzip, chunked": refused(
        HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400, 501
    ),
    "Transfer-Encoding in HTTP/1.0": refused(
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400
    ),
    "a folded header": refused(b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", 400),
    "bare line feeds": refused(b"GET / HTTP/1.1\nHost: x\n\n", 400),
    "NUL in a header": refused(b"GET / HTTP/1.1\r\nHost: x\r\nA: \0\r\n\r\n", 400),
    "a space before the colon": refused(b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
    "a bad chunk size": refused(CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n", 400),
    "garbage after three requests": answered(GET * 3 + b"\0\0\0\r\n\r\n", 200, 200, 200, 400),
    "a bad chunk after two requests": answered(GET * 2 + CHUNKED + b"x", 200, 200, 400),
    "HTTP/1.0 without Host": answered(b"GET /echo HTTP/1.0\r\n\r\n", 200),
    "a request after Connection: close": answered(CLOSE + GET, 200),
    "Upgrade: websocket": answered(
        GET[:-2] + WEBSOCKET + b"\r\n" + CLOSE, 200, 200
    ),
    "Upgrade: h2c with a body": upgrade_with_a_body,
    "Expect: 100-continue": expect_continue,
}  # fmt: skip
