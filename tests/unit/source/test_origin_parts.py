"""The small parts of asking an origin: decoding, signing, redirects, purges, shared copies."""

import gzip
import json
from base64 import b64decode, b64encode
from dataclasses import replace
from hashlib import sha256
from hmac import digest
from typing import Any

import brotli
import httpx2
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from gateway.client.asset import asset_id
from gateway.clock import Clock
from gateway.source.origin.body import CodingError, TooLargeError, decoded
from gateway.source.origin.client import AttemptError, redirected
from gateway.source.origin.copies import (
    StoredCopy,
    digest_of,
    from_bytes,
    packed,
    to_bytes,
    validator,
)
from gateway.source.origin.freshness import Lifetime
from gateway.source.origin.origin_config import FreshnessBounds
from gateway.source.origin.purges import MAX_NOTES, Purges
from gateway.source.origin.signing import signature_base, signed_headers

TEXT = b"#EXTM3U\n" * 500
CODERS = {"gzip": gzip.compress, "br": brotli.compress, "zstd": zstandard.compress}


@pytest.mark.parametrize("coding", CODERS)
def test_bodies_are_decoded_within_a_bound(coding: str) -> None:
    """The exact size is allowed; one byte more, truncation and damage are not."""
    raw = CODERS[coding](TEXT)
    assert TEXT == decoded(raw, coding.upper(), len(TEXT))
    for bad in (raw[:-1], raw[: len(raw) // 2], b"", b"\0" * 50, TEXT):
        if bad or coding != "gzip":
            with pytest.raises(CodingError):
                decoded(bad, coding, len(TEXT))
    for largest in (len(TEXT) - 1, 1):
        with pytest.raises(TooLargeError, match=f"{largest} bytes allowed"):
            decoded(raw, coding, largest)


def test_gzip_of_several_members() -> None:
    """RFC 1952, 2.2: they are one body."""
    raw = gzip.compress(b"#EXTM3U\n") + gzip.compress(b"#\n")
    assert b"#EXTM3U\n#\n" == decoded(raw, "gzip", 100)
    with pytest.raises(CodingError, match="9 bytes allowed"):
        decoded(raw, "gzip", 9)


def test_gzip_of_very_many_members() -> None:
    """64 are read; more are refused, before they have cost much."""
    empty = gzip.compress(b"")
    assert b"#EXTM3U\n" == decoded(gzip.compress(b"#EXTM3U\n") + 63 * empty, "gzip", 100)
    for members in (65, 100_000):
        with pytest.raises(CodingError, match="more than 64 members"):
            decoded(members * empty, "gzip", 100)


def test_a_zstd_window_that_is_too_large_is_refused() -> None:
    """RFC 9659: 8 MB is the most that a client must hold."""
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    coder = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    raw = coder.compress(bytes(1000)) + coder.flush()
    with pytest.raises(CodingError, match="zstd"):
        decoded(raw, "zstd", 10_000)


@pytest.mark.parametrize("coding", ["deflate", "compress", "gzip, gzip", "x" * 999])
def test_codings_that_were_not_offered(coding: str) -> None:
    """The error names the coding, shortened."""
    with pytest.raises(CodingError, match="not offered") as caught:
        decoded(TEXT, coding, 10_000)
    assert len(str(caught.value)) < 100


def test_the_signature_of_the_standard() -> None:
    """RFC 9421, B.2.5: the HMAC example, to the byte."""
    key = b64decode(
        "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ=="
    )
    described, base = signature_base(
        [
            ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
            ("@authority", "example.com"),
            ("content-type", "application/json"),
        ],
        {"created": "1618884473", "keyid": '"test-shared-secret"'},
    )
    assert (
        '("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"'
        == described
    )
    signature = b64encode(digest(key, base.encode(), sha256))
    assert b"pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=" == signature


def test_what_is_signed() -> None:
    """Method, path, date and request id, by name."""
    headers = signed_headers(
        path="/vod/a/master.m3u8", request_id="r1", now=1618884475, key="k", key_id="gw"
    )
    assert "Tue, 20 Apr 2021 02:07:55 GMT" == headers["Date"]
    expected = (
        'gateway=("@method" "@path" "date" "x-request-id")'
        ';created=1618884475;keyid="gw";alg="hmac-sha256"'
    )
    assert expected == headers["Signature-Input"]


FROM = httpx2.URL("https://o.example/vod/a/master.m3u8")
ALLOWED = frozenset({"cdn.example", "cdn.example:8443"})
REDIRECTS = [
    ("b.m3u8", "https://o.example/vod/a/b.m3u8"),
    ("/x", "https://o.example/x"),
    ("?t=1#frag", "https://o.example/vod/a/master.m3u8?t=1"),
    ("https://o.example:443/x", "https://o.example/x"),
    ("HTTPS://O.EXAMPLE/x", "https://o.example/x"),
    ("https://cdn.example/x", "https://cdn.example/x"),
    ("https://cdn.example:8443/x", "https://cdn.example:8443/x"),
    ("https://CDN.example:8443/x", "https://cdn.example:8443/x"),
    ("//cdn.example/x", "https://cdn.example/x"),
    ("", None),
    ("http://o.example/x", None),
    ("http://cdn.example/x", None),
    ("https://o.example:8443/x", None),
    ("https://cdn.example:9999/x", None),
    ("https://evil.example/x", None),
    ("//evil.example/x", None),
    ("https://o.example@evil.example/x", None),
    ("https://user:password@o.example/x", None),
    ("https://o.example.evil.example/x", None),
    ("https:\\\\evil.example/x", "https://o.example/vod/a/\\\\evil.example/x"),
    ("https://evil.example\\@o.example/x", None),
    ("https://[::1]/x", None),
    ("https://127.0.0.1/x", None),
    ("file:///etc/passwd", None),
    ("gopher://o.example/", None),
    ("javascript:1", None),
    ("https://", "https://o.example/vod/a/master.m3u8"),
    ("https:///x", "https://o.example/x"),
    ("https://o.example:99999/", None),
    ("https://o.example:port/", None),
    ("https://\u2025.example/", None),
]


@pytest.mark.parametrize(("location", "expected"), REDIRECTS)
def test_where_a_redirect_may_lead(location: str, expected: str | None) -> None:
    """The same scheme, host and port, or a host that is allowed, over https (F13)."""
    try:
        found = str(redirected(FROM, location, ALLOWED))
    except AttemptError:
        found = None
    assert expected == found


def test_from_http_only_http_and_https() -> None:
    """An http origin may redirect to its own https URL only where that host is allowed."""
    plain = httpx2.URL("http://o.example/x")
    assert "http://o.example/y" == str(redirected(plain, "/y", frozenset()))
    with pytest.raises(AttemptError):
        redirected(plain, "https://o.example/y", frozenset())
    allowed = redirected(plain, "https://o.example/y", frozenset({"o.example"}))
    assert "https://o.example/y" == str(allowed)


@given(st.text(max_size=100) | st.from_regex(r"(https?:)?//[a-z@:.\\/\[\]0-9%]{0,40}"))
def test_no_location_leads_elsewhere(location: str) -> None:
    """Any redirect leads to an allowed place or raises."""
    try:
        found = redirected(FROM, location, frozenset())
    except AttemptError:
        return
    assert ("https", "o.example", None, b"") == (
        found.scheme,
        found.host,
        found.port,
        found.userinfo,
    )


@given(st.from_regex(r"\A[A-Za-z0-9._~/-]{1,60}\Z") | st.text(max_size=60))
def test_no_asset_id_leads_elsewhere(text: str) -> None:
    """For any asset id the URL is on the origin's host, below its path."""
    try:
        asset = asset_id(text)
    except ValueError:
        return
    url = httpx2.URL(f"https://o.example/vod/{asset}/master.m3u8")
    assert ("https", "o.example", None, b"", b"") == (
        url.scheme,
        url.host,
        url.port,
        url.userinfo,
        url.query,
    )
    assert f"/vod/{asset}/master.m3u8".encode() == url.raw_path


PURGES = [
    ([("=a", 5.0)], "a", 5.0, True),
    ([("=a", 5.0)], "a", 5.1, False),
    ([("=a", 5.0)], "ab", 1.0, False),
    ([("a", 5.0)], "ab", 1.0, True),
    ([("a/", 5.0)], "a", 1.0, False),
    ([("", 5.0)], "x", 5.0, True),
    ([("=a", 5.0), ("=a", 3.0)], "a", 4.0, True),
    ([], "a", 0.0, False),
]


@pytest.mark.parametrize(("notes", "asset", "asked_at", "expected"), PURGES)
def test_which_copies_a_purge_covers(
    notes: list[tuple[str, float]], asset: str, asked_at: float, expected: bool
) -> None:
    """Copies requested until then; the latest purge of a pattern counts."""
    purges = Purges()
    for pattern, at in notes:
        purges.note(pattern, at)
    assert expected is purges.covers(asset, asked_at)


def test_dropped_purges_restore_nothing() -> None:
    """When there are too many purges, everything as old as the dropped ones counts as purged."""
    purges = Purges()
    for number in range(MAX_NOTES + 1):
        purges.note(f"={number}", float(number))
    assert [True, True, False] == [
        purges.covers("0", 0.0),
        purges.covers("another", 499.0),
        purges.covers("another", 500.0),
    ]


ORIGIN = "https://o.example/vod/"
CLOCK = Clock(lambda: 100.0, lambda: 100.0)
COPY = StoredCopy(
    path="a/master.m3u8",
    origin=ORIGIN,
    etag='W/"1"',
    last_modified="Tue, 20 Apr 2021 02:07:55 GMT",
    asked_at=99.0,
    lifetime=Lifetime(100.0, 1, 10, 20, 30),
    digest=digest_of(TEXT),
    packed=packed(TEXT),
)


def read(
    data: bytes, now: float = 100.0, max_bytes: int = 10_000
) -> tuple[StoredCopy, bytes] | None:
    """A shared copy as another worker reads it."""
    clock = Clock(lambda: now, lambda: now)
    return from_bytes(data, (ORIGIN,), clock, FreshnessBounds(max_fresh_s=5), max_bytes)


def test_a_shared_copy_comes_back() -> None:
    """Its lifetime is cut to the reader's own bounds."""
    expected = replace(COPY, lifetime=Lifetime(100.0, 1, 5, 20, 30))
    assert (expected, TEXT) == read(to_bytes(COPY, CLOCK))


def with_checksum(whole: bytes) -> bytes:
    """A value with a valid checksum."""
    return digest_of(whole).encode() + b"\n" + whole


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("another origin", {"origin": "https://evil.example/"}),
    ("a path that leads out", {"path": "/etc/passwd"}),
    ("a path with a line end", {"path": "a\nb"}),
    ("a path with a quote", {"path": 'a"b'}),
    ("no path", {"path": ""}),
    ("another body", {"digest": "0" * 16}),
    ("made tomorrow", {"lifetime": Lifetime(100_000.0, 1, 10, 20, 30)}),
    ("never stale", {"lifetime": Lifetime(100.0, 1, float("inf"), 20, 30)}),
    ("no number", {"lifetime": Lifetime(100.0, float("nan"), 5, 20, 30)}),
    ("negative", {"lifetime": Lifetime(100.0, 1, -5, 20, 30)}),
    ("a huge whole number", {"lifetime": Lifetime(100.0, 10**400, 10, 20, 30)}),
    ("asked at a huge time", {"asked_at": 2.0**60}),
    ("asked after it was answered", {"asked_at": 101.0}),
    ("a lifetime beyond all bounds", {"lifetime": Lifetime(100.0, 1, 10, 2.0**41, 30)}),
    ("no frame", {"packed": b"x"}),
]


@pytest.mark.parametrize("changes", [row[1] for row in WRONG], ids=[row[0] for row in WRONG])
def test_a_malformed_shared_copy_is_rejected(changes: dict[str, Any]) -> None:
    """Any JSON header with a valid checksum is rejected without an exception."""
    assert None is read(to_bytes(replace(COPY, **changes), CLOCK))


def test_a_shared_bomb() -> None:
    """Decoding stops at the bound."""
    assert None is read(to_bytes(replace(COPY, packed=packed(bytes(10**7))), CLOCK))


@given(st.binary(max_size=300) | st.binary(max_size=100).map(with_checksum))
def test_no_bytes_can_do_harm(data: bytes) -> None:
    """Arbitrary bytes are rejected."""
    assert None is read(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.integers() | st.just(10**400),
    st.lists,
    max_leaves=5,
)


@given(JSON)
def test_no_json_can_do_harm(value: object) -> None:
    """A valid form with one invalid member, also within the lifetime."""
    whole = to_bytes(COPY, CLOCK).partition(b"\n")[2]
    header, _, frame = whole.partition(b"\n")
    table = json.loads(header)
    life = [{**table, "lifetime": {**table["lifetime"], name: value}} for name in table["lifetime"]]
    for forged in [*({**table, name: value} for name in table), *life]:
        found = read(with_checksum(json.dumps(forged).encode() + b"\n" + frame))
        assert found is None or found[0].origin == ORIGIN


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"a b"', '"a b"'),
        ("W/x", "W/x"),
        (None, None),
        ("", None),
        ("a\r\nX: y", None),
        ("é", None),
        ("x" * 1025, None),
    ],
)
def test_validators_that_may_be_sent_back(text: str | None, expected: str | None) -> None:
    """A validator cannot hold a line break."""
    assert expected == validator(text)
