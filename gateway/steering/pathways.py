"""Under which id does a player know an edge?

A pathway is an edge, and its id is the edge's. But a clone replaces a host, and players keep the
clones that they know: hls.js ignores a clone whose id it knows, whatever its host is. So an edge
whose host has changed since the player learned of it gets an id of its own: the edge's, a dot, and
four digits of the host's hash.
"""

from collections.abc import Sequence

from gateway.edge.edge import Edge
from gateway.edge.fleet import Fleet
from gateway.steering.state import MAX_CLONES, Clone, SteeringState


def known_hosts(state: SteeringState, edge: Edge) -> list[int]:
    """The hosts under which the player knows an edge, by their tags, in the order in which it
    learned of them; empty when it does not know the edge."""
    tag = edge.tag
    found = [host for known, host in state.clones if known == tag]
    if state.base_host and edge.id == state.base:
        found.insert(0, state.base_host)
    return found


def pathway_of(state: SteeringState, edge: Edge) -> str:
    """The id of the pathway that leads the player to the edge as it is now."""
    hosts = known_hosts(state, edge)
    if not hosts or hosts[0] == edge.host_tag:
        return edge.id
    return f"{edge.id}.{edge.host_tag:04x}"


def edge_at(fleet: Fleet, pathway: str) -> int | None:
    """The position of the edge that a pathway leads to, or has led to; None when it was removed, or
    there never was one."""
    at = fleet.positions.get(pathway)
    return fleet.positions.get(pathway[:-5]) if at is None and pathway[-5:-4] == "." else at


def with_clones(
    state: SteeringState, priority: Sequence[Edge], pathways: Sequence[str]
) -> tuple[Clone, ...]:
    """The clones that the player knows after an answer; those that it has known longest are
    forgotten."""
    clones = state.clones
    for edge, pathway in zip(priority, pathways, strict=True):
        clone = Clone(edge.tag, edge.host_tag)
        if pathway != state.base and clone not in clones:
            clones = (*clones, clone)
    return clones[-MAX_CLONES:]
