"""What a session takes up, before it has fetched anything."""

import pytest

from gateway.ladder.expected import MAX_EXPECTED_KBPS, expected_kbps
from gateway.play.hls.ladder import rungs_of
from gateway.steering.state import MAX_KBPS
from manifests.hls.multivariant import parse

RUNGS = ((400_000, None), (1_200_500, 900_100), (5_000_000, 4_200_000), (9_000_000, None))
TEXT = "#EXTM3U\n" + "".join(
    f"#EXT-X-STREAM-INF:BANDWIDTH={peak}"
    + ("" if average is None else f",AVERAGE-BANDWIDTH={average}")
    + f"\n{at}.m3u8\n"
    for at, (peak, average) in enumerate(RUNGS)
)
ALL = (2, 0, 1, 3)


@pytest.mark.parametrize(
    ("kept", "speed_kbps", "headroom", "expected"),
    [
        (ALL, None, 0.8, 9000),
        ((0, 1), None, 0.8, 901),
        (ALL, 100_000, 0.8, 9000),
        (ALL, 11_249, 0.8, 4200),
        (ALL, 11_250, 0.8, 9000),
        (ALL, 6_249, 0.8, 901),
        (ALL, 6_250, 0.8, 4200),
        (ALL, 5_000, 1.0, 4200),
        (ALL, 1, 0.8, 400),
        ((2, 3), 1, 0.8, 4200),
    ],
)
def test_the_rung_that_the_speed_carries(
    kept: tuple[int, ...], speed_kbps: float | None, headroom: float, expected: int
) -> None:
    """The highest peak within the speed's share, at its average; unknown speed: the top rung; too
    slow for all: the lowest."""
    rungs = rungs_of(parse(TEXT.encode()))
    assert expected == expected_kbps([rungs[at] for at in kept], speed_kbps, headroom)


def test_nothing_costs_nothing() -> None:
    """A source that claims 1 bit/s still takes up something."""
    playlist = parse(b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na.m3u8\n")
    assert 1 == expected_kbps(rungs_of(playlist), None, 0.8)


@pytest.mark.parametrize("average", ["", ",AVERAGE-BANDWIDTH=8000000000000000000"])
@pytest.mark.parametrize("speed_kbps", [None, 5000.0])
def test_no_claim_takes_up_more_than_any_session_can(
    average: str, speed_kbps: float | None
) -> None:
    """What all workers count with, in Redis and in the state of a session, has bounds."""
    text = f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9000000000000000000{average}\na.m3u8\n"
    found = expected_kbps(rungs_of(parse(text.encode())), speed_kbps, 0.8)
    assert MAX_EXPECTED_KBPS == found <= MAX_KBPS
