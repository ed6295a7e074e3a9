"""Whole fleets: loads and moves stay within bounds. The large form is
``python -m tests.benchmark.steering_fleet``."""

import pytest

from gateway.steering.steering_config import SteeringConfig
from tests.benchmark.steering_fleet import Simulation

pytestmark = pytest.mark.no_cover  # thousands of sessions through the same few lines

SESSIONS, EDGES = 5000, 50


@pytest.mark.parametrize("together", [False, True])
def test_three_failing_edges(*, together: bool) -> None:
    """No edge exceeds its capacity, hardly anybody moves twice, and who should leave has left."""
    config = SteeringConfig(ttl_s=10, dwell_s=20, leave_s=30)
    found = Simulation(SESSIONS, EDGES, 1.5, config, together=together).run(60.0)
    assert found.highest <= 1.0
    assert found.twice <= SESSIONS // 100
    killed, degraded, drained = sorted(
        {name.split()[0] for name in found.left}, key=lambda e: e[-1]
    )
    assert 0 == found.left[f"{killed} has"]
    assert 0 == found.left[f"{drained} has"]
    assert 0.35 < found.left[f"{degraded} has"] / found.left[f"{degraded} had"] < 0.95
    gone = found.left[f"{killed} had"] + found.left[f"{drained} had"]
    assert gone <= found.moves <= gone + found.left[f"{degraded} had"] * 0.7


def test_without_a_dwell_and_a_period_it_would_be_seen() -> None:
    """The figures of the test above depend on the constants."""
    config = SteeringConfig(ttl_s=10, dwell_s=20, leave_s=1)
    hasty = Simulation(SESSIONS, EDGES, 1.5, config).run(25.0)
    calm = Simulation(SESSIONS, EDGES, 1.5, SteeringConfig(ttl_s=10, dwell_s=20, leave_s=60)).run(
        25.0
    )
    assert hasty.reasons["leaving"] > 2 * calm.reasons["leaving"]


def test_an_edge_that_is_slow_for_a_network_from_the_start() -> None:
    """Whom it makes slow has left; whose own line is slow stays, but for those on that edge."""
    config = SteeringConfig(ttl_s=10, dwell_s=20, leave_s=30)
    found = Simulation(SESSIONS, EDGES, 1.5, config, slow=True).run(60.0)
    assert found.highest <= 1.0
    assert found.twice <= SESSIONS // 100
    assert found.slow["victims"] > 0
    assert 0 == found.slow["victims left"]
    assert found.slow["slow lines that moved"] <= found.slow["victims"] * 0.5


def test_an_override_takes_its_share() -> None:
    """Of a fifth of an edge's sessions, within the capacity of the other; nobody comes back when it
    ends after a minute."""
    config = SteeringConfig(ttl_s=10, dwell_s=20, leave_s=30)
    made = Simulation(SESSIONS, EDGES, 1.5, config, share=0.2)
    found = made.run(100.0)
    assert found.highest <= 1.0
    assert found.twice <= SESSIONS // 100
    assert 0.1 < found.steered / found.could_be_steered < 0.3
    assert found.reasons["override"] == found.steered
