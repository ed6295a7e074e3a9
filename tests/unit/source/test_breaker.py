"""When an origin is asked, when it is left alone, and how often something is tried again."""

import pytest

from gateway.source.origin.breaker import Breaker, BreakerState
from gateway.source.origin.budget import RESERVE, RetryBudget

CLOSED, HALF, OPEN = BreakerState.CLOSED, BreakerState.HALF_OPEN, BreakerState.OPEN

# Events: F a failure, S a success, a-c a failure about that file; then the state.
TABLE = [
    ("", CLOSED),
    ("FF", CLOSED),
    ("FFF", OPEN),
    ("SSSSSSFFF", OPEN),
    ("FSFSF", OPEN),
    ("FSSFSSF", CLOSED),
    ("FSFSSSSF", CLOSED),
    ("aaaaaa", CLOSED),
    ("aaabbb", CLOSED),
    ("aabbcc", OPEN),
    ("aFaF", OPEN),
    ("aaF", CLOSED),
]


@pytest.mark.parametrize(("events", "expected"), TABLE)
def test_when_it_opens(events: str, expected: BreakerState) -> None:
    """3 failures among the last 6 outcomes; those about one file count once."""
    breaker = Breaker(3, 1, 4)
    for event in events:
        if event == "S":
            breaker.succeeded()
        else:
            breaker.failed(0, None if event == "F" else event)
    assert expected is breaker.state


def opened(now: float = 0) -> tuple[Breaker, list[BreakerState]]:
    """A breaker that has just opened, and its changes from here on."""
    told: list[BreakerState] = []
    breaker = Breaker(1, 1, 4, told.append)
    breaker.failed(now)
    told.clear()
    return breaker, told


def test_it_is_tried_by_one_at_a_time_and_closes() -> None:
    """Nobody within a second, then one; its success lets everybody in."""
    breaker, told = opened()
    assert (False, 0.5) == (breaker.admits(0.5), breaker.wait_s(0.5))
    assert [True, False, False] == [breaker.admits(1), breaker.admits(1), breaker.admits(9)]
    breaker.succeeded()
    assert [True, True] == [breaker.admits(1), breaker.admits(1)]
    assert [HALF, CLOSED] == told


def test_it_stays_open_twice_as_long_each_time_up_to_a_bound() -> None:
    """1, 2, 4, 4 seconds; and 1 again once it was closed."""
    breaker, _ = opened()
    waits = []
    now = 0.0
    for _ in range(4):
        waits.append(breaker.wait_s(now))
        now += breaker.wait_s(now)
        assert breaker.admits(now)
        breaker.failed(now)
    assert [1, 2, 4, 4] == waits
    now += breaker.wait_s(now)
    assert breaker.admits(now)
    breaker.succeeded()
    breaker.failed(now)
    assert 1 == breaker.wait_s(now)


def test_a_probe_of_which_nothing_came_makes_room_for_another() -> None:
    """Whoever was let in went away: the next one is let in."""
    breaker, told = opened()
    assert breaker.admits(1)
    breaker.abandoned()
    assert breaker.admits(1)
    assert [HALF] == told


def test_a_confirmed_copy_is_no_proof() -> None:
    """While it is open, who asks whether a copy is still good is not let in, also when its time is
    up, and a late 304 closes nothing; while it is closed, a 304 is a success like any other."""
    breaker, told = opened()
    breaker.confirmed()
    assert not breaker.admits(1, conditional=True)
    assert breaker.admits(1)
    breaker.confirmed()
    assert (False, HALF) == (breaker.admits(1), breaker.state)
    breaker.succeeded()
    assert ([HALF, CLOSED], True) == (told, breaker.admits(1, conditional=True))
    mixed = Breaker(2, 1, 4)
    for _ in range(9):
        mixed.failed(0)
        for _ in range(3):
            mixed.confirmed()
    assert CLOSED is mixed.state


def test_late_failures_do_not_prolong_it() -> None:
    """Requests that were under way when it opened."""
    breaker, told = opened()
    breaker.failed(0.5)
    assert (0.5, 0) == (breaker.wait_s(0.5), len(told))


def test_retries_are_a_share() -> None:
    """After the reserve, one retry for every five requests; no more is saved up than that."""
    budget = RetryBudget(0.25)
    assert RESERVE == sum(budget.spend() for _ in range(100))
    spent = 0
    for _ in range(100):
        budget.earn()
        spent += budget.spend()
    assert 25 == spent
    for _ in range(1000):
        budget.earn()
    assert RESERVE == sum(budget.spend() for _ in range(100))


def test_no_share_no_retry() -> None:
    """0 switches retries off."""
    assert not RetryBudget(0).spend()
