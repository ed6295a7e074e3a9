"""Is this a multivariant playlist that players can play, and what does it hold?

Where only some players can play it, the playlist is served and the reason listed as a fault. It is
refused (ManifestError) when it is not text (A1.1, A1.2) or not a multivariant playlist (A1.4,
A1.7), and when it is too ambiguous to edit safely: a variant without a URI (A6.1) or BANDWIDTH
(A6.2), or a variable that is defined twice or not at all (A5.3, A5.5).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice

from manifests.hls.blocks import (
    Block,
    BlockKind,
    MultivariantPlaylist,
    QuerySlot,
    Slot,
    UriSlot,
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
from manifests.hls.tags import MAX_FAULTS, Tag, TagReader
from manifests.hls.variables import VariableError, Variables, is_late, late_names

DEFAULT_MAX_BYTES = 1 << 20

# Clients must refuse a multivariant playlist with any of these (A1.7, A1.9).
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
    """Read a multivariant playlist (RFC 8216bis 4.4.6); errors call it ``name``.

    Raises ManifestError when it cannot be served.
    """
    lines = read_lines(data, name, max_bytes)
    reading = _Reading(TagReader(name, Variables(max_bytes)), lines.text)
    reading.tags.faults.extend(lines.faults)
    for number, line in enumerate(lines, lines.first):
        reading.read_line(number, line)
    return reading.finish(lines.newline)


@dataclass(slots=True)
class _Reading:
    """What has been read so far: ``text`` up to ``end``.

    ``blocks_end`` is where the last block ends. The text from there to ``end`` belongs to no entry;
    it becomes a block of kind "text" with ``text_slots``. ``stream_inf`` is the EXT-X-STREAM-INF
    whose URI line has not come yet.
    """

    tags: TagReader
    text: str
    end: int = 0
    blocks_end: int = 0
    text_slots: list[Slot] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    variants: list[Variant] = field(default_factory=list)
    iframes: list[IFrameVariant] = field(default_factory=list)
    renditions: list[Rendition] = field(default_factory=list)
    session_keys: list[SessionKey] = field(default_factory=list)
    session_data: list[SessionData] = field(default_factory=list)
    steering: list[Steering] = field(default_factory=list)
    version: int | None = None
    names_seen: set[str] = field(default_factory=set)
    stream_inf: Tag | None = None

    def read_line(self, number: int, whole_line: str) -> None:
        """Read the next line. Players trim lines, so white space around one is only a fault."""
        start = self.end
        self.end += len(whole_line)
        text = whole_line.rstrip("\r\n")
        line = text.strip(_WHITE)
        if not line:
            return
        name = line.partition(":")[0] if line.startswith("#EXT") else ""
        if name in _MEDIA_TAGS:
            raise self.tags.error(number, "A1.7", f"{name} belongs in a media playlist")
        if line != text:
            self.tags.fault(number, "A1.3", "white space around the line")
        if self.stream_inf is not None:
            if line.startswith("#"):
                self._between(number, line)
            else:
                self._close_variant(self.stream_inf, number, start, text, line)
        elif name in _TAGS:
            _TAGS[name](self, self.tags.tag(text, number, start, self.end))
        else:
            self._other_line(number, name or line, text)

    def finish(self, newline: str) -> MultivariantPlaylist:
        """The playlist, once all lines are read."""
        if self.stream_inf is not None:
            raise self.tags.error(self.stream_inf.line, "A6.1", "EXT-X-STREAM-INF has no URI line")
        if not self.variants:
            raise self.tags.error(1, "A1.7", "the playlist has no variant stream")
        if self.blocks_end < self.end:
            self._end_text(self.end)
        checked = check_playlist(
            self.variants, self.iframes, self.renditions, self.session_data, self.steering
        )
        further = islice(checked, MAX_FAULTS)
        return MultivariantPlaylist(
            name=self.tags.name,
            variants=tuple(self.variants),
            iframes=tuple(self.iframes),
            renditions=tuple(self.renditions),
            faults=tuple(sorted([*self.tags.faults, *further], key=lambda fault: fault.line)),
            version=self.version,
            session_keys=tuple(self.session_keys),
            session_data=tuple(self.session_data),
            steering=self.steering[0] if self.steering else None,
            query_uses=self._query_uses(),
            newline=newline,
            text=self.text,
            blocks=tuple(self.blocks),
        )

    def _query_uses(self) -> dict[str, int]:
        """How often each query parameter is written: in its definition, and in URIs."""
        uses = dict.fromkeys(self.tags.variables.late, 1)
        if uses:
            for block in self.blocks:
                for slot in block.slots:
                    if isinstance(slot, UriSlot) and slot.late:
                        for name in late_names(slot.target):
                            uses[name] = uses.get(name, 0) + 1
        return uses

    def _between(self, number: int, line: str) -> None:
        """Read a line between EXT-X-STREAM-INF and its URI. hls.js skips such lines (A6.1)."""
        name = line.partition(":")[0]
        if name in _TAGS:
            raise self.tags.error(
                number, "A6.1", f"{name} comes where the URI of the variant must be"
            )
        self.tags.fault(number, "A6.1", "media3 and Shaka take this line for the variant's URI")

    def _close_variant(self, tag: Tag, number: int, start: int, text: str, raw: str) -> None:
        """Read the URI line of a variant: ``text``, and ``raw`` without white space around it."""
        uri_at = start + text.index(raw)
        uri = self.tags.expand(raw, number)
        self.stream_inf = None
        index = len(self.variants)
        self.variants.append(self.tags.stream(Variant, tag, index, uri))
        if "PROGRAM-ID" in tag.values:
            self.tags.program_id(tag.line)
        slots = _slots(uri_at, uri_at + len(raw), uri)
        self._add("variant", tag, slots, index, start)

    def _other_line(self, number: int, line: str, text: str) -> None:
        """Read a comment, or a tag whose attributes are not needed (A2.2)."""
        if line in _ONCE:
            if line in self.names_seen:
                self.tags.fault(number, _ONCE[line], f"{line} is given twice")
            elif line == "#EXT-X-VERSION":
                self.version = integer(text.partition(":")[2].strip())
        elif line == "#EXT-X-ALLOW-CACHE":
            self.tags.fault(number, "A1.9", "EXT-X-ALLOW-CACHE was removed in protocol version 7")
        elif not line.startswith("#"):
            self.tags.fault(number, "A6.1", "a URI line that belongs to no variant")
        self.names_seen.add(line)

    def _end_text(self, end: int) -> None:
        """Add the block of the text since the last block."""
        slots = tuple(self.text_slots)
        self.blocks.append(Block("text", self.blocks_end, end, slots=slots))
        self.text_slots.clear()

    def _add(
        self, kind: BlockKind, tag: Tag, slots: tuple[Slot, ...], index: int = -1, uri_line: int = 0
    ) -> None:
        """Add the block of a tag, up to ``end``; its URI line, if any, starts at ``uri_line``."""
        if self.blocks_end < tag.start:
            self._end_text(tag.start)
        between = (tag.end, uri_line) if tag.end < uri_line else None
        self.blocks.append(Block(kind, tag.start, self.end, index, slots, between))
        self.blocks_end = self.end

    def _uri_slots(self, tag: Tag, attribute: str = "URI") -> tuple[Slot, ...]:
        """A slot for every attribute of that name: some players use the first, some the last."""
        slots: list[Slot] = []
        for start, end in tag.spans(attribute):
            uri = self.tags.expand(tag.text[start:end], tag.line)
            slots += _slots(tag.start + start, tag.start + end, uri)
        return tuple(slots)

    def _stream_inf(self, tag: Tag) -> None:
        self.stream_inf = tag

    def _iframe(self, tag: Tag) -> None:
        index, uri = len(self.iframes), tag.values.get("URI", "")
        if not uri:
            self.tags.fault(tag.line, "A7.1", "the I-frame playlist has no URI")
        self.iframes.append(self.tags.stream(IFrameVariant, tag, index, uri))
        self._add("iframe", tag, self._uri_slots(tag), index)

    def _media(self, tag: Tag) -> None:
        index = len(self.renditions)
        self.renditions.append(self.tags.rendition(tag, index))
        self._add("rendition", tag, self._uri_slots(tag), index)

    def _image(self, tag: Tag) -> None:
        """EXT-X-IMAGE-STREAM-INF: not in the standard, but Roku, Shaka and others support it."""
        self.text_slots += self._uri_slots(tag)

    def _session_key(self, tag: Tag) -> None:
        values = tag.values
        method, key_format = values.get("METHOD"), values.get("KEYFORMAT", "identity")
        if method == "NONE":
            self.tags.fault(tag.line, "A9.2", "METHOD of a session key must not be NONE")
        self.session_keys.append(
            SessionKey(line=tag.line, method=method, key_format=key_format, uri=values.get("URI"))
        )
        self.text_slots += self._uri_slots(tag)

    def _session_data(self, tag: Tag) -> None:
        data_id, language = tag.values.get("DATA-ID"), tag.values.get("LANGUAGE")
        self.session_data.append(SessionData(line=tag.line, data_id=data_id, language=language))
        self.text_slots += self._uri_slots(tag)

    def _steering(self, tag: Tag) -> None:
        server_uri, pathway = tag.values.get("SERVER-URI"), tag.values.get("PATHWAY-ID")
        self.steering.append(Steering(line=tag.line, server_uri=server_uri, pathway=pathway))
        self.text_slots += self._uri_slots(tag, "SERVER-URI")

    def _define(self, tag: Tag) -> None:
        """EXT-X-DEFINE (A5.3). It is never dropped: media playlists may IMPORT it (A5.5)."""
        slots: tuple[Slot, ...] = ()
        try:
            match [name for name in ("NAME", "IMPORT", "QUERYPARAM") if name in tag.values]:
                case ["NAME"] if "VALUE" in tag.values:
                    self.tags.variables.define(tag.values["NAME"], tag.values["VALUE"])
                case ["QUERYPARAM"]:
                    self.tags.variables.define_late(tag.values["QUERYPARAM"])
                    slots = (_query_slot(tag),)
                case ["IMPORT"]:
                    self.tags.fault(
                        tag.line, "A5.3", "IMPORT is not allowed in a multivariant playlist"
                    )
                case _:
                    problem = "needs exactly one of NAME (with VALUE), IMPORT and QUERYPARAM"
                    raise self.tags.error(tag.line, "A5.3", problem)
        except VariableError as error:
            raise self.tags.error(tag.line, error.rule, error.problem) from error
        self._add("define", tag, slots)


def _slots(start: int, end: int, uri: str) -> tuple[Slot, ...]:
    """The slot of a URI, variables expanded; none when a rewrite must not change it."""
    if not is_rewritable(uri):
        return ()
    return (UriSlot(start, end, uri, is_late(uri)),)


def _query_slot(tag: Tag) -> QuerySlot:
    name = "QUERYPARAM"
    value_start, end = next(tag.spans(name))
    start, end = tag.text.rindex(name, 0, value_start), end + (name in tag.quoted)
    return QuerySlot(start=tag.start + start, end=tag.start + end, name=tag.values[name])


_ONCE = {"#EXT-X-VERSION": "A4.1", "#EXT-X-INDEPENDENT-SEGMENTS": "A5.1", "#EXT-X-START": "A5.1"}
_TAGS: dict[str, Callable[[_Reading, Tag], None]] = {
    "#EXT-X-STREAM-INF": _Reading._stream_inf,
    "#EXT-X-I-FRAME-STREAM-INF": _Reading._iframe,
    "#EXT-X-IMAGE-STREAM-INF": _Reading._image,
    "#EXT-X-MEDIA": _Reading._media,
    "#EXT-X-DEFINE": _Reading._define,
    "#EXT-X-SESSION-KEY": _Reading._session_key,
    "#EXT-X-SESSION-DATA": _Reading._session_data,
    "#EXT-X-CONTENT-STEERING": _Reading._steering,
}
