"""How much may somebody still ask for? The generic cell rate algorithm (ITU-T I.371), by name.

The state of a name is one number: the time at which all that it took is paid off. A name may take
more while that time is at most a burst ahead of now. This is a token bucket that stores
neither tokens nor the time at which it was looked at. Amounts and rates may change between calls.
"""

import math
from collections.abc import Hashable

from gateway.cache import Cache

BURST_S = 10.0
"""Seconds of its rate that a name may use at once, unless the caller says otherwise."""

_ROUNDING = 1e-3
"""A rate times its seconds is not exact."""


class Allowance:
    """What names may still take, in one worker. Times are in monotonic seconds."""

    __slots__ = ("_paid_at",)

    def __init__(self, paid_at: Cache[Hashable, float]) -> None:
        """``paid_at`` bounds the memory. A name that it evicts has taken nothing."""
        self._paid_at = paid_at

    def take(
        self, name: Hashable, amount: float, per_s: float, now_s: float, burst_s: float = BURST_S
    ) -> bool:
        """Take ``amount`` from what ``name`` may take; False when so much is not left.

        Each second adds ``per_s``, up to ``burst_s`` times that.
        """
        taken = amount <= self.left(name, per_s, now_s, burst_s) + _ROUNDING
        if taken:
            self.charge(name, amount / per_s, now_s)
        return taken

    def take_some(self, name: Hashable, amount: float, per_s: float, now_s: float) -> float:
        """Take ``amount``, or what is left if that is less; how much was taken."""
        taken = min(amount, self.left(name, per_s, now_s, BURST_S))
        self.charge(name, taken / per_s, now_s)
        return taken

    def wait_s(
        self,
        name: Hashable,
        amount: float,
        per_s: float,
        now_s: float,
        burst_s: float = BURST_S,
    ) -> float:
        """Seconds until :meth:`take` could take as much; infinite when it never could."""
        missing = amount - self.left(name, per_s, now_s, burst_s)
        if missing <= _ROUNDING:
            return 0.0
        return missing / per_s if amount <= per_s * burst_s + _ROUNDING else math.inf

    def left(self, name: Hashable, per_s: float, now_s: float, burst_s: float) -> float:
        """How much ``name`` may take now, never less than 0."""
        return max(0.0, (burst_s - self.owed_s(name, now_s)) * per_s)

    def owed_s(self, name: Hashable, now_s: float) -> float:
        """Seconds until ``name`` has paid for what it took."""
        paid_at = self._paid_at.get(name)
        return 0.0 if paid_at is None or paid_at <= now_s else paid_at - now_s

    def charge(self, name: Hashable, seconds: float, now_s: float) -> None:
        """Charge ``name`` for ``seconds`` of its rate, even if less is left."""
        self._paid_at.put(name, now_s + self.owed_s(name, now_s) + seconds)
