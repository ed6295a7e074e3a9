"""An observer that records its calls."""

from collections import Counter

from gateway.store.connection.protocol import StoreState


class Recorder:
    """Counts operations by (name, outcome) and keeps every change of state in order."""

    def __init__(self) -> None:
        self.operations: Counter[tuple[str, str]] = Counter()
        self.states: list[tuple[StoreState, str]] = []
        self.lost = 0
        self.slowest_s = 0.0

    def operation(self, name: str, outcome: str, seconds: float) -> None:
        """Count it."""
        self.operations[name, outcome] += 1
        self.slowest_s = max(self.slowest_s, seconds)

    def state_changed(self, state: StoreState, reason: str) -> None:
        """Keep it."""
        self.states.append((state, reason))

    def dropped(self, count: int) -> None:
        """Count them."""
        self.lost += count
