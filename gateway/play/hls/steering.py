"""Can the playlist of a decision be steered? Otherwise, why not?

Steered playlists list each rung once, on the pathway of the serving edge. The steering manifest
offers other edges as clones of it, in which players replace the host of every URI
(docs/steering.md). That asks for something of the source, and some sources cannot give it.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Final

from gateway.reason import Reason, Step
from manifests.codecs import is_video
from manifests.hls.blocks import is_rewritable
from manifests.hls.multivariant import Edit, MultivariantPlaylist, Rendition, Variant
from manifests.hls.tags import MAX_FAULTS

STEERED: Final = Reason(
    Step.STEERING, "steered", "the player can be moved to edges whose URLs differ in the host alone"
)
RENEWED: Final = Reason(
    Step.STEERING,
    "renewed",
    "the player can be moved to other edges, and its signed URLs are renewed before they end",
)
STEERED_BY_COPIES: Final = Reason(
    Step.STEERING,
    "steered-by-copies",
    "the player can be moved to the edges for which the playlist lists its ladder once more",
)
_OWN: Final = Reason(
    Step.STEERING,
    "source-steers",
    "not steered: the source has content steering or pathways of its own",
)
_COPIES: Final = Reason(
    Step.STEERING,
    "source-has-copies",
    "not steered: the source lists copies of a variant or rendition at other URIs, which players "
    "refuse or drop on one pathway",
)
_GROUP_ALONE: Final = Reason(
    Step.STEERING,
    "audio-group-alone",
    "not steered: variants differ in their audio or video group alone; in steered playlists, Shaka "
    "takes them for one and finds no audio",
)
_FIXED: Final = Reason(
    Step.STEERING,
    "uris-do-not-move",
    "not steered: a URI does not lead to the edge, so another edge does not have it",
)
_FAULTY: Final = Reason(
    Step.STEERING,
    "attributes-faulty",
    "not steered: an attribute list of the source has an unpaired quote, or ends with white space "
    "or with an item without a value, so nothing can be added to it safely; or the source has more "
    "faults than are looked at",
)
_EXTENDED: Final = ("#EXT-X-STREAM-INF:", "#EXT-X-I-FRAME-STREAM-INF:")
"""The tags that get a PATHWAY-ID at the end."""
TOO_LONG: Final = Reason(
    Step.STEERING,
    "too-long",
    "not steered: with a PATHWAY-ID for each entry, the playlist is longer than an answer may be",
)


NO_OTHER_EDGE: Final = Reason(
    Step.STEERING,
    "no-other-edge",
    "not steered: no other edge has a URL that differs in the host alone (scheme, port and path "
    "have to be the same), and no copies of the ladder may be listed, or there is no other edge",
)
MAY_NOT_STEER: Final = Reason(
    Step.STEERING,
    "may-not-steer",
    "not steered: the URLs of other edges differ in more than the host, which takes copies of the "
    "ladder; a player that does not steer would see each rung several times, and this one is not "
    "known to steer",
)
TOO_MANY: Final = Reason(
    Step.STEERING,
    "too-many-copies",
    "not steered: the URLs of other edges differ in more than the host, and copies of the ladder "
    "would be more variants than are listed",
)
OFF: Final = Reason(Step.STEERING, "off", "not steered: steering.enabled is false")


def refusal(
    playlist: MultivariantPlaylist,
    edit: Edit,
    edge_url: str,
    resolve: Callable[[str], str],
) -> Reason | None:
    """Why the playlist that ``edit`` gives cannot be steered; None when it can.

    ``resolve`` gives the URI that a player will see for one of the source's.
    """
    if "PATHWAY-ID" in playlist.text or "EXT-X-CONTENT-STEERING" in playlist.text:
        return _OWN
    faults = playlist.faults
    if (
        len(faults) >= MAX_FAULTS
        or any(fault.rule == "A3.3" for fault in faults)
        or any(map(_ends_oddly, playlist.text.split("\n")))
    ):
        return _FAULTY
    variants = [playlist.variants[index] for index in edit.variants]
    iframes = [playlist.iframes[index] for index in edit.iframes]
    renditions = [playlist.renditions[index] for index in edit.renditions]
    uris = [entry.uri for entry in (*variants, *iframes)]
    uris += [entry.uri for entry in renditions if entry.uri is not None]
    if not all(_moves(uri, edge_url, resolve) for uri in uris):
        return _FIXED
    if _has_copies(variants, iframes, renditions):
        return _COPIES
    if _differ_in_group_alone(variants):
        return _GROUP_ALONE
    return None


def _ends_oddly(line: str) -> bool:
    """Whether hls.js would not find an attribute that is added to the attribute list of a line."""
    if not line.startswith(_EXTENDED):
        return False
    line = line.removesuffix("\r")
    _, comma, last = line.rpartition(",")
    return line.endswith((" ", "\t")) or (
        comma != "" and last != "" and not any(char in last for char in '="\r')
    )


def _moves(uri: str, edge_url: str, resolve: Callable[[str], str]) -> bool:
    return is_rewritable(uri) and resolve(uri).startswith(edge_url)


def _has_copies(
    variants: Sequence[Variant], iframes: Sequence[Variant], renditions: Sequence[Rendition]
) -> bool:
    """Whether two entries that players cannot tell apart have different URIs.

    media3 groups them by their format, stable id and name, whatever their rendition groups are, and
    refuses a steered playlist with two URIs of one group on one pathway (C1.3). hls.js drops the
    second of two variants that have a PATHWAY-ID and the same key, which has no stable id and no
    average bit rate. Without a PATHWAY-ID it keeps the second as a backup.
    """
    codecs = _audio_codecs(variants)
    keyed: list[tuple[Hashable, str]] = [(_variant_key(entry), entry.uri) for entry in variants]
    keyed += [(("I-frames", _variant_key(entry)), entry.uri) for entry in iframes]
    keyed += [
        (_rendition_key(entry, codecs.get(entry.group_id)), entry.uri)
        for entry in renditions
        if entry.uri is not None
    ]
    return len(set(keyed)) > len({key for key, _ in keyed})


def _differ_in_group_alone(variants: Sequence[Variant]) -> bool:
    """Whether two variants are equal but for the groups of audio or video that they name.

    In a steered playlist, Shaka takes variants for one if their tags are equal but for groups,
    pathways and URIs (C1.4). It then looks for renditions that are in all of their groups.
    """
    seen: dict[Hashable, Hashable] = {}
    return any(
        seen.setdefault(_tag_key(entry), groups) != groups
        for entry in variants
        for groups in [(entry.audio, entry.video)]
    )


def _tag_key(entry: Variant) -> Hashable:
    return (
        _variant_key(entry),
        entry.average_bandwidth,
        entry.supplemental_codecs,
        entry.hdcp_level,
        entry.allowed_cpc,
        entry.score,
        entry.stable_id,
        entry.closed_captions,
        entry.video_layout,
    )


def _variant_key(entry: Variant) -> Hashable:
    """What media3 and hls.js both tell variants apart by."""
    return (
        entry.codecs,
        entry.bandwidth,
        entry.width,
        entry.height,
        entry.frame_rate,
        entry.video_range,
    )


def _rendition_key(entry: Rendition, codecs: Hashable) -> Hashable:
    return (
        entry.type,
        entry.name,
        entry.language,
        entry.channels,
        entry.default,
        entry.autoselect,
        entry.forced,
        entry.characteristics,
        entry.stable_id,
        codecs if entry.type == "AUDIO" else None,
    )


def _audio_codecs(variants: Iterable[Variant]) -> dict[str, tuple[str, ...]]:
    """The audio codecs of each audio group, as media3 finds them: those of the first variant that
    names the group."""
    found: dict[str, tuple[str, ...]] = {}
    for entry in variants:
        if entry.audio is not None and entry.audio not in found:
            found[entry.audio] = tuple(codec for codec in entry.codecs if is_video(codec) is False)
    return found
