"""Hostile players: their input costs little, breaks nothing, and affects no other player."""

import asyncio
import json
import logging
import re
import time
from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import ASGIApp

from gateway.app import Application
from gateway.cache import PLAYLISTS, Cache
from gateway.observe import logs
from gateway.play.bodies import Body, weight_of
from gateway.play.hls.manifest import read_hls
from gateway.source.generated import GeneratedSource
from gateway.source.source import SourceManifest
from manifests.format import ManifestFormat
from tests.integration.in_process import application, ask, asking

CATALOGUE = {
    "film": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000000,RESOLUTION=640x360\nlow.m3u8\n",
    "token": '#EXTM3U\n#EXT-X-VERSION:11\n#EXT-X-DEFINE:QUERYPARAM="token"\n'
    '#EXT-X-DEFINE:NAME="host",VALUE="https://other.example"\n'
    "#EXT-X-STREAM-INF:BANDWIDTH=1000000,RESOLUTION=640x360\nlow.m3u8?t={$token}\n"
    "#EXT-X-STREAM-INF:BANDWIDTH=2000000,RESOLUTION=1280x720\n{$host}/mid.m3u8\n",
    "bad": "<html>\n",
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Application:
    """A gateway with a good asset, one that requires a token parameter, and a broken one."""
    folder = tmp_path_factory.mktemp("attack")
    for asset, text in CATALOGUE.items():
        (folder / "catalogue" / asset).mkdir(parents=True)
        (folder / "catalogue" / asset / "master.m3u8").write_text(text, "utf-8")
    config = folder / "gateway.toml"
    config.write_text(
        '[source]\nkind = "directory"\nroot = "catalogue"\n'
        '[[edges]]\nid = "e"\nurl = "https://e.cdn.example.com/"\nfallback = true\n',
        "utf-8",
    )
    return application(config)


OWN_HEADERS = {
    *("content-type", "content-length", "content-encoding", "cache-control", "etag", "vary"),
    *("accept-ch", "timing-allow-origin", "gateway-decision", "server-timing", "x-request-id"),
    *("access-control-allow-origin", "access-control-expose-headers", "allow"),
    *("access-control-allow-methods", "access-control-allow-headers", "access-control-max-age"),
    *("cross-origin-resource-policy", "x-content-type-options"),
}
INTERESTING = (
    *("user-agent", "x-forwarded-for", "forwarded", "accept-encoding", "if-none-match"),
    *("x-request-id", "origin", "host", "save-data", "downlink", "ect", "rtt"),
    *("cmcd-object", "cmcd-request", "cmcd-session", "cmcd-status"),
    *("sec-ch-ua", "sec-ch-ua-mobile", "sec-ch-ua-platform", "sec-ch-ua-model"),
    *("sec-ch-ua-form-factors", "sec-ch-ua-platform-version", "x-other"),
)
PARAMETERS = (
    *("speed", "session", "CMCD", "max_resolution", "min_resolution", "max_bitrate", "codecs"),
    *("clientBandwidthHint", "fields", "token", "x", ""),
    *("state", "_HLS_pathway", "_HLS_throughput", "_DASH_pathway", "_DASH_throughput"),
)
# Bytes that a server lets through in a header, and those that it would never.
VALUES = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [
            b"\r\nEvil: yes",
            b'"',
            b"\\",
            b"{$token}",
            b"%0d%0aEvil:%20yes",
            b"%22",
            b"%00",
            b"\xff\xfe\xfd",
            b"for=" * 20,
            b"mtp=(1;v",
            b"?1",
            b"-1e309",
            b"NaN",
            b"1" * 400,
            b"*",
            b"x" * 5000,
            b"(" * 300,
            b"," * 3000,
            b";" * 3000,
            "\u202e\u0000".encode(),
        ]
    ),
)
HEADERS = st.lists(
    st.tuples(st.sampled_from([name.encode() for name in INTERESTING]), VALUES), max_size=6
)
QUERIES = st.lists(
    st.tuples(st.sampled_from([name.encode() for name in PARAMETERS]), VALUES), max_size=5
).map(lambda pairs: b"&".join(name + b"=" + value for name, value in pairs))
PATHS = st.one_of(
    st.sampled_from(
        [
            *("/v1/play/film.m3u8", "/v1/play/film", "/v1/play/token.m3u8", "/v1/play/token"),
            *("/v1/play/bad.m3u8", "/v1/play/nothing.m3u8", "/v1/play/film.mpd", "/readyz"),
            *("/v1/steering/film", "/v1/steering/film"),
        ]
    ),
    st.text(max_size=40).map(lambda text: f"/v1/play/{text}.m3u8"),
    st.text(max_size=40).map(lambda text: f"/{text}"),
)


