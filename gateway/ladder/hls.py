"""How does a fitted ladder look in an HLS multivariant playlist?

Reads rungs off a playlist, and turns the rungs that were kept into an edit: which I-frame
playlists and which renditions stay with them (rules A7.2, A8.9, A11.2, A11.3).
"""

import re
from collections.abc import Iterable, Sequence
from operator import attrgetter

from gateway.ladder.rung import Constraints, Rung
from manifests.codecs import CodecFamily, family_of, is_video
from manifests.hls.multivariant import (
    Edit,
    IFrameVariant,
    MultivariantPlaylist,
    Variant,
    groups_named,
)

_Ladder = tuple[str | None, str, int]
"""Audio group, pathway and the number of an encoding."""

_encoding = attrgetter("families", "width", "height", "frame_rate", "video_range", "video_layout")
_FLAT = frozenset({"CH-MONO", "PROJ-RECT"})
_LAYOUTS = _FLAT | {"CH-STEREO", "PROJ-EQUI", "PROJ-HEQU", "PROJ-PRIM", "PROJ-AIV"}


def bandwidths_of(playlist: MultivariantPlaylist) -> tuple[int, ...]:
    """The different peaks of the playlist's variants in bit/s, ascending."""
    return tuple(sorted({variant.bandwidth for variant in playlist.variants}))


def rungs_of(playlist: MultivariantPlaylist) -> tuple[Rung, ...]:
    """The playlist's variant streams as rungs, in its order.

    A variant that does not say whether it has pictures counts as one with pictures, unless another
    surely has them: then media3 and hls.js take it for audio-only, too (G4).
    """
    variants = playlist.variants
    pictures = any(variant.has_video for variant in variants)
    # Few encodings and few codecs stand for many variants.
    encodings: dict[tuple[object, ...], int] = {}
    looks: list[tuple[int | None, bool, bool]] = []
    ladders: list[_Ladder] = []
    bandwidths: dict[_Ladder, set[int]] = {}
    for variant in variants:
        encoding = encodings.setdefault(_encoding(variant), len(looks))
        if encoding == len(looks):
            layout = _specifiers(variant.video_layout)
            # Clients pass over a tag with a requirement that they do not know (A2.1, A6.10).
            looks.append((_shorter_side(variant), not layout <= _FLAT, not layout <= _LAYOUTS))
        ladder = variant.audio, variant.pathway, encoding
        ladders.append(ladder)
        bandwidths.setdefault(ladder, set()).add(variant.bandwidth)
    # The n-th bit rate of one audio group and pathway shows the same picture as that of another.
    steps = {
        ladder: {bandwidth: step for step, bandwidth in enumerate(sorted(found))}
        for ladder, found in bandwidths.items()
    }
    others = {variant.codecs: variant.families for variant in variants}
    other_video = {codecs: _other_video(codecs, families) for codecs, families in others.items()}
    rungs = []
    for variant, ladder in zip(variants, ladders, strict=True):
        audio, pathway, encoding = ladder
        height, immersive, skippable = looks[encoding]
        rungs.append(
            Rung(
                variant.index,
                variant.bandwidth,
                height,
                variant.frame_rate,
                variant.families,
                other_video[variant.codecs],
                variant.video_range,
                immersive,
                variant.has_video or (variant.has_video is None and not pictures),
                skippable or variant.has_unknown_req,
                audio,
                pathway,
                (encoding, steps[ladder][variant.bandwidth]),
            )
        )
    return tuple(rungs)


def _other_video(codecs: Sequence[str], families: frozenset[CodecFamily]) -> bool:
    """True when CODECS names video of no known family; an element that nobody knows is taken for
    video where no other is."""
    return any(
        is_video(codec) or (is_video(codec) is None and not families)
        for codec in codecs
        if family_of(codec) is None
    )


def _shorter_side(variant: Variant) -> int | None:
    if variant.width is None or variant.height is None:
        return None
    return min(variant.width, variant.height)


def _immersive(layout: str | None) -> bool:
    """True when some portion of the video is not flat and mono: each View Presentation Entry of
    REQ-VIDEO-LAYOUT speaks for one (rule A6.10)."""
    return not _specifiers(layout) <= _FLAT


def _specifiers(layout: str | None) -> frozenset[str]:
    """``CH-STEREO/PROJ-EQUI,CH-MONO`` as a set of its specifiers."""
    return frozenset(part.strip() for part in re.split("[,/]", layout)) if layout else frozenset()


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
    """I-frame playlists of the encodings that stay, judged like variants; on each pathway, at least
    the smallest of each codec family that still has a variant (rule A7.2)."""
    if not playlist.iframes:
        return []
    lost = {_look(variant) for variant in gone} - {_look(variant) for variant in kept}
    candidates = [entry for entry in playlist.iframes if _look(entry) not in lost]
    stays = {entry.index for entry in candidates if _fits(entry, limits)}
    served = {_family(entry) for entry in candidates if entry.index in stays}
    for family in {_family(variant) for variant in kept} - served:
        spare = [entry for entry in candidates if _family(entry) == family]
        if spare:
            stays.add(min(spare, key=lambda entry: (entry.bandwidth, entry.index)).index)
    return [entry for entry in playlist.iframes if entry.index in stays]


def _look(entry: Variant) -> tuple[object, ...]:
    return (*_family(entry), entry.video_range, _immersive(entry.video_layout))


def _family(entry: Variant) -> tuple[object, ...]:
    return (entry.pathway, entry.families)


def _fits(entry: IFrameVariant, limits: Constraints) -> bool:
    height, cap = _shorter_side(entry), limits.max_bandwidth
    return (height is None or limits.max_height is None or height <= limits.max_height) and (
        cap is None or entry.bandwidth <= cap
    )


def _renditions(
    playlist: MultivariantPlaylist,
    kept: Iterable[Variant],
    gone: Iterable[Variant],
    iframes: Sequence[IFrameVariant],
) -> frozenset[int]:
    """Renditions whose group is still named, or that nothing ever named (rule A11.3): a group goes
    as a whole (A8.9), when everything that named it has gone."""
    stays = {entry.index for entry in iframes}
    lost_iframes = [entry for entry in playlist.iframes if entry.index not in stays]
    lost = groups_named([*gone, *lost_iframes]) - groups_named([*kept, *iframes])
    if not lost:
        return frozenset(range(len(playlist.renditions)))
    return frozenset(
        [
            rendition.index
            for rendition in playlist.renditions
            if (rendition.type, rendition.group_id) not in lost
        ]
    )
