"""The rung to start on comes first."""

import pytest

from gateway.ladder.rung import Constraints
from tests.unit.ladder.sources import AVC, HEVC, uris, variant

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
        ([variant("x", 9), variant("a", 5), variant("b", 5)], 5, "a x b", "start-within-speed"),
        ([variant("x", 9), variant("a", 5), variant("b", 5)], 1, "a x b", "start-lowest"),
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
        (GROUPS, 9000, "top low top low", "start-within-speed"),
        (GROUPS, 1000, "low top top low", "start-within-speed"),
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
