"""Does a live playlist still advance?"""

import pytest

from gateway.edge.live import LivePosition, live_position, staleness
from manifests.hls.media import MediaPlaylist

BEFORE = LivePosition(100, 102, 50.0)


def playlist(first: int, segments: int, *, ended: bool = False) -> MediaPlaylist:
    """A media playlist of segments of 4 s."""
    return MediaPlaylist(4.0, first, segments, ended)


@pytest.mark.parametrize(
    ("name", "previous", "read", "expected"),
    [
        ("the first one seen", None, playlist(100, 3), LivePosition(100, 102, 60.0)),
        ("a new segment", BEFORE, playlist(101, 3), LivePosition(101, 103, 60.0)),
        ("a longer window", BEFORE, playlist(100, 4), LivePosition(100, 103, 60.0)),
        ("the same again", BEFORE, playlist(100, 3), BEFORE),
        ("only the window moved", BEFORE, playlist(101, 2), BEFORE),
        ("another cache that is behind", BEFORE, playlist(98, 3), BEFORE),
        ("a packager that began anew", BEFORE, playlist(0, 3), LivePosition(0, 2, 60.0)),
        ("no segments yet", None, playlist(7, 0), LivePosition(7, 6, 60.0)),
        ("the first segment", LivePosition(7, 6, 50.0), playlist(7, 1), LivePosition(7, 7, 60.0)),
        ("still no segments", LivePosition(7, 6, 50.0), playlist(7, 0), LivePosition(7, 6, 50.0)),
        ("it ended", BEFORE, playlist(101, 3, ended=True), None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_how_far_it_has_come(
    name: str, previous: LivePosition | None, read: MediaPlaylist, expected: LivePosition | None
) -> None:
    """The position is the newest segment, and the time at which it was first seen."""
    assert expected == live_position(previous, read, 60.0)


@pytest.mark.parametrize(
    ("head", "now_s", "why"),
    [
        (None, 1e9, ""),
        (BEFORE, 62.0, ""),
        (BEFORE, 62.1, "stale live playlist: no segment after 102"),
        (BEFORE, 40.0, ""),
    ],
)
def test_when_it_is_stale(head: LivePosition | None, now_s: float, why: str) -> None:
    """No new segment for more than three target durations of 4 s; never for a complete one."""
    assert why == staleness(head, 4.0, 3.0, now_s)
