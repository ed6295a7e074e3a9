"""Is there room? Bounded loads: a session goes to the first edge in preference order with room.

Every placed session holds a *lease*: its expected bit rate on its edge, for a limited time. If the
leases of an edge and the new one together exceed its capacity, the session goes to the next edge:
consistent hashing with bounded loads. When no edge has room, the session goes to the edge that
would be the least used as a share of its capacity, so no player is turned away. Only new sessions
are moved by capacity; a session that plays stays on its edge.

:class:`LeaseTable` holds the leases of one process. Redis holds those of all processes and applies
the same steps in Lua (:mod:`gateway.store.coordination.lease_scripts`); a test compares the two.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal, NamedTuple

PlacementOutcome = Literal["kept", "first", "spilled", "over"]
"""``kept``: the session already plays this asset from this edge. ``first``: the first edge in
preference order. ``spilled``: a later edge, because those before it have no room. ``over``: no edge
has room."""
PLACEMENT_OUTCOMES: tuple[PlacementOutcome, ...] = ("kept", "first", "spilled", "over")

FULL_AT = 0.97
"""An edge is full from this share of its capacity: nearly every session would be passed on."""
OPEN_BELOW = 0.90
"""A full edge takes new sessions again below this share of its capacity."""
MAX_LEASE_KBPS = 1_000_000_000
"""The highest rate of one lease. A higher one in Redis is garbage, and so is a sum that is higher
than its leases can make it (:mod:`gateway.store.coordination.lease_scripts`)."""
MAX_LEASES = 100_000
"""The most leases in a table (about 35 MB); beyond it, those that end first are forgotten."""
EXPIRED_PER_CALL = 64
"""The most ended leases that one placement removes; this limits what a request may cost."""


@dataclass(frozen=True, slots=True)
class CandidateEdge:
    """An edge where a session may be placed. ``capacity_kbps`` None means no limit. ``takes_new``
    is False for an edge that keeps its sessions but takes no new ones (it drains, or is full)."""

    edge: str
    capacity_kbps: int | None = None
    takes_new: bool = True


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a session is placed: the position among the candidates and why. ``loads`` are the
    leased kbit/s of each candidate, this session included."""

    index: int
    outcome: PlacementOutcome
    loads: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Leased:
    """A placement with the capacities that it was computed from. ``bounds`` are those of the
    candidates in kbit/s, None for an edge without one. With ``alone``, Redis could not be read, and
    they are this worker's shares of the capacities."""

    placement: Placement
    bounds: tuple[int | None, ...]
    alone: bool


class EdgeLease(NamedTuple):
    """What one session uses: kbit/s on an edge, for an asset, until a time in seconds."""

    edge: str
    kbps: int
    asset: bytes
    ends_at: float


def choose_edge(
    candidates: Sequence[CandidateEdge], loads: Sequence[int], kbps: int, kept: int | None
) -> tuple[int, PlacementOutcome]:
    """The position of the candidate for a session of ``kbps``, and why.

    ``loads`` are in kbit/s and do not include this session. ``kept`` is the position of the
    candidate from which the session already plays the asset.
    """
    if kept is not None:
        return kept, "kept"
    open_to_new = [at for at, one in enumerate(candidates) if one.takes_new]
    choices = open_to_new or list(range(len(candidates)))
    for at in choices:
        capacity = candidates[at].capacity_kbps
        if capacity is None or loads[at] + kbps <= capacity:
            return at, "spilled" if at else "first"
    return min(
        choices, key=lambda at: (loads[at] + kbps) / (candidates[at].capacity_kbps or 1)
    ), "over"


class LeaseTable:
    """Leases by id, in the order in which they end. Callers pass the time, which must not
    decrease."""

    def __init__(self, ttl_s: float, max_leases: int = MAX_LEASES) -> None:
        """A lease ends ``ttl_s`` seconds after it was last written."""
        self._ttl_s = ttl_s
        self._max_leases = max_leases
        self._leases: dict[bytes, EdgeLease] = {}
        self._loads: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._leases)

    def load(self, edge: str) -> int:
        """What is leased on an edge, in kbit/s."""
        return self._loads.get(edge, 0)

    def get(self, lease_id: bytes) -> EdgeLease | None:
        """The lease with that id."""
        return self._leases.get(lease_id)

    def ids(self) -> list[bytes]:
        """The ids of all leases, in the order in which they end."""
        return list(self._leases)

    def place(
        self,
        lease_id: bytes,
        asset: bytes,
        kbps: int,
        candidates: Sequence[CandidateEdge],
        held: int | None,
        now_s: float,
        *,
        take: bool,
    ) -> Placement:
        """Choose an edge for a session, and write the lease when ``take`` is true.

        ``held`` is the position of the candidate from which the session is known to play ``asset``.
        When it is None, the session's own lease counts instead, if it is for the same asset.
        """
        if take:
            self.expire(now_s)
        own = self._leases.get(lease_id)
        loads = [
            self.load(one.edge) - (own.kbps if own is not None and own.edge == one.edge else 0)
            for one in candidates
        ]
        if held is None and own is not None and own.asset == asset:
            held = next((at for at, one in enumerate(candidates) if one.edge == own.edge), None)
        index, outcome = choose_edge(candidates, loads, kbps, held)
        loads[index] += kbps
        if take:
            self.put(lease_id, EdgeLease(candidates[index].edge, kbps, asset, now_s + self._ttl_s))
        return Placement(index, outcome, tuple(loads))

    def put(self, lease_id: bytes, lease: EdgeLease) -> None:
        """Write a lease; it replaces the one with the same id."""
        self._release(lease_id)
        self._leases[lease_id] = lease
        self._loads[lease.edge] = self.load(lease.edge) + lease.kbps
        if len(self._leases) > self._max_leases:
            self._release(next(iter(self._leases)))

    def expire(self, now_s: float, limit: int = EXPIRED_PER_CALL) -> int:
        """Remove up to ``limit`` leases that have ended. Returns how many were removed."""
        ended = []
        for lease_id, lease in islice(self._leases.items(), limit):
            if lease.ends_at > now_s:
                break
            ended.append(lease_id)
        for lease_id in ended:
            self._release(lease_id)
        return len(ended)

    def _release(self, lease_id: bytes) -> None:
        released = self._leases.pop(lease_id, None)
        if released is None:
            return
        left = self._loads[released.edge] - released.kbps
        if left:
            self._loads[released.edge] = left
        else:
            del self._loads[released.edge]


def full_edges(
    loads: Mapping[str, int], capacities: Mapping[str, int], before: Collection[str]
) -> frozenset[str]:
    """The ids of the edges that are full; ``before`` are those that were full so far.

    Between ``OPEN_BELOW`` and ``FULL_AT`` an edge stays as it was, so that the fleet does not
    change with every session.
    """
    return frozenset(
        edge
        for edge, capacity in capacities.items()
        if loads.get(edge, 0) >= (OPEN_BELOW if edge in before else FULL_AT) * capacity
    )


def share_kbps(capacity_kbps: int, leased_kbps: int, own_kbps: int, workers: int) -> int:
    """The kbit/s of an edge that one of ``workers`` may lease while they cannot reach each other.

    It is what this worker has leased already, plus its part of what was free, so that all workers
    together stay within the capacity.
    """
    return own_kbps + max(0, capacity_kbps - leased_kbps) // workers
