"""Edits of an MPD: exact bytes."""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from manifests.dash.document import Document, Element, read
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

SOURCE = """<m:MPD xmlns:m="urn:mpeg:dash:schema:mpd:2011">
  <m:BaseURL a='1' b = "2">x</m:BaseURL>
  <m:Period id='p'/><m:Period/>
</m:MPD>
"""


class Parts(NamedTuple):
    """The document of ``SOURCE`` and the children of its root."""

    document: Document
    base_url: Element
    one: Element
    two: Element


Edit = Callable[[Parts], Splice]
NEW = NewElement("Location", {"n": '<"&\n', "none": None}, "a&b ]]>")
WRITTEN = '<m:Location n="&lt;&quot;&amp;&#10;">a&amp;b ]]&gt;</m:Location>'

EDITS: dict[str, tuple[Edit, str, str]] = {
    "a value in single quotes": (
        lambda it: set_attribute(it.document, it.base_url, "a", '"it\'s"'),
        "a='1'",
        "a='\"it&#39;s\"'",
    ),
    "a value in double quotes": (
        lambda it: set_attribute(it.document, it.base_url, "b", '"it\'s"'),
        'b = "2"',
        'b = "&quot;it\'s&quot;"',
    ),
    "a new attribute": (
        lambda it: set_attribute(it.document, it.base_url, "c", "é"),
        ' b = "2">',
        ' b = "2" c="é">',
    ),
    "a new attribute of an empty-element tag": (
        lambda it: set_attribute(it.document, it.one, "c", "1"),
        "id='p'/>",
        "id='p' c=\"1\"/>",
    ),
    "the first attribute": (
        lambda it: set_attribute(it.document, it.two, "c", "1"),
        "<m:Period/>",
        '<m:Period c="1"/>',
    ),
    "remove an attribute": (
        lambda it: remove_attribute(it.document, it.base_url, "b"),
        ' b = "2"',
        "",
    ),
    "a text": (lambda it: set_text(it.base_url, "a<b\r\ud800"), ">x<", ">a&lt;b&#13;\ufffd<"),
    "remove a line": (
        lambda it: remove_element(it.document, it.base_url),
        "\n  <m:BaseURL a='1' b = \"2\">x</m:BaseURL>",
        "",
    ),
    "remove the first of a line": (
        lambda it: remove_element(it.document, it.one),
        "<m:Period id='p'/>",
        "",
    ),
    "remove the last of a line": (
        lambda it: remove_element(it.document, it.two),
        "<m:Period/>",
        "",
    ),
    "insert before": (
        lambda it: insert_before(it.document, it.base_url, NEW),
        "\n  <m:BaseURL",
        f"\n  {WRITTEN}\n  <m:BaseURL",
    ),
    "insert after": (
        lambda it: insert_after(it.document, it.base_url, NEW),
        "</m:BaseURL>",
        f"</m:BaseURL>\n  {WRITTEN}",
    ),
    "insert after on one line": (
        lambda it: insert_after(it.document, it.two, NewElement("Metrics")),
        "<m:Period/>",
        "<m:Period/><m:Metrics/>",
    ),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(("edit", "old", "new"), EDITS.values(), ids=EDITS.keys())
def test_an_edit_changes_its_own_bytes(edit: Edit, old: str, new: str, encoding: str) -> None:
    """Everything else stays."""
    assert SOURCE.count(old) == 1
    document = read(SOURCE.encode(encoding))
    edited = apply(document, [edit(Parts(document, *document.root.children))])
    assert edited == SOURCE.replace(old, new).encode(encoding)
    read(edited)


def test_no_edit_is_the_source() -> None:
    """The very same object: nothing is copied."""
    document = read(SOURCE.encode())
    assert apply(document, []) is document.source


def test_an_element_may_be_edited_and_removed() -> None:
    """What is within a removal goes with it, insertions at its ends stay."""
    document = read(b"<MPD>\n  <Period id='1' x='2'><BaseURL>a</BaseURL></Period>\n</MPD>")
    (period,) = document.root.children
    (base_url,) = period.children
    edits = [
        set_attribute(document, period, "id", "2"),
        set_attribute(document, period, "start", "PT0S"),
        insert_after(document, period, NewElement("C")),
        insert_before(document, base_url, NewElement("D")),
        remove_attribute(document, period, "x"),
        set_text(base_url, "b"),
        insert_before(document, period, NewElement("A")),
        remove_element(document, period),
        remove_element(document, period),
        insert_before(document, period, NewElement("B")),
    ]
    assert apply(document, edits) == b"<MPD>\n  <A/>\n  <B/>\n  <C/>\n</MPD>"


def test_neighbours_may_be_removed() -> None:
    """All of one parent's children, and the last attribute with a new one behind it."""
    document = read(b"<MPD a='1'  b='2'>\r\n\t<Period/>\r\n\t<Period/>\r\n\t\r\n</MPD>")
    edits = [
        *(remove_element(document, period) for period in document.root.children),
        remove_attribute(document, document.root, "a"),
        remove_attribute(document, document.root, "b"),
        set_attribute(document, document.root, "c", "3"),
    ]
    assert apply(document, edits) == b'<MPD c="3">\r\n\t\r\n</MPD>'


@pytest.mark.parametrize(
    "splices",
    [
        [Splice(0, 5, "a"), Splice(4, 6)],
        [Splice(0, 5), Splice(4, 6)],
        [Splice(0, 5, "a"), Splice(0, 5, "b")],
        [Splice(5, 4, "a")],
        [Splice(5, 1000, "a")],
    ],
)
def test_other_overlaps_are_errors(splices: list[Splice]) -> None:
    """They are never in the input: two parts of the gateway disagree."""
    with pytest.raises(ValueError, match="bytes"):
        apply(read(SOURCE.encode()), splices)


def test_an_empty_element_tag_has_no_place_for_content() -> None:
    """There is no end tag to write before."""
    document = read(b"<MPD/>")
    with pytest.raises(ValueError, match="empty-element tag"):
        set_text(document.root, "x")


@pytest.mark.parametrize(
    ("declared", "text", "written"),
    [
        ("ISO-8859-1", "é€", b"\xe9&#8364;"),
        ("US-ASCII", "é€", b"&#233;&#8364;"),
        ("utf-8", "é€", "é€".encode()),
    ],
)
def test_characters_that_an_encoding_lacks_become_references(
    declared: str, text: str, written: bytes
) -> None:
    """Inserted text is in the encoding of the document."""
    source = f'<?xml version="1.0" encoding="{declared}"?><MPD><BaseURL>x</BaseURL></MPD>'.encode()
    document = read(source)
    assert apply(document, [set_text(document.root.children[0], text)]) == source.replace(
        b">x<", b">" + written + b"<"
    )


def test_where_mark_and_declaration_differ_references_are_right_in_both() -> None:
    """expat follows the declaration, browsers the byte order mark."""
    source = b"\xef\xbb\xbf<?xml version='1.0' encoding='ISO-8859-1'?><MPD><a>x</a></MPD>"
    document = read(source)
    edited = apply(document, [set_text(document.root.children[0], "é")])
    assert edited == source.replace(b">x<", b">&#233;<")
