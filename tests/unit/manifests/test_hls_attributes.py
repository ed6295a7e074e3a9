"""Attribute lists, rule A3, as liberally as players read them."""

import pytest

from manifests.hls.attributes import drop_attributes, read_attributes

LISTS = [
    ("A3.2 types", 'BANDWIDTH=1,CODECS="x",R=1x2', {"BANDWIDTH": "1", "CODECS": "x", "R": "1x2"}),
    ("A3.5 comma inside quotes", 'CODECS="avc1,mp4a",B=2', {"CODECS": "avc1,mp4a", "B": "2"}),
    ("equals sign inside quotes", 'X="a,b=c",B=2', {"X": "a,b=c", "B": "2"}),
    ("A3.1 spaces", ' A = 1 , B= "x" ', {"A": "1", "B": "x"}),
    ("A3.4 the first of two wins", "A=1,A=2", {"A": "1"}),
    ("A3.3 an empty quoted string", 'VALUE="",B=2', {"VALUE": "", "B": "2"}),
    ("an empty value", "A=,B=2", {"A": "", "B": "2"}),
    ("A3.3 quotes that never end", 'A=1,CODECS="a,b,R=2', {"A": "1", "R": "2"}),
    ("A3.3 text behind a quoted string", 'CODECS="a"b,R=2', {"R": "2"}),
    ("items without =", "junk,A=1,,junk", {"A": "1"}),
    ("nothing", "", {}),
    ("an equals sign alone", "=", {"": ""}),
]


@pytest.mark.parametrize(("name", "text", "expected"), LISTS)
def test_values_are_read_by_name(name: str, text: str, expected: dict[str, str]) -> None:
    """Each readable attribute is there once, by its first value."""
    actual: dict[str, str] = {}
    for item in read_attributes(text).items:
        actual.setdefault(item.name, item.value)
    assert expected == actual


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ('A=1,B="x"', []),
        ("A=1, B=2", ["A3.1"]),
        ("A=1 ,B=2", ["A3.1"]),
        ("A=1,junk", ["A3.1"]),
        ("A=1,  ,B=2", []),
        ('A="x', ["A3.3"]),
        ("A=1,A=2,A=3", ["A3.4", "A3.4"]),
    ],
)
def test_broken_rules_are_counted(text: str, rules: list[str]) -> None:
    """Every departure from rule A3 that players forgive is named."""
    assert rules == [rule for rule, _ in read_attributes(text).faults]


def test_offsets_bound_the_value() -> None:
    """``start`` and ``end`` cut out the value without its quotes, wherever the list starts."""
    text = '#TAG:A= 1 ,URI="x.m3u8",B=2'
    items = read_attributes(text, 5).items
    assert ["1", "x.m3u8", "2"] == [text[item.start : item.end] for item in items]
    assert [False, True, False] == [item.quoted for item in items]


@pytest.mark.parametrize(
    ("text", "names", "expected"),
    [
        ('#T:A=1,AUDIO="a",B=2', {"AUDIO"}, "#T:A=1,B=2"),
        ('#T:AUDIO="a",B=2', {"AUDIO"}, "#T:B=2"),
        ('#T:B=2,AUDIO="a"', {"AUDIO"}, "#T:B=2"),
        ('#T:AUDIO="a",VIDEO="v", B=2', {"AUDIO", "VIDEO"}, "#T: B=2"),
        ('#T:A=1, AUDIO="a,b" ,X="c, d",junk', {"AUDIO"}, '#T:A=1,X="c, d",junk'),
        ('#T:A=1,X-AUDIO="a"', {"AUDIO"}, '#T:A=1,X-AUDIO="a"'),
        ('#T:AUDIO="a",A=1,AUDIO="b"', {"AUDIO"}, "#T:A=1"),
    ],
)
def test_attributes_leave_with_their_comma(text: str, names: set[str], expected: str) -> None:
    """What stays is byte-identical, commas inside quotes included."""
    assert expected == drop_attributes(text, 3, names)


def test_a_hostile_list_costs_linear_time() -> None:
    """Half a megabyte of quotes, commas and spaces is read at once; a quadratic reader hangs."""
    for piece in ('"', "=", ",", " ", '="', '",', 'A="', ' = "x" y,'):
        read_attributes(piece * (500_000 // len(piece)))
