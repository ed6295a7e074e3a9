"""CMCD as players write it, in versions 1 and 2 (rules D1 and D2)."""

from typing import Any

import pytest

from gateway.client.cmcd import MAX_FAULTS, Cmcd, parse_headers, parse_query, prefer
from gateway.client.cmcd_dictionary import MAX_PARTS, MAX_TEXT, Item, Value

V1 = (
    'bl=21300,br=3200,bs,cid="film",d=4004,dl=18500,mtp=48100,nor="..%2Ftrack.m4v",'
    'nrr="12323-48763",ot=v,pr=1.08,rtp=12000,sf=h,sid="6e2fb550",st=l,su,tb=6000'
)
V2 = (
    'bl=(5000;v 9000;a),br=(2000;v 128;a),cid="film",ec=("E1" "E2"),mtp=(9000;a 12000;v),'
    'nor=("../3.m4v";r="0-99" "../4.m4v"),ot=m,sf=d,sid="6e2fb550",st=ll,sta=p,v=2'
)


def test_version_1_in_full() -> None:
    """Every field of a version 1 request (D1)."""
    expected = {
        "version": 1,
        "sid": "6e2fb550",
        "cid": "film",
        "mtp_kbps": 48100,
        "br_kbps": 3200,
        "tb_kbps": 6000,
        "rtp_kbps": 12000,
        "bl_ms": 21300,
        "ot": "v",
        "sf": "h",
        "st": "l",
        "sta": None,
        "su": True,
        "bs": True,
        "speed_kbps": 48100,
        "faults": (),
    }
    cmcd = parse_query(V1)
    assert expected == {name: getattr(cmcd, name) for name in expected}
    others = {"d": 4004, "dl": 18500, "pr": 1.08}
    assert others == {key: cmcd.raw[key] for key in others}


def test_version_2_in_full() -> None:
    """Inner lists with object types: the figure for video counts (D2.1)."""
    expected = {
        "version": 2,
        "sid": "6e2fb550",
        "cid": "film",
        "mtp_kbps": 12000,
        "br_kbps": 2000,
        "bl_ms": 5000,
        "ot": "m",
        "st": "ll",
        "sta": "p",
        "su": False,
        "bs": False,
        "speed_kbps": 12000,
        "faults": (),
    }
    cmcd = parse_query(V2)
    assert expected == {name: getattr(cmcd, name) for name in expected}
    assert (Item("E1"), Item("E2")) == cmcd.raw["ec"]


