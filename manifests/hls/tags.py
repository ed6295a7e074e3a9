"""What does one tag say? Reads its attribute list into facts, and notes the faults it finds."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import NamedTuple

from manifests.codecs import VideoRange
from manifests.fault import Fault, ManifestError
from manifests.hls import entries
from manifests.hls.attributes import read_attributes, value_spans
from manifests.hls.entries import AnyVariant, Codecs, IFrameVariant, Rendition, Variant
from manifests.hls.variables import VariableError, Variables

MAX_FAULTS = 1000
"""The most faults of one playlist that are listed."""

_LARGEST_IN_MEDIA3 = 2**31 - 1
_LARGEST = 2**64 - 1
_VIDEO_RANGES = {str(video_range): video_range for video_range in VideoRange}
_HDCP_LEVELS = frozenset({"TYPE-0", "TYPE-1", "NONE"})
_YES_NO = frozenset({"YES", "NO"})
_FLAGS = ("DEFAULT", "AUTOSELECT", "FORCED")
_LAYOUT = "REQ-VIDEO-LAYOUT"
_ORDERED = (("CODECS", "SUPPLEMENTAL-CODECS"), ("LANGUAGE", "ASSOC-LANGUAGE"))


class Tag(NamedTuple):
    """One tag line.

    ``line`` is its number; ``start`` and ``end`` are its offsets in the playlist. ``text`` is the
    line without its line end, and ``attributes_at`` the offset in it where the attribute list
    begins. ``values`` are the attributes by name, with variables expanded; ``quoted`` are the names
    of those that are quoted strings.
    """

    line: int
    start: int
    end: int
    text: str
    attributes_at: int
    values: Mapping[str, str]
    quoted: AbstractSet[str]

    def spans(self, name: str) -> Iterator[tuple[int, int]]:
        """Offsets (from, to) in ``text`` of the value of every attribute called ``name``."""
        if name not in self.values:
            return
        text, at = self.text, self.attributes_at
        begin = text.find(f'{name}="', at) + len(name) + 2
        if text.count(name, at) == 1 and begin > at:
            yield begin, text.index('"', begin)
        else:
            yield from value_spans(text, at, name)


@dataclass(slots=True)
class TagReader:
    """Reads the tags of the playlist called ``name``, in source order.

    ``codecs`` and ``sizes`` hold the CODECS and RESOLUTION values read so far: variants share them.
    """

    name: str
    variables: Variables
    faults: list[Fault] = field(default_factory=list)
    has_program_id: bool = False
    codecs: dict[str | None, Codecs] = field(default_factory=dict)
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)

    def error(self, line: int, rule: str, problem: str) -> ManifestError:
        """The error to raise about a line of this playlist."""
        return ManifestError(self.name, line, rule, problem)

    def fault(self, line: int, rule: str, text: str) -> None:
        """Add a fault, unless there are very many."""
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(Fault(line, rule, text))

    def expand(self, text: str, line: int) -> str:
        """Substitute variables. Raises ManifestError for one that is not defined (A5.5)."""
        if "{$" not in text:
            return text
        try:
            return self.variables.expand(text)
        except VariableError as error:
            raise self.error(line, error.rule, error.problem) from error

    def tag(self, text: str, line: int, start: int, end: int) -> Tag:
        """Read the tag on a line. Raises ManifestError for a variable that is not defined."""
        attributes_at = text.find(":") + 1 or len(text)
        values, quoted, faults = read_attributes(text, attributes_at)
        for rule, problem in faults:
            self.fault(line, rule, problem)
        if "{$" in text:
            # A5.5 also allows variables in hexadecimal values, but no tag read here has one.
            values = {
                name: self.expand(value, line) if name in quoted else value
                for name, value in values.items()
            }
        self._check_order(line, values)
        return Tag(line, start, end, text, attributes_at, values, quoted)

    def _check_order(self, line: int, values: Mapping[str, str]) -> None:
        """media3 searches for ``CODECS="`` anywhere, so the longer name must come second (G3)."""
        for first, second in _ORDERED:
            if second in values and first in values:
                names = list(values)
                if names.index(second) < names.index(first):
                    self.fault(line, "G3", f"{second} before {first}: media3 takes it for {first}")

    def stream(self, kind: type[AnyVariant], tag: Tag, index: int, uri: str) -> AnyVariant:
        """Facts of an EXT-X-STREAM-INF or an EXT-X-I-FRAME-STREAM-INF, by ``kind``.

        Raises ManifestError for a variant without a readable BANDWIDTH (A6.2).
        """
        values = tag.values
        codecs = self._codecs(values.get("CODECS"))
        size = self._size(tag)
        video_range = self._video_range(tag)
        captions = values.get("CLOSED-CAPTIONS")
        no_captions = captions == "NONE" and "CLOSED-CAPTIONS" not in tag.quoted
        return kind(
            index=index,
            line=tag.line,
            uri=uri,
            bandwidth=self._bandwidth(tag, required=kind is not IFrameVariant),
            average_bandwidth=entries.integer(values.get("AVERAGE-BANDWIDTH")),
            codecs=codecs.elements,
            supplemental_codecs=entries.comma_list(values.get("SUPPLEMENTAL-CODECS")),
            families=codecs.families,
            has_video=True if size else codecs.has_video,
            width=size[0] if size else None,
            height=size[1] if size else None,
            frame_rate=self._decimal(tag, "FRAME-RATE"),
            video_range=video_range,
            hdcp_level=values.get("HDCP-LEVEL"),
            allowed_cpc=values.get("ALLOWED-CPC"),
            score=self._decimal(tag, "SCORE"),
            audio=values.get("AUDIO"),
            video=values.get("VIDEO"),
            subtitles=values.get("SUBTITLES"),
            closed_captions=None if no_captions else captions,
            no_closed_captions=no_captions,
            pathway=values.get("PATHWAY-ID", "."),
            stable_id=values.get("STABLE-VARIANT-ID"),
            video_layout=values.get(_LAYOUT),
            is_ignored=self._is_ignored(tag, video_range, kind),
        )

    def rendition(self, tag: Tag, index: int) -> Rendition:
        """Facts of an EXT-X-MEDIA (A8)."""
        values = tag.values
        group_type = values.get("TYPE", "")
        for name in ("TYPE", "GROUP-ID", "NAME"):
            if not values.get(name):
                self.fault(tag.line, "A8.1", f"{name} is missing")
        is_ignored = not _is_known(tag, group_type)
        if is_ignored:
            text = (
                "it has a value or a requirement that is not known: clients ignore this rendition"
            )
            self.fault(tag.line, "A2.1", text)
        uri = values.get("URI")
        if group_type == "SUBTITLES" and not uri:
            self.fault(tag.line, "A8.1", "subtitles need a URI")
        if group_type == "CLOSED-CAPTIONS" and uri:
            self.fault(tag.line, "A8.1", "closed captions must not have a URI")
        return Rendition(
            index=index,
            line=tag.line,
            type=group_type,
            group_id=values.get("GROUP-ID", ""),
            name=values.get("NAME", ""),
            uri=uri,
            language=values.get("LANGUAGE"),
            default=values.get("DEFAULT") == "YES",
            autoselect=values.get("AUTOSELECT") == "YES",
            forced=values.get("FORCED") == "YES",
            channels=values.get("CHANNELS"),
            characteristics=entries.comma_list(values.get("CHARACTERISTICS")),
            stable_id=values.get("STABLE-RENDITION-ID"),
            pathway=values.get("PATHWAY-ID", "."),
            is_ignored=is_ignored,
        )

    def program_id(self, line: int) -> None:
        """Note the first PROGRAM-ID of the playlist (A1.9)."""
        if not self.has_program_id:
            self.has_program_id = True
            self.fault(line, "A1.9", "PROGRAM-ID was removed in protocol version 6")

    def _codecs(self, value: str | None) -> Codecs:
        """CODECS as facts."""
        codecs = self.codecs.get(value)
        if codecs is None:
            codecs = self.codecs[value] = entries.codecs_of(value)
        return codecs

    def _size(self, tag: Tag) -> tuple[int, int] | None:
        """RESOLUTION as (width, height); a fault when it is there and not readable."""
        value = tag.values.get("RESOLUTION")
        if value is None:
            return None
        size = self.sizes.get(value) or entries.resolution(value)
        if size is None:
            self.fault(tag.line, "A3.2", "RESOLUTION is not a size such as 640x360")
        else:
            self.sizes[value] = size
        return size

    def _bandwidth(self, tag: Tag, *, required: bool) -> int:
        """BANDWIDTH in bit/s; 0 when it is missing and not required."""
        value = tag.values.get("BANDWIDTH", "")
        number = entries.integer(value) if "BANDWIDTH" not in tag.quoted else None
        if number is None:
            if required:
                raise self.error(tag.line, "A6.2", "BANDWIDTH is missing or not a number")
            self.fault(tag.line, "A7.1", "BANDWIDTH is missing or not a number")
            return 0
        if not value.isdigit():
            self.fault(tag.line, "A3.2", "BANDWIDTH is not a whole number")
        if number > _LARGEST:
            self.fault(tag.line, "A3.2", "BANDWIDTH is over 2^64 - 1")
        elif number > _LARGEST_IN_MEDIA3:
            self.fault(tag.line, "A3.2", "BANDWIDTH is over 2^31 - 1, the most that media3 reads")
        return number

    def _decimal(self, tag: Tag, name: str) -> float | None:
        """A decimal attribute; a fault when it is there and not readable."""
        value = tag.values.get(name)
        if value is None:
            return None
        number = entries.decimal(value)
        if number is None:
            self.fault(tag.line, "A3.2", f"{name} is not a decimal number")
        return number

    def _video_range(self, tag: Tag) -> VideoRange | None:
        """VIDEO-RANGE: SDR when absent, None and a fault when unknown (A6.9)."""
        value = tag.values.get("VIDEO-RANGE", "SDR")
        video_range = _VIDEO_RANGES.get(value)
        if video_range is None:
            self.fault(tag.line, "A6.9", "VIDEO-RANGE is not SDR, HLG or PQ")
        return video_range

    def _is_ignored(self, tag: Tag, video_range: VideoRange | None, kind: type[Variant]) -> bool:
        """True when clients ignore the whole tag (A2.1): it has a REQ- attribute or an enumerated
        value that they do not know."""
        ignored = ("REQ-" in tag.text and self._unknown_req(tag)) or video_range is None
        values = tag.values
        if values.get("HDCP-LEVEL", "NONE") not in _HDCP_LEVELS:
            ignored = True
            text = "HDCP-LEVEL is not TYPE-0, TYPE-1 or NONE: clients ignore this entry"
            self.fault(tag.line, "A6.7", text)
        captions = values.get("CLOSED-CAPTIONS", "NONE")
        if captions != "NONE" and "CLOSED-CAPTIONS" not in tag.quoted and kind is not IFrameVariant:
            ignored = True
            text = "CLOSED-CAPTIONS is neither a quoted group nor NONE: clients ignore this entry"
            self.fault(tag.line, "A6.12", text)
        return ignored

    def _unknown_req(self, tag: Tag) -> bool:
        """True with a REQ- attribute that is not known: clients ignore the whole tag (A2.1)."""
        unknown = [name for name in tag.values if name.startswith("REQ-") and name != _LAYOUT]
        for name in unknown:
            self.fault(tag.line, "A2.1", f"{name} is not known: clients ignore this entry")
        return bool(unknown)


def _is_known(rendition: Tag, group_type: str) -> bool:
    """False for a rendition that clients ignore as a whole (A2.1)."""
    values = rendition.values
    return (
        (not group_type or group_type in entries.GROUP_TYPES)
        and all(values.get(name, "NO") in _YES_NO for name in _FLAGS)
        and not ("REQ-" in rendition.text and any(name.startswith("REQ-") for name in values))
    )
