"""What decides whether a player plays a Representation, and what does a viewer see of it?

Encryption, outputs, and properties that a player has to know; roles, cameras, tiles and languages.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from manifests.dash.elements import Element
from manifests.dash.model import (
    PRESELECTION,
    SET_SWITCHING,
    THUMBNAILS,
    TRICK_MODE,
    AdaptationSet,
    Mpd,
    Representation,
)

_TRAITS = frozenset(
    {
        *("ContentProtection", "OutputProtection", "FramePacking"),
        *("EssentialProperty", "SupplementalProperty"),
    }
)
_KNOWN_PROPERTIES = THUMBNAILS | {
    TRICK_MODE,
    SET_SWITCHING,
    PRESELECTION,
    "urn:mpeg:dash:urlparam:2014",
    "urn:mpeg:dash:urlparam:2016",
}
"""The schemes of EssentialProperty that video players know, besides those of colour. A player
ignores a set with another one (23009-1 5.8.4.8)."""
_ROLE = "urn:mpeg:dash:role:2011"
_CICP = "urn:mpeg:mpegb:cicp:"
_OMAF = "urn:mpeg:mpegi:omaf:"
_TILE = "urn:mpeg:dash:srd:2014"
_COMMON_ENCRYPTION = "urn:mpeg:dash:mp4protection:2011"
_MAX_LAYERS = 8
"""The most Representations that one depends on. The codecs of further ones are not looked at."""
_MAX_PROPERTIES = 64
"""How many properties of a set, and of a Representation, are looked at: those of a set count for
each of its Representations."""
_FLAT_PACKING = "6"
"""The FramePacking of video that is not stereoscopic (ISO/IEC 14496-10, table D-8)."""


class Traits(NamedTuple):
    """What a player needs for a Representation.

    ``systems`` are the key systems that decrypt it, empty for clear media, as in ``edef8ba9-…
    (cenc)``. ``outputs`` are the protections of outputs that it needs. ``is_skippable``: players
    ignore it, because of an EssentialProperty.
    """

    systems: frozenset[str]
    outputs: frozenset[str]
    is_immersive: bool
    is_skippable: bool


@dataclass(slots=True, eq=False)
class Entry:
    """A Representation of the ladder, and the set that it is ``of``.

    ``codecs`` are those of the Representation and of all that it depends on. ``shows`` names what a
    viewer sees: a role, a camera, a tile, a language; "" is the main picture.
    """

    representation: Representation
    of: AdaptationSet
    bandwidth: int
    codecs: tuple[str, ...]
    shows: str
    traits: Traits


def entries_of(sets: Sequence[AdaptationSet], protections: Mapping[str, Element]) -> list[Entry]:
    """The Representations of these sets of one Period, in their order. One without @bandwidth is
    left out (E9). ``protections`` are those of the MPD (:func:`protections_of`)."""
    by_id = {each.id: each for found in sets for each in found.representations}
    entries = []
    for number, found in enumerate(sets, start=1):
        # Sets of audio or text have a language, a codec and a channel layout of their own.
        shows = _shown(found) if found.content_type == "video" else f"set {number}"
        properties = _properties(found.element)
        shared = _traits(properties, protections)
        for each in found.representations:
            if each.bandwidth is None:
                continue
            own = _properties(each.element)
            entries.append(
                Entry(
                    representation=each,
                    of=found,
                    bandwidth=each.bandwidth,
                    codecs=_all_codecs(each, by_id) if each.dependency_ids else each.codecs,
                    shows=shows,
                    traits=_traits([*properties, *own], protections) if own else shared,
                )
            )
    return entries


def protections_of(mpd: Mpd) -> Mapping[str, Element]:
    """The ContentProtection descriptors that others may refer to, by their @refId (23009-1
    5.8.4.1). They may be anywhere in the MPD."""
    every = [mpd.root]
    for period in mpd.periods:
        every.append(period.element)
        for found in period.adaptation_sets:
            every += [found.element, *(each.element for each in found.representations)]
    return {
        child.attributes["refId"]: child
        for element in every
        for child in element.children
        if child.name == "ContentProtection" and "refId" in child.attributes
    }


def _all_codecs(each: Representation, by_id: Mapping[str, Representation]) -> tuple[str, ...]:
    """The codecs of a Representation and of all that it depends on, each once."""
    codecs: dict[str, None] = {}
    waiting, seen = [each], {each.index}
    while waiting:
        found = waiting.pop()
        codecs.update(dict.fromkeys(found.codecs))
        for name in found.dependency_ids[:_MAX_LAYERS]:
            base = by_id.get(name)
            if base is not None and base.index not in seen and len(seen) < _MAX_LAYERS:
                seen.add(base.index)
                waiting.append(base)
    return tuple(codecs)


def _shown(found: AdaptationSet) -> str:
    """``role sign, camera 2``; "" is the main picture. Packagers give the main role to one set of
    several, or to none."""
    names = [f"role {role}" for role in sorted(set(found.roles) - {"main", ""})]
    languages = {found.lang}
    for child in found.element.children:
        value = child.attributes.get("value", "")
        if child.name == "Viewpoint":
            names.append(f"camera {value}")
        elif child.name == "Accessibility" and child.attributes.get("schemeIdUri") == _ROLE:
            names.append(f"accessibility {value}")
        elif child.name == "ContentComponent":
            languages.add(child.attributes.get("lang", ""))
        elif child.name in _TRAITS and child.attributes.get("schemeIdUri") == _TILE:
            names.append(f"tile {value}")
    names += [f"language {name}" for name in sorted(languages - {"", "und"})]
    return ", ".join(names)


def _properties(element: Element) -> list[Element]:
    found = (child for child in element.children if child.name in _TRAITS)
    return list(islice(found, _MAX_PROPERTIES))


def _traits(properties: Iterable[Element], known: Mapping[str, Element]) -> Traits:
    """The traits that the properties of a set, and perhaps of its Representation, give together."""
    protections: list[str] = []
    encryption = ""
    outputs: set[str] = set()
    is_immersive = is_skippable = False
    for child in properties:
        said = child.attributes
        scheme, value = said.get("schemeIdUri"), said.get("value")
        if "ref" in said and said["ref"] in known:  # members that it lacks are taken from there
            there = known[said["ref"]].attributes
            scheme = scheme or there.get("schemeIdUri")
            value = value or there.get("value")
        scheme, value = (scheme or "").lower(), value or ""
        if child.name == "ContentProtection":
            if scheme == _COMMON_ENCRYPTION:
                encryption = value
            else:
                protections.append(scheme.removeprefix("urn:uuid:"))
        elif child.name == "OutputProtection":
            outputs.add(f"{scheme} {value}")
        elif child.name == "FramePacking":
            is_immersive = is_immersive or value != _FLAT_PACKING
        else:
            is_immersive = is_immersive or scheme.startswith(_OMAF)
            if child.name == "EssentialProperty" and not scheme.startswith(_CICP):
                is_skippable = is_skippable or scheme not in _KNOWN_PROPERTIES
    if encryption and not protections:
        protections.append("common encryption")
    suffix = f" ({encryption})" if encryption else ""
    systems = frozenset([f"{name}{suffix}" for name in protections])
    return Traits(systems, frozenset(outputs), is_immersive, is_skippable)
