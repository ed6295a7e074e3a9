"""``/v1/probe``: bytes to time, and results that the session's next decision uses."""

import asyncio
import json
import re
import socket
import time
import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import brotli
import httpx
import pytest
import zstandard

from gateway.app import Application
from tests.integration.in_process import OPERATORS, application, ask, asking, started
from tests.integration.reading_metrics import metric
from tests.integration.running import RunningGateway, running_gateway
from tests.unit.store.servers import valkey

PROBE = "/v1/probe"
VIEWER = "129.240.2.6"
NEIGHBOUR = "129.240.2.250"
"""In the /24 of ``VIEWER``."""
ELSEWHERE = "133.11.1.1"


def small(tmp_path: Path, **keys: int | str) -> Path:
    """A config with these keys of ``[probe]``."""
    path = tmp_path / "gateway.toml"
    lines = [f"{name} = {value}" for name, value in keys.items()]
    path.write_text('[store]\nurl = "memory"\n[probe]\n' + "\n".join(lines) + "\n")
    return path


def detail(answer: httpx.Response) -> str:
    """The text of a problem."""
    return str(answer.json()["detail"])


# ── the bytes ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("query", "size"),
    [
        ("", 500_000),
        ("?bytes=1", 1),
        ("?bytes=100000", 100_000),
        ("?bytes=0000000000000000000000000077", 77),
        ("?bytes=5&bytes=70000", 70_000),
        ("?other=x&bytes=%31%30", 10),
        ("?bytes=10000000", 10_000_000),
        ("?bytes=10000001", 10_000_000),
        (f"?bytes={'9' * 300}", 10_000_000),
    ],
)
def test_so_many_bytes(default_gateway: RunningGateway, query: str, size: int) -> None:
    """N bytes, the usual number without N, and never more than the largest."""
    answer = httpx.get(default_gateway.url + PROBE + query, headers={"X-Forwarded-For": VIEWER})
    assert (200, size) == (answer.status_code, len(answer.content))
    assert str(size) == answer.headers["Content-Length"]


def test_they_cannot_be_compressed(client: httpx.Client) -> None:
    """Neither by the gateway, whatever the client accepts, nor by anything on the way."""
    headers = {"Accept-Encoding": "zstd, br, gzip", "X-Forwarded-For": "128.174.5.6"}
    answer = client.get(f"{PROBE}?bytes=3000000", headers=headers)
    assert "Content-Encoding" not in answer.headers
    body = answer.content
    least = len(body) * 0.999
    assert len(zlib.compress(body, 9)) > least
    assert len(brotli.compress(body, quality=5)) > least
    assert len(zstandard.ZstdCompressor(level=9).compress(body)) > least


def test_headers_of_a_probe(client: httpx.Client) -> None:
    """What a page needs to time it, and nothing that lets anybody keep or change it."""
    answer = client.get(f"{PROBE}?bytes=1000", headers={"Origin": "https://tv.example"})
    found = answer.headers
    assert "application/octet-stream" == found["Content-Type"]
    assert "no-store, no-transform" == found["Cache-Control"]
    assert ("*", "*") == (found["Access-Control-Allow-Origin"], found["Timing-Allow-Origin"])
    assert "Server-Timing" in found["Access-Control-Expose-Headers"]
    assert re.fullmatch(r"probe;dur=\d+\.\d\d", found["Server-Timing"])
    head = client.head(f"{PROBE}?bytes=1000")
    varying = {"date", "x-request-id", "server-timing"}
    assert {n: v for n, v in found.items() if n not in varying} == {
        n: v for n, v in head.headers.items() if n not in varying
    }
    assert b"" == head.content


@pytest.mark.parametrize(
    "value",
    *[["", "0", "000", "-1", "+5", "1.5", "1e6", "x", "0x10", "%D9%A3", "%00", "1%2C2", " 5"]],
)
def test_a_malformed_size(client: httpx.Client, value: str) -> None:
    """400 that names the parameter and says what is allowed; for HEAD as well."""
    answer = client.get(f"{PROBE}?bytes={value}")
    assert (400, "bytes") == (answer.status_code, answer.json()["parameter"])
    assert "a whole number of bytes from 1 up" in detail(answer)
    assert 400 == client.head(f"{PROBE}?bytes={value}").status_code


# ── bounds ──────────────────────────────────────────────────────────────────────────────────────


async def statuses(app: Application, asked: list[tuple[str, str, str]]) -> list[int]:
    """The statuses of requests, each a method, a query and an address."""
    found = []
    for method, query, peer in asked:
        body = json.dumps(result()).encode()
        status, _, _ = await ask(app, PROBE, query.encode(), [], method, peer, body)
        found.append(status)
    return found


