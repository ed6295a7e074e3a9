"""A report that is read quickly says what the full reader says."""

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.client.cmcd import parse_query
from gateway.client.cmcd_report import Report, lines_of, read_report

USED = ["sid", "mtp", "ot", "ts", "sta", "msd", "cdn", "bs", "v", "ec"]
KEYS = st.sampled_from([*USED, "br", "bl", "nor", "su", "e", "com.example-a", "mtpx", "sid-x", "a"])
TOKENS = ["v", "a", "av", "m", "p", "w", "true", "false", "truex", "abc", "a%2Cb=1"]
TEXTS = st.text(st.sampled_from("abEv%+ ;,=()é/."), max_size=8).map(lambda text: f'"{text}"')
SCALARS = (
    st.integers(-5, 10**16).map(str)
    | st.floats(0, 10**6).map(str)
    | st.sampled_from(
        [
            "v",
            "a",
            "av",
            "m",
            "p",
            "w",
            "1",
            "2",
            "3",
            "true",
            "false",
            "truex",
            "?0",
            "?1",
            "abc",
            "a%2Cb=1",
            "12ab",
            "007",
            "1e5",
        ]
    )
    | TEXTS
)
PARAMETERS = st.sampled_from(["", "", ";v", ";a", ";av", ';r="0-99"', ";v=1", ";", "; v"])
ITEMS = st.tuples(SCALARS, PARAMETERS).map("".join)
LISTS = st.lists(ITEMS, max_size=3).map(lambda items: f"({' '.join(items)})")
MEMBERS = st.one_of(KEYS, st.tuples(KEYS, SCALARS | LISTS | ITEMS).map("=".join))
LINES = st.tuples(st.lists(MEMBERS, max_size=8), st.sampled_from([",", ", ", " ,", ",,"])).map(
    lambda given: given[1].join(given[0])
)


@given(LINES)
@example('mtp=(8400;v),ot=a,sid="a",v=2')
@example("a=" + "(1 " * 400)
@example("a=" + "b;c=d" * 400)
def test_quick_reading_changes_nothing(line: str) -> None:
    cmcd = parse_query(line)
    assert (None if cmcd.version is None else Report.of(cmcd)) == read_report(line)


@given(st.binary(max_size=200) | LINES.map(str.encode))
def test_any_body_is_read(body: bytes) -> None:
    for line in lines_of(body):
        read_report(line)
