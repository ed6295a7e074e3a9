"""Write docs/demo.png, the picture of the demo page: ``python -m scripts.demo_screenshot [FILE]``.

It starts the demo, and is a phone in Dhaka on 2G, then a television in Oslo whose edge is killed:
the picture shows both rungs, several edges and what happened. Needs a Chromium, and takes
about 40 s.
"""

import asyncio
import sys
from pathlib import Path

from playwright.async_api import Page, async_playwright

from tests import chromium
from tests.browser.conftest import running_demo
from tests.integration.forked import forking

TARGET = Path(__file__).parents[1] / "docs" / "demo.png"
_PATIENCE_MS = 60_000


async def take(url: str, target: Path) -> None:
    """Play through the scenes, and write the picture."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium.executable(), args=chromium.ARGUMENTS, chromium_sandbox=False
        )
        page = await browser.new_page(viewport={"width": 1280, "height": 860})
        page.set_default_timeout(_PATIENCE_MS)
        await page.goto(f"{url}/demo?device=phone&from=103.4.145.245&network=250")
        await _plays(page, "240p")
        await asyncio.sleep(8)
        await page.get_by_role("button", name="Television in Oslo").click()
        await _plays(page, "1080p")
        await asyncio.sleep(8)
        edge = await page.locator("#edge").inner_text()
        await page.get_by_role("button", name=f"Kill {edge}").click()
        await page.locator(f"[data-edge={edge}] .state[data-state=down]").wait_for()
        await page.locator(f"li.current:not([data-edge={edge}])").wait_for()
        await asyncio.sleep(4)
        await page.mouse.move(0, 0)
        await page.screenshot(path=target)
        await browser.close()


async def _plays(page: Page, rung: str) -> None:
    await page.locator("#rung", has_text=rung).wait_for()


def main() -> int:
    """The command; returns its exit code."""
    if chromium.executable() is None:
        print("error: no chromium on the PATH", file=sys.stderr)
        return 1
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET
    with forking(), running_demo() as url:
        asyncio.run(take(url, target))
    print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
