"""The demo's edges over real sockets."""

import asyncio
import socket
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import m3u8
import pytest
import pytest_asyncio

from demo.boxes import boxes
from demo.config import CATALOGUE, FOR_THE_PAGE, config_text
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


async def test_an_edge_that_was_killed_is_mended(http: httpx.AsyncClient) -> None:
    """Connections to it are refused meanwhile, others serve, and its URL stays. Twice is once."""
    async with serve_edges(CATALOGUE) as served:
        first, second, _ = served.running
        await served.kill(first.edge.id)
        await served.kill(first.edge.id)
        with pytest.raises(httpx.ConnectError):
            await http.get(f"{first.url}healthz")
        assert (await http.get(f"{second.url}healthz")).is_success
        assert (["killed"], []) == (served.faults(first.edge.id), served.faults(second.edge.id))
        await served.mend(first.edge.id)
        await served.mend(first.edge.id)
        assert not served.faults(first.edge.id)
        assert (await http.get(f"{first.url}healthz")).json()["edge"] == first.edge.id


async def test_a_slow_edge_is_slow_until_it_is_mended(http: httpx.AsyncClient) -> None:
    """It answers late, and its media at 30 kB/s; others are as fast as they were."""
    async with serve_edges(CATALOGUE) as served:
        first, second, _ = served.running
        served.slow(first.edge.id)
        took = []
        for url in (first.url, second.url):
            begun = time.monotonic()
            await http.get(f"{url}demo/video/240p/000.m4s")
            took.append(time.monotonic() - begun)
        size = (CATALOGUE / "demo/video/240p/000.m4s").stat().st_size
        assert took[0] > max(0.5, size / 30_000) > took[1]
        await served.mend(first.edge.id)
        assert not served.faults(first.edge.id)


async def test_a_viewers_network_paces_what_edges_send(http: httpx.AsyncClient) -> None:
    """All edges together send at its rate; another viewer's is its own."""
    size = (CATALOGUE / "demo/video/240p/000.m4s").stat().st_size
    slow = {"Demo-Viewer": f"id=slow, kbps={size * 8 // 1000}"}  # a second for each segment
    async with serve_edges(CATALOGUE) as served:
        urls = [f"{running.url}demo/video/240p/000.m4s" for running in served.running[:2]]
        begun = time.monotonic()
        both = asyncio.gather(*(http.get(url, headers=slow) for url in urls))
        await http.get(urls[0], headers={"Demo-Viewer": "id=other"})
        other = time.monotonic() - begun
        assert {200} == {answer.status_code for answer in await both}
        assert other < 1
        assert time.monotonic() - begun > 1.5


async def test_the_title_goes_on_after_its_loop(http: httpx.AsyncClient) -> None:
    """Segments of later loops are those of the first with later times, whole and in part; the last
    one is there, and none after it."""
    folder = CATALOGUE / "demo/audio/en"
    count = len(list(folder.glob("*.m4s")))
    async with serve_edges(CATALOGUE) as served:
        url = f"{served.running[0].url}demo/audio/en/"
        listed = m3u8.loads((await http.get(f"{url}index.m3u8")).text).segments
        later = await http.get(f"{url}{count + 1:03}.m4s")
        part = await http.get(f"{url}{count + 1:03}.m4s", headers={"Range": "bytes=4-11"})
        statuses = [
            (await http.get(f"{url}{number:03}.m4s")).status_code
            for number in (len(listed) - 1, len(listed))
        ]
    first = (folder / "001.m4s").read_bytes()
    loop_ticks = 8 * 48_000
    assert times(first) + loop_ticks == times(later.content)
    assert (206, later.content[4:12], "video/mp4") == (
        part.status_code,
        part.content,
        part.headers["content-type"],
    )
    assert [200, 404] == statuses
    assert pytest.approx(600, abs=0.01) == sum(segment.duration for segment in listed)


def times(segment: bytes) -> int:
    """The decode time of a segment."""
    return next(
        int.from_bytes(segment[start + 4 : start + 12])
        for kind, start, _ in boxes(segment)
        if kind == b"tfdt"
    )


async def test_the_demo_config_is_valid(edges: tuple[RunningEdge, ...], tmp_path: Path) -> None:
    """The config that the demo writes loads without a warning and names the origin and the edges
    that run."""
    path = tmp_path / "gateway.toml"
    text = config_text("http://127.0.0.1:9010/", edges, 8080, 8090, capacity_mbps=40)
    path.write_text(text + FOR_THE_PAGE, "utf-8")
    loaded = load(path, {})
    expected = [(e.edge.id, e.url, e.edge.latitude, set(e.edge.continents)) for e in edges]
    assert expected == [(e.id, e.url, e.latitude, set(e.continents)) for e in loaded.policy.edges]
    assert ((), "http://127.0.0.1:9010/") == (loaded.warnings, str(loaded.settings.source.url))
