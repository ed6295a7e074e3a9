"""How is something counted that each request counts? In a plain number, handed over to Prometheus
when metrics are asked for: a tenth of what counting there takes."""

from bisect import bisect_left
from collections.abc import Sequence

from prometheus_client import Counter, Histogram


class Tally:
    """Counts for a counter."""

    __slots__ = ("_count", "_counter")

    def __init__(self, counter: Counter) -> None:
        """``counter`` has all its labels."""
        self._counter = counter
        self._count = 0
        _every.append(self)

    def inc(self) -> None:
        """One more."""
        self._count += 1

    def settle(self) -> None:
        """Hand over what has been counted."""
        if self._count:
            self._counter.inc(self._count)
            self._count = 0


class TimeTally:
    """Collects for a histogram."""

    __slots__ = ("_bounds", "_counts", "_histogram", "_sum")

    def __init__(self, histogram: Histogram, bounds: Sequence[float]) -> None:
        """``histogram`` has all its labels, and buckets up to ``bounds``."""
        self._histogram = histogram
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        _every.append(self)

    def observe(self, seconds: float) -> None:
        """It took so long."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum += seconds

    def settle(self) -> None:
        """Hand over what has been collected; ``Histogram.observe`` takes one at a time."""
        self._histogram._sum.inc(self._sum)
        for bucket, count in zip(self._histogram._buckets, self._counts, strict=True):
            if count:
                bucket.inc(count)
        self._counts = [0] * len(self._counts)
        self._sum = 0.0


_every: list[Tally | TimeTally] = []


def settle() -> None:
    """Hand over what all have counted."""
    for each in _every:
        each.settle()
