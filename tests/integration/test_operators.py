"""Operators sign in: what keys of each role and scope may do, and what is answered without one."""

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from gateway.app import Application
from gateway.http.routes import ROUTES
from gateway.listener import OPERATORS as OPERATORS_LISTENER
from gateway.trust.operators.api_key import key_hash, key_text
from tests.integration.commands import gateway
from tests.integration.in_process import OPERATORS, application, asking

NAMES = ("viewer", "operator", "admin", "prometheus", "old", "gone")
_addresses = itertools.count(1)
KEYS = {name: key_text(name, name.encode().ljust(32, b"-")) for name in NAMES}
MORE = {
    "prometheus": 'scopes = ["metrics"]',
    "old": 'expires = "2026-01-01T00:00:00Z"',
    "gone": 'status = "revoked"',
}


def config(tmp_path: Path, more: str = "") -> Path:
    """A config in which each role has a key."""
    tables = [
        f"""
        [[admin.keys]]
        id = "{name}"
        hash = "{key_hash(KEYS[name])}"
        role = "{name if name in ("operator", "admin") else "viewer"}"
        {MORE.get(name, "")}
        """
        for name in NAMES
    ]
    path = tmp_path / "gateway.toml"
    path.write_text("[admin]\nsign_in = true\n" + "".join(tables) + more)
    return path


def bearer(name: str) -> dict[str, str]:
    """The header that sends a key."""
    return {"Authorization": f"Bearer {KEYS[name]}"}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Application:
    """A gateway whose operators sign in. Its followers do not run."""
    return application(config(tmp_path_factory.mktemp("config")))


@pytest.fixture
async def client(app: Application) -> AsyncIterator[httpx.AsyncClient]:
    """A client at an address of its own."""
    async with asking(app, f"192.0.2.{next(_addresses)}") as found:
        yield found


async def ask(
    client: httpx.AsyncClient, path: str, headers: dict[str, str], method: str = "GET"
) -> httpx.Response:
    """Ask the operators' listener."""
    return await client.request(method, f"{OPERATORS}{path}", headers=headers)


@pytest.mark.parametrize(
    ("path", "name", "status"),
    [
        ("/livez", None, 200),
        ("/readyz", None, 200),
        ("/metrics", None, 401),
        ("/v1/play/film", None, 401),
        ("/openapi.json", None, 401),
        ("/nowhere", None, 404),
        ("/metrics", "viewer", 200),
        ("/v1/play/film", "viewer", 200),
        ("/metrics", "admin", 200),
        ("/metrics", "prometheus", 200),
        ("/v1/play/film", "prometheus", 403),
        ("/openapi.json", "prometheus", 403),
        ("/metrics", "old", 401),
        ("/metrics", "gone", 401),
        ("/livez", "gone", 401),
    ],
)
async def test_who_may_read_what(
    client: httpx.AsyncClient, path: str, name: str | None, status: int
) -> None:
    answer = await ask(client, path, {} if name is None else bearer(name))
    assert status == answer.status_code
    if status in (401, 403):
        assert answer.headers["www-authenticate"].startswith('Bearer realm="streaming-gateway"')


async def test_readyz_shows_its_body_to_those_who_sign_in(client: httpx.AsyncClient) -> None:
    """Kubernetes sees the status alone."""
    assert b"" == (await ask(client, "/readyz", {})).content
    shown = (await ask(client, "/readyz", bearer("prometheus"))).json()
    assert "checks" in shown


async def test_every_route_of_operators_needs_a_role_but_for_probes() -> None:
    """A new route is not open by accident."""
    found = {each.path for each in ROUTES if OPERATORS_LISTENER in each.listeners}
    open_to_all = {
        each.path for each in ROUTES if OPERATORS_LISTENER in each.listeners and not each.access
    }
    sign_in = {"/v1/sign-in", "/v1/sign-in/callback", "/v1/sign-out"}
    assert {"/livez", "/readyz"} | sign_in == open_to_all
    assert found > open_to_all


