"""Which MPDs cannot be played, and which break rules that players tolerate?

An MPD is refused when no player finds anything to play in it (E1). All else is served, with faults
for what some player refuses, ignores or reads differently: dash.js 5.2, Shaka 5.2 and media3 1.11.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from operator import attrgetter

from manifests.dash.document import NAMESPACE, XLINK_HREF, Document, Element
from manifests.dash.model import (
    SET_SWITCHING,
    AdaptationSet,
    Mpd,
    Period,
    Representation,
    listed,
)
from manifests.fault import Fault

MAX_FAULTS = 1000
"""The most faults of one MPD that are listed."""

# The order of children (23009-1 5.3, and its schema). What is not listed may stand anywhere.
_ORDERS: Mapping[str, Sequence[str]] = {
    "MPD": (
        *("ProgramInformation", "BaseURL", "Location", "PatchLocation", "ServiceDescription"),
        *("InitializationSet", "InitializationGroup", "InitializationPresentation"),
        *("ContentProtection", "Period", "Metrics", "EssentialProperty", "SupplementalProperty"),
        *("UTCTiming", "LeapSecondInformation"),
    ),
    "Period": (
        *("BaseURL", "SegmentBase", "SegmentList", "SegmentTemplate", "AssetIdentifier"),
        *("EventStream", "ServiceDescription", "ContentProtection", "AdaptationSet", "Subset"),
        *("SupplementalProperty", "EmptyAdaptationSet", "GroupLabel", "Preselection"),
    ),
    "AdaptationSet": (
        *("FramePacking", "AudioChannelConfiguration", "ContentProtection", "OutputProtection"),
        *("EssentialProperty", "SupplementalProperty", "InbandEventStream", "Switching"),
        *("RandomAccess", "GroupLabel", "Label", "ProducerReferenceTime"),
        *("ContentPopularityRate", "Resync", "Accessibility", "Role", "Rating", "Viewpoint"),
        *("ContentComponent", "BaseURL", "SegmentBase", "SegmentList", "SegmentTemplate"),
        "Representation",
    ),
    "Representation": (
        *("FramePacking", "AudioChannelConfiguration", "ContentProtection", "OutputProtection"),
        *("EssentialProperty", "SupplementalProperty", "InbandEventStream", "Switching"),
        *("RandomAccess", "GroupLabel", "Label", "ProducerReferenceTime"),
        *("ContentPopularityRate", "Resync", "BaseURL", "ExtendedBandwidth"),
        *("SubRepresentation", "SegmentBase", "SegmentList", "SegmentTemplate"),
    ),
}
_POSITIONS = {
    parent: {name: position for position, name in enumerate(order)}
    for parent, order in _ORDERS.items()
}
_DESCRIPTORS = frozenset(
    {
        *("Accessibility", "AudioChannelConfiguration", "ContentProtection", "EssentialProperty"),
        *("EventStream", "FramePacking", "InbandEventStream", "Rating", "Role"),
        *("SupplementalProperty", "UTCTiming", "Viewpoint"),
    }
)


def check(mpd: Mpd) -> tuple[Fault, ...]:
    """The faults of an MPD by line, at most ``MAX_FAULTS``. Raises ManifestError when nothing in it
    can be played (E1)."""
    _playable(mpd)
    return tuple(sorted(islice(_faults(mpd), MAX_FAULTS), key=attrgetter("line")))


def _playable(mpd: Mpd) -> None:
    document, root = mpd.document, mpd.root
    if not mpd.periods:
        raise document.error(root, "E1", "there is no Period")
    # A dynamic MPD may announce Periods before it describes them.
    if mpd.type == "static" and not any(map(_has_media, mpd.periods)):
        raise document.error(root, "E1", "no Period has a Representation")


def _has_media(period: Period) -> bool:
    """True when there is a Representation, or something remote (5.5) that may have one."""
    return period.xlink is not None or any(
        each.representations or XLINK_HREF in each.element.attributes
        for each in period.adaptation_sets
    )


def _faults(mpd: Mpd) -> Iterator[Fault]:
    document = mpd.document
    yield from _names(document)
    yield from _root(mpd)
    yield from _unique(document, [(each.element, each.id) for each in mpd.periods], "MPD")
    for period in mpd.periods:
        if mpd.type == "dynamic" and not period.id:
            yield document.fault(period.element, "E9", "id is missing, in a dynamic MPD")
        yield from _period(document, period)
    yield from _elements(document)


def _elements(document: Document) -> Iterator[Fault]:
    """What each element has to have, whatever it is in (E2, E18)."""
    for element in document.root.walk():
        name = element.name
        if name in _DESCRIPTORS and not element.attributes.get("schemeIdUri"):
            # dash.js stops at an event stream without it; others ignore the element.
            yield document.fault(element, "E18", "schemeIdUri is missing")
        if name in _POSITIONS and element.children:
            yield from _order(document, element, _POSITIONS[name])


def _names(document: Document) -> Iterator[Fault]:
    """Namespaces (E1, E16, G6): no player resolves prefixes as XML does."""
    root = document.root
    for prefix, element in document.unbound.items():
        yield document.fault(element, "E16", f'the prefix "{prefix}" has no namespace')
    if document.namespace != NAMESPACE:
        text = f'the namespace is "{document.namespace}", not {NAMESPACE}'
        yield document.fault(root, "E1", text)
    if ":" in document.markup.tag_name(root.start):
        yield document.fault(root, "G6", "MPD has a prefix: Shaka and media3 refuse it")
    if document.markup.codec in {"ascii", "iso8859-1"} and not document.source.isascii():
        # Shaka and dash.js take all that is not UTF-16 for UTF-8.
        yield document.fault(root, "E16", "the text is neither UTF-8 nor UTF-16")


def _root(mpd: Mpd) -> Iterator[Fault]:
    """What an MPD must say of itself (E1)."""
    document, root = mpd.document, mpd.root
    attributes = root.attributes
    for name in ("profiles", "minBufferTime"):
        if not attributes.get(name):
            yield document.fault(root, "E1", f"{name} is missing")
    kind = attributes.get("type", "static")
    if kind not in {"static", "dynamic"}:
        # Shaka takes every other word for dynamic, media3 and dash.js for static.
        yield document.fault(root, "E1", f'type is "{kind}", neither static nor dynamic')
    if mpd.type == "dynamic":
        for name in ("availabilityStartTime", "publishTime"):
            if not attributes.get(name):
                yield document.fault(root, "E1", f"{name} is missing, in a dynamic MPD")
    elif not attributes.get("mediaPresentationDuration") and not _ends(mpd.periods[-1]):
        # Shaka plays to the end of the segments; dash.js and media3 refuse.
        text = "neither it nor its last Period has a duration, in a static MPD"
        yield document.fault(root, "E1", text)


def _ends(period: Period) -> bool:
    """True when a Period has a duration, or is remote and may have one."""
    return period.xlink is not None or bool(period.element.attributes.get("duration"))


def _period(document: Document, period: Period) -> Iterator[Fault]:
    sets = period.adaptation_sets
    if not sets and period.xlink is None:
        # Shaka refuses the MPD (4004); others skip the Period.
        yield document.fault(period.element, "E1.1", "there is no AdaptationSet")
    yield from _unique(document, [(each.element, each.id) for each in sets], "Period")
    for each in sets:
        if not each.representations and XLINK_HREF not in each.element.attributes:
            # Shaka refuses the MPD (4003), unless the set is of text or thumbnails.
            yield document.fault(each.element, "E1.1", "there is no Representation")
        for representation in each.representations:
            yield from _representation(document, representation)
    representations = [each for found in sets for each in found.representations]
    ids = [(each.element, each.id) for each in representations]
    yield from _unique(document, ids, "Period")
    if not any(XLINK_HREF in each.element.attributes for each in sets):
        yield from _references(document, period, representations)


def _representation(document: Document, representation: Representation) -> Iterator[Fault]:
    """Ids and bandwidths (E9): players go on without, but switch badly or name files wrongly."""
    element = representation.element
    if not representation.id:
        yield document.fault(element, "E9", "id is missing")
    elif representation.id.split() != [representation.id]:
        yield document.fault(element, "E9", f'the id "{representation.id}" has white space')
    if representation.bandwidth is None:
        stated = element.attributes.get("bandwidth")
        text = "bandwidth is missing" if stated is None else f'bandwidth is "{stated}", no number'
        yield document.fault(element, "E9.1", text)
    if not representation.mime_type:
        yield document.fault(element, "E9.2", "neither it nor its AdaptationSet has mimeType")


def _unique(
    document: Document, found: Iterable[tuple[Element, str]], scope: str
) -> Iterator[Fault]:
    """Ids are given once (E9). Shaka refuses a dynamic MPD that repeats a Representation's."""
    seen: set[str] = set()
    for element, name in found:
        if name in seen:
            yield document.fault(element, "E9", f'the id "{name}" is given twice in its {scope}')
        elif name:
            seen.add(name)


