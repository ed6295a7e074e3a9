"""What refers to an AdaptationSet or Representation that goes? (rule E7)

Lists of ids lose those that are gone. An element or attribute whose list is empty then goes itself.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from manifests.dash.document import Document
from manifests.dash.elements import Element
from manifests.dash.filtered import Filtered, without
from manifests.dash.initialization import lost_initialization_sets
from manifests.dash.model import (
    PRESELECTION,
    SET_SWITCHING,
    TRICK_MODE,
    AdaptationSet,
    Mpd,
    Period,
    listed,
)
from manifests.dash.protection import has_references, protections
from manifests.dash.splices import Splice, remove_attribute, remove_element, set_attribute

_LISTS = frozenset(
    {
        TRICK_MODE,
        SET_SWITCHING,
        "urn:mpeg:dash:audio-receiver-mix:2014",
        "tag:dvb.org,2014:dash:fallback_adaptation_set:2014",
        "urn:dvb:dash:fallback_adaptation_set:2014",
    }
)
"""Descriptors whose value is a list of the ids of sets in the same Period."""
_CONTINUED = frozenset(
    {"urn:mpeg:dash:period-continuity:2015", "urn:mpeg:dash:period-connectivity:2015"}
)
"""Descriptors whose value is the id of a Period, in which the set of the same id continues."""


def refers(mpd: Mpd) -> bool:
    """Whether anything in an MPD refers to a set or Representation. Most have nothing, and an MPD
    is filtered for many players."""
    if mpd.refers is None:
        mpd.refers = any(map(_refers, mpd.periods))
    return mpd.refers


def _refers(period: Period) -> bool:
    if period.preselections or period.subsets or period.element.first("GroupLabel") is not None:
        return True
    schemes = _LISTS | _CONTINUED | {PRESELECTION}
    return any(
        "initializationSetRef" in found.element.attributes
        or any(each.scheme in schemes for each in (*found.essential, *found.supplemental))
        or any(each.dependency_ids or each.association_ids for each in found.representations)
        or has_references([found.element, *(each.element for each in found.representations)])
        for found in period.adaptation_sets
    )


def references(document: Document, periods: Sequence[Filtered]) -> Iterator[Splice]:
    """The edits after which nothing refers to what is gone."""
    lost_ids = [each.lost_ids for each in periods]
    lost = {each.period.id: ids for each, ids in zip(periods, lost_ids, strict=True)}
    lost.pop("", None)
    for each, ids in zip(periods, lost_ids, strict=True):
        if each.lost:
            yield from _preselections(document, each, ids)
            yield from _subsets(document, each, ids)
            yield from _descriptors(document, each, ids)
        yield from _continued(document, each, lost)
        yield from _associations(document, each)
        yield from _group_labels(document, each)
    yield from protections(document, periods)
    if any(each.lost for each in periods):
        yield from lost_initialization_sets(document, periods)


def _prune(document: Document, element: Element, name: str, lost: Collection[str]) -> list[Splice]:
    """Remove lost ids from an attribute, and the element when no other is in it."""
    text = element.attributes.get(name, "")
    left = without(text, lost)
    if left is None:
        return []
    if not left:
        return [remove_element(document, element)]
    return [set_attribute(document, element, name, left)]


def _preselections(document: Document, each: Filtered, lost: Collection[str]) -> Iterator[Splice]:
    """A Preselection goes with any of its components (5.3.11): sets, or parts of a multiplex."""
    components = {*lost} | (_components(each.lost) - _components(each.stays))
    components -= {found.id for found in each.stays}
    for element in each.period.preselections:
        if components.intersection(listed(element.attributes.get("preselectionComponents", ""))):
            yield remove_element(document, element)
    for found in each.stays:
        for descriptor in (*found.essential, *found.supplemental):
            if descriptor.scheme == PRESELECTION:
                _, _, names = descriptor.value.partition(",")
                if components.intersection(listed(names)):
                    yield remove_element(document, descriptor.element)


def _components(sets: Iterable[AdaptationSet]) -> set[str]:
    """The ids of ContentComponents."""
    return {
        child.attributes.get("id", "")
        for found in sets
        for child in found.element.children
        if child.name == "ContentComponent"
    }


def _subsets(document: Document, each: Filtered, lost: Collection[str]) -> Iterator[Splice]:
    for element in each.period.subsets:
        yield from _prune(document, element, "contains", lost)


def _descriptors(document: Document, each: Filtered, lost: Collection[str]) -> Iterator[Splice]:
    for found in each.stays:
        for descriptor in (*found.essential, *found.supplemental):
            if descriptor.scheme in _LISTS:
                yield from _prune(document, descriptor.element, "value", lost)


def _continued(
    document: Document, each: Filtered, lost: Mapping[str, Collection[str]]
) -> Iterator[Splice]:
    """A set that continues one of another Period, which is lost there (5.3.2.4)."""
    for found in each.stays:
        for descriptor in (*found.essential, *found.supplemental):
            if descriptor.scheme in _CONTINUED and found.id in lost.get(descriptor.value, ()):
                yield remove_element(document, descriptor.element)


def _associations(document: Document, each: Filtered) -> Iterator[Splice]:
    """@associationId, with the type at the same place in @associationType (5.3.5.2)."""
    having = [found for found in each.representations() if found.association_ids]
    lost = each.lost_representations if having else set[str]()
    for representation in having:
        element, names = representation.element, representation.association_ids
        left = [at for at, name in enumerate(names) if name not in lost]
        if len(left) == len(names):
            continue
        types = element.attributes.get("associationType", "").split()
        lists = {"associationId": list(names), "associationType": types}
        for attribute, items in lists.items():
            if attribute not in element.attributes or (items and len(items) != len(names)):
                continue
            if left:
                text = " ".join([items[at] for at in left])
                yield set_attribute(document, element, attribute, text)
            else:
                yield remove_attribute(document, element, attribute)


def _group_labels(document: Document, each: Filtered) -> Iterator[Splice]:
    """A GroupLabel (5.3.7.2) goes with the last Label of its id."""
    groups = each.period.element.all("GroupLabel")
    if not groups:
        return
    sets = [found.element for found in each.period.adaptation_sets]
    every = [one.element for found in each.period.adaptation_sets for one in found.representations]
    left = [found.element for found in each.stays]
    left += [representation.element for representation in each.representations()]
    lost = _labels([*sets, *every]) - _labels([*each.period.preselections, *left])
    for element in groups:
        if element.attributes.get("id", "0") in lost:
            yield remove_element(document, element)


def _labels(elements: Iterable[Element]) -> set[str]:
    return {
        child.attributes.get("id", "0")
        for element in elements
        for child in element.children
        if child.name == "Label"
    }
