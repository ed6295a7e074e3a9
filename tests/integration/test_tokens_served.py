"""Playback tokens in requests of players: who is admitted, to what, and what leaks nowhere."""

import base64
import json
import re
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pytest
from click.testing import CliRunner
from structlog.testing import capture_logs

from gateway.app import Application
from gateway.cli import main
from gateway.config.load import load
from gateway.observe import metrics
from gateway.play.request import Headers
from gateway.play.tokens import carried_on
from gateway.store.coordination.revocations import Revocable, revoked_name
from gateway.trust.admission import Admission
from gateway.trust.keys import Purpose
from tests.integration.dash_titles import mpd, playlist, put
from tests.integration.in_process import OPERATORS, application, ask, asking
from tests.integration.playback_tokens import PROTECT, bearer, cat, token
from tests.integration.test_dash import heights, location
from tests.unit.geodata.mmdb_files import write_mmdb

NORWAY, BANGLADESH, PROXY, NOWHERE = "129.240.2.6", "103.4.145.245", "81.2.69.1", "10.1.2.3"
PHONE = (
    "Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Mobile Safari/537.36"
)
DESKTOP = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Safari/537.36"
)
EDGES = "".join(
    f'[[edges]]\nid = "{name}"\nurl = "https://{name}.example/v/"\nfallback = true\n'
    for name in ("e1", "e2", "e3")
)
IMPORTING = '#EXTM3U\n#EXT-X-DEFINE:QUERYPARAM="token"\n' + playlist().replace(
    "#EXTM3U\n", ""
).replace("1080.m3u8", "1080.m3u8?t={$token}")
HLS, DASH, LIVE, JSON = (
    *("/v1/play/paid/film.m3u8", "/v1/play/paid/film.mpd"),
    *("/v1/play/paid/live.mpd", "/v1/play/paid/film"),
)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Titles that want a token, and one that does not."""
    folder = tmp_path_factory.mktemp("tokens")
    for asset in ("paid/film", "free/film", "paid/other"):
        put(folder / "catalogue", f"{asset}/master.m3u8", playlist())
        put(folder / "catalogue", f"{asset}/manifest.mpd", mpd())
    put(folder / "catalogue", "paid/asks/master.m3u8", IMPORTING)
    put(folder / "catalogue", "paid/live/manifest.mpd", mpd("dynamic"))
    write_mmdb(
        folder / "asn.mmdb",
        "GeoLite2-ASN",
        {"129.240.0.0/16": {"autonomous_system_number": 224}},
    )
    write_mmdb(
        folder / "anon.mmdb", "GeoIP2-Anonymous-IP", {"81.2.69.0/24": {"is_anonymous": True}}
    )
    path = folder / "gateway.toml"
    path.write_text(
        '[source]\nkind = "directory"\nroot = "catalogue"\n'
        '[geo]\nasn_database = "asn.mmdb"\nanonymous_ip_database = "anon.mmdb"\n'
        '[profiles.all]\ndevice_limits = false\n[policy]\ndefault_profile = "all"\n'
        "[server]\nshow_reasons = true\n" + PROTECT + EDGES
    )
    return path


@pytest.fixture(scope="module")
def app(config: Path) -> Application:
    """A gateway whose rules limit nothing."""
    return application(config, {"GATEWAY_RULES": "[]"})


@pytest.fixture
async def client(app: Application) -> AsyncIterator[httpx.AsyncClient]:
    """A player in Norway."""
    app.gateway.revoked = frozenset()
    async with asking(app) as found:
        found.headers.update({"User-Agent": DESKTOP, "X-Forwarded-For": NORWAY})
        yield found


PLACES: list[tuple[str, Callable[[str], dict[str, Any]]]] = [
    ("Authorization", lambda t: {"headers": {"Authorization": f"Bearer {t}"}}),
    ("any case", lambda t: {"headers": {"Authorization": f"bearer  {t}"}}),
    ("CTA header", lambda t: {"headers": {"CTA-Common-Access-Token": t}}),
    ("token", lambda t: {"params": f"token={t}"}),
    ("CTA query", lambda t: {"params": f"CTA-Common-Access-Token={t}"}),
    ("the same twice", lambda t: {"params": f"token={t}", "headers": bearer(t)}),
    ("encoded", lambda t: {"params": f"token={quote(t, safe='').replace('.', '%2E')}"}),
    ("encoded twice", lambda t: {"params": f"token={quote(quote(t.replace('-', '+')), safe='')}"}),
    ("plain base64", lambda t: {"params": f"token={t.replace('-', '+').replace('_', '/')}"}),
    ("padded", lambda t: {"params": "token=" + ".".join(p + "==" for p in t.split("."))}),
]


@pytest.mark.parametrize("ask_with", [row[1] for row in PLACES], ids=[row[0] for row in PLACES])
@pytest.mark.parametrize("path", [HLS, DASH, JSON])
async def test_a_token_may_be_in_any_of_its_places(
    client: httpx.AsyncClient, path: str, ask_with: Callable[[str], dict[str, Any]]
) -> None:
    answer = await client.get(path, **ask_with(token(sub="ÿÿÿ?>~")))
    assert 200 == answer.status_code, answer.text
    assert answer.headers["cache-control"].startswith("private")
    assert {"Authorization", "CTA-Common-Access-Token"} <= set(answer.headers["vary"].split(", "))


async def test_without_a_token(client: httpx.AsyncClient) -> None:
    """What is free needs none, and does not look at one."""
    for path in (HLS, DASH, LIVE, JSON):
        answer = await client.get(path)
        assert 401 == answer.status_code
        assert 'Bearer realm="playback"' == answer.headers["www-authenticate"]
        assert answer.json()["type"].endswith(":token-wanted")
    for text in ("", token(), "nonsense"):
        answer = await client.get("/v1/play/free/film.m3u8", headers=bearer(text))
        assert 200 == answer.status_code


TWO = [
    {"params": {"token": token(jti="a")}, "headers": bearer(token(jti="b"))},
    {"params": f"token={token(jti='a')}&token={token(jti='b')}"},
    {"params": f"token={token(jti='a')}&CTA-Common-Access-Token={token(jti='b')}"},
    {"headers": {"Authorization": f"Bearer {token(jti='a')}, Bearer {token(jti='b')}"}},
]


@pytest.mark.parametrize("given", TWO, ids=range(len(TWO)))
async def test_two_different_tokens_are_refused(
    client: httpx.AsyncClient, given: dict[str, Any]
) -> None:
    answer = await client.get(HLS, **given)
    assert 400 == answer.status_code
    assert 'error="invalid_request"' in answer.headers["www-authenticate"]


INVALID = [
    ("garbage", "garbage", "token-malformed"),
    ("signature", token(secret="x" * 32), "token-signature"),
    ("expired", token(exp=int(time.time()) - 3600), "token-expired"),
]


@pytest.mark.parametrize(
    ("text", "kind"), [row[1:] for row in INVALID], ids=[r[0] for r in INVALID]
)
async def test_an_invalid_token(client: httpx.AsyncClient, text: str, kind: str) -> None:
    """Nothing of it is said, and nothing is logged."""
    with capture_logs() as logs:
        answer = await client.get(HLS, params={"token": text})
    assert 401 == answer.status_code
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert answer.json()["type"].endswith(f":{kind}")
    assert text not in f"{answer.text}{answer.headers}{logs}"


REFUSED: list[tuple[str, dict[str, Any], dict[str, str], int, str]] = [
    ("asset", {"asset_prefix": None, "asset": "paid/other"}, {}, 403, "token-asset"),
    ("prefix", {"asset_prefix": "paid/o"}, {}, 403, "token-asset"),
    ("session", {"session": "s1"}, {"session": "s2"}, 403, "token-session"),
    ("no session", {"session": "s1"}, {}, 403, "token-session"),
    ("country", {"countries": ["SE", "DK"]}, {}, 451, "country-not-licensed"),
    ("no country", {"countries": ["NO"]}, {"from": NOWHERE}, 451, "country-not-licensed"),
    ("anonymous", {"refuse_anonymous": True}, {"from": PROXY}, 403, "token-anonymous"),
    ("network", {"networks": ["192.0.2.0/24"]}, {}, 403, "token-network"),
    ("asn", {"asn": [1, 2]}, {}, 403, "token-network"),
    ("device", {"devices": ["phone"]}, {}, 403, "token-device"),
]


@pytest.mark.parametrize(
    ("claims", "asked", "status", "kind"), [row[1:] for row in REFUSED], ids=[r[0] for r in REFUSED]
)
@pytest.mark.parametrize("path", [HLS, DASH, JSON])
async def test_a_token_for_something_else(
    client: httpx.AsyncClient,
    path: str,
    claims: dict[str, Any],
    asked: dict[str, str],
    status: int,
    kind: str,
) -> None:
    headers = bearer(token(**claims)) | {"X-Forwarded-For": asked.get("from", NORWAY)}
    params = {"session": asked["session"]} if "session" in asked else {}
    answer = await client.get(path, headers=headers, params=params)
    assert (status, True) == (answer.status_code, answer.json()["type"].endswith(f":{kind}"))
    for value in ("paid/other", "SE", "192.0.2", "s1"):
        assert value not in answer.json()["detail"]


ADMITTED: list[tuple[str, dict[str, Any], dict[str, str]]] = [
    ("asset", {"asset_prefix": None, "asset": ["paid/film", "paid/live"]}, {}),
    ("any asset", {"asset_prefix": None}, {}),
    ("session", {"session": "s1"}, {"session": "s1"}),
    ("country", {"countries": ["SE", "NO"]}, {}),
    ("not anonymous", {"refuse_anonymous": True}, {}),
    ("network", {"networks": ["192.0.2.0/24", "129.240.2.0/24"]}, {}),
    ("asn", {"asn": [1, 224]}, {}),
    ("device", {"devices": ["desktop", "tv"]}, {}),
    ("many", {"countries": [f"{a}{b}" for a in "ANX" for b in "OXYZABCDEF"],
              "networks": [f"10.0.{at}.0/24" for at in range(40)] + ["129.240.2.0/24"],
              "asn": list(range(300, 340))}, {}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("claims", "asked"), [row[1:] for row in ADMITTED], ids=[r[0] for r in ADMITTED]
)
async def test_refreshes_carry_the_admission_on(
    client: httpx.AsyncClient, claims: dict[str, Any], asked: dict[str, str]
) -> None:
    """The ``Location`` of a live MPD has no token. It admits this viewer, and nobody whom the token
    would not admit."""
    text = token(sub="viewer", jti="t1", max_resolution="720p", **claims)
    first = await client.get(LIVE, params={"token": text, **asked})
    assert 200 == first.status_code
    assert 720 == max(heights(first.text))
    again = location(first.text)
    assert text not in first.text
    assert "viewer" not in first.text
    assert "grant" in parse_qs(urlsplit(again).query)
    second = await client.get(again)
    assert 200 == second.status_code, second.text
    assert heights(first.text) == heights(second.text)
    assert location(second.text).split("grant=")[0] == again.split("grant=")[0]
    assert 401 == (await client.get(again.replace("paid/live", "paid/other"))).status_code
    more = await client.get(f"{again}&max_resolution=2160p")
    assert 720 == max(heights(more.text))
    strange = {"User-Agent": PHONE, "X-Forwarded-For": BANGLADESH}
    other = await client.get(again.replace("session=s1", ""), headers=strange)
    restricted = claims.keys() & {"session", "countries", "networks", "asn", "devices"}
    assert (other.status_code in {403, 451}) is bool(restricted)


async def test_an_admission_ends_with_its_token(
    app: Application, client: httpx.AsyncClient
) -> None:
    """And a token in the request counts instead of it."""
    first = await client.get(LIVE, params={"token": token(exp=int(time.time()) - 30)})
    assert 200 == first.status_code, "within tokens.leeway_s"
    again = location(first.text)
    assert 200 == (await client.get(again)).status_code
    assert 401 == (await client.get(again, headers=bearer("garbage"))).status_code
    for expires_s, status in ((time.time() - 50, 200), (time.time() - 70, 401)):
        [key] = app.gateway.tokens.keys.keys
        admission = Admission(key.tag, b"d" * 16, int(expires_s))
        signed = app.gateway.keys.sign(Purpose.ADMISSION, admission.to_bytes("paid/live"))
        answer = await client.get(LIVE, params={"grant": signed})
        assert status == answer.status_code, "after tokens.leeway_s"
        assert (status == 401) is answer.text.startswith('{"type": "urn:problem')


async def test_an_admission_is_signed(app: Application, client: httpx.AsyncClient) -> None:
    """By a key of the gateway, for this purpose; otherwise the request has no token."""
    again = location((await client.get(LIVE, params={"token": token()})).text)
    query = parse_qs(urlsplit(again).query)
    [grant], [state] = query["grant"], query["state"]
    other = app.gateway.keys.sign(Purpose.STEERING_STATE, b"\x01" * 60)
    for text in (
        "",
        "x",
        state,
        other,
        grant[:-2],
        f"{grant[:-1]}{'A' if grant[-1] != 'A' else 'Q'}",
    ):
        assert 401 == (await client.get(LIVE, params={"grant": text})).status_code
    for payload in (b"", b"\x01", b"\x02" * 80):
        signed = app.gateway.keys.sign(Purpose.ADMISSION, payload)
        assert 401 == (await client.get(LIVE, params={"grant": signed})).status_code


LEAKS = [HLS, DASH, LIVE, JSON]


@pytest.mark.parametrize("path", LEAKS)
@pytest.mark.parametrize("name", ["token", "CTA-Common-Access-Token", "%74oken"])
async def test_a_token_in_the_query_leaks_nowhere(
    client: httpx.AsyncClient, path: str, name: str
) -> None:
    """Not into an answer, a header, or a log."""
    text = token(sub="viewer-1812", jti="id-1812")
    query = f"{name}={text}&session=s1&CMCD=sid%3D%22s1%22"
    with capture_logs() as logs:
        answer = await client.get(f"{path}?{query}")
    assert 200 == answer.status_code, answer.text
    shown = f"{answer.text} {answer.headers} {logs}"
    for secret in (text, text.split(".")[1], text.split(".")[2], "viewer-1812", "id-1812"):
        assert secret not in shown


async def test_a_source_may_ask_for_the_token(client: httpx.AsyncClient) -> None:
    """``EXT-X-DEFINE:QUERYPARAM`` is the operator's own wish (RFC 8216bis, 4.4.2.3)."""
    text = token()
    answer = await client.get("/v1/play/paid/asks.m3u8", params={"token": text})
    assert f"/1080.m3u8?t={text}" in answer.text


