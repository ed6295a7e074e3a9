"""Announcements of edges: who signed them, and when."""

import re
from collections.abc import Callable

import pytest

from gateway.trust.keys import SigningKey
from gateway.trust.registrations import (
    CLOCKS_DIFFER_S,
    MAX_HEADER_BYTES,
    Announcement,
    AnnouncementVerifier,
    NewestAnnouncements,
    signed,
)

KEY = SigningKey("k" * 32, b"a secret of thirty-two characters")
OLD = SigningKey("old", b"another secret of thirty-two characters", "verify-only")
RETIRED = SigningKey("retired", b"a third secret of thirty-two characters", "retired")
VERIFIER = AnnouncementVerifier([KEY, OLD, RETIRED])
AT_MS = 1_800_000_000_000
FACTS = b'{"edge": {}}\n'


@pytest.mark.parametrize("key", [KEY, OLD], ids=lambda key: key.status)
@pytest.mark.parametrize("facts", [FACTS, b""])
def test_what_is_signed_is_verified(key: SigningKey, facts: bytes) -> None:
    """The facts and the time come back, also of an edge that leaves."""
    entry = signed(key, "a", facts, AT_MS)
    assert Announcement(AT_MS, facts, key.id) == VERIFIER.verify(b"a", entry)
    assert len(entry) <= MAX_HEADER_BYTES + len(facts) + 1


UNSIGNED, UNKNOWN, WRONG = "is not signed", "unknown key", "signature of an announcement"
FORGED: list[tuple[str, Callable[[bytes], bytes], str]] = [
    ("nothing", lambda _: b"", UNSIGNED),
    ("facts alone", lambda _: FACTS, UNSIGNED),
    ("a mac that is none", lambda entry: entry.replace(b"\n", b"z\n", 1), UNSIGNED),
    ("a retired key", lambda _: signed(RETIRED, "a", FACTS, AT_MS), UNKNOWN),
    ("an unknown key", lambda entry: b"x" + entry[1:], UNKNOWN),
    ("the id of another key", lambda entry: b"old" + entry[32:], WRONG),
    ("other facts", lambda entry: entry + b" ", WRONG),
    ("no facts", lambda entry: entry.partition(b"\n")[0] + b"\n", WRONG),
    ("another time", lambda entry: re.sub(rb"\.18", b".19", entry), WRONG),
    ("another edge", lambda _: signed(KEY, "b", FACTS, AT_MS), WRONG),
]


@pytest.mark.parametrize(
    ("forge", "said"), [row[1:] for row in FORGED], ids=[row[0] for row in FORGED]
)
def test_what_is_not_signed_is_refused(forge: Callable[[bytes], bytes], said: str) -> None:
    """The reason shows nothing of the entry."""
    with pytest.raises(ValueError, match=said):
        VERIFIER.verify(b"a", forge(signed(KEY, "a", FACTS, AT_MS)))
    with pytest.raises(ValueError, match=UNSIGNED):
        VERIFIER.verify(b"a", None)


def test_only_the_newest_counts() -> None:
    """Of each edge by itself; the same one may be read again and again."""
    newest, now_s = NewestAnnouncements(), AT_MS / 1000
    steps = [
        (b"a", 0, None),
        (b"a", 0, None),
        (b"b", -5_000, None),
        (b"a", -1, "older"),
        (b"a", 1, None),
        (b"a", 0, "older"),
        (b"a", round(CLOCKS_DIFFER_S * 1000), None),
        (b"b", round(CLOCKS_DIFFER_S * 1000) + 1, "future"),
        (b"b", 0, None),
    ]
    for edge_id, after_ms, said in steps:
        found = newest.refusal(edge_id, Announcement(AT_MS + after_ms, FACTS, KEY.id), now_s)
        assert (found is None, said is None or said in str(found)) == (said is None, True)


def test_what_is_remembered_is_bounded() -> None:
    """The edge that was heard of the longest ago is forgotten first."""
    newest = NewestAnnouncements()
    for at in range(10_001):
        assert newest.refusal(b"%d" % at, Announcement(AT_MS, FACTS, KEY.id), AT_MS / 1000) is None
    before = Announcement(AT_MS - 1, FACTS, KEY.id)
    assert newest.refusal(b"0", before, AT_MS / 1000) is None
    assert newest.refusal(b"10000", before, AT_MS / 1000) is not None


def test_time_left() -> None:
    """The time to live, and the difference of clocks."""
    one = Announcement(AT_MS, FACTS, KEY.id)
    assert 6 + CLOCKS_DIFFER_S == one.left_s(6, AT_MS / 1000)
    assert 0 == one.left_s(6, AT_MS / 1000 + 6 + CLOCKS_DIFFER_S)
