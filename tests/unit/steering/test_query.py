"""What players report: each form that real players send, and anything else."""

import json
import random
from pathlib import Path

import pytest

from gateway.steering.query import MAX_PATHWAYS, PathwayReport, _read_any, read_query

CORPUS = Path(__file__).parents[4] / "shared" / "corpus" / "cases" / "steering-vectors.json"

ROWS: list[tuple[str, bytes, list[tuple[str, int | None]]]] = [
    ("nothing, as Shaka's first request", b"", []),
    ("hls.js, media3, Shaka", b"_HLS_pathway=CDN-A&_HLS_throughput=5140000", [("CDN-A", 5140000)]),
    ("quoted", b"_HLS_pathway=%22CDN-A%22&_HLS_throughput=5140000", [("CDN-A", 5140000)]),
    ("quoted, not escaped", b'_HLS_pathway="a"&_HLS_throughput="8000"', [("a", 8000)]),
    ("the default pathway", b"_HLS_pathway=.&_HLS_throughput=0", [(".", None)]),
    ("no throughput", b"_HLS_pathway=a", [("a", None)]),
    ("an empty one", b"_HLS_pathway=%22.%22&_HLS_throughput=", [(".", None)]),
    ("a throughput alone", b"_HLS_throughput=5140000", []),
    (
        "dash.js",
        b"_DASH_pathway=%22alpha,beta%22&_DASH_throughput=5140000,",
        [("alpha", 5140000), ("beta", None)],
    ),
    (
        "commas escaped",
        b"_DASH_pathway=%22a%2Cb%22&_DASH_throughput=%2C9000",
        [("a", None), ("b", 9000)],
    ),
    (
        "fewer numbers",
        b"_DASH_pathway=a,b,c&_DASH_throughput=9000",
        [("a", 9000), ("b", None), ("c", None)],
    ),
    (
        "the last of repeated ones",
        b"_HLS_pathway=A&_HLS_pathway=B&_HLS_throughput=8001&_HLS_throughput=8002",
        [("B", 8002)],
    ),
    ("a pathway twice", b"_DASH_pathway=a,a&_DASH_throughput=9000,9001", [("a", 9000)]),
    ("HLS wins", b"_DASH_pathway=d&_DASH_throughput=9000&_HLS_pathway=h", [("h", None)]),
    ("decimals, as some players send", b"_HLS_pathway=a&_HLS_throughput=9000.75", [("a", 9000)]),
    ("too much to be true", b"_HLS_pathway=a&_HLS_throughput=99999999999999999999", [("a", None)]),
    ("above 20 Gbit/s", b"_HLS_pathway=a&_HLS_throughput=20000000001", [("a", None)]),
    ("below 8 kbit/s", b"_HLS_pathway=a&_HLS_throughput=7999", [("a", None)]),
    ("negative", b"_HLS_pathway=a&_HLS_throughput=-9000", [("a", None)]),
    ("hls.js, 2.7 Gbit/s", b"_HLS_pathway=a&_HLS_throughput=-1618724296", [("a", None)]),
    ("not a number", b"_HLS_pathway=a&_HLS_throughput=NaN", [("a", None)]),
    (
        "other digits",
        b"_HLS_pathway=a&_HLS_throughput=%EF%BC%99%EF%BC%90%EF%BC%90%EF%BC%90",
        [("a", None)],
    ),
    ("no pathway id", b"_HLS_pathway=%0d%0aSet-Cookie:x&_HLS_throughput=9000", []),
    ("too long", b"_HLS_pathway=" + b"a" * 70, []),
    ("not UTF-8", b"_HLS_pathway=%ff%fe&_HLS_throughput=\xff", []),
    ("a bad escape", b"_HLS_pathway=%zz", []),
    ("names are exact", b"_hls_pathway=a&_HLS_Pathway=b&%5fHLS_pathway=c", []),
]


@pytest.mark.parametrize(("query", "expected"), [row[1:] for row in ROWS], ids=[r[0] for r in ROWS])
def test_reports(query: bytes, expected: list[tuple[str, int | None]]) -> None:
    assert tuple(PathwayReport(*one) for one in expected) == read_query(query).reports


@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus is not here")
def test_the_corpus() -> None:
    """The vectors of real players; 0 and 1 bit/s are no measurements."""
    for vector in json.loads(CORPUS.read_text())["query_vectors"]:
        numbers = [bps if bps is not None and bps >= 8000 else None for bps in vector["throughput"]]
        expected = tuple(map(PathwayReport, vector["pathways"], numbers))
        assert expected == read_query(vector["raw"].encode()).reports, vector["raw"]


def test_the_state_is_taken_as_it_is() -> None:
    """It needs no escaping; the last one counts."""
    assert "b.c-_" == read_query(b"state=a&_HLS_pathway=x&state=b.c-_").state
    assert "" == read_query(b"x=1").state


def test_the_number_of_pathways_is_bounded() -> None:
    many = ",".join(f"p{number}" for number in range(1000))
    assert MAX_PATHWAYS == len(read_query(f"_DASH_pathway={many}".encode()).reports)


def test_no_query_is_an_error() -> None:
    """Random bytes around the names."""
    rng = random.Random(7)
    for _ in range(2000):
        noise = bytes(rng.choices(b'%&=",_.-0129aZ\xff\x00', k=rng.randrange(40)))
        found = read_query(b"_HLS_pathway=" + noise + b"&_HLS_throughput=" + noise[::-1])
        assert len(found.reports) <= MAX_PATHWAYS


BEST: list[tuple[str, bytes, int | None]] = [
    ("none", b"_HLS_pathway=a", None),
    ("one", b"_HLS_pathway=a&_HLS_throughput=9000", 9000),
    ("one without its pathway", b"_HLS_throughput=9000", 9000),
    ("of DASH without pathways", b"_DASH_throughput=,9000", 9000),
    ("the best of several", b"_DASH_pathway=a,b,c&_DASH_throughput=9000,70000,", 70000),
    ("what is no number counts as none", b"_DASH_pathway=a,b&_DASH_throughput=NaN,9000", 9000),
    ("of the protocol that names a pathway", b"_HLS_throughput=9000&_DASH_pathway=a", None),
    ("no more than are read", b"_DASH_throughput=" + b"," * MAX_PATHWAYS + b"9000", None),
]


@pytest.mark.parametrize(("query", "best"), [row[1:] for row in BEST], ids=[row[0] for row in BEST])
def test_the_best_throughput(query: bytes, best: int | None) -> None:
    assert best == read_query(query).best_bps


def usual_queries() -> list[bytes]:
    """Queries of HLS players, and some that are nearly such."""
    chance = random.Random(7)
    found = []
    for _ in range(500):
        quote = chance.choice([b"", b"%22", b"%22", b'"'])
        pathway = quote + chance.choice([b"a", b"eu-1", b".", b"x" * 65, b"a,b"]) + quote
        session = chance.choice([b"", b"&session_name=" + b"0f" * 20, b"&session_name=0F"])
        digits = chance.choice([b"0", b"7999", b"8000", b"5140000", b"20000000001", b"1e6", b""])
        order = [b"&_HLS_pathway=" + pathway, b"&_HLS_throughput=" + digits]
        chance.shuffle(order)
        found.append(b"state=2026-11.A_c-" + session + b"".join(order))
    return found


@pytest.mark.parametrize("query", [*dict.fromkeys(usual_queries()), *(row[1] for row in ROWS)])
def test_the_usual_query_is_read_as_any_other(query: bytes) -> None:
    """The short way gives what the long one does."""
    assert _read_any(query) == read_query(query)
