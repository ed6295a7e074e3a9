"""People sign in by an OpenID provider: a real one on loopback, and the gateway in this process."""

import asyncio
import json
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from aiohttp import web
from joserfc.jwk import RSAKey

from gateway.app import Application
from gateway.operators.oidc_provider import REFRESH_S, Client, OidcProvider, ProviderError
from tests.attack.provider import KEY_ID, Provider
from tests.integration.in_process import OPERATORS, application, asking
from tests.ports import free_port
from tests.unit.store.servers import until

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the provider uses what its own library will drop
    import oidc_provider_mock

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

CALLBACK = f"{OPERATORS}/v1/sign-in/callback"
CSRF = {"X-Gateway-Csrf": "1"}


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """A provider with two people."""
    with oidc_provider_mock.run_server_in_thread() as server:
        url = f"http://localhost:{server.server_port}"
        for name, roles in (("ada", ["ops"]), ("bob", [])):
            httpx.put(f"{url}/users/{name}", json={"roles": roles}).raise_for_status()
        yield url


@pytest.fixture
def app(issuer: str, tmp_path: Path) -> Application:
    """A gateway whose operators sign in there."""
    return application(configured(tmp_path, issuer))


def configured(tmp_path: Path, issuer: str) -> Path:
    """A config with the provider."""
    path = tmp_path / "gateway.toml"
    path.write_text(
        f"""
        [admin]
        sign_in = true
        [admin.oidc]
        issuer = "{issuer}"
        client_id = "gateway"
        client_secret = "a-secret"
        roles = {{ ops = "operator" }}
        redirect_url = "{CALLBACK}"
        """
    )
    return path


@pytest.fixture
async def browser(app: Application) -> AsyncIterator[httpx.AsyncClient]:
    """A browser, with its cookies."""
    async with asking(app, "192.0.2.1") as found:
        yield found


async def began(browser: httpx.AsyncClient, issuer: str, who: str) -> str:
    """Begin to sign in, and say yes at the provider: where it sends the browser."""
    answer = await browser.get(f"{OPERATORS}/v1/sign-in?return_to=/console")
    assert 302 == answer.status_code, answer.text
    url = answer.headers["location"]
    query = parse_qs(urlsplit(url).query)
    assert url.startswith(f"{issuer}/oauth2/authorize?")
    assert (["S256"], [CALLBACK]) == (query["code_challenge_method"], query["redirect_uri"])
    cookie = answer.headers["set-cookie"]
    assert all(part in cookie for part in ("HttpOnly", "SameSite=Lax", "Path=/"))
    async with httpx.AsyncClient() as outside:
        granted = await outside.post(url, data={"sub": who})
    assert 302 == granted.status_code, granted.text
    location: str = granted.headers["location"]
    return location


async def test_a_person_signs_in_acts_and_signs_out(
    app: Application, browser: httpx.AsyncClient, issuer: str
) -> None:
    """By cookie; a write needs a header that pages of others cannot send."""
    answer = await browser.get(await began(browser, issuer, "ada"))
    assert (302, "/console") == (answer.status_code, answer.headers["location"])
    assert 200 == (await browser.get(f"{OPERATORS}/v1/edges")).status_code
    purge = f"{OPERATORS}/v1/purge"
    refused = await browser.post(purge, json={"asset": "film"})
    assert (403, "urn:problem:streaming-gateway:no-csrf-header") == (
        refused.status_code,
        refused.json()["type"],
    )
    # The store is this process's memory, in which nothing can be purged: the role suffices.
    allowed = await browser.post(purge, json={"asset": "film"}, headers=CSRF)
    assert "urn:problem:streaming-gateway:switched-off" == allowed.json()["type"]
    assert 403 == (await browser.get(f"{OPERATORS}/v1/audit")).status_code
    assert 403 == (await browser.post(f"{OPERATORS}/v1/sign-out")).status_code
    [entry], _ = await app.gateway.audit.newest(None, 1)
    assert ("POST /v1/sign-out", "no-csrf-header") == (entry["target"], entry["reason"])
    assert 204 == (await browser.post(f"{OPERATORS}/v1/sign-out", headers=CSRF)).status_code
    assert 401 == (await browser.get(f"{OPERATORS}/v1/edges")).status_code


