"""Media playlists, as far as probes need them."""

import pytest

from manifests.fault import ManifestError
from manifests.hls.media import MediaPlaylist, read_media

VOD = b"#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\na.ts\n#EXTINF:3.5,\nb.ts\n#EXT-X-ENDLIST\n"
LIVE = b"#EXTM3U\r\n#EXT-X-TARGETDURATION:4\r\n#EXT-X-MEDIA-SEQUENCE:98\r\n#EXTINF:4,\r\nc.ts\r\n"
ODD = (b"1e300", b"1e400", b"nan", b"inf", b"-inf", b"-1", b"9" * 30, b"9" * 5000, b"86400.5")
"""Numbers that no playlist can mean."""
FRESH = b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:7\n"


@pytest.mark.parametrize(
    ("data", "expected", "last"),
    [
        (VOD, MediaPlaylist(6.0, 0, 2, True), 1),
        (LIVE, MediaPlaylist(4.0, 98, 1, False), 98),
        (FRESH, MediaPlaylist(4.0, 7, 0, False), None),
        (
            FRESH.replace(b":7", b":1152921504606846976") + b"#EXTINF:4,\nc.ts\n",
            MediaPlaylist(4.0, 2**60, 1, False),
            2**60,
        ),
        (
            FRESH.replace(b":7", b":18446744073709551614") + b"#EXTINF:4,\nc.ts\n",
            MediaPlaylist(4.0, 2**64 - 2, 1, False),
            2**64 - 2,
        ),
    ],
)
def test_a_media_playlist_says_how_far_it_is(
    data: bytes, expected: MediaPlaylist, last: int | None
) -> None:
    """Target duration, first number, how many segments, and whether it ended."""
    playlist = read_media(data)
    assert (expected, last) == (playlist, playlist.last_sequence)


@pytest.mark.no_cover  # the same few lines very often
def test_very_many_keys_and_segments() -> None:
    """A key for each segment takes time linear in their number, and there is a bound on both."""
    head = b"#EXTM3U\n#EXT-X-TARGETDURATION:6\n"
    each = b'#EXT-X-KEY:METHOD=AES-128,URI="k%d"\n#EXTINF:6,\ns%d\n'
    found = read_media(head + b"".join(each % (number, number) for number in range(8_000)))
    assert (8_000, False) == (found.segments, found.ended)
    hidden = "#\u2028 #EXT-X-KEY:METHOD=AES-128,URI=k{}\n#EXTINF:6,\ns\n".format
    assert 8_000 == read_media(head + "".join(map(hidden, range(8_000))).encode()).segments
    assert 20_000 == read_media(head + b"#EXTINF:6,\ns\n" * 20_000).segments
    with pytest.raises(ManifestError, match="more than 20000 segments"):
        read_media(head + b"#EXTINF:6,\ns\n" * 20_001)


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_very_many_lines_and_long_ones(end: bytes) -> None:
    """The library reads each, and cuts all, while nothing else runs."""
    assert 2 == read_media(VOD + b"#" + b"x" * 65_535 + end).segments
    with pytest.raises(ManifestError, match="a line of more than 65536 characters"):
        read_media(VOD + b"#EXT-X-MAP:" + b"A=1," * 20_000 + end)
    assert 2 == read_media(VOD + end * 90_000).segments
    with pytest.raises(ManifestError, match="more than 200000 lines"):
        read_media(VOD + end * 200_000)


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"<html>", "A1.4"),
        (b"#EXTM3U\n", "A1.7"),
        (b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv\n", "A1.7"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:six\n", "A1.8"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:x,\na.ts\n", "A1.8"),
        (b"#EXTM3U\n#EXT-X-KEY:URI\n", "A1.8"),
        *[
            (b"#EXTM3U\n#EXT-X-TARGETDURATION:%s\n#EXTINF:6,\na.ts\n" % number, "")
            for number in ODD
        ],
        *[
            (b"#EXTM3U\n#EXT-X-TARGETDURATION:6\n%s#EXTINF:%s,\na.ts\n" % (date, number), "")
            for number in ODD
            for date in (b"", b"#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z\n")
        ],
        *[
            (b"#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:%s\n" % number, "")
            for number in (*ODD, b"18446744073709551616", b"-1")
        ],
    ],
)
def test_anything_else_is_refused(data: bytes, rule: str) -> None:
    """ManifestError, whatever the m3u8 library raises."""
    with pytest.raises(ManifestError) as caught:
        read_media(data, "m.m3u8")
    assert ("m.m3u8", rule or caught.value.rule) == (caught.value.name, caught.value.rule)
