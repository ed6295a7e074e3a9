"""The demo's edges over real sockets."""

import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio

from demo.config import CATALOGUE, config_text
from demo.edges import (
    EDGES,
    HOSTS,
    PortBusyError,
    RunningEdge,
    listen,
    listen_for_edges,
    serve_edges,
)
from gateway.config.load import load

INIT = "demo/video/240p/init.mp4"

pytestmark = pytest.mark.asyncio(loop_scope="module")
needs_hosts = pytest.mark.skipif(sys.platform == "darwin", reason="macOS has no 127.0.0.2")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edges() -> AsyncIterator[tuple[RunningEdge, ...]]:
    """The three edges on a free port."""
    async with serve_edges(CATALOGUE) as served:
        yield served.running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client that ignores the proxy settings of this machine."""
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


async def test_every_edge_signs_what_it_serves(
    edges: tuple[RunningEdge, ...], http: httpx.AsyncClient
) -> None:
    """A segment names the edge that it came from, in a header that pages may read."""
    seen = []
    for running in edges:
        answer = await http.get(f"{running.url}demo/video/240p/000.m4s")
        exposed = answer.headers["access-control-expose-headers"].split(", ")
        seen.append((answer.status_code, answer.headers["edge"], "Edge" in exposed))
    assert [(200, edge.id, True) for edge in EDGES] == seen


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("demo/master.m3u8", "application/vnd.apple.mpegurl"),
        ("demo/video/360p/000.m4s", "video/mp4"),
        (INIT, "video/mp4"),
        ("demo/subtitles/en/all.vtt", "text/vtt; charset=utf-8"),
    ],
)
async def test_media_types(
    edges: tuple[RunningEdge, ...], http: httpx.AsyncClient, path: str, media_type: str
) -> None:
    """Playlists, segments and subtitles have the types that players ask for, and may be cached."""
    answer = await http.get(edges[0].url + path)
    assert (200, media_type, "public, max-age=3600", "*") == (
        answer.status_code,
        answer.headers["content-type"],
        answer.headers["cache-control"],
        answer.headers["access-control-allow-origin"],
    )


async def test_byte_ranges(edges: tuple[RunningEdge, ...], http: httpx.AsyncClient) -> None:
    """A range request is answered with 206 and exactly those bytes."""
    whole = (CATALOGUE / INIT).read_bytes()
    answer = await http.get(edges[1].url + INIT, headers={"Range": "bytes=4-11"})
    assert (206, whole[4:12], f"bytes 4-11/{len(whole)}", "video/mp4", "demo-as") == (
        answer.status_code,
        answer.content,
        answer.headers["content-range"],
        answer.headers["content-type"],
        answer.headers["edge"],
    )


async def test_preflight(edges: tuple[RunningEdge, ...], http: httpx.AsyncClient) -> None:
    """A page on another origin may send CMCD headers to an edge (rule D3.5)."""
    asked = {"Origin": "http://x.example", "Access-Control-Request-Headers": "cmcd-request"}
    answer = await http.options(edges[0].url + INIT, headers=asked)
    expected = (204, "*", "*")
    assert expected == (
        answer.status_code,
        answer.headers["access-control-allow-origin"],
        answer.headers["access-control-allow-headers"],
    )


@pytest.mark.parametrize("path", ["demo/nothing.m4s", "%2e%2e/build.py", "demo/../../edges.py"])
async def test_what_is_not_there_is_404(
    edges: tuple[RunningEdge, ...], http: httpx.AsyncClient, path: str
) -> None:
    """Missing files and paths outside the catalogue are 404, with the ``Edge`` header."""
    answer = await http.get(edges[2].url + path)
    expected = (404, "demo-na")
    assert expected == (answer.status_code, answer.headers["edge"])


async def test_health(edges: tuple[RunningEdge, ...], http: httpx.AsyncClient) -> None:
    """Every edge answers health checks with its name."""
    answers = [(await http.get(f"{running.url}healthz")).json() for running in edges]
    assert [{"edge": e.id, "city": e.city, "status": "ok"} for e in EDGES] == answers


@needs_hosts
async def test_the_edges_differ_in_their_hosts_alone(edges: tuple[RunningEdge, ...]) -> None:
    """So that content steering can move a session by replacing the host."""
    parts = [urlsplit(running.url) for running in edges]
    assert list(HOSTS) == [part.hostname for part in parts]
    assert 1 == len({(part.scheme, part.port, part.path) for part in parts})


@needs_hosts
async def test_a_busy_port_is_one_clear_line() -> None:
    """The error names the busy port and its host, and no edge keeps running."""
    with socket.create_server((HOSTS[1], 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortBusyError) as caught:
            async with serve_edges(CATALOGUE, port=port):
                pytest.fail("two servers share one port")
        with listen(HOSTS[0], port):
            pass
    assert f"port {port} on 127.0.0.2 is already in use; choose another one" == str(caught.value)


@needs_hosts
async def test_a_port_that_is_busy_on_another_host_is_not_chosen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Any free port is one that is free on every host."""
    asked: list[tuple[str, int]] = []

    def refusing_the_first(host: str, port: int) -> socket.socket:
        asked.append((host, port))
        if len(asked) == 2:
            raise PortBusyError("taken")
        return listen(host, port)

    monkeypatch.setattr("demo.edges.listen", refusing_the_first)
    with listen_for_edges(3) as bound:
        hosts, ports = zip(*(sock.getsockname() for sock in bound), strict=True)
    assert (HOSTS, 1, 5) == (hosts, len(set(ports)), len(asked))


