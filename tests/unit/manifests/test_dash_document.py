"""Where the elements of an MPD are, in every encoding and form of XML; what is refused."""

import codecs

import pytest

from manifests.dash import document, elements
from manifests.dash.document import Element, read
from manifests.fault import ManifestError

NS = 'xmlns="urn:mpeg:dash:schema:mpd:2011"'
BODY = f"""<MPD {NS} type="static">
  <!-- a > b --><?pi <x>?>
  <BaseURL
    note='a > "b" &amp; &#xe9;'   >h&#116;tp<![CDATA[://]]>é\U0001f600/?a&amp;b<!-- c --></BaseURL>
  <Period id = "é">
    <AdaptationSet/>
    <AdaptationSet></AdaptationSet >
  </Period>
</MPD>
"""
ENCODINGS = {
    "utf-8": BODY.encode(),
    "utf-8 with a byte order mark": codecs.BOM_UTF8 + BODY.encode(),
    "declared utf-8": ("<?xml version='1.0' encoding='utf-8'?>" + BODY).encode(),
    "declared utf8": ('<?xml version="1.0" encoding="utf8"?>' + BODY).encode(),
    "declared UTF8 with a byte order mark": codecs.BOM_UTF8
    + ("<?xml version='1.0'  encoding = 'UTF8' standalone='yes'?>" + BODY).encode(),
    "utf-16 le": codecs.BOM_UTF16_LE + BODY.encode("utf-16-le"),
    "utf-16 be": codecs.BOM_UTF16_BE + BODY.encode("utf-16-be"),
    "declared utf-16": codecs.BOM_UTF16_LE
    + ('<?xml version="1.0" encoding="UTF-16"?>' + BODY).encode("utf-16-le"),
    "utf-16 without a byte order mark": BODY.encode("utf-16-be"),
    "latin-1": ('<?xml version="1.0" encoding="ISO-8859-1"?>' + BODY).encode(
        "latin-1", "xmlcharrefreplace"
    ),
    "ascii": ('<?xml version="1.0" encoding="US-ASCII"?>' + BODY).encode(
        "ascii", "xmlcharrefreplace"
    ),
    "crlf": BODY.replace("\n", "\r\n").encode(),
}


@pytest.mark.parametrize("source", ENCODINGS.values(), ids=ENCODINGS.keys())
def test_offsets_are_bytes_in_every_encoding(source: bytes) -> None:
    """Each offset cuts the source where the standard says a tag begins or ends."""
    found = read(source)
    encode = found.markup.codec

    def text(start: int, end: int) -> str:
        return source[start:end].decode(encode)

    mpd = found.root
    base_url, period = mpd.children
    first, second = period.children
    assert ("MPD", "BaseURL", "Period") == (mpd.name, base_url.name, period.name)
    assert text(mpd.start, mpd.head_end) == f'<MPD {NS} type="static">'
    assert text(mpd.tail_start, mpd.end) == "</MPD>"
    assert text(base_url.head_end - encode.startswith("utf-16") - 1, base_url.head_end) == ">"
    assert base_url.attributes == {"note": 'a > "b" & é'}
    assert base_url.text == "http://é\U0001f600/?a&b"
    assert text(base_url.tail_start, base_url.end) == "</BaseURL>"
    assert text(*found.attribute_span(mpd, "type")) == "static"
    assert period.attributes == {"id": "é"}
    assert text(first.start, first.end) == "<AdaptationSet/>"
    assert first.is_empty
    assert first.head_end == first.tail_start == first.end
    assert text(second.start, second.end) == "<AdaptationSet></AdaptationSet >"
    assert not second.is_empty
    assert second.head_end == second.tail_start < second.end
    assert [each.line for each in (mpd, base_url, period, first, second)] == [1, 3, 5, 6, 7]
    assert found.path(second) == "MPD/Period[1]/AdaptationSet[2]"


