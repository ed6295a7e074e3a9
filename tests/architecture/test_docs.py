"""Do the docs lead where they say? Links, headings, paths of files, and pages that nobody links."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]
TOP = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*(ROOT / name for name in TOP), *(ROOT / "docs").rglob("*.md"))
)

MODULES = {
    path.name
    for folder in ("gateway", "manifests", "geodata", "demo", "tests")
    for path in (ROOT / folder).rglob("*.py")
}

FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`+[^`]+`+")
LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#+ +(?P<title>.+?) *#*$", re.MULTILINE)
FOLDERS = ("gateway", "manifests", "geodata", "demo", "tests", "docs", "scripts", "requirements")
PATH = re.compile(rf"`(?P<path>(?:{'|'.join(FOLDERS)})/[\w./-]*)`")
"""A path from the root, of a file or a folder."""
MODULE = re.compile(r"`(?P<name>\w+\.py)`")
"""A file that is named without its folder."""


def read(page: str) -> str:
    """The text of a page, by its path from the root."""
    return (ROOT / page).read_text(encoding="utf-8")


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives the headings: a second one of a name ends in ``-1``."""
    found: set[str] = set()
    for heading in HEADING.finditer(FENCE.sub("", text)):
        title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading["title"]).lower()
        name = re.sub(r"[^\w\- ]", "", title).replace(" ", "-")
        same, number = name, 0
        while same in found:
            number += 1
            same = f"{name}-{number}"
        found.add(same)
    return found


def links(text: str) -> Iterator[tuple[str, str]]:
    """The relative links of a page as (path, anchor); either may be empty."""
    for link in LINK.finditer(CODE.sub("", FENCE.sub("", text))):
        target = unquote(link["target"])
        if not re.match(r"[a-z][a-z0-9+.-]*:|//", target):
            path, _, anchor = target.partition("#")
            yield path, anchor


def resolved(page: str, path: str) -> Path:
    """The file that a link of a page leads to."""
    return ((ROOT / page).parent / path).resolve() if path else ROOT / page


def dead_links(page: str) -> list[str]:
    """The links that lead to no file of the repository, or to no heading of it."""
    dead = []
    for path, anchor in links(read(page)):
        target = resolved(page, path)
        there = target.is_relative_to(ROOT) and target.exists()
        if there and anchor and target.suffix == ".md":
            there = anchor in anchors(target.read_text(encoding="utf-8"))
        if not there:
            dead.append(f"{path}#{anchor}" if anchor else path)
    return dead


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_a_file_and_a_heading(page: str) -> None:
    """Every relative link, and the heading behind its ``#``."""
    assert [] == dead_links(page)


@pytest.mark.parametrize("page", PAGES)
def test_files_that_are_named_exist(page: str) -> None:
    """Every path in backticks that starts with a folder of this repository, every ``name.py``."""
    text = FENCE.sub("", read(page))
    paths = [found["path"] for found in PATH.finditer(text)]
    gone = [path for path in paths if not (ROOT / path).exists()]
    gone += [found["name"] for found in MODULE.finditer(text) if found["name"] not in MODULES]
    assert [] == gone


def test_every_page_is_linked() -> None:
    """A page that no other links is one that nobody finds."""
    linked = {resolved(page, path) for page in PAGES for path, _ in links(read(page)) if path != ""}
    assert [] == [page for page in PAGES if page not in TOP and ROOT / page not in linked]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[a](b.md)", [("b.md", "")]),
        ("[a](b.md#c-d) and ![p](p.png)", [("b.md", "c-d"), ("p.png", "")]),
        ("[a](#here)", [("", "here")]),
        ("[a](https://example.com/b) <http://127.0.0.1>", []),
        ("`[a](b.md)`", []),
        ("```\n[a](b.md)\n```\n", []),
    ],
)
def test_links_are_found(text: str, expected: list[tuple[str, str]]) -> None:
    """The check itself sees what it is for."""
    assert expected == list(links(text))


def test_anchors_are_githubs() -> None:
    """Lower case, hyphens for blanks, no punctuation, a number where a title comes again."""
    text = (
        "# What `make bench` costs: a, b\n## Same\n## Same\n```\n# no heading\n```\n## [A](b.md)\n"
    )
    assert {"what-make-bench-costs-a-b", "same", "same-1", "a"} == anchors(text)
