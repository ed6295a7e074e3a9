"""Which elements does an MPD have, and where in its bytes are they?

expat reads the bytes once, and an :class:`Element` is kept for what the gateway may look at or
edit. Input is hostile: there is no DTD, hence no entities, and depth and sizes are bounded (E16,
F13).
"""

from collections.abc import Iterator, Mapping
from xml.parsers import expat

from manifests.dash.markup import Markup
from manifests.fault import ManifestError

MAX_DEPTH = 64
MAX_ELEMENTS = 50_000
MAX_ATTRIBUTES = 250_000
"""Both count what has an :class:`Element`: a SegmentTimeline may be as long as the bytes allow."""

# Attributes of nearly every MPD. They have no prefix, which need not be found out again.
_PLAIN = frozenset(
    {
        *("audioSamplingRate", "availabilityStartTime", "bandwidth", "codecs", "contentType"),
        *("duration", "frameRate", "height", "id", "initialization", "lang", "maxHeight"),
        *("maxWidth", "media", "mediaPresentationDuration", "mimeType", "minBufferTime", "par"),
        *("profiles", "publishTime", "sar", "schemeIdUri", "scanType", "segmentAlignment"),
        *("start", "startNumber", "startWithSAP", "timescale", "type", "value", "width"),
    }
)
_OPAQUE = frozenset({"SegmentTimeline", "EventStream"})
_XML = {"xml": "http://www.w3.org/XML/1998/namespace"}
XLINK = "http://www.w3.org/1999/xlink"


class Element:
    """One element. Offsets are bytes of the source.

    ``name`` is the local name of an element in the MPD's namespace, else ``{namespace}local``.
    ``attributes`` have their values as XML gives them; a name with a prefix is
    ``{namespace}local``. ``text`` is the character data of an element without child elements.
    ``start`` is the offset of its ``<``, ``tail_start`` that of its end tag.

    ``children`` are in document order. The content of SegmentTimeline, of EventStream and of
    elements in foreign namespaces (``cenc:pssh``) has no Elements.
    """

    # Not a frozen dataclass: an MPD has hundreds, and reading it would take half as long again.
    __slots__ = ("_markup", "attributes", "children", "name", "start", "tail_start", "text")

    def __init__(
        self, markup: Markup, name: str, start: int, attributes: Mapping[str, str]
    ) -> None:
        self._markup = markup
        self.name = name
        self.start = start
        self.attributes = attributes
        self.tail_start = start
        self.text = ""
        self.children: tuple[Element, ...] = ()

    def __repr__(self) -> str:
        """``<Element Period line 12>``."""
        return f"<Element {self.name} line {self.line}>"

    @property
    def head_end(self) -> int:
        """The offset after the ``>`` of the start tag."""
        return self._markup.tag_end(self.start)

    @property
    def is_empty(self) -> bool:
        """True for an empty-element tag, ``<a/>``; then ``head_end == tail_start == end``."""
        head_end = self.head_end
        return head_end == self.tail_start and self._markup.is_empty_tag(head_end)

    @property
    def end(self) -> int:
        """The offset after the whole element."""
        return self.tail_start if self.is_empty else self._markup.end_tag_end(self.tail_start)

    @property
    def line(self) -> int:
        """The line of the start tag, from 1."""
        return self._markup.line(self.start)

    def all(self, name: str) -> tuple["Element", ...]:
        """The children of this name."""
        return tuple([child for child in self.children if child.name == name])

    def first(self, name: str) -> "Element | None":
        """The first child of this name."""
        for child in self.children:
            if child.name == name:
                return child
        return None

    def walk(self) -> Iterator["Element"]:
        """This element and all below it, in document order."""
        ahead = [self]
        while ahead:
            element = ahead.pop()
            yield element
            ahead.extend(reversed(element.children))


