"""An MPD as it was read: its bytes, and its elements with their places in them.

Nothing is ever serialised again: edits are splices of the source (``splices.py``).
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from itertools import pairwise
from operator import attrgetter

from manifests.dash.elements import XLINK, Element, TreeReader
from manifests.dash.markup import Markup, is_declaration
from manifests.fault import Fault, ManifestError

__all__ = ["DEFAULT_MAX_BYTES", "NAMESPACE", "XLINK_HREF", "Document", "Element", "read"]

DEFAULT_MAX_BYTES = 2_000_000
NAMESPACE = "urn:mpeg:dash:schema:mpd:2011"
XLINK_HREF = f"{{{XLINK}}}href"
_start_of = attrgetter("start")


class Document:
    """An MPD's bytes and the tree of its elements; ``name`` is what errors call it.

    ``namespace`` is the root's. ``unbound`` has the prefixes that no namespace is bound to, with
    the first element that has each.
    """

    __slots__ = (
        *("_lines", "_places", "_siblings"),
        *("markup", "name", "namespace", "root", "unbound"),
    )

    def __init__(self, name: str, markup: Markup, tree: TreeReader) -> None:
        self.name = name
        self.markup = markup
        self.root = tree.root
        self.namespace = tree.namespace
        self.unbound: Mapping[str, Element] = tree.unbound
        self._siblings: dict[int, dict[str, list[int]]] = {}  # starts by parent and name
        # One MPD is edited for many players: what was found in its bytes is kept.
        self._lines: dict[int, tuple[int, int]] = {}
        self._places: dict[tuple[int, str], tuple[int, int, int]] = {}

    @property
    def source(self) -> bytes:
        """The bytes that were read."""
        return self.markup.source

    def ancestors(self, element: Element) -> list[Element]:
        """The elements around ``element``, the root first."""
        found: list[Element] = []
        at = self.root
        while at is not element:
            found.append(at)
            position = bisect_right(at.children, element.start, key=_start_of) - 1
            if position < 0:
                raise ValueError(f"{element!r} is not in this document")
            at = at.children[position]
        return found

    def path(self, element: Element) -> str:
        """``MPD/Period[2]/AdaptationSet[1]``. Positions count siblings of the same name from 1."""
        chain = [*self.ancestors(element), element]
        steps = [self.root.name]
        for parent, child in pairwise(chain):
            if parent.start not in self._siblings:
                by_name: dict[str, list[int]] = {}
                for each in parent.children:
                    by_name.setdefault(each.name, []).append(each.start)
                self._siblings[parent.start] = by_name
            same = self._siblings[parent.start][child.name]
            steps.append(f"{child.name}[{bisect_right(same, child.start)}]")
        return "/".join(steps)

    def attribute_span(self, element: Element, name: str) -> tuple[int, int]:
        """Where the value of an attribute stands, without its quotes. KeyError when absent."""
        _, start, end = self.attribute_place(element, name)
        return start, end

    def attribute_place(self, element: Element, name: str) -> tuple[int, int, int]:
        """The offset of the white space before an attribute, and :meth:`attribute_span`."""
        found = self._places.get((element.start, name))
        if found is None:
            found = self._places[element.start, name] = self._attribute_place(element, name)
        return found

    def line_span(self, element: Element) -> tuple[int, int]:
        """Where an element stands, with its line when nothing else is on it."""
        found = self._lines.get(element.start)
        if found is None:
            found = self._lines[element.start] = self._line_span(element)
        return found

    def _line_span(self, element: Element) -> tuple[int, int]:
        markup, start, end = self.markup, element.start, element.end
        indentation = markup.indentation(start)
        if indentation and markup.ends_its_line(end):
            start -= len(indentation) * markup.width
        return start, end

    def _attribute_place(self, element: Element, name: str) -> tuple[int, int, int]:
        for known, _, before, start, end in self.written_attributes(element):
            if known == name:
                return before, start, end
        raise KeyError(name)

    def written_attributes(self, element: Element) -> Iterator[tuple[str, str, int, int, int]]:
        """The attributes in an element's start tag, in order: the resolved name ("" of a namespace
        declaration), and what :meth:`Markup.attributes` has."""
        resolved = iter(element.attributes)  # in the same order, without the declarations
        for raw, before, start, end in self.markup.attributes(element.start):
            yield "" if is_declaration(raw) else next(resolved), raw, before, start, end

    def fault(self, element: Element, rule: str, text: str) -> Fault:
        """A fault of this element."""
        return Fault(element.line, rule, text, self.path(element))

    def error(self, element: Element, rule: str, problem: str) -> ManifestError:
        """The reason why this element keeps the MPD from being served."""
        return ManifestError(self.name, element.line, rule, problem, self.path(element))


def read(data: bytes, name: str = "mpd", max_bytes: int = DEFAULT_MAX_BYTES) -> Document:
    """Read an MPD (23009-1 5.3.1) as XML 1.0; errors call it ``name``.

    Encodings are UTF-8, UTF-16, ISO-8859-1 and US-ASCII. Raises ManifestError when it is not
    well-formed, has a DOCTYPE, or is beyond the bounds (E16, F13), and when its root is not MPD
    (E1).
    """
    if len(data) > max_bytes:
        raise ManifestError(name, None, "F13", f"larger than {max_bytes} bytes")
    try:
        markup = Markup(data)
    except UnicodeDecodeError as error:
        reason = "the text is not UTF-16, or does not start with a byte order mark or markup"
        raise ManifestError(name, None, "E16", reason) from error
    reader = TreeReader(name, markup)
    reader.read()
    return Document(name, markup, reader)
