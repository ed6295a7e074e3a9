"""Which ladder does a multivariant playlist offer? Its variant streams as rungs."""

import re
from collections.abc import Iterable
from operator import attrgetter

from gateway.ladder.rung import Ladder, Rung, steps_within
from manifests.codecs import has_other_video, is_video, kind_of
from manifests.hls.multivariant import MultivariantPlaylist, Rendition, Variant

FLAT = frozenset({"CH-MONO", "PROJ-RECT"})
"""The specifiers of REQ-VIDEO-LAYOUT for flat, monoscopic video (rule A6.10)."""
_LAYOUTS = FLAT | {"CH-STEREO", "PROJ-EQUI", "PROJ-HEQU", "PROJ-PRIM", "PROJ-AIV"}

_Group = tuple[str | frozenset[str], str, int]
"""Audio group (the kinds of audio where it is muxed), pathway and the number of an encoding."""

_encoding = attrgetter(
    *("families", "width", "height", "frame_rate", "video_range", "video_layout", "is_ignored")
)
_shown = attrgetter("video_range", "video_layout", "allowed_cpc", "is_ignored")


def ladder_of(playlist: MultivariantPlaylist, version: str) -> Ladder:
    """The ladder of ``playlist``; ``version`` identifies the playlist's bytes."""
    home = None if playlist.steering is None else playlist.steering.pathway
    return Ladder(version, rungs_of(playlist), home)


def rungs_of(playlist: MultivariantPlaylist) -> tuple[Rung, ...]:
    """The playlist's variant streams as rungs, in its order.

    A variant without RESOLUTION and known codecs counts as video, unless another variant certainly
    has video. Then it counts as audio-only, as in media3 and hls.js (G4).
    """
    variants = playlist.variants
    silent = _silent_groups(playlist.renditions)
    any_video = any(variant.has_video for variant in variants)
    encodings: dict[tuple[object, ...], int] = {}
    groups: list[_Group] = []
    playabilities: dict[tuple[object, ...], int] = {}
    kinds: dict[tuple[str, ...], frozenset[str]] = {}
    sounds: dict[tuple[str, ...], frozenset[str]] = {}
    for variant in variants:
        codecs = variant.codecs
        if codecs not in kinds:
            kinds[codecs] = frozenset(map(kind_of, codecs))
            sounds[codecs] = frozenset(kind_of(codec) for codec in codecs if not is_video(codec))
        encoding = encodings.setdefault(_encoding(variant), len(encodings))
        group = variant.audio or sounds[codecs], variant.pathway, encoding
        groups.append(group)
    # The n-th bit rate of one audio group and pathway shows the same picture as that of another.
    steps = steps_within(groups, [variant.bandwidth for variant in variants])
    return tuple(
        [
            _rung(
                variant,
                (group[2], step),
                playabilities.setdefault(
                    _playability(variant, kinds[variant.codecs]), len(playabilities)
                ),
                any_video=any_video,
                is_silent=variant.audio in silent,
            )
            for variant, group, step in zip(variants, groups, steps, strict=True)
        ]
    )


def _playability(variant: Variant, kinds: frozenset[str]) -> tuple[object, ...]:
    """What decides whether a player plays a variant or drops it (G5)."""
    hdcp = None if variant.hdcp_level == "NONE" else variant.hdcp_level
    return (kinds, hdcp, *_shown(variant))


def _silent_groups(renditions: Iterable[Rendition]) -> frozenset[str]:
    """The audio groups of which clients ignore every rendition (A2.1), and which have no audio in
    the variants themselves."""
    audio = [rendition for rendition in renditions if rendition.type == "AUDIO"]
    silent = {one.group_id for one in audio if one.is_ignored}
    if silent:
        silent -= {one.group_id for one in audio if not one.is_ignored or one.uri is None}
    return frozenset(silent)


def _rung(
    variant: Variant,
    picture: tuple[int, int],
    playability: int,
    *,
    any_video: bool,
    is_silent: bool,
) -> Rung:
    layout = specifiers(variant.video_layout)
    return Rung(
        index=variant.index,
        bandwidth=variant.bandwidth,
        average_bandwidth=variant.average_bandwidth,
        height=shorter_side(variant),
        stated_height=variant.height,
        frame_rate=variant.frame_rate,
        codecs=variant.codecs,
        families=variant.families,
        other_video=has_other_video(variant.codecs, variant.families),
        video_range=variant.video_range,
        immersive=not layout <= FLAT,
        has_video=variant.has_video or (variant.has_video is None and not any_video),
        skippable=is_silent or is_skippable(variant),
        audio_group=variant.audio,
        pathway=variant.pathway,
        picture=picture,
        playability=playability,
    )


def is_skippable(variant: Variant) -> bool:
    """Whether conforming clients ignore a variant: it has a requirement, an enumerated value or a
    view specifier that they do not know (A2.1, A6.10)."""
    return variant.is_ignored or not specifiers(variant.video_layout) <= _LAYOUTS


def shorter_side(variant: Variant) -> int | None:
    """The shorter side of RESOLUTION in pixels; None without one."""
    if variant.width is None or variant.height is None:
        return None
    return min(variant.width, variant.height)


def specifiers(layout: str | None) -> frozenset[str]:
    """``CH-STEREO/PROJ-EQUI,CH-MONO`` as a set of its specifiers."""
    if layout is None:
        return frozenset()
    return frozenset(part.strip() for part in re.split("[,/]", layout))