BOUNDS = [
    (
        "bytes of a network",
        {"network_bytes_per_min": 2500},
        [("GET", "bytes=1000", VIEWER)] * 2
        + [("GET", "bytes=1000", NEIGHBOUR), ("GET", "bytes=400", VIEWER)]
        + [("GET", "bytes=1000", ELSEWHERE)],
        [200, 200, 429, 200, 200],
    ),
    (
        "a probe larger than a minute's budget",
        {"network_bytes_per_min": 1000},
        [("GET", "bytes=5000", VIEWER), ("GET", "bytes=1", VIEWER)],
        [200, 429],
    ),
    (
        "bytes of all",
        {"worker_bytes_per_min": 2000},
        [("GET", "bytes=1500", VIEWER), ("GET", "bytes=1500", ELSEWHERE)],
        [200, 429],
    ),
    (
        "requests of a network, results among them",
        {"network_requests_per_min": 3},
        [
            *(("GET", "bytes=1", VIEWER), ("POST", "", VIEWER), ("GET", "bytes=1", NEIGHBOUR)),
            *(("GET", "bytes=1", VIEWER), ("POST", "", VIEWER), ("POST", "", ELSEWHERE)),
        ],
        [200, 200, 200, 429, 429, 200],
    ),
    (
        "a HEAD costs nothing",
        {"network_requests_per_min": 1},
        [("HEAD", "bytes=1", VIEWER)] * 5 + [("GET", "bytes=1", VIEWER)],
        [200] * 6,
    ),
]


@pytest.mark.parametrize(
    ("keys", "asked", "expected"), [row[1:] for row in BOUNDS], ids=[row[0] for row in BOUNDS]
)
async def test_budgets(
    tmp_path: Path, keys: dict[str, int], asked: list[tuple[str, str, str]], expected: list[int]
) -> None:
    """Each client network has its own, and all have one together."""
    assert expected == await statuses(application(small(tmp_path, **keys)), asked)


async def test_a_refusal_says_when_to_come_back(tmp_path: Path) -> None:
    """429 with Retry-After in whole seconds; another network is served."""
    app = application(small(tmp_path, network_bytes_per_min=60_000))
    async with asking(app, VIEWER) as client:
        first = await client.get(f"{PROBE}?bytes=60000")
        answer = await client.get(f"{PROBE}?bytes=30000")
    assert 200 == first.status_code
    assert 429 == answer.status_code
    assert 28 <= int(answer.headers["Retry-After"]) <= 30
    assert "too-many-probes" == answer.json()["type"].rpartition(":")[2]
    assert answer.headers["Cache-Control"] == "no-store"


async def test_a_budget_comes_back(tmp_path: Path) -> None:
    """What a minute allows returns evenly."""
    app = application(small(tmp_path, network_bytes_per_min=60_000_000))
    limits, budget = app.gateway.runtime.settings.probe, app.gateway.probes
    assert [None, ("network-bytes", 30), ("network-bytes", 1), None, ("network-bytes", 60)] == [
        budget.begin("n", 60_000_000, limits, 1000.0),
        budget.begin("n", 30_000_000, limits, 1000.0),
        budget.begin("n", 30_000_000, limits, 1029.5),
        budget.begin("n", 30_000_000, limits, 1030.0),
        budget.begin("n", 99_000_000, limits, 1030.0),
    ]


def begin_download(url: str, size: int, via: str, buffer: int = 4096) -> socket.socket:
    """Ask for a probe and read its head, not its body."""
    parts = urlsplit(url)
    connection = socket.create_connection((parts.hostname, parts.port), timeout=20)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    lines = f"GET {PROBE}?bytes={size} HTTP/1.1\r\nHost: g\r\nX-Forwarded-For: {via}\r\n\r\n"
    connection.sendall(lines.encode())
    assert connection.recv(15).startswith(b"HTTP/1.1 200 OK")
    return connection


def test_streams_at_once(tmp_path: Path) -> None:
    """Slow readers hold a stream each, of their network and of all; those that leave give it
    back. What is sent to a slow reader is not made before it reads."""
    config = small(tmp_path, network_streams=2, worker_streams=3)
    with running_gateway(config) as gateway:

        def status(via: str) -> int:
            url = f"{gateway.url}{PROBE}?bytes=1"
            return httpx.get(url, headers={"X-Forwarded-For": via}).status_code

        held = [begin_download(gateway.url, 10_000_000, VIEWER) for _ in range(2)]
        assert [429, 429, 200] == [status(VIEWER), status(NEIGHBOUR), status(ELSEWHERE)]
        held.append(begin_download(gateway.url, 10_000_000, ELSEWHERE))
        assert 429 == status("128.174.5.6")
        # Of the one that ended.
        assert 1 == metric(gateway.admin_url, "gateway_speed_probe_bytes_total")
        for connection in held:
            connection.close()
        patience = 100
        while [200, 200] != [status(VIEWER), status(ELSEWHERE)] and patience:
            patience -= 1
        assert patience
        assert 3 == metric(gateway.admin_url, 'gateway_speed_probes_total{outcome="cut"}')
        assert metric(gateway.admin_url, "gateway_speed_probe_bytes_total") < 15_000_000


