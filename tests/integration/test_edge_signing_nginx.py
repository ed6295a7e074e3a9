"""Edges that check signatures: a real nginx with the block of docs/edge-signing.md, players'
requests, and the gateway's own probes."""

import asyncio
import http.client
import time
from collections.abc import Iterator
from urllib.parse import quote, unquote

import pytest

from gateway.background.probe import ProbeLimits, Prober, ProbeResult, target_of
from gateway.edge.edge import Edge
from gateway.edge.signing import EdgeSigning
from gateway.trust.edge_signing.akamai import AkamaiSigner
from gateway.trust.edge_signing.nginx import NginxSigner
from gateway.trust.edge_signing.scheme import SecretKey
from tests.missing import missing
from tests.secure_link import MISSING, SECRET, has_nginx, secure_link

FOLDERS = ("/videos/", "/my%20videos/", "/%C3%A9t%C3%A9/100%25/", "/a+b&c=d;e,f(g)'h@i!/~/")
PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n1.ts\n#EXT-X-ENDLIST\n"


def signing(secret: str = SECRET) -> EdgeSigning:
    """As a table of the configuration would make it."""
    signer = NginxSigner(SecretKey("k", secret.encode()))
    return EdgeSigning(secret, signer, lifetime_s=600, step_s=60)


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """nginx as the documentation configures it; gives its URL, without a slash at its end."""
    if not has_nginx():
        missing(MISSING)
    folder = tmp_path_factory.mktemp("nginx")
    for path in FOLDERS:
        media = folder / "media" / unquote(path).strip("/") / "show" / "s~1"
        media.mkdir(parents=True)
        (media / "1.ts").write_bytes(path.encode())
        (media / "720p.m3u8").write_bytes(PLAYLIST)
    with secure_link(folder, folder / "media") as port:
        yield f"http://127.0.0.1:{port}"


def get(url: str) -> tuple[int, bytes]:
    """Status and body; the URL is sent as it is."""
    host, _, path = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host, timeout=5)
    try:
        connection.request("GET", f"/{path}")
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("folder", FOLDERS)
def test_what_is_signed_is_served(nginx: str, folder: str) -> None:
    """Everything below the signed folder, with any query, and in any form of the same path."""
    base = signing().signed_base(f"{nginx}{folder}", "show/", time.time())
    for path in ("s~1/1.ts", "s~1/1.ts?x=/../y", "s%7E1/1%2Ets", "x/../s~1/1.ts"):
        assert (200, folder.encode()) == get(f"{base}{path}")
    assert 404 == get(f"{base}s~1/2.ts")[0]


def test_what_is_not_signed_is_refused(nginx: str) -> None:
    """No signature, one of another folder, time or key, and one whose time is over. nginx and
    the scheme judge alike."""
    signed, now_s = signing(), time.time()
    base = signed.signed_base(f"{nginx}/videos/", "show/", now_s)
    old = signed.signed_base(f"{nginx}/videos/", "show/", now_s - 700)
    expires_s = signed.validity(now_s).expires_s
    for url, status in (
        (f"{base}s~1/1.ts", 200),
        (f"{nginx}/videos/show/s~1/1.ts", 403),
        (f"{base}../s~1/1.ts", 403),
        (f"{base}%2e%2e/show/s~1/1.ts", 403),
        (base.replace("/show/", "/other/") + "1.ts", 403),
        (base.replace("/videos/", "/videos/x/../") + "s~1/1.ts", 200),
        (base.replace(f"~{expires_s}~", f"~{expires_s + 1}~") + "s~1/1.ts", 403),
        (signing("x" * 32).signed_base(f"{nginx}/videos/", "show/", now_s) + "s~1/1.ts", 403),
        (f"{old}s~1/1.ts", 410),
    ):
        assert status == get(url)[0], url
        if ".." not in url and "%2e" not in url:
            refusal = signed.signer.refusal(url, {}, now_s)
            assert (status == 200) is (refusal is None), url
            assert (status == 410) is (refusal == "has expired"), url


@pytest.mark.parametrize(
    ("health", "secret", "expected"),
    [
        ({"health_url": "show/s~1/1.ts"}, SECRET, "ok"),
        ({"health_url": "show/s~1/1.ts?deep=1"}, SECRET, "ok"),
        ({"health_playlist": "show/s~1/720p.m3u8"}, SECRET, "ok"),
        ({"health_url": "show/s~1/1.ts"}, "x" * 32, "status"),
        ({"health_url": "/videos/../status"}, SECRET, "status"),
        ({"health_url": "show/s~1/1.ts"}, None, "status"),
    ],
)
async def test_probes_sign_their_requests(
    nginx: str, health: dict[str, str], secret: str | None, expected: str
) -> None:
    """Below the edge's url; with the wrong key, elsewhere, or without signing nginx refuses."""
    given = None if secret is None else signing(secret)
    edge = Edge(
        "e",
        f"{nginx}{FOLDERS[3]}",
        signing=given,
        health_url=health.get("health_url"),
        health_playlist=health.get("health_playlist"),
    )
    assert expected == (await probed(edge)).kind


async def test_probes_send_cookies() -> None:
    """For schemes whose signature is a cookie: in the request, with the URL as it is."""
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    signer = AkamaiSigner(SecretKey("k", SECRET.encode()), cookie_domain="example")
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        found = EdgeSigning("id", signer, lifetime_s=600, step_s=60)
        edge = Edge("e", f"http://127.0.0.1:{port}/v/", health_url="a/up", signing=found)
        assert "ok" == (await probed(edge)).kind
    (head,) = asked
    assert head.startswith(b"GET /v/a/up HTTP/1.1\r\n")
    assert b"\r\nCookie: hdnts=st=" in head
    assert b"~acl=/v/a/*~hmac=" in head


async def probed(edge: Edge) -> ProbeResult:
    """One probe of an edge now."""
    target = target_of(edge, None)
    assert target is not None
    prober = Prober(1)
    try:
        signed = target.at(time.time())
        assert "hmac" not in repr(signed)
        return await prober.probe(signed, None, ProbeLimits(5.0, 3.0), 1000.0)
    finally:
        await prober.close()


def test_every_folder_is_in_the_form_that_the_gateway_takes() -> None:
    """The folders above are percent-encoded as a configured URL must be."""
    for folder in FOLDERS:
        assert folder == quote(unquote(folder), safe="/~+&=;,()'@!")
