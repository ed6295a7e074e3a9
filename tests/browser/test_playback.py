"""Does video play through the gateway, at the right rung and from the right edge, in a browser?"""

import asyncio
import re
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from playwright.async_api import Browser, Page, Response, ViewportSize

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

WAIT_S = 20
SMALL_BUFFER = """
Object.defineProperty(window, 'Hls', {
  get() { return this.hlsWithSmallBuffer; },
  set(Hls) {
    Hls.DefaultConfig.maxBufferLength = Hls.DefaultConfig.maxMaxBufferLength = 4;
    this.hlsWithSmallBuffer = Hls;
  },
});
"""
"""The player keeps about 4 s, so that it loads as long as it plays."""
HEIGHTS = re.compile(r'STREAM-INF:.*RESOLUTION=\d+x(\d+)|codecs="(?:avc|hvc)1[^>]* height="(\d+)')
FRAMES = 5  # in 0.6 s of a title of 25 frames/s, on a busy machine
CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0"


@dataclass(frozen=True, slots=True)
class Viewer:
    """A device to pretend to be: its User-Agent, its screen in pixels, a touch screen or not."""

    user_agent: str
    width: int
    height: int
    mobile: bool = False

    @property
    def viewport(self) -> ViewportSize:
        """Its screen, as Playwright wants it."""
        return {"width": self.width, "height": self.height}


PHONE = Viewer(
    f"Mozilla/5.0 (Linux; Android 14; Pixel 8) {CHROME} Mobile Safari/537.36", 412, 915, mobile=True
)
DESKTOP = Viewer(f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36", 1280, 800)
IN_SMALL_WINDOW = replace(DESKTOP, width=480, height=270)
"""For tests that do not look at the page: to draw it takes a sixth of the CPU of playing."""
TV = Viewer(
    "Mozilla/5.0 (SMART-TV; LINUX; Tizen 6.5) AppleWebKit/537.36 (KHTML, like Gecko) "
    "85.0.4183.93/6.5 TV Safari/537.36",
    1920,
    1080,
)

NORWAY, VIETNAM, INDIA = "129.240.2.6", "203.162.4.1", "14.139.34.1"
US, BRAZIL, JAPAN = "128.174.5.6", "200.160.2.3", "133.11.1.1"


@dataclass(frozen=True, slots=True)
class Case:
    """Who asks, what the page pretends, and what must then be seen."""

    viewer: Viewer
    pretend: dict[str, str]
    device: str
    profile: str
    height: int
    edge: str


CASES = {
    "phone, Norway, 600 kbit/s": Case(
        PHONE, {"from": NORWAY, "speed": "600"}, "phone", "mobile_2g", 240, "demo-eu"
    ),
    "phone, Vietnam, 2 Mbit/s": Case(
        PHONE, {"from": VIETNAM, "speed": "2000"}, "phone", "mobile_3g", 360, "demo-as"
    ),
    "phone, US": Case(PHONE, {"from": US}, "phone", "mobile_4g", 720, "demo-na"),
    "desktop, Norway, 10 Mbit/s": Case(
        DESKTOP, {"from": NORWAY, "speed": "10000"}, "desktop", "wifi", 1080, "demo-eu"
    ),
    "desktop, India, 4 Mbit/s": Case(
        DESKTOP, {"from": INDIA, "speed": "4000"}, "desktop", "mobile_4g", 720, "demo-as"
    ),
    "desktop, nowhere, at most 480p": Case(
        DESKTOP,
        {"max_resolution": "480p", "speed": "10000"},
        "desktop",
        "wifi",
        480,
        "demo-na",
    ),
    "TV, Brazil, 50 Mbit/s": Case(
        TV, {"from": BRAZIL, "speed": "50000"}, "tv", "fiber", 1080, "demo-na"
    ),
    "dash.js, phone, Norway, 600 kbit/s": Case(
        PHONE,
        {"player": "dash.js", "from": NORWAY, "speed": "600"},
        "phone",
        "mobile_2g",
        240,
        "demo-eu",
    ),
    "dash.js, desktop, Japan, 10 Mbit/s": Case(
        DESKTOP,
        {"player": "dash.js", "from": JAPAN, "speed": "10000"},
        "desktop",
        "wifi",
        1080,
        "demo-as",
    ),
    "Shaka, phone, Vietnam, 2 Mbit/s": Case(
        PHONE,
        {"player": "shaka-dash", "from": VIETNAM, "speed": "2000"},
        "phone",
        "mobile_3g",
        360,
        "demo-as",
    ),
    "Shaka, desktop, India, 4 Mbit/s": Case(
        DESKTOP,
        {"player": "shaka-dash", "from": INDIA, "speed": "4000"},
        "desktop",
        "mobile_4g",
        720,
        "demo-as",
    ),
}


@dataclass
class Seen:
    """What went over the wire: manifests, edges by header and by address, rungs, and complaints."""

    manifests: list[Response] = field(default_factory=list)
    edges: set[str] = field(default_factory=set)
    hosts: set[str] = field(default_factory=set)
    rungs: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)

    def response(self, response: Response) -> None:
        """Note a manifest of the gateway, or a video segment."""
        parts = urlsplit(response.url)
        if parts.path.startswith("/v1/play/demo."):
            self.manifests.append(response)
        if "/video/" in parts.path and parts.path.endswith(".m4s"):
            self.edges.add(response.headers.get("edge", "none"))
            self.hosts.add(parts.netloc)
            self.rungs.add(parts.path.split("/")[-2])

    async def offered(self) -> set[int]:
        """The heights of the pictures that the manifests list."""
        texts = [await manifest.text() for manifest in self.manifests]
        return {int(a or b) for text in texts for a, b in HEIGHTS.findall(text)}

    def watch(self, page: Page) -> None:
        """Listen to everything that ``page`` loads and says."""
        page.on("response", self.response)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "console",
            lambda said: self.complaints.append(said.text) if said.type == "error" else None,
        )


