"""Media playlists, as far as probes need them."""

import pytest

from manifests.hls.fault import ManifestError
from manifests.hls.media import MediaPlaylist, read_media

VOD = b"#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\na.ts\n#EXTINF:3.5,\nb.ts\n#EXT-X-ENDLIST\n"
LIVE = b"#EXTM3U\r\n#EXT-X-TARGETDURATION:4\r\n#EXT-X-MEDIA-SEQUENCE:98\r\n#EXTINF:4,\r\nc.ts\r\n"
FRESH = b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:7\n"


@pytest.mark.parametrize(
    ("data", "expected", "last"),
    [
        (VOD, MediaPlaylist(6.0, 0, 2, True), 1),
        (LIVE, MediaPlaylist(4.0, 98, 1, False), 98),
        (FRESH, MediaPlaylist(4.0, 7, 0, False), None),
    ],
)
def test_a_media_playlist_says_how_far_it_is(
    data: bytes, expected: MediaPlaylist, last: int | None
) -> None:
    """Target duration, first number, how many segments, and whether it ended."""
    playlist = read_media(data)
    assert (expected, last) == (playlist, playlist.last_sequence)


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"<html>", "A1.4"),
        (b"#EXTM3U\n", "A1.7"),
        (b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv\n", "A1.7"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:six\n", "A1.8"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:x,\na.ts\n", "A1.8"),
        (b"#EXTM3U\n#EXT-X-KEY:URI\n", "A1.8"),
    ],
)
def test_anything_else_is_refused(data: bytes, rule: str) -> None:
    """ManifestError, whatever the m3u8 library raises."""
    with pytest.raises(ManifestError) as caught:
        read_media(data, "m.m3u8")
    assert ("m.m3u8", rule) == (caught.value.name, caught.value.rule)
