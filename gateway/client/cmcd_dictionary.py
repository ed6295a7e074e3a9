"""Reads CMCD dictionaries as players really write them (D1.2, D2.1).

By the standard, CMCD is an RFC 8941 dictionary. A structured-fields parser must reject the whole
text for one invalid member, but players do send such members: ``su=true``, unquoted strings,
missing commas, long decimals. This reader drops only the members that it cannot read, and says
which. Its cost is bounded by ``MAX_TEXT`` and ``MAX_PARTS``.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

Scalar = bool | int | float | str

MAX_TEXT = 8192
"""The most characters of one text; a longer text is not read at all."""
MAX_PARTS = 512
"""The most keys, values and parameters that are read; a full version 2 report has about 100."""

_TOO_MANY = f"more than {MAX_PARTS} parts: the rest is not read"
_KEY = re.compile(r"[a-z*][a-z0-9_.*-]{0,63}")
_STRING = re.compile(r'"((?:[^"\\]|\\["\\])*+)"')
# A quoted string, to the end of the text if it is not closed; or what is between two of them.
_PART = re.compile(r'"(?:[^"\\]|\\.?)*+(?:"|\Z)|[^"]+', re.DOTALL)
# What is left of a member that cannot be read, and the comma after it. A comma in a quoted string
# ends no member, whatever else is in the string. A quote opens a string where a value may begin or
# another string has ended, if the string is closed.
_REST = re.compile(r'(?:[^,"]++|(?:\A|(?<=[=(, \t"]))"(?:[^"\\]|\\.)*+"|")*+,?', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)")
_BARE = re.compile(r'[^\s,;()"\\]{1,256}')
_TOKEN = re.compile(r"[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]*")
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,20})?")
_NOT_SHOWN = r"\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
_UNPRINTABLE = re.compile(f"[{_NOT_SHOWN}]")
# A complete member in its usual form, with the comma after it: a key alone, or with a number, a
# string without escapes, or a token. Other members are read part by part.
_PLAIN = re.compile(
    rf"([a-z*][a-z0-9_.*-]{{0,63}})"
    rf"(?:=(?:(-?[0-9]{{1,15}}(\.[0-9]{{1,20}})?)"
    rf'|"([^"\\{_NOT_SHOWN}]*)"'
    rf"|((?!true|false)[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]{{0,255}})))?"
    rf"[ \t]*(?:,|\Z)"
)
_TOO_MUCH = 10**15  # RFC 8941 3.3.1; this also excludes NaN and infinity
_BOOLEANS = {"?1": True, "?0": False}
_WORDS = {"true": True, "false": False}
_OBJECT_TYPES = frozenset({"m", "a", "v", "av", "i", "c", "tt", "k", "o"})


@dataclass(frozen=True, slots=True)
class Item:
    """One item of an inner list, such as ``5000;v`` or ``"../3.m4v";r="0-99"``."""

    value: Scalar
    parameters: Mapping[str, Scalar] = field(default_factory=dict)

    @property
    def object_type(self) -> str | None:
        """The object type of the item (D2.1); None when it has none."""
        return next((name for name in self.parameters if name in _OBJECT_TYPES), None)


Value = Scalar | tuple[Item, ...]


class _MalformedError(ValueError):
    """This member cannot be read. The message contains no text from the player."""


def read_dictionary(text: str) -> tuple[dict[str, Value], list[str]]:
    """Read ``key``, ``key=value`` and ``key=(item item)`` members between commas. Never raises.

    Returns the members and the faults. Strings and tokens become ``str``, numbers ``int`` or
    ``float``, flags ``bool``, and inner lists tuples of ``Item``. A scalar with parameters becomes
    an inner list of one item. For a repeated key the last value is used (RFC 8941 3.2). Faults
    contain only keys and words of this module, so they are safe to log.
    """
    if len(text) > MAX_TEXT:
        return {}, [f"longer than {MAX_TEXT} characters: not read"]
    members: dict[str, Value] = {}
    faults: list[str] = []
    reader = _Reader(text, faults)
    while not reader.at_end():
        try:
            key, value = reader.member()
        except _MalformedError as error:
            faults.append(str(error))
            reader.skip_member()
            continue
        if key in members:
            faults.append(f"{key}: repeated, the last one counts")
        members[key] = value
    return members, faults


def read_json(text: str) -> tuple[dict[str, Value], list[str]]:
    """Read the JSON form of version 1 (D1.1), a text that starts with ``{``.

    Never raises; returns the same as ``read_dictionary``.
    """
    if len(text) > MAX_TEXT:
        return {}, [f"longer than {MAX_TEXT} characters: not read"]
    try:
        document: dict[str, Any] = json.loads(text)
    except (ValueError, RecursionError):
        return {}, ["not JSON: not read"]
    members: dict[str, Value] = {}
    faults: list[str] = []
    if len(document) > MAX_PARTS:
        faults.append(_TOO_MANY)
    for key, given in list(document.items())[:MAX_PARTS]:
        if _KEY.fullmatch(key) is None:
            faults.append("not a key")
        elif _is_scalar(given):
            members[key] = given
        elif isinstance(given, list) and all(map(_is_scalar, given)):
            members[key] = tuple(Item(value) for value in given)
        else:
            faults.append(f"{key}: neither a value nor a list of values")
    return members, faults


def as_json(value: Value) -> Any:  # noqa: ANN401
    """A value for ``json.dumps``. An inner list becomes a list; an item with parameters becomes an
    object of these, with the item as ``value``."""
    if not isinstance(value, tuple):
        return value
    return [
        {**item.parameters, "value": item.value} if item.parameters else item.value
        for item in value
    ]


def without_encoding(text: str) -> str:
    """``text`` with its percent-encoding and ``+`` for a space decoded, except in quoted strings.

    Players and proxies encode a dictionary that is encoded already, in whole (media3 up to 1.2) or
    in part. A string whose quotes are not encoded is not encoded twice either: what looks encoded
    there belongs to it (D1.3). Text that is too long stays as it is. Never raises.
    """
    return text if len(text) > MAX_TEXT else _PART.sub(_decoded, text)


def _decoded(part: re.Match[str]) -> str:
    return part[0] if part[0].startswith('"') else unquote(part[0].replace("+", " "))


class _Reader:
    """A text with the position up to which it was read."""

    __slots__ = ("_faults", "_parts", "_position", "_text")

    def __init__(self, text: str, faults: list[str]) -> None:
        self._text = text
        self._position = 0
        self._parts = 0
        self._faults = faults

    def at_end(self) -> bool:
        self._skip_space()
        return self._position >= len(self._text)

    def member(self) -> tuple[str, Value]:
        """Read one member and the comma after it. After a fault, the position is that of the
        fault."""
        plain = _PLAIN.match(self._text, self._position)
        if plain is not None and self._parts + 2 <= MAX_PARTS:
            return self._plain(plain)
        key = self._key("not a key")
        value: Value = True
        if self._take("="):
            value = self._inner_list(key) if self._take("(") else self._scalar(key)
        parameters = self._parameters(key)
        if parameters and not isinstance(value, tuple):
            value = (Item(value, parameters),)
        self._skip_space()
        if self._position < len(self._text) and not self._take(","):
            raise _MalformedError(f"{key}: no comma after the value")
        return key, value

    def _plain(self, member: re.Match[str]) -> tuple[str, Value]:
        self._position = member.end()
        key, number, fraction, string, token = member.groups()
        value: Value = True
        if number is not None:
            value = int(number) if fraction is None else float(number)
        elif string is not None or token is not None:
            value = token if string is None else string
        self._parts += 1 if value is True else 2
        return key, value

    def skip_member(self) -> None:
        """Move past the next comma outside quoted strings, or to the end. A quote that is not
        closed opens no string: the members behind it are read."""
        rest = _REST.match(self._text, self._position)
        self._position = len(self._text) if rest is None else rest.end()

    def _inner_list(self, key: str) -> tuple[Item, ...]:
        items: list[Item] = []
        self._skip_space()
        while not self._take(")"):
            value = self._scalar(key)
            items.append(Item(value, self._parameters(key)))
            self._skip_space()
        return tuple(items)

    def _parameters(self, key: str) -> dict[str, Scalar]:
        parameters: dict[str, Scalar] = {}
        while self._take(";"):
            name = self._key(f"{key}: a parameter without a name")
            parameters[name] = self._scalar(key) if self._take("=") else True
        return parameters

    def _scalar(self, key: str) -> Scalar:
        self._count()
        string = _STRING.match(self._text, self._position)
        if string is not None:
            self._position = string.end()
            if _UNPRINTABLE.search(string[1]):
                raise _MalformedError(f"{key}: unprintable characters")
            return _ESCAPE.sub(r"\1", string[1])
        bare = _BARE.match(self._text, self._position)
        if bare is None:
            raise _MalformedError(f"{key}: no value")
        self._position = bare.end()
        return self._bare(key, bare[0])

    def _bare(self, key: str, text: str) -> Scalar:
        if text in _BOOLEANS:
            return _BOOLEANS[text]
        number = _NUMBER.fullmatch(text)
        if number is not None:
            return int(text) if number[1] is None else float(text)
        if text in _WORDS:
            self._faults.append(f"{key}: a flag is the key alone")
            return _WORDS[text]
        if _UNPRINTABLE.search(text):
            raise _MalformedError(f"{key}: unprintable characters")
        if _TOKEN.fullmatch(text) is None:
            self._faults.append(f"{key}: a string without quotes")
        return text

    def _key(self, fault: str) -> str:
        self._count()
        self._skip_space()
        match = _KEY.match(self._text, self._position)
        if match is None:
            raise _MalformedError(fault)
        self._position = match.end()
        return match[0]

    def _count(self) -> None:
        if self._parts == MAX_PARTS:
            self._position = len(self._text)
            raise _MalformedError(_TOO_MANY)
        self._parts += 1

    def _take(self, character: str) -> bool:
        taken = self._text.startswith(character, self._position)
        self._position += taken
        return taken

    def _skip_space(self) -> None:
        while self._text.startswith((" ", "\t"), self._position):
            self._position += 1


def _is_scalar(given: object) -> bool:
    if isinstance(given, str):
        return _UNPRINTABLE.search(given) is None
    return isinstance(given, bool | int | float) and abs(given) < _TOO_MUCH
