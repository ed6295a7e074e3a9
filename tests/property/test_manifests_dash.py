"""Laws of reading and editing MPDs, on generated XML."""

import codecs
import contextlib
from dataclasses import dataclass, field
from html import unescape
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from manifests.dash.document import Document, Element, read
from manifests.dash.reading import parse
from manifests.dash.splices import (
    NewElement,
    Splice,
    apply,
    insert_after,
    insert_before,
    remove_attribute,
    remove_element,
    set_attribute,
    set_text,
)
from manifests.fault import ManifestError

MPD, OTHER = "urn:mpeg:dash:schema:mpd:2011", "urn:other"
OPAQUE = ("SegmentTimeline", "EventStream", f"{{{OTHER}}}pssh")
LOCAL = ("BaseURL", "Period", "AdaptationSet", "Representation", *OPAQUE)

ENCODINGS = {
    "utf-8": ("utf-8", b"", "<?xml version='1.0'?>"),
    "mark": ("utf-8", codecs.BOM_UTF8, ""),
    "le": ("utf-16-le", codecs.BOM_UTF16_LE, ""),
    "be": ("utf-16-be", codecs.BOM_UTF16_BE, '<?xml version="1.0" encoding="UTF-16" ?>'),
    "latin": ("latin-1", b"", '<?xml version="1.0" encoding="iso-8859-1"?>'),
}

# Text as it is written, and what it means.
WRITTEN = st.sampled_from(
    [
        *(("a", "a"), ("é", "é"), (" ", " "), ("&amp;", "&"), ("&#x20ac;", "€"), ("&lt;", "<")),
        ("\U0001f600", "\U0001f600"),
        *(("\n", "\n"), ("\r\n", "\n"), (">", ">"), ("'", "'"), ('"', '"'), ("/", "/"), ("=", "=")),
    ]
)
NOTHING = ("", "")
MISC = st.sampled_from(["<!-- <a> ' -->", "<?x > ?>", "<!---->"]).map(lambda text: (text, ""))
CDATA = st.just(("<![CDATA[<b>&]]>", "<b>&"))
WHITE = st.sampled_from([" ", "  ", "\n", "\r\n\t"])
MAYBE_WHITE = WHITE | st.just("")


@dataclass
class Node:
    """An element to write, and where it was written; offsets are characters."""

    name: str
    empty: bool
    attributes: dict[str, str] = field(default_factory=dict)
    raw_attributes: list[str] = field(default_factory=list)
    items: "list[tuple[str, str] | Node]" = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    mixed: bool = False
    """There were elements, so what is between them is no text."""

    @property
    def children(self) -> "list[Node]":
        """The child elements that Elements stand for."""
        if self.name in OPAQUE:
            return []
        return [item for item in self.items if isinstance(item, Node)]

    @property
    def text(self) -> str:
        """What is written in it, unless there are elements; opaque ones have none."""
        if any(isinstance(item, Node) for item in self.items) or self.name in OPAQUE[:2]:
            return ""
        return "".join([item[1] for item in self.items if isinstance(item, tuple)])


@st.composite
def attributes(draw: st.DrawFn) -> tuple[str, str, str]:
    """A name, its value, and both as written with white space before them."""
    name = draw(st.sampled_from(["id", "bandwidth", "x:href", "é"]))
    quote = draw(st.sampled_from("\"'"))
    parts = [part for part in draw(st.lists(WRITTEN, max_size=4)) if part[0] != quote]
    value = "".join([meant for _, meant in parts]).replace("\n", " ")
    equals = draw(MAYBE_WHITE) + "=" + draw(MAYBE_WHITE)
    raw = f"{draw(WHITE)}{name}{equals}{quote}{''.join([raw for raw, _ in parts])}{quote}"
    return name.replace("x:", f"{{{OTHER}}}"), value, raw


