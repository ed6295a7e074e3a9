"""Reads source playlists, and writes the playlist of a decision."""

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

from gateway.decision import Decision
from gateway.edge.signed_root import SignedRoot
from gateway.ladder.rung import Ladder
from gateway.observe.metrics import PLAYLIST_FAULTS
from gateway.play import problems
from gateway.play.hls.edit import edit_of
from gateway.play.hls.ladder import ladder_of
from gateway.play.hls.steering import TOO_LONG, refusal
from gateway.reason import Reason
from gateway.source.source import (
    BadSourceError,
    LiveState,
    SourceFormat,
    SourceManifest,
    version_of,
)
from gateway.steering.state import MAX_KEPT_BYTES
from manifests.fault import Fault
from manifests.format import ManifestFormat
from manifests.hls.blocks import UriSlot, is_rewritable
from manifests.hls.generated import generate
from manifests.hls.multivariant import (
    Edit,
    ManifestError,
    MultivariantPlaylist,
    PathwayCopy,
    QueryParameterError,
    parse,
    write,
)
from manifests.hls.stable import has_stable_uris
from manifests.hls.variables import check_query, resolve_late
from manifests.ladder import GeneratedRung
from manifests.rebase import Place, rebaser
from manifests.steering import SteeringTags

MEDIA_TYPE = "application/vnd.apple.mpegurl"
"""Rule A1.6. No charset parameter, since the format is always UTF-8."""


_BYTES_PER_PART = 50
"""An entry or a URI takes as long to write as this many bytes of text."""
_START = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*#EXTM3U")


@dataclass(frozen=True, slots=True)
class HlsManifest:
    """A multivariant playlist that was read (:class:`gateway.source.source.ParsedManifest`).
    ``renewable``: its URIs can be signed anew while a session plays."""

    playlist: MultivariantPlaylist
    ladder: Ladder
    weight: int
    renewable: bool

    @property
    def format(self) -> ManifestFormat:
        """HLS."""
        return ManifestFormat.HLS

    @property
    def version(self) -> str:
        """Changes when its bytes do."""
        return self.ladder.version

    @property
    def live(self) -> LiveState | None:
        """None: players ask for a multivariant playlist once."""
        return None

    @property
    def update_s(self) -> None:
        """None, for the same reason."""
        return None

    @property
    def faults(self) -> Sequence[Fault]:
        """Faults that players tolerate."""
        return self.playlist.faults


def read_hls(data: bytes, name: str, max_bytes: int) -> HlsManifest:
    """Read a multivariant playlist, and count its faults. Raises BadSourceError, whose message
    names the file, the line and the rule."""
    try:
        playlist = parse(data, name, max_bytes=max_bytes)
    except ManifestError as error:
        raise BadSourceError.of(error) from error
    for fault in playlist.faults:
        PLAYLIST_FAULTS.labels(fault.short_name).inc()
    version = version_of(data)
    entries = len(playlist.variants) + len(playlist.iframes)
    renewable = entries <= 8 * MAX_KEPT_BYTES and has_stable_uris(playlist)
    return HlsManifest(playlist, ladder_of(playlist, version), _weight(playlist), renewable)


def hls_source(template: str) -> SourceFormat:
    """How sources find and read multivariant playlists."""
    return SourceFormat(
        template=template,
        read=read_hls,
        media_types="application/vnd.apple.mpegurl, application/x-mpegurl, */*;q=0.5",
        is_manifest=lambda body: _START.match(body) is not None,
        is_whole=lambda body: body.endswith(b"\n"),
    )


def _weight(playlist: MultivariantPlaylist) -> int:
    """What it costs to write, as a number of bytes of text."""
    slots = [slot for block in playlist.blocks for slot in block.slots]
    expanded = sum(len(slot.target) for slot in slots if isinstance(slot, UriSlot))
    return len(playlist.text) + expanded + _BYTES_PER_PART * (len(playlist.blocks) + len(slots))


def generated_hls(rungs: Sequence[GeneratedRung]) -> HlsManifest:
    """A manifest made from the configured ladder, without a source playlist."""
    data = generate(rungs)
    return read_hls(data, "the configured ladder", len(data))


def hls_of(source: SourceManifest) -> HlsManifest:
    """The source as HLS. Raises a 404 problem when the asset has no HLS manifest."""
    if not isinstance(source.manifest, HlsManifest):
        raise problems.no_such_asset(f"{source.path} is not an HLS manifest")
    return source.manifest


def renewable(source: SourceManifest) -> bool:
    """Whether the URIs of the source's playlist can be signed anew while a session plays."""
    return isinstance(source.manifest, HlsManifest) and source.manifest.renewable


def bytes_key(
    source: SourceManifest,
    decision: Decision,
    query: Mapping[str, str],
    steering: Hashable = None,
    root: SignedRoot | None = None,
) -> Hashable:
    """The cache key of :func:`playlist_for`: all its inputs. Many decisions give the same bytes.
    ``steering`` is what its SERVER-URI depends on, None without one."""
    limits = decision.choice.limits
    wanted = hls_of(source).playlist.query_uses
    return (
        source.path,
        source.version,
        decision.kept,
        limits.max_height,
        limits.max_bandwidth,
        limits.screen,
        decision.edge.url,
        root,
        source.base_urls,
        tuple([query.get(name) for name in wanted]) if wanted else (),
        steering,
    )


