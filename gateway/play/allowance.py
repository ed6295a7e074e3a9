"""How much may one network of clients send? A token bucket for each."""

from typing import NamedTuple

from gateway.cache import REPORT_ALLOWANCES, Cache

BURST_S = 10.0
"""Seconds of its rate that a network may use at once."""


class _Bucket(NamedTuple):
    """What is left, and when that was (monotonic seconds)."""

    left: float
    at_s: float


class Allowance:
    """What the networks of clients may still send to one worker."""

    def __init__(self) -> None:
        self._buckets: Cache[str, _Bucket] = Cache(REPORT_ALLOWANCES)

    def take(self, network: str, amount: float, per_s: float, now_s: float) -> bool:
        """Take ``amount`` from what ``network`` may send; False when so much is not left.

        Each second adds ``per_s``, up to ``BURST_S`` times that. ``now_s`` is in monotonic seconds.
        """
        most = per_s * BURST_S
        bucket = self._buckets.get(network)
        left = most if bucket is None else min(most, bucket.left + per_s * (now_s - bucket.at_s))
        taken = amount <= left
        self._buckets.put(network, _Bucket(left - amount if taken else left, now_s))
        return taken
