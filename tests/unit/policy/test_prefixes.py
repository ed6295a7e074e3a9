"""Which prefixes a text begins with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.prefixes import Prefixes


@pytest.mark.parametrize(
    ("prefixes", "text", "longest"),
    [
        ([], "film/1", None),
        (["film/"], "film/1", "film/"),
        (["film/"], "film", None),
        (["film/", "film/1"], "film/1", "film/1"),
        (["film/", "film/1"], "film/2", "film/"),
        (["film/", "film/1", "film/1/x"], "film/1/y", "film/1"),
        (["a", "ab", "abc", "b"], "ac", "a"),
        (["b"], "a", None),
        (["", "b"], "a", ""),
        (["", "b"], "", ""),
        (["film/", "film/"], "film/", "film/"),
    ],
)
def test_the_longest(prefixes: list[str], text: str, longest: str | None) -> None:
    """The most of the text that is a prefix; none where it begins with none."""
    assert longest == Prefixes(prefixes).longest(text)


texts = st.text("ab/", max_size=6)


@given(st.lists(texts, max_size=12), texts)
def test_all_prefixes_are_found(prefixes: list[str], text: str) -> None:
    """The longest one leads to every other, longest first."""
    book = Prefixes(prefixes)
    expected = sorted({one for one in prefixes if text.startswith(one)}, key=len, reverse=True)
    longest = book.longest(text)
    assert expected == ([] if longest is None else book.within(longest))
