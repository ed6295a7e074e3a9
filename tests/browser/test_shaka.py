"""What does Shaka Player make of content steering, in a real browser?"""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import Browser, Page, Request, Response, Route

from gateway.edge.fleet import EdgeCondition
from gateway.observe import metrics
from tests.browser.test_playback import IN_SMALL_WINDOW, NORWAY, visit
from tests.browser.test_steering import (
    FULL,
    SLOW_TTL_S,
    SMALL,
    Loaded,
    Stage,
    happens,
    is_slow,
    need_of,
    needs_hosts,
    stage,
)

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session"), needs_hosts]

PLAY = """async ([url, from]) => {
  document.body.innerHTML = "<video id=video muted autoplay loop></video>";
  window.player = new shaka.Player();
  player.configure({streaming: {bufferingGoal: 4, rebufferingGoal: 1}});
  player.getNetworkingEngine().registerRequestFilter((_, request) => {
    if (request.uris[0].startsWith(location.origin)) request.headers['X-Forwarded-For'] = from;
  });
  await player.attach(document.getElementById('video'));
  const told = (error) => { throw new Error(`Shaka: ${error.code} ${error.data}`); };
  await player.load(url).catch(told);
}"""


@contextlib.asynccontextmanager
async def playing(
    browser: Browser,
    on: Stage,
    shaka: Path,
    edit: Callable[[str], str] = str,
    picture: str = SMALL,
) -> AsyncIterator[tuple[Page, Loaded, list[str]]]:
    """A desktop in Norway that plays from demo-eu. ``edit`` changes the playlist; the list has the
    pathways that the player has told."""
    loaded = Loaded()
    told: list[str] = []

    def note(request: Request) -> None:
        query = urlsplit(request.url).query
        told.extend(parse_qs(query).get("_HLS_pathway", ()))

    async def edited(route: Route) -> None:
        answer = await route.fetch()
        await route.fulfill(response=answer, body=edit(await answer.text()))

    async with visit(browser, on.url, IN_SMALL_WINDOW) as page:
        page.on("request", loaded.ask)
        page.on("response", loaded.note)
        page.on("request", note)
        await page.route("**/v1/play/demo.m3u8?*", edited)
        await page.goto("/livez")  # any page of this origin that lets scripts in
        await page.add_script_tag(path=shaka)
        await page.evaluate(PLAY, [f"{on.url}/v1/play/demo.m3u8?max_resolution={picture}", NORWAY])
        await happens(lambda: len(loaded.segments) > 0)
        yield page, loaded, told


def drain(on: Stage, *edges: str) -> None:
    """New sessions and, one by one, running ones go elsewhere."""
    on.gateway.keeper.judged("drain", {edge: EdgeCondition("draining", 0.0) for edge in edges})


async def advances(page: Page, seconds: float) -> None:
    """The picture goes on."""
    at = float(await page.evaluate("video.currentTime"))
    started = time.monotonic()
    while not await page.evaluate(
        f"video.currentTime > {at} + {seconds} || video.currentTime < {at}"
    ):
        assert time.monotonic() - started < 30, "the picture stands still"
        await asyncio.sleep(0.1)


def with_copies(playlist: str) -> str:
    """Each variant and rendition once more, on the pathway of demo-as: its host is 127.0.0.2."""
    first, copies = [], []
    for line in playlist.splitlines():
        first.append(line)
        copy = line.replace("//127.0.0.1:", "//127.0.0.2:").replace('"demo-eu"', '"demo-as"')
        if line.startswith(("#EXT-X-STREAM-INF", "#EXT-X-I-FRAME-STREAM-INF", "http")):
            copies.append(re.sub(r'(AUDIO|SUBTITLES)="', r'\1="as-', copy))
        elif line.startswith("#EXT-X-MEDIA:"):
            copies.append(copy.replace('GROUP-ID="', 'GROUP-ID="as-'))
    return "\n".join([*first, *copies, ""])


def _disobeyed() -> float:
    """How many requests came of players that use another edge than they were told."""
    metrics.exposition()  # settles what is counted and not yet added
    value: float = metrics.STEERING_OBEYED.labels("no")._value.get()
    return value


async def test_it_asks_but_stays_since_it_cannot_clone(
    browser: Browser, shaka: Path, tmp_path: Path
) -> None:
    """The compiled build reads the members of clones under other names. It plays on, as it would
    without steering, and says that it uses what it was told to use, which is not believed. When
    this fails, it has learnt to clone: see docs/steering.md."""
    async with stage(tmp_path) as on, playing(browser, on, shaka) as (page, loaded, told):
        await happens(lambda: len(told) > 1)
        drain(on, "demo-eu")
        await happens(lambda: "demo-eu" != told[-1])
        before = len(loaded.segments)
        asked, disobeyed = len(told), _disobeyed()
        await happens(lambda: len(told) > asked + 5)
        await advances(page, 4)
        await happens(lambda: len(loaded.segments) > before)
    assert {"demo-eu"} == set(loaded.segments)
    assert "demo-eu" != told[-1]
    assert {200} == set(loaded.steering)
    under_way = 1  # noted here, and not yet answered when the page was closed
    assert len(told) - asked - under_way <= _disobeyed() - disobeyed <= len(told)