async def test_the_token_limits(client: httpx.AsyncClient) -> None:
    """The stricter of token and query counts; the reasons say so."""
    rows: list[tuple[dict[str, Any], dict[str, str], int, bool]] = [
        ({}, {}, 2160, False),
        ({"max_resolution": "720p"}, {}, 720, True),
        ({"max_resolution": "720p"}, {"max_resolution": "1080p"}, 720, True),
        ({"max_resolution": "1080p"}, {"max_resolution": "360p"}, 360, False),
        ({"max_bitrate": 600}, {}, 360, True),
        ({"max_bitrate": 600}, {"max_bitrate": "300"}, 240, False),
        ({"max_resolution": "360p"}, {"min_resolution": "1080p"}, 360, True),
        ({"codecs": ["avc", "hevc"]}, {}, 2160, True),
    ]
    for claims, params, height, said in rows:
        answer = await client.get(JSON, params=params, headers=bearer(token(**claims)))
        found = answer.json()
        assert height == max(rung["height"] for rung in found["ladder"]), (claims, params)
        assert said is any("the token limits" in reason for reason in found["reasons"])
    av1 = await client.get(HLS, params={"codecs": "av1"}, headers=bearer(token(codecs=["avc"])))
    assert 406 == av1.status_code
    assert av1.json()["detail"].endswith("the codecs to which the request is limited: none")


