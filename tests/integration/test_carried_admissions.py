"""What the URLs of an admitted player are worth to somebody else."""

import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.app import Application
from gateway.store.connection.keys import session_name
from tests.integration.dash_titles import mpd, playlist, put
from tests.integration.in_process import application, ask, asking
from tests.integration.playback_tokens import PROTECT, SECRET, bearer, token
from tests.integration.test_dash import location
from tests.integration.test_signature_renewal import CHROME, CONFIG, EDGE, Clock, installed
from tests.integration.test_token_keys import ISSUER, jwks
from tests.integration.test_tokens_served import NORWAY, PHONE, steering_url
from tests.unit.trust.tokens.making import jwt

ELSEWHERE = "103.4.145.245"
LIMITED = 429
LONGEST_S = 300
"""``steering.max_ttl_s`` as shipped."""
LATER_S = 100
"""Then the signatures of the playlist end before the next request."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """One that stands early in a step of signatures, as tokens need the real time."""
    found = installed(monkeypatch)
    found.now_s = time.time() // 10 * 10 + 3
    return found


def app_of(folder: Path, tokens: str, *, signs: bool = True) -> Application:
    """A gateway with titles that want a token, on an edge that checks signatures."""
    put(folder / "catalogue", "paid/film/master.m3u8", playlist())
    put(folder / "catalogue", "paid/live/manifest.mpd", mpd("dynamic"))
    edge = EDGE.format(id="e1", secret="a" * 40, lifetime_s=120, step_s=10)
    if not signs:
        edge = edge.partition("[edges.signing]")[0]
        edge += edge.replace("e1", "e2")
    ring = '[[keys.ring]]\nid = "r"\nsecret = "0123456789012345678901234567890123456789"\n'
    (folder / "g.toml").write_text(
        CONFIG.format(ttl_s=30, copies="needed") + tokens + ring + 'status = "active"\n' + edge
    )
    return application(folder / "g.toml", {"GATEWAY_RULES": "[]"})


@pytest.mark.parametrize(
    ("claims", "headers", "renewed"),
    [
        ({"countries": ["NO"]}, {}, True),
        ({"countries": ["NO"]}, {"X-Forwarded-For": ELSEWHERE}, False),
        ({"networks": ["129.240.0.0/16"]}, {"X-Forwarded-For": ELSEWHERE}, False),
        ({"devices": ["desktop"]}, {"User-Agent": PHONE}, False),
        ({"session": "s1"}, {}, True),
    ],
)
async def test_signatures_are_renewed_where_the_token_admits(
    tmp_path: Path,
    clock: Clock,
    claims: dict[str, Any],
    headers: dict[str, str],
    renewed: bool,
) -> None:
    """Steering is answered in any case; who is elsewhere gets no new signature."""
    async with asking(app_of(tmp_path, PROTECT)) as client:
        client.headers.update({**CHROME, "X-Forwarded-For": NORWAY})
        first = await client.get(
            "/v1/play/paid/film.m3u8", params={"session": "s1"}, headers=bearer(token(**claims))
        )
        assert 200 == first.status_code, first.text
        clock.now_s += LATER_S
        url = steering_url(first.text)
        answer = await client.get(f"{url}&_HLS_pathway=e1", headers=headers)
    assert 200 == answer.status_code
    assert renewed is ("PATHWAY-CLONES" in answer.json())


async def test_signatures_of_a_session_that_shares_its_name_are_renewed(
    tmp_path: Path, clock: Clock
) -> None:
    """Somebody else uses the name of the token's session. Its viewer has a session of its own then,
    which the URLs of steering name."""
    path, named = "/v1/play/paid/film.m3u8", {"session": "s1"}
    given = bearer(token(session="s1"))
    async with asking(app_of(tmp_path, PROTECT)) as client:
        other = {"User-Agent": PHONE, "X-Forwarded-For": ELSEWHERE}
        assert 200 == (await client.get(path, params=named, headers=given | other)).status_code
        client.headers.update({**CHROME, "X-Forwarded-For": NORWAY})
        first = await client.get(path, params=named, headers=given)
        clock.now_s += LATER_S
        url = steering_url(first.text)
        assert session_name("s1").hex() not in url
        answer = await client.get(f"{url}&_HLS_pathway=e1")
    assert "PATHWAY-CLONES" in answer.json()


async def test_an_admission_outlives_the_state(tmp_path: Path, clock: Clock) -> None:
    """The state is refused, and the pathway that the player reports is not known."""
    async with asking(app_of(tmp_path, PROTECT)) as client:
        client.headers.update({**CHROME, "X-Forwarded-For": NORWAY})
        first = await client.get("/v1/play/paid/film.m3u8", headers=bearer(token()))
        url = steering_url(first.text)
        grant = parse_qs(urlsplit(url).query)["grant"]
        for pathway in ("e1", "x"):
            query = {"state": "x.AAAA", "grant": grant[0], "_HLS_pathway": pathway}
            answer = await client.get(urlsplit(url).path, params=query)
            assert grant == parse_qs(urlsplit(answer.json()["RELOAD-URI"]).query)["grant"]


KEY_LINE, PROTECT_LINE = 'id = "k"\n', "[[tokens.protect]]\n"
UNREAD = '[[tokens.jwks]]\nissuer = "x"\nurl = "https://127.0.0.1:1/keys.json"\n'
CHANGES = [
    ("nothing", "", "", 200),
    ("a key that is not in force yet", KEY_LINE, 'not_before = "2100-01-01T00:00:00Z"\n', 401),
    ("a key that has ended", KEY_LINE, 'not_after = "2020-01-01T00:00:00Z"\n', 401),
    ("a key that ends later", KEY_LINE, 'not_after = "2100-01-01T00:00:00Z"\n', 200),
    ("a retired key", KEY_LINE, 'status = "retired"\n', 401),
    ("another issuer of the key", KEY_LINE, 'issuer = "other"\n', 401),
    ("a claim that it has", PROTECT_LINE, 'required_claims = ["subject"]\n', 200),
    ("a claim that it lacks", PROTECT_LINE, 'required_claims = ["id"]\n', 401),
    ("another audience of the asset", PROTECT_LINE, 'audiences = ["other"]\n', 401),
    ("another issuer of the asset", PROTECT_LINE, 'issuers = ["other"]\n', 401),
    ("another audience", "enabled = true\n", 'audiences = ["other"]\n', 401),
    ("a shorter lifetime", "enabled = true\n", "max_lifetime_s = 60\n", 401),
    ("a set that was not read yet", PROTECT_LINE, UNREAD, 200),
]


@pytest.mark.parametrize(
    ("below", "line", "status"), [row[1:] for row in CHANGES], ids=[row[0] for row in CHANGES]
)
async def test_an_admission_ends_where_the_config_would_refuse_its_token(
    tmp_path: Path, below: str, line: str, status: int
) -> None:
    """As the token itself would be answered, but for 403."""
    given = token(sub="viewer", aud="here", iat=int(time.time()))
    before = PROTECT.replace("enabled = true\n", 'enabled = true\naudiences = ["here"]\n')
    before += '[[tokens.keys]]\nid = "l"\nalgorithm = "HS256"\nsecret = "' + "z" * 32 + '"\n'
    after = before
    if "audiences" in line and below == "enabled = true\n":
        after = before.replace('audiences = ["here"]\n', "")
    if line == UNREAD:
        after += line
    elif line:
        after = after.replace(below, below + line)
    async with asking(app_of(tmp_path, before)) as client:
        first = await client.get("/v1/play/paid/live.mpd", headers=bearer(given))
    async with asking(app_of(tmp_path, after)) as client:
        again = await client.get(location(first.text))
        own = await client.get("/v1/play/paid/live.mpd", headers=bearer(given))
    assert [200, status] == [first.status_code, again.status_code]
    assert (status == 200) is (own.status_code == 200)


@pytest.mark.parametrize("more", ["", UNREAD])
@pytest.mark.parametrize(
    "change", [('id = "k"', 'id = "new"'), (SECRET, SECRET[::-1])], ids=["removed", "replaced"]
)
async def test_an_admission_ends_with_the_key_of_its_token(
    tmp_path: Path, more: str, change: tuple[str, str]
) -> None:
    """Whatever sets there are besides, and also when another key takes its id."""
    async with asking(app_of(tmp_path, PROTECT + more)) as client:
        first = await client.get("/v1/play/paid/live.mpd", headers=bearer(token()))
        second = await client.get(location(first.text))
    async with asking(app_of(tmp_path, PROTECT.replace(*change) + more)) as client:
        third = await client.get(location(first.text))
    assert [200, 200, 401] == [each.status_code for each in (first, second, third)]


async def test_an_admission_ends_when_its_key_leaves_the_set(tmp_path: Path) -> None:
    """Not while the set was never read: the key may be one of it."""
    claims = {"exp": int(time.time()) + 3600, "iss": ISSUER, "asset_prefix": "paid/"}
    given, keys = jwt(claims, "ES256", kid="one"), tmp_path / "keys.json"
    in_file = f'[[tokens.jwks]]\nissuer = "{ISSUER}"\nfile = "keys.json"\n'
    keys.write_text(jwks("one"))
    async with asking(app_of(tmp_path, PROTECT + in_file)) as client:
        first = await client.get("/v1/play/paid/live.mpd", headers=bearer(given))
        found = [first, await client.get(location(first.text))]
    async with asking(app_of(tmp_path, PROTECT + UNREAD)) as client:
        found.append(await client.get(location(first.text)))
    keys.write_text(jwks("two"))
    async with asking(app_of(tmp_path, PROTECT + in_file)) as client:
        found.append(await client.get(location(first.text)))
    assert [200, 200, 200, 401] == [each.status_code for each in found]


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"jti": "one"}, [200, 200, 200, 429]),
        ({"sub": "somebody"}, [200, 200, 200, 429]),
        ({}, [200] * 4),  # names nobody: everybody may have it
    ],
)
async def test_what_a_token_is_carried_on_as_counts_for_it(
    tmp_path: Path, claims: dict[str, Any], expected: list[int]
) -> None:
    """From wherever its viewers ask, and at the URLs that they are given. They are steered all the
    time, but seldom; another token has its own limit."""
    limit = "[rate]\ntoken_per_s = 1\ntoken_burst = 3\n"
    given = token(**claims)
    async with asking(app_of(tmp_path, PROTECT + limit, signs=False)) as client:
        film = await client.get("/v1/play/paid/film.m3u8", headers=CHROME | bearer(given))
        live = await client.get("/v1/play/paid/live.mpd", headers=bearer(given))
        found = [film, live]
        for number in range(2):
            lines = {"X-Forwarded-For": f"192.0.2.{number}"}
            found.append(await client.get(location(live.text), headers=lines))
        other = await client.get("/v1/play/paid/film.m3u8", headers=bearer(token(jti="other")))
        steered = await client.get(steering_url(film.text))
    assert expected == [each.status_code for each in found]
    assert [200, 200] == [other.status_code, steered.status_code]
    limited = expected[-1] == LIMITED
    assert limited is (steered.json()["TTL"] == LONGEST_S)
    if limited:
        assert "rate.token_per_s" in found[-1].json()["detail"]
        assert int(found[-1].headers["retry-after"]) in range(1, 6)


async def test_the_assets_of_a_batch_count_for_its_token(tmp_path: Path) -> None:
    """Those that it opens; the others are refused one by one."""
    limit = "[rate]\ntoken_per_s = 1\ntoken_burst = 3\n"
    lines = bearer(token(jti="one"))
    opened, refused = {"assets": ["paid/film"] * 9}, {"assets": ["nowhere"] * 9}
    async with asking(app_of(tmp_path, PROTECT + limit)) as client:
        found = [
            (await client.post("/v1/decisions", json=each, headers=lines)).status_code
            for each in (refused, opened, refused, opened)
        ]
    assert [200, 200, 200, 429] == found


async def test_operators_are_not_shown_signatures(tmp_path: Path) -> None:
    """With one they could play; players get theirs, also in JSON."""
    app = app_of(tmp_path, "")
    body = json.dumps({"assets": ["paid/film"]}).encode()
    host = [(b"host", b"localhost")]
    for path, method, sent in (("/v1/play/paid/film", "GET", b""), ("/v1/decisions", "POST", body)):
        for listener, shows in ((app, True), (app.operators, False)):
            status, _, answer = await ask(listener, path, b"", host, method, "192.0.2.9", sent)
            assert 200 == status
            found = json.loads(answer)
            [decision] = found.get("decisions", [found])
            uris = [rung["uri"] for rung in decision["ladder"]]
            assert uris
            assert all(shows is ("/~" in uri) is not ("/REDACTED/" in uri) for uri in uris), uris
