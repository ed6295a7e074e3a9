"""Which entries of a playlist stay when these rungs stay?

The caller gives the variants that stay. I-frame playlists and renditions follow them (rules A7.2,
A8.9, A11.2, A11.3).
"""

from collections.abc import Container, Iterable, Sequence

from gateway.ladder.rung import Constraints
from gateway.play.hls.ladder import FLAT, is_skippable, shorter_side, specifiers
from manifests.hls.multivariant import (
    Edit,
    IFrameVariant,
    MultivariantPlaylist,
    Variant,
    groups_named,
)

_Family = tuple[object, ...]
"""A pathway, and the codec families of an entry."""


def edit_of(playlist: MultivariantPlaylist, kept: Sequence[int], limits: Constraints) -> Edit:
    """The edit that keeps the variants ``kept`` (in output order) and what belongs to them."""
    chosen = set(kept)
    variants = [variant for variant in playlist.variants if variant.index in chosen]
    gone = [variant for variant in playlist.variants if variant.index not in chosen]
    iframes = _iframes(playlist, variants, gone, limits)
    return Edit(
        variants=tuple(kept),
        iframes=frozenset(entry.index for entry in iframes),
        renditions=renditions_of(playlist, variants, gone, iframes),
    )


def _iframes(
    playlist: MultivariantPlaylist,
    kept: Sequence[Variant],
    gone: Sequence[Variant],
    limits: Constraints,
) -> list[IFrameVariant]:
    """The I-frame playlists of the encodings that stay, within the same limits as variants. On each
    pathway, at least the smallest one of each codec family that still has a variant stays (rule
    A7.2), of an encoding that stays if there is one. One that clients ignore, or whose range or
    layout the device does not show, does not count as such (A2.1). A device without a screen gets
    none."""
    if not playlist.iframes or not limits.screen:
        return []
    lost = {_look(variant) for variant in gone} - {_look(variant) for variant in kept}
    candidates = [entry for entry in playlist.iframes if _look(entry) not in lost]
    stays = {entry.index for entry in candidates if _fits(entry, limits)}
    heeded = [entry for entry in candidates if not is_skippable(entry)]
    served = {_family(entry) for entry in heeded if entry.index in stays}
    missing = {_family(variant) for variant in kept} - served
    if missing:
        beside = [
            entry
            for entry in playlist.iframes
            if _look(entry) in lost and not is_skippable(entry) and _is_shown(entry, kept, limits)
        ]
        smallest = _smallest(beside, missing) | _smallest(heeded, missing)
        stays.update(entry.index for entry in smallest.values())
    return [entry for entry in playlist.iframes if entry.index in stays]


def _smallest(
    entries: Iterable[IFrameVariant], families: Container[_Family]
) -> dict[_Family, IFrameVariant]:
    """The entry of the lowest bit rate of each of these families that has one."""
    smallest: dict[_Family, IFrameVariant] = {}
    for entry in entries:
        family = _family(entry)
        known = smallest.get(family)
        if family in families and (known is None or entry.bandwidth < known.bandwidth):
            smallest[family] = entry
    return smallest


def _is_shown(entry: IFrameVariant, kept: Iterable[Variant], limits: Constraints) -> bool:
    """Whether the limits allow the range and the layout of an entry. A limit was given up if a
    variant of the entry's family stays in spite of it."""
    family = _family(entry)
    variants = [variant for variant in kept if _family(variant) == family]
    if not (limits.immersive or _is_flat(entry)) and all(map(_is_flat, variants)):
        return False
    return not any(
        ranges is not None
        and entry.video_range not in ranges
        and all(variant.video_range in ranges for variant in variants)
        for ranges in (limits.device_ranges, limits.allowed_ranges)
    )


def _look(entry: Variant) -> tuple[object, ...]:
    return (*_family(entry), entry.video_range, _is_flat(entry))


def _is_flat(entry: Variant) -> bool:
    return specifiers(entry.video_layout) <= FLAT


def _family(entry: Variant) -> _Family:
    return (entry.pathway, entry.families)


def _fits(entry: IFrameVariant, limits: Constraints) -> bool:
    height, cap = shorter_side(entry), limits.max_bandwidth
    return (height is None or limits.max_height is None or height <= limits.max_height) and (
        cap is None or entry.bandwidth <= cap
    )


def renditions_of(
    playlist: MultivariantPlaylist,
    kept: Iterable[Variant],
    gone: Iterable[Variant],
    iframes: Sequence[IFrameVariant],
) -> frozenset[int]:
    """The renditions that stay: those whose group a remaining variant names, or that no variant
    ever named. A group is removed as a whole (A8.9), when no remaining variant names it (A11.3)."""
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
