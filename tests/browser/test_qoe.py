"""Where does hls.js start over an emulated network? `make bench-qoe`, in short."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.benchmark.qoe_media import film
from tests.benchmark.qoe_page import Stage, stage, watch

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

FILM_S, RUN_S = 12, 5.0
LOWEST, LOW, MIDDLE, HIGHEST = "0.29", "0.62", "2.8", "6.7"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def on(hls_js: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A gateway, an edge and a page."""
    async with stage(tmp_path_factory.mktemp("qoe"), film(FILM_S)) as running:
        yield running


@pytest.mark.parametrize(
    ("kbps", "state", "rung"),
    [
        pytest.param(4000, "ascending", LOWEST, id="the order of most packagers"),
        pytest.param(4000, "known", MIDDLE, id="a known speed"),
        pytest.param(12_000, "known", HIGHEST, id="above the 5 Mbit/s at which hls.js stops"),
        pytest.param(12_000, "prior", HIGHEST, id="a prior above 5 Mbit/s"),
        pytest.param(600, "prior", LOWEST, id="a prior of a slow network"),
        pytest.param(4000, "unknown", LOW, id="an unknown speed"),
    ],
)
async def test_the_first_picture(
    browser: Browser, on: Stage, kbps: int, state: str, rung: str
) -> None:
    """It is on the highest rung that is known to be held, and plays on."""
    url, viewer = on.playlist(state, kbps // 100, kbps)
    seen = await watch(browser, on, url, viewer, ((0.0, kbps),), RUN_S)
    assert seen["startup_ms"] is not None
    assert seen["first_kbps"] == pytest.approx(float(rung) * 1000, rel=0.06)
    assert seen["mean_kbps"]
