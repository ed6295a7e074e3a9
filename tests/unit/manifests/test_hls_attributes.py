"""Attribute lists, rule A3, as tolerantly as players read them."""

import pytest

from manifests.hls.attributes import _LONG, drop_attributes, read_attributes, value_spans

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
    """Each readable attribute has its first value; so it has in a list that is long."""
    assert expected == read_attributes(text).values
    long = f"Z={'z' * _LONG},{text}"
    assert {"Z": "z" * _LONG} | expected == read_attributes(long).values


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
    """Every breach of rule A3 that players tolerate is a fault."""
    assert rules == [rule for rule, _ in read_attributes(text).faults]


def test_quoted_values_are_told_apart() -> None:
    """CLOSED-CAPTIONS=NONE is not the group "NONE"."""
    assert {"B", "C"} == read_attributes('A=NONE,B="NONE",C=""').quoted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('#T:A=1,URI="x.m3u8",B=2', ["x.m3u8"]),
        ("#T:URI = x y ,B=2", ["x y"]),
        ('#T:URI="1",A=2, URI ="3"', ["1", "3"]),
        ('#T:X-URI="1",A="URI=2",URI=""', [""]),
        ("#T:A=1,URI", []),
        ("#T:URI=", [""]),
        ('#T:URI="1",URI="2', ["1"]),
    ],
)
def test_spans_bound_the_values(text: str, expected: list[str]) -> None:
    """They delimit every value of that name, without quotes and white space."""
    assert expected == [text[start:end] for start, end in value_spans(text, 3, "URI")]


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


@pytest.mark.no_cover  # the same few lines very often
def test_a_hostile_list_costs_linear_time() -> None:
    """Half a megabyte of quotes, commas and spaces takes milliseconds; a quadratic reader hangs."""
    for piece in ('"', "=", ",", " ", '="', '",', 'A="', ' = "x" y,'):
        read_attributes(piece * (500_000 // len(piece)))
