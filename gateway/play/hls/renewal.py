"""How does a session that plays get new signatures before those that it has end?

An answer to its request for a steering manifest names each edge by a pathway that stands for the
edge and a signature (:mod:`gateway.steering.signatures`). A pathway that the player does not have
is a clone of the playlist's, with a URI for each entry, by its stable id. The state of the session
says which entries of the source its playlist has. The source is in this worker's memory nearly
always.
"""

from collections.abc import Sequence

from gateway.edge.edge import Edge
from gateway.edge.signed_root import signed_root
from gateway.observe import metrics
from gateway.play.decide import Decided, load_source
from gateway.play.hls.edit import edit_of, renditions_of
from gateway.play.hls.manifest import hls_of, renewable
from gateway.play.problems import Problem
from gateway.play.runtime import Gateway
from gateway.source.source import SourceManifest
from gateway.steering.decide import Steered
from gateway.steering.naming import Naming
from gateway.steering.pathways import declared_at, last_pathway
from gateway.steering.signatures import signed_at
from gateway.steering.state import PlaylistReference, SteeringState
from manifests.format import ManifestFormat
from manifests.hls.blocks import is_rewritable
from manifests.hls.multivariant import Edit, IFrameVariant, MultivariantPlaylist, Variant
from manifests.hls.stable import rendition_id, variant_id
from manifests.hls.writing import safe_uri
from manifests.rebase import rebaser
from manifests.steering import PathwayClone, UriClone, render_steering_manifest

_VERSION_DIGITS = 8


def may_be_renewed(found: Decided) -> bool:
    """Whether the URLs of a decision's playlist can be signed anew while it plays."""
    return found.decision.inquiry.fleet.index.signs and renewable(found.source)


def reference_for(found: Decided) -> PlaylistReference:
    """What the state of a session has of the playlist of its decision."""
    decision = found.decision
    playlist = hls_of(found.source).playlist
    edit = edit_of(playlist, decision.kept, decision.choice.limits)
    return reference_of(found.source, edit)


def reference_of(source: SourceManifest, edit: Edit) -> PlaylistReference:
    """What a state has of the playlist that ``edit`` makes of its source."""
    playlist = hls_of(source).playlist
    count = len(playlist.variants)
    bits = 0
    for index in (*edit.variants, *(count + index for index in edit.iframes)):
        bits |= 1 << index
    size = (count + len(playlist.iframes) + 7) // 8
    return PlaylistReference(_version(source), bits.to_bytes(size, "little"))


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
    ``count``: it counts in metrics. Without the source, players keep the clones that they know. A
    player that cannot use any edge any more keeps the pathway that it has.
    """
    naming, fleet = answer.naming, gateway.fleet
    hosts: list[PathwayClone] = []
    signed: list[tuple[Edge, int, str]] = []
    declared = {state.base, *(fleet.edges[at].id for at in declared_at(fleet, state))}
    named = zip(naming.priority, naming.pathways, naming.tags, naming.siblings, strict=True)
    for edge, pathway, tag, is_sibling in named:
        if is_sibling:
            hosts.append(PathwayClone(state.base, pathway, edge.host or ""))
        elif pathway not in declared and not _has_ended(edge, tag, now_s):
            signed.append((edge, tag, pathway))
    clones: list[UriClone] = []
    if signed:
        source = await load_source(gateway.runtime, asset, network, ManifestFormat.HLS)
        if not isinstance(source, Problem):
            clones = [uri_clone(source, state, *each, now_s) for each in signed]
    if count and _has_new(state, naming):
        metrics.signature_renewals("signed" if clones else "no-source").inc()
    priority = naming.pathways or (last_pathway(state),)
    return render_steering_manifest(naming.ttl_s, url, priority, hosts, clones)


def _has_ended(edge: Edge, tag: int, now_s: float) -> bool:
    """Whether the signature that a tag names has ended, or was made for another key or host. Only a
    session that may not be renewed is still told of it, and must not get another in its place."""
    return edge.url_signing is not None and signed_at(edge, tag, now_s) is None


def _has_new(state: SteeringState, naming: Naming) -> bool:
    """Whether an answer has a pathway with URIs that the player does not have."""
    named = zip(naming.priority, naming.tags, naming.pathways, naming.siblings, strict=True)
    return any(
        pathway not in (state.base, edge.id) and (edge.tag, tag) not in state.clones
        for edge, tag, pathway, is_sibling in named
        if not is_sibling
    )


def uri_clone(
    source: SourceManifest, state: SteeringState, edge: Edge, tag: int, pathway: str, now_s: float
) -> UriClone:
    """The session's playlist on ``edge`` as a clone of its base, with the URLs that ``tag`` names.
    ``state`` has a reference."""
    playlist = hls_of(source).playlist
    variants, iframes = _entries(source, playlist, state)
    kept = {entry.index for entry in variants}
    gone = [entry for entry in playlist.variants if entry.index not in kept]
    renditions = renditions_of(playlist, variants, gone, iframes)
    at_s = signed_at(edge, tag, now_s)
    root = signed_root(edge, source.path, now_s if at_s is None else at_s)
    rewrite = rebaser(source.path, edge.url, source.base_urls, root)
    streams: Sequence[Variant] = (*variants, *iframes)
    return UriClone(
        state.base,
        pathway,
        {
            variant_id(entry): safe_uri(rewrite(entry.uri))
            for entry in streams
            if is_rewritable(entry.uri)
        },
        {
            rendition_id(entry): safe_uri(rewrite(entry.uri))
            for entry in playlist.renditions
            if entry.index in renditions and entry.uri is not None and is_rewritable(entry.uri)
        },
    )


def _entries(
    source: SourceManifest, playlist: MultivariantPlaylist, state: SteeringState
) -> tuple[list[Variant], list[IFrameVariant]]:
    """The entries that the session's playlist has. If the source has changed since, all entries
    up to the bit rate of its highest rung; the player may not know the ids of some of them."""
    reference, count = state.playlist, len(playlist.variants)
    if reference is not None and reference.version == _version(source):
        bits = int.from_bytes(reference.kept, "little")
        variants = [entry for entry in playlist.variants if bits >> entry.index & 1]
        return variants, [each for each in playlist.iframes if bits >> count + each.index & 1]
    most = (state.need_kbps + 1) * 1000
    return (
        [entry for entry in playlist.variants if entry.bandwidth < most],
        [entry for entry in playlist.iframes if entry.bandwidth < most],
    )


def _version(source: SourceManifest) -> bytes:
    return bytes.fromhex(source.version[:_VERSION_DIGITS])
