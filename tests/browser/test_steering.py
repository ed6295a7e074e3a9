"""Does a running session leave an edge that dies, drains or turns slow, in a real browser?

The demo's edges differ in their hosts alone, where the machine has 127.0.0.2 and 127.0.0.3.
"""

import asyncio
import contextlib
import re
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import Browser, Page, Request, Response

from demo.config import CATALOGUE, config_text
from demo.edges import EDGES, RunningEdge, edge_app, listen, listen_for_edges, serve, url_of
from demo.front import with_page
from demo.origin import serve_origin
from demo.site import site
from demo.token_bucket import TokenBucket
from gateway.app import Application, build
from gateway.config.load import load
from gateway.edge.fleet import EdgeCondition
from gateway.steering.steering_config import SteeringConfig
from tests.browser.test_playback import DESKTOP, IN_SMALL_WINDOW, NORWAY, SMALL_BUFFER, until, visit

needs_hosts = pytest.mark.skipif(sys.platform != "linux", reason="needs 127.0.0.2 and 127.0.0.3")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    needs_hosts,
]

TTL_S = 1
DWELL_S = 10
"""On a busy machine, players take a while to do what they are told. After this time it counts as a
refusal."""
SLOW_TTL_S = 4
"""Long enough for the player to measure the slow edge within one."""
STEERING = """
[steering]
ttl_s = {ttl_s}
ttl_jitter = 0
dwell_s = {dwell_s}
leave_s = 2
"""
WAIT_S = 30.0
SMALL, FULL = "360p", "1080p"
"""The largest picture: a small one takes little to decode, and the full ladder is for speeds."""

# Stalls are the time between "waiting" and the next moment at which the picture moves on.
COUNT_STALLS = """() => {
  window.stalledMs = 0;
  let since = null;
  video.addEventListener('waiting', () => { since ??= performance.now(); });
  video.addEventListener('timeupdate', () => {
    if (since !== null) { window.stalledMs += performance.now() - since; since = null; }
  });
}"""


@dataclass
class Stage:
    """A gateway with three edges that can be killed and slowed."""

    url: str
    gateway: Application
    edges: dict[str, contextlib.AsyncExitStack]
    buckets: dict[str, TokenBucket]

    async def kill(self, edge: str) -> None:
        """Stop an edge: connections are refused."""
        await self.edges[edge].aclose()


@contextlib.asynccontextmanager
async def stage(
    folder: Path,
    ttl_s: int = TTL_S,
    *,
    dwell_s: int = DWELL_S,
    inline: bool = False,
    ports: bool = False,
    copies: str = "",
    classes: bool = False,
) -> AsyncIterator[Stage]:
    """The demo's edges on three hosts, and the gateway with its page. ``inline``: playlists hold
    the first steering manifest. ``ports``: the edges have one host, and ports of their own.
    ``classes``: live MPDs are class manifests."""
    async with contextlib.AsyncExitStack() as stack:
        if ports:
            sockets = [stack.enter_context(listen("127.0.0.1", 0)) for _ in EDGES]
        else:
            sockets = stack.enter_context(listen_for_edges(len(EDGES)))
        running, closers, buckets = [], {}, {}
        for edge, sock in zip(EDGES, sockets, strict=True):
            closer = await stack.enter_async_context(contextlib.AsyncExitStack())
            buckets[edge.id] = TokenBucket(edge_app(CATALOGUE, edge))
            await closer.enter_async_context(serve(buckets[edge.id], sock, lifespan=False))
            closers[edge.id] = closer
            running.append(RunningEdge(edge, url_of(sock)))
        origin = await stack.enter_async_context(serve_origin(CATALOGUE))
        bound = stack.enter_context(listen("127.0.0.1", 0))
        actual = bound.getsockname()[1]
        config = folder / "gateway.toml"
        text = config_text(origin, running, actual, 8090).replace('"embedded"', '"memory"')
        config.write_text(text + STEERING.format(ttl_s=ttl_s, dwell_s=dwell_s))
        environ = {"GATEWAY_SERVER__PUBLIC_URL": f"http://127.0.0.1:{actual}/"}
        if inline:
            environ["GATEWAY_STEERING__INLINE"] = "true"
        if copies:
            environ["GATEWAY_STEERING__COPIES"] = copies
        if classes:
            environ["GATEWAY_DASH__CLASS_MANIFESTS"] = "true"
        gateway = build(load(config, environ))
        app = with_page(site(running, "http://127.0.0.1:8090", origin), gateway)
        await stack.enter_async_context(serve(app, bound, lifespan=True))
        yield Stage(f"http://127.0.0.1:{actual}", gateway, closers, buckets)


