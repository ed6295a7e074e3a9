"""Bytes to requests: tables of what is read and what is refused, however the bytes are split."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.serving.refusal import Refusal
from gateway.serving.request_reader import BODY_END, Event, RequestHead, RequestReader

HOST = (b"host", b"x")
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
UPGRADE = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"


def read(*packets: bytes) -> list[object]:
    """The events of a connection, in short: method, path, query, Host and ``keep_alive`` of a
    head, bodies joined, END, and the status and reason of a refusal."""
    reader, found = RequestReader(), list[object]()
    for packet in packets:
        for event in reader.feed(packet):
            _add(found, event)
    return found


def _add(found: list[object], event: Event) -> None:
    if isinstance(event, RequestHead):
        host = dict(event.headers).get(b"host", b"-")
        end = "" if event.keep_alive else " close"
        found.append(f"{event.method} {event.path}?{event.query.decode()} {host.decode()}{end}")
    elif isinstance(event, Refusal):
        found.append((event.status, event.reason))
    elif isinstance(event, bytes):
        if found and isinstance(found[-1], bytes):
            found[-1] += event
        else:
            found.append(event)
    else:
        found.append("END")


READ = {
    "one": (GET, ["GET /? x", "END"]),
    "empty lines before": (b"\r\n\r\n\r\n" + GET, ["GET /? x", "END"]),
    "an empty line after": (GET + b"\r\n", ["GET /? x", "END"]),
    "two": (GET + GET, ["GET /? x", "END", "GET /? x", "END"]),
    "quoted": (b"GET /a%20b?c%20d HTTP/1.1\r\nHost: x\r\n\r\n", ["GET /a b?c%20d x", "END"]),
    "a body": (POST + b"Content-Length: 3\r\n\r\nabc" + GET,
               ["POST /? x", b"abc", "END", "GET /? x", "END"]),
    "chunks": (CHUNKED + b"3;a=b\r\nabc\r\n2\r\nde\r\n0\r\n\r\n" + GET,
               ["POST /? x", b"abcde", "END", "GET /? x", "END"]),
    "trailers": (CHUNKED + b"3\r\nabc\r\n0\r\nHost: y\r\nA: b\r\n\r\n" + GET,
                 ["POST /? x", b"abc", "END", "GET /? x", "END"]),
    "the last one": (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" + GET,
                     ["GET /? x close", "END"]),
    "HTTP/1.0": (b"GET / HTTP/1.0\r\n\r\n" + GET, ["GET /? - close", "END"]),
    "HTTP/1.0 that would stay": (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + GET,
                                 ["GET /? - close", "END"]),
    "absolute-form": (b"GET http://y:80/a?b HTTP/1.1\r\nHost: x\r\n\r\n", ["GET /a?b y:80", "END"]),
    "absolute-form, no path": (b"GET HTTP://y HTTP/1.1\r\nHost: x\r\n\r\n", ["GET /? y", "END"]),
    "asterisk-form": (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", ["OPTIONS *? x", "END"]),
    "an IPv6 host": (b"GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", ["GET /? [::1]:8080", "END"]),
    "an empty host": (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", ["GET /? ", "END"]),
    "an upgrade": (b"GET / HTTP/1.1\r\nHost: x\r\n" + UPGRADE + b"\r\n" + GET,
                   ["GET /? x", "END", "GET /? x", "END"]),
    "an upgrade with a body": (POST + UPGRADE + b"Content-Length: 3\r\n\r\nabc" + GET,
                               ["POST /? x", b"abc", "END", "GET /? x", "END"]),
    "an upgrade with chunks": (
        POST + UPGRADE + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: u\r\n\r\n" + GET,
        ["POST /? x", b"abc", "END", "GET /? x", "END"]),
}  # fmt: skip


@pytest.mark.parametrize(("sent", "expected"), READ.values(), ids=READ)
def test_requests(sent: bytes, expected: list[object]) -> None:
    """What a connection says, in one packet and byte by byte."""
    assert expected == read(sent)
    assert expected == read(*(sent[at : at + 1] for at in range(len(sent))))


def head(*lines: bytes, first: bytes = b"GET / HTTP/1.1") -> bytes:
    """A head of these lines."""
    return b"\r\n".join([first, *lines, b"", b""])


BAD = (400, "bad-request")
REFUSED = {
    "garbage": (b"\0\1\2", BAD),
    "an unknown method": (head(b"Host: x", first=b"BREW / HTTP/1.1"), BAD),
    "a lower-case method": (head(b"Host: x", first=b"get / HTTP/1.1"), BAD),
    "bare line feeds": (b"GET / HTTP/1.1\nHost: x\n\n", BAD),
    "a folded header": (head(b"Host: x", b" y"), BAD),
    "a space before the colon": (head(b"Host : x"), BAD),
    "no name": (head(b"Host: x", b": y"), BAD),
    "no colon": (head(b"Host: x", b"A"), BAD),
    "NUL": (head(b"Host: x", b"A: \0"), BAD),
    "a control character": (head(b"Host: x", b"A: \x01"), BAD),
    "a space in the target": (head(b"Host: x", first=b"GET /a b HTTP/1.1"), BAD),
    "bytes beyond ASCII in the target": (head(b"Host: x", first=b"GET /\xc3\xa9 HTTP/1.1"), BAD),
    "HTTP/1.2": (head(b"Host: x", first=b"GET / HTTP/1.2"), BAD),
    "HTTP/2.0": (head(b"Host: x", first=b"GET / HTTP/2.0"), (505, "bad-version")),
    "HTTP/2's preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", BAD),
    "HTTP/0.9": (b"GET /\r\n\r\n", (505, "bad-version")),
    "no Host": (head(), (400, "bad-host")),
    "two Hosts": (head(b"Host: x", b"Host: x"), (400, "bad-host")),
    "two Hosts in HTTP/1.0": (
        head(b"Host: x", b"Host: y", first=b"GET / HTTP/1.0"), (400, "bad-host")),
    "a path as Host": (head(b"Host: a/b"), (400, "bad-host")),
    "a user in Host": (head(b"Host: a@b"), (400, "bad-host")),
    "a fragment": (head(b"Host: x", first=b"GET /a#b HTTP/1.1"), (400, "bad-target")),
    "* for GET": (head(b"Host: x", first=b"GET * HTTP/1.1"), (400, "bad-target")),
    "ftp": (head(b"Host: x", first=b"GET ftp://x/ HTTP/1.1"), (400, "bad-target")),
    "a user in the target": (head(b"Host: x", first=b"GET http://a@x/ HTTP/1.1"),
                             (400, "bad-target")),
    "authority-form": (head(b"Host: x", first=b"GET x:80 HTTP/1.1"), BAD),
    "CONNECT": (head(b"Host: x", first=b"CONNECT x:80 HTTP/1.1"), (501, "not-implemented")),
    "two lengths": (POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", BAD),
    "a list of lengths": (POST + b"Content-Length: 3, 3\r\n\r\nabc", BAD),
    "a length with a sign": (POST + b"Content-Length: +3\r\n\r\nabc", BAD),
    "a length of no digits": (POST + b"Content-Length: \r\n\r\nabc", BAD),
    "a length beyond 64 bits": (POST + b"Content-Length: 99999999999999999999\r\n\r\n", BAD),
    "too long": (POST + b"Content-Length: 1048577\r\n\r\n", (413, "body-too-large")),
    "length, then chunks": (
        POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", BAD),
    "chunks, then length": (
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", BAD),
    "chunked twice": (POST + 2 * b"Transfer-Encoding: chunked\r\n" + b"\r\n", BAD),
    "chunked, gzip": (POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n", BAD),
    "gzip": (POST + b"Transfer-Encoding: gzip\r\n\r\n", (501, "not-implemented")),
    "gzip, chunked": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", (501, "not-implemented")),
    "chunks in HTTP/1.0": (
        head(b"Transfer-Encoding: chunked", first=b"POST / HTTP/1.0"), BAD),
    "a hexadecimal prefix": (CHUNKED + b"0x3\r\nabc\r\n", BAD),
    "a chunk that ends with LF": (CHUNKED + b"3\nabc\r\n", BAD),
    "a chunk that is longer": (CHUNKED + b"3\r\nabcd\r\n", BAD),
    "a folded trailer": (CHUNKED + b"0\r\nA: b\r\n c\r\n\r\n", BAD),
}  # fmt: skip


@pytest.mark.parametrize(("sent", "refusal"), REFUSED.values(), ids=REFUSED)
def test_refusals(sent: bytes, refusal: tuple[int, str]) -> None:
    """What ends a connection, in one packet and byte by byte; and nothing after it is read."""
    for packets in ([sent], [sent[at : at + 1] for at in range(len(sent))]):
        found = read(GET, *packets, GET)
        assert ["GET /? x", "END", refusal] == [found[0], found[1], found[-1]]
        assert 1 == sum(isinstance(each, tuple) for each in found)


SIZES = {
    "headers that fit": (head(b"Host: x", *[b"A: b"] * 127), None),
    "one header too many": (head(b"Host: x", *[b"A: b"] * 128), (431, "head-too-large")),
    "headers without end": (head(b"Host: x", *[b"A: b"] * 9_000)[:-2], (431, "head-too-large")),
    "a head that fits": (head(b"Host: x", b"A: " + b"b" * 130_000), None),
    "a head that does not": (head(b"Host: x", b"A: " + b"b" * 131_072), (431, "head-too-large")),
    "a head without end": (b"GET / HTTP/1.1\r\nA: " + b"b" * 140_000, (431, "head-too-large")),
    "a target without end": (b"GET /" + b"b" * 140_000, (431, "head-too-large")),
    "empty lines without end": (b"\r\n" * 70_000, (431, "head-too-large")),
    "a body that fits": (CHUNKED + b"100000\r\n" + b"a" * 1_048_576 + b"\r\n0\r\n\r\n", None),
    "a body that does not": (CHUNKED + b"100001\r\n" + b"a" * 1_048_577, (413, "body-too-large")),
    "small chunks that fit": (CHUNKED + b"10\r\n" + b"a" * 16 + b"\r\n", None),
    "a chunk extension without end": (CHUNKED + b"1;" + b"a" * 60_000, (413, "body-too-large")),
    "chunk extensions without end": (CHUNKED + b"1;a=bcdefghi\r\na\r\n" * 3000,
                                     (413, "body-too-large")),
    "trailers without end": (CHUNKED + b"0\r\n" + b"a: b\r\n" * 10_000, (413, "body-too-large")),
    "a trailer without end": (CHUNKED + b"0\r\na: " + b"b" * 60_000, (413, "body-too-large")),
}  # fmt: skip


@pytest.mark.parametrize(("sent", "refusal"), SIZES.values(), ids=SIZES)
def test_sizes(sent: bytes, refusal: tuple[int, str] | None) -> None:
    """Everything has a bound, whether it comes in large packets or in small ones."""
    for size in (1400, 16_384):
        packets = [sent[at : at + size] for at in range(0, len(sent), size)]
        assert refusal == next((each for each in read(*packets) if isinstance(each, tuple)), None)


def test_requests_in_a_packet() -> None:
    """There may be 64; those before the first that is refused are answered."""
    assert "END" == read(GET * 64)[-1]
    found = read(GET * 65, GET)
    assert (129, (429, "too-many-pipelined")) == (len(found), found[-1])


def test_a_head_does_not_change() -> None:
    """Headers are what they were when the head was complete: trailers do not get in."""
    reader = RequestReader()
    (request, *_) = reader.feed(CHUNKED + b"1\r\na\r\n0\r\nA: b\r\n")
    assert isinstance(request, RequestHead)
    before = list(request.headers)
    reader.feed(b"X-Forwarded-For: 1.2.3.4\r\n\r\n" + GET)
    assert [HOST, (b"transfer-encoding", b"chunked")] == before == request.headers


def test_a_trailer_is_not_kept() -> None:
    """The second request on a connection has its own headers alone."""
    reader = RequestReader()
    events = reader.feed(CHUNKED + b"0\r\nA: b\r\n\r\n" + GET)
    assert [HOST] == [each for each in events if isinstance(each, RequestHead)][1].headers
    assert BODY_END is events[-1]


PIECES = st.sampled_from(
    [
        *(sent for sent, _ in READ.values()),
        *(sent for sent, _ in REFUSED.values()),
        *(b"\r\n", b"\0", b"GET ", b"HTTP/1.1\r\n", b"Host: x\r\n", b"0\r\n\r\n", b"3\r\nabc"),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=6), st.lists(st.integers(0, 2000), max_size=8))
def test_packets_do_not_matter(pieces: list[bytes], cuts: list[int]) -> None:
    """A stream means the same, however it is split into packets."""
    sent = b"".join(pieces)
    at = sorted({0, len(sent), *(cut for cut in cuts if cut < len(sent))})
    packets = [sent[start:end] for start, end in itertools.pairwise(at)]
    whole, split = read(sent), read(*packets)
    if (429, "too-many-pipelined") not in whole:
        assert whole == split
