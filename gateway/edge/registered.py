"""Which edges count as registered, even while the register cannot be read?

An edge registers itself with a time to live and renews it. It leaves when that time is over, or at
once when it deregisters or a new config refuses it. A register that lost its data (Redis restarted
empty) looks as if all edges had left silently. An edge that is merely missing therefore stays until
its time to live is over. While the register cannot be read, this time does not run: the edges may
well be up.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf

from gateway.edge.edge import Edge


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """An edge as it is in the register, with ``left_s`` of its ``ttl_s`` seconds to live left.
    ``key_id`` is the id of the key that signed it."""

    edge: Edge
    left_s: float
    ttl_s: float
    key_id: str


@dataclass(frozen=True, slots=True)
class _RegisteredEdge:
    edge: Edge
    ttl_s: float
    until_s: float
    key_id: str


class RegisteredEdges:
    """The edges that count as registered. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._by_id: Mapping[str, _RegisteredEdge] = {}
        self._unread = False

    @property
    def edges(self) -> tuple[Edge, ...]:
        """The edges in the order of their ids."""
        return tuple(self._by_id[edge_id].edge for edge_id in sorted(self._by_id))

    @property
    def next_end_s(self) -> float:
        """When the first time to live ends, unless it is renewed; infinity without edges."""
        return min((each.until_s for each in self._by_id.values()), default=inf)

    def read_failed(self) -> None:
        """Note that the register could not be read."""
        self._unread = True

    def update(
        self, found: Sequence[Heartbeat], deregistered: Collection[str], now_s: float
    ) -> tuple[Edge, ...]:
        """Take over what was read: the edges in the register, and the ids of those that have left.

        Returns ``edges``.
        """
        present = {
            beat.edge.id: _RegisteredEdge(beat.edge, beat.ttl_s, now_s + beat.left_s, beat.key_id)
            for beat in found
        }
        missing: dict[str, _RegisteredEdge] = {}
        for edge_id, was in self._by_id.items():
            until_s = now_s + was.ttl_s if self._unread else was.until_s
            if edge_id not in present and edge_id not in deregistered and now_s < until_s:
                missing[edge_id] = replace(was, until_s=until_s)
        self._by_id = {**missing, **present}
        self._unread = False
        return self.edges

    def keep(self, accepted: Callable[[Edge, str], bool]) -> tuple[Edge, ...]:
        """Remove the edges that ``accepted`` refuses, given an edge and the id of its key.

        Returns ``edges``.
        """
        self._by_id = {
            edge_id: each
            for edge_id, each in self._by_id.items()
            if accepted(each.edge, each.key_id)
        }
        return self.edges
