"""What a worker remembers between two answers."""

from gateway.edge.edge import Edge
from gateway.edge.fleet import EdgeCondition, Fleet
from gateway.steering.budget import FreeKbps
from gateway.steering.leaving import Leaving
from gateway.steering.memory import SteeringMemory
from gateway.steering.steering_config import SteeringConfig

EDGE = Edge("a", "https://a.example.com/v/", 50.0, 10.0)
NO_LIMITS: dict[str, int] = {}
UNLIMITED: FreeKbps = NO_LIMITS.get
CONFIG = SteeringConfig(ttl_s=100, ttl_jitter=0.5)


def test_an_edge_is_left_since_it_was_first_seen_to_drain() -> None:
    """A later fleet does not begin the period anew; an edge that is up again is forgotten."""
    memory = SteeringMemory(UNLIMITED, CONFIG)
    draining = {"a": EdgeCondition(state="draining")}
    first = Fleet.of([EDGE], draining)
    since_10 = {EDGE.key: Leaving("draining", 0.0, 10.0)}
    assert memory.leaving_in(first, 10.0) == since_10
    assert memory.leaving_in(first, 20.0) == since_10
    assert memory.leaving_in(Fleet.of([EDGE], draining), 30.0) == since_10
    assert memory.leaving_in(Fleet.of([EDGE]), 40.0) == {}
    again = memory.leaving_in(Fleet.of([EDGE], draining), 50.0)
    assert again == {EDGE.key: Leaving("draining", 0.0, 50.0)}


def test_a_new_config_changes_how_long_promises_count() -> None:
    """They count for the longest time between two requests of a player."""
    memory = SteeringMemory(UNLIMITED, CONFIG)
    assert memory.budget.settle_s == 150.0
    memory.configure(SteeringConfig(ttl_s=20, ttl_jitter=0.0))
    assert memory.budget.settle_s == 20.0
