"""Does a live playlist still advance?"""

import pytest

from gateway.edge.live import LivePosition, live_position, staleness

BEFORE = LivePosition(100, 102, 50.0)


@pytest.mark.parametrize(
    ("name", "previous", "read", "expected"),
    [
        ("the first one seen", None, (100, 102), LivePosition(100, 102, 60.0)),
        ("a new segment", BEFORE, (101, 103), LivePosition(101, 103, 60.0)),
        ("a longer window", BEFORE, (100, 103), LivePosition(100, 103, 60.0)),
        ("the same again", BEFORE, (100, 102), BEFORE),
        ("only the window moved", BEFORE, (101, 102), BEFORE),
        ("another cache that is behind", BEFORE, (98, 100), BEFORE),
        ("a packager that began anew", BEFORE, (0, 2), LivePosition(0, 2, 60.0)),
        ("no segments yet", None, (7, 6), LivePosition(7, 6, 60.0)),
        ("the first segment", LivePosition(7, 6, 50.0), (7, 7), LivePosition(7, 7, 60.0)),
        ("still no segments", LivePosition(7, 6, 50.0), (7, 6), LivePosition(7, 6, 50.0)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_how_far_it_has_come(
    name: str, previous: LivePosition | None, read: tuple[int, int], expected: LivePosition
) -> None:
    """The position is the newest segment, and the time at which it was first seen."""
    assert expected == live_position(previous, *read, 60.0)


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