async def test_reasons_tell_the_limits_of_the_token_from_those_of_the_request(
    client: httpx.AsyncClient,
) -> None:
    """Who set a cap is who has to change it."""
    caps = {"max_resolution": "720p", "max_bitrate": 600}
    rows: list[tuple[dict[str, Any], dict[str, str], set[str]]] = [
        (caps, {}, {"max-height-token", "max-bitrate-token"}),
        (caps, {"max_resolution": "360p"}, {"max-height-request", "max-bitrate-token"}),
        (caps, {"max_bitrate": "300"}, {"max-height-token", "max-bitrate-request"}),
        ({}, {"max_resolution": "360p"}, {"max-height-request"}),
    ]
    for claims, params, codes in rows:
        answer = await client.get(JSON, params=params, headers=bearer(token(**claims)))
        said = " ".join(answer.json()["reasons"])
        assert codes == set(re.findall(r"\[(max-[a-z-]+)\]", said)), (claims, params)
    answer = await client.get(JSON, headers=bearer(token(codecs=["avc"])))
    assert not any("the request asks for" in reason for reason in answer.json()["reasons"])


async def test_a_batch_is_admitted_title_by_title(client: httpx.AsyncClient) -> None:
    """With one token for all of them."""
    assets = ["paid/film", "free/film", "paid/other"]
    body = {"assets": assets}
    for headers, kinds in (
        ({}, ["token-wanted", None, "token-wanted"]),
        (
            bearer(token(None, asset="paid/film", max_resolution="360p")),
            [None, None, "token-asset"],
        ),
        (bearer("garbage"), ["token-malformed", None, "token-malformed"]),
    ):
        answer = await client.post("/v1/decisions", json=body, headers=headers)
        assert 200 == answer.status_code
        found = answer.json()["decisions"]
        shown = [one.get("problem", {}).get("type") for one in found]
        assert kinds == [kind and kind.rpartition(":")[2] for kind in shown]
        tall = [max(r["height"] for r in one["ladder"]) for one in found if "ladder" in one]
        assert tall == ([360, 2160] if "Authorization" in headers and kinds[0] is None else [2160])