async def test_it_moves_to_a_copy(browser: Browser, shaka: Path, tmp_path: Path) -> None:
    """A pathway that the playlist declares itself is obeyed, within two TTLs or so."""
    async with (
        stage(tmp_path) as on,
        playing(browser, on, shaka, with_copies) as (page, loaded, told),
    ):
        drain(on, "demo-eu", "demo-na")
        await happens(lambda: loaded.last == "demo-as", loaded, told)
        await advances(page, 2)
        await happens(lambda: "demo-as" in told, loaded, told)
    assert 1 == loaded.manifests


async def test_it_is_paused_while_its_edge_drains(
    browser: Browser, shaka: Path, tmp_path: Path
) -> None:
    """It loads nothing, so it uses its pathway for far longer than a session dwells. When it plays
    on, it does so from where it was told."""
    async with (
        stage(tmp_path, dwell_s=1) as on,
        playing(browser, on, shaka, with_copies) as (page, loaded, told),
    ):
        await advances(page, 1)
        await page.evaluate("video.pause()")
        drain(on, "demo-eu", "demo-na")
        before = len(told)
        await happens(lambda: len(told) > before + 7)
        assert "demo-eu" == loaded.last
        await page.evaluate("video.play()")
        await happens(lambda: loaded.last == "demo-as", loaded, told)
    assert {200} == set(loaded.steering)


async def test_it_moves_between_the_copies_of_a_playlist(
    browser: Browser, shaka: Path, tmp_path: Path
) -> None:
    """``steering.copies = "always"``: what the gateway lists is obeyed."""
    async with (
        stage(tmp_path, copies="always") as on,
        playing(browser, on, shaka) as (page, loaded, told),
    ):
        drain(on, "demo-eu")
        await happens(lambda: loaded.last in {"demo-as", "demo-na"})
        second = loaded.last
        await advances(page, 2)
        await happens(lambda: second in told)
        await on.kill(second)
        await happens(lambda: loaded.last not in {second, ""})
        await advances(page, 2)
    assert 1 == loaded.manifests


async def test_it_moves_between_ports(browser: Browser, shaka: Path, tmp_path: Path) -> None:
    """Edges that clones cannot reach."""
    async with (
        stage(tmp_path, ports=True) as on,
        playing(browser, on, shaka) as (page, loaded, told),
    ):
        captions: list[str] = []
        page.on("response", lambda answer: captions.append(answer.url))
        drain(on, "demo-eu")
        await happens(lambda: loaded.last in {"demo-as", "demo-na"})
        await advances(page, 2)
        await happens(lambda: loaded.last in told)
        await page.evaluate("player.selectTextTrack(player.getTextTracks()[0])")
        await happens(lambda: any(url.endswith("/subtitles/en/index.m3u8") for url in captions))
    assert 1 == loaded.manifests


async def test_an_edge_turns_slow(browser: Browser, shaka: Path, tmp_path: Path) -> None:
    """It is up, but the viewer measures a fraction of what the film needs: when the player reports
    that, the second steering manifest, at the latest, moves the session. (Shaka's average takes a
    few segments to fall, and the last one from the slow edge a while to come.)"""
    async with (
        stage(tmp_path, SLOW_TTL_S, copies="always") as on,
        playing(browser, on, shaka, picture=FULL) as (page, loaded, _),
    ):
        await happens(lambda: len(loaded.steering) > 1)  # it has reported what it can have
        before = len(loaded.steering)
        answered: list[Response] = []

        def note(response: Response) -> None:
            if "/v1/steering/" in response.url:
                answered.append(response)

        page.on("response", note)
        on.buckets["demo-eu"].bytes_per_s = 30_000
        await happens(lambda: loaded.last in {"demo-as", "demo-na"})
        await advances(page, 2)
        need_bps = await need_of(page)
        told = [await response.json() for response in answered]
    answers = [*["demo-eu"] * before, *(each["PATHWAY-PRIORITY"][0] for each in told)]
    reported = [*[None] * before, *loaded.reported_bps[before:]]
    said = f"reported {reported}, needs {need_bps}, answered {answers}"
    slow = [at for at, bps in enumerate(reported) if is_slow(bps, reported[:at], need_bps)]
    moved = [at for at, edge in enumerate(answers) if edge != "demo-eu"]
    assert slow, said
    assert moved, said
    assert moved[0] - slow[0] < 2, said
    assert 1 == loaded.manifests


async def test_with_a_copy_it_outlives_its_edge(
    browser: Browser, shaka: Path, tmp_path: Path
) -> None:
    """It bans the host that fails, and takes the next pathway that the playlist declares."""
    async with (
        stage(tmp_path) as on,
        playing(browser, on, shaka, with_copies) as (page, loaded, _),
    ):
        await on.kill("demo-eu")
        await happens(lambda: loaded.last == "demo-as")
        await advances(page, 2)
    assert 1 == loaded.manifests
