"""Can every clause that the modules of trust cite be looked up? Each is a row of docs/standards.md.

These modules name a document and a clause, such as ``RFC 7519, 4.1.3``, instead of a code.
"""

import re
from collections.abc import Iterator

import pytest

from tests.architecture.test_standards import ROOT, STANDARDS, read

FOLDERS = ("gateway/trust", "gateway/operators", "gateway/tls")
FILES = (
    *("gateway/http/authorise.py", "gateway/http/sign_in.py", "gateway/http/rate_check.py"),
    *("gateway/play/allowance.py", "gateway/play/carrying.py", "gateway/play/cookies.py"),
    *("gateway/play/edge_cookies.py", "gateway/play/licences.py", "gateway/play/presented.py"),
    *("gateway/play/rate_limited.py", "gateway/play/rate_limits.py"),
    *("gateway/play/token_problems.py", "gateway/play/token_renewal.py"),
    *("gateway/play/tokens.py", "gateway/play/operator_problems.py"),
    *("gateway/config/token_settings.py", "gateway/config/signing_settings.py"),
)
"""Tokens, signatures of edges, operators, TLS and limits."""

_CLAUSE = r"\d{1,2}(?:\.\d{1,2}){0,3}"
_GAP = r"(?:\s+(?:\#\s+)?)"
_RFC = re.compile(
    rf"\bRFC{_GAP}(?P<number>\d{{4,5}}(?:bis)?)"
    rf"(?:,{_GAP}(?:section{_GAP})?(?P<clauses>{_CLAUSE}(?:{_GAP}and{_GAP}{_CLAUSE})*)(?![\w-]))?"
)
_OIDC = rf"OpenID{_GAP}Connect{_GAP}[A-Z][a-z]+{_GAP}1\.0,{_GAP}{_CLAUSE}"
_OTHER = re.compile(rf"\b(?:CTA-\d{{4}}|ITU-T [A-Z]\.\d+|{_OIDC})")
_DOCUMENT = r"(?:RFC|CTA-|OpenID|ITU-T)[^|]*?"
_ROW = re.compile(rf"^\| (?P<document>{_DOCUMENT}) \| (?P<what>[^|]+) \|$", re.MULTILINE)


def cited(text: str) -> Iterator[str]:
    """Each citation of a text as its row begins: ``RFC 7519 4.1.3``."""
    for found in _RFC.finditer(text):
        clauses = re.findall(_CLAUSE, found["clauses"] or "") or [""]
        yield from (f"RFC {found['number']} {clause}".rstrip() for clause in clauses)
    for found in _OTHER.finditer(text):
        yield re.sub(r",?\s+", " ", found[0])


def part_of_trust() -> str:
    """The section of docs/standards.md."""
    return read(STANDARDS).partition("\n## H. Trust")[2]


ROWS = [row["document"] for row in _ROW.finditer(part_of_trust())]
CITED = {
    path.relative_to(ROOT).as_posix(): set(cited(path.read_text(encoding="utf-8")))
    for path in (
        *(each for folder in FOLDERS for each in sorted((ROOT / folder).rglob("*.py"))),
        *(ROOT / name for name in FILES),
    )
}


@pytest.mark.parametrize("path", sorted(path for path, found in CITED.items() if found))
def test_every_citation_is_a_row(path: str) -> None:
    """A reader who meets a clause finds what it says."""
    assert [] == sorted(CITED[path] - set(ROWS))


def test_every_row_is_cited() -> None:
    """Once, and by a module."""
    assert [] == [row for row in ROWS if not any(row in found for found in CITED.values())]
    assert len(set(ROWS)) == len(ROWS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(RFC 7519, 4.1.3).", ["RFC 7519 4.1.3"]),
        ("RFC 4648, section 5. And", ["RFC 4648 5"]),
        ("RFC 9421, 2.1 and 2.2", ["RFC 9421 2.1", "RFC 9421 2.2"]),
        ("RFC 7515, 7.1; RFC\n9052, 4.2", ["RFC 7515 7.1", "RFC 9052 4.2"]),
        ("RFC 7301, ALPN", ["RFC 7301"]),
        ("(RFC 6265bis)", ["RFC 6265bis"]),
        (
            "CTA-5007: ``catr``; OpenID Connect\n    Core 1.0, 3.1.3.7)",
            ["CTA-5007", "OpenID Connect Core 1.0 3.1.3.7"],
        ),
    ],
)
def test_citations_are_found(text: str, expected: list[str]) -> None:
    """The check itself sees what it is for."""
    assert expected == list(cited(text))