async def test_operators_need_no_token(client: httpx.AsyncClient) -> None:
    """They see that players do. What a token allows is shown for one in the CTA header."""
    plain = await client.get(f"{OPERATORS}{JSON}")
    assert 200 == plain.status_code
    assert any("players need a token" in reason for reason in plain.json()["reasons"])
    headers = {"CTA-Common-Access-Token": token(max_resolution="360p")}
    limited = await client.get(f"{OPERATORS}{JSON}", headers=headers)
    assert 360 == max(rung["height"] for rung in limited.json()["ladder"])
    assert (
        401
        == (
            await client.get(f"{OPERATORS}{JSON}", headers={"CTA-Common-Access-Token": "x"})
        ).status_code
    )


def steering_url(text: str) -> str:
    """Where a manifest leads its player for steering."""
    found = re.search(r'SERVER-URI="([^"]+)"', text) or re.search(
        r"<ContentSteering[^>]*>([^<]+)<", text
    )
    assert found is not None, text
    url = found[1].replace("&amp;", "&")
    if url.startswith("data:"):
        url = json.loads(base64.b64decode(url.partition(",")[2]))["RELOAD-URI"]
    return url


@pytest.mark.parametrize("path", [HLS, DASH, LIVE])
@pytest.mark.parametrize("session", ["", "s1"])
async def test_steering_carries_the_admission(
    app: Application, client: httpx.AsyncClient, path: str, session: str
) -> None:
    """From answer to answer, for players that read a manifest in the playlist as well. It is always
    answered with 200."""
    text = token(sub="viewer", jti="t1")
    params = {"token": text, **({"session": session} if session else {})}
    url = steering_url((await client.get(path, params=params)).text)
    for _ in range(3):
        assert text not in url
        assert 1 == url.count("grant=")
        answer = await client.get(f"{url}&_HLS_pathway=e1&_HLS_throughput=5000000")
        assert 200 == answer.status_code
        url = answer.json()["RELOAD-URI"]
    app.gateway.revoked = frozenset({revoked_name(Revocable.SUBJECT, "viewer")})
    assert 200 == (await client.get(url)).status_code
    assert 200 == (await client.get(url.replace("grant=", "grant=x"))).status_code


