"""What are the URIs of a session's playlist, signed anew, on whichever edge?

The state of a session says which entries of the source its playlist has. A steering manifest then
gives each of them a URI, by its stable id.
"""

from collections.abc import Sequence

from gateway.edge.edge import Edge
from gateway.edge.signed_root import signed_root
from gateway.play.hls.edit import renditions_of
from gateway.play.hls.manifest import hls_of
from gateway.source.source import SourceManifest
from gateway.steering.signatures import signed_at
from gateway.steering.state import PlaylistReference, SteeringState
from manifests.hls.blocks import is_rewritable
from manifests.hls.multivariant import Edit, IFrameVariant, MultivariantPlaylist, Variant
from manifests.hls.stable import rendition_id, variant_id
from manifests.hls.writing import safe_uri
from manifests.rebase import rebaser
from manifests.steering import UriClone

_VERSION_DIGITS = 8


def reference_of(source: SourceManifest, edit: Edit) -> PlaylistReference:
    """What a state has of the playlist that ``edit`` makes of its source."""
    playlist = hls_of(source).playlist
    count = len(playlist.variants)
    bits = 0
    for index in (*edit.variants, *(count + index for index in edit.iframes)):
        bits |= 1 << index
    size = (count + len(playlist.iframes) + 7) // 8
    return PlaylistReference(_version(source), bits.to_bytes(size, "little"))


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
    """The entries that the session's playlist has. Of a source that has changed since, all that
    need no more than its highest rung did: they are named by ids that the player knows, or not."""
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
