"""What is tallied reaches Prometheus, whole and once."""

import pytest
from prometheus_client import Counter, Histogram

from gateway.observe.tally import Tally, TimeTally, settle

BOUNDS = (0.5, 1.0, 2.5)
TIMES = [(), (0.0,), (0.5,), (0.51, 0.6, 0.6), (2.5, 2.6, 1e9), BOUNDS]


def samples(metric: Counter | Histogram) -> list[tuple[str, tuple[str, ...], float]]:
    """Name, label values and value of each sample."""
    return [
        (each.name, tuple(each.labels.values()), each.value)
        for family in metric.collect()
        for each in family.samples
    ]


def test_counts_are_handed_over_once() -> None:
    """However often that is done, and whatever comes between."""
    counter = Counter("test_tally", "Of this test.", ["name"], registry=None)
    tally = Tally(counter.labels("a"))
    assert [("test_tally_total", ("a",), 0.0)] == samples(counter)
    for counted, expected in ((3, 3.0), (0, 3.0), (2, 5.0)):
        for _ in range(counted):
            tally.inc()
        settle()
        assert [("test_tally_total", ("a",), expected)] == samples(counter)


@pytest.mark.parametrize("seconds", TIMES)
def test_times_are_handed_over_as_if_observed(seconds: tuple[float, ...]) -> None:
    """The same buckets, sum and count as Prometheus's own, after each of two turns."""
    one, other = (
        Histogram("test_times", "Of this test.", ["name"], buckets=BOUNDS, registry=None)
        for _ in range(2)
    )
    tally = TimeTally(one.labels("a"), BOUNDS)
    for _ in range(2):
        for each in seconds:
            tally.observe(each)
            other.labels("a").observe(each)
        other.labels("a")
        settle()
        settle()
        assert samples(other) == samples(one)