async def test_what_is_revoked(app: Application, client: httpx.AsyncClient) -> None:
    """Its next manifest is 403, whatever brings it; other viewers play on."""
    text = token(sub="viewer", jti="t1")
    first = await client.get(LIVE, params={"token": text, "session": "s1"})
    again = location(first.text)
    for kind, name in (
        (Revocable.TOKEN, "t1"),
        (Revocable.SUBJECT, "viewer"),
        (Revocable.SESSION, "s1"),
    ):
        app.gateway.revoked = frozenset({revoked_name(kind, name)})
        for answer in (
            await client.get(again),
            await client.get(HLS, params={"token": text, "session": "s1"}),
        ):
            assert 403 == answer.status_code
            assert answer.json()["type"].endswith(":revoked")
        other = await client.get(HLS, headers=bearer(token(sub="other", jti="t2")))
        assert 200 == other.status_code
        free = await client.get("/v1/play/free/film.m3u8", params={"session": "s1"})
        assert (403 if kind is Revocable.SESSION else 200) == free.status_code
    app.gateway.revoked = frozenset()
    assert 200 == (await client.get(again)).status_code


async def test_a_revoked_session_that_steering_does_not_name(
    app: Application, client: httpx.AsyncClient
) -> None:
    """The admission names it, so leaving its name out renews nothing."""
    text = token(session="s1")
    first = await client.get(LIVE, params={"token": text, "session": "s1"})
    grant = parse_qs(urlsplit(location(first.text)).query)["grant"][0]
    headers = Headers({"user-agent": DESKTOP}, (), (NORWAY,))
    sender = app.gateway.runtime.clients.sender("127.0.0.1", headers)

    def renews() -> bool:
        asked = (app.gateway, "paid/live", None, grant, sender, headers, time.time())
        return carried_on(*asked).renews

    assert renews()
    app.gateway.revoked = frozenset({revoked_name(Revocable.SESSION, "s1")})
    assert not renews()