@dataclass
class Loaded:
    """Which edge served each video segment, and the statuses of steering manifests."""

    segments: list[str] = field(default_factory=list)
    steering: list[int] = field(default_factory=list)
    manifests: int = 0
    hosts: list[str] = field(default_factory=list)
    steered_when_moved: int = 0
    reported_bps: list[int | None] = field(default_factory=list)

    def ask(self, request: Request) -> None:
        """Note from which host a segment is asked, after how many steering manifests that became
        another one, and what each request for one reports."""
        if "/v1/steering/" in request.url:
            measured = parse_qs(urlsplit(request.url).query).get("_HLS_throughput")
            bps = int(measured[0]) if measured else 0
            # hls.js sends a signed number of 32 bits: a fast one is negative, and says nothing.
            self.reported_bps.append(bps if bps > 0 else None)
        if "/video/" in request.url and request.url.endswith(".m4s"):
            host = urlsplit(request.url).netloc
            if self.hosts and self.hosts[-1] != host:
                self.steered_when_moved = self.steered_when_moved or len(self.steering)
            self.hosts.append(host)

    def note(self, response: Response) -> None:
        """Note one answer."""
        if "/video/" in response.url and response.url.endswith(".m4s"):
            self.segments.append(response.headers.get("edge", "none"))
        elif "/v1/steering/" in response.url:
            self.steering.append(response.status)
        elif "/v1/play/demo.m3u8" in response.url:
            self.manifests += 1

    @property
    def last(self) -> str:
        """The edge of the last segment."""
        return self.segments[-1] if self.segments else ""


@contextlib.asynccontextmanager
async def playing(
    browser: Browser, on: Stage, picture: str = SMALL
) -> AsyncIterator[tuple[Page, Loaded]]:
    """A desktop in Norway that plays from demo-eu, the nearest edge."""
    loaded = Loaded()
    async with visit(browser, on.url, IN_SMALL_WINDOW) as page:
        page.on("request", loaded.ask)
        page.on("response", loaded.note)
        await page.add_init_script(SMALL_BUFFER)
        await page.goto(f"/demo?from={NORWAY}&max_resolution={picture}")
        await until(page, "video.currentTime > 2")
        await page.evaluate(COUNT_STALLS)
        assert "demo-eu" == loaded.last
        yield page, loaded


