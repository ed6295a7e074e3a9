"""The HTTP interface as players and their operators see it: docs/http.md."""

import gzip
import json
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import brotli
import http_sf
import httpx
import pytest
import zstandard

from tests.integration.asking import ask_raw, get_raw
from tests.integration.reading_metrics import metric
from tests.integration.running import RunningGateway, running_gateway
from tests.integration.viewers import until

DESKTOP = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Safari/537.36"
)
PHONE = (
    "Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Mobile Safari/537.36"
)
NORWAY = "129.240.2.6"
VIEWER = {"User-Agent": DESKTOP, "X-Forwarded-For": NORWAY, "Accept-Encoding": "identity"}

PLAYLIST = "/v1/play/film/one.m3u8"
DECISION = "/v1/play/film/one"


def changing(headers: httpx.Headers | dict[str, str]) -> dict[str, str]:
    """Headers that two answers to one question share."""
    own = ("date", "x-request-id", "server-timing", "connection")
    return {name.lower(): value for name, value in headers.items() if name.lower() not in own}


# ── what a manifest answer carries ──────────────────────────────────────────────────────────────


def test_a_manifest_answer_carries_all_that_the_reference_says(client: httpx.Client) -> None:
    """All headers of docs/http.md: type, caching, ETag, Vary, CORS, timing, request id and
    decision."""
    answer = client.get(PLAYLIST, headers=VIEWER)
    assert 200 == answer.status_code
    assert "application/vnd.apple.mpegurl" == answer.headers["Content-Type"]
    assert re.fullmatch(r"private, max-age=\d+", answer.headers["Cache-Control"])
    assert re.fullmatch(r'"[0-9a-f]{24}"', answer.headers["ETag"])
    assert "*" == answer.headers["Access-Control-Allow-Origin"]
    assert "*" == answer.headers["Timing-Allow-Origin"]
    assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["X-Request-ID"])
    assert answer.text.startswith("#EXTM3U\n")


def test_vary_names_every_header_that_decides(client: httpx.Client) -> None:
    """F4. Vary cannot name the client's address, so the answer is private."""
    answer = client.get(PLAYLIST, headers=VIEWER)
    named = {name.strip().lower() for name in answer.headers["Vary"].split(",")}
    deciding = {
        *("accept-encoding", "user-agent", "save-data", "ect"),
        *("sec-ch-ua-mobile", "sec-ch-ua-platform", "sec-ch-ua-model", "sec-ch-ua-form-factors"),
        *("cmcd-object", "cmcd-request", "cmcd-session", "cmcd-status"),
    }
    assert set() == deciding - named


@pytest.mark.parametrize(
    ("header", "value"), [("ECT", "2g"), ("CMCD-Request", "mtp=900"), ("Sec-CH-UA-Mobile", "?1")]
)
def test_a_header_that_vary_names_does_change_the_decision(
    client: httpx.Client, header: str, value: str
) -> None:
    """Each hint changes what is known of the client: the device or the speed."""
    plain = client.get(DECISION, headers={**VIEWER, "User-Agent": ""}).json()
    hinted = client.get(DECISION, headers={**VIEWER, "User-Agent": "", header: value})
    assert plain["client"] != hinted.json()["client"]


def test_server_timing_tells_the_stages(client: httpx.Client) -> None:
    """Durations in milliseconds for the four stages, in order, also for a repeated request."""
    url = "/v1/play/server/timing.m3u8"
    for _ in range(4):
        timing = client.get(url, headers=VIEWER).headers["Server-Timing"]
        found = re.findall(r"(\w+);dur=([0-9.]+)", timing)
        assert ["facts", "source", "decide", "write"] == [name for name, _ in found]
        assert 0 < sum(float(milliseconds) for _, milliseconds in found) < 5_000


@pytest.mark.parametrize("path", [PLAYLIST, DECISION, "/v1/play/..", "/livez", "/openapi.json"])
def test_head_is_get_without_a_body(default_gateway: RunningGateway, path: str) -> None:
    """The same status and headers, Content-Length included, and no body (F6)."""
    headers = [f"{name}: {value}".encode() for name, value in VIEWER.items()]
    get_raw(default_gateway.url, path.encode(), *headers)
    got = get_raw(default_gateway.url, path.encode(), *headers)
    head = get_raw(default_gateway.url, path.encode(), *headers, method=b"HEAD")
    assert (got.status, b"") == (head.status, head.body)
    assert got.body
    assert changing(got.headers) == changing(head.headers)


# ── CMCD ────────────────────────────────────────────────────────────────────────────────────────

TWICE = "bl%253D20200%252Cbr%253D6000%252Cmtp%253D57500%252Cot%253Dv%252Csid%253D%2522s%2522"
ONCE = "bl%3D20200%2Cmtp%3D57500%2Csid%3D%22a%252Cmtp%253D1%22"


@pytest.mark.parametrize(
    ("query", "header", "decoded_again"),
    [
        (f"?CMCD={TWICE}", "", True),
        (f"?CMCD={ONCE}", "", False),
        ("", "mtp%3D57500%2Csu", True),
        ("", "mtp=57500,su", False),
        (f"?CMCD={ONCE}&CMCD=", "", False),
    ],
)
def test_cmcd_that_is_encoded_twice_counts(
    default_gateway: RunningGateway, query: str, header: str, decoded_again: bool
) -> None:
    """Players that encode CMCD twice are measured like others, and operators are told."""
    headers = {**VIEWER, "CMCD-Request": header} if header else VIEWER
    answer = httpx.get(f"{default_gateway.url}{PLAYLIST}{query}", headers=headers)
    assert "speed=57500;src=cmcd" in answer.headers["Gateway-Decision"]
    shown = httpx.get(f"{default_gateway.admin_url}{DECISION}{query}", headers=headers).json()
    assert 57500 == shown["client"]["speed_kbps"]
    told = any("[cmcd-encoded-twice]" in reason for reason in shown["reasons"])
    assert decoded_again == told


