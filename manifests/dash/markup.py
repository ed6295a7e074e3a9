"""Where in the bytes of an XML document are its tags, attributes and line ends?

expat says where an element starts and ends. What lies within a tag is searched here, when somebody
asks. The document is known to be well-formed (XML 1.0), so a search for a quote or a ``>`` is
exact. Offsets count the source's bytes from 0, whatever its encoding.
"""

import re
from bisect import bisect_right
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, lookup

_LINE_END = re.compile(rb"\r\n?|\n")
_BEYOND_BMP = re.compile("[\U00010000-\U0010ffff]")
_NOT_A_CHARACTER = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# A start tag from its "<" to its ">"; group 1 is its name. Possessive: linear in any text.
_TAG = re.compile(rb"""<([^\s/>]++)[^"'>]*+(?:"[^"]*+"[^"'>]*+|'[^']*+'[^"'>]*+)*+>""")
# White space is tried from its beginning alone: a run of it before ">" would take quadratic time.
_ATTRIBUTE = re.compile(
    rb"""(?<![ \t\r\n])[ \t\r\n]++([^\s=]++)[ \t\r\n]*+=[ \t\r\n]*+("[^"]*+"|'[^']*+')"""
)
_INDENTATION = re.compile(rb"(?:\r\n?|\n)[ \t]*\Z")
_DECLARED = re.compile(rb"""(?:\xef\xbb\xbf)?<\?xml\s[^>?]*?\sencoding\s*=\s*["']([\w.-]+)""")
_MAX_INDENTATION = 512
"""Bytes. Where an element stands farther right, its indentation is not copied or removed."""

ENCODINGS = ("utf-8", "utf-16", "iso8859-1", "ascii")
"""The encodings that expat reads without help, by the names of Python's codecs."""


