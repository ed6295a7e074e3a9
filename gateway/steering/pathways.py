"""Under which id does a player know an edge?

A pathway is an edge, and its id is the edge's. But a clone replaces a host, and players keep the
clones that they know: hls.js ignores a clone whose id it knows, whatever its host is. So an edge
whose host has changed since the player learned of it gets an id of its own: the edge's, a dot, and
four digits of the host's hash.

So has an edge whose URLs are signed anew: the digits then name the signature, too.

An MPD declares several pathways: the base, and the first of the state's clones. They need no clone,
and must not be one (C2.2), as long as their edges have the host of the MPD. A live one declares the
edges that are up when it is refreshed: the state knows of them once the player reports them.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from gateway.edge.edge import Edge, edge_tag, stable_hash
from gateway.edge.fleet import Fleet
from gateway.steering.query import PathwayReport
from gateway.steering.signatures import outlives, sibling_tag, tag_at
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
    """The id of the pathway that leads the player to the edge as it is now. A base that is a clone
    keeps its id, whatever was forgotten of the clones."""
    first = first_host(state, edge)
    if first not in (0, edge.host_tag):
        return id_by_host(edge)
    is_base = not state.base_host and state.base == id_by_host(edge)
    return state.base if is_base else edge.id


def id_by_host(edge: Edge) -> str:
    """The id of an edge for a player that learned of it under another host."""
    return _clone_id(edge.id, edge.host_tag)


def _clone_id(edge: str, tag: int) -> str:
    return f"{edge}.{tag:04x}"


def unlike(edge: Edge) -> Clone:
    """The edge under a host that it does not have, for a player of which only that is known."""
    return Clone(edge.tag, edge.host_tag % 0xFFFF + 1)


class Named(NamedTuple):
    """How an answer names an edge whose URLs are signed: the tag of the signature, the pathway's
    id, and whether the pathway differs from the base in the host alone."""

    tag: int
    pathway: str
    is_sibling: bool


def named(
    state: SteeringState, edge: Edge, base: Edge | None, now_s: float, until_s: float
) -> Named | None:
    """How the session's next answer names an edge. ``base`` is the edge of the session's base, None
    when it was removed. The last signature that the player has is kept while it outlives
    ``until_s``, and always if ``until_s`` is 0. Then an edge that the player does not know gets
    none, unless it is a sibling of ``base``: None is returned."""
    tag, sibling = last_host(state, edge), 0
    if base is not None and state.shape == base.shape:
        sibling = sibling_tag(base, state.base_host, edge)
    if not tag or (until_s and not outlives(edge, tag, now_s, until_s)):
        if sibling and (not until_s or outlives(edge, sibling, now_s, until_s)):
            tag = sibling
        elif until_s:
            tag = tag_at(edge, now_s)
    if not tag:
        return None
    is_sibling = tag == sibling and edge.id != state.base
    declared = edge.id == state.base and tag == state.base_host
    if declared or is_sibling or (edge.tag, tag) in state.clones[: max(0, state.declared - 1)]:
        return Named(tag, edge.id, is_sibling)
    return Named(tag, _clone_id(edge.id, tag), is_sibling=False)


def has_name(state: SteeringState, edge: Edge, base: Edge | None, now_s: float) -> bool:
    """Whether a session that gets no new signatures can go to the edge: :func:`named` has a name
    for it, whose URLs are good at ``now_s`` (Unix time)."""
    found = named(state, edge, base, now_s, 0)
    return found is not None and outlives(edge, found.tag, now_s, now_s)


def last_pathway(state: SteeringState) -> str:
    """The id under which the player of a session whose URLs are signed anew got its base last. It
    is all that is left to such a player when no edge can be named, as its base was removed."""
    tag = edge_tag(stable_hash(state.base))
    tags = [host for known, host in state.clones if known == tag]
    return _clone_id(state.base, tags[-1]) if tags else state.base


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
        if fleet.edges[at].host_tag == host or is_renewed(state)
    ]


def with_reported(
    fleet: Fleet, state: SteeringState, reports: Sequence[PathwayReport]
) -> SteeringState:
    """The state, with the edges that a refresh of its live MPD has declared: those that its player
    reports and cannot have otherwise. They must not be cloned either (C2.2)."""
    for pathway, _ in reports if state.live else ():
        at = fleet.positions.get(pathway)
        count = max(1, state.declared)
        if at is None or at in fleet.down or pathway == state.base or count > MAX_CLONES:
            continue
        edge = fleet.edges[at]
        if not first_host(state, edge):
            others = state.clones[count - 1 :]
            kept = others[max(0, len(others) - (MAX_CLONES - count)) :]
            new = Clone(edge.tag, edge.host_tag)
            clones = (*state.clones[: count - 1], new, *kept)
            state = replace(state, clones=clones, declared=count + 1)
    return state


def is_renewed(state: SteeringState) -> bool:
    """Whether the session can get each edge under a new id whenever its URLs change."""
    return state.playlist is not None


def is_declared(state: SteeringState, edge: Edge) -> bool:
    """Whether the manifest of the session declares the edge where it is now, besides the base. Of
    an edge whose URLs are signed anew, any signature counts."""
    declared = state.clones[: max(0, state.declared - 1)]
    if is_renewed(state):
        return any(tag == edge.tag for tag, _ in declared)
    return (edge.tag, edge.host_tag) in declared


def with_clones(
    state: SteeringState,
    priority: Sequence[Edge],
    pathways: Sequence[str],
    tags: Sequence[int] = (),
) -> tuple[tuple[int, int], ...]:
    """The clones that the player knows after an answer. Of those that its manifest does not
    declare, the ones that it has known longest are forgotten. ``tags`` are those of the edges,
    where URLs are signed anew."""
    clones = state.clones
    if tags:
        return _with_signed(state, priority, pathways, tags)
    for edge, pathway in zip(priority, pathways, strict=True):
        if pathway != state.base and (edge.tag, edge.host_tag) not in clones:
            clones = (*clones, Clone(edge.tag, edge.host_tag))
    if len(clones) <= MAX_CLONES:
        return clones
    declared = clones[: max(0, state.declared - 1)]
    return declared + clones[len(clones) - MAX_CLONES + len(declared) :]


def _with_signed(
    state: SteeringState, priority: Sequence[Edge], pathways: Sequence[str], tags: Sequence[int]
) -> tuple[tuple[int, int], ...]:
    """:func:`with_clones` where URLs are signed anew: of each edge, the last signature counts."""
    count = max(0, state.declared - 1)
    declared, others = state.clones[:count], list(state.clones[count:])
    for edge, pathway, tag in zip(priority, pathways, tags, strict=True):
        known = Clone(edge.tag, tag)
        if pathway == state.base or known in declared:
            continue
        others = [other for other in others if other[0] != edge.tag]
        others.append(known)
    return (*declared, *others[-(MAX_CLONES - count) :])