# ── entity tags ─────────────────────────────────────────────────────────────────────────────────


def decode_zstd(data: bytes) -> bytes:
    """Decode a frame, whose header may lack the size."""
    return zstandard.ZstdDecompressor().decompress(data, max_output_size=1 << 20)


DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": decode_zstd,
}


@pytest.mark.parametrize("path", [PLAYLIST, DECISION])
@pytest.mark.parametrize("coding", DECODERS)
def test_every_coding_is_the_same_manifest(
    default_gateway: RunningGateway, coding: str, path: str
) -> None:
    """Each coding decodes to the identity body, and has its own ETag (RFC 9110, 8.8.3.3)."""
    viewer = [b"User-Agent: " + DESKTOP.encode(), b"X-Forwarded-For: " + NORWAY.encode()]
    plain = get_raw(default_gateway.url, path.encode(), *viewer)
    coded = get_raw(
        default_gateway.url, path.encode(), *viewer, b"Accept-Encoding: " + coding.encode()
    )
    assert coding == coded.headers["content-encoding"]
    assert len(coded.body) < len(plain.body)
    assert plain.body == DECODERS[coding](coded.body)
    assert plain.headers["etag"] != coded.headers["etag"]
    assert not coded.headers["etag"].startswith("W/")
    assert str(len(coded.body)) == coded.headers["content-length"]


NEGOTIATION = [
    ("", None),
    ("identity", None),
    ("gzip", "gzip"),
    ("GZIP", "gzip"),
    ("x-gzip, x-compress", "gzip"),
    ("br", "br"),
    ("zstd", "zstd"),
    ("gzip, deflate, br", "br"),
    ("gzip, deflate, br, zstd", "zstd"),
    ("gzip;q=1.0, br;q=0.5", "gzip"),
    ("gzip;q=0, br;q=0", None),
    ("*", "zstd"),
    ("*;q=0", None),
    ("*;q=0.1, gzip", "gzip"),
    ("zstd;q=0, *", "br"),
    ("deflate", None),
    ("gzip;q=0.2, identity", None),
    ("identity;q=0.5, gzip;q=1", "gzip"),
    ("identity;q=0", None),
    (" gzip ; q=0.8 ,, br;q=0.1", "gzip"),
    ("gzip;q=nonsense", None),
    ("gzip;q=nan, br;q=-1", None),
    ("gzip," * 200, None),
    ("gz\u00efp", None),
]


@pytest.mark.parametrize(("accepted", "expected"), NEGOTIATION)
def test_negotiation(default_gateway: RunningGateway, accepted: str, expected: str | None) -> None:
    """RFC 9110, 12.5.3: the preferred coding among those accepted; identity in case of doubt."""
    header = b"Accept-Encoding: " + accepted.encode("latin-1")
    answer = get_raw(default_gateway.url, PLAYLIST.encode(), header)
    assert (200, expected) == (answer.status, answer.headers.get("content-encoding"))


def test_without_accept_encoding_nothing_is_coded(default_gateway: RunningGateway) -> None:
    """A player without Accept-Encoding may not support any coding."""
    answer = get_raw(default_gateway.url, PLAYLIST.encode())
    assert "content-encoding" not in answer.headers


IF_NONE_MATCH = [
    ("{tag}", 304),
    ("W/{tag}", 304),
    ('"other", {tag}', 304),
    ('"other",W/{tag} , "more"', 304),
    ("*", 304),
    ('"other"', 200),
    ("", 200),
    ('""', 200),
    ("{bare}", 200),
    ("{other coding}", 200),
]


@pytest.mark.parametrize("path", [PLAYLIST, DECISION])
@pytest.mark.parametrize(("template", "expected"), IF_NONE_MATCH)
def test_if_none_match(client: httpx.Client, path: str, template: str, expected: int) -> None:
    """Lists, ``*`` and weak tags match (9110, 13.1.2); a tag of another coding does not."""
    tag = client.get(path, headers=VIEWER).headers["ETag"]
    other = client.get(path, headers={**VIEWER, "Accept-Encoding": "gzip"}).headers["ETag"]
    asked = (
        template.replace("{tag}", tag)
        .replace("{bare}", tag.strip('"'))
        .replace("{other coding}", other)
    )
    answer = client.get(path, headers={**VIEWER, "If-None-Match": asked})
    assert expected == answer.status_code


def test_if_none_match_on_two_lines(default_gateway: RunningGateway) -> None:
    """Lines of one name are one list (9110, 5.3)."""
    tag = get_raw(default_gateway.url, PLAYLIST.encode()).headers["etag"].encode()
    answer = get_raw(
        default_gateway.url,
        PLAYLIST.encode(),
        b"If-None-Match: " + tag,
        b'If-None-Match: "other"',
    )
    assert 304 == answer.status