async def test_so_many_sessions_of_a_subject(app: Application, client: httpx.AsyncClient) -> None:
    """The one too many is refused, with the time after which one may have ended. What only looks,
    counts nothing."""
    text = token(sub="viewer", max_sessions=2)
    for session in ("a", "b", "a"):
        looked = await client.head(HLS, params={"session": session}, headers=bearer(text))
        assert 200 == looked.status_code
        answer = await client.get(HLS, params={"session": session}, headers=bearer(text))
        assert 200 == answer.status_code
    for method in ("GET", "HEAD"):
        answer = await client.request(method, HLS, params={"session": "c"}, headers=bearer(text))
        assert 403 == answer.status_code
        assert 1 <= int(answer.headers["retry-after"]) <= 300
    other = token(sub="somebody", max_sessions=1)
    assert 200 == (await client.get(HLS, headers=bearer(other))).status_code
    assert 200 == (await client.get(HLS, headers=bearer(other))).status_code, "the same token"
    away = {"X-Forwarded-For": BANGLADESH}
    assert 403 == (await client.get(HLS, headers=bearer(other) | away)).status_code


async def test_outcomes_are_counted(client: httpx.AsyncClient) -> None:
    """Each request once, under one of a fixed set of outcomes."""

    def counts() -> dict[str, float]:
        samples = next(iter(metrics.TOKENS.collect())).samples
        return {s.labels["outcome"]: s.value for s in samples if s.name.endswith("_total")}

    before = counts()
    await client.get(HLS)
    await client.get(HLS, headers=bearer("x"))
    await client.get(HLS, headers=bearer(token(countries=["SE"])))
    await client.get(HLS, headers=bearer(token()))
    added = {name: n - before.get(name, 0) for name, n in counts().items()}
    assert {"missing": 1, "invalid": 1, "country": 1, "accepted": 1} == {
        name: count for name, count in added.items() if count
    }


async def test_class_manifests_of_what_wants_a_token(config: Path) -> None:
    """There are none, unless the CDN in front verifies tokens; a URL that is known admits
    nobody."""
    environ = {
        "GATEWAY_RULES": "[]",
        "GATEWAY_DASH__CLASS_MANIFESTS": "true",
        "GATEWAY_SERVER__PUBLIC_URL": "https://play.example",
    }
    shared = application(config, {**environ, "GATEWAY_TOKENS__CLASS_MANIFESTS": "true"})
    async with asking(shared) as client:
        url = location((await client.get(LIVE, params={"token": token()})).text)
        assert "/v1/class/" in url
        path = urlsplit(url).path
        assert 200 == (await client.get(path)).status_code
    strict = application(config, environ)
    strict.gateway.keys = shared.gateway.keys
    async with asking(strict) as client:
        assert "/v1/play/" in location((await client.get(LIVE, params={"token": token()})).text)
        answer = await client.get(path)
        assert 401 == answer.status_code
        assert "no-store" == answer.headers["cache-control"]


