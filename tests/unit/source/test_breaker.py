"""When a breaker admits requests, and how many retries the budget allows."""

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
    """3 failures among the last 6 outcomes; failures of one file count once."""
    breaker = Breaker(3, 1, 4)
    for event in events:
        if event == "S":
            breaker.succeeded()
        else:
            breaker.failed(0, None if event == "F" else event)
    assert expected is breaker.state


def opened(now: float = 0) -> tuple[Breaker, list[BreakerState]]:
    """A breaker that has just opened, and a list of its later states."""
    told: list[BreakerState] = []
    breaker = Breaker(1, 1, 4, told.append)
    breaker.failed(now)
    told.clear()
    return breaker, told


def test_it_admits_one_probe_at_a_time_and_closes() -> None:
    """No request within a second, then one; its success closes the breaker."""
    breaker, told = opened()
    assert (False, 0.5) == (breaker.admits(0.5), breaker.wait_s(0.5))
    assert [True, False, False] == [breaker.admits(1), breaker.admits(1), breaker.admits(9)]
    breaker.succeeded()
    assert [True, True] == [breaker.admits(1), breaker.admits(1)]
    assert [HALF, CLOSED] == told


def test_it_stays_open_twice_as_long_each_time_up_to_a_bound() -> None:
    """1, 2, 4, 4 seconds; and 1 again after it was closed."""
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


def test_it_opens_when_all_that_is_known_fails() -> None:
    """Whatever was counted before; an open breaker does not stay open longer for it."""
    told: list[BreakerState] = []
    breaker = Breaker(3, 1, 4, told.append)
    breaker.succeeded()
    breaker.trip(5.0)
    assert ([OPEN], 1.0) == (told, breaker.wait_s(5.0))
    breaker.trip(5.5)
    assert ([OPEN], 0.5) == (told, breaker.wait_s(5.5))


def test_an_abandoned_probe_admits_another() -> None:
    """The admitted request was abandoned: the next one is admitted."""
    breaker, told = opened()
    assert breaker.admits(1)
    breaker.abandoned()
    assert breaker.admits(1)
    assert [HALF] == told


def test_a_304_does_not_close_the_breaker() -> None:
    """While the breaker is open, conditional requests are not admitted, not even when its time is
    up, and a late 304 does not close it. While it is closed, a 304 counts as a success."""
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
    """Requests that were in progress when it opened."""
    breaker, told = opened()
    breaker.failed(0.5)
    assert (0.5, 0) == (breaker.wait_s(0.5), len(told))


def test_retries_are_a_share() -> None:
    """After the reserve, one retry for every five requests; no more than the reserve is saved
    up."""
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
