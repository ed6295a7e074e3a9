"""What do the viewers of a network measure on each edge? One worker's memory of the last minutes.

It tells an edge that is slow for a network from a viewer whose own line is slow: the latter is
alone. A network is an autonomous system or a wide address prefix; a viewer is a household's address
prefix. Each viewer has one of ``SLOTS`` places for an edge, which holds what it reported last. So a
player that lies has one voice in ``SLOTS`` at most, and memory is bounded. Of all of them the
median counts. Nothing of it leaves the process.
"""

from statistics import median_high
from typing import Final, NamedTuple

from gateway.cache import NETWORK_SPEEDS, Cache
from gateway.steering.steering_config import SteeringConfig

SLOTS: Final = 16
"""The most viewers that count for one network and edge."""


class _Sample(NamedTuple):
    kbps: int
    at_s: float


class NetworkSpeeds:
    """The latest reports. Callers pass the time of a monotonic clock, in seconds."""

    def __init__(self, config: SteeringConfig) -> None:
        self._seen: Cache[tuple[str, int], dict[int, _Sample]] = Cache(NETWORK_SPEEDS)
        self.configure(config)

    def configure(self, config: SteeringConfig) -> None:
        """Use a new config."""
        self._forget_s = config.forget_s
        self._viewers = config.slow_viewers

    def add(self, network: str, viewer: int, edge: int, kbps: int, now_s: float) -> None:
        """Note what a viewer (a hash of it) measured on an edge, by its key; 0 when its player left
        the edge by itself."""
        found = self._seen.get((network, edge))
        if found is None:
            found = {}
            self._seen.put((network, edge), found)
        found[viewer % SLOTS] = _Sample(kbps, now_s)

    def kbps_on(self, network: str, edge: int, now_s: float) -> int | None:
        """The median of what its viewers measured there in the last ``forget_s`` seconds; None
        while these are fewer than ``slow_viewers``."""
        found = self._seen.get((network, edge))
        if found is None or len(found) < self._viewers:
            return None
        fresh = [one.kbps for one in found.values() if now_s - one.at_s < self._forget_s]
        return median_high(fresh) if len(fresh) >= max(1, self._viewers) else None