class Markup:
    """The bytes of a document and their encoding.

    ``codec`` is the Python codec of inserted text, ``width`` the bytes of one code unit. ``units``
    has one byte for each code unit: it is ``source`` itself, except for UTF-16, where units beyond
    ASCII are "?".
    """

    __slots__ = ("_line_starts", "codec", "source", "units", "width")

    def __init__(self, source: bytes) -> None:
        """Raises UnicodeDecodeError for text that is not UTF-16, though it starts as such, and for
        UTF-16 that starts with neither a byte order mark nor markup: expat takes it for UTF-16,
        and players take it for UTF-8."""
        self.source = source
        self.width = 1
        self.units = source
        self.codec = "utf-8"
        self._line_starts: list[int] | None = None
        start = source[:2]
        if start in (BOM_UTF16_LE, b"<\0"):
            self.codec = "utf-16-le"
        elif start in (BOM_UTF16_BE, b"\0<"):
            self.codec = "utf-16-be"
        elif b"\0" in start:
            raise UnicodeDecodeError("utf-8", source, 0, len(start), "a null character")
        else:
            return
        self.width = 2
        text = source.decode(self.codec)
        self.units = _BEYOND_BMP.sub("??", text).encode("ascii", "replace")

    @property
    def known_encoding(self) -> str | None:
        """The encoding that expat has to be told, None where it finds out itself: it knows UTF-8 by
        this name alone, and players and other libraries take ``utf8`` for it as well."""
        found = _DECLARED.match(self.source)
        return "utf-8" if found and _codec(found[1].decode("ascii")) == "utf-8" else None

    def declared(self, encoding: str) -> bool:
        """Take the encoding that the XML declaration names. False when it is not supported."""
        codec = _codec(encoding)
        if codec not in ENCODINGS and not codec.startswith("utf-16-"):
            return False
        if self.width == 1:
            # expat takes the declaration's word, browsers take the byte order mark's: ASCII is
            # right for both.
            self.codec = "ascii" if self.source.startswith(BOM_UTF8) and codec != "utf-8" else codec
        return True

    def encode(self, text: str) -> bytes:
        """Markup in the encoding of the document, with character references for what it lacks."""
        return text.encode(self.codec, "xmlcharrefreplace")

    def line(self, offset: int) -> int:
        """The number of the line that an offset is in, from 1. LF, CRLF and CR end lines, as in
        XML 1.0 2.11."""
        if self._line_starts is None:
            self._line_starts = [found.end() for found in _LINE_END.finditer(self.units)]
        return bisect_right(self._line_starts, offset // self.width) + 1

    def tag_end(self, start: int) -> int:
        """The offset after the ``>`` of the start tag at ``start``."""
        return self._tag(start).end() * self.width

    def tag_name(self, start: int) -> str:
        """The raw name, with its prefix, of the start tag at ``start``."""
        begin, end = (offset * self.width for offset in self._tag(start).span(1))
        return self.text(begin, end)

    def name_end(self, start: int) -> int:
        """The offset after the name in the start tag at ``start``."""
        return self._tag(start).end(1) * self.width

    def is_empty_tag(self, end: int) -> bool:
        """True when the start tag that ends at ``end`` is one of an empty element: ``<a/>``."""
        return self.units[end // self.width - 2] == ord("/")

    def end_tag_end(self, start: int) -> int:
        """The offset after the ``>`` of the end tag at ``start``."""
        return (self.units.index(b">", start // self.width) + 1) * self.width

    def attributes(self, start: int) -> list[tuple[str, int, int, int]]:
        """The attributes in the start tag at ``start``, namespace declarations too: raw name,
        offset of the white space before it, offsets of the value between its quotes."""
        width, tag = self.width, self._tag(start)
        return [
            (
                self.text(found.start(1) * width, found.end(1) * width),
                found.start() * width,
                (found.start(2) + 1) * width,
                (found.end(2) - 1) * width,
            )
            for found in _ATTRIBUTE.finditer(self.units, tag.end(1), tag.end())
        ]

    def text(self, start: int, end: int) -> str:
        """The decoded source between two offsets."""
        return self.source[start:end].decode(self.codec)

    def quote(self, value_end: int) -> str:
        """The quote after an attribute's value."""
        return chr(self.units[value_end // self.width])

    def indentation(self, start: int) -> str:
        """The line end and white space before ``start``; "" when it does not begin its line."""
        at = start // self.width
        found = _INDENTATION.search(self.units, max(0, at - _MAX_INDENTATION), at)
        return "" if found is None else found[0].decode("ascii")

    def ends_its_line(self, end: int) -> bool:
        """True when only white space follows on the line."""
        at = end // self.width
        rest = self.units[at : at + _MAX_INDENTATION].lstrip(b" \t")
        return rest[:1] in (b"\r", b"\n", b"")

    def _tag(self, start: int) -> re.Match[bytes]:
        found = _TAG.match(self.units, start // self.width)
        if found is None:  # pragma: no cover - expat found a tag there
            raise AssertionError(start)
        return found


def is_declaration(name: str) -> bool:
    """Whether an attribute of this raw name declares a namespace (Namespaces in XML 1.0 3)."""
    return name == "xmlns" or name.startswith("xmlns:")


def _codec(encoding: str) -> str:
    """The name of Python's codec for an encoding, "" when it has none."""
    try:
        return lookup(encoding).name
    except LookupError:
        return ""


def escape_text(text: str) -> str:
    """Character data: ``&``, ``<`` and ``>`` become references (XML 1.0 2.4), as do CRs.

    Characters that XML forbids become U+FFFD (XML 1.0 2.2).
    """
    text = _NOT_A_CHARACTER.sub("\ufffd", text)
    return (
        text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")
    )


def escape_value(value: str, quote: str = '"') -> str:
    """An attribute's value between these quotes: as character data, and the quote and white space
    other than spaces become references, which keep parsers from changing it (XML 1.0 3.3.3)."""
    value = escape_text(value).replace("\n", "&#10;").replace("\t", "&#9;")
    return value.replace("'", "&#39;") if quote == "'" else value.replace('"', "&quot;")
