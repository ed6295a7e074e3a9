"""Shares of the last seconds, and events that never arrived."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from gateway.commands.stats.window import DIMENSIONS, MissedEvents, Tally, Window
from tests.unit.store.test_event import EVENT, PATHWAY


def test_shares_of_every_dimension() -> None:
    """Largest first, equal ones by name; unknown values are counted as such."""
    window = Window(60)
    for edge, country in (("b", "NO"), ("a", None), ("b", "NO"), ("c", "SE")):
        window.add(replace(EVENT, edge=edge, country=country), 100.0)
    total, shares = window.shares(100.0)
    assert 4 == total
    assert (Tally("b", 2, 0.5), Tally("a", 1, 0.25), Tally("c", 1, 0.25)) == shares["edge"]
    assert (Tally("NO", 2, 0.5), Tally("?", 1, 0.25), Tally("SE", 1, 0.25)) == shares["country"]
    assert [(Tally("phone", 4, 1.0),)] == [shares["device"]]
    assert DIMENSIONS == tuple(shares)


def test_answers_of_steering_are_counted_apart() -> None:
    """They are no decisions: their shares are among themselves."""
    window = Window(60)
    window.add(EVENT, 100.0)
    for obeyed in (True, True, False, None):
        window.add(replace(PATHWAY, obeyed=obeyed), 100.0)
    total, shares = window.shares(100.0)
    assert 1 == total
    assert (Tally("eu-west-1", 1, 1.0),) == shares["edge"]
    assert (Tally("down", 4, 1.0),) == shares["steering"]
    assert (Tally("yes", 2, 0.5), Tally("?", 1, 0.25), Tally("no", 1, 0.25)) == shares["obeyed"]


@pytest.mark.parametrize(
    ("now_s", "expected"), [(100.0, 2), (109.9, 2), (110.0, 1), (114.9, 1), (115.0, 0), (9e9, 0)]
)
def test_what_is_older_than_the_window_is_not_counted(now_s: float, expected: int) -> None:
    """Two events five seconds apart leave a window of ten one after the other."""
    window = Window(10)
    window.add(EVENT, 100.0)
    window.add(EVENT, 105.9)
    assert expected == window.shares(now_s)[0]


def test_an_empty_window_has_no_shares() -> None:
    """No division by zero."""
    assert (0, dict.fromkeys(DIMENSIONS, ())) == Window(5).shares(0.0)


GAPS = [
    ("all there", ["w-1", "w-2", "w-3"], 3, 0),
    ("begun in the middle", ["w-7", "w-8"], 2, 0),
    ("one missing", ["w-1", "w-3"], 2, 1),
    ("many missing", ["w-1", "w-1000"], 2, 998),
    ("one twice", ["w-1", "w-2", "w-2", "w-1", "w-3"], 3, 0),
    ("two writers", ["v-1", "w-5", "v-2", "w-7"], 4, 1),
]


@pytest.mark.parametrize(("name", "ids", "new", "lost"), GAPS)
def test_gaps(name: str, ids: Iterable[str], new: int, lost: int) -> None:
    """Missing numbers are lost events; repeated ones are not counted."""
    gaps = MissedEvents()
    assert new == sum(gaps.is_new(each.encode()) for each in ids)
    assert lost == gaps.lost


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        *((text, "invalid literal") for text in (b"", b"w", b"w-", b"w-x")),
        (b"w" * 1000 + b"-1", "too long"),
        (b"w-1" + b"0" * 400, "too long"),
        (b"w-1" + b"0" * 5000, "too long"),
        (b"w-100000000000", "more than 1000000000 events after"),
    ],
)
def test_a_malformed_event_id(text: bytes, reason: str) -> None:
    """ValueError, which makes the entry a dead letter; nothing is counted."""
    gaps = MissedEvents()
    assert gaps.is_new(b"w-1")
    with pytest.raises(ValueError, match=reason):
        gaps.is_new(text)
    assert gaps.is_new(b"w-2")
    assert 0 == gaps.lost


def test_writers_of_long_ago_are_forgotten() -> None:
    """The memory of writers is bounded, however many workers have run."""
    gaps = MissedEvents()
    for writer in range(10_001):
        gaps.is_new(b"%d-1" % writer)
    assert gaps.is_new(b"0-1")
    assert not gaps.is_new(b"10000-1")