async def happens(condition: Callable[[], bool], *known: object) -> None:
    """Wait until a condition holds. If it never does, the failure shows what is ``known``."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < WAIT_S, f"it never happened: {known}"
        await asyncio.sleep(0.05)


async def still_plays(page: Page) -> None:
    """The picture goes on for two more seconds, without a reload."""
    at = float(await page.evaluate("video.currentTime"))
    await until(page, f"video.currentTime > {at} + 2 || video.currentTime < {at}")


async def test_an_edge_is_killed(browser: Browser, hls_js: Path, tmp_path: Path) -> None:
    """Playback goes on from another edge, without a reload or a stall of a second."""
    async with stage(tmp_path) as on, playing(browser, on) as (page, loaded):
        await on.kill("demo-eu")
        await happens(lambda: loaded.last in {"demo-as", "demo-na"})
        await still_plays(page)
        stalled_ms = await page.evaluate("window.stalledMs")
    assert stalled_ms < 1000
    assert 1 == loaded.manifests
    assert {200} == set(loaded.steering)


async def test_an_edge_drains(browser: Browser, hls_js: Path, tmp_path: Path) -> None:
    """A running session moves without a reload."""
    async with stage(tmp_path) as on, playing(browser, on) as (page, loaded):
        on.gateway.keeper.judged("drain", {"demo-eu": EdgeCondition("draining", 0.0)})
        await happens(lambda: loaded.last in {"demo-as", "demo-na"})
        await still_plays(page)
    assert 1 == loaded.manifests


async def test_an_edge_turns_slow(browser: Browser, hls_js: Path, tmp_path: Path) -> None:
    """It is up, and its probes are good, but the viewer measures a fraction of what the film needs:
    when the player reports that, the second steering manifest, at the latest, moves the session."""
    async with stage(tmp_path, SLOW_TTL_S) as on, playing(browser, on, FULL) as (page, loaded):
        on.buckets["demo-eu"].bytes_per_s = 30_000
        await happens(lambda: loaded.last in {"demo-as", "demo-na"})
        await still_plays(page)
        need_bps = await need_of(page)
    reported = loaded.reported_bps
    # The first figure is the one that hls.js is built with.
    slow = [at for at, bps in enumerate(reported) if at and is_slow(bps, reported[:at], need_bps)]
    assert slow, f"reported {reported}, needs {need_bps}"
    assert loaded.steered_when_moved - slow[0] <= 2, f"reported {reported}, {loaded}"
    assert 1 == loaded.manifests
    assert "up" == on.gateway.gateway.fleet.condition("demo-eu").state  # type: ignore[union-attr]


async def need_of(page: Page) -> int:
    """The bit/s that the highest rung needs."""
    playlist = await (await page.request.get("/v1/play/demo.m3u8")).text()
    return max(map(int, re.findall(r"INF:BANDWIDTH=(\d+)", playlist)))


def is_slow(bps: int | None, before: Sequence[int | None], need_bps: int) -> bool:
    """Whether a report is below what the highest rung needs, and below half of the best before."""
    best_bps = max((each for each in before if each is not None), default=None)
    if bps is None or bps >= need_bps:
        return False
    return best_bps is None or bps < SteeringConfig().slow_share * best_bps


async def test_edges_on_ports_of_their_own(browser: Browser, hls_js: Path, tmp_path: Path) -> None:
    """The playlist lists the ladder for each of them: a session leaves an edge that drains, and the
    next one when that is killed."""
    async with stage(tmp_path, ports=True) as on, playing(browser, on) as (page, loaded):
        on.gateway.keeper.judged("drain", {"demo-eu": EdgeCondition("draining", 0.0)})
        await happens(lambda: loaded.last in {"demo-as", "demo-na"})
        second = loaded.last
        await still_plays(page)
        await on.kill(second)
        await happens(lambda: loaded.last not in {second, ""})
        await still_plays(page)
    assert 1 == loaded.manifests
    assert {200} == set(loaded.steering)


async def test_an_inline_manifest_is_read(browser: Browser, hls_js: Path, tmp_path: Path) -> None:
    """hls.js reads the manifest in the playlist, since nothing else leads to the steering server,
    and knows the other edges by it. A page whose policy is strict has to allow ``data:``."""
    async with stage(tmp_path, inline=True) as on:
        loaded = Loaded()
        context = await browser.new_context(
            base_url=on.url, user_agent=DESKTOP.user_agent, bypass_csp=True
        )
        page = await context.new_page()
        page.on("response", loaded.note)
        await page.add_init_script(SMALL_BUFFER)
        await page.goto(f"/demo?from={NORWAY}&max_resolution={SMALL}")
        await until(page, "video.currentTime > 1")
        await happens(lambda: 200 in loaded.steering)
        await on.kill("demo-eu")
        await happens(lambda: loaded.last in {"demo-as", "demo-na"})
        await still_plays(page)
        await context.close()
    assert {200} == set(loaded.steering)