def test_names_of_other_namespaces_and_prefixes() -> None:
    """The MPD's namespace may have any prefix; other names have their namespace."""
    source = b"""<a:MPD xmlns:a="urn:mpeg:dash:schema:mpd:2011" xmlns:b="urn:b" b:type="x" type="y">
      <b:Period/><Period/><a:Period xmlns:b="urn:mpeg:dash:schema:mpd:2011"><b:BaseURL/></a:Period>
    </a:MPD>"""
    found = read(source)
    mpd = found.root
    assert [child.name for child in mpd.children] == ["{urn:b}Period", "{}Period", "Period"]
    assert mpd.children[2].children[0].name == "BaseURL"
    assert mpd.attributes == {"{urn:b}type": "x", "type": "y"}
    start, end = found.attribute_span(mpd, "type")
    assert source[start:end] == b"y"
    with pytest.raises(KeyError):
        found.attribute_span(mpd, "profiles")


def test_bindings_end_with_their_element() -> None:
    """A prefix may be bound anew, or to nothing; unbound ones are their own namespace."""
    source = b"""<MPD xmlns="urn:m" xmlns:a="urn:a" xml:lang="en"><a:x xmlns:a="urn:b" a:y=""/>
      <a:x/>
      <Period xmlns=""><MPD/><m:Period xmlns:m="urn:m"/></Period><a:x xmlns:a="" b:y=""/><b:x/>
      <Period/></MPD>"""
    found = read(source)
    names = [element.name for element in found.root.walk()]
    assert names == [
        *("MPD", "{urn:b}x", "{urn:a}x", "{}Period"),
        *("{a:}x", "{b:}x", "Period"),
    ]
    assert [*found.root.attributes] == ["{http://www.w3.org/XML/1998/namespace}lang"]
    assert [*found.root.children[0].attributes] == ["{urn:b}y"]
    assert [(prefix, element.line) for prefix, element in found.unbound.items()] == [
        ("b", 3),
        ("a", 3),
    ]


def test_masses_have_no_elements() -> None:
    """Nobody edits what is inside these; their own ends are known."""
    source = f"""<MPD {NS}><Period><EventStream><Event>x</Event></EventStream>
      <SegmentTemplate><SegmentTimeline>x<S d="1"/>
      <S><a><SegmentTimeline/></a></S></SegmentTimeline>
      </SegmentTemplate><x:p xmlns:x="urn:x">abc</x:p><x:p xmlns:x="urn:x">a<x:q>b</x:q></x:p>
      <BaseURL>c</BaseURL></Period></MPD>""".encode()
    events, template, leaf, tree, base_url = read(source).root.children[0].children
    (timeline,) = template.children
    for element in (events, timeline, tree):
        assert element.children == ()
        assert element.text == ""
        assert source[element.tail_start :].startswith(b"</" + source[element.start + 1 :][:3])
        assert source[element.end - 1 :].startswith(b">")
    assert (leaf.name, leaf.text, base_url.text) == ("{urn:x}p", "abc", "c")


