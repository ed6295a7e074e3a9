"""How does a session that plays get new signatures before those that it has end?

An answer to its request for a steering manifest names each edge by a pathway that stands for the
edge and a signature (:mod:`gateway.steering.signatures`). A pathway that the player does not have
is a clone of the playlist's, with a URI for each entry. These come from the source, which is in
this worker's memory nearly always.
"""

from collections.abc import Sequence

from gateway.edge.edge import Edge
from gateway.observe import metrics
from gateway.play.decide import Decided, load_source
from gateway.play.hls.edit import edit_of
from gateway.play.hls.manifest import hls_of, renewable
from gateway.play.hls.renewal import reference_of, uri_clone
from gateway.play.problems import Problem
from gateway.play.runtime import Gateway
from gateway.steering.decide import Steered
from gateway.steering.naming import Naming
from gateway.steering.pathways import declared_at
from gateway.steering.signatures import tag_at
from gateway.steering.state import Clone, SteeringState
from manifests.format import ManifestFormat
from manifests.steering import PathwayClone, UriClone, render_steering_manifest


def may_be_renewed(found: Decided) -> bool:
    """Whether the URLs of a decision's playlist can be signed anew while it plays."""
    return found.decision.inquiry.fleet.index.signs and renewable(found.source)


def with_signatures(
    found: Decided, state: SteeringState, at_s: int, others: Sequence[tuple[Edge, int]]
) -> SteeringState:
    """The first state of a session whose URLs are signed anew. ``at_s`` is the Unix time at which
    the playlist's URLs are signed, and ``others`` are the other edges that it names, each with
    such a time."""
    decision = found.decision
    edit = edit_of(hls_of(found.source).playlist, decision.kept, decision.choice.limits)
    state.base_host = tag_at(decision.edge, at_s)
    state.clones = tuple([Clone(other.tag, tag_at(other, its_s)) for other, its_s in others])
    state.playlist = reference_of(found.source, edit)
    return state


def may_renew(gateway: Gateway, state: SteeringState, session: bytes | None) -> bool:  # noqa: ARG001
    """Whether URLs may be signed anew for a session, by the hash of its name; None without one.
    What ends sessions is to be asked here."""
    return True


async def renewed_manifest(
    gateway: Gateway,
    asset: str,
    network: str,
    state: SteeringState,
    answer: Steered,
    url: str,
    now_s: float,
    *,
    count: bool,
) -> bytes:
    """The steering manifest of a session whose URLs are signed anew.

    ``state`` is that of its request, ``url`` where it asks next, ``network`` the one that asks.
    ``count``: it counts in metrics. Without the source, players keep the clones that they know.
    """
    naming, fleet = answer.naming, gateway.fleet
    hosts: list[PathwayClone] = []
    signed: list[tuple[Edge, int, str]] = []
    declared = {state.base, *(fleet.edges[at].id for at in declared_at(fleet, state))}
    named = zip(naming.priority, naming.pathways, naming.tags, naming.siblings, strict=True)
    for edge, pathway, tag, is_sibling in named:
        if is_sibling:
            hosts.append(PathwayClone(state.base, pathway, edge.host or ""))
        elif pathway not in declared:
            signed.append((edge, tag, pathway))
    clones: list[UriClone] = []
    if signed:
        source = await load_source(gateway.runtime, asset, network, ManifestFormat.HLS)
        if not isinstance(source, Problem):
            clones = [uri_clone(source, state, *each, now_s) for each in signed]
    if count and _has_new(state, naming):
        metrics.signature_renewals("signed" if clones else "no-source").inc()
    priority = naming.pathways or (state.base,)
    return render_steering_manifest(naming.ttl_s, url, priority, hosts, clones)


def _has_new(state: SteeringState, naming: Naming) -> bool:
    """Whether an answer has a pathway with URIs that the player does not have."""
    named = zip(naming.priority, naming.tags, naming.pathways, naming.siblings, strict=True)
    return any(
        pathway not in (state.base, edge.id) and (edge.tag, tag) not in state.clones
        for edge, tag, pathway, is_sibling in named
        if not is_sibling
    )
