"""Raw sockets against ``gateway serve``: what a connection is refused, and what it may cost."""

import asyncio
import contextlib
import json
import random
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.integration.connection_attacks import ATTACKS, peer
from tests.integration.reading_metrics import metric
from tests.integration.running import RunningGateway, running_gateway
from tests.integration.viewers import until

SHORT = {
    "GATEWAY_SERVER__HEAD_TIMEOUT_S": "1",
    "GATEWAY_SERVER__BODY_TIMEOUT_S": "1",
    "GATEWAY_SERVER__IDLE_TIMEOUT_S": "2",
    "GATEWAY_SERVER__WRITE_TIMEOUT_S": "1",
    "GATEWAY_STORE__URL": "memory",
}
PATIENCE_S = 8.0
PATH = "/v1/play/film.m3u8"
NEED_ECHO = {
    *("trailers become headers", "trailers in the same packet become headers", "absolute-form"),
    *("a body that drips", "one byte of 1,000", "answers that nobody reads"),
    *("garbage after three requests", "a bad chunk after two requests"),
    *("HTTP/1.0 without Host", "Expect: 100-continue"),
    *("a request after Connection: close", "Upgrade: websocket", "Upgrade: h2c with a body"),
}
"""Attacks on routes that the gateway has not; ``tests/unit/serving`` makes them, too."""


@pytest.fixture(scope="module")
def gateway() -> Iterator[RunningGateway]:
    """A gateway that loses its patience soon."""
    with running_gateway(None, environ=SHORT) as running:
        yield running


def port_of(gateway: RunningGateway) -> int:
    """Where it listens."""
    port = urlsplit(gateway.url).port
    assert port is not None
    return port


def errors(gateway: RunningGateway) -> list[object]:
    """What it has logged as an error, or not as a line of its log."""
    return [line for line in list(gateway.log) if line.get("level", "error") == "error"]


async def test_attacks(gateway: RunningGateway) -> None:
    """All at once, over uvloop: each is resisted, others are served, and no error is logged."""
    names = [name for name in ATTACKS if name not in NEED_ECHO]
    port = port_of(gateway)
    found = await asyncio.gather(*(ATTACKS[name](port, PATIENCE_S) for name in names))
    assert {} == {name: what for name, what in zip(names, found, strict=True) if what}
    async with httpx.AsyncClient() as client:
        assert 200 == (await client.get(gateway.url + PATH)).status_code
        metrics = (await client.get(f"{gateway.admin_url}/metrics")).text
    assert [] == errors(gateway)
    counted = r'^gateway_connection_refusals_total{listener="players",reason="([a-z-]+)"} [1-9]'
    expected = {"bad-request", "bad-host", "bad-version", "head-timeout", "head-too-large"}
    assert expected <= set(re.findall(counted, metrics, re.MULTILINE))


def sized(path: str, headers: int = 0, body: int | None = None) -> bytes:
    """A request with so many headers besides Host, and a body of so many bytes."""
    method = "GET" if body is None else "POST"
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *(f"h{at}: x" for at in range(headers))]
    if body is not None:
        lines.append(f"Content-Length: {body}")
    return "\r\n".join((*lines, "", "")).encode() + b"x" * (body or 0)


CMCD = "/v1/play/film.m3u8?CMCD=" + "x" * 7000
SIZES = [
    ("127 headers", sized(PATH, 126), 200, b""),
    ("128 headers and Host", sized(PATH, 128), 431, b"head-too-large"),
    (
        "a head of 129 KiB",
        sized(PATH)[:-2] + b"h: " + b"x" * 132_000 + b"\r\n\r\n",
        431,
        b"head-too",
    ),
    ("path and query of 8 KiB", sized("/v1/play/" + "x" * 8200), 414, b"url-too-long"),
    ("64 parameters", sized(PATH + "?a=" + "&a=" * 63), 200, b""),
    ("65 parameters", sized(PATH + "?a=" + "&a=" * 64), 400, b"bad-parameter"),
    ("7 KB of CMCD in the query", sized(CMCD), 200, b""),
    ("a batch of 129 KiB", sized("/v1/decisions", 0, 132_000), 413, b"body-too-large"),
    ("a result of 5 KiB", sized("/v1/probe", 0, 5000), 413, b"body-too-large"),
    ("reports of more than 1 MiB", sized("/v1/cmcd", 0, 1024 * 1024 + 1), 413, b"body-too-large"),
]