async def until(page: Page, condition: str) -> None:
    """Wait until a JavaScript expression holds.

    Playwright's own wait_for_function evaluates text inside the page, which its CSP forbids.
    """
    deadline = time.monotonic() + WAIT_S
    while not await page.evaluate(condition):
        if time.monotonic() > deadline:
            notice = await page.locator("#notice").inner_text()
            pytest.fail(f"not within {WAIT_S} s: {condition}; the page says: {notice!r}")
        await asyncio.sleep(0.1)


async def picture(page: Page) -> tuple[float, int]:
    """Seconds into the title, and frames that the decoder has delivered."""
    seconds, frames = await page.evaluate(
        "[video.currentTime, video.getVideoPlaybackQuality().totalVideoFrames]"
    )
    return float(seconds), int(frames)


async def edge_host(page: Page, edge: str) -> str:
    """Host and port of an edge, as the demo tells its page."""
    settings = await (await page.request.get("/demo/settings.json")).json()
    urls = {e["id"]: str(e["url"]) for e in settings["edges"]}
    return urlsplit(urls[edge]).netloc


@asynccontextmanager
async def visit(browser: Browser, url: str, viewer: Viewer) -> AsyncIterator[Page]:
    """A new page of ``viewer``, with a cache of its own."""
    context = await browser.new_context(
        base_url=url,
        user_agent=viewer.user_agent,
        viewport=viewer.viewport,
        is_mobile=viewer.mobile,
        has_touch=viewer.mobile,
    )
    try:
        yield await context.new_page()
    finally:
        await context.close()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_plays(
    browser: Browser, demo_url: str, hls_js: Path, dash_js: Path, shaka: Path, case: Case
) -> None:
    """Frames advance at the highest rung allowed, which is the highest offered, all from the
    viewer's edge."""
    seen = Seen()
    async with visit(browser, demo_url, case.viewer) as page:
        seen.watch(page)
        await page.goto(f"/demo?{urlencode(case.pretend)}")
        await until(page, f"video.videoHeight === {case.height}")
        seconds, frames = await picture(page)
        await until(page, f"video.currentTime > {seconds} + 0.6")
        later = await picture(page)
        host = await edge_host(page, case.edge)
        device, profile, edge, rung = [
            await page.locator(f"#{name}").inner_text()
            for name in ("client", "profile", "edge", "rung")
        ]
        offered = await seen.offered()

    assert later[1] - frames >= FRAMES
    assert ({case.edge}, {host}) == (seen.edges, seen.hosts)
    assert case.height == max(int(name.partition("p")[0]) for name in seen.rungs) == max(offered)
    assert case.device in device.split()
    assert (case.profile, case.edge, f"{case.height}p") == (profile, edge, rung)
    assert not seen.complaints


async def test_the_page_measures_once_and_the_gateway_uses_it(
    browser: Browser, demo_url: str, hls_js: Path
) -> None:
    """Two downloads at most, for any number of starts; each session is told the result, and its
    next decision names the probe."""
    asked: list[str] = []

    def note(response: Response) -> None:
        if urlsplit(response.url).path == "/v1/probe":
            asked.append(f"{response.request.method} {response.status}")

    async with visit(browser, demo_url, DESKTOP) as page:
        page.on("response", note)
        await page.goto(f"/demo?from={NORWAY}")
        for place, edge in ((NORWAY, "demo-eu"), (JAPAN, "demo-as")):
            await page.select_option("select[name=from]", place)
            await until(page, f"document.getElementById('edge').textContent === '{edge}'")
            # The player soon measures itself, and says so with content steering.
            told = rf'/;src=(probe|steering), edge="{edge}"/'
            await until(page, f"{told}.test(document.getElementById('header').textContent)")
        shown = await page.locator("#probe").inner_text()

    assert asked.count("GET 200") in (1, 2)
    assert asked.count("POST 200") == len(asked) - asked.count("GET 200") >= 2
    assert shown.endswith(" Mbit/s")