def players(app: Application) -> ASGIApp:
    """The players' listener."""
    return app


def operators(app: Application) -> ASGIApp:
    """The operators' listener."""
    return app.operators


@settings(max_examples=300, deadline=None)
@given(
    path=PATHS,
    query=QUERIES,
    headers=HEADERS,
    method=st.sampled_from(["GET", "GET", "GET", "HEAD", "OPTIONS", "POST", "BREW"]),
    peer=st.sampled_from(["127.0.0.1", "2001:db8::1", "unix", ""]),
    listener=st.sampled_from([players, players, operators]),
    host=st.sampled_from([[], [(b"host", b"localhost")]]),
)
async def test_nothing_that_is_sent_breaks_anything(
    app: Application,
    listener: Callable[[Application], ASGIApp],
    host: list[tuple[bytes, bytes]],
    path: str,
    query: bytes,
    headers: list[tuple[bytes, bytes]],
    method: str,
    peer: str,
) -> None:
    """No 5xx except for the broken source, no injected header or line break, and no injected line
    in the manifest."""
    status, found, body = await ask(listener(app), path, query, [*host, *headers], method, peer)
    assert status < 500 or (status == 502 and "/bad" in path), body
    assert set() == {name for name, _ in found} - OWN_HEADERS
    assert [] == [value for _, value in found if re.search(r"[\x00-\x1f\x7f]", value)]
    content = dict(found).get("content-type")
    if status == 200 and content == "application/vnd.apple.mpegurl":
        plain = "content-encoding" not in dict(found)
        lines = body.decode().splitlines() if plain and method == "GET" else []
        assert [] == [line for line in lines if not OUR_LINE.fullmatch(line)]
    elif path == "/v1/steering/film" and method == "GET" and listener is players and status != 414:
        assert (200, 1) == (status, json.loads(body)["VERSION"])
    elif content in {"application/json", "application/problem+json"}:
        assert "content-encoding" in dict(found) or json.loads(body)


OUR_LINE = re.compile(
    r"#EXTM3U|#EXT-X-VERSION:11|#EXT-X-STREAM-INF:BANDWIDTH=[0-9]+,RESOLUTION=[0-9x]+"
    r'|#EXT-X-DEFINE:NAME="host",VALUE="https://other\.example"'
    r'|#EXT-X-DEFINE:NAME="token",VALUE="[^"\x00-\x1f\x7f]*"'
    r"|https://[a-z0-9.-]+\.cdn\.example\.com/[a-z]+/low\.m3u8(?:\?t=[^\x00-\x1f\x7f\"]*)?"
    r"|\{\$host\}/mid\.m3u8"
)


TOKENS = [
    (b"abc", b"abc"),
    (b"a%20b", b"a b"),
    (b"a+b", b"a+b"),
    (b"%E2%82%AC", "\u20ac".encode()),
    (b"a%26b%3Dc", b"a&b=c"),
    (b"%22", None),
    (b"a%0Ab", None),
    (b"a%0D%0A%23EXT-X-KEY", None),
    (b"%00", None),
    (b"%7B%24host%7D", None),
    (b"%E2%80%A8", None),
    (b"", None),
    (b"x" * 1025, None),
]


@pytest.mark.parametrize(("sent", "written"), TOKENS)
async def test_player_text_in_a_manifest(
    app: Application, sent: bytes, written: bytes | None
) -> None:
    """Only parameters that the source requires reach the manifest (A5.4), and only if a quoted
    string can hold them (A3.3). Others are a 400 that names the parameter."""
    query = b"token=" + sent + b"&other=not-asked-for"
    status, _, body = await ask(app, "/v1/play/token.m3u8", query)
    if written is None:
        assert (400, "token") == (status, json.loads(body)["parameter"])
        return
    assert 200 == status
    assert b'#EXT-X-DEFINE:NAME="token",VALUE="' + written + b'"\n' in body
    assert b"not-asked-for" not in body


