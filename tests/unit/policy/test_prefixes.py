"""The prefixes of a text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.prefixes import Prefixes


@pytest.mark.parametrize(
    ("prefixes", "text", "expected"),
    [
        ([], "film/1", []),
        (["film/"], "film/1", ["film/"]),
        (["film/"], "film", []),
        (["film/", "film/1"], "film/1", ["film/1", "film/"]),
        (["film/", "film/1"], "film/2", ["film/"]),
        (["film/", "film/1", "film/1/x"], "film/1/y", ["film/1", "film/"]),
        (["a", "ab", "abc", "b"], "ac", ["a"]),
        (["b"], "a", []),
        (["", "b"], "a", [""]),
        (["", "b"], "", [""]),
        (["film/", "film/"], "film/", ["film/"]),
    ],
)
def test_prefixes_of_a_text(prefixes: list[str], text: str, expected: list[str]) -> None:
    """The prefixes that a text begins with, the longest first."""
    assert expected == list(Prefixes(prefixes).of(text))


texts = st.text("ab/", max_size=6)


@given(st.lists(texts, max_size=12), texts)
def test_all_prefixes_are_found(prefixes: list[str], text: str) -> None:
    """The same as testing each prefix."""
    expected = sorted({one for one in prefixes if text.startswith(one)}, key=len, reverse=True)
    assert expected == list(Prefixes(prefixes).of(text))
