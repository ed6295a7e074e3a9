"""What do only some Representations of a Period serve? Names for ``Rung.serves``.

Another role, camera, tile or language shows something else. A player cannot decrypt what is
encrypted for key systems that it lacks. Some events may be in some Representations alone (rules
E6, E17).
"""

from collections.abc import Sequence

from gateway.play.dash.entries import Entry
from manifests.dash.elements import Element
from manifests.dash.model import Period

_NOTHING: frozenset[str] = frozenset()
_MAX_SYSTEMS = 32
"""The most key systems of a Period; with more, which do not exist, encryption is not looked at."""
_MAX_EVENTS = 64
"""With more kinds of inband events in a Period, these are not looked at: each entry would name all
of its own."""


def serves_of(period: Period, entries: Sequence[Entry]) -> list[frozenset[str]]:
    """What each of ``entries``, which are all of this Period, serves that not all of them do."""
    views, events = _views(entries), _events(period, entries)
    return [mine | carried for mine, carried in zip(views, events, strict=True)]


def _views(entries: Sequence[Entry]) -> list[frozenset[str]]:
    """What is seen, and by players with which key systems: clear media by all players."""
    keys = [(entry.shows, entry.traits.systems) for entry in entries]
    pictures = {shows for shows, _ in keys}
    protections = {systems for _, systems in keys}
    every = {"no encryption"}.union(*protections)
    if len(every) > _MAX_SYSTEMS:
        protections = set()
    names: dict[tuple[str, frozenset[str]], frozenset[str]] = {}
    for shows, systems in set(keys):
        picture = (shows or "the main picture") if len(pictures) > 1 else ""
        if len(protections) <= 1:
            found = [picture] if picture else []
        else:
            players = [f"key system {name}" for name in systems or every]
            found = [f"{picture} for {player}" if picture else player for player in players]
        names[shows, systems] = frozenset(found)
    return [names[key] for key in keys]


def _events(period: Period, entries: Sequence[Entry]) -> list[frozenset[str]]:
    """The inband events that not all of the entries carry, and nothing else in the Period."""
    shared = {element: _inband(element) for element in {entry.of.element for entry in entries}}
    own = [_inband(entry.representation.element) for entry in entries]
    some = _NOTHING.union(*shared.values(), *own)
    if not some or len(some) > _MAX_EVENTS:
        return [_NOTHING] * len(entries)
    carried = [shared[entry.of.element] | mine for entry, mine in zip(entries, own, strict=True)]
    ladder = {entry.of.element.start for entry in entries}
    for found in period.adaptation_sets:
        if found.element.start not in ladder and not found.is_trick_mode:
            parts = (found.element, *(each.element for each in found.representations))
            some = some.difference(*map(_inband, parts))
    some -= frozenset.intersection(*carried)
    return [events & some for events in carried]


def _inband(element: Element) -> frozenset[str]:
    """The schemes and values of the events that an element says to be in its segments (5.10.3)."""
    return frozenset(
        [
            f"events {child.attributes.get('schemeIdUri', '')} {child.attributes.get('value', '')}"
            for child in element.children
            if child.name == "InbandEventStream"
        ]
    )
