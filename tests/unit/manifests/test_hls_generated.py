"""Multivariant playlists that are built from a ladder in the config."""

import pytest

from manifests.hls.generated import generate
from manifests.hls.multivariant import parse
from manifests.ladder import GeneratedRung

SHIPPED = """\
#EXTM3U
#EXT-X-STREAM-INF:BANDWIDTH=200000,RESOLUTION=426x240
film/240p/playlist.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=8000000,RESOLUTION=3840x2160,CODECS="avc1.640033,mp4a.40.2",\
FRAME-RATE=29.970
film/4k/playlist.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=100x240
square.m3u8
"""


def test_the_rungs_become_variants() -> None:
    """In the order given, with the width of a 16:9 picture where none is stated."""
    rungs = [
        GeneratedRung("film/240p/playlist.m3u8", 200_000, 240),
        GeneratedRung(
            "film/4k/playlist.m3u8", 8_000_000, 2160, 3840, "avc1.640033,mp4a.40.2", 29.97
        ),
        GeneratedRung("square.m3u8", 1, 240, 100),
    ]
    assert SHIPPED.encode() == generate(rungs)


@pytest.mark.parametrize(
    ("height", "width"), [(240, 426), (360, 640), (720, 1280), (1080, 1920), (2160, 3840)]
)
def test_widths_are_even(height: int, width: int) -> None:
    """16:9, as every encoder rounds it; the playlist is free of faults."""
    playlist = parse(generate([GeneratedRung("v", 1, height)]))
    assert ((width, height), ()) == (
        (playlist.variants[0].width, playlist.variants[0].height),
        playlist.faults,
    )


@pytest.mark.parametrize(
    "rungs",
    [
        [],
        [GeneratedRung("", 1, 240)],
        [GeneratedRung("#EXT-X-ENDLIST", 1, 240)],
        [GeneratedRung(" v", 1, 240)],
        [GeneratedRung("a\nb", 1, 240)],
        [GeneratedRung("v", 1, 240, codecs='a"b')],
    ],
)
def test_nothing_unplayable_is_generated(rungs: list[GeneratedRung]) -> None:
    """A11.1, A3.3: an empty ladder, and text that a line cannot hold, are errors."""
    with pytest.raises(ValueError, match=r"one rung|not fit|cannot hold"):
        generate(rungs)
