"""Under which id does a player know an edge?

A pathway is an edge, and its id is the edge's. But a clone replaces a host, and players keep the
clones that they know: hls.js ignores a clone whose id it knows, whatever its host is. So an edge
whose host has changed since the player learned of it gets an id of its own: the edge's, a dot, and
four digits of the host's hash.

An MPD declares several pathways: the base, and the first of the state's clones. They need no clone,
and must not be one (C2.2), as long as their edges have the host of the MPD.
"""

from collections.abc import Sequence

from gateway.edge.edge import Edge
from gateway.edge.fleet import Fleet
from gateway.steering.state import MAX_CLONES, Clone, SteeringState


def first_host(state: SteeringState, edge: Edge) -> int:
    """The tag of the host under which the player learned of an edge; 0 when it does not know it.
    The edge's own id leads there."""
    if state.base_host and edge.id == state.base:
        return state.base_host
    tag = edge.tag
    for known, host in state.clones:
        if known == tag:
            return host
    return 0


def last_host(state: SteeringState, edge: Edge) -> int:
    """The tag of the last host that the player was given for an edge; 0 when it does not know the
    edge."""
    tag = edge.tag
    for known, host in reversed(state.clones):
        if known == tag:
            return host
    return state.base_host if edge.id == state.base else 0


def pathway_of(state: SteeringState, edge: Edge) -> str:
    """The id of the pathway that leads the player to the edge as it is now."""
    first = first_host(state, edge)
    return edge.id if first in (0, edge.host_tag) else f"{edge.id}.{edge.host_tag:04x}"


def edge_at(fleet: Fleet, pathway: str) -> int | None:
    """The position of the edge that a pathway leads to, or has led to; None when it was removed, or
    there never was one."""
    at = fleet.positions.get(pathway)
    return fleet.positions.get(pathway[:-5]) if at is None and pathway[-5:-4] == "." else at


def declared_at(fleet: Fleet, state: SteeringState) -> list[int]:
    """The positions of the edges that the manifest of the session declares, besides the base."""
    by_tag = fleet.index.by_tag
    declared = state.clones[: max(0, state.declared - 1)]
    return [
        at
        for tag, host in declared
        for at in by_tag.get(tag, ())
        if fleet.edges[at].host_tag == host
    ]


def is_declared(state: SteeringState, edge: Edge) -> bool:
    """Whether the manifest of the session declares the edge where it is now, besides the base."""
    return (edge.tag, edge.host_tag) in state.clones[: max(0, state.declared - 1)]


def with_clones(
    state: SteeringState, priority: Sequence[Edge], pathways: Sequence[str]
) -> tuple[tuple[int, int], ...]:
    """The clones that the player knows after an answer. Of those that its manifest does not
    declare, the ones that it has known longest are forgotten."""
    clones = state.clones
    for edge, pathway in zip(priority, pathways, strict=True):
        if pathway != state.base and (edge.tag, edge.host_tag) not in clones:
            clones = (*clones, Clone(edge.tag, edge.host_tag))
    if len(clones) <= MAX_CLONES:
        return clones
    declared = clones[: max(0, state.declared - 1)]
    return declared + clones[len(clones) - MAX_CLONES + len(declared) :]