async def test_who_is_not_let_in(app: Application, browser: httpx.AsyncClient, issuer: str) -> None:
    """Nobody without a role, without the flow of this browser, or twice with one code."""
    location = await began(browser, issuer, "bob")
    answer = await browser.get(location)
    assert (401, "the claim roles has no value to which a role belongs") == (
        answer.status_code,
        answer.json()["detail"],
    )
    location = await began(browser, issuer, "ada")
    async with asking(app, "192.0.2.2") as other:
        assert 401 == (await other.get(location)).status_code
    forged = location.replace("state=", "state=x")
    assert 401 == (await browser.get(forged)).status_code
    for wrong in (f"{issuer}/", "https://evil.example.com"):
        mixed = await browser.get(f"{location}&iss={wrong}")
        assert (401, "another provider has sent this browser back") == (
            mixed.status_code,
            mixed.json()["detail"],
        )
    denied = await browser.get(f"{forged.partition('?')[0]}?error=access_denied&state=x")
    assert 401 == denied.status_code
    flow = browser.cookies["gateway-sign-in"]
    assert 302 == (await browser.get(f"{location}&iss={issuer}")).status_code
    assert 401 == (await browser.get(location)).status_code
    browser.cookies.set("gateway-sign-in", flow)
    again = await browser.get(location)
    assert (401, "the provider does not accept the code: begin again") == (
        again.status_code,
        again.json()["detail"],
    )
    entries, _ = await app.gateway.audit.newest(None, 50)
    assert {("bob", "no-role"), ("", "no-flow")} <= {
        (each["who"], each["reason"]) for each in entries
    }
    assert "ada" in {each["who"] for each in entries if each["action"] == "sign-in"}


@pytest.mark.parametrize("path", ["//evil.example.com", "https://evil.example.com", "x"])
async def test_a_browser_returns_to_this_listener_alone(
    browser: httpx.AsyncClient, path: str
) -> None:
    answer = await browser.get(f"{OPERATORS}/v1/sign-in", params={"return_to": path})
    assert 400 == answer.status_code


async def id_token(issuer: str, who: str) -> str:
    """An ID token, as a program gets one by itself."""
    query = {
        "response_type": "code",
        "client_id": "gateway",
        "redirect_uri": CALLBACK,
        "scope": "openid",
        "state": "s",
        "nonce": who,
    }
    async with httpx.AsyncClient() as outside:
        granted = await outside.post(f"{issuer}/oauth2/authorize", params=query, data={"sub": who})
        code = parse_qs(urlsplit(granted.headers["location"]).query)["code"][0]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
        answer = await outside.post(
            f"{issuer}/oauth2/token", data=form, auth=("gateway", "a-secret")
        )
    found: str = answer.json()["id_token"]
    return found


async def test_bearer_tokens_are_accepted_while_the_provider_is_known(
    browser: httpx.AsyncClient, issuer: str
) -> None:
    """A token of somebody without a role is refused; one that was changed, as well."""
    token = await id_token(issuer, "ada")
    url = f"{OPERATORS}/v1/edges"
    for text, status in ((token, 200), (token[:-4] + "AAAA", 401), ("a.b.c", 401)):
        answer = await browser.get(url, headers={"Authorization": f"Bearer {text}"})
        assert (text, status) == (text, answer.status_code)
    nobody = {"Authorization": f"Bearer {await id_token(issuer, 'bob')}"}
    assert 401 == (await browser.get(url, headers=nobody)).status_code


