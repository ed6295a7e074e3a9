"""One run of the quality-of-experience benchmark: a gateway, an edge and a page with hls.js, and
what a viewer of that page sees over an emulated network."""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, CDPSession, Page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

from demo import player
from demo.edges import EDGES, HOST, edge_app, listen, serve, url_of
from demo.front import with_page
from demo.token_bucket import TokenBucket
from gateway.app import build
from gateway.client.prior import STEP, network_name
from gateway.config.load import load
from geodata.place import Place
from tests.benchmark.qoe_media import slug

LATENCY_MS = 40
USER_AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0"
)
VIEWPORT = {"width": 900, "height": 560}
CAPS = """
[server]
host = "127.0.0.1"
port = 8080
trusted_proxies = ["127.0.0.0/8"]

[store]
url = "memory"

[source]
kind = "directory"
root = "{root}"

[log]
level = "error"

[[edges]]
id = "edge"
url = "{edge}"
fallback = true

[profiles.everything]
max_bitrate_kbps = 100_000
start_bitrate_kbps = {start}

[[rules]]
when = {{}}
profile = "everything"
"""
"""The shipped config with a cap that is no limit, since the fixed orders have none either."""

HLS_CONFIG = "{abrEwmaDefaultEstimateMax: 1e9}"
"""What a page that plays from the gateway sets (docs/qoe.md)."""
MEASURE = (
    """([url, from, seconds]) => new Promise((resolve) => {
  const film = document.getElementById("video");
  const seen = { startup_ms: null, first_kbps: null, stalled_s: 0, switches: 0, mean_kbps: 0 };
  let level = null, since = null, at = 0, played = 0, kbits = 0, failed = null;
  const hls = new Hls({ ..."""
    + HLS_CONFIG
    + """, xhrSetup: (request, to) => {
    if (from && new URL(to, location.href).origin === location.origin)
      request.setRequestHeader("X-Forwarded-For", from);
  } });
  const begun = performance.now();
  hls.on(Hls.Events.FRAG_CHANGED, (_, { frag }) => {
    const kbps = Math.round(hls.levels[frag.level].bitrate / 1000);
    seen.first_kbps ??= kbps;
    if (level !== null && level !== kbps) seen.switches += 1;
    level = kbps;
  });
  hls.on(Hls.Events.ERROR, (_, data) => { if (data.fatal) failed = data.details; });
  film.addEventListener("playing", () => {
    const now = performance.now();
    seen.startup_ms ??= now - begun;
    if (since !== null) seen.stalled_s += (now - since) / 1000;
    since = null;
  });
  film.addEventListener("waiting", () => {
    if (seen.startup_ms !== null) since ??= performance.now();
  });
  const timer = setInterval(() => {
    if (level !== null) {
      played += film.currentTime - at;
      kbits += (film.currentTime - at) * level;
      at = film.currentTime;
    }
    const now = performance.now();
    if (now - begun < seconds * 1000 && failed === null) return;
    clearInterval(timer);
    if (since !== null) seen.stalled_s += (now - since) / 1000;
    seen.mean_kbps = played ? kbits / played : 0;
    hls.destroy();
    resolve({ ...seen, failed });
  }, 100);
  hls.loadSource(url);
  hls.attachMedia(film);
})"""
)


def _shipped_start() -> int:
    """The start bit rate of desktops whose speed is unknown."""
    shipped = load(environ={}).policy.profiles["wifi"].start_bitrate_kbps
    assert shipped is not None
    return shipped


Points = Sequence[tuple[float, float]]
"""A network: (seconds, kbit/s), one after the other."""


