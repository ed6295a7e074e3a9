"""The demo page in Chromium: viewers, networks and edges that really act."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.browser.test_playback import IN_SMALL_WINDOW, Seen, until, visit

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

EDGES = ("demo-eu", "demo-as", "demo-na")
WAIT_S = 25
BRIEF_STALL_S = 1.0
"""A stall that hardly matters, on a busy machine."""


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser, own_demo_url: str, hls_js: Path) -> AsyncIterator[Page]:
    """The page, which had no fault; afterwards its edges are as they were."""
    seen = Seen()
    async with visit(browser, own_demo_url, IN_SMALL_WINDOW) as opened:
        opened.on("pageerror", lambda error: seen.complaints.append(str(error)))
        await opened.goto("/demo")
        yield opened
        for edge in EDGES:
            answer = await opened.request.post(f"/demo/edges/{edge}/mend")
            assert answer.ok
        assert not seen.complaints


async def shown(page: Page, what: str) -> str:
    """What a part of the page says."""
    return await page.locator(f"#{what}").inner_text()


async def state(page: Page, edge: str, wanted: str) -> None:
    """Wait until the page says that the gateway finds an edge in a state."""
    await until(
        page, f"document.querySelector('[data-edge={edge}] .state').textContent === '{wanted}'"
    )


async def until_decided(page: Page, holds: Callable[[str], bool]) -> str:
    """Wait for a decision whose header ``holds``."""
    deadline = time.monotonic() + WAIT_S
    while not holds(header := await page.locator("#header").text_content() or ""):
        assert time.monotonic() < deadline, header
        await asyncio.sleep(0.2)
    return header


def speed(header: str) -> int:
    """The speed of a decision in kbit/s; a large one while there is none."""
    found = re.search(r"speed=(\d+)", header)
    return int(found[1]) if found else 10**9


async def be(page: Page, viewer: str) -> None:
    """Choose a viewer."""
    await page.get_by_role("button", name=viewer).click()


async def test_a_slow_network_shows_the_low_rung_for_as_long_as_it_is_slow(page: Page) -> None:
    """Dhaka on 2G: measured, and low throughout. Oslo on fibre: the top. Where its network becomes
    slow in the middle of the title, the player goes down and the gateway learns it by steering."""
    played = Seen()
    await be(page, "Phone in Dhaka on 2G")
    await until(page, "video.videoHeight === 240")
    page.on("response", played.response)
    header = await until_decided(page, lambda found: "src=" in found)
    assert 'profile=mobile_2g, device=phone, country="BD"' in header
    assert speed(header) < 1000
    await until(page, "video.currentTime > 5")
    assert ({"240p"}, {"demo-as"}) == (played.rungs, played.edges)
    assert ["240p"] == await page.locator("#ladder td:first-child").all_inner_texts()
    assert "speed < 1000 kbit/s" in await shown(page, "reasons")

    await be(page, "Television in Oslo on fibre")
    await until(page, "video.videoHeight === 1080")
    header = await until_decided(page, lambda found: "device=tv" in found)
    assert 'country="NO"' in header
    assert await page.locator("tr.current td:first-child").inner_text() == "1080p"

    await page.select_option("select[name=network]", "250")
    await until_decided(page, lambda found: "src=steering" in found and speed(found) < 1000)
    await until(page, "video.videoHeight === 240")
    assert "the network is now: 2g" in (await shown(page, "happened")).lower()


async def test_the_page_is_as_wide_as_a_small_phone(page: Page) -> None:
    """Nobody has to scroll sideways, even with codecs of several formats in the table."""
    await page.set_viewport_size({"width": 320, "height": 568})
    await until(page, "document.querySelectorAll('#ladder td').length > 3")
    assert 320 == await page.evaluate("document.documentElement.scrollWidth")


async def test_edges_are_broken_and_mended(page: Page) -> None:
    """The edge that plays is slowed, the next one drained, the last one killed: the player moves on
    each time, the last two without a stall that matters, and the page shows what the gateway
    finds."""
    await be(page, "Laptop in Berlin on DSL")
    await until(page, "video.currentTime > 1")
    left: list[str] = []
    stalled = 0.0
    for action, found in (("Slow", "degraded"), ("Drain", "draining"), ("Kill", "down")):
        edge = await shown(page, "edge")
        await page.get_by_role("button", name=f"{action} {edge}").click()
        await state(page, edge, found)
        await until(page, f"document.getElementById('edge').textContent !== '{edge}'")
        await until(page, f"document.querySelector('li.current').dataset.edge !== '{edge}'")
        if not left:
            stalled = await seconds_stalled(page)
        await page.get_by_role("button", name=f"Mend {edge}").click()
        left.append(edge)
    at = await page.evaluate("video.currentTime")
    await until(page, f"video.currentTime > {at} + 1")
    assert await seconds_stalled(page) - stalled < BRIEF_STALL_S
    for edge in left:
        await state(page, edge, "up")
    happened = await shown(page, "happened")
    assert f"You slowed {left[0]}." in happened
    assert f"The gateway finds {left[1]} draining" in happened
    assert f"The gateway finds {left[2]} down: connection refused." in happened


async def seconds_stalled(page: Page) -> float:
    """How long playback has stalled, as the page says."""
    return float((await shown(page, "stalled")).removesuffix(" s"))


async def test_the_strip_shows_what_played(page: Page) -> None:
    """Its right end has the colour of the edge, and the load of an edge is what is leased on it."""
    await until(page, "video.currentTime > 1.5")
    edge = await shown(page, "edge")
    pixel = """([edge]) => {
      const canvas = document.getElementById('strip');
      const scale = devicePixelRatio;
      const at = [canvas.width - 3 * scale, canvas.height - 24 * scale, 1, 1];
      const [r, g, b] = canvas.getContext('2d').getImageData(...at).data;
      const swatch = document.querySelector(`[data-edge=${edge}] .swatch`);
      return [`rgb(${r}, ${g}, ${b})`, getComputedStyle(swatch).backgroundColor];
    }"""
    drawn, colour = await page.evaluate(pixel, [edge])
    numbers = [[int(part) for part in re.findall(r"\d+", rgb)] for rgb in (colour, drawn)]
    assert numbers[1] == pytest.approx(numbers[0], abs=3)
    load = page.locator(f"[data-edge={edge}] .load")
    deadline = time.monotonic() + WAIT_S
    while not float(re.sub(r" of .*", "", await load.inner_text())) > 0:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.2)
    edges = json.loads(await (await page.request.get("/demo/edges.json")).text())["edges"]
    assert {40_000} == {each["capacity_kbps"] for each in edges}
