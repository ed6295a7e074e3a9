"""Which elements and attributes go when these Representations go?

The caller says which Representations go. AdaptationSets without any left go with them (E6), and so
do trick-mode sets of these. Bounds of the other sets are made true again (E8), and nothing refers
to what is gone (E7). Periods and their event streams stay (E17).
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from operator import attrgetter

from manifests.dash.document import Document
from manifests.dash.filtered import filtered
from manifests.dash.model import AdaptationSet, Mpd, Representation, frame_rate, integer
from manifests.dash.references import references
from manifests.dash.splices import Splice, remove_attribute, remove_element, set_attribute

_Value = float | None
_BOUNDS: Sequence[
    tuple[str, str, Callable[[str | None], _Value], Callable[[Representation], _Value]]
] = (
    ("Bandwidth", "bandwidth", integer, attrgetter("bandwidth")),
    ("Width", "width", integer, attrgetter("width")),
    ("Height", "height", integer, attrgetter("height")),
    ("FrameRate", "frameRate", frame_rate, attrgetter("frame_rate")),
)
"""What an AdaptationSet may bound (23009-1 5.3.3.2): the end of the bound's name, the attribute of
Representations that it bounds, the reader of its values, and the value of a Representation."""


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
        for found in period.stays:
            splices += _representations(document, found, gone)
    splices += references(document, periods)
    return splices


def _representations(
    document: Document, found: AdaptationSet, gone: Collection[int]
) -> Iterator[Splice]:
    """Remove the Representations of a set that stays, and correct its bounds (E8)."""
    left = [each for each in found.representations if each.index not in gone]
    if len(left) == len(found.representations):
        return
    for each in found.representations:
        if each.index in gone:
            yield remove_element(document, each.element)
    yield from _bounds(document, found, left)


def _bounds(
    document: Document, found: AdaptationSet, left: Sequence[Representation]
) -> Iterator[Splice]:
    """A bound stays as it is written when it is still true. It goes when a value is unknown."""
    attributes = found.element.attributes
    for name, of, read, value_of in _BOUNDS:
        if f"min{name}" not in attributes and f"max{name}" not in attributes:
            continue
        values = list(map(value_of, left))
        known = [value for value in values if value is not None]
        for bound, extreme in ((f"min{name}", min), (f"max{name}", max)):
            if bound not in attributes:
                continue
            if len(known) < len(values):
                yield remove_attribute(document, found.element, bound)
            elif read(attributes[bound]) != (best := extreme(known)):
                text = _text(found, left[values.index(best)], of)
                yield set_attribute(document, found.element, bound, text)


def _text(found: AdaptationSet, each: Representation, name: str) -> str:
    """What a Representation states, itself or through its set."""
    own = each.element.attributes.get(name)
    return (found.element.attributes.get(name, "") if own is None else own).strip()
