"""Titles that are licensed in some countries: with a token or without one, 451 elsewhere."""

from collections.abc import AsyncIterator
from pathlib import Path
from time import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from gateway.app import Application
from gateway.play.request import Headers
from gateway.play.tokens import carried_on
from tests.integration.dash_titles import mpd, playlist, put
from tests.integration.in_process import OPERATORS, application, asking
from tests.integration.playback_tokens import PROTECT, bearer, token
from tests.integration.test_dash import location
from tests.integration.test_tokens_served import BANGLADESH, EDGES, NORWAY, NOWHERE, steering_url

ALLOW = {"GATEWAY_TOKENS__UNKNOWN_COUNTRY": "allow"}
SHARED = {
    "GATEWAY_DASH__CLASS_MANIFESTS": "true",
    "GATEWAY_SERVER__PUBLIC_URL": "https://play.example",
}
ASSETS = ("paid/film", "open/film", "open/all/film", "other/film")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Titles for Norway and Sweden."""
    folder = tmp_path_factory.mktemp("licences")
    for asset in ASSETS:
        put(folder / "catalogue", f"{asset}/master.m3u8", playlist())
        put(folder / "catalogue", f"{asset}/manifest.mpd", mpd("dynamic"))
    countries = 'countries = ["NO", "SE"]\n'
    path = folder / "gateway.toml"
    path.write_text(
        '[source]\nkind = "directory"\nroot = "catalogue"\n[server]\nshow_reasons = true\n'
        + PROTECT
        + countries
        + f'[[tokens.protect]]\nasset_prefix = "open/"\naccess = "open"\n{countries}'
        + '[[tokens.protect]]\nasset_prefix = "open/all/"\naccess = "open"\n'
        + EDGES
    )
    return path


@pytest.fixture(scope="module")
def app(config: Path) -> Application:
    """A gateway that refuses viewers whose country is not known."""
    return application(config, {"GATEWAY_RULES": "[]"})


@pytest.fixture
async def client(app: Application) -> AsyncIterator[httpx.AsyncClient]:
    """A player."""
    async with asking(app) as found:
        yield found


def at(address: str, **claims: Any) -> dict[str, str]:
    """The headers of a viewer with a token."""
    return {"X-Forwarded-For": address} | bearer(token(**claims))


WHERE: list[tuple[str, str, dict[str, Any], int]] = [
    ("paid", NORWAY, {}, 200),
    ("paid", NORWAY, {"countries": ["NO", "BD"]}, 200),
    ("paid", NORWAY, {"countries": ["SE"]}, 451),
    ("paid", BANGLADESH, {}, 451),
    ("paid", BANGLADESH, {"countries": ["BD"]}, 451),
    ("paid", NOWHERE, {}, 451),
    ("open", NORWAY, {}, 200),
    ("open", BANGLADESH, {}, 451),
    ("open", NOWHERE, {}, 451),
    ("open/all", BANGLADESH, {}, 200),
    ("other", BANGLADESH, {}, 200),
]


@pytest.mark.parametrize("suffix", [".m3u8", ".mpd", ""])
async def test_where_a_title_plays(client: httpx.AsyncClient, suffix: str) -> None:
    """Both the licence and the token must allow the country. The longest prefix decides."""
    for folder, address, claims, status in WHERE:
        headers = at(address, **claims)
        answer = await client.get(f"/v1/play/{folder}/film{suffix}", headers=headers)
        assert status == answer.status_code, (folder, address, claims)
        if status != 200:
            assert answer.json()["type"].endswith(":country-not-licensed")
            assert "no-store" == answer.headers["cache-control"]


async def test_an_open_title_needs_no_token(client: httpx.AsyncClient) -> None:
    for address, status in ((NORWAY, 200), (BANGLADESH, 451)):
        headers = {"X-Forwarded-For": address}
        assert status == (await client.get("/v1/play/open/film", headers=headers)).status_code


async def test_each_title_of_a_batch(client: httpx.AsyncClient) -> None:
    for address, refused in ((NORWAY, []), (BANGLADESH, ["paid/film", "open/film"])):
        body = {"assets": list(ASSETS)}
        answer = await client.post("/v1/decisions", json=body, headers=at(address))
        found = zip(ASSETS, answer.json()["decisions"], strict=True)
        problems = {a: one["problem"]["type"] for a, one in found if "problem" in one}
        assert refused == list(problems)
        assert all(kind.endswith(":country-not-licensed") for kind in problems.values())


async def test_unknown_places_may_be_allowed(config: Path) -> None:
    async with asking(application(config, ALLOW)) as client:
        for folder in ("paid", "open"):
            for address, status in ((NOWHERE, 200), (BANGLADESH, 451)):
                answer = await client.get(f"/v1/play/{folder}/film.m3u8", headers=at(address))
                assert status == answer.status_code


@pytest.mark.parametrize("folder", ["paid", "open"])
async def test_a_viewer_who_leaves(
    app: Application, client: httpx.AsyncClient, folder: str
) -> None:
    """The next refresh is 451. Steering is 200, and signs nothing any more."""
    first = await client.get(f"/v1/play/{folder}/film.mpd", headers=at(NORWAY))
    again, steering = location(first.text), steering_url(first.text)
    for address, status in ((NORWAY, 200), (BANGLADESH, 451), (NORWAY, 200)):
        headers = {"X-Forwarded-For": address}
        assert status == (await client.get(again, headers=headers)).status_code
        assert 200 == (await client.get(steering, headers=headers)).status_code
        sender = app.gateway.runtime.clients.sender(address, Headers({}))
        grant = parse_qs(urlsplit(again).query).get("grant", [""])[0]
        given = (app.gateway, f"{folder}/film", None, grant, sender, Headers({}), time())
        assert carried_on(*given).renews is (status == 200)


async def test_operators_see_it(client: httpx.AsyncClient) -> None:
    for folder, address, told in (
        *(("open", NORWAY, False), ("open", BANGLADESH, True)),
        *(("paid", BANGLADESH, True), ("other", BANGLADESH, False)),
    ):
        headers = {"X-Forwarded-For": address}
        answer = await client.get(f"{OPERATORS}/v1/play/{folder}/film", headers=headers)
        assert 200 == answer.status_code
        assert told is any("not licensed here" in one for one in answer.json()["reasons"])


async def test_class_manifests_of_licensed_titles(config: Path) -> None:
    """There are none, unless the CDN in front enforces countries."""
    environ = {"GATEWAY_RULES": "[]", **SHARED}
    shared = application(config, {**environ, "GATEWAY_TOKENS__CLASS_MANIFESTS": "true"})
    async with asking(shared) as client:
        url = location((await client.get("/v1/play/open/film.mpd", headers=at(NORWAY))).text)
        path = urlsplit(url).path
        assert path.startswith("/v1/class/")
        assert 200 == (await client.get(path)).status_code
    strict = application(config, environ)
    strict.gateway.keys = shared.gateway.keys
    async with asking(strict) as client:
        for folder, kind in (("open", "play"), ("open/all", "class")):
            answer = await client.get(f"/v1/play/{folder}/film.mpd", headers=at(NORWAY))
            assert f"/v1/{kind}/" in location(answer.text)
        answer = await client.get(path)
        assert (403, "no-store") == (answer.status_code, answer.headers["cache-control"])
        assert answer.json()["type"].endswith(":no-class-manifests")
