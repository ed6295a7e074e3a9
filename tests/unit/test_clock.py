"""What a clock that never jumps makes of Unix times."""

from gateway.clock import Clock


class Host:
    """A host whose Unix time can be set."""

    def __init__(self) -> None:
        self.monotonic_s = 100.0
        self.unix_s = 1_000_000.0

    def clock(self) -> Clock:
        """A clock of this host."""
        return Clock(lambda: self.monotonic_s, lambda: self.unix_s)


def test_times_go_out_and_come_back() -> None:
    """The same times, also when the host's clock was corrected in between."""
    host = Host()
    clock = host.clock()
    assert (1_000_000.0, 999_990.0) == (clock.to_unix(100.0), clock.to_unix(90.0))
    host.unix_s += 3600
    assert (1_003_600.0, 100.0) == (clock.to_unix(100.0), clock.now())
    assert 90.0 == clock.from_unix(1_003_590.0)


def test_small_corrections_change_nothing() -> None:
    """A time has the same Unix time while the host's clock drifts."""
    host = Host()
    clock = host.clock()
    for drift_s in (0.1, 0.2, -0.6):
        host.unix_s += drift_s
        assert 999_990.0 == clock.to_unix(90.0)


def test_the_future_is_now() -> None:
    """A time from another host is never in the future."""
    assert 100.0 == Host().clock().from_unix(2.0**53)