async def test_players_need_no_key(client: httpx.AsyncClient) -> None:
    """Sign-in is the operators' listener's alone."""
    assert 200 == (await client.get("/v1/play/film.m3u8")).status_code


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        ("Basic YTpi", "the scheme of Authorization is not Bearer"),
        ("Bearer", "the API key is not one of this gateway"),
        ("Bearer gwk_viewer_" + "a" * 52, "the API key is not one of this gateway"),
    ],
)
async def test_refusals_name_the_reason(client: httpx.AsyncClient, value: str, detail: str) -> None:
    answer = await ask(client, "/metrics", {"Authorization": value})
    assert (401, "urn:problem:streaming-gateway:bad-credential", detail) == (
        answer.status_code,
        answer.json()["type"],
        answer.json()["detail"],
    )
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_the_rate_of_failures_is_bounded_by_address(app: Application) -> None:
    """Ten at once; then 429, while others and requests without a credential get their answers."""
    wrong = {"Authorization": "Bearer gwk_viewer_" + "a" * 52}
    async with asking(app, "198.51.100.1") as one, asking(app, "198.51.100.2") as two:
        found = [(await ask(one, "/metrics", wrong)).status_code for _ in range(12)]
        assert [401] * 10 + [429] * 2 == found
        limited = await ask(one, "/metrics", bearer("viewer"))
        assert (429, True) == (limited.status_code, 1 <= int(limited.headers["retry-after"]) <= 5)
        assert 200 == (await ask(one, "/livez", {})).status_code
        shown = (await ask(two, "/metrics", bearer("viewer"))).text
    for outcome, least in (("refused", 10), ("limited", 3), ("allowed", 1)):
        name = f'gateway_operator_requests_total{{outcome="{outcome}"'
        [line] = [each for each in shown.splitlines() if each.startswith(name)]
        assert least <= float(line.rpartition(" ")[2])


def test_a_new_key_is_printed_once_and_accepted_by_the_check(tmp_path: Path) -> None:
    """The table below the key is what the config needs."""
    made = gateway(
        *("operator", "key", "--id", "ci", "--role", "operator"),
        *("--scope", "edges", "--scope", "purge", "--expires", "90d"),
    )
    text, _, table = made.stdout.partition("\n\n")
    assert text.startswith("gwk_ci_")
    assert f'hash = "{key_hash(text)}"' in table
    assert 'scopes = ["edges", "purge"]' in table
    path = tmp_path / "gateway.toml"
    path.write_text(f"[admin]\nsign_in = true\n{table}")
    assert 0 == gateway("check", "--strict", str(path)).exit_code


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--id", "CI"), "allowed are 1 to 32 lower-case letters"),
        (("--id", "ci", "--expires", "soon"), "neither a duration nor a time"),
        (("--id", "ci", "--expires", "2020-01-01T00:00Z"), "is over already"),
        (("--id", "ci", "--expires", "9999999d"), "neither a duration nor a time"),
    ],
)
def test_what_no_key_is_made_for(words: tuple[str, ...], said: str) -> None:
    ended = gateway("operator", "key", "--role", "viewer", *words)
    assert (1, "") == (ended.exit_code, ended.stdout)
    assert ended.stderr.startswith("error: --")
    assert said in ended.stderr


@pytest.mark.parametrize(
    ("text", "exit_code", "said"),
    [
        ("sign_in = true", 1, "lets nobody in"),
        ('host = "0.0.0.0"', 0, "lets other machines read"),
        ('host = "::1"', 0, ""),
        (
            '[[admin.keys]]\nid = "a"\nrole = "viewer"\nhash = "sha256:' + "0" * 64 + '"',
            0,
            "admin.keys: warning: is not used; admin.sign_in is false",
        ),
        (
            '[[admin.keys]]\nid = "a"\nrole = "root"\nexpires = "2027-01-01T00:00"',
            1,
            "has no zone",
        ),
        (
            f'[[admin.keys]]\nid = "a"\nrole = "admin"\nhash = "{KEYS["admin"]}"',
            1,
            "admin.keys[0].hash: (hidden) is an API key",
        ),
        (
            f'[[admin.keys]]\nid = "a"\nrole = "admin"\nhash = "{KEYS["admin"].upper()}"',
            1,
            "admin.keys[0].hash: (hidden) does not have the allowed form",
        ),
    ],
)
def test_what_the_check_says(tmp_path: Path, text: str, exit_code: int, said: str) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(f"[admin]\n{text}\n")
    ended = gateway("check", str(path))
    assert exit_code == ended.exit_code, ended.stderr
    assert said in ended.stderr