VALUES: list[tuple[str, dict[str, Value], list[str]]] = [
    ("", {}, []),
    (" , ", {}, ["not a key"]),
    ("su", {"su": True}, []),
    (" su ,\tbs ", {"su": True, "bs": True}, []),
    ("su,", {"su": True}, []),
    ("bg=?0,bs=?1", {"bg": False, "bs": True}, []),
    ("su=true", {"su": True}, ["su: a flag is the key alone"]),
    ("bs=false", {"bs": False}, ["bs: a flag is the key alone"]),
    ("d=-5", {"d": -5}, []),
    ("mtp=13.06", {"mtp": 13.06}, []),
    ("mtp=13.064999999999998", {"mtp": 13.064999999999998}, []),
    ("pr=2.00", {"pr": 2.0}, []),
    ("d=1e5", {"d": "1e5"}, ["d: a string without quotes"]),
    ("d=" + "9" * 16, {"d": "9" * 16}, ["d: a string without quotes"]),
    ("d=" + "9" * 257, {}, ["d: a string without quotes", "d: no comma after the value"]),
    ("ot=v", {"ot": "v"}, []),
    ("sid=6e2f-1", {"sid": "6e2f-1"}, ["sid: a string without quotes"]),
    ('sid="a"', {"sid": "a"}, []),
    ('sid="a,b=1;c"', {"sid": "a,b=1;c"}, []),
    (r'com.a-q="\"Q\" \\ x"', {"com.a-q": r'"Q" \ x'}, []),
    (r'sid="a\b",su', {"su": True}, ["sid: no value"]),
    ('sid="a\nb",su', {"su": True}, ["sid: unprintable characters"]),
    ('sid="\u2028"', {}, ["sid: unprintable characters"]),
    ("sid=a\x7fb,su", {"su": True}, ["sid: unprintable characters"]),
    ("sid=\ud800", {}, ["sid: unprintable characters"]),
    ('cid="título"', {"cid": "título"}, []),
    ('sid="open,ot=v', {"ot": "v"}, ["sid: no value"]),
    (r'sid="open\x,ot=v', {"ot": "v"}, ["sid: no value"]),
    ('sid="open,su,ot=v,', {"su": True, "ot": "v"}, ["sid: no value"]),
    (r'mtp=5,cid="C:\video,mtp=1,x",su', {"mtp": 5, "su": True}, ["cid: no value"]),
    (r'sid="s",cid="a\n,sid=evil,x",su', {"sid": "s", "su": True}, ["cid: no value"]),
    (r'cid="\x\",mtp=1,x",su', {"su": True}, ["cid: no value"]),
    (r'cid="\x\\",mtp=1', {"mtp": 1}, ["cid: no value"]),
    ('cid="\\\n,mtp=1",su', {"su": True}, ["cid: no value"]),
    ('cid="a\x01,mtp=1,x",su', {"su": True}, ["cid: unprintable characters"]),
    (r'ec=("\x,mtp=1" "b,mtp=2";r="c,mtp=3""d,mtp=4"),su', {"su": True}, ["ec: no value"]),
    ('ec=("\x01" "b,mtp=2"),su', {"su": True}, ["ec: unprintable characters"]),
    ('CID="a,mtp=1,x",su', {"su": True}, ["not a key"]),
    ('"a,mtp=1,x",su,"b,mtp=2",bs', {"su": True, "bs": True}, ["not a key", "not a key"]),
    ('cid="a""b,mtp=1,x",su', {"su": True}, ["cid: no comma after the value"]),
    ('cid="a" "b,mtp=1,x",su', {"su": True}, ["cid: no comma after the value"]),
    ('cid=5" disc,mtp=3,sid="s"', {"mtp": 3, "sid": "s"}, ["cid: no comma after the value"]),
    ('cid="a"ot=i,st=v', {"st": "v"}, ["cid: no comma after the value"]),
    ("d=,st=v", {"st": "v"}, ["d: no value"]),
    ("=1,st=v", {"st": "v"}, ["not a key"]),
    ("BR=1,st=v", {"st": "v"}, ["not a key"]),
    ("x" * 65 + "=1,st=v", {"st": "v"}, [f"{'x' * 64}: no comma after the value"]),
    (",,st=v", {"st": "v"}, ["not a key", "not a key"]),
    ("d=1,d=2", {"d": 2}, ["d: repeated, the last one counts"]),
    ("bl=()", {"bl": ()}, ["bl: not a number from 0 up"]),
    ("br=( 1  2;v;x=?0 )", {"br": (Item(1), Item(2, {"v": True, "x": False}))}, []),
    ("br=5;v", {"br": (Item(5, {"v": True}),)}, []),
    ("br=(5);v", {"br": (Item(5),)}, []),
    ("br=(5; v)", {"br": (Item(5, {"v": True}),)}, []),
    ("br=(5;),su", {"su": True}, ["br: a parameter without a name"]),
    ("br=(5;r=),su", {"su": True}, ["br: no value"]),
    ("br=(5,su", {"su": True}, ["br: no value"]),
    ("br=((5)),su", {"su": True}, ["br: no value"]),
    ("x" * (MAX_TEXT + 1), {}, [f"longer than {MAX_TEXT} characters: not read"]),
    ("a=b=c", {"a": "b=c"}, ["a: a string without quotes"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "raw", "faults"),
    VALUES,
    ids=[ascii(row[0][:24]) for row in VALUES],
)
def test_a_dictionary_is_read_member_by_member(
    text: str, raw: dict[str, Value], faults: list[str]
) -> None:
    """Readable members are read (D1.2); each other member is dropped with one fault."""
    cmcd = parse_query(text)
    assert (raw, faults) == (cmcd.raw, list(cmcd.faults))


TOO_MANY = f"more than {MAX_PARTS} parts: the rest is not read"


@pytest.mark.parametrize(
    ("text", "keys", "faults"),
    [
        (",".join(f"k{index}" for index in range(MAX_PARTS)), MAX_PARTS, []),
        (",".join(f"k{index}" for index in range(MAX_PARTS + 1)), MAX_PARTS, [TOO_MANY]),
        (",".join(f"k{index}=1" for index in range(MAX_PARTS)), MAX_PARTS // 2, [TOO_MANY]),
        ("su,br=(" + "1 " * MAX_PARTS + "),bs", 1, [TOO_MANY]),
        ("su,br=1" + ";v" * MAX_PARTS + ",bs", 1, [TOO_MANY]),
        ("su" + ",-" * MAX_PARTS + ",bs", 1, ["not a key"] * MAX_FAULTS),
        (str({f"k{index}": 1 for index in range(MAX_PARTS)}), MAX_PARTS, []),
        (str({f"k{index}": 1 for index in range(MAX_PARTS + 1)}), MAX_PARTS, [TOO_MANY]),
    ],
)
def test_the_work_is_bounded(text: str, keys: int, faults: list[str]) -> None:
    """The work for one request is bounded, and a fault says when the bound is reached."""
    cmcd = parse_query(text.replace("'", '"'))
    assert (keys, faults) == (len(cmcd.raw), list(cmcd.faults))


@pytest.mark.parametrize("text", [",=" * 1000, 'a="' * 1000, "bs=1," * 100, "(" * MAX_TEXT])
def test_the_number_of_faults_is_bounded(text: str) -> None:
    """The number of faults of one request is bounded."""
    assert len(parse_query(text).faults) <= MAX_FAULTS
    assert len(parse_headers(text[:2000], text[:2000]).faults) <= MAX_FAULTS


TYPED: list[tuple[str, dict[str, Any], list[str]]] = [
    ('mtp="48100"', {"mtp_kbps": None}, ["mtp: not a number from 0 up"]),
    ("mtp=-1", {"mtp_kbps": None}, ["mtp: not a number from 0 up"]),
    ("mtp", {"mtp_kbps": None}, ["mtp: not a number from 0 up"]),
    ("mtp=0", {"mtp_kbps": 0, "speed_kbps": 0}, []),
    ("bl=3993.83", {"bl_ms": 3994}, []),
    ("mtp=(100 300 200)", {"mtp_kbps": 300, "speed_kbps": 300}, []),
    ("mtp=(900;a 300 200;av)", {"mtp_kbps": 200, "speed_kbps": 200}, []),
    ("mtp=(900;a 300)", {"mtp_kbps": 300, "speed_kbps": 300}, []),
    ("mtp=(900;a 800;tt)", {"mtp_kbps": 900, "speed_kbps": None}, []),
    ("mtp=(900;x)", {"mtp_kbps": 900, "speed_kbps": 900}, []),
    ('mtp=("x" ?1 7)', {"mtp_kbps": 7}, []),
    ("mtp=900,ot=a", {"mtp_kbps": 900, "speed_kbps": None}, []),
    ("mtp=(900),ot=a", {"mtp_kbps": 900, "speed_kbps": None}, []),
    ("mtp=(900;v),ot=a", {"mtp_kbps": 900, "speed_kbps": 900}, []),
    ("mtp=900,ot=m", {"mtp_kbps": 900, "speed_kbps": 900}, []),
    ("ot=Qualabs", {"ot": None}, ["ot: not a value that the standard knows"]),
    ("sf=1", {"sf": None}, ["sf: not a value that the standard knows"]),
    ("st=ll,sf=e,sta=w", {"st": "ll", "sf": "e", "sta": "w"}, []),
    ("su=1", {"su": False}, ["su: not a flag"]),
    ("su=?0", {"su": False}, []),
    ('sid=""', {"sid": None}, ["sid: not a string of 1 to 64 ASCII characters"]),
    (f'sid="{"x" * 64}"', {"sid": "x" * 64}, []),
    (f'sid="{"x" * 65}"', {"sid": None}, ["sid: not a string of 1 to 64 ASCII characters"]),
    ('sid="é"', {"sid": None}, ["sid: not a string of 1 to 64 ASCII characters"]),
    ("sid=5", {"sid": None}, ["sid: not a string of 1 to 64 ASCII characters"]),
    ('cid=""', {"cid": None}, ["cid: not a string of 1 to 64 characters"]),
    (f'cid="{"x" * 65}"', {"cid": None}, ["cid: not a string of 1 to 64 characters"]),
    (f'cid="{"x" * 128}",v=2', {"cid": "x" * 128}, []),
    (f'cid="{"x" * 129}",v=2', {"cid": None}, ["cid: not a string of 1 to 128 characters"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "fields", "faults"), TYPED, ids=[row[0][:24] for row in TYPED])
def test_a_field_has_its_own_kind(text: str, fields: dict[str, Any], faults: list[str]) -> None:
    """A value of the wrong type, sign or length is dropped with one fault."""
    cmcd = parse_query(text)
    assert fields == {name: getattr(cmcd, name) for name in fields}
    assert faults == list(cmcd.faults)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("mtp=1", 1),
        ("mtp=1,v=1", 1),
        ("mtp=1,v=2", 2),
        ("mtp=1,v=2.0", 2),
        ("mtp=1,v=", 1),
        ("mtp=1,v=0", None),
        ("mtp=1,v=3", None),
        ("mtp=1,v=(2)", None),
        ('mtp=1,v="2"', None),
        ("mtp=1,v", None),
        ("", None),
    ],
)
def test_versions(text: str, version: int | None) -> None:
    """Without v the version is 1; with a version other than 1 and 2, all keys are ignored
    (D2.5)."""
    cmcd = parse_query(text)
    assert (version, version and 1) == (cmcd.version, cmcd.mtp_kbps)
    assert (version is None) == (not cmcd.raw)


@pytest.mark.parametrize(
    ("text", "raw"),
    [
        (
            '{"br":3200,"su":true,"sid":"a","pr":1.5}',
            {"br": 3200, "su": True, "sid": "a", "pr": 1.5},
        ),
        (' {"br": [3200, 128]} ', {"br": (Item(3200), Item(128))}),
        ('{"br":1,"br":2}', {"br": 2}),
        ('{"br":null,"d":{},"ec":[[1]],"bl":[null],"su":true}', {"su": True}),
        ('{" br":1,"BR":2,"":3,"su":true}', {"su": True}),
        ('{"sid":"\\ud800","cid":"a\\u0000","su":true}', {"su": True}),
        ('{"br":1e400,"d":1000000000000000,"bl":-1e15,"su":true}', {"su": True}),
        ('{"br":NaN,"d":-Infinity,"su":true}', {"su": True}),
        ('{"br":' + "9" * 5000 + "}", {}),
        ('{"br":' + "[" * 5000, {}),
        ('{"br":1}x', {}),
        ("{", {}),
        ("{}", {}),
        ('{"br":"' + "x" * MAX_TEXT + '"}', {}),
    ],
)
def test_the_json_form(text: str, raw: dict[str, Value]) -> None:
    """The object form of version 1 is read by the same rules (D1.1)."""
    assert raw == parse_query(text).raw


@pytest.mark.parametrize(
    ("text", "fault"), [("{]", "not JSON: not read"), ("[1]", "not a key"), ('"a"', "not a key")]
)
def test_json_text_that_is_no_object_is_a_fault(text: str, fault: str) -> None:
    """Text is only read as JSON when it starts like an object."""
    assert [fault] == list(parse_query(text).faults)


def test_headers_may_hold_any_key() -> None:
    """Any key is read in any header (D3.1): pr moved from Session to Status between versions."""
    cmcd = parse_headers(
        object_="br=840,d=3000,ot=v",
        request="bl=1800,mtp=500,su",
        session='sid="s",pr=2.00,sf=d',
        status="bs,tb=1000",
    )
    expected = (1, "s", 840, 1000, 500, 1800, True, True, 2.0)
    assert expected == (
        cmcd.version,
        cmcd.sid,
        cmcd.br_kbps,
        cmcd.tb_kbps,
        cmcd.mtp_kbps,
        cmcd.bl_ms,
        cmcd.su,
        cmcd.bs,
        cmcd.raw["pr"],
    )


TWICE: list[tuple[str, str, dict[str, Value]]] = [
    (
        "media3 up to 1.2",
        "bl%3D20200%2Cbr%3D6000%2Cmtp%3D57500%2Cot%3Dv%2Csf%3Dd%2Csid%3D%22s%22%2Cst%3Dl",
        {"bl": 20200, "br": 6000, "mtp": 57500, "ot": "v", "sf": "d", "sid": "s", "st": "l"},
    ),
    ("a third layer", "mtp%253D500%252Csid%253D%2522a%252Cb%2522", {"mtp": 500, "sid": "a,b"}),
    ("lower case", "mtp%3d500%2csid%3d%22s%22", {"mtp": 500, "sid": "s"}),
    ("both cases", "mtp%3d500%2Csu%2cbs", {"mtp": 500, "su": True, "bs": True}),
    ("only the commas", "bl=20200%2Cmtp=57500%2Csu", {"bl": 20200, "mtp": 57500, "su": True}),
    ("only the equals signs", "bl%3D20200,mtp%3D57500", {"bl": 20200, "mtp": 57500}),
    ("only the quotes", "bl=20200,sid=%22s%22", {"bl": 20200, "sid": "s"}),
    ("only one comma", "bl=20200%2Cmtp=57500,su", {"bl": 20200, "mtp": 57500, "su": True}),
    ("one member", "mtp%3D57500", {"mtp": 57500}),
    ("flags alone", "su%2Cbs", {"su": True, "bs": True}),
    ("a flag behind a token", "ot=v%2Csu", {"ot": "v", "su": True}),
    ("all but the quotes", 'sid="s"%2Cmtp%3D57500', {"sid": "s", "mtp": 57500}),
    ("a comma in a string", "sid=%22a,b,c,d%22", {"sid": "a,b,c,d"}),
    ("a plus for a space", "sid%3D%22a+b%22%2Cmtp%3D5", {"sid": "a b", "mtp": 5}),
    ("a plus sign", "sid%3D%22a%2Bb%22%2Cmtp%3D5", {"sid": "a+b", "mtp": 5}),
    ("UTF-8", "cid%3D%22t%C3%ADtulo%22", {"cid": "título"}),
    ("the third layer stays", "nor%3D%22..%252F3.m4v%22%2Csu", {"nor": "..%2F3.m4v", "su": True}),
    ("escapes in a string", r"sid%3D%22a%5C%22b%22", {"sid": 'a"b'}),
    (
        "version 2",
        "br%3D%285000%3Bv%20128%3Ba%29%2Cec%3D%28%22E1%22%29%2Cmtp%3D%28900%29%2Cv%3D2",
        {
            "br": (Item(5000, {"v": True}), Item(128, {"a": True})),
            "ec": (Item("E1"),),
            "mtp": (Item(900),),
            "v": 2,
        },
    ),
    (
        "version 2, brackets left",
        "br%3D(5000%3Bv)%2Cv%3D2",
        {"br": (Item(5000, {"v": True}),), "v": 2},
    ),
    ("JSON", "%7B%22mtp%22%3A500%2C%22sid%22%3A%22s%22%7D", {"mtp": 500, "sid": "s"}),
    ("with a member that cannot be read", "mtp%3D500%2Cd%3D%2Csu", {"mtp": 500, "su": True}),
    ("without quotes", "sid%3D6e2f%2Csu%3Dtrue%2Cmtp%3D5", {"sid": "6e2f", "su": True, "mtp": 5}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "raw"), [row[1:] for row in TWICE], ids=[row[0] for row in TWICE])
def test_cmcd_that_is_encoded_twice_is_read(text: str, raw: dict[str, Value]) -> None:
    """In the query and in headers: further encodings, of the whole or of a part, are undone."""
    for cmcd in (parse_query(text), parse_headers(request=text)):
        assert (raw, True) == (cmcd.raw, cmcd.encoded_again)


ONCE: list[tuple[str, str, dict[str, Value]]] = [
    (
        "another layer in a string",
        'bl=20200,mtp=57500,sid="a%2Cmtp%3D1"',
        {"bl": 20200, "mtp": 57500, "sid": "a%2Cmtp%3D1"},
    ),
    (
        "the same beside a fault",
        'bl=20200,mtp=57500,su=true,sid="a%2Cmtp%3D1"',
        {"bl": 20200, "mtp": 57500, "su": True, "sid": "a%2Cmtp%3D1"},
    ),
    ("a string that is not closed", 'mtp=5,su=true,sid="a%22%2Cmtp%3D1', {"mtp": 5, "su": True}),
    ("a token with a percent sign", "com.a-b=x%2Cmtp", {"com.a-b": "x%2Cmtp"}),
    ("a trailing escape", "sid=6e2f%2C,bl=1", {"sid": "6e2f%2C", "bl": 1}),
    ("four layers", "mtp%25253D57500", {}),
    ("a percent sign", "mtp=5%,su", {"mtp": "5%", "su": True}),
    ("an unknown version", "v%3D3%2Cmtp%3D5", {}),
    ("a control character", "sid%3D%22a%0Ab%22", {}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "raw"), [row[1:] for row in ONCE], ids=[row[0] for row in ONCE])
def test_what_is_not_encoded_twice_stays(text: str, raw: dict[str, Value]) -> None:
    """Strings keep what looks encoded in them, and nothing is decoded more than twice more."""
    for cmcd in (parse_query(text), parse_headers(request=text)):
        assert (raw, False) == (cmcd.raw, cmcd.encoded_again)


def test_text_that_is_too_long_is_not_decoded() -> None:
    """The bound holds before the second decoding."""
    cmcd = parse_query("mtp%3D5" + "%2C" * (MAX_TEXT // 3))
    assert ({}, (f"longer than {MAX_TEXT} characters: not read",)) == (cmcd.raw, cmcd.faults)


SU_AND_BS = {"su": True, "bs": True}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ((None, None, None, None), Cmcd()),
        (("", None, "", None), Cmcd()),
        (('sid="open', "su"), parse_headers(None, "su").raw),
        (("su" + " " * (MAX_TEXT // 2 - 2), "bs" + " " * (MAX_TEXT // 2 - 2)), SU_AND_BS),
        (("su" + " " * (MAX_TEXT // 2 - 2), "bs" + " " * (MAX_TEXT // 2 - 1)), {}),
    ],
)
def test_odd_headers(headers: tuple[str | None, ...], expected: object) -> None:
    """Missing headers, an unbalanced quote and too much text do not raise."""
    cmcd = parse_headers(*headers)
    assert expected == (cmcd if isinstance(expected, Cmcd) else cmcd.raw)


@pytest.mark.parametrize(
    ("headers", "query", "expected"),
    [("mtp=1", "mtp=2", 1), ("", "mtp=2", 2), ("mtp=1,v=9", "mtp=2", 2), ("mtp=1", "", 1)],
)
def test_headers_are_preferred(headers: str, query: str, expected: int) -> None:
    """When both arrive, the headers are used if they can be read (D1.1)."""
    assert expected == prefer(parse_headers(headers), parse_query(query)).mtp_kbps


def test_faults_hold_no_player_text() -> None:
    """Faults contain only keys and our own words, because they are logged as they are."""
    cmcd = parse_query('<script>,sid="<script>\n",ot=<script>,mtp="<script>",st=<b')
    assert cmcd.faults
    assert all("<" not in fault for fault in cmcd.faults)