async def test_scripts_may_send_a_token(app: Application) -> None:
    headers = [
        (b"origin", b"https://site.example"),
        (b"access-control-request-method", b"GET"),
        (b"access-control-request-headers", b"authorization,cta-common-access-token"),
    ]
    status, found, _ = await ask(app, HLS, b"", headers, "OPTIONS")
    assert 204 == status
    allowed = dict(found)["access-control-allow-headers"].split(", ")
    assert {"Authorization", "CTA-Common-Access-Token"} <= set(allowed)


async def test_check_warns_of_class_manifests(config: Path) -> None:
    """They are not used, or read by everybody."""
    on = {
        "GATEWAY_DASH__CLASS_MANIFESTS": "true",
        "GATEWAY_SERVER__PUBLIC_URL": "https://p.example",
    }
    for more, path in (({}, "dash"), ({"GATEWAY_TOKENS__CLASS_MANIFESTS": "true"}, "tokens")):
        found = [str(one) for one in load(config, {**on, **more}).warnings]
        assert [f"{path}.class_manifests"] == [
            re.findall(r"\w+\.class_manifests", one)[0] for one in found if "class_m" in one
        ]
    off = load(config, {**on, "GATEWAY_TOKENS__ENABLED": "false"}).warnings
    assert not [one for one in off if "class_manifests" in str(one)]


def test_explain_takes_a_token_from_a_file(config: Path, tmp_path: Path) -> None:
    """It shows what the token allows, or why it is refused, and nothing of its text."""
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_text(f"{token(max_resolution='360p')}\n")
    bad.write_text("garbage")
    words = ["explain", "paid/film", "--ip", NORWAY, "--offline", "--config", str(config)]
    found = CliRunner().invoke(main, [*words, "--token-file", str(good)])
    assert "the token limits the height to 360" in found.output
    assert good.read_text().strip() not in found.output
    assert "players need a token" in CliRunner().invoke(main, words).output
    refused = CliRunner().invoke(main, [*words, "--token-file", str(bad)])
    assert (1, True) == (refused.exit_code, "401" in refused.output)


async def test_what_a_key_has_admitted_ends_with_it(config: Path, app: Application) -> None:
    """When it is retired or removed, whatever sets there are. test_carried_admissions.py has those
    of the keys of a set."""
    async with asking(app) as client:
        again = location((await client.get(LIVE, params={"token": token()})).text)
    text = config.read_text()  # noqa: ASYNC240
    other = text.replace('id = "k"', 'id = "other"')
    rotating = '[[tokens.jwks]]\nissuer = "i"\nurl = "http://127.0.0.1:9/jwks.json"\n'
    retired = text.replace('id = "k"', 'id = "k"\nstatus = "retired"')
    for name, changed, status in (
        ("same", text, 200),
        ("removed", other, 401),
        ("retired", f"{retired}{rotating}", 401),
        ("removed beside a set", f"{other}{rotating}", 401),
    ):
        path = config.with_name("changed.toml")
        path.write_text(changed)
        changed_app = application(path, {"GATEWAY_RULES": "[]"})
        changed_app.gateway.keys = app.gateway.keys
        async with asking(changed_app) as client:
            assert status == (await client.get(again)).status_code, name


@pytest.mark.parametrize("path", [HLS, LIVE, JSON])
async def test_a_cat(client: httpx.AsyncClient, path: str) -> None:
    """In a header and in the query, with its own conditions."""
    rows: list[tuple[dict[int | str, Any], int]] = [
        ({}, 200),
        ({313: ["GET"]}, 200),
        ({316: ["NO"]}, 200),
        ({313: ["POST"]}, 403),
        ({316: ["SE"]}, 451),
        ({"asset_prefix": "other/"}, 403),
        ({4: int(time.time()) - 3600}, 401),
        ({310: 2}, 401),
        ({312: {0: {0: "http"}}}, 200),  # catu: the scheme of the URI
        ({312: {0: {0: "https"}}}, 403),
        ({315: {"user-agent": {1: "Mozilla"}}}, 200),  # cath: a header begins so
        ({315: {"x-app": {0: "web"}}}, 403),
    ]
    for claims, status in rows:
        text = cat(claims)
        name = "CTA-Common-Access-Token"
        for headers, params in (({name: text}, {}), ({}, {name: text})):
            answer = await client.get(path, headers=headers, params=params)
            assert status == answer.status_code, (claims, answer.text)
            assert text not in answer.text


