"""Finished manifests: their tags, their codings, and how many of them are kept."""

import gzip

import pytest

from gateway.play.bodies import Bodies, Body, matches

CODINGS = ("identity", "gzip", "br", "zstd")


def test_every_coding_has_a_tag_of_its_own() -> None:
    """RFC 9110, 8.8.3.3: a strong tag names the very bytes; equal bytes have equal tags."""
    one, same, other = Body(b"a"), Body(b"a"), Body(b"b")
    assert 4 == len({one.etag(coding) for coding in CODINGS})
    assert [one.etag(coding) for coding in CODINGS] == [same.etag(coding) for coding in CODINGS]
    assert one.etag("gzip") != other.etag("gzip")


def test_a_coding_is_made_once() -> None:
    """And the same bytes come out in every process: a tag may be asked for elsewhere."""
    body = Body(b"#EXTM3U\n" * 100)
    assert body.coded("gzip") is body.coded("gzip")
    assert body.coded("gzip") == Body(body.identity).coded("gzip")
    assert body.identity == gzip.decompress(body.coded("gzip"))


def test_what_is_kept_is_bounded() -> None:
    """By bytes; the one that was not asked for longest goes first."""
    bodies = Bodies(max_bytes=10_000)
    for number in range(4):
        bodies.put(number, b"x" * 1_000)
        bodies.get(0)
    assert [True, False, True, True] == [bodies.get(number) is not None for number in range(4)]


def test_what_is_larger_than_the_whole_cache_is_still_served() -> None:
    """It is made each time, and pushes nobody out."""
    bodies = Bodies(max_bytes=5_000)
    bodies.put("small", b"x")
    assert b"x" * 9_000 == bodies.put("large", b"x" * 9_000).identity
    assert None is bodies.get("large")
    assert None is not bodies.get("small")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ('"a"', True),
        ('W/"a"', True),
        ('"b","a"', True),
        ('"b" , W/"a"', True),
        (" * ", True),
        ('"b"', False),
        ("a", False),
        ('"b", *', False),
        ('w/"a"', False),
        ("", False),
    ],
)
def test_if_none_match(given: str, expected: bool) -> None:
    """Weak comparison (RFC 9110, 13.1.2); ``W/`` is case-sensitive."""
    assert expected == matches(given, '"a"')