def test_not_modified_repeats_what_it_must(default_gateway: RunningGateway) -> None:
    """9110, 15.4.5 (F6): Cache-Control, Date, ETag and Vary as in the 200; no body, no length."""
    coding = b"Accept-Encoding: br"
    full = get_raw(default_gateway.url, PLAYLIST.encode(), coding)
    tag = b"If-None-Match: " + full.headers["etag"].encode()
    answer = get_raw(default_gateway.url, PLAYLIST.encode(), coding, tag)
    repeated = ("cache-control", "etag", "vary", "access-control-allow-origin")
    assert 304 == answer.status
    assert {name: full.headers[name] for name in repeated} == {
        name: answer.headers[name] for name in repeated
    }
    assert answer.headers["date"]
    assert b"" == answer.body
    assert {"content-encoding", "content-length"}.isdisjoint(answer.headers)


def test_the_tag_is_of_the_personalised_bytes(client: httpx.Client) -> None:
    """F6: players with different bytes get different ETags, players with equal bytes the same
    one."""

    def tag(agent: str, address: str) -> str:
        headers = {**VIEWER, "User-Agent": agent, "X-Forwarded-For": address}
        found: str = client.get(PLAYLIST, headers=headers).headers["ETag"]
        return found

    assert tag(DESKTOP, NORWAY) != tag(PHONE, NORWAY)
    assert tag(DESKTOP, NORWAY) != tag(DESKTOP, "133.11.1.1")
    assert tag(DESKTOP, NORWAY) == tag(DESKTOP, "129.240.7.7")


# ── CORS ────────────────────────────────────────────────────────────────────────────────────────

CMCD_HEADERS = ("CMCD-Object", "CMCD-Request", "CMCD-Session", "CMCD-Status")
V1_PATHS = (PLAYLIST, DECISION, "/v1/steering/film", "/v1/cmcd", "/v1/probe", "/v1/play/film.mpd")


@pytest.mark.parametrize("path", V1_PATHS)
def test_preflight(client: httpx.Client, path: str) -> None:
    """D3.5: pages may send CMCD in headers, and the browser may cache the preflight."""
    answer = client.options(
        path,
        headers={
            "Origin": "https://tv.example",
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "cmcd-request,cmcd-session",
        },
    )
    allowed = {name.strip() for name in answer.headers["Access-Control-Allow-Headers"].split(",")}
    assert (204, b"") == (answer.status_code, answer.content)
    assert "*" == answer.headers["Access-Control-Allow-Origin"]
    assert "GET, HEAD, POST, OPTIONS" == answer.headers["Access-Control-Allow-Methods"]
    assert set() == set(CMCD_HEADERS) - allowed
    assert int(answer.headers["Access-Control-Max-Age"]) > 0


def preflight(url: str, asked: str, path: str = PLAYLIST, method: str = "GET") -> list[str]:
    """The request headers out of ``asked`` that a browser would not send after its preflight."""
    answer = httpx.options(
        url + path,
        headers={
            "Origin": "https://player.example",
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": asked,
        },
    )
    assert 204 == answer.status_code
    assert method in answer.headers["Access-Control-Allow-Methods"].split(", ")
    assert int(answer.headers["Access-Control-Max-Age"]) >= 600
    named = answer.headers["Access-Control-Allow-Headers"]
    allowed = {name.strip().lower() for name in named.split(",")}
    return [name for name in asked.split(",") if name not in allowed]


SENT_BY_SCRIPTS = [
    (
        "CMCD of either version, a range, a trace",
        "GET",
        f"{','.join(CMCD_HEADERS).lower()},range,traceparent",
    ),
    ("the rest of a trace", "GET", "traceparent,tracestate,baggage"),
    ("older tracing", "GET", "b3,x-b3-traceid,x-b3-spanid,x-b3-parentspanid,x-b3-sampled"),
    ("monitoring of real users", "GET", "sentry-trace,baggage,x-datadog-trace-id,x-datadog-origin"),
    ("Dynatrace, Instana", "GET", "x-dtpc,x-dtreferer,x-instana-t,x-instana-s,x-instana-l"),
    ("AppDynamics and others", "GET", "adrum,adrum_1,sw8,x-newrelic-id,x-honeycomb-trace"),
    ("tokens", "GET", "authorization,cta-common-access-token"),
    ("a reload", "GET", "cache-control,pragma,if-none-match,if-modified-since"),
    ("client hints", "GET", "sec-ch-ua,sec-ch-ua-mobile,sec-ch-ua-model,sec-ch-ua-form-factors"),
    ("network hints", "GET", "save-data,downlink,ect,rtt,dpr,viewport-width,device-memory"),
    ("a report", "POST", "content-type,content-encoding"),
    ("long languages", "HEAD", "accept,accept-language"),
    ("a session", "GET", "x-playback-session-id,x-request-id,x-requested-with"),
]


@pytest.mark.parametrize(
    ("method", "asked"),
    [row[1:] for row in SENT_BY_SCRIPTS],
    ids=[row[0] for row in SENT_BY_SCRIPTS],
)
@pytest.mark.parametrize("path", [PLAYLIST, DECISION, "/v1/steering/film", "/v1/cmcd", "/v1/probe"])
def test_what_scripts_send_passes_the_preflight(
    default_gateway: RunningGateway, path: str, method: str, asked: str
) -> None:
    """One header that is not allowed would fail the request, and with it playback. Names, because
    ``*`` covers neither credentials nor Authorization."""
    assert [] == preflight(default_gateway.url, asked, path, method)


def test_a_config_allows_more_headers(listed_origins: RunningGateway) -> None:
    """``server.cors_allow_headers``; what nobody lists is not allowed."""
    asked = "x-tv-app,traceparent,x-other"
    assert ["x-other"] == preflight(listed_origins.url, asked)


