"""The load test finds wrong answers: each fault that it looks for is noticed."""

import json
from collections.abc import Mapping

import pytest

from tests.load.answers import (
    MANIFEST_TYPE,
    WrongAnswerError,
    check_decision,
    check_headers,
    check_playlist,
    edge_of,
)

HEADERS = {
    "Content-Type": MANIFEST_TYPE,
    "ETag": '"1"',
    "Cache-Control": "private, max-age=5",
    "Vary": "User-Agent",
    "X-Request-ID": "1",
    "Gateway-Decision": 'profile=wifi, device=tv, edge="eu-west-1", rungs=1, cache=local',
}
BODY = (
    b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=200000\n"
    b"https://eu-west-1.cdn.example.com/film/001/240p/playlist.m3u8\n"
)


def test_a_right_playlist_passes() -> None:
    """Nothing is said about a right answer."""
    check_playlist(HEADERS, BODY)
    assert "eu-west-1" == edge_of(HEADERS)


@pytest.mark.parametrize(
    ("name", "headers", "body", "fault"),
    [
        ("no header", {"Gateway-Decision": None}, BODY, "no Gateway-Decision"),
        ("no edge", {"Gateway-Decision": "rungs=1"}, BODY, "names no edge"),
        ("no rungs", {"Gateway-Decision": 'edge="eu-west-1"'}, BODY, "names no rungs"),
        ("no tag", {"ETag": None}, BODY, "no ETag"),
        ("no id", {"X-Request-ID": None}, BODY, "no X-Request-ID"),
        ("another type", {"Content-Type": "text/html"}, BODY, "text/html"),
        ("an error page", {}, b"<html>", "#EXTM3U"),
        ("empty", {}, b"", "#EXTM3U"),
        ("no variant", {}, b"#EXTM3U\n", "0 variants"),
        ("cut off", {}, BODY[: BODY.index(b"https")], "0 URIs"),
        ("another edge", {}, BODY.replace(b"eu-west-1", b"global"), "is not at"),
        ("a rung too many", {}, BODY + BODY.removeprefix(b"#EXTM3U\n"), "2 variants"),
    ],
)
def test_a_wrong_playlist_does_not(
    name: str, headers: Mapping[str, str | None], body: bytes, fault: str
) -> None:
    """Each fault by itself."""
    changed = {**HEADERS, **headers}
    left = {key: value for key, value in changed.items() if value is not None}
    with pytest.raises(WrongAnswerError, match=fault):
        check_playlist(left, body)


def test_a_304_needs_its_headers() -> None:
    """RFC 9110, 15.4.5 (rule F6)."""
    check_headers(HEADERS)
    with pytest.raises(WrongAnswerError, match="no Vary"):
        check_headers({**HEADERS, "Vary": ""})


@pytest.mark.parametrize(
    ("decision", "fault"),
    [
        ({"ladder": [], "edges": ["eu-west-1"]}, "empty ladder"),
        ({"ladder": [{}], "edges": ["global"]}, "the header says otherwise"),
        ({"ladder": [{}], "edges": []}, "the header says otherwise"),
        ({"edges": ["eu-west-1"]}, "not a decision"),
        ([], "not a decision"),
    ],
)
def test_a_wrong_decision_is_noticed(decision: object, fault: str) -> None:
    """The JSON answer has a ladder and agrees with its header."""
    check_decision(HEADERS, json.dumps({"ladder": [{}], "edges": ["eu-west-1"]}).encode())
    with pytest.raises(WrongAnswerError, match=fault):
        check_decision(HEADERS, json.dumps(decision).encode())
