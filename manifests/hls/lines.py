"""How do the bytes of a playlist become lines?

Rules A1.1 to A1.4. Lines end as hls.js, Shaka and media3 all read them: with LF, CRLF or a lone CR.
Each line keeps its line end, so that joined lines give the source back.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from manifests.fault import Fault, ManifestError

_ANY_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")
_LF_LINE = re.compile(r".*\n|.+")  # several times as fast, where CR ends no line
_LINE = re.compile(r"([^\r\n]*)(\r\n?|\n|$)")
_LINE_END = re.compile(r"\r\n?|\n")
_LONG = 64 * 1024
"""Characters. In longer texts, lines are searched one by one: a single search for all of them holds
the interpreter for tenths of a second, and no other thread runs meanwhile."""
# The control characters of rule A1.2, except the tab: that is a fault like other white space.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_ASCII_CONTROL = bytes(byte for byte in range(128) if _CONTROL.match(chr(byte)))
_HEADER = "#EXTM3U"
_BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True, slots=True)
class Lines:
    """A playlist from its ``#EXTM3U`` on; ``first`` is the line number of that line."""

    text: str
    first: int
    faults: tuple[Fault, ...]

    def __iter__(self) -> Iterator[str]:
        """The lines, each with its line end."""
        return iter(split_lines(self.text))

    @property
    def newline(self) -> str:
        """The line end of the first line, LF when it has none."""
        found = _LINE_END.search(self.text)
        return "\n" if found is None else found[0]


def read_lines(data: bytes, name: str, max_bytes: int) -> Lines:
    """Decode a playlist, without a byte order mark and white space before ``#EXTM3U``.

    Raises ManifestError when it is too large, not UTF-8 (A1.1), holds control characters (A1.2)
    or does not start with ``#EXTM3U`` (A1.4).
    """
    if len(data) > max_bytes:
        raise ManifestError(name, None, "F13", f"larger than {max_bytes} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ManifestError(name, line, "A1.1", "the text is not UTF-8") from error
    faults: list[Fault] = []
    body = text.removeprefix(_BYTE_ORDER_MARK)
    if body != text:
        # The output omits it, since players may refuse it and none needs it.
        faults.append(Fault(1, "A1.1", "a byte order mark; the output has none"))
    stripped = body.lstrip(" \t\r\n")
    first = _line_ends(body, len(body) - len(stripped)) + 1
    if stripped != body:
        faults.append(Fault(1, "A1.4", "white space before #EXTM3U; the output has none"))
    _check_header(stripped, name, first)
    # Deleting control characters and comparing lengths is several times as fast as a search.
    if not text.isascii() or len(data.translate(None, _ASCII_CONTROL)) < len(data):
        control = _CONTROL.search(stripped)
        if control is not None:
            line = first + _line_ends(stripped, control.start())
            raise ManifestError(name, line, "A1.2", f"control character U+{ord(control[0]):04X}")
    faults.extend(_odd_text(stripped, first))
    return Lines(stripped, first, tuple(faults))


def split_lines(text: str) -> Iterable[str]:
    """The lines of a text, each with its line end: LF, CRLF or CR, but none of the others that
    ``str.splitlines`` knows."""
    pattern = _ANY_LINE if "\r" in text else _LF_LINE
    if len(text) <= _LONG:
        return pattern.findall(text)
    return (found[0] for found in pattern.finditer(text))


def line_at(text: str, start: int) -> re.Match[str]:
    """The line that starts at an offset: group 1 is its text, group 2 its line end."""
    found = _LINE.match(text, start)
    if found is None:  # pragma: no cover - the pattern matches every text
        raise AssertionError(start)
    return found


def _line_ends(text: str, before: int) -> int:
    """How many lines end before an offset."""
    crlf = text.count("\r\n", 0, before)
    return text.count("\r", 0, before) + text.count("\n", 0, before) - crlf


def _check_header(text: str, name: str, line: int) -> None:
    """A1.4: the text starts with ``#EXTM3U``, then white space, as Shaka and media3 require."""
    if not text.startswith(_HEADER) or text[len(_HEADER) : len(_HEADER) + 1].strip():
        raise ManifestError(name, line, "A1.4", "the first line is not #EXTM3U")


def _odd_text(text: str, first: int) -> list[Fault]:
    """Faults for lone CRs (A1.3) and text that is not in form NFC (A1.2), at most one of each."""
    faults: list[Fault] = []
    if "\r" in text and text.count("\r") > text.count("\r\n"):
        lines = enumerate(split_lines(text), first)
        lone = next(number for number, line in lines if line.endswith("\r"))
        faults.append(Fault(lone, "A1.3", "a CR alone ends a line"))
    if not text.isascii() and not unicodedata.is_normalized("NFC", text):
        # A line end composes with nothing, so each line can be checked alone.
        lines = enumerate(split_lines(text), first)
        odd = next(n for n, line in lines if not unicodedata.is_normalized("NFC", line))
        faults.append(Fault(odd, "A1.2", "the text is not in Unicode normalization form NFC"))
    return faults
