"""Which attributes does a tag's attribute list hold, and where do they stand in the line?

Rule A3, read as liberally as players read it: spaces around commas and equals signs, the first of
two equal names (as media3 and Shaka do), an item without ``=`` passed over. Values that cannot be
read, such as one whose quote never ends, count as absent.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

# name=  then a quoted string that a comma or the end follows, or else anything up to a comma.
# The last branch eats an item without "=". No branch can match the same text in two ways for
# long, so the cost is linear in the length of the list.
_ITEM = re.compile(r'([^=,]*)=(?:[ \t]*"([^"]*)"[ \t]*(?=,|$)|([^,]*))|[^=,]+(?=,|$)')


class Attribute(NamedTuple):
    """One attribute as it stands; ``start`` and ``end`` bound the value, without its quotes."""

    name: str
    value: str
    quoted: bool
    start: int
    end: int


class AttributeList(NamedTuple):
    """The readable attributes in source order, and what broke rule A3 as (rule, text)."""

    items: tuple[Attribute, ...]
    faults: tuple[tuple[str, str], ...]


def read_attributes(text: str, start: int = 0) -> AttributeList:
    """Read the attribute list that stands in ``text`` from offset ``start`` to its end.

    Offsets of the answer count from the beginning of ``text``. Never raises.
    """
    items: list[Attribute] = []
    faults: list[tuple[str, str]] = []
    seen: set[str] = set()
    spaces = False
    for match in _ITEM.finditer(text, start):
        raw_name, quoted_value, plain_value = match.groups()
        if raw_name is None:
            if match[0].strip():
                faults.append(("A3.1", "an item without ="))
            continue
        name = raw_name.strip()
        spaces = spaces or name != raw_name
        if quoted_value is not None:
            attribute = Attribute(name, quoted_value, True, match.start(2), match.end(2))
        elif '"' in plain_value:
            faults.append(("A3.3", f"the quotes of {name} do not pair"))
            continue
        else:
            value = plain_value.strip()
            spaces = spaces or value != plain_value
            begin = match.start(3) + len(plain_value) - len(plain_value.lstrip())
            attribute = Attribute(name, value, False, begin, begin + len(value))
        if name in seen:
            faults.append(("A3.4", f"{name} stands twice"))
        seen.add(name)
        items.append(attribute)
    if spaces:
        faults.append(("A3.1", "spaces in the attribute list"))
    return AttributeList(tuple(items), tuple(faults))


def drop_attributes(text: str, start: int, names: Iterable[str]) -> str:
    """``text`` without the attributes called ``names``; ``start`` is where its list begins.

    What stays is byte-identical; a comma goes with each attribute that leaves.
    """
    gone = frozenset(names)
    kept = [
        match[0]
        for match in _ITEM.finditer(text, start)
        if match[1] is None or match[1].strip() not in gone
    ]
    return text[:start] + ",".join(kept)
