"""The documentation as a site, as ``make docs`` builds and shows it."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import Browser

from tests.architecture.test_docs import CODE, FENCE
from tests.monitoring.parts import SITE, alerts
from tests.pages.blocks import ROOT, pages
from tests.pages.following import Started
from tests.ports import free_port

_BUILD_S = 180.0
"""It takes about five seconds, and more on a machine that is busy with other things."""
_WIDTHS = (1280, 390)
_SECOND_COLUMN = """Math.max(0, ...[...document.querySelectorAll("td:nth-child(2)")].map(
    cell => cell.getBoundingClientRect().left - cell.closest("table").getBoundingClientRect().left
))"""
_PAGES = [*pages(), "CHANGELOG.md", "geodata/SOURCES.md"]

_LINK = re.compile(r"\]\((?P<a>[a-z][a-z0-9+.-]*:[^)\s]*)\)|<(?P<b>[a-z][a-z0-9+.-]*:[^>\s]*)>")
_HOSTS = {
    "asgi.readthedocs.io", "creativecommons.org", "docs.python.org", "ffmpeg.org",
    "github.com", "grafana.com", "haproxy.org", "html.spec.whatwg.org", "jose.authlib.org",
    "kubernetes.io", "nginx.org", "opentelemetry.io", "prometheus.io", "www.geonames.org",
    "www.haproxy.org", "www.nro.net", "www.rfc-editor.org", "www.w3.org",
}  # fmt: skip
"""Whom the pages link to. A new one is looked at by a human, once."""
_HERE = {"127.0.0.1", "127.0.0.2", "127.0.0.3", "localhost"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the site."""
    log, port = tmp_path_factory.mktemp("site") / "log", free_port()
    with log.open("wb") as written:
        process = subprocess.Popen(
            ["make", "--no-print-directory", "docs", f"DOCS_PORT={port}"],
            cwd=ROOT,
            stdout=written,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    started, url = Started(process, log), f"http://127.0.0.1:{port}/"
    try:
        assert started.wait_until(lambda: _answers(url), _BUILD_S), started.said()
        assert f"the documentation is on {url}\n" == started.said().partition("127.0.0.1 - ")[0]
        yield url
    finally:
        ended = started.interrupt()
    assert ended, "Ctrl-C ends it"


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.TransportError:
        return False


def test_every_page_is_in_the_navigation(site: str) -> None:
    """The index leads to each page, in sections and under a name of its own; and the root of the
    site leads to the index."""
    index = httpx.get(f"{site}docs/index.html").text
    tree = index.partition('class="sidebar-tree"')[2].partition("</aside>")[0]
    named = [
        path if path.startswith("../") else f"../docs/{path}"
        for path in re.findall(r'href="([^"#]+)\.html"', tree)
    ]
    captions = re.findall(r'class="caption-text">([^<]+)<', tree)
    missing = {f"../{name.removesuffix('.md')}" for name in _PAGES} - {*named, "../docs/index"}
    assert set() == missing
    assert ["Start", "How it works", "Running it", "Reference", "Back of the book"] == captions
    assert "url=docs/index.html" in httpx.get(site).text
    names = re.findall(r'class="reference internal"[^>]*>([^<]+)<', tree)
    assert {"What it is", "Devices"} < set(names)
    assert len(names) == len({*names, "Streaming gateway"}) - 1


def test_alerts_lead_to_the_runbook(site: str) -> None:
    """The path of each ``runbook_url`` is one of the site, with the heading that it names."""
    pages: dict[str, str] = {}
    for alert in alerts():
        path, _, anchor = alert["annotations"]["runbook_url"].removeprefix(SITE).partition("#")
        if path not in pages:
            pages[path] = httpx.get(site + path).raise_for_status().text
        assert f'id="{anchor}"' in pages[path], alert["alert"]


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="session")
async def test_no_page_is_wider_than_its_window(site: str, browser: Browser) -> None:
    """Wide tables and long lines of code scroll by themselves, also on a phone, where one sees the
    beginning of the second column."""
    wide = []
    page = await browser.new_page(java_script_enabled=False)
    for at, name in enumerate(_PAGES):
        # Without scripts, the style sheets may come after "domcontentloaded".
        await page.goto(f"{site}{name.removesuffix('.md')}.html", wait_until="load")
        # A page is loaded at the width that the one before it was looked at last.
        for width in _WIDTHS if at % 2 == 0 else reversed(_WIDTHS):
            await page.set_viewport_size({"width": width, "height": 900})
            over = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
            wide += [(name, width, over)] if over > 0 else []
            second = await page.evaluate(_SECOND_COLUMN)
            wide += [(name, width, second)] if second > width * 0.7 else []
    await page.close()
    assert [] == wide


def test_what_leads_nowhere_fails_the_build(tmp_path: Path) -> None:
    """A link to no page, heading or file, no picture, and a page that the navigation lacks."""
    wrong = ("other.md", "#nowhere", "index.md#nothing", "../gone.toml")
    links = "".join(f"[a]({target})\n\n" for target in wrong)
    pages = {
        "index.md": "# Index\n\n## Start\n\n- [P](page.md)\n",
        "page.md": f"# P\n\n{links}![a](gone.png)\n",
        "lost.md": "# Lost\n",
    }
    (tmp_path / "docs").mkdir()
    for name, text in pages.items():
        (tmp_path / "docs" / name).write_text(text)
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "dummy"]
    command += ["-c", str(ROOT / "docs"), str(tmp_path), str(tmp_path / "out")]
    built = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_BUILD_S)
    assert built.returncode == 1
    for target in wrong:
        assert f"'{target.rpartition('#')[2]}'" in built.stderr
    assert "gone.png" in built.stderr
    assert "lost.md: WARNING: document isn't included" in built.stderr


@pytest.mark.parametrize("name", _PAGES)
def test_links_to_others_are_well_formed_and_known(name: str) -> None:
    """CI has no network, so nothing is fetched: a link is an https URL of a host that is listed, or
    of this machine."""
    text = CODE.sub("", FENCE.sub("", (ROOT / name).read_text("utf-8")))
    wrong = [found["a"] or found["b"] for found in _LINK.finditer(text)]
    assert [] == [url for url in wrong if not allowed(url)]


def allowed(url: str) -> bool:
    """Is it a link that a page may have?"""
    parts = urlsplit(url)
    if parts.hostname in _HERE:
        return parts.scheme == "http"
    return parts.scheme == "https" and parts.netloc in _HOSTS and " " not in url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://www.rfc-editor.org/rfc/rfc7519", True),
        ("http://127.0.0.1:8080/demo", True),
        ("http://www.rfc-editor.org/rfc/rfc7519", False),
        ("https://www.rfc-editor.org.example/", False),
        ("https://user@www.rfc-editor.org/", False),
        ("mailto:someone@example.com", False),
    ],
)
def test_links_that_are_allowed(url: str, expected: bool) -> None:
    """The check itself sees what it is for."""
    assert expected == allowed(url)
