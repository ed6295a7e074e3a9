"""Is there room? Bounded loads: a session goes to the first edge in line that has room for it.

Every placed session holds a *lease*: its expected bit rate on its edge, for a while. An edge whose
leases and the new one together exceed its capacity passes the session on to the next in line,
consistent hashing with bounded loads (Mirrokni, Thorup and Zadimoghaddam 2018). When nobody has
room, the edge that would be used least, by share of its capacity, takes it: a player is never sent
away. Who plays stays: room is asked for by new sessions only.

:class:`Ledger` keeps the leases of one process. Redis keeps everybody's by the same steps, in Lua
(:mod:`gateway.store.coordination.lease_scripts`); a test holds the two against each other.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal, NamedTuple

Outcome = Literal["kept", "first", "spilled", "over"]
"""``kept``: the session plays this asset from there already. ``first``: the first edge in line.
``spilled``: a later one, since those before it have no room. ``over``: nobody has."""
OUTCOMES: tuple[Outcome, ...] = ("kept", "first", "spilled", "over")

FULL_AT = 0.97
"""Share of its capacity from which an edge is full: nearly everyone would be passed on anyway."""
OPEN_BELOW = 0.90
"""Share of its capacity below which a full edge takes new sessions again."""
MAX_LEASES = 100_000
"""So many leases a ledger holds (some 35 MB); of more, those that end first are forgotten."""
EXPIRED_PER_CALL = 64
"""The most leases that one placement clears away, which bounds its cost."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An edge in line. ``capacity_kbps`` None is no bound. ``takes`` is False for one that keeps
    its sessions, but takes no new ones (it drains, or is full)."""

    edge: str
    capacity_kbps: int | None = None
    takes: bool = True


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a session goes: the position among the candidates, why, and what is leased on each of
    them in kbit/s, this session included."""

    index: int
    outcome: Outcome
    loads: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Leased:
    """A placement with what it was judged by. ``bounds`` are the capacities of the candidates in
    kbit/s, None where an edge has none: the whole capacities, or this worker's shares of them when
    ``alone``, because Redis could not be asked."""

    placement: Placement
    bounds: tuple[int | None, ...]
    alone: bool


class Lease(NamedTuple):
    """What one session takes up: kbit/s on an edge, for an asset, until a moment in seconds."""

    edge: str
    kbps: int
    asset: bytes
    ends_at: float


def choose(
    candidates: Sequence[Candidate], loads: Sequence[int], kbps: int, kept: int | None
) -> tuple[int, Outcome]:
    """The candidate for a session of ``kbps``, and why.

    ``loads`` in kbit/s are without this session; ``kept`` is the candidate that it plays from.
    """
    if kept is not None:
        return kept, "kept"
    taking = [at for at, one in enumerate(candidates) if one.takes] or list(range(len(candidates)))
    for at in taking:
        capacity = candidates[at].capacity_kbps
        if capacity is None or loads[at] + kbps <= capacity:
            return at, "spilled" if at else "first"
    return min(
        taking, key=lambda at: (loads[at] + kbps) / (candidates[at].capacity_kbps or 1)
    ), "over"


class Ledger:
    """Leases by id, in the order in which they end. The time comes in, and never goes back."""

    def __init__(self, ttl_s: float, max_leases: int = MAX_LEASES) -> None:
        """A lease ends ``ttl_s`` seconds after it was last written."""
        self._ttl_s = ttl_s
        self._max_leases = max_leases
        self._leases: dict[bytes, Lease] = {}
        self._loads: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._leases)

    def load(self, edge: str) -> int:
        """What is leased on an edge, in kbit/s."""
        return self._loads.get(edge, 0)

    def get(self, lease_id: bytes) -> Lease | None:
        """The lease of that id."""
        return self._leases.get(lease_id)

    def ids(self) -> list[bytes]:
        """The ids of all leases, those that end first at the front."""
        return list(self._leases)

    def place(
        self,
        lease_id: bytes,
        asset: bytes,
        kbps: int,
        candidates: Sequence[Candidate],
        held: int | None,
        now_s: float,
        *,
        take: bool,
    ) -> Placement:
        """Choose an edge for a session, and lease it if ``take``.

        ``held`` is the candidate that the session is known to play ``asset`` from. Where nothing
        is known, its own lease says so, if it is for the same asset.
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
        index, outcome = choose(candidates, loads, kbps, held)
        loads[index] += kbps
        if take:
            self.put(lease_id, Lease(candidates[index].edge, kbps, asset, now_s + self._ttl_s))
        return Placement(index, outcome, tuple(loads))

    def put(self, lease_id: bytes, lease: Lease) -> None:
        """Write a lease, in place of what there is under that id."""
        self._release(lease_id)
        self._leases[lease_id] = lease
        self._loads[lease.edge] = self.load(lease.edge) + lease.kbps
        if len(self._leases) > self._max_leases:
            self._release(next(iter(self._leases)))

    def expire(self, now_s: float, limit: int = EXPIRED_PER_CALL) -> int:
        """Clear away up to ``limit`` leases that have ended; how many they were."""
        ended = []
        for lease_id, lease in islice(self._leases.items(), limit):
            if lease.ends_at > now_s:
                break
            ended.append(lease_id)
        for lease_id in ended:
            self._release(lease_id)
        return len(ended)

    def _release(self, lease_id: bytes) -> None:
        gone = self._leases.pop(lease_id, None)
        if gone is None:
            return
        left = self._loads[gone.edge] - gone.kbps
        if left:
            self._loads[gone.edge] = left
        else:
            del self._loads[gone.edge]


def full_edges(
    loads: Mapping[str, int], capacities: Mapping[str, int], before: Collection[str]
) -> frozenset[str]:
    """The ids of the edges that are full, given those that were: between ``OPEN_BELOW`` and
    ``FULL_AT`` an edge stays what it is, so that the fleet does not change with every session."""
    return frozenset(
        edge
        for edge, capacity in capacities.items()
        if loads.get(edge, 0) >= (OPEN_BELOW if edge in before else FULL_AT) * capacity
    )


def share_kbps(capacity_kbps: int, leased_kbps: int, own_kbps: int, workers: int) -> int:
    """What one of ``workers`` may lease of an edge by itself while they cannot ask each other: what
    it has leased already, and its part of what was free. Together they stay within the capacity.
    """
    return own_kbps + max(0, capacity_kbps - leased_kbps) // workers
