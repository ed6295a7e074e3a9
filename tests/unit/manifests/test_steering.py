"""Steering manifests: exact bytes, and what is never written."""

import json

import pytest

from manifests.steering import (
    MAX_INLINE_CHARS,
    MEDIA_TYPE,
    PathwayClone,
    inline_uri,
    write_steering_manifest,
)

RELOAD = "/v1/steering/film?state=k.abc"


def test_the_bytes() -> None:
    """One pathway, without clones; then with one."""
    assert (
        b'{"VERSION":1,"TTL":30,"RELOAD-URI":"/v1/steering/film?state=k.abc",'
        b'"PATHWAY-PRIORITY":["a"]}'
    ) == write_steering_manifest(30, RELOAD, ["a"])
    assert (
        b'{"VERSION":1,"TTL":1,"RELOAD-URI":"/v1/steering/film?state=k.abc",'
        b'"PATHWAY-PRIORITY":["b","a"],"PATHWAY-CLONES":[{"BASE-ID":"a","ID":"b",'
        b'"URI-REPLACEMENT":{"HOST":"b.example"}}]}'
    ) == write_steering_manifest(1, RELOAD, ["b", "a"], [PathwayClone("a", "b", "b.example")])
    assert MEDIA_TYPE == "application/vnd.apple.steering-list"


REFUSED = [
    ("a TTL of 0", (0, RELOAD, ["a"])),
    ("no pathway", (30, RELOAD, [])),
    ("a pathway twice", (30, RELOAD, ["a", "b", "a"])),
    ("no pathway id", (30, RELOAD, ["a b"])),
    ("an empty pathway id", (30, RELOAD, [""])),
    ("a line end", (30, RELOAD, ["a\n"])),
    ("players' parameters", (30, "/v1/steering/film?_HLS_pathway=a", ["a"])),
    ("those of DASH, too", (30, "/v1/steering/film?x=1&_DASH_throughput=1", ["a"])),
    ("a quote in the URL", (30, '/a?b="', ["a"])),
    ("a backslash in the URL", (30, "/a?b=\\", ["a"])),
    ("no URL", (30, "", ["a"])),
    ("a clone of itself", (30, RELOAD, ["a"], [PathwayClone("a", "a", "a.example")])),
    ("a clone twice", (30, RELOAD, ["a"], [PathwayClone("a", "b", "b.example")] * 2)),
    ("a host with a port", (30, RELOAD, ["a"], [PathwayClone("a", "b", "b.example:8443")])),
    ("no host", (30, RELOAD, ["a"], [PathwayClone("a", "b", "")])),
    ("an IPv6 address", (30, RELOAD, ["a"], [PathwayClone("a", "b", "[2001:db8::1]")])),
    ("no base", (30, RELOAD, ["a"], [PathwayClone("", "b", "b.example")])),
]


@pytest.mark.parametrize("given", [row[1] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_players_refuse_is_not_written(given: tuple[int, str, list[str]]) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        write_steering_manifest(*given)


def test_it_is_json_of_ascii() -> None:
    found = json.loads(write_steering_manifest(30, RELOAD, [".", "-", "_"]))
    assert [".", "-", "_"] == found["PATHWAY-PRIORITY"]
    clones = [PathwayClone("a", name, f"{name}.example") for name in ("b", "c")]
    found = json.loads(write_steering_manifest(30, RELOAD, ["b", "c", "a"], clones))
    assert [
        {"BASE-ID": "a", "ID": name, "URI-REPLACEMENT": {"HOST": f"{name}.example"}}
        for name in ("b", "c")
    ] == found["PATHWAY-CLONES"]


def test_a_manifest_as_a_uri() -> None:
    """Base64, which every reader knows; up to the bound."""
    prefix = f"data:{MEDIA_TYPE};base64,"
    assert f"{prefix}e30=" == inline_uri(b"{}")
    most = (MAX_INLINE_CHARS - len(prefix)) // 4 * 3
    assert inline_uri(b"x" * most) is not None
    assert inline_uri(b"x" * (most + 1)) is None
