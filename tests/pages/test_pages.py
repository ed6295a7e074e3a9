"""The commands of every page, run in the order of the page, exactly as they stand there."""

from pathlib import Path

import pytest

from tests.pages.blocks import Page, page, pages
from tests.pages.conftest import Operated
from tests.pages.following import OPERATORS, PLAYERS, Reader, checkout

_OWN_TEST = ("docs/own-title.md",)
"""Pages that a test of their own follows, since it looks at a browser in between."""
_PAGES = [name for name in pages() if name not in _OWN_TEST and page(name).runs]


@pytest.mark.parametrize("name", _PAGES)
def test_commands(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Each ends as the page says, and prints what the page shows."""
    found = page(name)
    reader(found, tmp_path / "reader", request).follow()


def reader(found: Page, folder: Path, request: pytest.FixtureRequest) -> Reader:
    """A reader of a page, in a folder as the page wants it."""
    if found.world == "checkout":
        return Reader(found, checkout(folder))
    folder.mkdir()
    if found.world != "gateway":
        return Reader(found, folder)
    operated: Operated = request.getfixturevalue("operated")
    (folder / "gateway.toml").write_text(operated.config, "utf-8")
    urls = {PLAYERS: operated.gateway.url, OPERATORS: operated.gateway.admin_url}
    return Reader(found, folder, {at: url.rpartition(":")[2] for at, url in urls.items()})
