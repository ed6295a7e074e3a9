"""Do dash.js and Shaka Player stay on air over DASH, in a real browser, while edges die and drain?

``LIVE_REFRESHES=30`` is the long form of the live programme: a minute. With ``LIVE_CLASSES=1`` its
MPDs are class manifests.
"""

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.async_api import Browser, Page, Response, Route

from gateway.edge.fleet import EdgeCondition
from tests.browser.test_playback import IN_SMALL_WINDOW, NORWAY, until, visit
from tests.browser.test_steering import COUNT_STALLS, SMALL, happens, needs_hosts, stage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session"), needs_hosts]

REFRESHES = int(os.environ.get("LIVE_REFRESHES", "8"))
"""How many MPDs each player asks for, one every 2 s."""
CLASSES = os.environ.get("LIVE_CLASSES") == "1"
KILL_AFTER = 3
PLAYERS = ("dash.js", "shaka-dash")
PLAYED = "/v1/play/demo.mpd"
RUNGS = ["240p", "360p", "480p"]
# A film with a buffer of 4 s, so that the player loads as long as it plays.
SMALL_BUFFER = {
    "dash.js": """url => {
      const player = dashjs.MediaPlayer().create();
      const buffer = {bufferTimeDefault: 4, bufferTimeAtTopQuality: 4};
      player.updateSettings({streaming: {buffer}});
      player.initialize(video, url, true);
    }""",
    "shaka-dash": """async url => {
      const player = new shaka.Player();
      player.configure({streaming: {bufferingGoal: 4, rebufferingGoal: 1}});
      await player.attach(video);
      await player.load(url);
    }""",
}


@dataclass
class Viewer:
    """What one player asked for, and what it got."""

    page: Page
    mpds: list[str] = field(default_factory=list)
    queries: list[dict[str, list[str]]] = field(default_factory=list)
    edges: list[str] = field(default_factory=list)
    rungs: set[str] = field(default_factory=set)
    steering: list[int] = field(default_factory=list)
    reports: list[int] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def note(self, response: Response) -> None:
        """Note one answer."""
        parts = urlsplit(response.url)
        if parts.path.endswith((PLAYED, "/demo-live.mpd")):
            task = asyncio.create_task(self._read(response))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif parts.path.startswith("/v1/steering/"):
            self.steering.append(response.status)
        elif parts.path == "/v1/cmcd":
            self.reports.append(response.status)
        elif "/video/" in parts.path and parts.path.endswith(".m4s"):
            self.edges.append(response.headers.get("edge", "none"))
            self.rungs.add(parts.path.split("/")[-2])

    async def _read(self, response: Response) -> None:
        if response.status == 200:
            self.queries.append(parse_qs(urlsplit(response.url).query))
            self.mpds.append(await response.text())
        else:
            self.failed.append(f"{response.status} {response.url}")


@contextlib.asynccontextmanager
async def watching(browser: Browser, url: str, player: str) -> AsyncIterator[Viewer]:
    """A desktop in Norway that sees the live programme in at most 480p, from demo-eu."""
    choices = {"player": player, "title": "demo-live", "from": NORWAY, "max_resolution": "480p"}
    async with visit(browser, url, IN_SMALL_WINDOW) as page:
        viewer = Viewer(page)
        page.on("response", viewer.note)
        await page.goto(f"/demo?{urlencode(choices)}")
        await until(page, "video.currentTime > 0 && !video.paused && video.readyState > 2")
        await page.evaluate(COUNT_STALLS)
        yield viewer


def have_refreshed(viewers: list[Viewer], count: int) -> Callable[[], bool]:
    """Whether each has got so many MPDs."""
    return lambda: all(len(viewer.mpds) >= count for viewer in viewers)