async def test_a_cat_names_any_header_field(client: httpx.AsyncClient) -> None:
    """Also those that the gateway reads for nothing else. Lines with one name are one list."""
    referer = "https://www.example.com/watch"
    sent = [("Referer", referer), ("X-App", "web"), ("X-App", "2"), ("Forwarded", "for=192.0.2.1")]
    rows: list[tuple[dict[str, Any], int]] = [
        ({"Referer": {1: "https://www.example.com/"}}, 200),
        ({"referer": {1: "https://evil.example/"}}, 403),
        ({"X-App": {0: "web, 2"}}, 200),
        ({"x-app": {0: "web"}}, 403),
        ({"Forwarded": {3: "192.0.2.1"}}, 200),
        ({"Accept-Language": {3: "no"}}, 403),
        ({"X-App-\u00e9": {3: "web"}}, 403),
    ]
    for fields, status in rows:
        named = ("CTA-Common-Access-Token", cat({315: fields}))
        answer = await client.get(HLS, headers=[*sent, named])
        assert status == answer.status_code, (fields, answer.text)


def app_with_open_titles(config: Path, *lines: str) -> Application:
    """A gateway that also has titles which want no token."""
    put(config.parent / "catalogue", "paid/open/film/master.m3u8", playlist())
    put(config.parent / "catalogue", "paid/open/film/manifest.mpd", mpd("dynamic"))
    path = config.parent / "open.toml"
    protect = ("[[tokens.protect]]", 'asset_prefix = "paid/open/"', 'access = "open"', *lines, "")
    path.write_text(config.read_text() + "\n".join(protect))
    return application(path, {"GATEWAY_RULES": "[]"})


@pytest.mark.parametrize("suffix", [".m3u8", ".mpd", ""])
async def test_an_open_asset_may_refuse_viewers_behind_vpns(config: Path, suffix: str) -> None:
    """As one that wants a token does: their signatures are not renewed, and caches get nothing."""
    app = app_with_open_titles(config, "refuse_anonymous = true")
    kinds = []
    async with asking(app) as client:
        for address in (NORWAY, PROXY):
            path = f"/v1/play/paid/open/film{suffix}"
            answer = await client.get(path, headers={"X-Forwarded-For": address})
            sender = app.gateway.runtime.clients.sender(address, Headers({}))
            given = (app.gateway, "paid/open/film", None, "", sender, Headers({}), time.time())
            assert carried_on(*given).renews is (address == NORWAY)
            assert "Token" not in answer.text, "there is none"
            kinds.append((answer.status_code, "token-anonymous" in answer.text))
    assert [(200, False), (403, True)] == kinds
    assert not app.gateway.runtime.protections.is_public("paid/open/film")


async def test_a_cat_may_name_the_source_manifest(config: Path) -> None:
    """Below ``tokens.catu_base``: that of the format which the request is about."""
    base = "https://cdn.example/v/"
    app = application(config, {"GATEWAY_RULES": "[]", "GATEWAY_TOKENS__CATU_BASE": base})
    body = {"assets": ["paid/film"]}
    hls, dash = (f"{HLS}?", "?format=hls"), (f"{HLS.replace('m3u8', 'mpd')}?", "?format=dash")
    async with asking(app) as client:
        for extension, plays in ((".m3u8", hls), (".mpd", dash)):
            text = cat({312: {1: {0: "cdn.example"}, 3: {1: "/v/paid/"}, 8: {0: extension}}})
            headers = {"CTA-Common-Access-Token": text}
            for manifest, query in (hls, dash):
                status = 200 if (manifest, query) == plays else 403
                for url in (manifest, f"{JSON}{query}"):
                    assert status == (await client.get(url, headers=headers)).status_code, url
                answer = await client.post(f"/v1/decisions{query}", json=body, headers=headers)
                [found] = answer.json()["decisions"]
                assert ("problem" in found) is (status == 403)
            status = 200 if plays == hls else 403
            assert status == (await client.get(JSON, headers=headers)).status_code, "no format"
            answer = await client.post("/v1/decisions", json=body, headers=headers)
            assert ("problem" in answer.json()["decisions"][0]) is (status == 403)
        other = {"CTA-Common-Access-Token": cat({312: {3: {1: "/other/"}}})}
        answer = await client.get(JSON, headers=other)
        assert (403, True) == (answer.status_code, "(catu)" in answer.text)
