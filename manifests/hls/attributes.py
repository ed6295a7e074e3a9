"""Which attributes does a tag's attribute list have, and at which offsets in the line?

The grammar of rule A3, read as tolerantly as players read it: spaces around commas and equals signs
are allowed, the first of two attributes of one name counts (as in media3 and Shaka), and an item
without ``=`` is skipped. A value that cannot be read, such as one whose closing quote is missing,
counts as absent.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

# An attribute is name=value. The value is a quoted string up to a comma or the end of the text, or
# else any text up to a comma. The last branch matches an item without "=". The branches exclude
# each other, so matching takes time linear in the length of the list.
_ITEM = re.compile(r'([^=,]*)=(?:[ \t]*("[^"]*")[ \t]*(?=,|$)|([^,]*))|([^=,]+)(?=,|$)')
_NAME, _QUOTED_VALUE, _PLAIN_VALUE = 1, 2, 3
_LONG = 64 * 1024
"""Characters. In longer lists, items are searched one by one: a single search for all of them holds
the interpreter for a tenth of a second, and no other thread runs meanwhile."""


class AttributeList(NamedTuple):
    """The readable attributes.

    ``values`` by name in source order, without quotes; ``quoted`` the names of those that are
    quoted strings; ``faults`` the violations of rule A3 as (rule, text).
    """

    values: dict[str, str]
    quoted: set[str]
    faults: list[tuple[str, str]]


def read_attributes(text: str, start: int = 0) -> AttributeList:
    """Read the attribute list that begins at offset ``start`` of ``text`` and ends with it.

    Never raises.
    """
    values: dict[str, str] = {}
    quoted: set[str] = set()
    faults: list[tuple[str, str]] = []
    has_spaces = False
    for raw_name, quoted_value, plain_value, junk in _items(text, start):
        if junk:
            if junk.strip():
                faults.append(("A3.1", 'an item has no "="'))
            continue
        name = raw_name.strip()
        value = plain_value.strip()
        if name != raw_name or value != plain_value:
            has_spaces = True
        if '"' in value:
            faults.append(("A3.3", f"{name} has an unpaired quote"))
        elif name in values:
            faults.append(("A3.4", f"{name} is given twice"))
        elif quoted_value:
            values[name] = quoted_value[1:-1]
            quoted.add(name)
        else:
            values[name] = value
    if has_spaces:
        faults.append(("A3.1", "white space in the attribute list"))
    return AttributeList(values, quoted, faults)


def _items(text: str, start: int) -> Iterable[tuple[str, ...]]:
    """The groups of each item; a group that took no part is empty."""
    if len(text) - start <= _LONG:
        return _ITEM.findall(text, start)
    return (found.groups("") for found in _ITEM.finditer(text, start))


def value_spans(text: str, start: int, name: str) -> Iterator[tuple[int, int]]:
    """Yield the offsets (from, to) in ``text`` of the value of every attribute called ``name``.

    The offsets exclude quotes and surrounding white space. Unreadable values are skipped.
    """
    for match in _ITEM.finditer(text, start):
        found = match[_NAME]
        if found is None or found.strip() != name:
            continue
        if match[_QUOTED_VALUE] is not None:
            yield match.start(_QUOTED_VALUE) + 1, match.end(_QUOTED_VALUE) - 1
        elif '"' not in match[_PLAIN_VALUE]:
            value = match[_PLAIN_VALUE]
            begin = match.end() - len(value.lstrip())
            yield begin, begin + len(value.strip())


def append_to_values(text: str, start: int, names: Iterable[str], suffix: str) -> str:
    """``text`` with ``suffix`` behind the value of each attribute called one of ``names``; its
    attribute list begins at ``start``. Empty values stay as they are, and so does the rest, byte
    for byte."""
    spans = sorted(span for name in names for span in value_spans(text, start, name))
    for begin, end in reversed(spans):
        if end > begin:
            text = text[:end] + suffix + text[end:]
    return text


def drop_attributes(text: str, start: int, names: Iterable[str]) -> str:
    """``text`` without the attributes called ``names``; its attribute list begins at ``start``.

    The rest stays byte-identical. Each dropped attribute takes one comma with it.
    """
    dropped = frozenset(names)
    kept = [
        match[0]
        for match in _ITEM.finditer(text, start)
        if match[_NAME] is None or match[_NAME].strip() not in dropped
    ]
    return text[:start] + ",".join(kept)
