"""One probe, against real servers that answer well, badly, slowly, or not at all."""

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from yarl import URL

from gateway.background.probe import (
    MAX_BYTES,
    ProbeError,
    ProbeLimits,
    Prober,
    ProbeResult,
    ProbeTarget,
    followed,
    target_of,
)
from gateway.edge.edge import Edge
from gateway.edge.live import LivePosition
from tests.missing import missing
from tests.ports import free_port
from tests.unit.store.servers import listening

LIVE = b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:9\n#EXTINF:4,\n9.ts\n"
DATED = LIVE.replace(b"#EXTINF", b"#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z\n#EXTINF")
NO_MEDIA = "no media playlist"
MULTIVARIANT = b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n"
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def saying(*parts: bytes, pause_s: float = 0.0) -> Answer:
    """Answer one request with these bytes, then close the connection."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause_s)

    return answer


def http(status: int, body: bytes = b"", headers: str = "") -> bytes:
    """An HTTP answer."""
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


async def probe(url: str, *, playlist: bool = False, timeout_s: float = 0.5) -> ProbeResult:
    """One probe of a URL."""
    prober = Prober(4)
    try:
        target = ProbeTarget(url, playlist, 0)
        return await prober.probe(target, None, ProbeLimits(timeout_s, 3.0), 1000.0)
    finally:
        await prober.close()


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An answer that never ends."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(bytes(65536))
        await writer.drain()


async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept the request and never answer."""
    await asyncio.sleep(60)


