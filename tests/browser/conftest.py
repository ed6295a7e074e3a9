"""What the browser tests stand on: the demo, and a headless Chromium."""

import contextlib
import os
import re
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from demo import player
from tests import chromium
from tests.integration.forked import forks
from tests.missing import missing

_PAGE = re.compile(r"page +(http://127\.0\.0\.1:\d+)/demo")
_STOP_TIMEOUT_S = 15
# A name of this machine that browsers take for another one, so that its pages are not trusted as
# those of loopback are.
_NAMES = "--host-resolver-rules=MAP demo.test 127.0.0.1"


@contextlib.contextmanager
def running_demo() -> Iterator[str]:
    """The demo, as ``http://127.0.0.1:PORT``."""
    forking = forks()
    assert forking is not None
    process = forking.start("gateway", ["demo", "--port", "0"], os.environ, piped="stdout")
    assert process.stdout is not None
    with process.stdout:
        try:
            url = ""
            for line in process.stdout:  # ends when the process does
                found = _PAGE.match(line)
                url = found[1] if found else url
                if line.strip() == "ready":
                    break
            assert url, "the demo never said where its page is"
            yield url
        finally:
            process.send_signal(signal.SIGINT)
            code = process.wait(_STOP_TIMEOUT_S)
    assert code == 0, "Ctrl-C must end the demo without an error"


@pytest.fixture(scope="session")
def demo_url() -> Iterator[str]:
    """The demo that tests share, which leave it as it is."""
    with running_demo() as url:
        yield url


@pytest.fixture(scope="module")
def own_demo_url() -> Iterator[str]:
    """A demo for one file: in one that is shared, the viewers of other tests hold room on its edges
    for a minute."""
    with running_demo() as url:
        yield url


def _fetched(package: player.Package) -> Path:
    """The pinned script, fetched when it is not there yet."""
    try:
        return player.fetch(package)
    except player.PlayerError as error:
        missing(f"{package.name} is not here: {error}")


@pytest.fixture(scope="session")
def hls_js() -> Path:
    """hls.js."""
    return _fetched(player.HLS_JS)


@pytest.fixture(scope="session")
def dash_js() -> Path:
    """dash.js."""
    return _fetched(player.DASH_JS)


@pytest.fixture(scope="session")
def shaka() -> Path:
    """Shaka Player."""
    return _fetched(player.SHAKA)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A headless Chromium, the system's own."""
    path = chromium.executable()
    if path is None:
        missing("no chromium on the PATH")
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(
            executable_path=path, args=[*chromium.ARGUMENTS, _NAMES], chromium_sandbox=False
        )
        yield launched
        await launched.close()