@dataclass(frozen=True, slots=True)
class Stage:
    """``url`` is that of page and gateway, ``media`` that of the edge."""

    url: str
    media: str
    priors: dict[str, int]
    bucket: TokenBucket

    def playlist(self, state: str, number: int, kbps: float) -> tuple[str, str]:
        """The URL of a playlist in ``state`` for network ``number``, whose viewers have ``kbps``,
        and the address of the viewer."""
        play = f"{self.url}/v1/play/film.m3u8"
        # Addresses without a place, and each network with a prior of its own.
        if state == "known":
            return f"{play}?speed={kbps:.0f}", f"10.1.{number}.1"
        if state == "unknown":
            return play, f"10.2.{number}.1"
        if state == "prior":
            wide, low = divmod(number, 200)
            address = f"10.{10 + low}.{wide}.1"
            place = Place("unknown")
            name = network_name(place, address.rpartition(".")[0] + ".0/24", "desktop")
            self.priors[name] = int(STEP ** math.floor(math.log(kbps, STEP)))
            return play, address
        return f"{self.media}film/{slug(state)}.m3u8", ""


@contextlib.asynccontextmanager
async def stage(folder: Path, root: Path) -> AsyncIterator[Stage]:
    """The gateway with its page, and one edge, for the film in ``root``; the config is written to
    ``folder``."""
    script = player.fetch()

    async def page(_: Request) -> Response:
        return HTMLResponse(
            "<!doctype html><title>QoE</title><script src='/demo/hls.js'></script>"
            "<video id=video muted autoplay playsinline width=854 height=480></video>"
        )

    async def code(_: Request) -> Response:
        return FileResponse(script, media_type="text/javascript")

    pages = Starlette(routes=[Route("/demo", page), Route("/demo/hls.js", code)])
    async with contextlib.AsyncExitStack() as stack:
        media = stack.enter_context(listen(HOST, 0))
        bucket = TokenBucket(edge_app(root, EDGES[0], looped=False))
        await stack.enter_async_context(serve(bucket, media, lifespan=False))
        config = folder / "gateway.toml"
        config.write_text(CAPS.format(root=root, edge=url_of(media), start=_shipped_start()))
        gateway = build(load(config, {}))
        bound = stack.enter_context(listen(HOST, 0))
        await stack.enter_async_context(serve(with_page(pages, gateway), bound, lifespan=True))
        priors = gateway.gateway.priors
        priors.active = True  # a memory store shares none; here is one for each network
        yield Stage(url_of(bound).rstrip("/"), url_of(media), priors.known, bucket)


async def watch(
    browser: Browser, on: Stage, url: str, viewer: str, points: Points, seconds: float
) -> dict[str, float | None]:
    """What the viewer sees in the first ``seconds``: ``startup_ms`` (null: no picture),
    ``first_kbps``, ``stalled_s``, ``mean_kbps`` and ``switches``. Raises RuntimeError when the
    player gives up."""
    context = await browser.new_context(user_agent=USER_AGENT, viewport=VIEWPORT)  # type: ignore[arg-type]
    try:
        page = await context.new_page()
        await page.goto(f"{on.url}/demo")
        network = await context.new_cdp_session(page)
        await network.send("Network.enable")
        steady = len(points) == 1
        await _emulate(network, points[0][1] * 1000 / 8 if steady else -1)
        shaping = asyncio.create_task(_follow(on.bucket, () if steady else points))
        try:
            seen = await _evaluate(page, [url, viewer, seconds], seconds + 60)
        finally:
            shaping.cancel()
    finally:
        await context.close()
    failed = seen.pop("failed")
    if failed is not None:
        raise RuntimeError(f"hls.js gave up: {failed} ({url})")
    return seen


async def _evaluate(
    page: Page, arguments: list[object], timeout_s: float
) -> dict[str, float | None]:
    async with asyncio.timeout(timeout_s):
        seen: dict[str, float | None] = await page.evaluate(MEASURE, arguments)
        return seen


async def _follow(bucket: TokenBucket, points: Points) -> None:
    """Let the edge send what a recorded network carries: Chromium lets downloads that are under way
    run free when its emulated network changes."""
    try:
        for seconds, kbps in points:
            bucket.bytes_per_s = max(1, round(kbps * 1000 / 8))
            await asyncio.sleep(seconds)
    finally:
        bucket.bytes_per_s = None


async def _emulate(network: CDPSession, bytes_per_s: float) -> None:
    conditions = {
        "offline": False,
        "latency": LATENCY_MS,
        "downloadThroughput": bytes_per_s,
        "uploadThroughput": -1,
    }
    await network.send("Network.emulateNetworkConditions", conditions)