async def test_players_follow_each_other(
    browser: Browser, demo_url: str, hls_js: Path, dash_js: Path, shaka: Path
) -> None:
    """Each plays in the same element where another one played before, without a page load."""
    seen = Seen()
    async with visit(browser, demo_url, DESKTOP) as page:
        seen.watch(page)
        await page.goto("/demo?player=dash.js&speed=4000")
        await until(page, "!video.paused && video.currentTime > 0.5")
        for name in ("", "shaka-dash", "dash.js", "shaka-hls"):
            async with page.expect_response(re.compile(r"/v1/play/demo\.")):
                await page.select_option("select[name=player]", name)
            await until(page, "!video.paused && video.currentTime > 0.5")
    assert not seen.complaints


async def test_a_choice_on_the_page_takes_effect(
    browser: Browser, demo_url: str, hls_js: Path
) -> None:
    """Moving to Japan changes the edge, and 480p at most the rung, without a page load."""
    edges: list[str] = []

    def note(response: Response) -> None:
        edge = response.headers.get("edge", "none")
        if response.url.endswith(".m4s") and edges[-1:] != [edge]:
            edges.append(edge)

    async with visit(browser, demo_url, DESKTOP) as page:
        page.on("response", note)
        await page.goto(f"/demo?from={NORWAY}")
        await until(page, "video.videoHeight === 1080")
        await page.evaluate("window.untouched = true")
        await page.select_option("select[name=from]", JAPAN)
        await until(page, "document.getElementById('edge').textContent === 'demo-as'")
        await page.select_option("select[name=max_resolution]", "480p")
        await until(page, "video.videoHeight === 480")
        seconds, _ = await picture(page)
        await until(page, f"video.currentTime > {seconds} + 0.5")
        address, untouched = page.url, await page.evaluate("window.untouched")

    expected = ["demo-eu", "demo-as"]
    assert expected == edges
    assert (f"{demo_url}/demo?from={JAPAN}&max_resolution=480p", True) == (address, untouched)


@pytest.mark.parametrize("name", ["localhost", "demo.test"])
async def test_the_page_plays_under_another_name_of_its_host(
    browser: Browser, demo_url: str, hls_js: Path, name: str
) -> None:
    """Page, gateway and steering are then another origin than the one that the config names."""
    seen = Seen()
    steered: list[tuple[str, int]] = []
    named = demo_url.replace("127.0.0.1", name)

    def note(response: Response) -> None:
        if "/v1/steering/" in response.url:
            steered.append((response.url.partition("/v1/")[0], response.status))

    async with visit(browser, named, DESKTOP) as page:
        seen.watch(page)
        page.on("response", note)
        await page.goto(f"/demo?from={NORWAY}")
        await until(page, "video.currentTime > 0.5")
    assert {"demo-eu"} == seen.edges
    assert not seen.complaints
    assert {(named, 200)} == set(steered) or sys.platform == "darwin"


async def test_other_languages_play_from_the_same_edge(
    browser: Browser, demo_url: str, hls_js: Path
) -> None:
    """Spanish sound and subtitles are fetched and used, from the edge of the pictures."""
    fetched: set[tuple[str, str]] = set()

    def note(response: Response) -> None:
        found = re.match("/demo/(audio|subtitles)/(..)/", urlsplit(response.url).path)
        if found:
            edge = response.headers.get("edge", "none")
            fetched.add((f"{found[1]}/{found[2]}", edge))

    async with visit(browser, demo_url, DESKTOP) as page:
        await page.goto(f"/demo?from={NORWAY}")
        await until(page, "video.currentTime > 0.3")
        page.on("response", note)
        await page.select_option("#audio", label="Español")
        await page.select_option("#subtitles", label="Español")
        cue = "[...video.textTracks].some(t => t.mode === 'showing' && t.activeCues?.length)"
        await until(page, cue)
        seconds, _ = await picture(page)
        await until(page, f"video.currentTime > {seconds} + 0.3")

    assert {("audio/es", "demo-eu"), ("subtitles/es", "demo-eu")} <= fetched


async def test_without_hls_js_the_page_says_so_and_plays_if_it_can(
    browser: Browser, demo_url: str
) -> None:
    """Where set-up had no npm, the browser's own HLS plays, or a sentence says what to do."""
    async with visit(browser, demo_url, DESKTOP) as page:
        await page.route("**/demo/hls.js", lambda route: route.fulfill(status=404))
        await page.goto("/demo")
        notice = page.locator("#notice")
        await notice.wait_for(timeout=WAIT_S * 1000)
        said = await notice.inner_text()
        native = await page.evaluate("video.canPlayType('application/vnd.apple.mpegurl') !== ''")
        if native:
            await until(page, "video.currentTime > 0.5")

    assert ("the browser's own HLS plays" if native else "plays no HLS by itself") in said