REFUSED = {
    "empty": (b"", "E16", None),
    "html": (b"<html><body>404</body></html>", "E1", 'the root element is "html", not MPD'),
    "html with a doctype": (b"<!DOCTYPE html><html></html>", "E16", 'a DOCTYPE ("html")'),
    "entity bomb": (
        b'<!DOCTYPE m [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><MPD>&b;</MPD>',
        "E16",
        'a DOCTYPE ("m")',
    ),
    "unknown entity": (b"<MPD>&nbsp;</MPD>", "E16", "undefined entity"),
    "hls": (b"#EXTM3U\n", "E16", "syntax error"),
    "json": (b"{}", "E16", "not well-formed"),
    "patch": (b"<Patch/>", "E1", 'the root element is "Patch", not MPD'),
    "truncated": (b"<MPD>\n<Period", "E16", "unclosed token"),
    "unclosed": (b"<MPD>\n<Period>", "E16", "no element found"),
    "two roots": (b"<MPD/>\n<MPD/>", "E16", "junk after document element"),
    "no qualified name": (b"<MPD><a:b:c/></MPD>", "E16", '"a:b:c" is not a qualified name'),
    "no prefix": (b"<MPD :a=''/>", "E16", '":a" is not a qualified name'),
    "no local name": (b"<a:MPD xmlns:a=''><a:/></a:MPD>", "E16", '"a:" is not a qualified name'),
    "repeated expanded name": (
        b"<MPD xmlns:a='x' xmlns:b='x' a:c='' b:c=''/>",
        "E16",
        'the attribute "{x}c" is given twice',
    ),
    "repeated attribute": (b'<MPD a="1"\na="2"/>', "E16", "duplicate attribute"),
    "not utf-8": (b"<MPD>\xff</MPD>", "E16", "not well-formed"),
    "half a utf-16 unit": (codecs.BOM_UTF16_LE + b"<", "E16", "not UTF-16"),
    "utf-16 le without a mark or markup": (("\n" + BODY).encode("utf-16-le"), "E16", "UTF-16"),
    "utf-16 be without a mark or markup": (("\n" + BODY).encode("utf-16-be"), "E16", "UTF-16"),
    "other encoding": (b"<?xml version='1.0' encoding='windows-1252'?><MPD/>", "E16", "none of"),
    "no encoding": (b"<?xml version='1.0' encoding='x'?><MPD/>", "E16", 'the encoding "x"'),
    "deep": (b"<MPD>" + b"<a>" * 10_000, "F13", "nested more than 64 deep"),
    "deep in a timeline": (
        b"<MPD><SegmentTimeline>" + b"<a>" * 10_000,
        "F13",
        "nested more than 64 deep",
    ),
    "elements": (b"<MPD>" + b"<a/>" * elements.MAX_ELEMENTS, "F13", "more than 50000 elements"),
    "large": (b" " * (document.DEFAULT_MAX_BYTES + 1), "F13", "larger than 2000000 bytes"),
}


@pytest.mark.parametrize(("source", "rule", "problem"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_not_an_mpd_is_refused(source: bytes, rule: str, problem: str | None) -> None:
    """Each with a rule and a sentence."""
    with pytest.raises(ManifestError) as caught:
        read(source, "film.mpd")
    assert caught.value.rule == rule
    assert str(caught.value).startswith("film.mpd")
    assert problem is None or problem in caught.value.problem


def test_too_many_attributes_are_refused() -> None:
    """On one element or on many."""
    one = "".join(f' a{n}=""' for n in range(elements.MAX_ATTRIBUTES + 1))
    with pytest.raises(ManifestError, match="attributes"):
        read(f"<MPD{one}/>".encode(), max_bytes=10_000_000)


def test_errors_name_the_line() -> None:
    """From 1, as editors count."""
    with pytest.raises(ManifestError) as caught:
        read(b"<MPD>\n\n<a></b></MPD>", "film.mpd")
    assert str(caught.value) == "film.mpd, line 3: XML 1.0: not well-formed XML: mismatched tag"


def test_elements_find_children() -> None:
    """By name, in document order."""
    mpd = read(b"<MPD><Period id='1'/><BaseURL/><Period id='2'/></MPD>").root
    assert [child.attributes["id"] for child in mpd.all("Period")] == ["1", "2"]
    first = mpd.first("Period")
    assert first is mpd.children[0]
    assert mpd.first("Location") is None
    assert [each.name for each in mpd.walk()] == ["MPD", "Period", "BaseURL", "Period"]
    assert repr(first) == "<Element Period line 1>"


def test_a_path_needs_an_element_of_the_document() -> None:
    """An element of another document has no path here."""
    one, other = read(b"<MPD> <Period/></MPD>"), read(b"<MPD><Period/></MPD>")
    stranger: Element = other.root.children[0]
    with pytest.raises(ValueError, match="not in this document"):
        one.path(stranger)
