"""What does one tag's attribute list say? From attributes to facts, counting faults on the way."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from manifests.codecs import VideoRange
from manifests.hls import entries
from manifests.hls.attributes import read_attributes
from manifests.hls.entries import AnyVariant, IFrameVariant, Rendition
from manifests.hls.fault import Fault, ManifestError
from manifests.hls.variables import VariableError, Variables

_LARGEST_IN_MEDIA3 = 2**31 - 1
_LARGEST = 2**64 - 1
_LAYOUT = "REQ-VIDEO-LAYOUT"
_ORDERED = (("CODECS", "SUPPLEMENTAL-CODECS"), ("LANGUAGE", "ASSOC-LANGUAGE"))


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag line: from where to where it goes in the playlist; its text without the line end, and
    where its attribute list starts in that; the attributes by name with variables expanded, and
    where the values of quoted ones start."""

    line: int
    start: int
    end: int
    text: str
    attributes_at: int
    values: Mapping[str, str]
    quoted: Mapping[str, int]


@dataclass(slots=True)
class TagReader:
    """Reads the tags of one playlist, called ``name``, in source order."""

    name: str
    variables: Variables = field(default_factory=Variables)
    faults: list[Fault] = field(default_factory=list)
    has_program_id: bool = False
    sizes: dict[str | None, tuple[int, int] | tuple[None, None]] = field(default_factory=dict)

    def error(self, line: int, rule: str, problem: str) -> ManifestError:
        """The error to raise about a line of this playlist."""
        return ManifestError(self.name, line, rule, problem)

    def fault(self, line: int, rule: str, text: str) -> None:
        """Count a broken rule."""
        self.faults.append(Fault(line, rule, text))

    def expand(self, text: str, line: int) -> str:
        """Substitute variables. Raises ManifestError (A5.5)."""
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
            # Substitution is for quoted strings, and for hexadecimal, which cannot hold it.
            values = {
                name: self.expand(value, line) if name in quoted else value
                for name, value in values.items()
            }
        self._check_order(line, values)
        return Tag(line, start, end, text, attributes_at, values, quoted)

    def _check_order(self, line: int, values: Mapping[str, str]) -> None:
        """media3 searches for ``CODECS="`` anywhere, so the longer name must come second (G3)."""
        for first, second in _ORDERED:
            if second not in values or first not in values:
                continue
            names = list(values)
            if names.index(second) < names.index(first):
                self.fault(line, "G3", f"{second} before {first}: media3 takes it for {first}")

    def stream(self, kind: type[AnyVariant], tag: Tag, index: int, uri: str) -> AnyVariant:
        """Facts of an EXT-X-STREAM-INF or EXT-X-I-FRAME-STREAM-INF, whichever ``kind`` says.

        Raises ManifestError without a readable BANDWIDTH (A6.2), unless it is of I-frames.
        """
        values = tag.values
        codecs, families, has_video = entries.codecs_of(values.get("CODECS", ""))
        width, height = self.size_of(values.get("RESOLUTION"))
        if width is None and "RESOLUTION" in values:
            self.fault(tag.line, "A3.2", "RESOLUTION is not a size such as 640x360")
        video_range = self._video_range(tag)
        captions = values.get("CLOSED-CAPTIONS")
        no_captions = captions == "NONE" and "CLOSED-CAPTIONS" not in tag.quoted
        return kind(
            index=index,
            line=tag.line,
            uri=uri,
            bandwidth=self._bandwidth(tag, required=kind is not IFrameVariant),
            average_bandwidth=entries.integer(values.get("AVERAGE-BANDWIDTH", "")),
            codecs=codecs,
            supplemental_codecs=entries.comma_list(values.get("SUPPLEMENTAL-CODECS")),
            families=families,
            has_video=has_video if width is None else True,
            width=width,
            height=height,
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
            video_layout=values.get("REQ-VIDEO-LAYOUT"),
            has_unknown_req=self._unknown_req(tag),
        )

    def rendition(self, tag: Tag, index: int) -> Rendition:
        """Facts of an EXT-X-MEDIA (A8)."""
        values = tag.values
        group_type = values.get("TYPE", "")
        for name in ("TYPE", "GROUP-ID", "NAME"):
            if not values.get(name):
                self.fault(tag.line, "A8.1", f"EXT-X-MEDIA without {name}")
        uri = values.get("URI")
        if group_type == "SUBTITLES" and not uri:
            self.fault(tag.line, "A8.1", "subtitles without URI")
        if group_type == "CLOSED-CAPTIONS" and uri:
            self.fault(tag.line, "A8.1", "closed captions with a URI")
        return Rendition(
            index=index,
            line=tag.line,
            type=group_type,
            group_id=values.get("GROUP-ID", ""),
            name=values.get("NAME", ""),
            uri=uri,
            language=values.get("LANGUAGE"),
            assoc_language=values.get("ASSOC-LANGUAGE"),
            default=values.get("DEFAULT") == "YES",
            autoselect=values.get("AUTOSELECT") == "YES",
            forced=values.get("FORCED") == "YES",
            instream_id=values.get("INSTREAM-ID"),
            channels=values.get("CHANNELS"),
            characteristics=entries.comma_list(values.get("CHARACTERISTICS")),
            stable_id=values.get("STABLE-RENDITION-ID"),
            pathway=values.get("PATHWAY-ID", "."),
        )

    def size_of(self, value: str | None) -> tuple[int, int] | tuple[None, None]:
        """Width and height of a RESOLUTION; the same few values come again."""
        found = self.sizes.get(value)
        if found is None:
            found = self.sizes[value] = entries.resolution(value) or (None, None)
        return found

    def program_id(self, line: int) -> None:
        """Count the first PROGRAM-ID of a variant (A1.9)."""
        if not self.has_program_id:
            self.has_program_id = True
            self.fault(line, "A1.9", "PROGRAM-ID, removed in version 6")

    def _bandwidth(self, tag: Tag, *, required: bool) -> int:
        """BANDWIDTH in bit/s; 0 when it is missing and not required."""
        value = tag.values.get("BANDWIDTH", "")
        number = entries.integer(value) if "BANDWIDTH" not in tag.quoted else None
        if number is None:
            if required:
                raise self.error(tag.line, "A6.2", "a variant without a readable BANDWIDTH")
            self.fault(tag.line, "A7.1", "an I-frame playlist without a readable BANDWIDTH")
            return 0
        if not value.isdigit():
            self.fault(tag.line, "A3.2", "BANDWIDTH is not a whole number")
        if number > _LARGEST:
            self.fault(tag.line, "A3.2", "BANDWIDTH is over 2^64 - 1")
        elif number > _LARGEST_IN_MEDIA3:
            self.fault(tag.line, "A3.2", "BANDWIDTH is over 2^31 - 1, the most that media3 reads")
        return number

    def _decimal(self, tag: Tag, name: str) -> float | None:
        """A decimal attribute; a fault when it cannot be read."""
        value = tag.values.get(name)
        number = entries.decimal(value)
        if number is None and value is not None:
            self.fault(tag.line, "A3.2", f"{name} is not a decimal number")
        return number

    def _video_range(self, tag: Tag) -> VideoRange | None:
        """VIDEO-RANGE: SDR when absent, None and a fault when unknown (A6.9)."""
        value = tag.values.get("VIDEO-RANGE", VideoRange.SDR)
        try:
            return VideoRange(value)
        except ValueError:
            self.fault(tag.line, "A6.9", "a VIDEO-RANGE that is not SDR, HLG or PQ")
            return None

    def _unknown_req(self, tag: Tag) -> bool:
        """A2.1: clients ignore a tag with a REQ- attribute that they do not know."""
        unknown = [name for name in tag.values if name.startswith("REQ-") and name != _LAYOUT]
        for name in unknown:
            self.fault(tag.line, "A2.1", f"{name} is unknown: clients skip this entry")
        return bool(unknown)
