"""The rung to start on comes first."""

import pytest

from gateway.ladder.fit import fit
from gateway.ladder.rung import Constraints
from gateway.play.hls.ladder import rungs_of
from tests.unit.ladder.sources import AVC, HEVC, playlist, uris, variant

LADDER = [
    variant("low", 400, "640x360"),
    variant("mid", 1900, "960x540"),
    variant("top", 6000, "1920x1080"),
]
GROUPS = [
    variant("top", 5000, "1280x720", more='AUDIO="ec3"'),
    variant("low", 800, "640x360", more='AUDIO="aac"'),
    variant("top", 4600, "1280x720", more='AUDIO="aac"'),
    variant("low", 1200, "640x360", more='AUDIO="ec3"'),
]


@pytest.mark.parametrize(
    ("entries", "kbps", "expected", "code"),
    [
        (LADDER, None, "mid low top", "start-within-speed"),
        (LADDER, 1900, "mid low top", "start-within-speed"),
        (LADDER, 1899, "low mid top", "start-within-speed"),
        (LADDER, 9000, "top low mid", "start-within-speed"),
        (LADDER, 1, "low mid top", "start-lowest"),
        # Of equals, the one listed first.
        ([variant("x", 9), variant("a", 5), variant("b", 5)], 5, "a b x", "start-within-speed"),
        ([variant("x", 9), variant("a", 5), variant("b", 5)], 1, "a b x", "start-lowest"),
        (
            [variant("x", 9), variant("a", 5, "640x360"), variant("b", 5, "768x432")],
            5,
            "a x b",
            "start-within-speed",
        ),
        # H.264 in SDR, though something newer costs the same.
        (
            [variant("h", 900, codecs=HEVC), variant("a", 500, codecs=AVC)],
            2000,
            "a h",
            "start-within-speed",
        ),
        (
            [variant("p", 900, codecs=HEVC, more="VIDEO-RANGE=PQ"), variant("s", 800, codecs=HEVC)],
            2000,
            "s p",
            "start-within-speed",
        ),
        ([variant("h", 900, codecs=HEVC), variant("i", 800, codecs=HEVC)], 850, "i h", None),
        # Of one picture with several audio groups, the group that its packager lists first.
        (GROUPS, 9000, "top top low low", "start-within-speed"),
        (GROUPS, 1000, "low low top top", "start-within-speed"),
        # A group that only some rungs have keeps nobody on those.
        (
            [
                variant("low", 400, "640x360", more='AUDIO="poor"'),
                variant("top", 6000, "1920x1080", more='AUDIO="rich"'),
            ],
            9000,
            "top low",
            "start-within-speed",
        ),
    ],
)
def test_the_first_rung(
    entries: list[str], kbps: int | None, expected: str, code: str | None
) -> None:
    """The highest that the start bit rate carries, 2000 kbit/s when none is known (B4)."""
    limits = Constraints(start_bandwidth=None if kbps is None else kbps * 1000)
    kept, codes = uris(entries, limits)
    assert expected == kept
    assert code is None or code in codes


PQ = "VIDEO-RANGE=PQ"
HDR10 = [
    variant("hdr", 7800, "3840x1608", HEVC, PQ),
    variant("sdr", 4100, "1920x804", HEVC),
    variant("avc", 2100, "1280x536", AVC),
]


@pytest.mark.parametrize(
    ("entries", "kbps", "text"),
    [
        (LADDER, 9000, "start on 1080p at 6000 kbit/s, the highest rung within the start bit rate"),
        (
            LADDER,
            1,
            "start on 360p at 400 kbit/s, the lowest rung, since none is within the start bit rate",
        ),
        (
            HDR10[:2],
            48_000,
            (
                "start on 804p at 4100 kbit/s; higher within the start bit rate, but passed over: "
                "1608p at 7800 kbit/s (HDR)"
            ),
        ),
        (
            HDR10,
            48_000,
            (
                "start on 536p at 2100 kbit/s; higher within the start bit rate, but passed over: "
                "1608p at 7800 kbit/s (not H.264, HDR), 804p at 4100 kbit/s (not H.264)"
            ),
        ),
        (
            [variant("a", 800, "640x360"), variant("h", 300, "640x360", HEVC)],
            500,
            ("start on 360p at 800 kbit/s; lower, but passed over: 360p at 300 kbit/s (not H.264)"),
        ),
        (
            [
                variant("a", 1500, "640x360", more='AUDIO="aac"'),
                variant("b", 1900, "640x360", more='AUDIO="ec3"'),
            ],
            2000,
            (
                "start on 360p at 1500 kbit/s; higher within the start bit rate, but passed over: "
                "360p at 1900 kbit/s (the same picture, listed later)"
            ),
        ),
        (
            [
                variant("a", 900, "640x360", more='PATHWAY-ID="A"'),
                variant("b", 1000, "640x360", more='PATHWAY-ID="B"'),
            ],
            2000,
            (
                "start on 360p at 900 kbit/s; higher within the start bit rate, but passed over: "
                "360p at 1000 kbit/s (on another pathway)"
            ),
        ),
        (
            [
                variant("a", 500, "640x360", more='AUDIO="aac"'),
                variant("b", 1500, "1280x720", more='AUDIO="aac"'),
                variant("c", 1900, "640x360", more='AUDIO="flac"'),
            ],
            2000,
            (
                "start on 720p at 1500 kbit/s; higher within the start bit rate, but passed over: "
                "360p at 1900 kbit/s (not a better picture)"
            ),
        ),
    ],
)
def test_what_is_passed_over_is_told(entries: list[str], kbps: int, text: str) -> None:
    """The start rung is called the highest or lowest only where it is."""
    limits = Constraints(start_bandwidth=kbps * 1000)
    assert text == fit(rungs_of(playlist(*entries)), limits).reasons[-1].text
