"""How much may one network of clients send or get? A token bucket for each."""

import math
from typing import NamedTuple

from gateway.cache import ALLOWANCES, Cache

BURST_S = 10.0
"""Seconds of its rate that a network may use at once."""

_ROUNDING = 1e-3
"""A rate times its seconds is not exact."""


class _Bucket(NamedTuple):
    """What is left, and when that was (monotonic seconds)."""

    left: float
    at_s: float


class Allowance:
    """What the networks of clients may still send to one worker, or get from it."""

    def __init__(self) -> None:
        self._buckets: Cache[str, _Bucket] = Cache(ALLOWANCES)

    def take(
        self, network: str, amount: float, per_s: float, now_s: float, burst_s: float = BURST_S
    ) -> bool:
        """Take ``amount`` from what ``network`` may send; False when so much is not left.

        Each second adds ``per_s``, up to ``burst_s`` times that. ``now_s`` is in monotonic seconds.
        """
        left = self._left(network, per_s, now_s, burst_s)
        taken = amount <= left + _ROUNDING
        self._buckets.put(network, _Bucket(left - amount if taken else left, now_s))
        return taken

    def take_some(self, network: str, amount: float, per_s: float, now_s: float) -> float:
        """Take ``amount``, or what is left if that is less; how much was taken."""
        left = self._left(network, per_s, now_s, BURST_S)
        taken = min(amount, left)
        self._buckets.put(network, _Bucket(left - taken, now_s))
        return taken

    def wait_s(
        self, network: str, amount: float, per_s: float, now_s: float, burst_s: float = BURST_S
    ) -> float:
        """Seconds until :meth:`take` could take as much; infinite when it never could."""
        missing = amount - self._left(network, per_s, now_s, burst_s)
        if missing <= _ROUNDING:
            return 0.0
        return missing / per_s if amount <= per_s * burst_s + _ROUNDING else math.inf

    def _left(self, network: str, per_s: float, now_s: float, burst_s: float) -> float:
        most = per_s * burst_s
        bucket = self._buckets.get(network)
        return most if bucket is None else min(most, bucket.left + per_s * (now_s - bucket.at_s))
