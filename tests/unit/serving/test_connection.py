"""Connections over real sockets: attacks, deadlines, bounds, order, and stops."""

import asyncio
import contextlib
import itertools
import json
import logging
import socket
import time
from dataclasses import replace
from typing import Any

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send

from tests.integration.connection_attacks import ATTACKS, CHUNKED, CLOSE, GET, HEAD, LARGE, peer
from tests.unit.serving.servers import PATIENCE_S, SHORT, is_idle, serving, until


@pytest.mark.parametrize("name", ATTACKS)
async def test_attacks(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """The connection resists, nothing is logged as an error, and others are served."""
    caplog.set_level(logging.WARNING)
    with structlog.testing.capture_logs() as logged:
        async with serving() as (server, port):
            assert "" == await ATTACKS[name](port, PATIENCE_S)
            async with peer(port) as other:
                await other.send(GET)
                assert 200 == (await other.answer())[0]
            await until(lambda: is_idle(server))
    assert ([], []) == (caplog.records, [line for line in logged if line["log_level"] == "error"])


REASONS = [
    (b"GET / HTTP/1.1\r\nHost:", 408, "head-timeout"),
    (HEAD + b"Content-Length: 9\r\n\r\n", 408, "body-timeout"),
    (b"\0", 400, "bad-request"),
    (CHUNKED + b"x", 400, "bad-request"),
]


@pytest.mark.parametrize(("sent", "status", "reason"), REASONS)
async def test_a_refusal_is_a_problem(sent: bytes, status: int, reason: str) -> None:
    """RFC 9457, with the reason that is counted."""
    async with serving() as (_, port), peer(port) as one:
        await one.send(sent)
        found, headers, body = await one.answer()
        assert (status, "application/problem+json") == (found, headers["content-type"])
        assert f'"urn:problem:streaming-gateway:{reason}"'.encode() in body
        assert "close" == headers["connection"]
        assert await one.ends(PATIENCE_S)


async def test_deadlines_begin_anew() -> None:
    """Each request has its time; between two of them a connection may be silent for longer."""
    limits = replace(SHORT, head_timeout_s=0.3, idle_timeout_s=2)
    async with serving(limits=limits) as (_, port), peer(port) as slow:
        for _ in range(2):
            await slow.send(GET)
            assert 200 == (await slow.answer())[0]
            await asyncio.sleep(0.6)
        await slow.send(GET[:-2])
        assert 408 == (await slow.answer(1.5))[0]


async def test_heads_that_end_in_the_middle_of_a_packet() -> None:
    """Each has its own time, though its first bytes always come with the end of another one."""
    async with serving() as (_, port), peer(port) as steady:
        await steady.send(GET[:-2])
        for _ in range(20):
            await asyncio.sleep(0.05)
            await steady.send(GET[-2:] + GET[:-2])
            assert 200 == (await steady.answer())[0]
        assert 408 == (await steady.answer())[0]


async def test_an_answer_may_take_longer_than_any_deadline() -> None:
    """Deadlines are for the peer; how long the application may take is its own business."""

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(1.5)
        await ok(scope, receive, send)

    async with serving(slow) as (_, port), peer(port) as one:
        await one.send(GET)
        assert 200 == (await one.answer())[0]


async def ok(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer two letters."""
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


async def test_a_body_that_comes_slowly_but_comes() -> None:
    """Ten packets within the deadline are one body."""
    async with serving() as (_, port), peer(port) as one:
        await one.send(HEAD + b"Content-Length: 10\r\n\r\n")
        for _ in range(10):
            await asyncio.sleep(0.03)
            await one.send(b"a")
        assert b'"aaaaaaaaaa"' in (await one.answer())[2]


async def test_a_large_body_waits_for_the_application() -> None:
    """Half a megabyte passes through a buffer of 64 KiB."""
    async with serving() as (_, port), peer(port) as one:
        await one.send(HEAD + b"Content-Length: 524288\r\n\r\n" + b"a" * 524_288)
        said = json.loads((await one.answer())[2])
    assert "a" * 524_288 == said["body"]


async def test_pipelined_requests_are_answered_in_order() -> None:
    """One at a time, each with its own body; and nothing is read ahead without bound."""
    running = most = 0

    async def count(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        headers = [(b"content-length", b"1")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        running -= 1
        body = (await receive())["body"]
        await send({"type": "http.response.body", "body": body})

    async with serving(count) as (_, port), peer(port) as one:
        for digit in b"0123456789":
            await one.send(HEAD + b"Content-Length: 1\r\n\r\n" + bytes([digit]))
        bodies = [(await one.answer())[2] for _ in range(10)]
    assert (b"0123456789", 1) == (b"".join(bodies), most)


async def test_nothing_is_read_while_requests_wait() -> None:
    """An application that hangs does not let a peer fill the memory with requests."""

    released = asyncio.Event()

    async def hang(scope: Scope, receive: Receive, send: Send) -> None:
        await released.wait()
        await ok(scope, receive, send)

    request = b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 8000 + b"\r\n\r\n"
    taken = 0
    async with serving(hang) as (_, port), peer(port) as one:
        with contextlib.suppress(TimeoutError):
            while taken < 40_000_000:
                async with asyncio.timeout(1):
                    one.writer.write(request)
                    await one.writer.drain()
                taken += len(request)
        released.set()
    assert taken < 20_000_000  # what the sockets themselves hold


async def test_an_answer_survives_a_peer_that_is_still_sending() -> None:
    """The answer that comes before the body says that the connection ends, and the connection ends
    without a reset that would take the answer away."""
    head = b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n"
    loop = asyncio.get_running_loop()
    async with serving() as (_, port):
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.setblocking(False)
            for part in (head, b"a" * 1000, b"a" * 1000, b"a" * 1000):
                await loop.sock_sendall(sock, part)
                await asyncio.sleep(0.03)
            received = b""
            while data := await loop.sock_recv(sock, 65536):
                received += data
    answer, _, body = received.partition(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"\r\nconnection: close" in answer
    assert json.loads(body)


async def test_a_refused_request_has_one_answer() -> None:
    """The application hears that the peer is gone. What it answers then is not sent."""

    async def late(scope: Scope, receive: Receive, send: Send) -> None:
        assert {"http.disconnect"} == {(await receive())["type"]}
        await ok(scope, receive, send)

    async with serving(late) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD + b"Content-Length: 9\r\n\r\n")
        received = await reader.read()
        writer.close()
    assert (1, True) == (received.count(b"HTTP/1.1"), received.startswith(b"HTTP/1.1 408"))


async def test_a_slow_reader_gets_everything() -> None:
    """What it has not taken yet holds the next answer back, and nothing is lost."""
    async with serving(limits=replace(SHORT, write_timeout_s=10)) as (_, port), peer(port) as slow:
        await slow.send(LARGE * 20 + CLOSE)
        await asyncio.sleep(0.5)
        for _ in range(20):
            assert 1 << 20 == len((await slow.answer())[2])
        assert 200 == (await slow.answer())[0]
        assert await slow.ends(1)


@pytest.mark.parametrize("request_bytes", [GET, CLOSE], ids=["kept", "closed"])
async def test_a_slow_reader_of_one_large_answer(request_bytes: bytes) -> None:
    """It takes several times the deadline, and gets all of it, because it goes on reading."""
    size = 12 << 20

    async def large(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-length", str(size).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"x" * size})

    async with serving(large, replace(SHORT, write_timeout_s=1)) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=65536)
        writer.write(request_bytes)
        await reader.readuntil(b"\r\n\r\n")
        received, begun = 0, time.monotonic()
        while received < size:
            data = await reader.read(65536)
            assert data
            received += len(data)
            await asyncio.sleep(0.015)
        writer.close()
    assert (size, True) == (received, time.monotonic() - begun > 2)


@pytest.mark.parametrize(
    ("sent", "wait_s"),
    [
        (b"", 0),
        (b"GET / HT", 0),
        (HEAD + b"Content-Length: 9\r\n\r\na", 0.1),
        (CHUNKED + b"5\r\na", 0.1),
        (LARGE * 40, 0),
        (LARGE * 40, 0.2),
        (GET * 10, 0.1),
        (b"\0", 0.05),
    ],
)
async def test_a_reset_in_any_phase(
    sent: bytes, wait_s: float, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is logged as an error, and nothing is left behind."""
    with structlog.testing.capture_logs() as logged:
        async with serving() as (server, port):
            async with peer(port) as one:
                await one.send(sent)
                await asyncio.sleep(wait_s)
            await until(lambda: is_idle(server))
    errors = [line for line in logged if line["log_level"] == "error"]
    assert ([], []) == (errors, [each for each in caplog.records if each.levelno > logging.INFO])


async def test_a_fault_of_the_application() -> None:
    """500 and the end of the connection, logged once."""
    with structlog.testing.capture_logs() as logged:
        async with serving() as (_, port), peer(port) as one:
            await one.send(b"GET /fault HTTP/1.1\r\nHost: x\r\n\r\n")
            assert 500 == (await one.answer())[0]
            assert await one.ends(PATIENCE_S)
    assert ["request_failed"] == [line["event"] for line in logged if "exc_info" in line]


START = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
BODY = {"type": "http.response.body", "body": b"ok"}
WRONG: dict[str, tuple[list[dict[str, Any]], int]] = {
    "nothing": ([], 500),
    "a body first": ([BODY], 500),
    "a head alone": ([START], 500),
    "a head twice": ([START, START], 500),
    "too short": ([START, {**BODY, "body": b"o"}], 500),
    "too long": ([START, {**BODY, "body": b"okk"}], 500),
    "a line end in a header": ([{**START, "headers": [(b"a", b"b\r\nc: d")]}, BODY], 500),
    "NUL in a header": ([{**START, "headers": [(b"a", b"\0")]}, BODY], 500),
    "a header without a name": ([{**START, "headers": [(b"", b"b")]}, BODY], 500),
    "a space in a name": ([{**START, "headers": [(b"a b", b"b")]}, BODY], 500),
    "a part, then nothing": ([START, {**BODY, "body": b"o", "more_body": True}], 0),
    "too much after all": ([START, BODY, BODY], 200),
}


async def test_a_fault_after_the_head_of_a_chunked_answer() -> None:
    """The head was not sent yet. Behind the 500 comes nothing that belonged to it."""

    async def wrong(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ValueError("a fault")

    async with serving(wrong) as (_, port), peer(port) as one:
        await one.send(GET)
        assert 500 == (await one.answer())[0]
        with pytest.raises(asyncio.IncompleteReadError) as ended:
            await one.answer()
    assert b"" == ended.value.partial


@pytest.mark.parametrize(("messages", "status"), WRONG.values(), ids=WRONG)
async def test_what_is_no_answer(messages: list[dict[str, Any]], status: int) -> None:
    """500 where nothing was sent yet; else the connection ends before the answer is complete."""

    async def wrong(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    async with serving(wrong) as (_, port), peer(port) as one:
        await one.send(GET)
        try:
            found = (await one.answer())[0]
        except (asyncio.IncompleteReadError, ConnectionError):
            found = 0
    assert status == found


ANSWERS = [
    ("GET", 200, None, b"transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
    ("GET", 200, b"2", b"content-length: 2\r\n\r\nok"),
    ("HEAD", 200, b"2", b"content-length: 2\r\n\r\n"),
    ("GET", 304, None, b"\r\n\r\n"),
    ("GET", 204, None, b"\r\n\r\n"),
]


@pytest.mark.parametrize(("method", "status", "length", "expected"), ANSWERS)
async def test_the_framing_of_answers(
    method: str, status: int, length: bytes | None, expected: bytes
) -> None:
    """RFC 9112, 6.3; the next answer begins right after it."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [] if length is None else [(b"content-length", length)]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})

    request = f"{method} / HTTP/1.1\r\nHost: x\r\n".encode()
    async with serving(app) as (_, port):
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(
                sock, request + b"\r\n" + request + b"Connection: close\r\n\r\n"
            )
            received = b""
            while data := await loop.sock_recv(sock, 65536):
                received += data
    assert received.endswith(expected.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1))
    assert 2 == received.count(f"HTTP/1.1 {status} ".encode())


async def test_http_1_0_has_no_chunks() -> None:
    """RFC 9112, 6.1: the end of the connection is the end of the body."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"ok"})

    async with serving(app) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
    assert (b"ok", False) == (body, b"transfer-encoding" in head)


async def test_receive_after_the_end_waits_for_the_peer() -> None:
    """ASGI: http.disconnect comes when the peer has gone, not before."""
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((await receive())["type"])
        seen.append((await receive())["type"])

    async with serving(app) as (_, port):
        async with peer(port) as one:
            await one.send(GET)
            await asyncio.sleep(0.2)
            assert ["http.request"] == seen
        await until(lambda: len(seen) == 2)
    assert "http.disconnect" == seen[1]


async def test_a_stop_answers_what_was_on_the_way() -> None:
    """On a connection that was new, on one that was idle, and for those that wait in line; then
    all end, and so does the server, without waiting for one that stays silent."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0.3)
        await ok(scope, receive, send)

    limits = replace(SHORT, drain_s=2.0, head_timeout_s=20, idle_timeout_s=20)
    async with (
        serving(app, limits) as (server, port),
        peer(port) as new,
        peer(port) as idle,
        peer(port) as busy,
        peer(port) as silent,
    ):
        await idle.send(GET)
        await idle.answer()
        await busy.send(GET * 3)
        await asyncio.sleep(0.1)
        server.should_exit = True
        await asyncio.sleep(0.5)
        for late in (new, idle):
            await late.send(GET)
            status, headers, _ = await late.answer()
            assert (200, "close") == (status, headers["connection"])
            assert await late.ends(1)
        connections = [(await busy.answer())[1].get("connection") for _ in range(3)]
        assert [None, "close"] == connections[::2]
        assert await busy.ends(1)
        assert await silent.ends(3)


async def test_connections_are_bounded() -> None:
    """The third is refused with 503, and served when one of the others has gone."""
    with structlog.testing.capture_logs() as logged:
        async with serving(limits=replace(SHORT, max_connections=2)) as (_, port):
            async with peer(port) as one, peer(port) as two:
                for each in (one, two):
                    await each.send(GET)
                    assert 200 == (await each.answer())[0]
                for _ in range(3):
                    async with peer(port) as three:
                        assert 503 == (await three.answer())[0]
                        assert await three.ends(1)
            await asyncio.sleep(0.1)
            async with peer(port) as four:
                await four.send(GET)
                assert 200 == (await four.answer())[0]
    assert ["connections_refused"] == [line["event"] for line in logged]


async def test_connections_of_an_address_are_bounded() -> None:
    """429 beyond the bound; not for those of a trusted proxy."""
    limits = replace(SHORT, max_connections_per_address=1)
    for proxies, expected in (((), 429), (("127.0.0.1/32",), 200)):
        async with (
            serving(limits=replace(limits, trusted_proxies=proxies)) as (_, port),
            peer(port) as one,
        ):
            await one.send(GET)
            await one.answer()
            async with peer(port) as two:
                if expected == 200:
                    await two.send(GET)
                assert expected == (await two.answer())[0]


PIECES = st.sampled_from(
    [
        *(GET, GET, LARGE, CLOSE, CHUNKED + b"3\r\nabc\r\n0\r\na: b\r\n\r\n"),
        *(HEAD + b"Content-Length: 3\r\n\r\nabc", HEAD + b"Content-Length: 9\r\n\r\na", b"\r\n"),
        *(CHUNKED + b"5\r\nab", b"\0", b"GET / HTTP/1.1\r\nHost:", b"GET / HTTP/2.0\r\n\r\n"),
        *(b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab", b"garbage\r\n\r\n"),
    ]
)


@settings(max_examples=25, deadline=None)
@given(st.lists(PIECES, min_size=1, max_size=5), st.lists(st.integers(0, 400), max_size=4))
async def test_complete_answers_or_the_end(pieces: list[bytes], cuts: list[int]) -> None:
    """Whatever is sent, in whatever packets: complete answers, then the end; no error is logged."""
    sent = b"".join(pieces)
    at = sorted({0, len(sent), *(cut for cut in cuts if cut < len(sent))})
    limits = replace(
        SHORT, head_timeout_s=0.1, body_timeout_s=0.1, idle_timeout_s=0.1, linger_s=0.05
    )
    with structlog.testing.capture_logs() as logged:
        async with serving(limits=limits) as (server, port), peer(port) as one:
            for start, end in itertools.pairwise(at):
                await one.send(sent[start:end])
                await asyncio.sleep(0.002)
            partial = b""
            try:
                while True:
                    await one.answer(5)
            except asyncio.IncompleteReadError as error:
                partial = error.partial
            except ConnectionError:
                pass
            assert b"" == partial
            await until(lambda: is_idle(server))
    assert [] == [line for line in logged if line["log_level"] == "error"]
