"""Which elements and attributes go when these Representations go?

The caller says which Representations go. AdaptationSets without any left go with them (E6), and so
do trick-mode sets of these. Bounds of the other sets are made true again (E8), and nothing refers
to what is gone (E7). Periods and their event streams stay (E17).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from operator import attrgetter
from typing import Any

from manifests.dash.document import Document
from manifests.dash.filtered import filtered
from manifests.dash.model import AdaptationSet, Mpd, Representation, frame_rate, integer
from manifests.dash.references import references, refers
from manifests.dash.splices import Splice, remove_attribute, remove_element, set_attribute

_Value = float | None
_Read = Callable[[str | None], _Value]
_BOUNDS: Mapping[str, tuple[str, _Read, Callable[[Representation], Any], Callable[..., Any]]] = {
    f"{end}{of[0].upper()}{of[1:]}": (of, read, attrgetter(field), best_of)
    for of, read, field in (
        ("bandwidth", integer, "bandwidth"),
        ("width", integer, "width"),
        ("height", integer, "height"),
        ("frameRate", frame_rate, "frame_rate"),
    )
    for end, best_of in (("min", min), ("max", max))
}
"""What an AdaptationSet may bound (23009-1 5.3.3.2). By the name of the bound: the attribute of
Representations that it bounds, the reader of its values, the value of a Representation, and which
of several values is the bound."""


def filter_splices(mpd: Mpd, gone: Collection[int]) -> list[Splice]:
    """The edits that remove the Representations ``gone``, by their ``index``, and what goes with
    them. None of those that stay may depend on one of these (``needs.py``)."""
    if not gone:
        return []
    document = mpd.document
    periods = [filtered(period, gone) for period in mpd.periods]
    splices = []
    for period in periods:
        splices += [remove_element(document, found.element) for found in period.lost]
        for found, left in zip(period.stays, period.left, strict=True):
            if len(left) < len(found.representations):
                splices += _removals(document, found, gone)
                splices += _bounds(document, found, left)
    if refers(mpd):
        splices += references(document, periods)
    return splices


def _removals(document: Document, found: AdaptationSet, gone: Collection[int]) -> list[Splice]:
    """One edit removes all neighbours that go: nothing is ever inserted between Representations."""
    splices, start, end = [], 0, 0
    for each in found.representations:
        if each.index in gone:
            first, last = document.line_span(each.element)
            if first != end:
                splices.append(Splice(start, end))
                start = first
            end = last
    splices.append(Splice(start, end))
    return splices[1:]


def _bounds(
    document: Document, found: AdaptationSet, left: Sequence[Representation]
) -> list[Splice]:
    """A bound stays as it is written when it is still true. It goes when a value is unknown."""
    element, splices = found.element, []
    attributes = element.attributes
    for bound, (of, read, value_of, best_of) in _BOUNDS.items():
        if bound not in attributes:
            continue
        values = [value_of(each) for each in left]
        if None in values:
            splices.append(remove_attribute(document, element, bound))
            continue
        best = best_of(values)
        if read(attributes[bound]) != best:
            text = _text(found, left[values.index(best)], of)
            if text.isdecimal():  # nothing to escape
                _, start, end = document.attribute_place(element, bound)
                splices.append(Splice(start, end, text))
            else:
                splices.append(set_attribute(document, element, bound, text))
    return splices


def _text(found: AdaptationSet, each: Representation, name: str) -> str:
    """What a Representation states, itself or through its set."""
    own = each.element.attributes.get(name)
    return (found.element.attributes.get(name, "") if own is None else own).strip()