@pytest.mark.parametrize("path", ["/v1/play/film.m3u8", "/v1/play/token.m3u8?token=a"])
async def test_the_query_does_not_reach_the_uris(app: Application, path: str) -> None:
    """No parameter of the request is copied into a URI (docs/http.md; D3.4)."""
    query = path.partition("?")[2] + "&session=spy&speed=9000&CMCD=sid%3D%22spy%22&x=spy"
    async with asking(app) as client:
        answer = await client.get(f"{path.partition('?')[0]}?{query}")
    assert 200 == answer.status_code
    assert "spy" not in answer.text
    assert "9000" not in answer.text


async def test_no_player_gets_the_token_of_another(app: Application) -> None:
    """Finished manifests are cached; the query parameters in them are part of the key."""
    async with asking(app) as client:
        for _ in range(2):
            for token in ("alice", "bob", "alice"):
                answer = await client.get(f"/v1/play/token.m3u8?token={token}&session={token}")
                tag = answer.headers["ETag"]
                assert [token] == re.findall(r'VALUE="(alice|bob)"', answer.text)
                assert [token] == re.findall(r"t=(alice|bob)", answer.text)
                again = await client.get(
                    "/v1/play/token.m3u8?token=carol", headers={"If-None-Match": tag}
                )
                assert 200 == again.status_code


