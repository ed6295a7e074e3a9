"""What does a multivariant playlist offer? Its variants, I-frame playlists and renditions as facts.

Facts only: ``blocks.py`` has the positions of entries in the text, ``writing.py`` edits them.
Variables are expanded in every value; a reference to a query parameter stays as ``{$name}``.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple, TypeVar

from manifests.codecs import CodecFamily, VideoRange, families_of, is_video

MAX_DIGITS = 20
"""The digits of 2^64 - 1, the largest decimal-integer (A3.2)."""

_INTEGER = re.compile(r"[0-9]+")
_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]*)?")
_RESOLUTION = re.compile(r"([0-9]{1,9})[xX]([0-9]{1,9})")

GROUP_TYPES = ("AUDIO", "VIDEO", "SUBTITLES", "CLOSED-CAPTIONS")
"""The rendition types, which are also the names of the attributes that refer to their groups."""


# Variants and renditions are not frozen, though nobody changes them: a playlist has hundreds, and a
# frozen dataclass sets each field through ``object.__setattr__``, which is a sixth of a parse.


@dataclass(slots=True)
class Variant:
    """One EXT-X-STREAM-INF and its URI (A6).

    ``bandwidth`` and ``average_bandwidth`` are bit/s, ``width`` and ``height`` pixels,
    ``frame_rate`` frames/s. None and () mean that the attribute is absent or unreadable, with one
    exception: an absent VIDEO-RANGE is SDR, and ``video_range`` None is an unknown value (A6.9).
    ``families`` are those of ``codecs``, not of ``supplemental_codecs``. ``audio``, ``video``,
    ``subtitles`` and ``closed_captions`` are group ids; ``no_closed_captions`` is
    CLOSED-CAPTIONS=NONE. ``video_layout`` is the raw REQ-VIDEO-LAYOUT. ``is_ignored``: conforming
    clients ignore the entry, because of an unknown REQ- attribute or enumerated value (A2.1).
    ``has_video`` is None when there is neither RESOLUTION nor a known codec.
    """

    index: int
    line: int
    uri: str
    bandwidth: int
    average_bandwidth: int | None
    codecs: tuple[str, ...]
    supplemental_codecs: tuple[str, ...]
    families: frozenset[CodecFamily]
    has_video: bool | None
    width: int | None
    height: int | None
    frame_rate: float | None
    video_range: VideoRange | None
    hdcp_level: str | None
    allowed_cpc: str | None
    score: float | None
    audio: str | None
    video: str | None
    subtitles: str | None
    closed_captions: str | None
    no_closed_captions: bool
    pathway: str
    stable_id: str | None
    video_layout: str | None
    is_ignored: bool

    @property
    def audio_only(self) -> bool:
        """True when there is no RESOLUTION and all codecs are known not to be video."""
        return self.has_video is False

    @property
    def groups(self) -> tuple[tuple[str, str], ...]:
        """The rendition groups that this variant refers to, as (type, group id)."""
        groups = (
            ("AUDIO", self.audio),
            ("VIDEO", self.video),
            ("SUBTITLES", self.subtitles),
            ("CLOSED-CAPTIONS", self.closed_captions),
        )
        return tuple([(type_, group_id) for type_, group_id in groups if group_id is not None])


@dataclass(slots=True)
class IFrameVariant(Variant):
    """One EXT-X-I-FRAME-STREAM-INF (A7): a variant of I-frames only.

    ``bandwidth`` is 0 and ``uri`` is "" when the attribute is missing.
    """


AnyVariant = TypeVar("AnyVariant", bound=Variant)


@dataclass(slots=True)
class Rendition:
    """One EXT-X-MEDIA (A8).

    ``type`` and ``group_id`` together identify its group. They and ``name`` are "" when missing.
    ``uri`` None means media that is muxed into the variants, or captions inside their video.
    ``is_ignored``: conforming clients ignore the rendition, because of an unknown REQ- attribute or
    enumerated value (A2.1).
    """

    index: int
    line: int
    type: str
    group_id: str
    name: str
    uri: str | None
    language: str | None
    default: bool
    autoselect: bool
    forced: bool
    channels: str | None
    characteristics: tuple[str, ...]
    stable_id: str | None
    pathway: str
    is_ignored: bool


@dataclass(frozen=True, slots=True)
class SessionKey:
    """One EXT-X-SESSION-KEY (A9.2)."""

    line: int
    method: str | None
    key_format: str
    uri: str | None


@dataclass(frozen=True, slots=True)
class SessionData:
    """One EXT-X-SESSION-DATA (A9.1)."""

    line: int
    data_id: str | None
    language: str | None


@dataclass(frozen=True, slots=True)
class Steering:
    """EXT-X-CONTENT-STEERING (C1.1); ``pathway`` is the one to start on, None when not given."""

    line: int
    server_uri: str | None
    pathway: str | None


_group_ids = attrgetter(*(name.lower().replace("-", "_") for name in GROUP_TYPES))
_group = attrgetter("type", "group_id")


def groups_named(entries: Collection[Variant]) -> set[tuple[str, str]]:
    """The groups, as (type, id), that at least one of the variants refers to."""
    return {
        (group_type, group_id)
        for ids in set(map(_group_ids, entries))
        for group_type, group_id in zip(GROUP_TYPES, ids, strict=True)
        if group_id is not None
    }


def groups_of(renditions: Iterable[Rendition]) -> set[tuple[str, str]]:
    """The groups, as (type, id), of the renditions."""
    return set(map(_group, renditions))


class Codecs(NamedTuple):
    """A CODECS attribute: its elements, the video families among them, and whether any of them is
    video; ``has_video`` is None when that is not known."""

    elements: tuple[str, ...]
    families: frozenset[CodecFamily]
    has_video: bool | None


_NO_CODECS = Codecs((), frozenset(), None)


def integer(value: str | None) -> int | None:
    """The number that a value starts with, as media3 and hls.js read it; None when absent, without
    digits, or with more of them than a decimal-integer can have (A3.2)."""
    if value is None:
        return None
    if value.isdecimal() and value.isascii() and len(value) <= MAX_DIGITS:  # as nearly always
        return int(value)
    match = _INTEGER.match(value)
    return int(match[0]) if match is not None and len(match[0]) <= MAX_DIGITS else None


def decimal(value: str) -> float | None:
    """A decimal-floating-point (A3.2), None when unreadable."""
    return float(value) if _DECIMAL.fullmatch(value) else None


def resolution(value: str) -> tuple[int, int] | None:
    """``640x360`` as (width, height); None when unreadable or zero, as in media3."""
    match = _RESOLUTION.fullmatch(value)
    if match is None:
        return None
    width, height = int(match[1]), int(match[2])
    return (width, height) if width and height else None


def comma_list(value: str | None) -> tuple[str, ...]:
    """The elements of a comma-separated list, stripped, without empty ones."""
    if not value:
        return ()
    return tuple([element for part in value.split(",") if (element := part.strip())])


def codecs_of(value: str | None) -> Codecs:
    """Read a CODECS attribute; None when it is absent."""
    elements = comma_list(value)
    if not elements:
        return _NO_CODECS
    families = families_of(elements)
    if families:
        return Codecs(elements, families, has_video=True)
    verdicts = {is_video(codec) for codec in elements}
    has_video = True if True in verdicts else False if verdicts == {False} else None
    return Codecs(elements, families, has_video)