@pytest.mark.parametrize(("name", "sent", "status", "kind"), SIZES, ids=[row[0] for row in SIZES])
def test_sizes(gateway: RunningGateway, name: str, sent: bytes, status: int, kind: bytes) -> None:
    """What docs/limits.md says of the sizes of requests."""
    with socket.create_connection(("127.0.0.1", port_of(gateway)), PATIENCE_S) as connection:
        with contextlib.suppress(ConnectionError):  # it may be refused before all of it is sent
            connection.sendall(sent)
        found = b""
        while b"\r\n\r\n" not in found or kind not in found:
            part = connection.recv(65_536)
            assert part, found
            found += part
    assert b"HTTP/1.1 %d " % status == found[:13]


BATCH = b"POST /v1/decisions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
BODY = b"14\r\n" + b'{"assets": ["film"]}' + b"\r\n"
CHUNKS = BODY + b"0\r\n"
NORWAY, JAPAN = b"129.240.2.6", b"133.11.1.1"


@pytest.mark.parametrize("pause_s", [0, 0.2])
@pytest.mark.parametrize("name", [b"X-Forwarded-For", b"Forwarded"])
async def test_trailers_speak_for_nobody(
    gateway: RunningGateway, pause_s: float, name: bytes
) -> None:
    """A proxy appends to the headers that it sees. What comes as a trailer is the client's own."""
    async with peer(port_of(gateway)) as one:
        await one.send(BATCH + b"X-Forwarded-For: " + NORWAY + b"\r\n\r\n")
        await asyncio.sleep(pause_s)
        forged = JAPAN if name == b"X-Forwarded-For" else b"for=" + JAPAN
        await one.send(CHUNKS + name + b": " + forged + b"\r\n\r\n")
        status, _, body = await one.answer()
    assert (200, "NO") == (status, json.loads(body)["decisions"][0]["client"]["country"])


HALVES = [
    (b"Content-Length: 1000\r\n\r\n", b""),
    (b"Content-Length: 1000\r\n\r\n", b"{"),
    (b"Transfer-Encoding: chunked\r\n\r\n", b"14\r\n{"),
    (b"Transfer-Encoding: chunked\r\n\r\n", CHUNKS),
]


@pytest.mark.parametrize(("framing", "part"), HALVES)
async def test_half_a_batch(gateway: RunningGateway, framing: bytes, part: bytes) -> None:
    """408 after the deadline; a reset before it leaves nothing in the log."""
    head = b"POST /v1/decisions HTTP/1.1\r\nHost: x\r\n" + framing
    async with peer(port_of(gateway)) as one:
        await one.send(head + part)
        status, headers, _ = await one.answer(PATIENCE_S)
        assert (408, "close") == (status, headers["connection"])
        assert await one.ends(PATIENCE_S)
    async with peer(port_of(gateway)) as one:
        await one.send(head + part)
        await asyncio.sleep(0.1)
    assert [] == errors(gateway)


def test_forty_answers_that_nobody_reads(gateway: RunningGateway) -> None:
    """And then RST: no traceback, and nothing stays."""
    request = b"GET " + PATH.encode() + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    for wait_s in (0, 0.05, 0.3):
        with socket.create_connection(("127.0.0.1", port_of(gateway))) as sock:
            sock.sendall(request * 40)
            time.sleep(wait_s)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    time.sleep(0.3)
    assert [] == errors(gateway)
    assert 0 == metric(gateway.admin_url, 'gateway_connections{listener="players"}')


def memory_kib(gateway: RunningGateway) -> int:
    """Resident memory of the process."""
    status = Path(f"/proc/{gateway.process.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+)", status)
    assert found is not None
    return int(found[1])


async def test_floods_take_no_memory(gateway: RunningGateway) -> None:
    """Headers, trailers, chunk extensions without end: five times all of them, at once."""
    names = [name for name in ATTACKS if name.startswith("a flood")]
    await asyncio.gather(*(ATTACKS[name](port_of(gateway), 1) for name in names))
    before = memory_kib(gateway)
    for _ in range(5):
        assert {""} == set(
            await asyncio.gather(*(ATTACKS[name](port_of(gateway), 1) for name in names))
        )
    assert memory_kib(gateway) - before < 20_000