def nodes(depth: int) -> st.SearchStrategy[Node]:
    """An element with at most ``depth`` elements around each other in it."""
    items: st.SearchStrategy[tuple[str, str] | Node] = WRITTEN | MISC | CDATA
    if depth:
        items = items | nodes(depth - 1)

    @st.composite
    def built(draw: st.DrawFn) -> Node:
        node = Node(draw(st.sampled_from(LOCAL)), draw(st.booleans()))
        for name, value, raw in draw(st.lists(attributes(), max_size=3)):
            if name not in node.attributes:
                node.attributes[name] = value
                node.raw_attributes.append(raw)
        if not node.empty:
            node.items = draw(st.lists(items, max_size=4))
        return node

    return built()


@dataclass
class Written:
    """A document as it is written: characters and the offset of each in bytes."""

    root: Node
    source: bytes
    offsets: list[int]
    text: str


@st.composite
def documents(draw: st.DrawFn) -> Written:
    """An MPD in some encoding, with some prefix."""
    prefix = draw(st.sampled_from(["", "m:"]))
    codec, mark, declaration = draw(st.sampled_from(list(ENCODINGS.values())))
    root = draw(nodes(2))
    root.name, root.empty = "MPD", False
    xmlns = f"xmlns:m='{MPD}'" if prefix else f"xmlns='{MPD}'"
    root.raw_attributes.insert(0, f" {xmlns} xmlns:x='{OTHER}'")
    pieces = [declaration, draw(MISC)[0], "\n"]
    length = sum(map(len, pieces))

    def put(text: str) -> None:
        nonlocal length
        pieces.append(text)
        length += len(text)

    def write(node: Node) -> None:
        name = node.name.replace(f"{{{OTHER}}}", "x:")
        name = name if name.startswith("x:") else f"{prefix}{name}"
        node.places.append(length)
        put(f"<{name}{''.join(node.raw_attributes)}")
        if node.empty:
            put("/>")
            node.places += [length, length, length]
            return
        put("\n>")
        node.places.append(length)
        for item in node.items:
            if isinstance(item, Node):
                write(item)
            else:
                put(item[0])
        node.places.append(length)
        put(f"</{name} >")
        node.places.append(length)

    write(root)
    text = "".join([*pieces, "\n"])
    characters = [character.encode(codec, "xmlcharrefreplace") for character in text]
    offsets = list(accumulate(map(len, characters), initial=len(mark)))
    return Written(root, mark + b"".join(characters), offsets, text)


def same(node: Node, element: Element, written: Written) -> None:
    """The element is what was written, where it was written."""
    assert element.name == node.name
    assert element.attributes == node.attributes
    assert element.text == node.text
    found = [element.start, element.head_end, element.tail_start, element.end]
    assert found == [written.offsets[place] for place in node.places]
    assert element.is_empty == node.empty
    lines = written.text[: node.places[0]].replace("\r\n", "\n")
    assert element.line == lines.count("\n") + 1
    assert len(element.children) == len(node.children)
    for child, expected in zip(element.children, node.children, strict=True):
        same(expected, child, written)


@given(documents())
def test_elements_are_where_they_were_written(written: Written) -> None:
    """In every encoding, whatever stands between them; values are between their quotes."""
    document = read(written.source)
    same(written.root, document.root, written)
    assert apply(document, []) == written.source
    for element in document.root.walk():
        assert document.ancestors(element)[:1] in ([document.root], [])
        for name, value in element.attributes.items():
            start, end = document.attribute_span(element, name)
            text = document.markup.text(start, end).replace("\r\n", " ").replace("\n", " ")
            assert unescape(text) == value
            assert document.markup.quote(end) not in text


VALUES = st.text(st.sampled_from("a<>&'\"\n\r\t é€\U0001f600]"), max_size=5)
KINDS = st.sampled_from(["id", "lang", "drop", "before", "after", "text", "remove", "", "", ""])


