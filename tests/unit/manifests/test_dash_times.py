"""Durations and times of MPDs."""

import pytest

from manifests.dash.times import date_time_s, duration_s

DURATIONS = [
    ("PT2S", 2.0),
    ("PT0S", 0.0),
    ("PT2.5S", 2.5),
    ("PT1M", 60.0),
    ("PT1H1M1.001S", 3661.001),
    ("P1DT0H", 86_400.0),
    ("P0Y0M0DT0H0M6.000S", 6.0),
    (" PT4S\n", 4.0),
    ("P1Y2M", 365 * 86_400 + 60 * 86_400),
    ("PT999999999S", 999_999_999.0),
    ("PT1.S", 1.0),
    ("P", None),
    ("PT", None),
    ("", None),
    ("2", None),
    ("-PT2S", None),
    ("PT2", None),
    ("PT2S3M", None),
    ("PT9999999999S", None),
    ("PTinfS", None),
    ("PT" + "9" * 100_000 + "S", None),
]


@pytest.mark.parametrize(("text", "expected"), DURATIONS)
def test_durations(text: str, expected: float | None) -> None:
    """In seconds; None for anything else."""
    assert expected == duration_s(text)


TIMES = [
    ("1970-01-01T00:00:00Z", 0.0),
    ("2026-11-29T10:00:00Z", 1_795_946_400.0),
    ("2026-11-29T10:00:00", 1_795_946_400.0),
    ("2026-11-29T10:00:00.25Z", 1_795_946_400.25),
    ("2026-11-29T12:00:00+02:00", 1_795_946_400.0),
    ("2026-11-29T05:30:00-04:30", 1_795_946_400.0),
    (" 2026-11-29T10:00:00Z ", 1_795_946_400.0),
    ("2016-12-31T23:59:60Z", 1_483_228_800.0),
    ("2026-02-30T10:00:00Z", None),
    ("0000-01-01T00:00:00Z", None),
    ("2026-11-29", None),
    ("now", None),
    ("", None),
    ("2026-11-29T10:00:00." + "9" * 100_000, None),
]


@pytest.mark.parametrize(("text", "expected"), TIMES)
def test_times(text: str, expected: float | None) -> None:
    """In Unix seconds; without a zone, UTC; None for anything else."""
    assert expected == date_time_s(text)


def test_what_is_absent_is_none() -> None:
    """An attribute that an MPD does not have."""
    assert (None, None) == (duration_s(None), date_time_s(None))