FRAGMENTS = (
    b"GET /v1/play/film.m3u8 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"HEAD /v1/play/film HTTP/1.1\r\nHost: x\r\n\r\n",
    BATCH + b"\r\n" + CHUNKS + b"A: b\r\n\r\n",
    BATCH + b"\r\n" + b"14\r\n{",
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"GET http://y/livez HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nab",
    *(b"\r\n", b"\0", b"Host: ", b"0\r\n\r\n", b"HTTP/1.1\r\n", b"GET / HTTP/2.0\r\n\r\n"),
)


async def test_random_streams(gateway: RunningGateway) -> None:
    """Requests and fragments in random packets: complete answers or the end, nothing held, no
    error, and no memory that stays."""
    dice = random.Random(17)

    async def stream(seed: int) -> str:
        own = random.Random(seed)
        left = b"".join(own.choices(FRAGMENTS, k=own.randint(1, 6)))
        async with peer(port_of(gateway)) as one:
            while left:
                size = own.choice((1, 7, 60, 4000))
                await one.send(left[:size])
                left = left[size:]
                await asyncio.sleep(0)
            return "ended" if await one.ends(PATIENCE_S) else "held"

    await asyncio.gather(*(stream(dice.getrandbits(32)) for _ in range(100)))
    before = memory_kib(gateway)
    for _ in range(5):
        seeds = [dice.getrandbits(32) for _ in range(100)]
        found = await asyncio.gather(*map(stream, seeds))
        assert {} == {
            seed: what for seed, what in zip(seeds, found, strict=True) if what != "ended"
        }
    assert memory_kib(gateway) - before < 10_000
    assert [] == errors(gateway)


def test_more_connections_than_descriptors() -> None:
    """The gateway makes do with fewer connections, says so, refuses the rest in one line of the
    log, and serves again when there is room."""
    environ = {"GATEWAY_STORE__URL": "memory"}
    with running_gateway(None, environ=environ, open_files=256) as gateway:
        (reduced,) = gateway.wait_for("max_connections_reduced")
        room = int(str(reduced["possible"]))
        assert 16 <= room <= 256 - 128
        with contextlib.ExitStack() as stack:
            for _ in range(400):
                connection = socket.create_connection(("127.0.0.1", port_of(gateway)), timeout=5)
                stack.enter_context(connection)
            refused = gateway.wait_for("connections_refused")
            refusals = "gateway_connection_refusals_total"
            until(lambda: metric(gateway.admin_url, refusals) >= 400 - room)
            assert [("max-connections", room)] == [
                (line["reason"], line["limit"]) for line in refused
            ]
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(gateway.url + PATH).status_code == 200:
                    break
        assert 200 == httpx.get(gateway.url + PATH).status_code
        assert 1 == len(gateway.lines("connections_refused"))
        assert [] == gateway.lines("out_of_file_descriptors")


def test_connections_of_one_address() -> None:
    """429 beyond the bound for players; a trusted proxy has no bound of its own."""
    environ = {
        "GATEWAY_STORE__URL": "memory",
        "GATEWAY_LIMITS__MAX_CONNECTIONS_PER_ADDRESS": "3",
        "GATEWAY_SERVER__TRUSTED_PROXIES": '["127.0.0.2/32"]',
    }
    with running_gateway(None, environ=environ) as gateway, contextlib.ExitStack() as stack:
        address = ("127.0.0.1", port_of(gateway))
        for _ in range(3):
            stack.enter_context(socket.create_connection(address))
        time.sleep(0.2)
        assert 429 == _first_status(address, None)
        assert 200 == _first_status(address, "127.0.0.3")
        for _ in range(10):
            proxy = socket.create_connection(address, source_address=("127.0.0.2", 0))
            stack.enter_context(proxy)
        assert 200 == _first_status(address, "127.0.0.2")
        until = time.monotonic() + 10
        while not (lines := gateway.lines("connections_refused")) and time.monotonic() < until:
            time.sleep(0.02)
        assert ["max-connections-per-address"] == [line["reason"] for line in lines]


def _first_status(address: tuple[str, int], source: str | None) -> int:
    from_ = None if source is None else (source, 0)
    with socket.create_connection(address, timeout=5, source_address=from_) as sock:
        with contextlib.suppress(ConnectionError):
            sock.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        return int(sock.recv(4096).split(b" ")[1])