def test_a_slow_reader_gets_every_byte(default_gateway: RunningGateway) -> None:
    """The pieces wait for the reader, and other requests are answered meanwhile."""
    with begin_download(default_gateway.url, 8_000_000, "200.160.2.3", 65_536) as connection:
        assert 200 == httpx.get(f"{default_gateway.url}/livez").status_code
        received = b""
        while b"\r\n\r\n" not in received:
            received += connection.recv(4096)
        left = 8_000_000 - len(received.partition(b"\r\n\r\n")[2])
        while left:
            left -= len(connection.recv(65_536))
    assert 0 == left


async def test_a_probe_that_is_never_sent_gives_its_stream_back(tmp_path: Path) -> None:
    """The peer has gone before the first piece."""
    app = application(small(tmp_path, worker_streams=1))

    async def gone(message: Any) -> None:
        raise ConnectionResetError

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    scope = {"type": "http", "method": "GET", "path": PROBE, "query_string": b"", "headers": []}
    for _ in range(3):
        with pytest.raises(ConnectionResetError):
            await app(scope, receive, gone)
    assert [200] == await statuses(app, [("GET", "bytes=1", VIEWER)])


async def test_switched_off(tmp_path: Path) -> None:
    """No path, and none in the description of the interface; a preflight is still answered."""
    app = application(small(tmp_path, enabled="false"))
    async with asking(app) as client:
        answers = [await client.request(method, PROBE) for method in ("GET", "HEAD", "POST")]
        described = (await client.get("/openapi.json")).json()["paths"]
        preflight = await client.options(PROBE)
    assert [404] * 3 == [answer.status_code for answer in answers]
    assert "no-such-path" == answers[0].json()["type"].rpartition(":")[2]
    assert PROBE not in described
    assert 204 == preflight.status_code


# ── results ─────────────────────────────────────────────────────────────────────────────────────


def result(**members: object) -> dict[str, object]:
    """A result: 500 kB in one second, 4000 kbit/s."""
    return {"session": "s", "bytes": 500_000, "duration_ms": 1000, **members}


async def speed_of(client: httpx.AsyncClient, session: str) -> str | None:
    """The speed of the session's next playlist, with its source."""
    answer = await client.get("/v1/play/film.m3u8", params={"session": session})
    found = re.search(r"speed=(\d+;src=\w+)", answer.headers["Gateway-Decision"])
    return found and found[1]


async def test_the_next_manifest_uses_the_result() -> None:
    """Of this session, whether or not the gateway knew it; of no other."""
    async with asking(application()) as client:
        assert None is await speed_of(client, "known")
        for session in ("known", "new", "naïve-☃"):
            answer = await client.post(PROBE, json=result(session=session))
            assert {"accepted": True, "speed_kbps": 4000} == answer.json()
            assert "no-store" == answer.headers["Cache-Control"]
            assert "4000;src=probe" == await speed_of(client, session)
        assert None is await speed_of(client, "other")


async def test_the_next_manifest_may_come_from_another_worker(tmp_path: Path) -> None:
    """A session that begins with a probe: its record is in Redis before the probe is answered."""
    with valkey(tmp_path) as server:
        # On a busy machine the shipped deadline passes, and then the record comes later.
        environ = {"GATEWAY_STORE__URL": server.url, "GATEWAY_STORE__TIMEOUT_MS": "5000"}
        async with started(None, environ) as one, started(None, environ) as other:
            for session in map(str, range(5)):
                answer = await one.post(PROBE, json=result(session=session))
                assert {"accepted": True, "speed_kbps": 4000} == answer.json()
                assert "4000;src=probe" == await speed_of(other, session)
            server.kill()
            answer = await one.post(PROBE, json=result(session="later"))
            assert answer.json()["accepted"]
            assert "4000;src=probe" == await speed_of(one, "later")