EVERY_KIND = [
    ("a playlist", "GET", PLAYLIST, {}, 200),
    ("its headers", "HEAD", PLAYLIST, {}, 200),
    ("a decision", "GET", DECISION, {}, 200),
    ("a playlist that the page has", "GET", PLAYLIST, {"If-None-Match": "*"}, 304),
    ("a malformed parameter", "GET", f"{PLAYLIST}?speed=x", {}, 400),
    ("no such asset", "GET", "/v1/play/..%2f", {}, 404),
    ("no such path", "GET", "/nowhere", {}, 404),
    ("a format that the title lacks", "GET", "/v1/play/film.mpd", {}, 404),
    ("bytes to time", "GET", "/v1/probe?bytes=100", {}, 200),
    ("a malformed size", "GET", "/v1/probe?bytes=x", {}, 400),
    ("a steering manifest", "GET", "/v1/steering/film", {}, 200),
    ("a wrong method", "DELETE", PLAYLIST, {}, 405),
    ("no variant", "GET", f"{PLAYLIST}?codecs=vp9", {}, 406),
    ("a batch that is too large", "POST", "/v1/decisions", {}, 413),
    ("a URL that is too long", "GET", f"{PLAYLIST}?x={'y' * 9000}", {}, 414),
    ("readiness", "GET", "/readyz", {}, 200),
    ("liveness", "GET", "/livez", {}, 200),
    ("the interface", "GET", "/openapi.json", {}, 200),
    ("a preflight", "OPTIONS", PLAYLIST, {}, 204),
]


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [row[1:] for row in EVERY_KIND],
    ids=[row[0] for row in EVERY_KIND],
)
def test_a_page_may_read_every_answer(
    client: httpx.Client, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    """F11: every answer is readable, whatever its status, with the headers that scripts read."""
    body = b"x" * 200_000 if status == 413 else None
    sent = {**VIEWER, "Origin": "https://tv.example", **headers}
    answer = client.request(method, path, headers=sent, content=body)
    exposed = {name.strip() for name in answer.headers["Access-Control-Expose-Headers"].split(",")}
    assert (status, "*") == (answer.status_code, answer.headers["Access-Control-Allow-Origin"])
    assert {
        *("Content-Encoding", "Content-Length", "Gateway-Decision", "Server-Timing", "ETag"),
        *("Date", "Age", "Retry-After", "X-Request-ID", "Allow", "WWW-Authenticate"),
        *("CMSD-Static", "CMSD-Dynamic"),
    } <= exposed


def test_a_page_may_read_refusals() -> None:
    """What never becomes a request is readable, too: 400 and 503 of the connection. On the
    operators' listener no page may read it."""
    environ = {
        "GATEWAY_STORE__URL": "memory",
        "GATEWAY_LIMITS__MAX_CONNECTIONS": "1",
        "GATEWAY_SERVER__CORS_ORIGINS": '["https://tv.example"]',
    }
    with running_gateway(None, environ=environ) as gateway:
        request = b"GET /livez HTTP/1.1\r\nOrigin: https://tv.example\r\n\r\n"
        without_host = ask_raw(gateway.url, request)
        assert (400, "*") == (
            without_host.status,
            without_host.headers["access-control-allow-origin"],
        )
        parts = urlsplit(gateway.url)
        open_now = 'gateway_connections{listener="players"}'
        until(lambda: metric(gateway.admin_url, open_now) == 0)
        with socket.create_connection((parts.hostname, parts.port), timeout=5):
            gateway_full = ask_raw(gateway.url, b"")
        assert (503, "*", "Retry-After") == (
            gateway_full.status,
            gateway_full.headers["access-control-allow-origin"],
            gateway_full.headers["access-control-expose-headers"],
        )
        for_operators = ask_raw(gateway.admin_url, request)
        assert 400 == for_operators.status
        assert "access-control-allow-origin" not in for_operators.headers


CHROME_CODINGS = "gzip, deflate, br, zstd"


def test_a_script_can_tell_the_length_of_what_it_reads(client: httpx.Client) -> None:
    """Content-Length counts the coded bytes (RFC 9110, 8.6), so a script has to see
    Content-Encoding beside it, and caches have to tell the two apart."""
    origin = {"User-Agent": DESKTOP, "Origin": "https://player.example"}
    with client.stream(
        "GET", PLAYLIST, headers={**origin, "Accept-Encoding": CHROME_CODINGS}
    ) as coded:
        raw = b"".join(coded.iter_raw())
    assert coded.headers["Content-Encoding"] in {"zstd", "br", "gzip"}
    assert len(raw) == int(coded.headers["Content-Length"])
    refused = "gzip;q=0, br;q=0, identity;q=0.5, *;q=0"
    plain = client.get(PLAYLIST, headers={**origin, "Accept-Encoding": refused})
    assert "Content-Encoding" not in plain.headers
    assert len(plain.content) == int(plain.headers["Content-Length"]) > len(raw)
    assert coded.headers["ETag"] != plain.headers["ETag"]
    for answer in (coded, plain):
        assert "Accept-Encoding" in answer.headers["Vary"].split(", ")
        exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
        assert {"Content-Encoding", "Content-Length"} <= set(exposed)


@pytest.fixture(scope="module")
def listed_origins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """A gateway with two allowed web origins and a public URL."""
    config = tmp_path_factory.mktemp("origins") / "gateway.toml"
    config.write_text(
        "[server]\n"
        'cors_origins = ["https://tv.example", "https://www.tv.example"]\n'
        'cors_allow_headers = ["X-TV-App"]\n'
        'public_url = "https://play.tv.example/"\n'
        "trusted_proxies = []\n"
        "[limits]\nmax_url_bytes = 4096\n"
        '[store]\nurl = "memory"\n',
        "utf-8",
    )
    with running_gateway(config) as gateway:
        yield gateway


ORIGINS = [
    ("https://tv.example", "https://tv.example"),
    ("https://www.tv.example", "https://www.tv.example"),
    ("https://evil.example", None),
    ("https://tv.example.evil.example", None),
    ("http://tv.example", None),
    ("null", None),
    (None, None),
]


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
@pytest.mark.parametrize(("origin", "expected"), ORIGINS)
def test_listed_origins(
    listed_origins: RunningGateway, method: str, origin: str | None, expected: str | None
) -> None:
    """A listed origin is echoed, others get no permission, and Vary names Origin in both cases
    (F11)."""
    headers = {} if origin is None else {"Origin": origin}
    answer = httpx.request(method, listed_origins.url + PLAYLIST, headers=headers)
    assert expected == answer.headers.get("Access-Control-Allow-Origin")
    assert "origin" in {name.strip().lower() for name in answer.headers["Vary"].split(",")}


# ── request ids ─────────────────────────────────────────────────────────────────────────────────

REQUEST_IDS = [
    (b"4bf92f3577b34da6a3ce929d0e0e4736", True),
    (b"user@host:42/7+a=b~c.d_e-f", True),
    (b"x" * 128, True),
    (b"x" * 129, False),
    (b"", False),
    (b"two words", False),
    (b'"quoted"', False),
    (b"semi;colon", False),
    (b"<script>", False),
    (b"caf\xc3\xa9", False),
    (b"tab\tbed", False),
]


@pytest.mark.parametrize(("given", "kept"), REQUEST_IDS)
def test_request_ids(default_gateway: RunningGateway, given: bytes, kept: bool) -> None:
    """A well-formed id of the client is returned, otherwise a new one; an id can never inject a
    header."""
    answer = get_raw(default_gateway.url, PLAYLIST.encode(), b"X-Request-ID: " + given)
    found = answer.headers["x-request-id"]
    assert kept == (found == given.decode("latin-1"))
    assert kept or re.fullmatch(r"[0-9a-f]{16}", found)
    assert 200 == answer.status


# ── Gateway-Decision ────────────────────────────────────────────────────────────────────────────


def members(answer: httpx.Response) -> dict[str, Any]:
    """``Gateway-Decision``, parsed by a third-party RFC 9651 parser."""
    found = http_sf.parse(answer.headers["Gateway-Decision"].encode("ascii"), tltype="dictionary")
    assert isinstance(found, dict)
    return found


def test_gateway_decision_is_a_structured_dictionary(client: httpx.Client) -> None:
    """Every documented member, of the type that the example has."""
    headers = {**VIEWER, "User-Agent": PHONE}
    found = members(client.get(f"{PLAYLIST}?speed=2100.4", headers=headers))
    values = {name: value[0] for name, value in found.items() if name != "cache"}
    assert {
        "profile": "mobile_3g",
        "device": "phone",
        "country": "NO",
        "speed": 2100,
        "edge": "eu-west-1",
        "rungs": 2,
    } == {name: str(v) if name in {"profile", "device"} else v for name, v in values.items()}
    assert isinstance(found["profile"][0], http_sf.Token)
    assert isinstance(found["country"][0], str)
    assert {"src": http_sf.Token("query")} == found["speed"][1]
    assert str(found["cache"][0]) in {"miss", "hit", "local"}


def test_speed_is_absent_when_nothing_was_measured(client: httpx.Client) -> None:
    """The speed is absent, and so is the country of an address with an unknown place."""
    found = members(client.get(PLAYLIST, headers={**VIEWER, "X-Forwarded-For": "10.0.0.1"}))
    assert {"profile", "device", "edge", "rungs", "cache"} == set(found)


@pytest.mark.parametrize(
    ("query", "headers", "source"),
    [
        ("?speed=700", {}, "query"),
        ("?CMCD=mtp%3D700", {}, "cmcd"),
        ("", {"CMCD-Request": "mtp=700"}, "cmcd"),
        ("", {"CMCD-Object": "mtp=700"}, "cmcd"),
        ("?clientBandwidthHint=0.7", {}, "query"),
        ("", {"ECT": "3g", "Downlink": "0.7"}, "hints"),
    ],
)
def test_sources_of_a_speed(
    client: httpx.Client, query: str, headers: dict[str, str], source: str
) -> None:
    """``src`` names the source; each source makes a phone below 1 Mbit/s a ``mobile_2g``."""
    answer = client.get(PLAYLIST + query, headers={**VIEWER, "User-Agent": PHONE, **headers})
    found = members(answer)
    assert {"src": http_sf.Token(source)} == found["speed"][1]
    assert "mobile_2g" == str(found["profile"][0])


def test_a_session_is_remembered(client: httpx.Client) -> None:
    """A speed that was sent once is used for the session's later requests (``src=session``)."""
    viewer = {**VIEWER, "User-Agent": PHONE}
    client.get(f"{PLAYLIST}?session=remembered%201&speed=700", headers=viewer)
    found = members(client.get(f"{PLAYLIST}?session=remembered%201", headers=viewer))
    other = members(client.get(f"{PLAYLIST}?session=remembered%202", headers=viewer))
    assert {"src": http_sf.Token("session")} == found["speed"][1]
    assert "mobile_2g" == str(found["profile"][0])
    assert "speed" not in other


# ── the decision as JSON ────────────────────────────────────────────────────────────────────────


def test_the_decision_has_the_documented_members(client: httpx.Client) -> None:
    """Exactly the documented members, with their types."""
    answer = client.get(f"{DECISION}?speed=4000", headers=VIEWER)
    decision = answer.json()
    assert "application/json" == answer.headers["Content-Type"]
    assert {
        "asset": "film/one",
        "manifest_url": f"{client.base_url}".rstrip("/") + f"{PLAYLIST}?speed=4000",
        "adaptive_streaming": True,
        "quality_profile": {"name": "wifi", "max_bitrate_kbps": 2500, "max_height": 1080},
        "cdn_endpoint": "eu-west-1.cdn.example.com",
        "client": {
            "device": "desktop",
            "os": "Windows",
            "country": "NO",
            "continent": "EU",
            "speed_kbps": 4000,
            "speed_source": "query",
        },
    } == {name: decision[name] for name in decision if name not in {"ladder", "edges"}}
    assert {"height", "bandwidth", "codecs", "uri"} == set(decision["ladder"][0])
    assert {240, 360, 720, 1080} == {rung["height"] for rung in decision["ladder"]}
    assert "eu-west-1" == decision["edges"][0]


def test_nothing_known_is_null(client: httpx.Client) -> None:
    """Every member is present; an unknown value is null."""
    headers = {**VIEWER, "User-Agent": "", "X-Forwarded-For": "10.0.0.1"}
    assert {
        "device": "unknown",
        "os": None,
        "country": None,
        "continent": None,
        "speed_kbps": None,
        "speed_source": None,
    } == client.get(DECISION, headers=headers).json()["client"]


def test_an_asset_with_one_rung_is_adaptive_all_the_same(client: httpx.Client) -> None:
    """``adaptive_streaming`` describes the kind of manifest, not the number of rungs."""
    decision = client.get(f"{DECISION}?speed=100", headers={**VIEWER, "User-Agent": PHONE}).json()
    assert (1, True) == (len(decision["ladder"]), decision["adaptive_streaming"])


MANIFEST_URLS = [
    "",
    "?speed=900",
    "?speed=900&fields=manifest_url,ladder,cdn_endpoint,edges",
    "?session=a%20b&speed=900",
    "?session=a+b&max_resolution=360p",
    "?CMCD=mtp%3D900%2Csid%3D%22x%22",
    "?CMCD=mtp=900,sid=%22a+b%22",
    "?speed=1&speed=900",
    "?codecs=avc,hevc&max_bitrate=600",
    "?unknown=%22%3Cscript%3E&speed=900",
    "?speed=900&&=&x",
]


@pytest.mark.parametrize("query", MANIFEST_URLS)
def test_manifest_url_leads_to_the_same_ladder(client: httpx.Client, query: str) -> None:
    """The playlist at ``manifest_url`` lists the URIs of the decision, in the same order."""
    headers = {**VIEWER, "User-Agent": PHONE}
    decision = client.get(DECISION + query, headers=headers).json()
    playlist = client.get(decision["manifest_url"], headers=headers)
    uris = [line for line in playlist.text.splitlines() if line and not line.startswith("#")]
    assert "fields" not in decision["manifest_url"]
    assert [rung["uri"] for rung in decision["ladder"]] == uris


def test_manifest_url_names_the_session_as_it_was_given(client: httpx.Client) -> None:
    """A session with a space and a plus must not become another session."""
    for session in ("a%20b", "a+b", "a%2Bb", "%22x%22", "%7e"):
        query = f"?fields=manifest_url&session={session}"
        url = client.get(DECISION + query, headers=VIEWER).json()["manifest_url"]
        assert url.endswith(f"{PLAYLIST}?session={session}")


HOSTS = [
    (b"play.example:8443", "http://play.example:8443/"),
    (b"[::1]:8080", "http://[::1]:8080/"),
    (b"evil.example/path", None),
    (b"a b", None),
    (b'"><script>', None),
    (b"[::1", None),
    (b"host:port", None),
    (b"user@host", None),
    (b"", None),
    (b"\xff\xfe", None),
]


@pytest.mark.parametrize(("host", "expected"), HOSTS)
def test_the_asker_names_the_host(
    default_gateway: RunningGateway, host: bytes, expected: str | None
) -> None:
    """An invalid Host is not echoed; the address of the server replaces it."""
    request = b"GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n"
    answer = ask_raw(default_gateway.url, request % (DECISION.encode(), host))
    assert answer.status in ({200} if expected else {200, 400})
    if answer.status == 200:
        url = json.loads(answer.body)["manifest_url"]
        assert (expected or default_gateway.url + "/") + PLAYLIST[1:] == url


def test_nobody_else_names_the_host(default_gateway: RunningGateway) -> None:
    """F9: X-Forwarded-Host builds no URL, not even from a trusted proxy. That it ended TLS is
    believed."""
    answer = get_raw(
        default_gateway.url,
        DECISION.encode(),
        b"X-Forwarded-Host: evil.example",
        b"X-Forwarded-Proto: https",
        b"Forwarded: for=1.2.3.4;host=evil.example;proto=https",
    )
    assert f"https://gateway.test{PLAYLIST}" == json.loads(answer.body)["manifest_url"]


def test_a_public_url_stands_before_the_host(listed_origins: RunningGateway) -> None:
    """``server.public_url`` replaces the Host, for gateways behind a proxy that changes it."""
    url = httpx.get(f"{listed_origins.url}{DECISION}?speed=5").json()["manifest_url"]
    assert f"https://play.tv.example{PLAYLIST}?speed=5" == url


def test_an_untrusted_peer_cannot_claim_an_address(listed_origins: RunningGateway) -> None:
    """F9: without trusted proxies the forwarding headers are ignored."""
    answer = httpx.get(listed_origins.url + DECISION, headers=VIEWER)
    assert None is answer.json()["client"]["country"]


FIELDS = [
    ("cdn_endpoint,ladder", ["cdn_endpoint", "ladder"]),
    ("ladder,cdn_endpoint", ["ladder", "cdn_endpoint"]),
    ("asset", ["asset"]),
    ("asset,asset", ["asset"]),
]


@pytest.mark.parametrize(("fields", "expected"), FIELDS)
def test_fields_select_members(client: httpx.Client, fields: str, expected: list[str]) -> None:
    """Exactly the requested members, in the requested order."""
    answer = client.get(f"{DECISION}?fields={fields}", headers=VIEWER)
    assert expected == list(answer.json())


# ── what is refused ─────────────────────────────────────────────────────────────────────────────

MALFORMED = [
    ("speed", "fast"),
    ("speed", ""),
    ("speed", "1,5"),
    ("speed", "0x10"),
    ("clientBandwidthHint", "lots"),
    ("session", "x" * 65),
    ("session", "caf%E9"),
    ("session", "a%0D%0AEvil:%20yes"),
    ("max_resolution", "721p"),
    ("max_resolution", "720"),
    ("min_resolution", "8k"),
    ("max_bitrate", "0"),
    ("max_bitrate", "-5"),
    ("max_bitrate", "1.5"),
    ("codecs", "h264"),
    ("codecs", "avc,"),
    ("codecs", ""),
    ("fields", "nonsense"),
    ("fields", "asset;edges"),
]


@pytest.mark.parametrize(("name", "value"), MALFORMED)
def test_a_malformed_parameter_is_named(client: httpx.Client, name: str, value: str) -> None:
    """400 with the parameter's name and what is allowed (docs/http.md)."""
    answer = client.get(f"{DECISION}?{name}={value}", headers=VIEWER)
    assert 400 == answer.status_code
    assert name == problem(answer, "bad-parameter")["parameter"]
    assert "allowed" in answer.json()["detail"]


def test_a_minimum_above_its_maximum(client: httpx.Client) -> None:
    """Two parameters that are valid alone may be invalid together."""
    answer = client.get(f"{PLAYLIST}?min_resolution=720p&max_resolution=360p")
    assert "min_resolution" == problem(answer, "bad-parameter")["parameter"]


@pytest.mark.parametrize(
    "query",
    ["?a=1&b=%00&=&&%ff=%ff", "?Speed=fast", "?max_resolution2=x", "?CMCD=!!!", "?speed=1e99"],
)
def test_what_is_not_known_or_absurd_is_passed_over(client: httpx.Client, query: str) -> None:
    """Unknown parameters, unreadable CMCD and implausible numbers are ignored."""
    assert 200 == client.get(PLAYLIST + query, headers=VIEWER).status_code


def problem(answer: httpx.Response, kind: str) -> dict[str, Any]:
    """Check that an answer is a complete RFC 9457 problem that must not be stored."""
    found: dict[str, Any] = answer.json()
    assert "application/problem+json" == answer.headers["Content-Type"]
    assert "no-store" == answer.headers["Cache-Control"]
    assert f"urn:problem:streaming-gateway:{kind}" == found["type"]
    assert answer.status_code == found["status"]
    assert found["title"]
    assert found["detail"]
    assert answer.headers["X-Request-ID"]
    return found


NOT_ASSETS = [
    b"..",
    b"a/../b",
    b"a/..",
    b"./a",
    b"a//b",
    b"/a",
    b"a/",
    b"%2e%2e",
    b"a/%2e%2e/b",
    b"a%2f..%2fb",
    b"a%2f%2fb",
    b"%252e%252e/a",
    b"a%00b",
    b"a%0d%0ab",
    b"a%0a",
    b"a%20b",
    b"a+b",
    b"caf%C3%A9",
    b"%ff",
    b"a%5cb",
    b"a:b",
    b"a;b=c",
    b"",
    b"x" * 513,
    b"%41" * 513,
    b"a%",
    b"a%zz",
]


@pytest.mark.parametrize("suffix", [b"", b".m3u8", b".mpd"])
@pytest.mark.parametrize("asset", NOT_ASSETS, ids=lambda asset: asset[:20].decode())
def test_what_is_no_asset_id_is_not_found(
    default_gateway: RunningGateway, asset: bytes, suffix: bytes
) -> None:
    """404 problems, however the path is written; never a redirect to a normalised path."""
    answer = get_raw(default_gateway.url, b"/v1/play/" + asset + suffix)
    assert 404 == answer.status
    assert "no-such-asset" == json.loads(answer.body)["type"].rpartition(":")[2]
    assert "location" not in answer.headers


ASSETS = [b"x" * 512, b"%66ilm", b"film%2Fone", b"a.m3u8", b"~a_b-c.d", b"...", b"a.b/c..d"]


@pytest.mark.parametrize("asset", ASSETS, ids=lambda asset: asset[:20].decode())
def test_what_is_an_asset_id_is_found(default_gateway: RunningGateway, asset: bytes) -> None:
    """Every character of the grammar, escaped or not, up to 512 of them."""
    assert 200 == get_raw(default_gateway.url, b"/v1/play/" + asset + b".m3u8").status


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", PLAYLIST, "GET, HEAD, OPTIONS"),
        ("PUT", DECISION, "GET, HEAD, OPTIONS"),
        ("DELETE", "/v1/steering/film", "GET, HEAD, OPTIONS"),
        ("DELETE", "/v1/probe", "GET, HEAD, OPTIONS, POST"),
        ("POST", "/livez", "GET, HEAD"),
        ("POST", "/readyz", "GET, HEAD"),
        ("POST", "/openapi.json", "GET, HEAD"),
        ("TRACE", "/livez", "GET, HEAD"),
        ("OPTIONS", "/livez", "GET, HEAD"),
    ],
)
def test_methods(client: httpx.Client, method: str, path: str, allow: str) -> None:
    """405 with the allowed methods (RFC 9110, 15.5.6)."""
    answer = client.request(method, path)
    assert (405, allow) == (answer.status_code, answer.headers["Allow"])
    problem(answer, "method-not-allowed")


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/play", "/v2/play/a.m3u8", "/livez/", "//livez"])
def test_paths_that_lead_nowhere(default_gateway: RunningGateway, path: str) -> None:
    """404 problems; no redirect for an extra slash."""
    answer = get_raw(default_gateway.url, path.encode())
    assert 404 == answer.status
    assert "no-such-path" == json.loads(answer.body)["type"].rpartition(":")[2]


