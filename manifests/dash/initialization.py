"""Which InitializationSets go with AdaptationSets? (23009-1 5.3.12, rule E7)

A player sets its decoders up for an InitializationSet, before it plays the first Period.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence

from manifests.dash.document import Document
from manifests.dash.filtered import Filtered, without
from manifests.dash.model import AdaptationSet
from manifests.dash.splices import Splice, remove_attribute, remove_element, set_attribute, set_text


def lost_initialization_sets(document: Document, periods: Sequence[Filtered]) -> Iterator[Splice]:
    """One goes when a Period in which it has to be has lost its sets, or when no set of any Period
    refers to it any more. What refers to it goes as well."""
    before = [_referred(each.period.adaptation_sets) for each in periods]
    after = [_referred(each.stays) for each in periods]
    if before == after:
        return
    missing = set[str]().union(*[names - left for names, left in zip(before, after, strict=True)])
    left_somewhere = set[str]().union(*after)
    lost = set()
    for element in document.root.all("InitializationSet"):
        name = element.attributes.get("id", "")
        everywhere = element.attributes.get("inAllPeriods", "true") not in {"false", "0"}
        if name in missing and (everywhere or name not in left_somewhere):
            lost.add(name)
            yield remove_element(document, element)
    if lost:
        yield from _references(document, periods, lost)
        yield from _groups(document, lost)


def _referred(sets: Iterable[AdaptationSet]) -> set[str]:
    """The ids of the InitializationSets that these sets refer to."""
    return {
        name
        for found in sets
        for name in found.element.attributes.get("initializationSetRef", "").split()
    }


def _references(
    document: Document, periods: Iterable[Filtered], lost: Collection[str]
) -> Iterator[Splice]:
    for found in [found for each in periods for found in each.stays]:
        left = without(found.element.attributes.get("initializationSetRef", ""), lost)
        if left:
            yield set_attribute(document, found.element, "initializationSetRef", left)
        elif left is not None:
            yield remove_attribute(document, found.element, "initializationSetRef")


def _groups(document: Document, lost: Collection[str]) -> Iterator[Splice]:
    """An InitializationGroup lists InitializationSets, an InitializationPresentation groups."""
    for name in ("InitializationGroup", "InitializationPresentation"):
        gone = set()
        for element in document.root.all(name):
            left = without(element.text, lost)
            if left:
                yield set_text(element, left)
            elif left is not None:
                gone.add(element.attributes.get("id", ""))
                yield remove_element(document, element)
        lost = gone
