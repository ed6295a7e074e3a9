"""Finished manifests: their tags and their codings."""

import gzip

import pytest

from gateway.play.bodies import Body, etag_matches, weight_of

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


def test_the_weight_covers_the_codings() -> None:
    """A body counts at least as much as it holds in every coding."""
    body = Body(b"".join(b"#EXT-X-STREAM-INF:BANDWIDTH=%d\n%d.m3u8\n" % (n, n) for n in range(99)))
    held = sum(len(body.coded(coding)) for coding in CODINGS)
    assert held <= weight_of(body)


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
    assert expected == etag_matches(given, '"a"')
