"""Where does this session play from, now that there is room or is none?

The decision lists edges in order. Where edges have capacities, the first with room for the session
takes it, and goes to the front. A session that gets a playlist is remembered with its edge.
"""

from dataclasses import dataclass

from gateway.client.facts import Facts
from gateway.decision import Choice, Decision
from gateway.edge.capacity import Placement
from gateway.edge.edge import Edge
from gateway.edge.fleet import Fleet
from gateway.ladder.expected import expected_kbps
from gateway.play.runtime import Gateway
from gateway.reason import Reason, Step
from gateway.store.coordination.leases import PlacementResult
from manifests.hls.multivariant import MultivariantPlaylist

REFRESH_SHARE = 0.25
"""A record is written again when this share of its time has passed, so that it does not end while
the session plays."""


@dataclass(frozen=True, slots=True)
class Lease:
    """What a session of ``kbps`` found on the edges ``line``, which are in the decision's order."""

    line: tuple[Edge, ...]
    kbps: int
    leased: PlacementResult

    @property
    def placement(self) -> Placement:
        """Which of the edges it got, and why."""
        return self.leased.placement

    def edges(self) -> tuple[Edge, ...]:
        """The edges with the one that has room at the front."""
        chosen = self.line[self.placement.index]
        return (chosen, *(edge for edge in self.line if edge is not chosen))


async def lease(
    gateway: Gateway,
    facts: Facts,
    choice: Choice,
    decision: Decision,
    playlist: MultivariantPlaylist,
    edges: tuple[Edge, ...],
    *,
    take: bool,
    ask: bool,
) -> Lease | None:
    """The lease of this session, taken or (unless ``take``) only looked at; None where no edge has
    a capacity. ``ask`` is False when the store could not be asked a moment ago."""
    if not gateway.leases.active:
        return None
    speed = facts.throughput
    kbps = expected_kbps(
        playlist,
        decision.edit.variants,
        None if speed is None else speed.kbps,
        choice.profile.headroom,
    )
    held = 0 if edges[0].id == facts.placed_on else None
    leased = await gateway.leases.place(
        facts.session, facts.asset, kbps, edges, held, take=take, ask=ask
    )
    return Lease(edges, kbps, leased)


def remember(gateway: Gateway, facts: Facts, edge: Edge, now_s: float) -> None:
    """Remember that the session plays this asset from ``edge``; nobody waits for it."""
    if facts.session is None or facts.record is None:
        return
    refresh_s = gateway.sessions.ttl_s * REFRESH_SHARE
    record = facts.record.placed(facts.asset, edge.id, now_s, refresh_s)
    if record is not facts.record:
        gateway.sessions.put(facts.session, record)


def reasons_of_lease(found: Lease, fleet: Fleet) -> tuple[Reason, ...]:
    """Which edges had no room, and what the session takes up where it is."""
    placement, bounds = found.placement, found.leased.bounds
    reasons = []
    if placement.outcome != "kept":
        for at, edge in enumerate(found.line[: placement.index]):
            bound = bounds[at]
            # What takes nobody new was explained already.
            if bound is not None and fleet.open(fleet.positions[edge.id]):
                used = _of(placement.loads[at], bound)
                text = f"{edge.id} is full ({used} Mbit/s leased); passed over"
                reasons.append(Reason(Step.EDGE, "edge-full", text))
    return (*reasons, _reason(found, placement, bounds[placement.index]))


def _reason(found: Lease, placement: Placement, bound: int | None) -> Reason:
    load = placement.loads[placement.index]
    parts = [f"{found.kbps / 1000:.1f} Mbit/s on {found.line[placement.index].id}"]
    if bound is None:
        parts.append("which has no bound")
    else:
        whose = "this worker's share" if found.leased.alone else "its capacity"
        parts.append(f"{load / max(1, bound):.0%} of {whose} used")
    if placement.outcome == "over":
        parts.append("the least of all, since every edge is full")
    return Reason(Step.LEASE, f"lease-{placement.outcome}", ", ".join(parts))


def _of(load: int, bound: int) -> str:
    return f"{load / 1000:,.0f} of {bound / 1000:,.0f}"
