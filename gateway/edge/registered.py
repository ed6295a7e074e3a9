"""Which registered edges are there, when the register itself comes and goes?

An edge registers itself with a time to live and renews it. It leaves when that is over, or at once
when it says so. A register that lost everything (Redis was restarted empty) looks as if all edges
had left in silence; so an edge that is merely missing stays until the time to live that it had is
over. While the register cannot be read, time does not count: who could not be heard may be well.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from gateway.edge.edge import Edge


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """An edge as the register has it: ``left_s`` of ``ttl_s`` seconds are left to it."""

    edge: Edge
    left_s: float
    ttl_s: float


@dataclass(frozen=True, slots=True)
class _Registered:
    edge: Edge
    ttl_s: float
    until_s: float


class Roll:
    """The edges that count as registered. Times are seconds of a clock that never goes back."""

    def __init__(self) -> None:
        self._known: Mapping[str, _Registered] = {}
        self._unread = False

    @property
    def edges(self) -> tuple[Edge, ...]:
        """In the order of their ids."""
        return tuple(self._known[edge_id].edge for edge_id in sorted(self._known))

    @property
    def next_end_s(self) -> float:
        """When the time of one of them is over, if it is not heard of again; infinity for none."""
        return min((each.until_s for each in self._known.values()), default=inf)

    def could_not_be_read(self) -> None:
        """The register does not answer."""
        self._unread = True

    def read(
        self, found: Sequence[Heartbeat], said_goodbye: Collection[str], now_s: float
    ) -> tuple[Edge, ...]:
        """The register answered: these are in it, and those have taken leave. Returns ``edges``."""
        present = {
            beat.edge.id: _Registered(beat.edge, beat.ttl_s, now_s + beat.left_s) for beat in found
        }
        missing: dict[str, _Registered] = {}
        for edge_id, was in self._known.items():
            until_s = now_s + was.ttl_s if self._unread else was.until_s
            if edge_id not in present and edge_id not in said_goodbye and now_s < until_s:
                missing[edge_id] = _Registered(was.edge, was.ttl_s, until_s)
        self._known = {**missing, **present}
        self._unread = False
        return self.edges

    def forget(self) -> None:
        """Registered edges are no longer wanted."""
        self._known = {}
