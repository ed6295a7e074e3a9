"""No input makes a reader raise anything but the one error that it names."""

import contextlib

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.source.origin.body import CodingError, decoded
from gateway.source.origin.freshness import (
    LONGEST_S,
    directives,
    http_date,
    lifetime_of,
    retry_after,
)
from gateway.source.origin.origin_config import FreshnessBounds
from manifests.fault import ManifestError
from manifests.hls.media import MAX_DURATION_S, MAX_SEQUENCE, read_media
from manifests.hls.multivariant import keep_everything, parse, write

NUMBERS = st.sampled_from(
    [
        *("0", "-0", "1", "-1", "6", "1.5", "1e300", "1e400", "-1e400", "nan", "inf", "Infinity"),
        *("0x10", "1_0", "\u0661", "", " ", "+6", "9" * 25, "9" * 5000, str(2**60), str(2**64)),
        *("6@7", "1x1", "999999999x999999999", "2026-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z"),
        *("0001-01-01T00:00:00+23:59", "YES", "NONE", '"', '"a"', '"a', "a=b", "=", ",", "{$a}"),
    ]
)
MEDIA_TAGS = st.sampled_from(
    [
        *("EXTINF", "EXT-X-TARGETDURATION", "EXT-X-MEDIA-SEQUENCE", "EXT-X-BYTERANGE"),
        *("EXT-X-DISCONTINUITY-SEQUENCE", "EXT-X-PROGRAM-DATE-TIME", "EXT-X-BITRATE", "EXT-X-KEY"),
        *("EXT-X-MAP", "EXT-X-PART", "EXT-X-PART-INF", "EXT-X-SKIP", "EXT-X-SERVER-CONTROL"),
        *("EXT-X-DATERANGE", "EXT-X-PRELOAD-HINT", "EXT-X-RENDITION-REPORT", "EXT-X-START"),
        *("EXT-X-CUE-OUT", "EXT-X-CUE-OUT-CONT", "EXT-X-CUE-IN", "EXT-X-CUE-SPAN", "EXT-X-ASSET"),
        *("EXT-OATCLS-SCTE35", "EXT-X-TILES", "EXT-X-VERSION", "EXT-X-ALLOW-CACHE", "EXT-X-GAP"),
        *("EXT-X-IMAGE-STREAM-INF", "EXT-X-STREAM-INF", "EXT-X-I-FRAME-STREAM-INF", "EXT-X-MEDIA"),
        *("EXT-X-SESSION-DATA", "EXT-X-SESSION-KEY", "EXT-X-CONTENT-STEERING", "EXT-X-DEFINE"),
        *("EXT-X-ENDLIST", "EXT-X-PLAYLIST-TYPE", "EXT-X-DISCONTINUITY", "EXT-X-X"),
    ]
)
NAMES = st.sampled_from(
    [
        *(
            "DURATION",
            "URI",
            "BYTERANGE",
            "METHOD",
            "BANDWIDTH",
            "RESOLUTION",
            "FRAME-RATE",
            "TYPE",
        ),
        *("GROUP-ID", "NAME", "VALUE", "QUERYPARAM", "IMPORT", "PART-TARGET", "SKIPPED-SEGMENTS"),
        *("TIME-OFFSET", "START-DATE", "END-DATE", "SCORE", "CAN-SKIP-UNTIL", "CODECS", "AUDIO"),
        *("ELAPSEDTIME", "LAYOUT", "BYTERANGE-LENGTH", "AVERAGE-BANDWIDTH", "REQ-VIDEO-LAYOUT"),
        *("SERVER-URI", "PATHWAY-ID", "DEFAULT", "CLOSED-CAPTIONS", "X"),
    ]
)
ATTRIBUTES = st.lists(st.builds("{}={}".format, NAMES, NUMBERS), max_size=3).map(",".join)
LINES = st.one_of(
    st.builds("#{}:{}".format, MEDIA_TAGS, st.one_of(NUMBERS, ATTRIBUTES, st.text(max_size=8))),
    st.builds("#EXTINF:{},\na.ts".format, NUMBERS),
    st.builds("#EXT-X-STREAM-INF:BANDWIDTH={}\nv{}.m3u8".format, NUMBERS, NUMBERS),
    st.sampled_from(["a.ts", "#EXT-X-TARGETDURATION:6", "#", "#EXT", "\ufeff", "\r"]),
    st.text(max_size=8),
)
PLAYLISTS = st.lists(LINES, max_size=12).map(lambda lines: "\n".join(["#EXTM3U", *lines]))
BODIES = st.binary(max_size=60) | PLAYLISTS.map(lambda text: text.encode("utf-8", "surrogatepass"))


