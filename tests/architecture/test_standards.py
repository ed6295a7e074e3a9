"""Can every rule that is cited be looked up? Each citation is a row of docs/standards.md.

A code is a letter from A to G, a number, and perhaps a second one: ``A6.2``, ``F9``. It is a
citation in four places, and only there:

- behind the word ``rule`` or ``rules``;
- in parentheses, between commas, semicolons or colons;
- at the start of a comment, a docstring or a string;
- behind another citation: commas, semicolons, ``and`` and ``to`` make lists and ranges.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from manifests.standards import RULES
from tests.architecture.parsed import parsed

ROOT = Path(__file__).parents[2]
STANDARDS = ROOT / "docs/standards.md"
PRODUCT = ("gateway", "manifests", "geodata", "demo")
FOLDERS = (*PRODUCT, "tests", "docs")
SUFFIXES = {".py", ".md", ".toml"}

CODE = r"[A-G]\d{1,2}(?:\.\d{1,2})?"
_GAP = r"\s+(?:\#\s+)?"  # a list may go on in the next line, of a comment as well
_BETWEEN = rf"(?:,|;|,?{_GAP}and|{_GAP}to)?{_GAP}|–"
_LIST = rf"(?P<codes>{CODE}(?:(?:{_BETWEEN}){CODE})*)"
_END = r"(?![\w%-]|\.\w)"

CITATIONS = (
    re.compile(rf"\b[Rr]ules?{_GAP}{_LIST}{_END}"),
    re.compile(rf"\((?:[^()\"]*?[,;]{_GAP})??{_LIST}(?=[),;:]|{_GAP}to\b)"),
    re.compile(rf"(?:\"!?|\#\ ){_LIST}(?=[\s,;:\"])"),
)
LOOSE = re.compile(rf"(?<![\w.%$/+-])[A-G]\d{{1,2}}\.\d{{1,2}}{_END}")
"""A code with a dot is hardly ever anything else, wherever it stands."""

NO_CITATIONS = {
    ("tests/unit/client/test_cmcd.py", "E1"),  # error codes of a player
    ("tests/unit/client/test_cmcd.py", "E2"),
    ("tests/unit/client/test_cmcd_report.py", "E1"),
    ("tests/unit/client/test_cmcd_report.py", "E2"),
    ("tests/unit/client/test_device_agents.py", "A1"),  # the model of a phone
}

ROW = re.compile(rf"^\| (?P<code>{CODE}) \|(?P<cells>.*)\|$", re.MULTILINE)


def order(code: str) -> tuple[str, tuple[int, ...]]:
    """Sorts A6.2 before A6.10, and A6 before both."""
    return code[0], tuple(int(number) for number in code[1:].split("."))


def expand(codes: str) -> Iterator[str]:
    """``A5.3 to A5.5, B1`` → A5.3, A5.4, A5.5, B1. A range is one of last numbers."""
    last = ""
    for between, code in re.findall(rf"({_BETWEEN})?({CODE})", codes):
        if between.strip(" #\n") in {"to", "–"}:
            head = last.rstrip("0123456789")
            start, end = int(last.removeprefix(head)), int(code.removeprefix(head))
            yield from (f"{head}{number}" for number in range(start + 1, end))
        yield code
        last = code


def citations(text: str) -> set[str]:
    """The codes that a text cites."""
    return {
        code
        for pattern in CITATIONS
        for found in pattern.finditer(text)
        for code in expand(found["codes"])
    }


def loose(text: str) -> set[str]:
    """The codes that stand where no citation stands."""
    cited = [
        range(*found.span("codes")) for pattern in CITATIONS for found in pattern.finditer(text)
    ]
    return {
        found[0]
        for found in LOOSE.finditer(text)
        if not any(found.start() in span for span in cited)
    }


def files() -> list[str]:
    """Every file that may cite a rule, from the repository's root; not this one."""
    below = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*"))
    return sorted(
        path.relative_to(ROOT).as_posix()
        for path in (*below, *ROOT.glob("*.md"), ROOT / "gateway.toml")
        if path.suffix in SUFFIXES and path not in {STANDARDS, Path(__file__)}
    )


def read(path: str | Path) -> str:
    """The text of a file, by its path from the root."""
    return (ROOT / path).read_text(encoding="utf-8")


def messages_with_codes(source: str) -> list[str]:
    """The strings of a module that hold a code in a text of their own, docstrings aside."""
    tree = parsed(source)
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
    ]
    return [text for text in texts if " " in text and (citations(text) or loose(text))]


