"""What are the code blocks of a page, and what do the marks before them say about running them?

A mark is an HTML comment right before a block: ``<!-- not run: it needs a cluster -->``. Readers of
the page do not see it. CONTRIBUTING.md lists the marks.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
TOP = ("README.md", "CONTRIBUTING.md", "SECURITY.md")

RUN = ("sh", "console")
"""Languages of blocks that hold commands: as a script, or after ``$`` with what they print."""
MARKS = ("not run", "serves", "ctrl-c after", "file", "exits", "first", "terminal")
WORLDS = ("empty", "checkout", "gateway")

_WORLD = "commands run in: "
_COMMENT = re.compile(r"<!--(.*?)-->", re.DOTALL)
_MARK = re.compile(r"(?P<name>[a-z][a-z -]*): +(?P<value>\S.*)", re.DOTALL)
_COMMAND = re.compile(
    r"\$ |(?:\S*/)?gateway [a-z]+(?: |$)|(?:\S*/)?(?:curl|make|docker|docker-compose|kubectl|"
    r"kustomize|helm|systemctl|ffmpeg|npm|npx|node|pip|python3?|apt-get|apt|openssl|printf|git|"
    r"promtool|redis-cli|sudo) "
)


class MarkError(ValueError):
    """A mark cannot be read; the message names the page and the line."""


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced code block: the page (a path from the root), the line of its fence, its language,
    its text, and the marks before it."""

    page: str
    line: int
    language: str
    text: str
    marks: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def runs(self) -> bool:
        """Is it a block of commands that is not excused?"""
        return self.language in RUN and "not run" not in self.marks


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its path from the root, where its commands run, and its blocks."""

    name: str
    world: str
    blocks: tuple[Block, ...]

    @property
    def runs(self) -> bool:
        """Does it have a command to run?"""
        return any(block.runs for block in self.blocks)


def page(name: str) -> Page:
    """A page of the repository, by its path from the root."""
    return parsed(name, (ROOT / name).read_text("utf-8"))


def parsed(name: str, text: str) -> Page:
    """A page from its text. Raises :class:`MarkError`."""
    blocks: list[Block] = []
    pending: list[tuple[int, str]] = []
    world = "empty"
    for token in MarkdownIt("commonmark").parse(text):
        line = token.map[0] + 1 if token.map else 0
        if token.type == "html_block":
            comments = [" ".join(found.split()) for found in _COMMENT.findall(token.content)]
            worlds = [found[len(_WORLD) :] for found in comments if found.startswith(_WORLD)]
            world = worlds[-1] if worlds else world
            pending += [(line, found) for found in comments if not found.startswith(_WORLD)]
        elif token.type == "fence":
            language = token.info.split(maxsplit=1)[0] if token.info.strip() else ""
            marks = dict(_mark(f"{name}:{at}", found) for at, found in pending)
            blocks.append(Block(name, line, language, token.content, marks))
            pending = []
        elif token.type == "inline":
            for at, found in pending:
                if found.partition(":")[0] in MARKS:
                    raise MarkError(f"{name}:{at}: no code block follows the mark {found!r}")
            pending = []
    if world not in WORLDS:
        raise MarkError(f"{name}: commands run in {world!r}; allowed are {', '.join(WORLDS)}")
    return Page(name, world, tuple(blocks))


def _mark(where: str, comment: str) -> tuple[str, str]:
    found = _MARK.fullmatch(comment)
    if found is None or found["name"] not in MARKS:
        raise MarkError(f"{where}: {comment!r} is no mark; allowed are {', '.join(MARKS)}")
    return found["name"], found["value"]


def commands_outside(block: Block) -> list[str]:
    """The lines that look like commands in a block whose language says that it has none."""
    if block.language not in {"", "text", "bash", "shell", "shell-session"}:
        return []
    return [line for line in block.text.splitlines() if _COMMAND.match(line)]


def pages() -> list[str]:
    """All pages that readers see: the documentation, and what stands at the root."""
    folders = (ROOT / "docs", ROOT / "deploy")
    found = [ROOT / name for name in TOP]
    found += sorted(path for folder in folders for path in folder.rglob("*.md"))
    return [path.relative_to(ROOT).as_posix() for path in found]
