"""Which variant does hls.js start on, after it has dropped what this browser cannot decode?"""

from pathlib import Path

import pytest
from playwright.async_api import Browser, Route

from gateway.ladder.rung import Constraints
from tests.unit.ladder.sources import fitted, media, playlist, variant

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

URL = "https://play.example/film.m3u8"
AC3, AAC, NONE = "avc1.64001f,ac-3", "avc1.64001f,mp4a.40.2", "avc1.64001f,nope.1"
START = Constraints(start_bandwidth=2_000_000)
FIRST_LEVEL = """url => new Promise((resolve, reject) => {
  const hls = new Hls({autoStartLoad: false});
  hls.on(Hls.Events.ERROR, (_, data) => reject(new Error(data.details)));
  hls.on(Hls.Events.MANIFEST_PARSED, (_, data) => {
    const level = data.levels[data.firstLevel];
    resolve([level.height, level.attrs.AUDIO]);
  });
  hls.loadSource(url);
})"""


def ladder(*groups: tuple[str, str]) -> list[str]:
    """Three sizes, each for every audio group, given by its name and the codecs with it."""
    return [
        *(media("AUDIO", name) for name, _ in groups),
        *(
            variant(f"{size}.m3u8", kbps, size, codecs, f'AUDIO="{name}"')
            for size, kbps in (("480x270", 800), ("960x540", 1900), ("1280x720", 2800))
            for name, codecs in groups
        ),
    ]


async def first_level(browser: Browser, hls_js: Path, text: str) -> list[object]:
    """Height and audio group of the level on which hls.js starts."""

    async def answer(route: Route) -> None:
        await route.fulfill(
            body=text,
            content_type="application/vnd.apple.mpegurl",
            headers={"Access-Control-Allow-Origin": "*"},
        )

    page = await browser.new_page()
    try:
        await page.route(URL, answer)
        await page.add_script_tag(path=hls_js)
        found: list[object] = await page.evaluate(FIRST_LEVEL, URL)
        return found
    finally:
        await page.close()


@pytest.mark.parametrize(
    "dropped", [pytest.param(AC3, id="AC-3"), pytest.param(NONE, id="an unknown codec")]
)
async def test_a_browser_starts_right_without_the_first_audio_group(
    browser: Browser, hls_js: Path, dropped: str
) -> None:
    """B4, G5: the entries with the first group are dropped, and the first that is left is the start
    rung. With one start rung in front it would be the lowest."""
    page = await browser.new_page()
    decodes = await page.evaluate(
        "codec => MediaSource.isTypeSupported('audio/mp4; codecs=' + codec)",
        dropped.partition(",")[2],
    )
    await page.close()
    if decodes:
        pytest.skip("NOT RUN: this browser decodes it")
    source = playlist(*ladder(("first", dropped), ("aac", AAC)))
    data, _ = fitted(source, START)
    assert [540, "aac"] == await first_level(browser, hls_js, data.decode())
    only_one = data.decode().split("#EXT-X-STREAM-INF:")
    without = "#EXT-X-STREAM-INF:".join([*only_one[:2], *only_one[3:], only_one[2]])
    assert [270, "aac"] == await first_level(browser, hls_js, without)