def test_no_rendition_for_this_client(client: httpx.Client) -> None:
    """406 when no variant has the request's own codecs."""
    answer = client.get(f"{PLAYLIST}?codecs=vp9", headers=VIEWER)
    assert 406 == answer.status_code
    problem(answer, "nothing-to-play")


def test_a_url_that_is_too_long(listed_origins: RunningGateway) -> None:
    """414 beyond ``limits.max_url_bytes``; up to it an answer."""
    path = f"{PLAYLIST}?x="
    fits = httpx.get(listed_origins.url + path + "y" * (4096 - len(path) + 1))
    answer = httpx.get(listed_origins.url + path + "y" * 4096)
    assert (200, 414) == (fits.status_code, answer.status_code)
    problem(answer, "url-too-long")


def test_the_instance_is_a_uri_reference(default_gateway: RunningGateway) -> None:
    """RFC 9457, 3.1.5: the path is escaped again, and cut when it is long."""
    answer = get_raw(default_gateway.url, b"/v1/play/a%20%22%0d%0a%C3%A9" + b"%3C" * 2000)
    instance = json.loads(answer.body)["instance"]
    assert instance.startswith("/v1/play/a%20%22%0D%0A%C3%A9%3C%3C")
    assert len(instance) < 2000


# ── operations ──────────────────────────────────────────────────────────────────────────────────


