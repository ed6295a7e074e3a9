"""Names in the store: bounded, harmless, distinct."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.store.connection.keys import decision_key, session_key

NAME = re.compile(rb"gw1:[ds]:[0-9a-f]{40}")


@pytest.mark.parametrize(
    "text",
    ["", "a", "x" * 1_000_000, "a\r\nFLUSHALL\r\n", "\x00", "日本", "\udc80", "{tag}", "*", " "],
    ids=ascii,
)
def test_hostile_text_becomes_a_short_harmless_name(text: str) -> None:
    """Whatever a player sends, the name has a fixed length and a fixed alphabet."""
    for name in (decision_key(text[:200]), session_key(text)):
        assert NAME.fullmatch(name)


def test_a_name_does_not_change_between_versions() -> None:
    """Workers of two releases that run side by side find each other's entries."""
    decision = b"gw1:d:a26f04973b500b68338559738a59a467b9c3f9f8"
    session = b"gw1:s:384264f676f39536840523f284921cdc68b6846b"
    assert decision == decision_key("vod/film|phone|VN|7")
    assert session == session_key("abc")


@given(st.text(), st.text())
def test_different_texts_have_different_names(one: str, other: str) -> None:
    """No two sessions share an entry, and no session shares one with a decision."""
    assert (one == other) == (session_key(one) == session_key(other))
    assert decision_key(one) != session_key(one)
