"""Is this a multivariant playlist that players play, and what is in it?

Where players differ, the playlist is served and the difference counted as a fault. It is refused
(ManifestError) when it is not text (A1.1, A1.2), not a multivariant playlist (A1.4, A1.7), or when
its entries cannot be told apart for sure, so that an edit could go wrong: a variant without a URI
(A6.1) or BANDWIDTH (A6.2), and variables that clash or are undefined (A5.3, A5.5).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from manifests.hls.attributes import value_spans
from manifests.hls.blocks import (
    Block,
    BlockKind,
    MultivariantPlaylist,
    Part,
    QuerySlot,
    UriSlot,
    cut,
    is_rewritable,
)
from manifests.hls.checks import check_playlist
from manifests.hls.entries import (
    IFrameVariant,
    Rendition,
    SessionData,
    SessionKey,
    Steering,
    Variant,
    integer,
)
from manifests.hls.lines import read_lines
from manifests.hls.tags import Tag, TagReader
from manifests.hls.variables import VariableError, is_late

DEFAULT_MAX_BYTES = 1 << 20

# A multivariant playlist with any of these is one that clients must refuse (A1.7, A1.9).
_MEDIA_TAGS = frozenset(
    {
        "#EXTINF",
        "#EXT-X-BITRATE",
        "#EXT-X-BYTERANGE",
        "#EXT-X-DATERANGE",
        "#EXT-X-DISCONTINUITY",
        "#EXT-X-DISCONTINUITY-SEQUENCE",
        "#EXT-X-ENDLIST",
        "#EXT-X-GAP",
        "#EXT-X-I-FRAMES-ONLY",
        "#EXT-X-KEY",
        "#EXT-X-MAP",
        "#EXT-X-MEDIA-SEQUENCE",
        "#EXT-X-PART",
        "#EXT-X-PART-INF",
        "#EXT-X-PLAYLIST-TYPE",
        "#EXT-X-PRELOAD-HINT",
        "#EXT-X-PROGRAM-DATE-TIME",
        "#EXT-X-RENDITION-REPORT",
        "#EXT-X-SERVER-CONTROL",
        "#EXT-X-SKIP",
        "#EXT-X-TARGETDURATION",
    }
)
_WHITE = " \t"


def parse(
    data: bytes, name: str = "playlist", max_bytes: int = DEFAULT_MAX_BYTES
) -> MultivariantPlaylist:
    """Read a multivariant playlist (BIS 4.4.6); ``name`` is what errors call it.

    Raises ManifestError when it cannot be served.
    """
    lines = read_lines(data, name, max_bytes)
    reading = _Reading(TagReader(name))
    reading.tags.faults.extend(lines.faults)
    for number, (text, line_end) in enumerate(lines.pairs, lines.first):
        reading.take(number, text, line_end)
    return reading.finish(lines.newline)


@dataclass(slots=True)
class _OpenVariant:
    """An EXT-X-STREAM-INF whose URI line has not come yet."""

    tag: Tag
    line_end: str
    between: str = ""


@dataclass(slots=True)
class _Reading:
    """What has been read so far; ``text`` gathers the lines that no decision touches."""

    tags: TagReader
    blocks: list[Block] = field(default_factory=list)
    text: list[Part] = field(default_factory=list)
    variants: list[Variant] = field(default_factory=list)
    iframes: list[IFrameVariant] = field(default_factory=list)
    renditions: list[Rendition] = field(default_factory=list)
    session_keys: list[SessionKey] = field(default_factory=list)
    session_data: list[SessionData] = field(default_factory=list)
    steering: list[Steering] = field(default_factory=list)
    version: int | None = None
    seen: set[str] = field(default_factory=set)
    open: _OpenVariant | None = None

    def take(self, number: int, text: str, line_end: str) -> None:
        """Read one line. Players trim lines, so white space around one is only a fault."""
        line = text.strip(_WHITE)
        name = line.partition(":")[0] if line.startswith("#EXT") else ""
        if name in _MEDIA_TAGS:
            raise self.tags.error(number, "A1.7", f"{name} belongs in a media playlist")
        if line != text and line:
            self.tags.fault(number, "A1.3", "white space around the line")
        if self.open is not None:
            self._continue_variant(self.open, number, text, line_end)
        elif name in _TAGS:
            _TAGS[name](self, self.tags.tag(text, number), line_end)
        else:
            self._other_line(number, name or line, text + line_end)

    def finish(self, newline: str) -> MultivariantPlaylist:
        """The playlist, when all lines are read."""
        if self.open is not None:
            raise self.tags.error(self.open.tag.line, "A6.1", "EXT-X-STREAM-INF without a URI line")
        if not self.variants:
            raise self.tags.error(1, "A1.7", "a playlist without any variant")
        self._end_text()
        whole = check_playlist(
            self.variants, self.iframes, self.renditions, self.session_data, self.steering
        )
        return MultivariantPlaylist(
            name=self.tags.name,
            variants=tuple(self.variants),
            iframes=tuple(self.iframes),
            renditions=tuple(self.renditions),
            faults=tuple(sorted([*self.tags.faults, *whole], key=lambda fault: fault.line)),
            version=self.version,
            session_keys=tuple(self.session_keys),
            session_data=tuple(self.session_data),
            steering=self.steering[0] if self.steering else None,
            query_parameters=self.tags.variables.late,
            newline=newline,
            blocks=tuple(self.blocks),
        )

    def _continue_variant(self, variant: _OpenVariant, number: int, text: str, end: str) -> None:
        """A line after EXT-X-STREAM-INF: its URI, or what hls.js skips until the URI (A6.1)."""
        line = text.strip(_WHITE)
        if line and not line.startswith("#"):
            self._close_variant(variant, number, text, end)
            return
        name = line.partition(":")[0]
        if name in _TAGS:
            raise self.tags.error(number, "A6.1", f"{name} where the URI of a variant belongs")
        if line:
            self.tags.fault(number, "A6.1", "media3 and Shaka take this line for the variant's URI")
        variant.between += text + end

    def _close_variant(self, variant: _OpenVariant, number: int, text: str, end: str) -> None:
        raw = text.strip(_WHITE)
        start = text.index(raw)
        uri = self.tags.expand(raw, number)
        self.open = None
        tag, index = variant.tag, len(self.variants)
        self.variants.append(self.tags.stream(Variant, tag, index, uri))
        if "PROGRAM-ID" in tag.values and "PROGRAM-ID" not in self.seen:
            self.seen.add("PROGRAM-ID")
            self.tags.fault(tag.line, "A1.9", "PROGRAM-ID, removed in version 6")
        self._end_text()
        tail = cut(text + end, _slots([(start, start + len(raw), raw, uri)]))
        self.blocks.append(
            Block(
                BlockKind.VARIANT,
                (tag.text,),
                variant.line_end,
                variant.between,
                tail,
                index,
                tag.attributes_at,
            )
        )

    def _other_line(self, number: int, line: str, text: str) -> None:
        """A comment, a blank line, or a tag whose attributes are none of our business (A2.2)."""
        if line in _ONCE:
            if line in self.seen:
                self.tags.fault(number, _ONCE[line], f"{line} stands twice")
            elif line == "#EXT-X-VERSION":
                self.version = integer(text.partition(":")[2].strip())
        elif line == "#EXT-X-ALLOW-CACHE":
            self.tags.fault(number, "A1.9", "EXT-X-ALLOW-CACHE, removed in version 7")
        elif line and not line.startswith("#"):
            self.tags.fault(number, "A6.1", "a URI line that belongs to no variant")
        self.seen.add(line)
        self.text.append(text)

    def _end_text(self) -> None:
        if self.text:
            self.blocks.append(Block(BlockKind.TEXT, tuple(self.text)))
            self.text.clear()

    def _add(self, kind: BlockKind, tag: Tag, line_end: str, index: int = -1) -> None:
        self._end_text()
        head = cut(tag.text, self._uri_slots(tag, "URI"))
        block = Block(kind, head, line_end, index=index, attributes_at=tag.attributes_at)
        self.blocks.append(block)

    def _uri_slots(self, tag: Tag, attribute: str) -> list[tuple[int, int, UriSlot]]:
        """The slots of every attribute of that name: some players take the first, some the last."""
        if attribute not in tag.values:
            return []
        spans: Iterable[tuple[int, int]]
        if tag.faultless and attribute in tag.quoted:  # there is one, and we know where
            start = tag.quoted[attribute]
            spans = ((start, tag.text.index('"', start)),)
        else:
            spans = value_spans(tag.text, tag.attributes_at, attribute)
        return _slots(
            (start, end, tag.text[start:end], self.tags.expand(tag.text[start:end], tag.line))
            for start, end in spans
        )

    def _stream_inf(self, tag: Tag, line_end: str) -> None:
        self.open = _OpenVariant(tag, line_end)

    def _iframe(self, tag: Tag, line_end: str) -> None:
        index, uri = len(self.iframes), tag.values.get("URI", "")
        if not uri:
            self.tags.fault(tag.line, "A7.1", "an I-frame playlist without URI")
        self.iframes.append(self.tags.stream(IFrameVariant, tag, index, uri))
        self._add(BlockKind.IFRAME, tag, line_end, index)

    def _media(self, tag: Tag, line_end: str) -> None:
        index = len(self.renditions)
        self.renditions.append(self.tags.rendition(tag, index))
        self._add(BlockKind.RENDITION, tag, line_end, index)

    def _image(self, tag: Tag, line_end: str) -> None:
        """Not of the standard, but Roku, Shaka and others play such thumbnails."""
        self.text += (*cut(tag.text, self._uri_slots(tag, "URI")), line_end)

    def _session_key(self, tag: Tag, line_end: str) -> None:
        values = tag.values
        method, key_format = values.get("METHOD"), values.get("KEYFORMAT", "identity")
        if method == "NONE":
            self.tags.fault(tag.line, "A9.2", "a session key with METHOD=NONE")
        self.session_keys.append(SessionKey(tag.line, method, key_format, values.get("URI")))
        self.text += (*cut(tag.text, self._uri_slots(tag, "URI")), line_end)

    def _session_data(self, tag: Tag, line_end: str) -> None:
        data_id, language = tag.values.get("DATA-ID"), tag.values.get("LANGUAGE")
        self.session_data.append(SessionData(tag.line, data_id, language))
        self.text += (*cut(tag.text, self._uri_slots(tag, "URI")), line_end)

    def _steering(self, tag: Tag, line_end: str) -> None:
        server_uri, pathway = tag.values.get("SERVER-URI"), tag.values.get("PATHWAY-ID")
        self.steering.append(Steering(tag.line, server_uri, pathway))
        self.text += (*cut(tag.text, self._uri_slots(tag, "SERVER-URI")), line_end)

    def _define(self, tag: Tag, line_end: str) -> None:
        """EXT-X-DEFINE (A5.3); it always stays, as media playlists may IMPORT it (A5.5)."""
        slots = []
        try:
            match [name for name in ("NAME", "IMPORT", "QUERYPARAM") if name in tag.values]:
                case ["NAME"] if "VALUE" in tag.values:
                    self.tags.variables.define(tag.values["NAME"], tag.values["VALUE"])
                case ["QUERYPARAM"]:
                    self.tags.variables.define_late(tag.values["QUERYPARAM"])
                    slots.append(_query_slot(tag))
                case ["IMPORT"]:
                    self.tags.fault(tag.line, "A5.3", "IMPORT in a multivariant playlist")
                case _:
                    problem = "EXT-X-DEFINE needs one of NAME with VALUE, IMPORT and QUERYPARAM"
                    raise self.tags.error(tag.line, "A5.3", problem)
        except VariableError as error:
            raise self.tags.error(tag.line, error.rule, error.problem) from error
        self._end_text()
        self.blocks.append(Block(BlockKind.DEFINE, cut(tag.text, slots), line_end))


def _slots(uris: Iterable[tuple[int, int, str, str]]) -> list[tuple[int, int, UriSlot]]:
    """Slots for those of (start, end, raw, expanded) that a rewrite may change."""
    return [
        (start, end, UriSlot(raw, uri, is_late(uri)))
        for start, end, raw, uri in uris
        if is_rewritable(uri)
    ]


def _query_slot(tag: Tag) -> tuple[int, int, QuerySlot]:
    name = "QUERYPARAM"
    value_start, end = next(value_spans(tag.text, tag.attributes_at, name))
    start, end = tag.text.rindex(name, 0, value_start), end + (name in tag.quoted)
    return start, end, QuerySlot(tag.text[start:end], tag.values[name])


_ONCE = {"#EXT-X-VERSION": "A4.1", "#EXT-X-INDEPENDENT-SEGMENTS": "A5.1", "#EXT-X-START": "A5.1"}
_TAGS: dict[str, Callable[[_Reading, Tag, str], None]] = {
    "#EXT-X-STREAM-INF": _Reading._stream_inf,
    "#EXT-X-I-FRAME-STREAM-INF": _Reading._iframe,
    "#EXT-X-IMAGE-STREAM-INF": _Reading._image,
    "#EXT-X-MEDIA": _Reading._media,
    "#EXT-X-DEFINE": _Reading._define,
    "#EXT-X-SESSION-KEY": _Reading._session_key,
    "#EXT-X-SESSION-DATA": _Reading._session_data,
    "#EXT-X-CONTENT-STEERING": _Reading._steering,
}
