"""What does an MPD offer? Its Periods, AdaptationSets and Representations as facts.

23009-1 5.3. Views of Elements: a fact that is absent or unreadable is None, "" or (). What
a Representation inherits from its AdaptationSet (5.3.7) is in both.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from manifests.codecs import CodecFamily, VideoRange, families_of, is_video
from manifests.dash.document import XLINK_HREF, Document, Element
from manifests.fault import Fault

ContentType = Literal["video", "audio", "text", "image", "unknown"]

TRICK_MODE = "http://dashif.org/guidelines/trickmode"
SET_SWITCHING = "urn:mpeg:dash:adaptation-set-switching:2016"
PRESELECTION = "urn:mpeg:dash:preselection:2016"
THUMBNAILS = frozenset(
    {"http://dashif.org/thumbnail_tile", "http://dashif.org/guidelines/thumbnail_tile"}
)
TRANSFER_CHARACTERISTICS = "urn:mpeg:mpegb:cicp:transfercharacteristics"
"""In lower case: URNs are compared so, and packagers write ``mpegB`` and ``mpegb``."""

MAX_REPRESENTATIONS = 5_000
MAX_CODECS = 64
"""The most elements of a codecs list that are looked at."""

_MAX_DIGITS = 20
_INTEGER = re.compile(r"[ \t\r\n]*\+?([0-9]{1,20})[ \t\r\n]*")
_FRAME_RATE = re.compile(r"[ \t\r\n]*([0-9]{1,9}(?:\.[0-9]{0,9})?)(?:/([0-9]{1,9}))?[ \t\r\n]*")
_PQ, _HLG, _SDR = "16", "18", frozenset({"1", "2", "6", "13", "14", "15"})


class Descriptor(NamedTuple):
    """An EssentialProperty, SupplementalProperty, Role and the like (5.8)."""

    element: Element
    scheme: str
    value: str


_NONE: tuple[Descriptor, ...] = ()


# None of these is frozen, though nobody changes them: an MPD has hundreds, and a frozen dataclass
# sets each field through ``object.__setattr__``.


@dataclass(slots=True, eq=False)
class Representation:
    """One Representation (5.3.5), with what it inherits from its AdaptationSet.

    ``index`` counts the Representations of the MPD from 0, in document order. ``bandwidth`` is
    bit/s (5.3.5.4), sizes are pixels, ``frame_rate`` is frames/s, ``audio_rate`` the sampling rate
    in Hz. ``codecs`` are the elements of an RFC 6381 list and ``families`` the video families among
    them. ``video_range`` is SDR when nothing else is said, and None for transfer characteristics
    that are unknown.
    """

    element: Element
    index: int
    id: str
    bandwidth: int | None
    width: int | None
    height: int | None
    frame_rate: float | None
    audio_rate: str | None
    codecs: tuple[str, ...]
    families: frozenset[CodecFamily]
    mime_type: str
    video_range: VideoRange | None
    dependency_ids: tuple[str, ...]
    association_ids: tuple[str, ...]
    essential: tuple[Descriptor, ...]
    supplemental: tuple[Descriptor, ...]


@dataclass(slots=True, eq=False)
class AdaptationSet:
    """One AdaptationSet (5.3.3). ``roles`` are the values of its Role elements.

    ``content_type`` comes from @contentType, @mimeType, @codecs, ContentComponent, or the
    Representations. ``trick_mode_of`` are the ids of the sets that a trick-mode set belongs to.
    """

    element: Element
    id: str
    content_type: ContentType
    mime_type: str
    codecs: tuple[str, ...]
    lang: str
    roles: tuple[str, ...]
    essential: tuple[Descriptor, ...]
    supplemental: tuple[Descriptor, ...]
    is_trick_mode: bool
    is_thumbnails: bool
    trick_mode_of: tuple[str, ...]
    representations: tuple[Representation, ...]


@dataclass(slots=True, eq=False)
class Period:
    """One Period (5.3.2). ``xlink`` is the URL of a remote one (5.5), else None."""

    element: Element
    id: str
    adaptation_sets: tuple[AdaptationSet, ...]
    preselections: tuple[Element, ...]
    subsets: tuple[Element, ...]
    xlink: str | None


@dataclass(slots=True, eq=False)
class Mpd:
    """A Media Presentation Description (5.3.1).

    ``faults`` are the broken rules that players tolerate. ``refers`` is what ``references.refers``
    has found, None before.
    """

    document: Document
    type: Literal["static", "dynamic"]
    profiles: tuple[str, ...]
    service_descriptions: tuple[Element, ...]
    periods: tuple[Period, ...]
    faults: Sequence[Fault] = field(default=())
    refers: bool | None = field(default=None, repr=False)

    @property
    def root(self) -> Element:
        """The MPD element."""
        return self.document.root

    @property
    def representations(self) -> list[Representation]:
        """All Representations, in document order."""
        return [
            representation
            for period in self.periods
            for adaptation_set in period.adaptation_sets
            for representation in adaptation_set.representations
        ]


def model(document: Document) -> Mpd:
    """The facts of an MPD that was read. Raises ManifestError for more than
    ``MAX_REPRESENTATIONS`` (F13)."""
    root = document.root
    count = _Counter(document)
    return Mpd(
        document=document,
        type="dynamic" if root.attributes.get("type") == "dynamic" else "static",
        profiles=listed(root.attributes.get("profiles", "")),
        service_descriptions=root.all("ServiceDescription"),
        periods=tuple([_period(element, count) for element in root.all("Period")]),
    )


class _Counter:
    """Numbers Representations."""

    __slots__ = ("_document", "_next")

    def __init__(self, document: Document) -> None:
        self._document = document
        self._next = 0

    def next(self, element: Element) -> int:
        """The number of the next one, from 0. Raises ManifestError for one too many (F13)."""
        if self._next >= MAX_REPRESENTATIONS:
            problem = f"more than {MAX_REPRESENTATIONS} Representations"
            raise self._document.error(element, "F13", problem)
        self._next += 1
        return self._next - 1


def _period(element: Element, count: _Counter) -> Period:
    return Period(
        element=element,
        id=element.attributes.get("id", ""),
        adaptation_sets=tuple([_adaptation_set(e, count) for e in element.all("AdaptationSet")]),
        preselections=element.all("Preselection"),
        subsets=element.all("Subset"),
        xlink=element.attributes.get(XLINK_HREF),
    )


def _adaptation_set(element: Element, count: _Counter) -> AdaptationSet:
    attributes = element.attributes
    below = _by_name(element)
    essential = _descriptors(below.get("EssentialProperty", ()))
    supplemental = _descriptors(below.get("SupplementalProperty", ()))
    properties = (*essential, *supplemental)
    inherited = _Inherited(attributes, properties)
    representations = [
        _representation(child, count.next(child), inherited)
        for child in below.get("Representation", ())
    ]
    trick_mode = [found for found in properties if found.scheme == TRICK_MODE]
    content_type = _content_type(attributes, below.get("ContentComponent", ()), representations)
    return AdaptationSet(
        element=element,
        id=attributes.get("id", ""),
        content_type=content_type,
        mime_type=attributes.get("mimeType", ""),
        codecs=inherited.codecs,
        lang=attributes.get("lang", ""),
        roles=tuple([role.attributes.get("value", "") for role in below.get("Role", ())]),
        essential=essential,
        supplemental=supplemental,
        is_trick_mode=bool(trick_mode),
        is_thumbnails=content_type == "image" or _shows_thumbnails(properties, representations),
        trick_mode_of=tuple([each for found in trick_mode for each in listed(found.value)]),
        representations=tuple(representations),
    )


class _Inherited:
    """What Representations inherit from their set, worked out once."""

    __slots__ = ("attributes", "codecs", "families", "transfers", "video_range")

    def __init__(self, attributes: Mapping[str, str], properties: Iterable[Descriptor]) -> None:
        self.attributes = attributes
        self.codecs = _codecs(attributes.get("codecs"))
        self.families = families_of(self.codecs)
        self.transfers = _transfers(properties)
        self.video_range = _video_range(self.families, self.transfers)


def _representation(element: Element, index: int, inherited: _Inherited) -> Representation:
    own, common = element.attributes, inherited.attributes
    essential = supplemental = _NONE
    if element.children:
        below = _by_name(element)
        essential = _descriptors(below.get("EssentialProperty", ()))
        supplemental = _descriptors(below.get("SupplementalProperty", ()))
    codecs, families = inherited.codecs, inherited.families
    if "codecs" in own:
        codecs = _codecs(own["codecs"])
        families = families_of(codecs)
    video_range = inherited.video_range
    if essential or supplemental or codecs is not inherited.codecs:
        transfers = _transfers((*essential, *supplemental)) | inherited.transfers
        video_range = _video_range(families, transfers)
    return Representation(
        element=element,
        index=index,
        id=own.get("id", ""),
        bandwidth=integer(own.get("bandwidth")),
        width=integer(own.get("width") or common.get("width")),
        height=integer(own.get("height") or common.get("height")),
        frame_rate=frame_rate(own.get("frameRate") or common.get("frameRate")),
        audio_rate=own.get("audioSamplingRate") or common.get("audioSamplingRate"),
        codecs=codecs,
        families=families,
        mime_type=own.get("mimeType") or common.get("mimeType", ""),
        video_range=video_range,
        dependency_ids=_list(own["dependencyId"]) if "dependencyId" in own else (),
        association_ids=_list(own["associationId"]) if "associationId" in own else (),
        essential=essential,
        supplemental=supplemental,
    )


def integer(text: str | None) -> int | None:
    """An xs:unsignedInt of up to 20 digits; None when it is absent or something else."""
    if text is None:
        return None
    if text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS:
        return int(text)
    found = _INTEGER.fullmatch(text)
    return None if found is None else int(found[1])


def frame_rate(text: str | None) -> float | None:
    """A frame rate as ``25`` or ``30000/1001`` (5.3.7.2), in frames/s."""
    found = None if text is None else _FRAME_RATE.fullmatch(text)
    if found is None:
        return None
    divisor = 1 if found[2] is None else int(found[2])
    return float(found[1]) / divisor if divisor else None


def _by_name(element: Element) -> dict[str, list[Element]]:
    found: dict[str, list[Element]] = {}
    for child in element.children:
        if child.name in found:
            found[child.name].append(child)
        else:
            found[child.name] = [child]
    return found


def _descriptors(elements: Iterable[Element]) -> tuple[Descriptor, ...]:
    return tuple(
        [
            Descriptor(
                each, each.attributes.get("schemeIdUri", ""), each.attributes.get("value", "")
            )
            for each in elements
        ]
    )


def listed(text: str) -> tuple[str, ...]:
    """A list of ids in a descriptor's value: packagers separate them by spaces or by commas."""
    return _list(text.replace(",", " "))