async def test_without_the_provider_nobody_new_signs_in(tmp_path: Path) -> None:
    """503 with the reason; who has signed in stays so, until the session ends."""
    with oidc_provider_mock.run_server_in_thread() as server:
        gone = f"http://localhost:{server.server_port}"
        async with httpx.AsyncClient() as outside:
            await outside.put(f"{gone}/users/ada", json={"roles": ["ops"]})
        known = application(configured(tmp_path, gone))
        async with asking(known, "192.0.2.3") as browser:
            await browser.get(await began(browser, gone, "ada"))
            location = await began(browser, gone, "ada")
            token = await id_token(gone, "ada")
            session = dict(browser.cookies)
    never = application(configured(tmp_path, gone))
    bearer = {"Authorization": f"Bearer {token}"}
    async with asking(known, "192.0.2.3") as browser, asking(never, "192.0.2.4") as other:
        browser.cookies.update(session)
        assert 200 == (await browser.get(f"{OPERATORS}/v1/edges")).status_code
        assert 503 == (await browser.get(location)).status_code
        assert 200 == (await browser.get(f"{OPERATORS}/v1/edges", headers=bearer)).status_code
        for path, headers in (("/v1/sign-in", {}), ("/v1/edges", bearer)):
            answer = await other.get(f"{OPERATORS}{path}", headers=headers)
            assert (503, True) == (answer.status_code, "provider" in answer.json()["detail"])
            assert "10" == answer.headers["retry-after"]


class PausedProvider(Provider):
    """One whose keys are not to be had while it is paused."""

    def __init__(self) -> None:
        super().__init__(free_port(), CALLBACK)
        self.answers = asyncio.Event()
        self.answers.set()
        self.asked = 0

    async def _jwks(self, request: web.Request) -> web.Response:
        self.asked += 1
        await self.answers.wait()
        return await super()._jwks(request)


async def test_a_silent_provider_holds_up_only_who_needs_it() -> None:
    """It is asked for old keys, or for an unknown one, while tokens with known keys are verified
    after a second. Who needs the unknown one waits, and all of them for one answer."""
    now_s = 0.0
    provider = PausedProvider()
    found = OidcProvider(Client(provider.issuer, "gateway", None, CALLBACK), lambda: now_s)
    async with provider.running():
        assert {KEY_ID} == (await found.keys(KEY_ID)).ids
        provider.answers.clear()
        now_s = REFRESH_S + 1
        assert {KEY_ID} == (await asyncio.wait_for(found.keys(KEY_ID), 2)).ids
        waiting = [asyncio.create_task(found.keys("unknown")) for _ in range(2)]
        await until(lambda: provider.asked == 2)
        assert {KEY_ID} == (await asyncio.wait_for(found.keys(KEY_ID), 2)).ids
        assert not any(each.done() for each in waiting)
        provider.answers.set()
        for each in waiting:
            assert {KEY_ID} == (await each).ids
        assert 2 == provider.asked


async def test_a_key_that_was_replaced_counts_no_longer() -> None:
    """Keys that are old are fetched before one of them is used, if the provider answers."""
    now_s = 0.0
    provider = PausedProvider()
    found = OidcProvider(Client(provider.issuer, "gateway", None, CALLBACK), lambda: now_s)
    async with provider.running():
        await found.keys(KEY_ID)
        provider.key = RSAKey.generate_key(2048, {"kid": "new"})
        now_s = REFRESH_S + 1
        assert {"new"} == (await found.keys(KEY_ID)).ids


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("has no key"), "the provider's set of keys has no key"),
        (TypeError("odd"), r"the provider's set of keys cannot be read \(TypeError\)"),
    ],
)
async def test_keys_that_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    """Whatever a library raises for them is a reason. Keys that are known stay."""
    now_s = 0.0
    provider = PausedProvider()
    known, new = (
        OidcProvider(Client(provider.issuer, "gateway", None, CALLBACK), lambda: now_s)
        for _ in range(2)
    )

    def unreadable(_: object) -> None:
        raise error

    async with provider.running():
        await known.keys(KEY_ID)
        monkeypatch.setattr("gateway.operators.oidc_provider.key_set_of", unreadable)
        now_s = REFRESH_S + 1
        assert {KEY_ID} == (await known.keys("unknown")).ids
        with pytest.raises(ProviderError, match=reason):
            await new.keys(KEY_ID)


async def test_without_a_provider_there_is_no_such_sign_in() -> None:
    async with asking(application()) as client:
        for method, path in (("GET", ""), ("GET", "/callback")):
            answer = await client.request(method, f"{OPERATORS}/v1/sign-in{path}")
            assert "switched-off" in json.dumps(answer.json())
