"""What does a worker remember between two answers? Since when edges are left, what it promised, and
what the viewers of networks measure.

Nothing in it belongs to a session: that is in the state that the session brings.
"""

from collections.abc import Mapping

from gateway.edge.fleet import Fleet
from gateway.steering.budget import FreeKbps, MoveBudget
from gateway.steering.leaving import Leaving, leaving_since
from gateway.steering.networks import NetworkSpeeds
from gateway.steering.steering_config import SteeringConfig


class SteeringMemory:
    """One worker's memory."""

    def __init__(self, free_kbps: FreeKbps, config: SteeringConfig) -> None:
        self.budget = MoveBudget(free_kbps, _settle_s(config))
        self.networks = NetworkSpeeds(config)
        self._fleet: Fleet | None = None
        self._leaving: Mapping[int, Leaving] = {}
        self._leave_s = config.leave_s

    def configure(self, config: SteeringConfig) -> None:
        """Use a new config."""
        self.budget.settle_s, self._leave_s = _settle_s(config), config.leave_s
        self.networks.configure(config)

    def leaving_in(self, fleet: Fleet, clock_s: float) -> Mapping[int, Leaving]:
        """Since when each edge of ``fleet`` is left, by the edge's key. The monotonic clock shows
        ``clock_s``, in seconds."""
        if fleet is not self._fleet:
            self._fleet = fleet
            self._leaving = leaving_since(fleet, self._leaving, clock_s, self._leave_s)
        return self._leaving


def _settle_s(config: SteeringConfig) -> float:
    """The longest time between two requests of a player."""
    return config.ttl_s * (1 + config.ttl_jitter)