def _list(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _codecs(text: str | None) -> tuple[str, ...]:
    if not text:
        return ()
    return tuple([codec.strip() for codec in text.split(",")[:MAX_CODECS] if codec.strip()])


def _shows_thumbnails(
    properties: Iterable[Descriptor], representations: Iterable[Representation]
) -> bool:
    if any(found.scheme in THUMBNAILS for found in properties):
        return True
    return any(
        found.scheme in THUMBNAILS
        for representation in representations
        for found in (*representation.essential, *representation.supplemental)
    )


def _content_type(
    attributes: Mapping[str, str],
    components: Iterable[Element],
    representations: Sequence[Representation],
) -> ContentType:
    stated = [attributes, *[each.attributes for each in components]]
    types = [_kind(found.get("contentType", "")) for found in stated]
    if "video" in types:  # a multiplex counts as video
        return "video"
    for kind in types:
        if kind != "unknown":
            return kind
    kind = _media_type(attributes.get("mimeType", ""), _codecs(attributes.get("codecs")))
    if kind != "unknown":
        return kind
    for each in representations:
        kind = _media_type(each.mime_type, each.codecs)
        if kind != "unknown":
            return kind
    if any(each.width or each.height for each in representations):
        return "video"
    return "audio" if any(each.audio_rate for each in representations) else "unknown"


def _kind(text: str) -> ContentType:
    match text.strip().lower():
        case "video":
            return "video"
        case "audio":
            return "audio"
        case "text" | "subtitle" | "subtitles":
            return "text"
        case "image":
            return "image"
    return "unknown"


_TEXT_TYPES = frozenset({"application/ttml+xml", "application/x-subrip"})
_TEXT_ENTRIES = frozenset({"stpp", "wvtt", "tx3g", "c608", "c708"})


def _media_type(mime_type: str, codecs: Sequence[str]) -> ContentType:
    """From a MIME type and its codecs: ``application/mp4`` with ``stpp`` is text."""
    essence = mime_type.partition(";")[0].strip().lower()
    entries = {codec.partition(".")[0].lower() for codec in codecs}
    kind = _kind(essence.partition("/")[0])
    if kind != "unknown":
        return kind
    if essence in _TEXT_TYPES or entries & _TEXT_ENTRIES:
        return "text"
    if any(is_video(codec) for codec in codecs):
        return "video"
    return "audio" if any(is_video(codec) is False for codec in codecs) else "unknown"


def _transfers(properties: Iterable[Descriptor]) -> frozenset[str]:
    """The transfer characteristics (ISO/IEC 23091-2) among these properties."""
    return frozenset(
        [
            found.value.strip()
            for found in properties
            if found.scheme.lower() == TRANSFER_CHARACTERISTICS
        ]
    )


def _video_range(families: frozenset[CodecFamily], transfers: frozenset[str]) -> VideoRange | None:
    """The highest range of several; where none is given, Dolby Vision is PQ and all else SDR."""
    if not transfers:
        return VideoRange.PQ if CodecFamily.DOLBY_VISION in families else VideoRange.SDR
    if _PQ in transfers:
        return VideoRange.PQ
    if _HLG in transfers:
        return VideoRange.HLG
    return VideoRange.SDR if transfers & _SDR else None
