"""The newcomer's page: every command of it with ffmpeg and nginx, and Chromium plays the title."""

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from tests.missing import missing
from tests.pages.blocks import page
from tests.pages.following import Reader

NAME = "docs/own-title.md"
WAIT_MS = 60_000
"""A busy machine takes its time."""
MOVED_MS = 10_000
STALLED_MS = 3_000

OFFLINE = "Object.defineProperty(Navigator.prototype, 'onLine', { get: () => false })"
# The sum of all times in which the picture did not move on, though it should have.
COUNT_STALLS = """() => {
  const video = document.querySelector('video');
  let since = null, sum = 0;
  video.addEventListener('waiting', () => { since ??= performance.now(); });
  video.addEventListener('timeupdate', () => {
    if (since !== null) { sum += performance.now() - since; since = null; }
  });
  window.stalledMs = () => sum + (since === null ? 0 : performance.now() - since);
}"""

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder that the workers of nginx may read; the ones of pytest are private."""
    for program in ("ffmpeg", "nginx", "npm"):
        if shutil.which(program) is None:
            missing(f"{program} is not here: apt-get install ffmpeg nginx-light npm")
    with tempfile.TemporaryDirectory(prefix="own-title-") as name:
        made = Path(name) / "title"
        made.mkdir()
        Path(name).chmod(0o755)
        yield made


async def test_own_title(folder: Path, browser: Browser) -> None:
    """It plays from the fallback edge; when that is killed, it goes on from another one at once,
    also while the browser takes the machine for offline, as it does without a network."""
    loop = asyncio.get_running_loop()
    shown: list[Page] = []

    async def plays() -> None:
        shown.append(await browser.new_page())
        await shown[0].add_init_script(OFFLINE)
        await shown[0].goto(reader.replaced("http://127.0.0.3:9000/player.html"))
        edge = reader.replaced("127.0.0.1:9000")
        await shown[0].wait_for_function(
            "edge => document.querySelector('video').currentTime > 0.5"
            " && document.querySelector('#edge').textContent === edge",
            arg=edge,
            timeout=WAIT_MS,
        )
        await shown[0].evaluate(COUNT_STALLS)

    async def has_moved() -> None:
        edge = reader.replaced("127.0.0.1:9000")
        await shown[0].wait_for_function(
            "edge => document.querySelector('#edge').textContent !== edge",
            arg=edge,
            timeout=MOVED_MS,
        )
        before = await shown[0].evaluate("document.querySelector('video').currentTime")
        await shown[0].wait_for_function(
            "before => document.querySelector('video').currentTime > before + 0.5",
            arg=before,
            timeout=WAIT_MS,
        )
        assert await shown[0].evaluate("window.stalledMs()") < STALLED_MS

    def hook(done: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
        return lambda: asyncio.run_coroutine_threadsafe(done(), loop).result()

    reader = Reader(
        page(NAME),
        folder,
        hooks={"it plays": hook(plays), "it has moved": hook(has_moved)},
        checkout="streaming-gateway",
    )
    try:
        await asyncio.to_thread(reader.follow)
    finally:
        for opened in shown:
            await opened.close()