async def test_without_the_other_hosts_the_edges_differ_in_their_ports() -> None:
    """macOS has 127.0.0.1 alone. TEST-NET-1 is an address that no machine has."""
    with listen_for_edges(3, hosts=(HOSTS[0], "192.0.2.1", "192.0.2.2")) as bound:
        hosts, ports = zip(*(sock.getsockname() for sock in bound), strict=True)
    assert ({HOSTS[0]}, 3) == (set(hosts), len(set(ports)))


async def test_closed_edges_free_their_ports(http: httpx.AsyncClient) -> None:
    """When the context ends, the ports are free."""
    async with serve_edges(CATALOGUE) as served:
        url = served.running[0].url
    with pytest.raises(httpx.ConnectError):
        await http.get(f"{url}healthz")


async def test_an_edge_that_was_stopped_starts_again(http: httpx.AsyncClient) -> None:
    """Connections to it are refused meanwhile, others serve, and its URL stays. Twice is once."""
    async with serve_edges(CATALOGUE) as served:
        first, second, _ = served.running
        await served.stop(first.edge.id)
        await served.stop(first.edge.id)
        with pytest.raises(httpx.ConnectError):
            await http.get(f"{first.url}healthz")
        assert (await http.get(f"{second.url}healthz")).is_success
        assert not served.serves(first.edge.id)
        await served.start(first.edge.id)
        await served.start(first.edge.id)
        assert served.serves(first.edge.id)
        assert (await http.get(f"{first.url}healthz")).json()["edge"] == first.edge.id


async def test_the_demo_config_is_valid(edges: tuple[RunningEdge, ...], tmp_path: Path) -> None:
    """The config that the demo writes loads without a warning and names the origin and the edges
    that run."""
    path = tmp_path / "gateway.toml"
    path.write_text(config_text("http://127.0.0.1:9010/", edges, 8080, 8090), "utf-8")
    loaded = load(path, {})
    expected = [(e.edge.id, e.url, e.edge.latitude, set(e.edge.continents)) for e in edges]
    assert expected == [(e.id, e.url, e.latitude, set(e.continents)) for e in loaded.policy.edges]
    assert ((), "http://127.0.0.1:9010/") == (loaded.warnings, str(loaded.settings.source.url))
