"""Every request passes through the envelope, also when an equal one was answered before."""

import json
from typing import NoReturn

import pytest
from prometheus_client import REGISTRY
from starlette.types import Scope

from gateway.app import Application
from gateway.http import admission, routes
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
    ("GET", "/v1/steering/film"),
    ("POST", "/v1/cmcd"),
    ("GET", "/v1/probe"),
    ("GET", "/livez"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("GET", "/openapi.json"),
    ("OPTIONS", "/v1/play/film.m3u8"),
    ("GET", "/nowhere"),
]


@pytest.fixture(scope="module")
def app() -> Application:
    """The shipped defaults, without a socket."""
    return application()


async def ask_one(app: Application, method: str, path: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of one request, which has an id and a body."""
    status, headers, body = await ask(
        app,
        path,
        headers=[(b"x-request-id", b"my-id")],
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

    monkeypatch.setattr(admission, "CHECKS", [fail])


def counted(path: str, status: int) -> float:
    """The counted answers of that route and status."""
    label = routes.label_of(routes.find_route(path), path)
    labels = {"route": label, "status": str(status)}
    metrics.exposition()
    return REGISTRY.get_sample_value("gateway_requests_total", labels) or 0.0


@pytest.mark.parametrize(("method", "path"), PATHS)
@pytest.mark.usefixtures("fault")
async def test_a_fault_on_the_way_is_told_alike_by_every_route(
    app: Application, method: str, path: str
) -> None:
    """500 as a problem, with the request id and CORS headers, counted, and without internal
    details. Without the envelope's ``try`` every one of these fails."""
    before = counted(path, 500)
    status, headers, body = await ask_one(app, method, path)
    assert (500, "application/problem+json") == (status, headers["content-type"])
    assert ("my-id", "*") == (headers["x-request-id"], headers["access-control-allow-origin"])
    assert "urn:problem:streaming-gateway:internal" == json.loads(body)["type"]
    assert b"secret" not in body
    assert before + 1 == counted(path, 500)


async def test_a_check_holds_for_the_thousandth_equal_request(
    app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that a check now refuses is refused, even if an equal one was answered before."""
    for _ in range(1000):
        assert 200 == (await ask_one(app, "GET", "/v1/play/film.m3u8"))[0]

    def refuse(gateway: Gateway, scope: Scope) -> NoReturn:
        raise problems.Problem(403, "not-yours", "Not yours", "no")

    monkeypatch.setattr(admission, "CHECKS", [*admission.CHECKS, refuse])
    for _ in range(1000):
        assert 403 == (await ask_one(app, "GET", "/v1/play/film.m3u8"))[0]


async def test_every_request_is_admitted_once(
    app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each route's requests run the checks exactly once."""
    seen: list[tuple[str, str]] = []

    def note(gateway: Gateway, scope: Scope) -> None:
        seen.append((scope["method"], scope["path"]))

    monkeypatch.setattr(admission, "CHECKS", [note])
    for method, path in PATHS:
        await ask_one(app, method, path)
    assert seen == PATHS


def test_every_route_is_on_the_list() -> None:
    """The list above covers every route, so a new route must be added."""
    assert {route.path for route in routes.ROUTES} == {
        route.path for _, path in PATHS if (route := routes.find_route(path)) is not None
    }
