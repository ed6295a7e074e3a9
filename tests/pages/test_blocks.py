"""Every command of every page is run by a test, or excused with a reason that readers can judge."""

import pytest

from tests.pages.blocks import Block, MarkError, commands_outside, page, pages, parsed
from tests.pages.following import matches, prompts

PAGES = pages()
LEAST_REASON = 15


@pytest.mark.parametrize("name", PAGES)
def test_every_command_is_run_or_excused(name: str) -> None:
    """Commands stand in blocks of ``sh`` or ``console``, which run. An excuse says why not."""
    hidden = [
        f"{block}: {line}"
        for block in page(name).blocks
        for line in commands_outside(block)
        if "not run" not in block.marks
    ]
    assert [] == hidden, "write ```sh or ```console, or say why not: <!-- not run: … -->"
    short = [
        str(block)
        for block in page(name).blocks
        if len(block.marks.get("not run", "x" * LEAST_REASON)) < LEAST_REASON
    ]
    assert [] == short, "the reason does not say why"


def test_blocks_have_their_language_line_and_marks() -> None:
    """Marks belong to the next block alone, in lists too."""
    text = (
        "# Page\n<!-- commands run in: checkout -->\n\n<!-- not run: it takes\n an hour -->\n"
        "```sh\nmake a\n```\n- item\n\n  <!-- file: a/b.toml -->\n  <!-- exits: 1 -->\n"
        "  ```toml\n  x = 1\n  ```\n\n```\ntext\n```\n"
    )
    read = parsed("p.md", text)
    assert "checkout" == read.world
    assert (
        Block("p.md", 6, "sh", "make a\n", {"not run": "it takes an hour"}),
        Block("p.md", 13, "toml", "x = 1\n", {"file": "a/b.toml", "exits": "1"}),
        Block("p.md", 17, "", "text\n", {}),
    ) == read.blocks
    assert not read.runs


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<!-- no run: because -->\n```sh\nx\n```\n", "p.md:1: 'no run: because' is no mark"),
        ("<!-- not run: -->\n```sh\nx\n```\n", "is no mark"),
        ("<!-- exits: 1 -->\n\nText.\n", "p.md:1: no code block follows the mark"),
        ("<!-- commands run in: space -->\n", "commands run in 'space'; allowed are empty"),
    ],
)
def test_a_wrong_mark_is_an_error(text: str, said: str) -> None:
    """A mark with a spelling mistake would otherwise excuse nothing, or be lost."""
    with pytest.raises(MarkError, match=said):
        parsed("p.md", text)


@pytest.mark.parametrize(
    ("language", "line", "found"),
    [
        ("", "$ anything", True),
        ("text", "gateway check x", True),
        ("", ".venv/bin/gateway check x", True),
        ("bash", "curl -s x", True),
        ("", "gateway/", False),
        ("", "gateway gw-1:8080, 2 workers", False),
        ("toml", "make = 1", False),
        ("sh", "make x", False),
    ],
)
def test_commands_in_other_blocks_are_found(language: str, line: str, found: bool) -> None:
    """So no command escapes by its block's language."""
    assert found == bool(commands_outside(Block("p.md", 1, language, line, {})))


def test_prompts_are_split_from_what_is_printed() -> None:
    """A backslash continues a command."""
    text = "$ one \\\n   two\nsaid\nmore\n$ three\n$ four\n"
    assert [
        ("one \\\n   two\n", "said\nmore\n"),
        ("three\n", ""),
        ("four\n", ""),
    ] == list(prompts(text))


@pytest.mark.parametrize(
    ("shown", "said", "expected"),
    [
        ("a b\n", "a b  \n", True),
        ("a … c\n", "a b c\n", True),
        ("a\n…\nd\n", "a\nb\nc\nd\n", True),
        ("a.c\n", "abc\n", False),
        ("a\n", "a\nb\n", False),
        ("4 of 4 in 14 ms\n", "1 of 1 in 0.3 ms\n", True),
        ("id 5a1b79f0\n", "id c0ffee012345\n", True),
        ("id deadbeef\n", "id feedbeef\n", False),
        ("until 2026-11-28T23:10:00Z\n", "until 2027-01-02T03:04:05Z\n", True),
        ("http://127.0.0.2:9000/360p/\n", "http://127.0.0.1:9000/360p/\n", False),
        ("http://127.0.0.1:9000/360p/\n", "http://127.0.0.1:9000/480p/\n", False),
    ],
)
def test_what_is_shown_is_compared(shown: str, said: str, expected: bool) -> None:
    """Exactly, save for the ellipsis, numbers and ids."""
    assert expected == matches(shown, said)
