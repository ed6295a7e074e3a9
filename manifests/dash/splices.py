"""How do edits of an MPD become bytes? All at once, so that every other byte stays (E15).

Each function gives a :class:`Splice` and changes nothing; ``apply`` does all of them. Values and
texts are escaped here, so callers give them as they are.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from manifests.dash.document import Document, Element
from manifests.dash.markup import escape_text, escape_value


class Splice(NamedTuple):  # an answer has dozens, and frozen dataclasses take long to make
    """Puts ``text``, which is escaped markup, in the place of the source's bytes from ``start`` to
    ``end``. An insertion has ``start == end``, a removal has no text."""

    start: int
    end: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class NewElement:
    """An element to insert. ``name`` is local: it gets the prefix of the MPD's namespace there.

    Attributes and text are not escaped yet. ``None`` as a value leaves the attribute out.
    """

    name: str
    attributes: Mapping[str, str | None] = field(default_factory=dict)
    text: str = ""


def apply(document: Document, splices: Iterable[Splice]) -> bytes:
    """The source with all splices applied; without any it is the source itself.

    Insertions at one place keep their order. What lies within a removal goes with it, so that an
    element may be edited and also removed; insertions at either end of a removal stay. Raises
    ValueError when splices overlap otherwise: one part of the gateway undoes what another did.
    """
    source, encode = document.source, document.markup.encode
    pieces: list[bytes] = []
    done, removed_to = 0, 0
    for splice in sorted(splices, key=_order):
        if splice.start < done:
            if splice.end <= removed_to:
                continue
            raise ValueError(f"the splice at bytes {splice.start} to {splice.end} overlaps another")
        if not splice.start <= splice.end <= len(source):
            raise ValueError(f"bytes {splice.start} to {splice.end} are not in the document")
        pieces.append(source[done : splice.start])
        if splice.text:
            pieces.append(encode(splice.text))
        else:
            removed_to = splice.end
        done = splice.end
    pieces.append(source[done:])
    return b"".join(pieces) if len(pieces) > 1 else source


def _order(splice: Splice) -> tuple[int, bool, int]:
    """Insertions come before what is replaced from there on, and longer removals first."""
    return splice.start, splice.end > splice.start, -splice.end


def set_attribute(document: Document, element: Element, name: str, value: str) -> Splice:
    """Give an attribute a value, between the quotes that it has; a new one comes last in its tag.

    A new attribute has no namespace.
    """
    markup = document.markup
    if name in element.attributes:
        start, end = document.attribute_span(element, name)
        return Splice(start, end, escape_value(value, markup.quote(end)))
    existing = markup.attributes(element.start)
    # The offset after the last attribute's closing quote, else after the element's name.
    at = existing[-1][3] + markup.width if existing else markup.name_end(element.start)
    return Splice(at, at, f' {name}="{escape_value(value)}"')


def remove_attribute(document: Document, element: Element, name: str) -> Splice:
    """Remove an attribute and the white space before it. KeyError when it is absent."""
    before, _, end = document.attribute_place(element, name)
    return Splice(before, end + document.markup.width)


def set_text(element: Element, text: str) -> Splice:
    """Give an element this character data in the place of all its content.

    Raises ValueError for an empty-element tag: it has no place for text.
    """
    if element.is_empty:
        raise ValueError(f"{element!r} is an empty-element tag")
    return Splice(element.head_end, element.tail_start, escape_text(text))


def remove_element(document: Document, element: Element) -> Splice:
    """Remove an element, and its line when nothing else is on it."""
    return Splice(*document.line_span(element))


def insert_before(document: Document, element: Element, new: NewElement) -> Splice:
    """Insert an element before another, with the same indentation."""
    indentation = document.markup.indentation(element.start)
    at = element.start - len(indentation) * document.markup.width
    return Splice(at, at, indentation + _written(document, _parent(document, element), new))


def insert_after(document: Document, element: Element, new: NewElement) -> Splice:
    """Insert an element after another, with the same indentation."""
    indentation = document.markup.indentation(element.start)
    at = element.end
    return Splice(at, at, indentation + _written(document, _parent(document, element), new))


def _parent(document: Document, element: Element) -> Element:
    return document.ancestors(element)[-1]


def _written(document: Document, parent: Element, new: NewElement) -> str:
    """The markup of a new child of ``parent``, whose own prefix is bound for its content too."""
    prefix, colon, _ = document.markup.tag_name(parent.start).rpartition(":")
    name = f"{prefix}{colon}{new.name}"
    attributes = "".join(
        f' {key}="{escape_value(value)}"'
        for key, value in new.attributes.items()
        if value is not None
    )
    if not new.text:
        return f"<{name}{attributes}/>"
    return f"<{name}{attributes}>{escape_text(new.text)}</{name}>"
