"""How many probes may be sent? Bounds for each client network, and for this worker.

What a minute allows may be taken at once, and comes back evenly (:mod:`gateway.play.allowance`). A
probe that is larger than that takes all of it.
"""

import math
from collections.abc import Sequence
from typing import Final, Literal

from gateway.config.probe_settings import ProbeSettings
from gateway.play.allowance import Allowance

BUSY_S: Final = 2
"""When to ask again while too many probes are being sent, in seconds."""

Bound = Literal["network-bytes", "network-requests", "network-streams", "bytes", "streams"]
"""What a refused request exceeds; those of one client network begin with ``network``."""

Refusal = tuple[Bound, int]
"""The bound, and the seconds until a request might not exceed it."""

_MINUTE_S: Final = 60.0


class _Asked:
    """An amount of what ``per_min`` allows to a client network, or to all together. No more than a
    minute allows is ever asked."""

    __slots__ = ("amount", "bound", "name", "per_s")

    def __init__(self, bound: Bound, network: str, amount: int, per_min: int) -> None:
        self.bound: Bound = bound
        self.name = f"probe {bound} {network}"
        self.amount = min(amount, per_min)
        self.per_s = per_min / _MINUTE_S


class ProbeBudget:
    """The budgets of one worker. ``now_s`` is the time of a monotonic clock."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self._streams: dict[str, int] = {}

    def take_request(self, network: str, limits: ProbeSettings, now_s: float) -> Refusal | None:
        """Count a request from a client network, or refuse it."""
        asked = _Asked("network-requests", network, 1, limits.network_requests_per_min)
        return self._take([asked], now_s)

    def begin(self, network: str, size: int, limits: ProbeSettings, now_s: float) -> Refusal | None:
        """Take ``size`` bytes and a stream, which :meth:`end` gives back, or refuse both."""
        if self._streams.get(network, 0) >= limits.network_streams:
            return "network-streams", BUSY_S
        if sum(self._streams.values()) >= limits.worker_streams:
            return "streams", BUSY_S
        refused = self._take(
            [
                _Asked("network-bytes", network, size, limits.network_bytes_per_min),
                _Asked("bytes", "", size, limits.worker_bytes_per_min),
            ],
            now_s,
        )
        if refused is None:
            self._streams[network] = self._streams.get(network, 0) + 1
        return refused

    def _take(self, asked: Sequence[_Asked], now_s: float) -> Refusal | None:
        """Take all, or nothing when one of them is not left."""
        for one in asked:
            wait_s = self._allowance.wait_s(one.name, one.amount, one.per_s, now_s, _MINUTE_S)
            if wait_s:
                return one.bound, math.ceil(wait_s)
        for one in asked:
            self._allowance.take(one.name, one.amount, one.per_s, now_s, _MINUTE_S)
        return None

    def end(self, network: str) -> None:
        """A probe has ended, complete or not."""
        left = self._streams[network] - 1
        if left:
            self._streams[network] = left
        else:
            del self._streams[network]