async def test_live_outlives_its_edge(
    browser: Browser, dash_js: Path, shaka: Path, tmp_path: Path
) -> None:
    """Two players at once. Their edge is killed: both play on without a stall of a second. Every
    refresh has the same ladder, is steered, leads to the next, and is not older than the last."""
    staged = stage(tmp_path, classes=CLASSES)
    async with staged as on, contextlib.AsyncExitStack() as stack:
        viewers = [
            await stack.enter_async_context(watching(browser, on.url, player)) for player in PLAYERS
        ]
        await happens(have_refreshed(viewers, KILL_AFTER))
        assert [{"demo-eu"}] * 2 == [set(viewer.edges) for viewer in viewers]
        before = [await viewer.page.evaluate("video.currentTime") for viewer in viewers]
        steered = [len(viewer.steering) for viewer in viewers]
        await on.kill("demo-eu")
        for count in range(KILL_AFTER, REFRESHES):
            await happens(have_refreshed(viewers, count + 1))
        for viewer, seconds in zip(viewers, before, strict=True):
            await until(
                viewer.page, f"video.currentTime > {seconds} + {2 * (REFRESHES - KILL_AFTER)}"
            )
        stalled_ms = [await viewer.page.evaluate("window.stalledMs") for viewer in viewers]
        said = [await viewer.page.locator("#notice").inner_text() for viewer in viewers]

    assert all(stalled < 1000 for stalled in stalled_ms), stalled_ms
    for number, viewer in enumerate(viewers):
        assert viewer.edges[-1] in {"demo-as", "demo-na"}
        assert max(RUNGS) in viewer.rungs <= set(RUNGS)
        assert {200} == set(viewer.steering)
        assert len(viewer.steering) > steered[number] > 0
        one_ladder_and_one_way(viewer.mpds, on.url)
    assert ([[], []], ["", ""]) == ([viewer.failed for viewer in viewers], said)
    with_dash_js = viewers[0]
    assert all("CMCD" in query for query in with_dash_js.queries[1:])
    assert {204} == set(with_dash_js.reports)


async def test_a_film_leaves_an_edge_that_drains(
    browser: Browser, dash_js: Path, shaka: Path, tmp_path: Path
) -> None:
    """Its MPD is asked for once, so that steering alone moves it."""

    async def from_norway(route: Route) -> None:
        await route.continue_(headers={**route.request.headers, "x-forwarded-for": NORWAY})

    async with stage(tmp_path) as on, contextlib.AsyncExitStack() as stack:
        viewers = []
        for player, script in zip(PLAYERS, (dash_js, shaka), strict=True):
            page = await stack.enter_async_context(visit(browser, on.url, IN_SMALL_WINDOW))
            viewers.append(viewer := Viewer(page))
            page.on("response", viewer.note)
            await page.route("**/v1/**", from_norway)
            await page.goto("/livez")  # any page of this origin that lets scripts in
            await page.set_content("<video id=video muted autoplay loop></video>")
            await page.add_script_tag(path=script)
            await page.evaluate(SMALL_BUFFER[player], f"{on.url}{PLAYED}?max_resolution={SMALL}")
        await happens(lambda: all(viewer.edges and viewer.steering for viewer in viewers))
        assert [{"demo-eu"}] * 2 == [set(viewer.edges) for viewer in viewers]
        on.gateway.keeper.judged("drain", {"demo-eu": EdgeCondition("draining", 0.0)})
        await happens(lambda: all(v.edges[-1] in {"demo-as", "demo-na"} for v in viewers))
        for viewer in viewers:
            seconds = await viewer.page.evaluate("video.currentTime")
            await until(viewer.page, f"Math.abs(video.currentTime - {seconds}) > 2")
    for viewer in viewers:
        assert (1, []) == (len(viewer.mpds), viewer.failed)
        assert {200} == set(viewer.steering)


def one_ladder_and_one_way(mpds: list[str], url: str) -> None:
    """The MPDs of one session. Only the state in the URL of the next may change: it has the first
    edge, and the hour."""
    published = [re.findall(r'publishTime="([^"]+)"', mpd) for mpd in mpds]
    assert published == sorted(published)
    assert len({tuple(times) for times in published}) >= len(mpds) // 2
    ways = set()
    for mpd in mpds:
        assert set(RUNGS) == set(re.findall(r'<Representation id="(\d+p[^"]*)"', mpd))
        (location,) = re.findall(r"<Location[^>]*>([^<]+)<", mpd)
        own = f"{url}/v1/play/demo-live.mpd?max_resolution=480p&amp;"
        assert location.startswith(f"{url}/v1/class/" if CLASSES else own)
        assert "CMCD" not in location
        ways.add(location.partition("state=")[0])
        edges = re.findall(r'<BaseURL[^>]* serviceLocation="([^"]+)"', mpd)
        assert {"demo-as", "demo-na"} <= set(edges) <= {"demo-eu", "demo-as", "demo-na"}
        assert edges[:1] == re.findall(
            r'<ContentSteering[^>]* defaultServiceLocation="([^"]+)"', mpd
        )
    assert 1 == len(ways)
