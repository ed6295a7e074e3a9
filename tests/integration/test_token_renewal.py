"""Common Access Tokens that are renewed while their viewers play."""

import re
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import ECKey
from structlog.testing import capture_logs

from gateway.app import Application
from gateway.observe import metrics
from gateway.play.carrying import read_admission, signed_admission
from gateway.store.coordination.revocations import Revocable, revoked_name
from gateway.trust.admission import Admission
from gateway.trust.tokens.cat import claims_of
from gateway.trust.tokens.renewal import RenewalTerms
from tests.integration.dash_titles import mpd, playlist, put
from tests.integration.in_process import OPERATORS, application, asking
from tests.integration.playback_tokens import PROTECT, SECRET, bearer, cat, token
from tests.integration.running import RunningGateway, running_gateway
from tests.integration.test_dash import location
from tests.integration.test_tokens_served import EDGES, steering_url

CTA = "CTA-Common-Access-Token"
COOKIE = "viewer-token"
HLS, LIVE, JSON = "/v1/play/paid/film.m3u8", "/v1/play/paid/live.mpd", "/v1/play/paid/film"
PAGE = "https://player.example"
FIRST = (Revocable.TOKEN, "0b71")
PRIVATE = ECKey.generate_key("P-256")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Titles that want a token; a key of the gateway renews those of the backend."""
    folder = tmp_path_factory.mktemp("renewal")
    put(folder / "catalogue", "paid/film/master.m3u8", playlist())
    put(folder / "catalogue", "paid/live/manifest.mpd", mpd("dynamic"))
    put(folder / "catalogue", "free/film/master.m3u8", playlist())
    (folder / "private.pem").write_bytes(PRIVATE.as_pem(private=True))
    (folder / "public.pem").write_bytes(PRIVATE.as_pem(private=False))
    tokens = PROTECT.replace("enabled = true\n", f'enabled = true\ncookies = ["{COOKIE}"]\n')
    (folder / "gateway.toml").write_text(
        '[source]\nkind = "directory"\nroot = "catalogue"\n'
        f'[server]\ncors_origins = ["{PAGE}"]\n'
        '[profiles.all]\ndevice_limits = false\n[policy]\ndefault_profile = "all"\n'
        + tokens
        + '[[tokens.keys]]\nid = "gw"\nalgorithm = "ES256"\npublic_key_file = "public.pem"\n'
        + '[tokens.renewal]\nkey = "gw"\nprivate_key_file = "private.pem"\n'
        + "total_lifetime_s = 3600\n"
        + EDGES
    )
    return folder / "gateway.toml"


@pytest.fixture(scope="module")
def app(config: Path) -> Application:
    return application(config, {"GATEWAY_RULES": "[]"})


@pytest.fixture
async def client(app: Application) -> AsyncIterator[httpx.AsyncClient]:
    app.gateway.revoked = frozenset()
    async with asking(app) as found:
        yield found


def renewable(kind: int = 2, ends_in_s: float = 30, **more: Any) -> str:
    """A CAT that ends soon and may be renewed for 120 s. ``more`` are members of ``catr``, as
    ``m5``, or other claims, as ``c6``."""
    now = int(time.time())
    catr: dict[int, Any] = {0: kind, 1: 120, 2: 60} | {
        int(k[1:]): v for k, v in more.items() if k[0] == "m"
    }
    claims: dict[int | str, Any] = {4: int(now + ends_in_s), 6: now - 60, 7: b"\x0b\x71", 323: catr}
    return cat(claims | {int(k[1:]): v for k, v in more.items() if k[0] == "c"})


def given_in(place: str, text: str) -> dict[str, Any]:
    """The arguments of a request with a token in a place."""
    return {
        "header": {"headers": {CTA: text}},
        "bearer": {"headers": bearer(text)},
        "query": {"params": {"token": text}},
        "cookie": {"headers": {"Cookie": f"a=b; {COOKIE}={text}"}},
    }[place]


def new_token(answer: httpx.Response) -> str | None:
    """The renewed token of an answer."""
    cookie = answer.headers.get("set-cookie")
    if cookie is not None:
        return str(cookie).partition("=")[2].partition(";")[0]
    value = answer.headers.get(CTA)
    return None if value is None else str(value).partition(";")[0]


WAYS: list[tuple[str, dict[str, Any], str, str | None]] = [
    ("header", {"kind": 2}, "header", CTA),
    ("header, in Authorization", {"kind": 2}, "bearer", CTA),
    ("header, from the query", {"kind": 2}, "query", CTA),
    ("header with a name", {"kind": 2, "m4": CTA.lower()}, "header", CTA),
    ("header with another name", {"kind": 2, "m4": "Content-Length"}, "header", None),
    ("header with parameters", {"kind": 2, "m6": ["a=1", "b"]}, "header", CTA),
    ("cookie", {"kind": 1, "m3": COOKIE}, "cookie", "set-cookie"),
    ("cookie, from the query", {"kind": 1, "m3": COOKIE}, "query", "set-cookie"),
    ("cookie that nobody reads", {"kind": 1}, "cookie", None),
    ("automatic, header", {"kind": 0}, "header", CTA),
    ("automatic, cookie", {"kind": 0, "m3": COOKIE}, "cookie", "set-cookie"),
    ("automatic, query", {"kind": 0}, "query", None),
    ("redirect", {"kind": 3, "m7": 302}, "query", None),
    ("not yet", {"ends_in_s": 90}, "header", None),
    ("in the leeway", {"ends_in_s": -30}, "header", CTA),
    ("without catr", {"c323": {0: 2, 1: 1, 2: 0}}, "header", None),
    ("at the longest lifetime", {"c6": int(time.time()) - 3590}, "header", None),
]


@pytest.mark.parametrize(
    ("made", "place", "expected"), [row[1:] for row in WAYS], ids=[row[0] for row in WAYS]
)
@pytest.mark.parametrize("path", [HLS, LIVE, JSON])
async def test_how_the_answer_has_the_renewed_token(
    client: httpx.AsyncClient,
    path: str,
    made: dict[str, Any],
    place: str,
    expected: str | None,
) -> None:
    """It opens what the old one did. No cache keeps an answer that has one."""
    old = renewable(**made)
    with capture_logs() as logs:
        answer = await client.get(path, **given_in(place, old))
    assert 200 == answer.status_code, answer.text
    assert {CTA.lower(), "set-cookie"} & set(answer.headers) == (
        set() if expected is None else {expected.lower()}
    )
    new = new_token(answer)
    vary = {each.strip() for each in answer.headers["vary"].split(",")}
    assert {"Authorization", CTA} <= vary
    assert ("Cookie" in vary) is (place == "cookie")
    assert answer.headers["cache-control"].startswith("private")
    assert ("no-store" in answer.headers["cache-control"]) is (new is not None)
    assert old not in f"{answer.text}{logs}"
    if new is None:
        return
    assert new not in f"{answer.text}{logs}"
    now = int(time.time())
    before, after = claims_of(old)[0], claims_of(new)[0]
    assert now + 118 <= after.pop(4) <= now + 120
    assert after == {label: value for label, value in before.items() if label != 4}
    assert 200 == (await client.get(path, **given_in(place, new))).status_code


async def test_attributes_and_parameters(client: httpx.AsyncClient) -> None:
    """A cookie is always secure."""
    answer = await client.get(
        HLS, **given_in("header", renewable(1, m3=COOKIE, m5="Domain=.example.com; Max-Age=9"))
    )
    after = "; Domain=.example.com; Max-Age=9; Secure"
    assert answer.headers["set-cookie"].endswith(after)
    answer = await client.get(HLS, **given_in("header", renewable(1, m3=COOKIE)))
    assert answer.headers["set-cookie"].endswith("; Path=/; HttpOnly; SameSite=None; Secure")
    answer = await client.get(HLS, **given_in("header", renewable(2, m6=["a=1", "b"])))
    assert answer.headers[CTA].endswith("; a=1; b")


async def test_head_and_not_modified(client: httpx.AsyncClient) -> None:
    """They have the renewed token as well: a browser updates what it keeps from a 304."""
    given = given_in("header", renewable())
    first = await client.get(JSON, **given)
    head = await client.head(JSON, **given)
    assert (200, b"") == (head.status_code, head.content)
    again = await client.get(
        JSON, headers={**given["headers"], "If-None-Match": first.headers["etag"]}
    )
    assert 304 == again.status_code
    assert None not in {new_token(first), new_token(head), new_token(again)}


async def test_a_batch(client: httpx.AsyncClient) -> None:
    """One new token for all, if one of the assets is opened by the old one."""
    for assets, renewed in (
        (["free/film", "paid/none", "paid/film"], True),
        (["free/film"], False),
        (["paid/../x"], False),
    ):
        answer = await client.post(
            "/v1/decisions", json={"assets": assets}, **given_in("header", renewable())
        )
        assert 200 == answer.status_code
        assert renewed is (new_token(answer) is not None), assets


REFUSED = [
    ("revoked by its id", {"revoked": (Revocable.TOKEN, "0b71")}, 403),
    ("revoked by its id in capitals", {"revoked": (Revocable.TOKEN, "0B71")}, 403),
    ("its viewer is revoked", {"c2": "viewer", "revoked": (Revocable.SUBJECT, "viewer")}, 403),
    ("its session is revoked", {"revoked": (Revocable.SESSION, "s1")}, 403),
    ("in another country", {"c316": ["SE"]}, 451),
    ("for another method", {"c313": ["POST"]}, 403),
    ("it has ended", {"ends_in_s": -90}, 401),
]


@pytest.mark.parametrize(
    ("made", "status"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
async def test_what_is_refused_is_not_renewed(
    app: Application, client: httpx.AsyncClient, made: dict[str, Any], status: int
) -> None:
    revoked = made.pop("revoked", None) if "revoked" in made else None
    made = dict(made)
    if revoked is not None:
        app.gateway.revoked = frozenset({revoked_name(*revoked)})
    given = given_in("header", renewable(**made))
    answer = await client.get(HLS, params={"session": "s1"}, **given)
    assert status == answer.status_code
    assert new_token(answer) is None


async def test_a_renewed_token_is_revoked_with_the_first_one(
    app: Application, client: httpx.AsyncClient
) -> None:
    """By the id that the first one had."""
    new = new_token(await client.get(HLS, **given_in("header", renewable()))) or ""
    app.gateway.revoked = frozenset({revoked_name(Revocable.TOKEN, "0b71")})
    assert 403 == (await client.get(HLS, **given_in("header", new))).status_code


def end_of(app: Application, url: str, asset: str) -> int | None:
    """When the admission in a URL ends, in Unix seconds."""
    [grant] = parse_qs(urlsplit(url).query)["grant"]
    found = read_admission(app.gateway, app.gateway.runtime, grant, asset)
    assert found is not None
    return found.expires_s


def of_makers(folder: Path, status: str) -> Application:
    """A gateway for the titles of two makers, which have keys of their own. ``status`` is that of
    the key of the first one."""
    for title in ("partner/trailer", "partner/film", "studio/trailer"):
        put(folder / "catalogue", f"{title}/master.m3u8", playlist())
    (folder / "gateway.toml").write_text(
        '[source]\nkind = "directory"\nroot = "catalogue"\n[tokens]\nenabled = true\n'
        + "".join(
            f'[[tokens.keys]]\nid = "{name}"\nalgorithm = "HS256"\nsecret = "{SECRET[::step]}"\n'
            + (f'subject_is = "asset"\nstatus = "{status}"\n' if name == "k" else "")
            for name, step in (("k", 1), ("gw", -1))
        )
        + '[[tokens.protect]]\nasset_prefix = "partner/"\nkeys = ["k"]\n'
        + '[[tokens.protect]]\nasset_prefix = "studio/"\nkeys = ["gw"]\n'
        + '[tokens.renewal]\nkey = "gw"\n'
        + EDGES
    )
    return application(folder / "gateway.toml", {"GATEWAY_RULES": "[]"})


def for_trailer() -> str:
    """A renewable token of the first maker, whose ``sub`` is the asset."""
    claims = claims_of(renewable(c2="partner/trailer"))[0]
    return cat({label: claim for label, claim in claims.items() if label != "asset_prefix"})


async def test_a_renewed_token_opens_what_the_old_one_did(tmp_path: Path) -> None:
    """Whatever tokens of the key that renews open. It ends with the key that made the old one."""
    old = for_trailer()
    async with asking(of_makers(tmp_path, "active")) as client:
        first = await client.get("/v1/play/partner/trailer.m3u8", **given_in("header", old))
        new = new_token(first) or ""
        for title, status in (
            ("partner/trailer", 200),
            ("partner/film", 403),
            ("studio/trailer", 403),
        ):
            for text in (old, new):
                answer = await client.get(f"/v1/play/{title}.m3u8", **given_in("header", text))
                assert status == answer.status_code, (title, text == new)
    async with asking(of_makers(tmp_path, "retired")) as client:
        answer = await client.get("/v1/play/partner/trailer.m3u8", **given_in("header", new))
        assert 401 == answer.status_code
        assert answer.json()["type"].endswith("token-unknown-key")


NEXT_KEY = (
    f'[[tokens.keys]]\nid = "next"\nalgorithm = "HS256"\nsecret = "{SECRET[8:] + SECRET[:8]}"\n'
)
NEXT = 'key = "next"\n'
OF_RENEWAL: list[tuple[str, str, str, str, int]] = [
    ("as it was", "", "", 'key = "gw"\n', 200),
    ("replaced, and listed", "", "", f'{NEXT}other_keys = ["gw"]\n', 200),
    ("replaced", "", "", NEXT, 401),
    ("retired", 'id = "gw"', 'id = "gw"\nstatus = "retired"', NEXT, 401),
    ("removed", 'id = "gw"', 'id = "other"', NEXT, 401),
    ("another under its id", SECRET[::-1], SECRET[1:] + SECRET[0], 'key = "gw"\n', 401),
    ("ended", 'id = "gw"', 'id = "gw"\nnot_after = "2020-01-01T00:00:00Z"', 'key = "gw"\n', 401),
]


@pytest.mark.parametrize(
    ("old", "new", "renewal", "status"),
    [row[1:] for row in OF_RENEWAL],
    ids=[row[0] for row in OF_RENEWAL],
)
async def test_what_urls_carry_ends_with_the_key_that_renewed_its_token(
    tmp_path: Path, old: str, new: str, renewal: str, status: int
) -> None:
    """Who has this key can make tokens of every other one. The key of the first token stays."""
    app = of_makers(tmp_path, "active")
    put(tmp_path / "catalogue", "partner/trailer/manifest.mpd", mpd("dynamic"))
    path = "/v1/play/partner/trailer.mpd"
    async with asking(app) as client:
        first = await client.get(path, **given_in("header", for_trailer()))
        answer = await client.get(path, params={"token": new_token(first)})
        urls = {location(first.text): 200, location(answer.text): status}
    text = (tmp_path / "gateway.toml").read_text().replace(old, new)
    text = text.replace('[tokens.renewal]\nkey = "gw"\n', f"{NEXT_KEY}[tokens.renewal]\n{renewal}")
    (tmp_path / "gateway.toml").write_text(text.replace('\nkeys = ["gw"]', ""))
    changed = application(tmp_path / "gateway.toml", {"GATEWAY_RULES": "[]"})
    changed.gateway.keys = app.gateway.keys
    async with asking(changed) as client:
        for url, expected in urls.items():
            assert expected == (await client.get(url)).status_code


async def test_what_urls_carry_is_renewed(app: Application, client: httpx.AsyncClient) -> None:
    """Also for players that read no header fields: by refreshes and by steering, in their time. Not
    for what is revoked, which steering answers as always."""
    now = int(time.time())
    given = given_in("query", renewable(0, ends_in_s=300))
    late = location((await client.get(LIVE, **given)).text)
    assert now + 300 == end_of(app, late, "paid/live"), "not yet"
    given = given_in("query", renewable(0))
    refresh = location((await client.get(LIVE, **given)).text)
    assert now + 120 <= (end_of(app, refresh, "paid/live") or 0) <= now + 123
    key = next(each for each in app.gateway.tokens.keys.keys if each.name == "k")
    soon = Admission(
        key.tag,
        b"d" * 16,
        now + 10,
        revoked_name(*FIRST)[1:],
        terms=RenewalTerms(120, 60, now),
    )
    steering = urlsplit(steering_url((await client.get(HLS, **given)).text)).query
    for asset, ask in (("paid/live", LIVE), ("paid/film", "/v1/steering/paid/film")):
        grant = signed_admission(app.gateway, soon, asset)
        state = re.sub("grant=[^&]*", "", steering) if ask != LIVE else ""
        url = f"{ask}?{state}&grant={grant}"
        app.gateway.revoked = frozenset()
        answer = await client.get(url)
        assert 200 == answer.status_code
        again = location(answer.text) if ask == LIVE else answer.json()["RELOAD-URI"]
        assert now + 120 <= (end_of(app, again, asset) or 0) <= now + 123, ask
        app.gateway.revoked = frozenset({revoked_name(*FIRST)})
        answer = await client.get(url)
        assert (403 if ask == LIVE else 200) == answer.status_code
        if ask != LIVE:
            assert now + 10 == end_of(app, answer.json()["RELOAD-URI"], asset)


async def test_jwts_and_operators_get_none(client: httpx.AsyncClient) -> None:
    """There is no standard for the renewal of JWTs. An operator is no player."""
    soon = token(exp=int(time.time()) + 10, jti="a")
    assert new_token(await client.get(HLS, headers=bearer(soon))) is None
    answer = await client.get(OPERATORS + JSON, **given_in("header", renewable()))
    assert 200 == answer.status_code
    assert new_token(answer) is None


async def test_pages_may_read_it(client: httpx.AsyncClient) -> None:
    """Where their origin is listed, they send and keep cookies."""
    given = given_in("header", renewable())
    answer = await client.get(HLS, headers={**given["headers"], "Origin": PAGE})
    assert CTA in answer.headers["access-control-expose-headers"]
    assert "true" == answer.headers["access-control-allow-credentials"]


async def test_a_cookie_counts_where_no_other_token_does(client: httpx.AsyncClient) -> None:
    """Players send cookies unasked: one is no second token. When the token in a URL has ended, the
    cookie that renewed it takes its place."""
    good, old = renewable(ends_in_s=300), renewable(ends_in_s=-300)
    cookie = {"Cookie": f"{COOKIE}={good}"}
    assert 200 == (await client.get(HLS, headers=cookie, params={"token": old})).status_code
    bad = {"Cookie": f"{COOKIE}=nonsense"}
    assert 200 == (await client.get(HLS, headers=bad, params={"token": good})).status_code
    assert 401 == (await client.get(HLS, headers=cookie, params={"token": "x"})).status_code
    assert 401 == (await client.get(HLS, headers=bad)).status_code
    other = {"Cookie": f"{CTA}={good}"}
    assert 401 == (await client.get(HLS, headers=other)).status_code


async def test_an_old_cookie_or_token_gives_way_to_what_a_url_carries(
    client: httpx.AsyncClient,
) -> None:
    """A cookie from another film or from yesterday, or a header field that has ended by now, does
    not end a film whose MPD is asked for again at its ``Location``."""
    first = await client.get(LIVE, params={"token": renewable(ends_in_s=300)})
    again = location(first.text)
    assert 200 == (await client.get(again)).status_code
    old = renewable(ends_in_s=-300)
    for cookie in (old, "nonsense", token("paid/other")):
        answer = await client.get(again, headers={"Cookie": f"{COOKIE}={cookie}"})
        assert 200 == answer.status_code, answer.text
    assert 200 == (await client.get(again, headers={CTA: old})).status_code
    assert 401 == (await client.get(again, headers={CTA: "nonsense"})).status_code
    forged = again.replace("grant=", "grant=x")
    answer = await client.get(forged, headers={"Cookie": f"{COOKIE}={old}"})
    assert (401, "urn:problem:streaming-gateway:token-expired") == (
        answer.status_code,
        answer.json()["type"],
    )


async def test_a_cookie_that_gave_way_is_not_renewed(
    app: Application, client: httpx.AsyncClient
) -> None:
    """It opens nothing here, and may be revoked: the URL admits."""
    given = renewable(ends_in_s=300, c7=b"\x0b\x72")
    again = location((await client.get(LIVE, params={"token": given})).text)
    app.gateway.revoked = frozenset({revoked_name(*FIRST)})
    cookie = renewable(1, m3=COOKIE, c313=["POST"])
    answer = await client.get(again, headers={"Cookie": f"{COOKIE}={cookie}"})
    assert (200, None) == (answer.status_code, new_token(answer))


async def test_it_is_counted(client: httpx.AsyncClient) -> None:
    """By the way of the new token."""
    labels = ("header", "cookie", "unsupported")
    before = [metrics.TOKEN_RENEWALS.labels(each)._value.get() for each in labels]
    for text in (renewable(2), renewable(1, m3=COOKIE), renewable(3)):
        await client.get(HLS, **given_in("header", text))
    after = [metrics.TOKEN_RENEWALS.labels(each)._value.get() for each in labels]
    assert [each + 1 for each in before] == after


@pytest.fixture(scope="module")
def gateway(config: Path) -> Iterator[RunningGateway]:
    """The same as a process, whose tokens live for as long as the test wants."""
    text = config.read_text().replace("[tokens]\n", "[tokens]\nleeway_s = 0\n")
    path = config.with_name("running.toml")
    path.write_text(text.replace("total_lifetime_s = 3600", "total_lifetime_s = 8"))
    environ = {"GATEWAY_STORE__URL": "memory", "GATEWAY_RULES": "[]"}
    with running_gateway(path, environ=environ) as found:
        yield found


def test_a_film_outlives_its_token(gateway: RunningGateway) -> None:
    """Over HTTP, with tokens of 3 s: a player that sends what it gets plays on, and so do the URLs
    of a player that reads no header fields, both until the longest lifetime; not a second longer.
    """
    with httpx.Client(base_url=gateway.url, timeout=30) as player:
        player.get(LIVE, params={"token": renewable()}).raise_for_status()  # the first is slow
        now = int(time.time())
        text = cat({4: now + 3, 6: now, 7: b"\x0b\x72", 323: {0: 2, 1: 3, 2: 3}})
        first, ends = text, []
        refresh = location(player.get(LIVE, params={"token": text}).text)
        steering = steering_url(player.get(HLS, params={"token": text}).text)
        while (answer := player.get(HLS, headers={CTA: text})).status_code == 200:
            text = new_token(answer) or text
            ends.append(claims_of(text)[0][4] - now)
            again = player.get(refresh)
            if again.status_code != 200:
                break
            refresh = location(again.text)
            steering = player.get(steering).raise_for_status().json()["RELOAD-URI"]
            time.sleep(0.2)
        over_s = time.time() - now
        for url, headers in ((HLS, {CTA: text}), (refresh, {})):
            assert 401 == player.get(url, headers=headers).status_code, url
        assert 200 == player.get(steering).status_code, "as always"
        assert 401 == player.get(LIVE, params={"token": first}).status_code
    assert sorted(ends) == ends
    assert len(set(ends)) >= 3, "several renewals in a row"
    assert 8 == ends[-1]
    assert 8 <= over_s < 12
    assert "0b72" not in str(gateway.log)