def flood(unit: str, size: int = 65_536) -> str:
    """Headers with 64 KiB of one repeated text."""
    return (unit * (size // len(unit) + 1))[:size]


FLOODS = {
    "a long User-Agent": {"User-Agent": flood("Mozilla/5.0 (Linux; Android 14) ")},
    "a User-Agent of brackets": {"User-Agent": flood("(")},
    "forwarded for many": {"X-Forwarded-For": flood("10.0.0.1, ")},
    "forwarded for nobody": {"X-Forwarded-For": flood(",")},
    "forwarded by many": {"Forwarded": flood('for="[2001:db8::1]:80";by=_x, ')},
    "forwarded by quotes": {"Forwarded": flood('"\\')},
    "CMCD of many keys": {"CMCD-Request": flood("com.example-a=1,")},
    "CMCD of nested lists": {"CMCD-Object": flood("br=((((")},
    "CMCD of quotes": {"CMCD-Session": flood('sid="\\"')},
    "codings": {"Accept-Encoding": flood("gzip;q=0.1,")},
    "entity tags": {"If-None-Match": flood('"x",')},
    "brands": {"Sec-CH-UA": flood('"a";v="1", ')},
    "form factors": {"Sec-CH-UA-Form-Factors": flood('"Desktop", ')},
    "a downlink": {"Downlink": flood("9")},
    "a request id": {"X-Request-ID": flood("x")},
}


@pytest.mark.parametrize("name", FLOODS)
async def test_a_flood_costs_a_bounded_time(app: Application, name: str) -> None:
    """A header of 64 KiB still gets an answer within tens of milliseconds."""
    async with asking(app) as client:
        await client.get("/v1/play/film.m3u8")
        seconds = []
        for number in range(3):  # each another one, so that no cache helps
            headers = {key: f"{value[:-1]}{number}" for key, value in FLOODS[name].items()}
            begun = time.perf_counter()
            answer = await client.get("/v1/play/film.m3u8", headers=headers)
            seconds.append(time.perf_counter() - begun)
            assert 200 == answer.status_code
    assert min(seconds) < 0.1


@pytest.mark.parametrize(
    "query",
    [
        "CMCD=" + "br%3D((((" * 800,
        "CMCD=" + "%7B%22a%22:" * 700,
        "&".join(f"p{number}=1" for number in range(60)),
        "session=" + "x" * 8000,
        "fields=" + "asset," * 1000,
        "codecs=" + "avc," * 1500,
        "speed=" + "9" * 7000,
    ],
    ids=lambda query: query[:12],
)
async def test_a_flood_in_the_query_costs_a_bounded_time(app: Application, query: str) -> None:
    """A huge query is answered or refused at once."""
    async with asking(app) as client:
        begun = time.perf_counter()
        answer = await client.get(f"/v1/play/film.m3u8?{query}")
        seconds = time.perf_counter() - begun
    assert answer.status_code in {200, 400}
    assert seconds < 0.5


async def test_what_is_remembered_is_bounded(app: Application) -> None:
    """Ten thousand different tokens and User-Agents do not grow the manifest cache beyond its
    bound."""
    before = app.gateway.playlists
    small: Cache[Hashable, Body] = Cache(PLAYLISTS, 40_000, weight_of)
    app.gateway.playlists = small
    try:
        async with asking(app) as client:
            for number in range(200):
                await client.get(f"/v1/play/token.m3u8?token={'x' * 900}{number}")
        assert 0 < len(small) < 40
    finally:
        app.gateway.playlists = before


HOSTILE_PATHS = [
    '/v1/play/"}\n{"event":"forged"}',
    "/v1/play/\r\nforged: yes",
    "/v1/play/\x1b[31mred\x1b[0m",
    "/v1/play/\u2028\u202e\udcff",
    "/" + "x" * 7000,
]


@pytest.mark.parametrize("style", ["json", "console"])
async def test_log_lines_stay_lines(
    app: Application, capsys: pytest.CaptureFixture[str], style: Any
) -> None:
    """Any path gives one bounded log line, without control characters."""
    handlers, configured = logging.root.handlers[:], structlog.get_config()
    logs.configure("debug", style)
    try:
        for path in HOSTILE_PATHS:
            await ask(app, path)
    finally:
        logging.root.handlers[:] = handlers
        logging.getLogger("gateway").setLevel(logging.NOTSET)
        structlog.configure(**configured)
    lines = [line for line in capsys.readouterr().err.split("\n") if "request" in line]
    assert len(HOSTILE_PATHS) == len(lines)
    assert max(map(len, lines)) < 5000
    for path, line in zip(HOSTILE_PATHS, lines, strict=True):
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", line)
        if style == "json":
            assert path[:600] == json.loads(line)["path"]


async def test_an_address_claimed_from_afar_is_nothing(app: Application) -> None:
    """F9: only ``trusted_proxies`` may speak for others, whatever the header is called."""
    claims = [
        (b"x-forwarded-for", b"133.11.1.1"),
        (b"forwarded", b"for=133.11.1.1"),
        (b"x-real-ip", b"133.11.1.1"),
        (b"true-client-ip", b"133.11.1.1"),
        (b"cf-connecting-ip", b"133.11.1.1"),
    ]
    _, _, body = await ask(app, "/v1/play/film", headers=claims, peer="129.240.2.6")
    assert "NO" == json.loads(body)["client"]["country"]


class FaultySource(GeneratedSource):
    """A source that raises an unexpected exception, or never answers."""

    def __init__(self, *, hangs: bool) -> None:
        super().__init__(
            read_hls(b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv\n", "x", 99), "{asset}"
        )
        self._hangs = hangs

    async def load(
        self,
        asset: str,  # noqa: ARG002
        client: str = "",  # noqa: ARG002
        wanted: ManifestFormat = ManifestFormat.HLS,  # noqa: ARG002
    ) -> SourceManifest:
        """Raise, or never return."""
        if self._hangs:
            await asyncio.Event().wait()
        raise RuntimeError("the secret inside")


async def test_a_fault_of_ours_is_a_problem_too(app: Application) -> None:
    """An unexpected exception gives 500 with the request id and no internal details."""
    good = app.gateway.runtime
    app.gateway.runtime = replace(good, source=FaultySource(hangs=False))
    try:
        headers = [(b"x-request-id", b"my-id")]
        status, _, body = await ask(app, "/v1/play/film.m3u8", headers=headers)
    finally:
        app.gateway.runtime = good
    problem = json.loads(body)
    assert (500, "urn:problem:streaming-gateway:internal") == (status, problem["type"])
    assert "my-id" in problem["detail"]
    assert b"secret" not in body


async def test_what_takes_longer_than_the_grace_of_a_stop(app: Application) -> None:
    """The server cancels it, and the player gets 503 with Retry-After."""
    good = app.gateway.runtime
    app.gateway.runtime = replace(good, source=FaultySource(hangs=True))
    try:
        task = asyncio.create_task(ask(app, "/v1/play/film.m3u8"))
        await asyncio.sleep(0.1)
        task.cancel()
        status, headers, body = await task
    finally:
        app.gateway.runtime = good
    assert (503, "1") == (status, dict(headers)["retry-after"])
    assert "urn:problem:streaming-gateway:shutting-down" == json.loads(body)["type"]