@dataclass
class Editing:
    """Edits of a document's elements, chosen one after the other."""

    document: Document
    choices: list[tuple[str, str]]
    edits: list[Splice] = field(default_factory=list)
    turn: int = 0

    def edit(self, element: Element) -> list[Node]:
        """Choose an edit of this element and edits of those in it; what should be there then."""
        kind, value = self.choices[self.turn % len(self.choices)]
        self.turn += 1
        node = Node(element.name, element.is_empty, dict(element.attributes))
        node.items = [(element.text, element.text)]
        document, attributes = self.document, node.attributes
        if kind in {"id", "lang"}:
            self.edits.append(set_attribute(document, element, kind, value))
            attributes[kind] = value
        elif kind == "drop" and attributes:
            name = [*attributes][-1]
            self.edits.append(remove_attribute(document, element, name))
            del attributes[name]
        elif kind == "text" and not element.is_empty and not element.children:
            self.edits.append(set_text(element, value))
            node.items = [(value, value)]
        below = [found for child in element.children for found in self.edit(child)]
        if element.children:
            node.items, node.mixed = [*below], True
        return [node] if element is document.root else self.around(element, node, kind, value)

    def around(self, element: Element, node: Node, kind: str, value: str) -> list[Node]:
        """The element with what is inserted beside it, or without itself."""
        new = NewElement("Location", {"n": value}, value)
        node_of_new = Node("Location", not value, {"n": value}, items=[(value, value)])
        if kind == "before":
            self.edits.append(insert_before(self.document, element, new))
            return [node_of_new, node]
        if kind == "after":
            self.edits.append(insert_after(self.document, element, new))
            return [node, node_of_new]
        if kind == "remove":
            self.edits.append(remove_element(self.document, element))
            return []
        return [node]


@given(documents(), st.lists(st.tuples(KINDS, VALUES), min_size=1, max_size=20))
def test_edits_do_what_they_say(written: Written, choices: list[tuple[str, str]]) -> None:
    """All at once, in any mixture. Nothing else changes, and the document stays well-formed."""
    document = read(written.source)
    editing = Editing(document, choices)
    (expected,) = editing.edit(document.root)
    alike(read(apply(document, editing.edits)).root, expected)


def alike(element: Element, node: Node) -> None:
    """The element has this name, these attributes, texts and children."""
    assert element.name == node.name
    assert element.attributes == node.attributes
    assert [child.name for child in element.children] == [child.name for child in node.children]
    if node.name not in OPAQUE and not node.mixed:
        assert element.text == node.text
    for child, expected in zip(element.children, node.children, strict=True):
        alike(child, expected)


@given(documents(), st.data())
def test_removals_and_insertions_at_any_places(written: Written, data: st.DataObject) -> None:
    """Splices that do not overlap are what cutting the source by hand gives."""
    document = read(written.source)
    size = len(written.source)
    cuts = sorted(data.draw(st.lists(st.integers(0, size), max_size=8)))
    spans = list(zip(cuts[::2], cuts[1::2], strict=False))
    splices = [Splice(*span, data.draw(st.sampled_from(["", "é"]))) for span in spans]
    expected, at = b"", 0
    for splice in splices:
        expected += written.source[at : splice.start] + document.markup.encode(splice.text)
        at = splice.end
    expected += written.source[at:]
    assert apply(document, data.draw(st.permutations(splices))) == expected


@given(documents(), st.data())
def test_damaged_mpds(written: Written, data: st.DataObject) -> None:
    """ManifestError, or an MPD whose every element has a path, a line and an end."""
    source = bytearray(written.source)
    for _ in range(data.draw(st.integers(0, 3))):
        start = data.draw(st.integers(0, len(source)))
        junk = data.draw(st.binary(max_size=3) | st.sampled_from([b"<", b">", b"&", b"]]>", b"'"]))
        source[start : start + data.draw(st.integers(0, 9))] = junk
    check(bytes(source))


@given(st.binary(max_size=60) | st.text("<>/MPDa:'\"= !&;[]x-?", max_size=60).map(str.encode))
def test_anything(data: bytes) -> None:
    """As above, for what never was an MPD."""
    check(data)
    check(b"<MPD>" + data + b"</MPD>")


def check(source: bytes) -> None:
    """No error but ManifestError."""
    with contextlib.suppress(ManifestError):
        document = read(source)
        size = len(source)
        for element in document.root.walk():
            ends = [element.start + 1, element.head_end, element.tail_start, element.end, size]
            assert ends == sorted(ends)
            assert document.path(element).startswith("MPD")
            assert element.line >= 1
            for name in element.attributes:
                document.attribute_span(element, name)
            apply(document, [remove_element(document, element)])
        assert all(map(str, parse(source).faults))
