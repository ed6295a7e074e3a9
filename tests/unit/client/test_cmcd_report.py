"""What one line of a CMCD report says of its session."""

import json
from bisect import bisect_left

import pytest

from gateway.client.cmcd import parse_query
from gateway.client.cmcd_report import QUICK_CHARS, Report, lines_of, read_report

SID = "b248658d-1d1a-4039-91d0-8c08ba597da5"
FULL = (
    'bl=(12000),br=(2000;v 128;a),bs,cdn="eu-1",cid="film",e=t,msd=812,mtp=(8400;v),pt=45000,'
    f'sf=h,sid="{SID}",sn=12,st=v,sta=p,tb=(6000;v),ts=1800000000123,v=2'
)
LONG = ",".join(f'com.example-{number}="text"' for number in range(QUICK_CHARS // 20))

LINES = [
    (FULL, Report(SID, 8400, 1_800_000_000_123, True, "p", 812, "eu-1")),
    ('sid="a",v=2', Report("a")),
    ('sid="a", mtp=(900), v=2', Report("a", 900)),
    ('sid="a",mtp=900', Report("a", 900)),
    ('sid="a",mtp=13.06', Report("a", 13)),
    ('sid="a",mtp=(5000;a 9000;v 7000;av),v=2', Report("a", 9000)),
    ('sid="a",mtp=(5000;a),v=2', Report("a")),
    ('sid="a",mtp=5000,ot=a', Report("a")),
    ('sid="a",mtp=(5000;v),ot=a,v=2', Report("a", 5000)),
    ('sid="a",mtp=(),v=2', Report("a")),
    ('sid="a",mtp=-5', Report("a")),
    ("sid=a,bs=?0,v=2", Report("a")),
    ("sid=a,bs=true", Report("a", starved=True)),
    ('sid="a\\"b",v=2', Report('a"b')),
    ('sid="a",ec=("E1" "E2"),e=e,v=2', Report("a", errors=("E1", "E2"))),
    ('sid="a",ec=(404),v=2', Report("a", errors=("404",))),
    ('sid="a",ec="E1",v=2', Report("a", errors=("E1",))),
    ('sid="a",ec=("" true),v=2', Report("a")),
    ('sid="a",sta=zz,msd="x",ts=-1,v=2', Report("a")),
    ('sid="a",sta=w,v=2', Report("a", state="w")),
    ('sid="a",bs,sid="b",v=2', Report("b", starved=True)),
    (f'{LONG},sid="a",bs,v=2', Report("a", starved=True)),
    ('mtp=500,,,"', Report(None, 500)),
    (f'sid="{"x" * 65}",mtp=5,v=2', Report(None, 5)),
    (f'cdn="{"x" * 129}",v=2', Report()),
    (
        '{"sid": "a", "mtp": 700, "bs": true, "ec": ["E1"]}',
        Report("a", 700, None, True, None, None, None, ("E1",)),
    ),
    ('sid="a",v=3', None),
    ("sid", Report()),
    ("?", None),
    ("", None),
]


@pytest.mark.parametrize(("line", "expected"), LINES)
def test_a_line(line: str, expected: Report | None) -> None:
    """What is used of it; whatever cannot be read is left out (D2.6, D3.1)."""
    assert expected == read_report(line)
    cmcd = parse_query(line)
    assert expected == (None if cmcd.version is None else Report.of(cmcd))


BODIES = [
    (b"", []),
    (b"a\nb", ["a", "b"]),
    (b"a\r\nb\r\n\n \n", ["a", "b"]),
    (b"a\x0bb\xe2\x80\xa8c", ["a\x0bb\u2028c"]),
    (b'sid="\xff"', ['sid="\ufffd"']),
    (b'{"a": 1}\n{"a": 2}', ['{"a": 1}', '{"a": 2}']),
    (b'[{"a": 1},\n {"a": 2}]', ['{"a": 1}', '{"a": 2}']),
    (b'{\n"a": 1}', ['{"a": 1}']),
    (b"[1, [2]]", ["1", "[2]"]),
    (b"[" * 100_000, ["[" * 100_000]),
]


@pytest.mark.parametrize(("body", "expected"), BODIES)
def test_the_lines_of_a_body(body: bytes, expected: list[str]) -> None:
    """One report a line; older drafts send JSON."""
    assert expected == list(lines_of(body))


def test_json_as_deep_as_python_reads_is_harmless() -> None:
    """What can just be read may be too deep to be written again."""

    def is_read(depth: int) -> bool:
        try:
            json.loads("[" * depth + "]" * depth)
        except RecursionError:
            return False
        return True

    deepest = bisect_left(range(1 << 20), 1, key=lambda depth: not is_read(depth)) - 1
    for depth in range(deepest - 20, deepest + 2):
        for body in ("[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth):
            assert all(read_report(line) is None for line in lines_of(body.encode()))


def test_a_deep_or_long_item_of_json_is_harmless() -> None:
    """It is a report that cannot be read."""
    body = json.dumps([{"a": [[1]], "b": "x" * 10_000}, 5]).encode()
    assert [None, None] == [read_report(line) for line in lines_of(body)]