@cache
def cited() -> dict[str, set[str]]:
    """By file, the codes that it cites."""
    return {
        path: {code for code in citations(read(path)) if (path, code) not in NO_CITATIONS}
        for path in files()
    }


ROWS = [(row["code"], row["cells"].split(" | ")) for row in ROW.finditer(read(STANDARDS))]


def test_every_citation_is_a_row() -> None:
    """A reader who meets a code finds what it means."""
    rows = {code for code, _ in ROWS}
    unknown = {path: sorted(codes - rows, key=order) for path, codes in cited().items()}
    assert {} == {path: codes for path, codes in unknown.items() if codes}


def test_every_row_is_cited() -> None:
    """A rule that nothing cites is no rule of this project."""
    assert [] == [code for code, _ in ROWS if not any(code in codes for codes in cited().values())]


def test_rows_are_unique_and_sorted() -> None:
    """Each rule can be found at its place, once."""
    codes = [code for code, _ in ROWS]
    assert sorted(set(codes), key=order) == codes


def test_every_row_has_a_sentence_and_a_clause() -> None:
    """What it says, and where that stands."""
    assert [] == [
        code for code, cells in ROWS if len(cells) != 2 or not all(cell.strip() for cell in cells)
    ]


def test_no_code_stands_outside_a_citation() -> None:
    """Else the tests above would pass it over: write ``rule A6.2`` or ``(A6.2)``."""
    found = {path: loose(read(path)) for path in cited()}
    assert {} == {path: codes for path, codes in found.items() if codes}


def test_messages_name_clauses_in_words() -> None:
    """Players and operators have no table of codes: "RFC 8216bis 4.4.6.2", not a code."""
    product = [path for path in cited() if path.startswith(PRODUCT) and path.endswith(".py")]
    found = {path: messages_with_codes(read(path)) for path in product}
    assert {} == {path: texts for path, texts in found.items() if texts}


def test_every_rule_that_a_fault_names_has_its_clause() -> None:
    """A code that is all of a string names a fault; without a clause it could not be written."""
    named = {
        node.value
        for path in cited()
        if path.startswith("manifests/") and path != "manifests/standards.py"
        for node in ast.walk(parsed(read(path)))
        if isinstance(node, ast.Constant) and re.fullmatch(CODE, str(node.value))
    }
    assert set(RULES) == named


def test_messages_name_the_clause_of_the_row() -> None:
    """What a message says of a rule is where the row of that rule begins."""
    rows = {code: cells[-1].strip() for code, cells in ROWS}
    assert [] == [code for code, rule in RULES.items() if not rows[code].startswith(rule.clause)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('"""Rule A6.2."""', []),
        ('x = 1\n"""Rule A6.2."""', []),
        ('fault(3, "A6.2", "no BANDWIDTH")', []),
        ('fault(3, "no BANDWIDTH (A6.2)")', ["no BANDWIDTH (A6.2)"]),
        ('f"{x} is missing (rule B4)"', [" is missing (rule B4)"]),
        ('"RFC 8216bis 4.4.6.2: BANDWIDTH is missing"', []),
    ],
)
def test_codes_in_messages_are_found(source: str, expected: list[str]) -> None:
    """The check itself sees what it is for."""
    assert expected == messages_with_codes(source)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("by rule A6.2.", {"A6.2"}),
        ("Rules A1.1 to A1.4", {"A1.1", "A1.2", "A1.3", "A1.4"}),
        ("rules F1–F3", {"F1", "F2", "F3"}),
        ("(rules A7.2,\n    # A8.9 and B1)", {"A7.2", "A8.9", "B1"}),
        ("(A6.12, A11.2)", {"A6.12", "A11.2"}),
        ("(``spatial``, A6.10)", {"A6.10"}),
        ("(B9: 9.1 to 9.4)", {"B9"}),
        ('"""F4; the address', {"F4"}),
        ('Fault(3, "A6.2", "no")', {"A6.2"}),
        ('"A3.3 A3.1"', {"A3.3", "A3.1"}),
        ('"!A1.4"', {"A1.4"}),
        ("x = 1  # B10: one", {"B10"}),
        ("(A12 and newer chips)", set()),
        ("hvc1.2.4.L93.B0", set()),
        ("caf%C3%A9", set()),
        ('"H96 Max"', set()),
    ],
)
def test_citations_are_found(text: str, expected: set[str]) -> None:
    """The check itself sees what it is for."""
    assert expected == citations(text)