def test_openapi_describes_every_route(client: httpx.Client) -> None:
    """Each route of the URL map, by the methods that it answers; every reference resolves."""
    document = client.get("/openapi.json").json()
    described = {
        (path, method)
        for path, item in document["paths"].items()
        for method in item
        if method != "parameters"
    }
    assert {
        ("/v1/play/{asset}.m3u8", "get"),
        ("/v1/play/{asset}.m3u8", "head"),
        ("/v1/play/{asset}.mpd", "get"),
        ("/v1/play/{asset}.mpd", "head"),
        ("/v1/play/{asset}", "get"),
        ("/v1/class/{key}/{asset}.mpd", "get"),
        ("/v1/class/{key}/{asset}.mpd", "head"),
        ("/v1/decisions", "post"),
        ("/v1/steering/{asset}", "get"),
        ("/v1/steering/{asset}", "head"),
        ("/v1/cmcd", "post"),
        ("/v1/probe", "get"),
        ("/v1/probe", "head"),
        ("/v1/probe", "post"),
        ("/livez", "get"),
        ("/readyz", "get"),
        ("/openapi.json", "get"),
    } == described
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document)):
        found: Any = document
        for step in reference.split("/"):
            found = found[step]
    names = {parameter["name"] for parameter in document["paths"]["/v1/play/{asset}"]["parameters"]}
    assert {
        *("asset", "speed", "session", "CMCD", "max_resolution", "min_resolution"),
        *("max_bitrate", "codecs", "clientBandwidthHint", "fields", "format"),
        *("token", "CTA-Common-Access-Token"),
    } == names


def test_a_decision_fits_its_own_schema(client: httpx.Client) -> None:
    """The members of an answer are those that ``/openapi.json`` describes, nested ones too."""
    document = client.get("/openapi.json").json()
    answers = document["paths"]["/v1/play/{asset}"]["get"]["responses"]
    schema = answers["200"]["content"]["application/json"]["schema"]
    decision = client.get(DECISION, headers=VIEWER).json()
    assert set(schema["properties"]) == set(decision)
    for name in ("quality_profile", "client"):
        assert set(schema["properties"][name]["properties"]) == set(decision[name])
    rung = schema["properties"]["ladder"]["items"]["properties"]
    assert set(rung) == set(decision["ladder"][0])


def test_the_shipped_page_about_http_names_every_problem() -> None:
    """``docs/http.md`` lists each kind of problem that the code can answer with."""
    code = Path("gateway/play/problems.py").read_text("utf-8")
    kinds = set(re.findall(r'Problem\(\s*\d+, "([a-z-]+)"', code))
    page = Path("docs/http.md").read_text("utf-8")
    assert len(kinds) > 5
    assert set() == {kind for kind in kinds if f"`{kind}`" not in page}