async def test_a_probe_is_one_sample_among_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lie moves an estimate that others support hardly at all, however often it is told at one
    moment. The clock stands still, as a busy machine takes seconds for these requests."""
    async with asking(application()) as client:
        for kbps in (2000, 2100, 2050):
            await client.get(f"/v1/play/film.m3u8?session=s&speed={kbps}")
        now_s = time.time()
        stopped = SimpleNamespace(time=lambda: now_s, monotonic=time.monotonic)
        monkeypatch.setattr("gateway.play.probe.time", stopped)
        for _ in range(20):
            await client.post(PROBE, json=result(bytes=10_000_000, duration_ms=10))
        found = await speed_of(client, "s")
    assert found is not None
    assert int(found.partition(";")[0]) < 3000


async def test_a_result_of_another_content_type() -> None:
    """``navigator.sendBeacon`` sends text without a preflight."""
    async with asking(application()) as client:
        content, headers = json.dumps(result()), {"Content-Type": "text/plain"}
        answer = await client.post(PROBE, content=content, headers=headers)
    assert {"accepted": True, "speed_kbps": 4000} == answer.json()


@pytest.mark.parametrize(
    "members",
    [
        {"bytes": 49_999},
        {"duration_ms": 0.5},
        {"bytes": 10_000_000, "duration_ms": 1.0},
        {"bytes": 50_000, "duration_ms": 3_600_000},
    ],
)
async def test_a_result_that_says_nothing(members: dict[str, object]) -> None:
    """It is no error, but no sample either, and the answer says why."""
    async with asking(application()) as client:
        answer = await client.post(PROBE, json=result(**members))
        assert (200, False, None) == (
            answer.status_code,
            answer.json()["accepted"],
            answer.json()["speed_kbps"],
        )
        assert answer.json()["reason"]
        assert None is await speed_of(client, "s")


def body(**members: object) -> bytes:
    """A result as it is sent."""
    return json.dumps(result(**members)).encode()


BAD = [
    (b"", "not JSON"),
    (b"{", "not JSON"),
    (b"\xff\xfe", "not JSON"),
    (b"[]", "no JSON object"),
    (b"null", "no JSON object"),
    (b'"s"', "no JSON object"),
    (b"[" * 2000 + b"]" * 2000, "nested too deeply"),
    (b'{"session": "s", "bytes": 500000, "duration_ms": NaN}', "NaN"),
    (b'{"session": "s", "bytes": 500000, "duration_ms": 1e999}', "too large"),
    (b'{"session": "s", "bytes": ' + b"9" * 400 + b', "duration_ms": 1}', "too large"),
    (b'{"session": "\\ud800", "bytes": 500000, "duration_ms": 1000}', "not JSON"),
    (b'{"bytes": 500000, "duration_ms": 1000}', "session"),
    (body(session=""), "session"),
    (body(session=7), "session"),
    (body(session="x" * 65), "session"),
    (body(session="a\nb"), "session"),
    (body(session=None), "session"),
    (body(bytes=None), "bytes"),
    (body(bytes=True), "bytes"),
    (body(bytes="500000"), "bytes"),
    (body(bytes=0), "bytes"),
    (body(bytes=-1), "bytes"),
    (body(bytes=0.5), "bytes"),
    (body(bytes=10_000_001), "from 1 to 10000000"),
    (body(bytes=[1]), "bytes"),
    (body(duration_ms=0), "duration_ms"),
    (body(duration_ms=-5), "duration_ms"),
    (body(duration_ms=False), "duration_ms"),
    (body(duration_ms="1000"), "duration_ms"),
    (body(duration_ms=3_600_001), "duration_ms"),
]


@pytest.mark.parametrize(("content", "why"), BAD, ids=[str(n) for n in range(len(BAD))])
async def test_a_malformed_result(content: bytes, why: str) -> None:
    """400 that says what is wrong and what is allowed, without repeating what was sent."""
    async with asking(application()) as client:
        answer = await client.post(PROBE, content=content)
    assert (400, "bad-body") == (answer.status_code, answer.json()["type"].rpartition(":")[2])
    assert why in detail(answer)
    assert "allowed" in detail(answer)


async def test_a_result_that_is_too_large() -> None:
    """413 from the first byte too many."""
    async with asking(application()) as client:
        fits = await client.post(PROBE, content=body() + b" " * (4096 - len(body())))
        answer = await client.post(PROBE, content=body() + b" " * 4096)
    assert (200, 413) == (fits.status_code, answer.status_code)


async def test_results_are_counted() -> None:
    """As samples by what measured, and by whether they say something."""
    async with asking(application()) as client:

        async def counted() -> list[float]:
            text = (await client.get(f"{OPERATORS}/metrics")).text
            found = [
                re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
                for name in (
                    'gateway_speed_probe_results_total{outcome="accepted"}',
                    'gateway_speed_probe_results_total{outcome="ignored"}',
                    'gateway_speed_samples_total{source="probe"}',
                )
            ]
            return [float(each[1]) if each else 0 for each in found]

        before = await counted()
        await asyncio.gather(*(client.post(PROBE, json=result()) for _ in range(3)))
        await client.post(PROBE, json=result(bytes=1))
        after = await counted()
    assert [3, 1, 3] == [b - a for a, b in zip(before, after, strict=True)]
