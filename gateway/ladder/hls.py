"""How does a fitted ladder look in an HLS multivariant playlist?

Reads rungs off a playlist, and turns the rungs that were kept into an edit: which I-frame
playlists and which renditions stay with them (rules A7.2, A8.9, A11.2, A11.3).
"""

from collections.abc import Iterable, Sequence

from manifests.hls.multivariant import (
    Edit,
    IFrameVariant,
    MultivariantPlaylist,
    Variant,
)

from gateway.ladder.rung import Constraints, Rung
from manifests.codecs import CodecFamily

_STEREO = "CH-STEREO"
_FLAT_PROJECTION = "PROJ-RECT"


def rungs_of(playlist: MultivariantPlaylist) -> tuple[Rung, ...]:
    """The playlist's variant streams as rungs, in its order."""
    steps = _steps(playlist.variants)
    return tuple(_rung(variant, steps) for variant in playlist.variants)


def _rung(variant: Variant, steps: dict[tuple[object, ...], list[int]]) -> Rung:
    encoding = _encoding(variant)
    return Rung(
        index=variant.index,
        bandwidth=variant.bandwidth,
        height=_shorter_side(variant),
        frame_rate=variant.frame_rate,
        families=variant.families,
        video_range=variant.video_range,
        immersive=_immersive(variant.video_layout),
        has_video=not variant.audio_only,
        audio_group=variant.audio,
        encoding=encoding,
        step=steps[(variant.audio, *encoding)].index(variant.bandwidth),
    )


def _steps(variants: Iterable[Variant]) -> dict[tuple[object, ...], list[int]]:
    """The bit rates of each encoding within each audio group, ascending: the n-th of one group
    shows the same picture as the n-th of another."""
    bandwidths: dict[tuple[object, ...], set[int]] = {}
    for variant in variants:
        bandwidths.setdefault((variant.audio, *_encoding(variant)), set()).add(variant.bandwidth)
    return {key: sorted(found) for key, found in bandwidths.items()}


def _encoding(variant: Variant) -> tuple[object, ...]:
    return (
        variant.families,
        variant.width,
        variant.height,
        variant.frame_rate,
        variant.video_range,
        variant.video_layout,
        variant.pathway,
    )


def _shorter_side(variant: Variant | IFrameVariant) -> int | None:
    if variant.width is None or variant.height is None:
        return None
    return min(variant.width, variant.height)


def _immersive(layout: str | None) -> bool:
    """True when no View Presentation Entry of REQ-VIDEO-LAYOUT is flat and mono (rule A6.10)."""
    if not layout:
        return False
    return not any(_flat(entry) for entry in layout.split(","))


def _flat(entry: str) -> bool:
    specifiers = {part.strip() for part in entry.split("/")}
    projections = {part for part in specifiers if part.startswith("PROJ-")}
    return _STEREO not in specifiers and projections <= {_FLAT_PROJECTION}


def edit_of(playlist: MultivariantPlaylist, kept: Sequence[int], limits: Constraints) -> Edit:
    """The edit that keeps the variants ``kept`` (in output order) and what belongs to them."""
    chosen = set(kept)
    variants = [variant for variant in playlist.variants if variant.index in chosen]
    gone = [variant for variant in playlist.variants if variant.index not in chosen]
    iframes = _iframes(playlist, variants, gone, limits)
    return Edit(
        variants=tuple(kept),
        iframes=frozenset(entry.index for entry in iframes),
        renditions=_renditions(playlist, variants, gone, iframes),
    )


def _iframes(
    playlist: MultivariantPlaylist,
    kept: Sequence[Variant],
    gone: Sequence[Variant],
    limits: Constraints,
) -> list[IFrameVariant]:
    """I-frame playlists of the encodings that stay, judged like variants; at least the smallest of
    each codec family that still has a variant (rule A7.2)."""
    lost = {_look(variant) for variant in gone} - {_look(variant) for variant in kept}
    candidates = [entry for entry in playlist.iframes if _look(entry) not in lost]
    small = [entry for entry in candidates if _fits(entry, limits)]
    families: set[frozenset[CodecFamily]] = {variant.families for variant in kept}
    for family in families - {entry.families for entry in small}:
        spare = [entry for entry in candidates if entry.families == family]
        if spare:
            small.append(min(spare, key=lambda entry: entry.bandwidth or 0))
    stays = {entry.index for entry in small}
    return [entry for entry in playlist.iframes if entry.index in stays]


def _look(entry: Variant | IFrameVariant) -> tuple[object, ...]:
    return (entry.families, entry.video_range, _immersive(entry.video_layout), entry.pathway)


def _fits(entry: IFrameVariant, limits: Constraints) -> bool:
    height, cap = _shorter_side(entry), limits.max_bandwidth
    return (height is None or limits.max_height is None or height <= limits.max_height) and (
        cap is None or entry.bandwidth is None or entry.bandwidth <= cap
    )


def _renditions(
    playlist: MultivariantPlaylist,
    kept: Sequence[Variant],
    gone: Sequence[Variant],
    iframes: Sequence[IFrameVariant],
) -> frozenset[int]:
    """Renditions whose group is still named, or that nothing ever named (rule A11.3): a group goes
    only when every variant that named it has gone."""
    lost_iframes = {entry.index for entry in playlist.iframes} - {entry.index for entry in iframes}
    named = _groups(kept) | {("VIDEO", entry.video) for entry in iframes}
    was_named = _groups(gone) | {
        ("VIDEO", entry.video) for entry in playlist.iframes if entry.index in lost_iframes
    }
    lost = was_named - named
    return frozenset(
        rendition.index
        for rendition in playlist.renditions
        if (rendition.type, rendition.group_id) not in lost
    )


def _groups(variants: Iterable[Variant]) -> set[tuple[str, str | None]]:
    named: set[tuple[str, str | None]] = set()
    for variant in variants:
        named |= {
            ("AUDIO", variant.audio),
            ("VIDEO", variant.video),
            ("SUBTITLES", variant.subtitles),
            ("CLOSED-CAPTIONS", variant.closed_captions),
        }
    return named
