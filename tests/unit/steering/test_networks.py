"""What the viewers of a network measure on an edge."""

import pytest

from gateway.steering.networks import SLOTS, NetworkSpeeds
from gateway.steering.steering_config import SteeringConfig

CONFIG = SteeringConfig(slow_viewers=3, forget_s=600)


def seen(*reports: tuple[int, int, float]) -> NetworkSpeeds:
    """After reports of (viewer, kbit/s, time) on edge 1."""
    made = NetworkSpeeds(CONFIG)
    for viewer, kbps, at_s in reports:
        made.add("n", viewer, 1, kbps, at_s)
    return made


ROWS: list[tuple[str, list[tuple[int, int, float]], float, int | None]] = [
    ("nobody", [], 0.0, None),
    ("too few", [(1, 100, 0.0), (2, 100, 0.0)], 0.0, None),
    ("one viewer often", [(1, 100, 0.0)] * 9, 0.0, None),
    ("enough", [(1, 100, 0.0), (2, 200, 0.0), (3, 900, 0.0)], 0.0, 200),
    ("the upper middle", [(1, 100, 0.0), (2, 200, 0.0), (3, 300, 0.0), (4, 9, 0.0)], 0.0, 200),
    ("the last of each", [(1, 9, 0.0), (2, 9, 0.0), (3, 9, 0.0), (1, 5, 1.0), (2, 5, 1.0)], 1.0, 5),
    ("one that lies", [(1, 100, 0.0), (2, 110, 0.0), (3, 20_000_000, 0.0)], 0.0, 110),
    ("most left by themselves", [(1, 0, 0.0), (2, 0, 0.0), (3, 900, 0.0)], 0.0, 0),
    ("just remembered", [(1, 9, 0.0), (2, 9, 0.0), (3, 9, 0.0)], 599.9, 9),
    ("forgotten", [(1, 9, 0.0), (2, 9, 0.0), (3, 9, 0.0)], 600.0, None),
    ("too few are left", [(1, 9, 0.0), (2, 9, 300.0), (3, 9, 300.0)], 600.0, None),
]


@pytest.mark.parametrize(
    ("reports", "now_s", "kbps"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_the_median(reports: list[tuple[int, int, float]], now_s: float, kbps: int | None) -> None:
    assert kbps == seen(*reports).kbps_on("n", 1, now_s)


def test_networks_and_edges_are_apart() -> None:
    made = seen((1, 9, 0.0), (2, 9, 0.0), (3, 9, 0.0))
    assert made.kbps_on("other", 1, 0.0) is None
    assert made.kbps_on("n", 2, 0.0) is None


def test_a_new_config_counts_at_once() -> None:
    made = seen((1, 9, 0.0), (2, 9, 0.0), (3, 9, 0.0))
    made.configure(SteeringConfig(slow_viewers=4))
    assert made.kbps_on("n", 1, 0.0) is None


def test_memory_is_bounded() -> None:
    """However many viewers there are: each has one place, which others share."""
    made = seen(*((viewer, viewer, 0.0) for viewer in range(1000)))
    assert 1000 - SLOTS + SLOTS // 2 == made.kbps_on("n", 1, 0.0)