def playlist_for(
    source: SourceManifest,
    decision: Decision,
    query: Mapping[str, str],
    max_characters: int | None = None,
    steering: SteeringTags | None = None,
    root: SignedRoot | None = None,
) -> bytes:
    """The playlist of a decision. ``query`` is the player's, percent-decoded. It is steered with
    ``steering``, unless :func:`steering_refusal` says why not: no source is refused because of it.
    ``root`` signs its URLs, None where the edge does not.

    Raises a 400 problem when the source asks for a query parameter that is missing (A5.4), and a
    502 problem when the playlist is longer than ``max_characters``.
    """
    playlist = hls_of(source).playlist
    edit = edit_of(playlist, decision.kept, decision.choice.limits)
    rewrite = rebaser(source.path, decision.edge.url, source.base_urls, root)
    plain = rewrite if root is None else rebaser(source.path, root.edge_url, source.base_urls)
    try:
        if steering is not None and _refusal(playlist, edit, plain, decision, query) is None:
            copies = _copies(source, steering)
            steered = _if_short(playlist, edit, rewrite, query, max_characters, steering, copies)
            if steered is not None:
                return steered
        return write(playlist, edit, rewrite, query, max_characters)
    except QueryParameterError as error:
        raise problems.bad_parameter(error.parameter, str(error)) from error
    except ManifestError as error:
        raise problems.source_problem(BadSourceError.of(error)) from error


def _if_short(
    playlist: MultivariantPlaylist,
    edit: Edit,
    rewrite: Callable[[str], str],
    query: Mapping[str, str],
    max_characters: int | None,
    steering: SteeringTags,
    copies: Sequence[PathwayCopy],
) -> bytes | None:
    """The steered playlist; None when it is too long. Raises QueryParameterError."""
    try:
        return write(playlist, edit, rewrite, query, max_characters, steering, copies)
    except ManifestError:
        return None


def _copies(source: SourceManifest, steering: SteeringTags) -> list[PathwayCopy]:
    return [
        PathwayCopy(pathway, rebaser(source.path, url, source.base_urls, place))
        for pathway, url, place in steering.copies
    ]


def steering_refusal(
    source: SourceManifest,
    decision: Decision,
    query: Mapping[str, str],
    max_characters: int | None = None,
    copies: tuple[tuple[str, str, Place | None], ...] = (),
    root: SignedRoot | None = None,
) -> Reason | None:
    """Why the playlist of a decision cannot be steered, with ``copies`` of the ladder; None when it
    can. ``root`` is as in :func:`playlist_for`.

    Raises a 400 problem when the source asks for a query parameter that is missing (A5.4).
    """
    playlist = hls_of(source).playlist
    edit = edit_of(playlist, decision.kept, decision.choice.limits)
    rewrite = rebaser(source.path, decision.edge.url, source.base_urls, root)
    plain = rewrite if root is None else rebaser(source.path, root.edge_url, source.base_urls)
    try:
        found = _refusal(playlist, edit, plain, decision, query)
        if found is not None:
            return found
        # The length of SERVER-URI makes no difference.
        tags = SteeringTags("", decision.edge.id, copies)
        written = _copies(source, tags)
        steered = _if_short(playlist, edit, rewrite, query, max_characters, tags, written)
    except QueryParameterError as error:
        raise problems.bad_parameter(error.parameter, str(error)) from error
    return TOO_LONG if steered is None else None


def _refusal(
    playlist: MultivariantPlaylist,
    edit: Edit,
    rewrite: Callable[[str], str],
    decision: Decision,
    query: Mapping[str, str],
) -> Reason | None:
    """As :func:`steering_refusal`. ``rewrite`` signs nothing. Raises QueryParameterError."""
    values = check_query(playlist.query_uses, query, playlist.query_uses)
    url = decision.edge.url
    return refusal(playlist, edit, url, lambda uri: rewrite(resolve_late(uri, values)))


def uris_for(
    source: SourceManifest,
    decision: Decision,
    query: Mapping[str, str],
    root: SignedRoot | None = None,
) -> list[str]:
    """The URI of each kept rung on the serving edge, in output order. ``root`` is as in
    :func:`playlist_for`.

    Raises a 400 problem when the source asks for a query parameter that is missing (A5.4).
    """
    playlist = hls_of(source).playlist
    try:
        values = check_query(playlist.query_uses, query, playlist.query_uses)
    except QueryParameterError as error:
        raise problems.bad_parameter(error.parameter, str(error)) from error
    rewrite = rebaser(source.path, decision.edge.url, source.base_urls, root)
    uris = [resolve_late(playlist.variants[index].uri, values) for index in decision.kept]
    return [rewrite(uri) if is_rewritable(uri) else uri for uri in uris]
