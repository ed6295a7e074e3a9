"""The documentation as a site: ``make docs`` builds and shows it.

Sphinx reads the pages where they stand, so the same relative links work on the site and in the
repository. The lists of links on docs/index.md are the navigation, with the texts of the links.
"""

import importlib.metadata
import re
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).parents[1]

project = "Streaming gateway"
release = importlib.metadata.version("streaming-gateway")
author = ""
html_show_copyright = False

extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = ["*.md", "docs/**.md", "deploy/**.md", "geodata/SOURCES.md"]
exclude_patterns = sorted(
    path.name
    for path in ROOT.iterdir()
    if path.is_dir() and path.name not in {"docs", "deploy", "geodata"}
)

smartquotes = False
nitpicky = True  # with -W, a link that leads nowhere fails the build
myst_heading_anchors = 6  # the anchors that GitHub gives headings
highlight_language = "none"  # of blocks that name no language
suppress_warnings = ["misc.highlighting_failure"]  # samples are shortened by "…"

html_theme = "furo"
html_title = "Streaming gateway"
html_copy_source = False
html_static_path = ["site"]
html_css_files = ["site.css"]
html_theme_options = {"top_of_page_buttons": []}

_SECTION = re.compile(r"^## (?P<title>.+)\n(?P<body>(?:(?!^## ).*\n)*)", re.MULTILINE)
_ENTRY = re.compile(r"^- \[(?P<title>[^\]]*)\]\((?P<page>[^)#]+)\.md\)", re.MULTILINE)
_LINK = re.compile(r"\[(?P<text>[^\]`]*)\]\((?P<to>[^)#:\s]+)\)")
_DECISIONS = "docs/decisions/README"


def prepare(app: Sphinx, page: str, source: list[str]) -> None:
    """Add the navigation that the lists of the index describe, and that of the decisions. Links to
    folders, which only the repository has, become text."""
    text = source[0]
    if page == root_doc:
        sections = (
            (
                found["title"],
                [f"{title} <{to}>" for title, to in _ENTRY.findall(found["body"])],
            )
            for found in _SECTION.finditer(text + "\n")
        )
        text += "".join(tree(title, entries) for title, entries in sections if entries)
    elif page == _DECISIONS:
        names = sorted(path.stem for path in (ROOT / _DECISIONS).parent.glob("*.md"))
        text += tree("", [name for name in names if name != "README"])
    folder = (Path(app.srcdir) / page).parent
    source[0] = _LINK.sub(
        lambda link: f"`{link['text']}`" if (folder / link["to"]).is_dir() else link[0], text
    )


def tree(caption: str, pages: list[str]) -> str:
    """A table of contents that only the side bar shows. A page may be ``its name there <page>``."""
    options = f":caption: {caption}\n" if caption else ""
    lines = "".join(f"{page}\n" for page in pages)
    return f"\n```{{toctree}}\n:hidden:\n:titlesonly:\n{options}\n{lines}```\n"


def start_page(app: Sphinx, error: Exception | None) -> None:
    """Lead from the root of the site to its index."""
    if error is None:
        (app.outdir / "index.html").write_text(
            '<!doctype html><meta charset="utf-8"><title>Streaming gateway</title>'
            '<meta http-equiv="refresh" content="0; url=docs/index.html">'
            '<a href="docs/index.html">Streaming gateway</a>\n',
            "utf-8",
        )


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", prepare)
    app.connect("build-finished", start_page)
