"""Which elements and attributes go when these Representations go?

The caller says which Representations go. AdaptationSets without any left go with them (E6), and so
do trick-mode sets of these. Bounds of the other sets are made true again (E8), and nothing refers
to what is gone (E7). Periods and their event streams stay (E17).
"""

from collections.abc import Callable, Collection, Iterator, Sequence

from manifests.dash.document import Document
from manifests.dash.filtered import filtered
from manifests.dash.model import AdaptationSet, Mpd, Representation, frame_rate, integer
from manifests.dash.references import references
from manifests.dash.splices import Splice, remove_attribute, remove_element, set_attribute

_BOUNDS: Sequence[tuple[str, str, Callable[[str | None], float | None]]] = (
    ("Bandwidth", "bandwidth", integer),
    ("Width", "width", integer),
    ("Height", "height", integer),
    ("FrameRate", "frameRate", frame_rate),
)
"""What an AdaptationSet may bound: the end of the bound's name, the attribute of Representations
that it bounds, and the reader of its values (23009-1 5.3.3.2)."""


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
    for name, of, read in _BOUNDS:
        for prefix, bound in (("min", min), ("max", max)):
            stated = found.element.attributes.get(prefix + name)
            if stated is None:
                continue
            texts = [_value(found, each, of) for each in left]
            values = [read(text) for text in texts]
            if None in values:
                yield remove_attribute(document, found.element, prefix + name)
                continue
            best = bound([value for value in values if value is not None])
            if read(stated) != best:
                text = texts[values.index(best)] or ""
                yield set_attribute(document, found.element, prefix + name, text.strip())


def _value(found: AdaptationSet, each: Representation, name: str) -> str | None:
    """What a Representation states, itself or through its set."""
    own = each.element.attributes.get(name)
    return found.element.attributes.get(name) if own is None else own
