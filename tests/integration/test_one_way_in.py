"""Every request passes through the envelope, also when an equal one was answered before."""

import json
from typing import NoReturn

import pytest
from prometheus_client import REGISTRY
from starlette.types import Scope

from gateway.app import Application
from gateway.http import admission, routes
from gateway.listener import OPERATORS, PLAYERS, Listener
from gateway.observe import metrics
from gateway.play import problems
from gateway.play.runtime import Gateway
from tests.integration.in_process import application, ask

PATHS = [
    ("GET", "/v1/play/film.m3u8"),
    ("HEAD", "/v1/play/film.m3u8"),
    ("GET", "/v1/play/film.mpd"),
    ("GET", "/v1/play/film"),
    ("POST", "/v1/decisions"),
    ("GET", "/v1/class/key/film.mpd"),
    ("GET", "/v1/steering/film"),
    ("POST", "/v1/cmcd"),
    ("GET", "/v1/probe"),
    ("GET", "/livez"),
    ("GET", "/readyz"),
    ("GET", "/openapi.json"),
    ("OPTIONS", "/v1/play/film.m3u8"),
    ("GET", "/nowhere"),
]
FOR_OPERATORS = [
    ("GET", "/v1/play/film"),
    ("HEAD", "/v1/play/film"),
    ("GET", "/v1/play/film.m3u8"),
    ("POST", "/v1/decisions"),
    ("GET", "/livez"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("GET", "/v1/sessions"),
    ("HEAD", "/v1/sessions/nobody"),
    ("GET", "/v1/activity"),
    ("GET", "/v1/edges"),
    ("POST", "/v1/edges/one/drain"),
    ("POST", "/v1/purge"),
    ("GET", "/v1/steer"),
    ("DELETE", "/v1/steer/one"),
    ("POST", "/v1/revocations"),
    ("DELETE", "/v1/revocations/one"),
    ("GET", "/v1/config"),
    ("POST", "/v1/config/reload"),
    ("GET", "/v1/audit"),
    ("GET", "/v1/sign-in"),
    ("GET", "/v1/sign-in/callback"),
    ("POST", "/v1/sign-out"),
    ("GET", "/openapi.json"),
    ("OPTIONS", "/v1/play/film"),
    ("GET", "/nowhere"),
]
EVERY: list[tuple[Listener, str, str]] = [
    *((PLAYERS, method, path) for method, path in PATHS),
    *((OPERATORS, method, path) for method, path in FOR_OPERATORS),
]


@pytest.fixture(scope="module")
def app() -> Application:
    """The shipped defaults, without a socket."""
    return application()


async def ask_one(
    app: Application, method: str, path: str, listener: Listener = PLAYERS
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of one request, which has an id and a body."""
    status, headers, body = await ask(
        app if listener == PLAYERS else app.operators,
        path,
        headers=[(b"host", b"127.0.0.1:8090"), (b"x-request-id", b"my-id")],
        method=method,
        peer="129.240.2.6",
        body=b'{"assets": ["film"]}',
    )
    return status, dict(headers), body


@pytest.fixture
def fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that raises an unexpected exception."""

    def fail(gateway: Gateway, scope: Scope) -> NoReturn:
        raise RuntimeError("the secret inside")

    monkeypatch.setattr(admission, "CHECKS", {PLAYERS: [fail], OPERATORS: [fail]})


def counted(listener: Listener, path: str, status: int) -> float:
    """The counted answers of that route and status."""
    label = routes.label_of(routes.TABLES[listener].find(path), path)
    labels = {"route": label, "status": str(status)}
    metrics.exposition()
    return REGISTRY.get_sample_value("gateway_requests_total", labels) or 0.0


@pytest.mark.parametrize(("listener", "method", "path"), EVERY)
@pytest.mark.usefixtures("fault")
async def test_a_fault_on_the_way_is_told_alike_by_every_route(
    app: Application, listener: Listener, method: str, path: str
) -> None:
    """500 as a problem, with the request id and, for players, CORS headers. It is counted, and has
    no internal details. Without the envelope's ``try`` every one of these fails."""
    before = counted(listener, path, 500)
    status, headers, body = await ask_one(app, method, path, listener)
    assert (500, "application/problem+json") == (status, headers["content-type"])
    allowed = "*" if listener == PLAYERS else None
    assert "my-id" == headers["x-request-id"]
    assert allowed == headers.get("access-control-allow-origin")
    assert "urn:problem:streaming-gateway:internal" == json.loads(body)["type"]
    assert b"secret" not in body
    assert before + 1 == counted(listener, path, 500)


async def test_a_check_holds_for_the_thousandth_equal_request(
    app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that a check now refuses is refused, even if an equal one was answered before."""
    for _ in range(1000):
        assert 200 == (await ask_one(app, "GET", "/v1/play/film.m3u8"))[0]

    def refuse(gateway: Gateway, scope: Scope) -> NoReturn:
        raise problems.Problem(403, "not-yours", "Not yours", "no")

    monkeypatch.setitem(admission.CHECKS, PLAYERS, [*admission.CHECKS[PLAYERS], refuse])
    for _ in range(1000):
        assert 403 == (await ask_one(app, "GET", "/v1/play/film.m3u8"))[0]


async def test_every_request_is_admitted_once(
    app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each route's requests run the checks exactly once."""
    seen: list[tuple[Listener, str, str]] = []

    def noting(listener: Listener) -> admission.Check:
        def note(gateway: Gateway, scope: Scope) -> None:
            seen.append((listener, scope["method"], scope["path"]))

        return note

    for listener in routes.TABLES:
        monkeypatch.setitem(admission.CHECKS, listener, [noting(listener)])
    for listener, method, path in EVERY:
        await ask_one(app, method, path, listener)
    assert seen == EVERY


def test_every_route_is_on_the_list() -> None:
    """The lists above cover every route, so a new route must be added."""
    found = [routes.TABLES[listener].find(path) for listener, _, path in EVERY]
    assert set(routes.ROUTES) == {route for route in found if route is not None}