@pytest.mark.parametrize(
    ("answer", "playlist", "result", "why"),
    [
        (saying(http(200, b"ok")), False, "ok", ""),
        (saying(http(204)), False, "ok", ""),
        (saying(http(200, bytes(2 * MAX_BYTES))), False, "ok", ""),
        (saying(http(200, LIVE)), True, "ok", ""),
        (saying(http(503)), False, "status", "HTTP 503"),
        (saying(http(404)), True, "status", "HTTP 404"),
        (saying(http(304)), False, "status", "HTTP 304"),
        (saying(http(200, b"<html>")), True, "not-media",
         "no media playlist: RFC 8216bis 4.4.1.1: the first line is not #EXTM3U"),
        (saying(http(200, MULTIVARIANT)), True, "not-media",
         "no media playlist: RFC 8216bis 4.4.6: this is not a media playlist"),
        (saying(http(200, bytes(2 * MAX_BYTES))), True, "not-media",
         f"no media playlist: limit of this gateway: larger than {MAX_BYTES} bytes"),
        (saying(http(200, LIVE.replace(b":9", b":1152921504606846976"))), True, "ok", ""),
        (saying(http(200, LIVE.replace(b":9", b":18446744073709551616"))), True, "not-media",
         "no media playlist: RFC 8216bis 4.2: the media sequence is over 2^64 - 1 or no number"),
        (saying(http(200, LIVE.replace(b"F:4", b"F:1e300"))), True, "not-media",
         "no media playlist: RFC 8216bis 4.2: a duration is no number of seconds up to 86400"),
        (saying(http(200, DATED.replace(b"F:4", b"F:1e300"))), True, "not-media",
         "no media playlist: RFC 8216bis 4: m3u8 cannot read it (OverflowError)"),
        (endless, False, "ok", ""),
        (never, False, "timeout", "no response in 500 ms"),
        (saying(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", *[b"1"] * 9, pause_s=0.2),
         False, "timeout", "no response in 500 ms"),
        (saying(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1"), False, "broken",
         "broken response: ClientPayloadError"),
        (saying(b"garbage\r\n\r\n"), False, "broken", "broken response: ClientResponseError"),
        (saying(b""), False, "broken", "broken response: ServerDisconnectedError"),
        (saying(http(302, headers="Location: http://localhost:9/\r\n")), False, "redirect",
         "redirected elsewhere"),
        (saying(http(302, headers="Location: //other.example/\r\n")), False, "redirect",
         "redirected elsewhere"),
        (saying(http(302, headers="Location: http://127.0.0.1:22/\r\n")), False, "redirect",
         "redirected elsewhere"),
        (saying(http(302, headers="Location: file:///etc/passwd\r\n")), False, "redirect",
         "redirected elsewhere"),
        (saying(http(302)), False, "redirect", "redirected elsewhere"),
        (saying(http(302, headers="Location: /again\r\nConnection: close\r\n")), False, "redirect",
         "more than 3 redirects"),
    ],
)  # fmt: skip
async def test_what_an_answer_means(answer: Answer, playlist: bool, result: str, why: str) -> None:
    """A probe succeeds on a complete 2xx answer within the time, from the same host."""
    async with listening(answer) as port:
        probed = await probe(f"http://127.0.0.1:{port}/health", playlist=playlist)
    assert (result, why) == (probed.kind, probed.outcome.failure)


@pytest.mark.parametrize(
    ("url", "result", "why"),
    [
        ("http://127.0.0.1:{port}/", "refused", "connection refused"),
        ("http://no-such-host.invalid/", "dns", "the name does not resolve"),
    ],
)
async def test_nobody_there(url: str, result: str, why: str) -> None:
    """An edge that refuses connections fails at once."""
    probed = await probe(url.format(port=free_port()), timeout_s=5)
    assert (result, why) == (probed.kind, probed.outcome.failure)


@pytest.mark.parametrize(
    ("location", "there"),
    [
        ("/b?c=d", "http://e.example/b?c=d"),
        ("b", "http://e.example/v/b"),
        ("http://e.example:80/b", "http://e.example/b"),
        ("https://e.example/b", "https://e.example/b"),
        ("https://e.example:8443/b", None),
        ("http://e.example:81/", None),
        ("http://f.example/", None),
        ("//f.example/", None),
        ("ftp://e.example:80/", None),
        ("", None),
    ],
)
def test_where_a_redirect_may_lead(location: str, there: str | None) -> None:
    """Redirects are followed on the same host only: an edge cannot make the gateway request another
    host."""
    if there is None:
        with pytest.raises(ProbeError):
            followed(URL("http://e.example/v/a"), location)
    else:
        assert there == str(followed(URL("http://e.example/v/a"), location))


async def test_a_redirect_within_the_host_is_followed() -> None:
    """A few redirects on the same host are followed."""
    paths: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for status in (302, 204):
            paths.append((await reader.readuntil(b"\r\n\r\n")).split()[1])
            writer.write(http(status, headers="Location: /there\r\n"))

    async with listening(answer) as port:
        assert "ok" == (await probe(f"http://127.0.0.1:{port}/here")).kind
    assert [b"/here", b"/there"] == paths


async def test_a_live_playlist_must_advance() -> None:
    """A playlist is stale after three target durations without a new segment, until the next one.
    Another worker's observation counts."""
    prober = Prober(4)
    async with listening(saying(http(200, LIVE))) as port:
        target = ProbeTarget(f"http://127.0.0.1:{port}/live.m3u8", True, 0)
        bounds = ProbeLimits(0.5, 3.0)
        first = await prober.probe(target, None, bounds, 1000.0)
        assert first.seen is not None
        later = [
            (await prober.probe(target, seen, bounds, now_s)).kind
            for seen, now_s in (
                (first.seen, 1012.0),
                (first.seen, 1012.1),
                (first.seen.head, 1012.1),
                (LivePosition(5, 8, 900.0), 1012.1),
            )
        ]
    await prober.close()
    assert ["ok", "stale", "stale", "ok"] == later


async def test_a_complete_playlist_is_never_stale() -> None:
    """It has no live position, however long ago it was first seen."""
    prober = Prober(4)
    async with listening(saying(http(200, LIVE + b"#EXT-X-ENDLIST\n"))) as port:
        target = ProbeTarget(f"http://127.0.0.1:{port}/vod.m3u8", True, 0)
        found = await prober.probe(target, LivePosition(5, 7, 0.0), ProbeLimits(0.5, 3.0), 1e9)
    await prober.close()
    assert found.seen is not None
    assert ("ok", None) == (found.kind, found.seen.head)


@pytest.mark.parametrize(
    ("edge", "path", "url", "playlist"),
    [
        (Edge("e", "https://e.example/v/"), None, None, False),
        (Edge("e", "https://e.example/v/"), "up", "https://e.example/v/up", False),
        (Edge("e", "https://e.example/v/", health_url="/up?a=1"), "x", "https://e.example/up?a=1",
         False),
        (Edge("e", "https://e.example/v/", health_url="http://h.example:9/"), None,
         "http://h.example:9/", False),
        (Edge("e", "https://e.example/v/", health_playlist="a/b.m3u8"), "x",
         "https://e.example/v/a/b.m3u8", True),
    ],
)  # fmt: skip
def test_what_is_asked_for(edge: Edge, path: str | None, url: str | None, playlist: bool) -> None:
    """The edge's own target comes first, then ``health.path``; without either it is not probed."""
    target = target_of(edge, path)
    assert (url, playlist) == ((target.url, target.playlist) if target else (None, False))


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate and its key, in one file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        missing("probes over TLS: there is no openssl to make a certificate")
    made, signed = tmp_path / "made.pem", tmp_path / "cert.pem"
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=edge.test"]
    places = ["-keyout", str(made), "-out", str(signed)]
    subprocess.run([*command, *places], check=True, capture_output=True)
    with made.open("a") as opened:
        opened.write(signed.read_text())
    return made


async def test_tls_is_verified(certificate: Path) -> None:
    """An edge with an untrusted certificate fails its probes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    async with listening(saying(http(200)), context) as port:
        probed = await probe(f"https://127.0.0.1:{port}/", timeout_s=5)
    assert ("tls", "TLS failed") == (probed.kind, probed.outcome.failure)