class TreeReader:
    """Reads the elements of one document; ``root`` and its ``namespace`` are there after ``read``.

    expat calls the handlers that are set on its parser. While it reads a subtree that gets no
    Elements, other handlers are set, which only count its depth.

    Prefixes are resolved here, since players do not all resolve them: an unbound one is a fault,
    not an error. ``unbound`` has the first element of each. An unbound ``xlink`` is what it always
    is: dash.js looks for that prefix.
    """

    __slots__ = (
        "_attributes",
        "_bindings",
        "_children",
        "_elements",
        "_markup",
        "_name",
        "_names",
        "_opened",
        "_parser",
        "_pieces",
        "_plain",
        "_scope_depth",
        "_scopes",
        "_skipped",
        "namespace",
        "root",
        "unbound",
    )

    def __init__(self, name: str, markup: Markup) -> None:
        """Errors call the document ``name``."""
        self._name = name
        self._markup = markup
        self._bindings = dict(_XML)  # prefixes and their namespaces; "" is the default one
        self._names: dict[str, str] = {}  # tags and names of elements under these bindings
        self._scopes: list[tuple[int, dict[str, str], dict[str, str]]] = []  # what was before
        self._scope_depth = -1  # of the innermost element that declares namespaces
        self._plain = set(_PLAIN)  # names of attributes without a prefix
        self._opened: list[Element] = []
        self._children: list[list[Element]] = []  # those of each opened element
        self._pieces: list[str] = []  # the text since the last tag
        self._elements = self._attributes = self._skipped = 0
        self._parser = expat.ParserCreate(markup.known_encoding)
        self._parser.buffer_text = True
        self.root = Element(markup, "", 0, {})
        self.namespace = ""
        self.unbound: dict[str, Element] = {}

    def read(self) -> None:
        """Read all. Raises ManifestError for what is not an MPD (E1), not well-formed (E16), or
        beyond the bounds (F13)."""
        parser = self._parser
        parser.StartElementHandler = self._start_root
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._pieces.append
        parser.XmlDeclHandler = self._declaration
        parser.StartDoctypeDeclHandler = self._document_type
        try:
            parser.Parse(self._markup.source, True)
        except expat.ExpatError as error:
            problem = f"not well-formed XML: {expat.errors.messages[error.code]}"
            raise ManifestError(self._name, error.lineno, "E16", problem) from error
        finally:
            # Break the cycle with the parser, which would keep the bytes until a collection.
            parser.StartElementHandler = parser.EndElementHandler = None
            parser.CharacterDataHandler = None
            parser.XmlDeclHandler = parser.StartDoctypeDeclHandler = None

    def _start_root(self, tag: str, values: dict[str, str]) -> None:
        prefix, _, local = tag.rpartition(":")
        if local != "MPD":
            raise self._error("E1", f'the root element is "{local}", not MPD')
        declaration = f"xmlns:{prefix}" if prefix else "xmlns"
        self.namespace = values.get(declaration) or (f"{prefix}:" if prefix else "")
        self._parser.StartElementHandler = self._start
        self._children.append([])
        self._start(tag, values)
        self.root = self._opened[0]

    def _start(self, tag: str, values: dict[str, str]) -> None:
        element = Element(self._markup, tag, self._parser.CurrentByteIndex, values)
        if values:
            if not self._plain.issuperset(values):
                element.attributes = self._resolved(element, values)
            self._attributes += len(values)
        name = element.name = self._names.get(tag) or self._learn(element, tag)
        self._elements += 1
        if self._elements > MAX_ELEMENTS or self._attributes > MAX_ATTRIBUTES:
            problem = f"more than {MAX_ELEMENTS} elements or {MAX_ATTRIBUTES} attributes"
            raise self._error("F13", problem)
        self._children[-1].append(element)
        self._children.append([])
        self._opened.append(element)
        self._pieces.clear()
        if name in _OPAQUE or name[0] == "{":
            self._parser.StartElementHandler = self._start_skipped
            self._parser.EndElementHandler = self._end_skipped
            if name in _OPAQUE:
                self._parser.CharacterDataHandler = None
        if len(self._opened) > MAX_DEPTH:
            raise self._too_deep()

    def _end(self, _tag: str) -> None:
        element = self._opened.pop()
        element.tail_start = self._parser.CurrentByteIndex
        children = self._children.pop()
        if children:
            element.children = tuple(children)
        elif self._pieces:
            element.text = "".join(self._pieces)
        self._pieces.clear()
        if len(self._opened) == self._scope_depth:
            self._end_scope()

    def _start_skipped(self, _tag: str, _values: object) -> None:
        self._skipped += 1
        self._parser.CharacterDataHandler = None
        self._pieces.clear()
        if len(self._opened) + self._skipped > MAX_DEPTH:
            raise self._too_deep()

    def _end_skipped(self, tag: str) -> None:
        if self._skipped:
            self._skipped -= 1
            return
        self._end(tag)
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._pieces.append

    def _declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and not self._markup.declared(encoding):
            allowed = "UTF-8, UTF-16, ISO-8859-1, US-ASCII"
            raise self._error("E16", f'the encoding "{encoding}" is none of {allowed}')

    def _document_type(self, doctype: str, *_: object) -> None:
        raise self._error("E16", f'a DOCTYPE ("{doctype}"), which an MPD never has')

    def _learn(self, element: Element, tag: str) -> str:
        _, colon, local = tag.rpartition(":")
        namespace = self._namespace(element, tag) if colon else self._bindings.get("", "")
        name = local if namespace == self.namespace else f"{{{namespace}}}{local}"
        self._names[tag] = name
        return name

    def _resolved(self, element: Element, values: dict[str, str]) -> dict[str, str]:
        """The attributes of an element without the declarations of namespaces, which are bound."""
        declared = {
            name[6:]: value
            for name, value in values.items()
            if name == "xmlns" or name.startswith("xmlns:")
        }
        if declared:
            self._start_scope(declared)
        found: dict[str, str] = {}
        for name, value in values.items():
            if ":" not in name:
                if name != "xmlns":
                    self._plain.add(name)
                    found[name] = value
            elif not name.startswith("xmlns:"):
                key = f"{{{self._namespace(element, name)}}}{name.rpartition(':')[2]}"
                if key in found:
                    raise self._error("E16", f'the attribute "{key}" is given twice')
                found[key] = value
        return found

    def _start_scope(self, declared: dict[str, str]) -> None:
        """Bind prefixes for an element and its content; "" as a namespace binds to nothing."""
        bindings = self._bindings
        before = {prefix: bindings.get(prefix, "") for prefix in declared}
        self._scope_depth = len(self._opened)
        self._scopes.append((self._scope_depth, before, self._names))
        self._names = {}
        bindings.update(declared)
        bindings.update(_XML)

    def _end_scope(self) -> None:
        _, before, self._names = self._scopes.pop()
        self._bindings.update(before)
        self._scope_depth = self._scopes[-1][0] if self._scopes else -1

    def _namespace(self, element: Element, name: str) -> str:
        """The namespace of a name with a prefix; ``prefix:`` when that is not bound, unless it is
        ``xlink``."""
        prefix, _, local = name.partition(":")
        if not prefix or not local or ":" in local:
            raise self._error("E16", f'"{name}" is not a qualified name')
        namespace = self._bindings.get(prefix)
        if not namespace:
            self.unbound.setdefault(prefix, element)
            return XLINK if prefix == "xlink" else f"{prefix}:"
        return namespace

    def _too_deep(self) -> ManifestError:
        return self._error("F13", f"elements are nested more than {MAX_DEPTH} deep")

    def _error(self, rule: str, problem: str) -> ManifestError:
        return ManifestError(self._name, self._parser.CurrentLineNumber, rule, problem)
