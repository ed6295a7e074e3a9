"""How much a network of clients may send."""

from gateway.play.allowance import BURST_S, Allowance


def test_a_network_that_sends_too_much_waits_for_its_rate() -> None:
    """A burst at once; then the rate. What is refused costs nothing, and others are not touched."""
    allowance, per_s = Allowance(), 5.0
    burst = int(per_s * BURST_S)
    assert all(allowance.take("10.0.0.0/24", 1, per_s, 100.0) for _ in range(burst))
    assert not allowance.take("10.0.0.0/24", 1, per_s, 100.0)
    assert allowance.take("10.0.1.0/24", burst, per_s, 100.0)
    assert not allowance.take("10.0.0.0/24", 6, per_s, 101.0)
    assert allowance.take("10.0.0.0/24", 5, per_s, 101.0)


def test_what_is_not_used_adds_up_to_the_burst() -> None:
    allowance = Allowance()
    assert allowance.take("a", 1, 1.0, 0.0)
    assert not allowance.take("a", BURST_S + 1, 1.0, 1e6)
    assert allowance.take("a", BURST_S, 1.0, 1e6)