def _references(
    document: Document, period: Period, representations: Sequence[Representation]
) -> Iterator[Fault]:
    """What is referred to exists (E7). Players ignore a reference to nothing."""
    sets = {each.id for each in period.adaptation_sets}
    components = {
        child.attributes.get("id", "")
        for each in period.adaptation_sets
        for child in each.element.all("ContentComponent")
    }
    known = {each.id for each in representations}
    for each in representations:
        if not each.dependency_ids and not each.association_ids:
            continue
        names = (*each.dependency_ids, *each.association_ids)
        yield from _dangling(document, each.element, "Representation", names, known)
    for found in period.adaptation_sets:
        names = (*found.trick_mode_of, *_switched(found))
        yield from _dangling(document, found.element, "AdaptationSet", names, sets)
    for subset in period.subsets:
        contained = subset.attributes.get("contains", "").split()
        yield from _dangling(document, subset, "AdaptationSet", contained, sets)
    for preselection in period.preselections:
        chosen = preselection.attributes.get("preselectionComponents", "").split()
        yield from _dangling(document, preselection, "AdaptationSet", chosen, sets | components)


def _switched(found: AdaptationSet) -> Iterator[str]:
    for each in (*found.essential, *found.supplemental):
        if each.scheme == SET_SWITCHING:
            yield from listed(each.value)


def _dangling(
    document: Document, element: Element, kind: str, names: Iterable[str], known: Container[str]
) -> Iterator[Fault]:
    for name in names:
        if name not in known:
            text = f'it refers to the {kind} "{name}", which does not exist'
            yield document.fault(element, "E7", text)


def _order(document: Document, parent: Element, positions: Mapping[str, int]) -> Iterator[Fault]:
    """Children are in the schema's order (E2); one fault for each parent. media3 reads in order:
    what a Representation inherits has to come before it."""
    last, before = -1, ""
    for child in parent.children:
        position = positions.get(child.name)
        if position is None:
            continue
        if position < last:
            yield document.fault(child, "E2", f"it comes after {before}")
            return
        last, before = position, child.name
