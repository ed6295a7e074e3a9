"""Edges whose signatures are cookies: who gets them, and that the edge would take them."""

import time
from http.cookies import SimpleCookie
from pathlib import Path

import httpx
import pytest

from gateway.config.load import load
from gateway.edge.edge import Edge
from gateway.play.edge_cookies import cookie_headers
from tests.integration.in_process import application, asking
from tests.integration.running import running_gateway
from tests.unit.trust.edge_signing.keys import rsa_pem

PAGE = "https://www.example.com"
PLAYLIST = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=640x360\nlow.m3u8\n"
CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/131.0.0.0 Safari/537.36"
NAMES = {
    "CloudFront-Policy",
    "CloudFront-Signature",
    "CloudFront-Key-Pair-Id",
    "CloudFront-Hash-Algorithm",
}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue on an edge that signs for CloudFront."""
    folder = tmp_path_factory.mktemp("cookies")
    (folder / "catalogue" / "show" / "s1").mkdir(parents=True)
    (folder / "catalogue" / "show" / "s1" / "master.m3u8").write_text(PLAYLIST)
    (folder / "key.pem").write_bytes(rsa_pem())
    path = folder / "gateway.toml"
    path.write_text(
        f'[server]\npublic_url = "https://play.example.com/"\ncors_origins = ["{PAGE}"]\n'
        '[source]\nkind = "directory"\nroot = "catalogue"\n'
        '[[edges]]\nid = "e"\nurl = "https://media.example.com/v/"\nfallback = true\n'
        '[edges.signing]\nscheme = "cloudfront"\ncookie_domain = "example.com"\n'
        'keys = [{ id = "K1", private_key_file = "key.pem" }]\n'
    )
    return path


def cookies_of(answer: httpx.Response) -> dict[str, str]:
    """The cookies of an answer; each has the attributes that it needs."""
    found: dict[str, str] = {}
    for line in answer.headers.get_list("set-cookie"):
        ((name, cookie),) = SimpleCookie(line).items()
        assert ("example.com", "/v/show/s1/") == (cookie["domain"], cookie["path"])
        assert (True, True, "None") == (cookie["secure"], cookie["httponly"], cookie["samesite"])
        assert ("", "") == (cookie["max-age"], cookie["expires"])
        found[name] = cookie.value
    return found


async def test_manifests_bring_the_cookies_of_their_edge(config: Path) -> None:
    """So do the JSON decision and an answer without a body. The edge would serve the media with
    them, and nothing without; the playlist has the plain URL."""
    (edge,) = load(config, {}).policy.edges
    assert edge.signing is not None
    async with asking(application(config)) as client:
        answer = await client.get("/v1/play/show/s1.m3u8", headers={"Origin": PAGE})
        known = {"If-None-Match": answer.headers["etag"]}
        same = await client.get("/v1/play/show/s1.m3u8", headers=known)
        json = await client.get("/v1/play/show/s1")
    assert (200, 304, 200) == (answer.status_code, same.status_code, json.status_code)
    cookies = cookies_of(answer)
    assert NAMES == cookies.keys() == cookies_of(same).keys() == cookies_of(json).keys()
    assert "https://media.example.com/v/show/s1/low.m3u8" in answer.text
    refusal = edge.signing.signer.refusal
    assert refusal(f"{edge.url}show/s1/low/1.ts", cookies, time.time()) is None
    assert refusal(f"{edge.url}show/s2/low/1.ts", cookies, time.time()) is not None
    assert refusal(f"{edge.url}show/s1/low/1.ts", {}, time.time()) is not None


def test_workers_sign(config: Path) -> None:
    """Each has the private key, which its parent cannot hand on as an object."""
    started = running_gateway(config, "--workers", "2", environ={"GATEWAY_STORE__URL": "memory"})
    with started as gateway:
        answer = httpx.get(f"{gateway.url}/v1/play/show/s1.m3u8", headers={"Origin": PAGE})
        assert NAMES == cookies_of(answer).keys()


@pytest.fixture(scope="module")
def two_edges(config: Path) -> Path:
    """The same catalogue on two edges whose URLs differ in the path."""
    signing = (
        '[edges.signing]\nscheme = "cloudfront"\ncookie_domain = "example.com"\n'
        'keys = [{ id = "K1", private_key_file = "key.pem" }]\n'
    )
    both = config.with_name("both.toml")
    both.write_text(
        config.read_text().partition("[[edges]]")[0]
        + '[steering]\ncopies = "always"\n'
        + "".join(
            f'[[edges]]\nid = "{each}"\nurl = "https://{each}.example.com/{each}/"\n'
            f"fallback = true\n{signing}"
            for each in "ab"
        )
    )
    return both


@pytest.mark.parametrize(("agent", "named"), [(CHROME, "ab"), ("Roku/DVP-9.10", "a")])
async def test_every_edge_of_a_playlist_has_its_cookies(
    two_edges: Path, agent: str, named: str
) -> None:
    """A playlist that lists its ladder once for each of two edges brings the cookies of both. One
    that names one edge brings those of no other."""
    async with asking(application(two_edges, {"GATEWAY_EDGES__0__WEIGHT": "10000"})) as client:
        answer = await client.get("/v1/play/show/s1.m3u8", headers={"User-Agent": agent})
    paths = {
        cookie["path"]
        for line in answer.headers.get_list("set-cookie")
        for cookie in SimpleCookie(line).values()
    }
    found = {each for each in "ab" if f"https://{each}.example.com" in answer.text}
    assert (set(named), {f"/{each}/show/s1/" for each in named}) == (found, paths)


async def test_pages_may_keep_them(config: Path) -> None:
    """Browsers ask for this in the preflight and in the answer; other origins get neither."""
    async with asking(application(config)) as client:
        for method in ("GET", "OPTIONS"):
            path = "/v1/play/show/s1.m3u8"
            answer = await client.request(method, path, headers={"Origin": PAGE})
            assert "true" == answer.headers["access-control-allow-credentials"]
            assert PAGE == answer.headers["access-control-allow-origin"]
            other = await client.request(method, path, headers={"Origin": "https://x.example"})
            assert "access-control-allow-credentials" not in other.headers


def test_other_edges_bring_none(config: Path) -> None:
    """Those that do not sign. Of two with the same cookies, the first one's are set."""
    (edge,) = load(config, {}).policy.edges
    plain = Edge("plain", "https://plain.example/")
    assert () == cookie_headers((plain,), "show/s1/master.m3u8", 0)
    twin = Edge("twin", "https://twin.example.com/v/", signing=edge.signing)
    both = cookie_headers((edge, plain, twin), "show/s1/master.m3u8", 0)
    assert both == cookie_headers((edge,), "show/s1/master.m3u8", 0)
    assert 4 == len(both)