@given(BODIES)
@example(
    b"#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z\n"
    b"#EXTINF:1e300,\na.ts\n"
)
def test_media_playlists(data: bytes) -> None:
    """ManifestError, or numbers within their ranges."""
    with contextlib.suppress(ManifestError):
        found = read_media(data)
        assert 0 <= found.target_duration_s <= MAX_DURATION_S
        assert 0 <= found.media_sequence <= MAX_SEQUENCE
        assert found.media_sequence + found.segments - 1 <= MAX_SEQUENCE


@given(BODIES)
def test_multivariant_playlists(data: bytes) -> None:
    """ManifestError, or a playlist that can be written, with attributes within their ranges."""
    try:
        playlist = parse(data)
    except ManifestError:
        return
    assert write(playlist, keep_everything(playlist), lambda uri: uri)
    for variant in (*playlist.variants, *playlist.iframes):
        assert 0 <= variant.bandwidth < 10**20
        assert 0 <= (variant.average_bandwidth or 0) < 10**20
        assert 0 <= (variant.frame_rate or 0) < 10**9
        assert 0 <= (variant.score or 0) < 10**9


DATES = st.sampled_from(
    [
        *("Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "0"),
        *("Mon, 01 Jan 0001 00:00:00 GMT", "Mon, 01 Jan 0001 00:00:00 +2359", "1 Jan 1 0:0 -0000"),
        *("Mon, 31 Dec 9999 23:59:59 -2359", "Thu, 01 Jan 99999999999 00:00:00 GMT", "Thu, 32 Jan"),
        *("1 Jan 2026 99:99:99 GMT", "1 Jan 2026 00:00:00 +99999999999", "Sunday, 06-Nov-94 1:1:1"),
    ]
)
SECONDS = st.sampled_from(
    [
        "0",
        "-1",
        "1",
        "9" * 12,
        "9" * 13,
        "9" * 5000,
        "1.5",
        "1e9",
        "\u0661",
        "",
        "nan",
        '"5"',
        "1, 2",
    ]
)
VALUES = st.one_of(DATES, SECONDS, st.text(max_size=30))
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "age": VALUES,
        "date": VALUES,
        "expires": VALUES,
        "retry-after": VALUES,
        "cache-control": st.lists(
            st.builds(
                "{}={}".format,
                st.sampled_from(["max-age", "s-maxage", "stale-if-error", "no-store", "x"]),
                VALUES,
            )
        ).map(",".join),
    },
)


@given(HEADERS)
def test_freshness_headers(headers: dict[str, str]) -> None:
    """Nothing is raised, and every number of seconds has a bound."""
    bounds = FreshnessBounds()
    found = lifetime_of(headers, 1.75e9, 1.75e9 + 1, bounds)
    assert bounds.min_fresh_s <= found.fresh_s <= bounds.max_fresh_s
    assert 0 <= found.revalidate_s <= bounds.max_stale_while_revalidate_s
    assert 0 <= found.error_s <= bounds.max_stale_if_error_s
    assert 0 <= found.age_s <= LONGEST_S
    assert 0 <= (retry_after(headers.get("retry-after"), 1.75e9) or 0) <= LONGEST_S
    for value in headers.values():
        directives(value)
        http_date(value)


@given(st.binary(max_size=80), st.sampled_from(["gzip", "br", "zstd", "x-gzip", "deflate", ""]))
def test_coded_bodies(raw: bytes, coding: str) -> None:
    """CodingError, or a body within the bound."""
    with contextlib.suppress(CodingError):
        assert len(decoded(raw, coding, 100)) <= 100
