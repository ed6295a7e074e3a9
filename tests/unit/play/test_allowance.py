"""How much a network of clients may send."""

from gateway.cache import REPORTS_LEFT, Cache
from gateway.play.allowance import BURST_S, Allowance


def test_a_network_that_sends_too_much_waits_for_its_rate() -> None:
    """A burst at once; then the rate. What is refused costs nothing, and others are not touched."""
    allowance, per_s = Allowance(Cache(REPORTS_LEFT)), 5.0
    burst = int(per_s * BURST_S)
    assert all(allowance.take("10.0.0.0/24", 1, per_s, 100.0) for _ in range(burst))
    assert not allowance.take("10.0.0.0/24", 1, per_s, 100.0)
    assert allowance.take("10.0.1.0/24", burst, per_s, 100.0)
    assert not allowance.take("10.0.0.0/24", 6, per_s, 101.0)
    assert allowance.take("10.0.0.0/24", 5, per_s, 101.0)


def test_what_is_not_used_adds_up_to_the_burst() -> None:
    allowance = Allowance(Cache(REPORTS_LEFT))
    assert allowance.take("a", 1, 1.0, 0.0)
    assert not allowance.take("a", BURST_S + 1, 1.0, 1e6)
    assert allowance.take("a", BURST_S, 1.0, 1e6)


def test_how_long_to_wait() -> None:
    """Until as much is left; nothing is taken by asking. What is more than a burst never is."""
    allowance = Allowance(Cache(REPORTS_LEFT))
    assert allowance.take("a", 60, 1.0, 100.0, burst_s=60)
    waits = [allowance.wait_s("a", amount, 1.0, 130.0, burst_s=60) for amount in (30, 31, 60, 61)]
    assert [0, 1, 30, float("inf")] == waits
    assert allowance.take("a", 30, 1.0, 130.0, burst_s=60)


def test_what_is_left_may_be_taken() -> None:
    """Less than asked for when less is left, and nothing when nothing is."""
    allowance = Allowance(Cache(REPORTS_LEFT))
    assert 2 * BURST_S - 5 == 15 == allowance.take_some("a", 15, 2.0, 0.0)
    assert 5 == allowance.take_some("a", 15, 2.0, 0.0)
    assert 0 == allowance.take_some("a", 15, 2.0, 0.0)
    assert 2 == allowance.take_some("a", 15, 2.0, 1.0)
