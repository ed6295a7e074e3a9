"""Which attributes does a tag's attribute list hold, and where do they stand in the line?

Rule A3, read as liberally as players read it: spaces around commas and equals signs, the first of
two equal names (as media3 and Shaka do), an item without ``=`` passed over. Values that cannot be
read, such as one whose quote never ends, count as absent.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

# name=  then a quoted string that a comma or the end follows, or else anything up to a comma.
# The last branch eats an item without "=". No branch can match the same text in two ways for
# long, so the cost is linear in the length of the list.
_ITEM = re.compile(r'([^=,]*)(=)(?:[ \t]*(")([^"]*)"[ \t]*(?=,|$)|([^,]*))|([^=,]+)(?=,|$)')
_QUOTED_VALUE, _PLAIN_VALUE = 4, 5


class AttributeList(NamedTuple):
    """The readable attributes by name in source order, without quotes; for those whose values are
    ``quoted``, where the value starts in the text; and what broke rule A3 as (rule, text)."""

    values: Mapping[str, str]
    quoted: Mapping[str, int]
    faults: tuple[tuple[str, str], ...]


def read_attributes(text: str, start: int = 0) -> AttributeList:
    """Read the attribute list that stands in ``text`` from offset ``start`` to its end.

    Never raises.
    """
    values: dict[str, str] = {}
    quoted: dict[str, int] = {}
    faults: list[tuple[str, str]] = []
    spaces = False
    for match in _ITEM.finditer(text, start):
        raw_name, equals, quote, quoted_value, plain_value, junk = match.groups("")
        if not equals:
            if junk.strip():
                faults.append(("A3.1", "an item without ="))
            continue
        name = raw_name.strip()
        value = quoted_value if quote else plain_value.strip()
        spaces = spaces or name != raw_name or not (quote or value == plain_value)
        if '"' in value:
            faults.append(("A3.3", f"the quotes of {name} do not pair"))
        elif name in values:
            faults.append(("A3.4", f"{name} stands twice"))
        else:
            values[name] = value
            if quote:
                quoted[name] = match.start(_QUOTED_VALUE)
    if spaces:
        faults.append(("A3.1", "spaces in the attribute list"))
    return AttributeList(values, quoted, tuple(faults))


def value_spans(text: str, start: int, name: str) -> Iterator[tuple[int, int]]:
    """Where the values of every attribute called ``name`` stand, as offsets (from, to) in
    ``text``, without quotes and white space around; unreadable ones are left out."""
    for match in _ITEM.finditer(text, start):
        if match[2] and match[1].strip() == name:
            if match[3]:
                yield match.span(_QUOTED_VALUE)
            elif '"' not in match[_PLAIN_VALUE]:
                value = match[_PLAIN_VALUE]
                begin = match.end() - len(value.lstrip())
                yield begin, begin + len(value.strip())


def drop_attributes(text: str, start: int, names: Iterable[str]) -> str:
    """``text`` without the attributes called ``names``; ``start`` is where its list begins.

    What stays is byte-identical; a comma goes with each attribute that leaves.
    """
    gone = frozenset(names)
    kept = [
        match[0]
        for match in _ITEM.finditer(text, start)
        if not match[2] or match[1].strip() not in gone
    ]
    return text[:start] + ",".join(kept)
