"""MPDs from other projects: each is read as lxml reads it, or refused for a named rule."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from lxml import etree

from manifests.dash.document import Document, Element, read
from manifests.dash.reading import parse
from manifests.dash.splices import apply, remove_element
from manifests.fault import ManifestError

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "dash"

pytestmark = pytest.mark.skipif(
    not CORPUS.is_dir(), reason=f"NOT RUN: the MPD corpus is not at {CORPUS}"
)

FILES = sorted(path.name for path in CORPUS.glob("*.mpd"))
REFUSED = {
    # No Representation.
    "godash__fixtures-newperiod.mpd": "E1",
    "godash__fixtures-scte35.mpd": "E1",
    "pympegdash__mpd-samples-utc_timing.mpd": "E1",
    # An attribute right after another one's quote.
    "livesim2__testpic_2s-Manifest.mpd": "E16",
    "livesim2__testpic_2s-Manifest_endNumber.mpd": "E16",
}
UNBOUND = {
    "godash__examples-live.mpd",
    "godash__examples-ondemand.mpd",
    "shaka__clear-encrypted-manifest.mpd",
}
"""They use a prefix without binding it. lxml refuses them, players do not."""
OPAQUE = {"SegmentTimeline", "EventStream"}
SMALL = 6_000
"""Bytes. In larger files, not every element is removed by itself."""


@pytest.mark.parametrize("name", FILES)
def test_mpds_are_read_or_refused_by_a_rule(name: str) -> None:
    """An empty list of edits gives the same bytes; faults name elements that exist."""
    source = (CORPUS / name).read_bytes()
    if name in REFUSED:
        with pytest.raises(ManifestError) as caught:
            parse(source, name)
        assert caught.value.rule == REFUSED[name]
        return
    mpd = parse(source, name)
    assert apply(mpd.document, []) is source
    assert mpd.representations or mpd.type == "dynamic"
    paths = {mpd.document.path(element): element.line for element in mpd.root.walk()}
    assert all(paths[fault.path] == fault.line for fault in mpd.faults)
    assert (name in UNBOUND) == any("has no namespace" in fault.text for fault in mpd.faults)


def local(document: Document, tag: str) -> str:
    """The name of an element of lxml, as an Element has it."""
    name = etree.QName(tag)
    if (name.namespace or "") == document.namespace:
        return str(name.localname)
    return f"{{{name.namespace or ''}}}{name.localname}"


def text_of(element: etree._Element) -> str:
    """The character data of an element without child elements; there may be comments."""
    return (element.text or "") + "".join(child.tail or "" for child in element)


def elements_of(element: etree._Element) -> list[etree._Element]:
    return [child for child in element if isinstance(child.tag, str)]


def pairs(
    document: Document, ours: Element, theirs: etree._Element
) -> Iterator[tuple[Element, etree._Element]]:
    """Every Element, and the element of lxml that it is."""
    yield ours, theirs
    if ours.name in OPAQUE or ours.name[0] == "{":
        assert ours.children == ()
        return
    below = elements_of(theirs)
    assert len(ours.children) == len(below)
    for child, other in zip(ours.children, below, strict=True):
        yield from pairs(document, child, other)


@pytest.mark.parametrize("name", sorted({*FILES} - {*REFUSED} - UNBOUND))
def test_elements_are_those_of_lxml(name: str) -> None:
    """Names, attributes and texts; the offsets cut tags and values out of the source."""
    source = (CORPUS / name).read_bytes()
    document = read(source, name)
    for ours, theirs in pairs(document, document.root, etree.fromstring(source)):
        assert ours.name == local(document, theirs.tag)
        assert ours.attributes == dict(theirs.attrib)
        if ours.name not in OPAQUE and not elements_of(theirs):
            assert ours.text == text_of(theirs)
        head, tail = source[ours.start : ours.head_end], source[ours.tail_start : ours.end]
        raw = document.markup.tag_name(ours.start)
        assert re.match(rf"<{re.escape(raw)}[\s/>]", head.decode())
        assert raw.rpartition(":")[2] == etree.QName(theirs.tag).localname
        assert re.fullmatch(rf"</{re.escape(raw)}\s*>", tail.decode()) or (
            tail == b"" and head.endswith(b"/>")
        )
        for key, value in ours.attributes.items():
            start, end = document.attribute_span(ours, key)
            assert re.sub(r"\s", " ", unescape(source[start:end].decode())) == value


def shape(element: etree._Element) -> object:
    """A tree without the white space between its elements."""
    below = elements_of(element)
    return (
        element.tag,
        dict(element.attrib),
        [shape(child) for child in below] or text_of(element).strip(),
    )


@pytest.mark.parametrize("name", sorted({*FILES} - {*REFUSED} - UNBOUND))
def test_removing_an_element_removes_just_that(name: str) -> None:
    """As lxml does it."""
    source = (CORPUS / name).read_bytes()
    document = read(source, name)
    elements = [*document.root.walk()][1:]
    for element in elements if len(source) < SMALL else elements[:: len(elements) // 8 + 1]:
        tree = etree.fromstring(source)
        found = dict(pairs(document, document.root, tree))[element]
        parent = found.getparent()
        assert parent is not None
        parent.remove(found)
        edited = apply(document, [remove_element(document, element)])
        assert shape(etree.fromstring(edited)) == shape(tree)
