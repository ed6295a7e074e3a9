"""Two listeners: what players are answered, what operators are, and that neither can shut out the
other. Over real sockets."""

import contextlib
import json
import os
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from gateway.config.load import load
from gateway.config.problem import ConfigError
from gateway.http.routes import ROUTES, TABLES
from gateway.listener import OPERATORS, PLAYERS, Listener
from tests.integration.asking import ask_raw
from tests.integration.processes import children
from tests.integration.reading_metrics import metric
from tests.integration.running import RunningGateway, running_gateway
from tests.integration.test_cli import process
from tests.integration.viewers import until

VIEWER = {"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)"}
BATCH = {"assets": ["film"]}
MEMORY = {"GATEWAY_STORE__URL": "memory"}
CORS = ("access-control-allow-origin", "access-control-expose-headers", "timing-allow-origin")


def port_of(url: str) -> int:
    """The port of a listener."""
    port = urlsplit(url).port
    assert port is not None
    return port


# ── what each of them answers ───────────────────────────────────────────────────────────────────

ANSWERS = [
    ("GET", "/livez", 200, 200),
    ("GET", "/readyz", 200, 200),
    ("GET", "/openapi.json", 200, 200),
    ("GET", "/v1/play/film", 200, 200),
    ("GET", "/v1/play/film.m3u8", 200, 404),
    ("HEAD", "/v1/play/film.m3u8", 200, 404),
    ("GET", "/v1/play/film.mpd", 404, 404),
    ("GET", "/metrics", 404, 200),
    ("HEAD", "/metrics", 404, 200),
    ("POST", "/metrics", 404, 405),
    ("POST", "/v1/decisions", 200, 200),
    ("GET", "/v1/sessions", 404, 200),
    ("HEAD", "/v1/sessions", 404, 200),
    ("GET", "/v1/sessions/nobody", 404, 404),
    ("GET", "/v1/activity", 404, 404),  # the shipped config has no stream of events
    ("POST", "/v1/activity", 404, 405),
    ("OPTIONS", "/v1/play/film", 204, 405),
    ("OPTIONS", "/metrics", 404, 405),
]


@pytest.mark.parametrize(("method", "path", "for_players", "for_operators"), ANSWERS)
def test_what_each_listener_answers(
    default_gateway: RunningGateway, method: str, path: str, for_players: int, for_operators: int
) -> None:
    """The status on the players' listener, and on the operators'."""
    content = json.dumps(BATCH) if method == "POST" else None
    found = [
        httpx.request(method, f"{url}{path}", content=content).status_code
        for url in (default_gateway.url, default_gateway.admin_url)
    ]
    assert [for_players, for_operators] == found


def test_players_learn_from_readyz_its_status_alone(default_gateway: RunningGateway) -> None:
    """No body for players; each part by its name for operators."""
    bare = httpx.get(f"{default_gateway.url}/readyz")
    assert (200, b"", "0") == (bare.status_code, bare.content, bare.headers["Content-Length"])
    ready = httpx.get(f"{default_gateway.admin_url}/readyz").json()
    assert "ready" == ready["status"]
    parts = {"config", "source", "manifests", "redis", "edges", "tasks", "geo_place"}
    assert parts == set(ready["checks"])


def test_an_unready_gateway_says_so_on_both(tmp_path: Path) -> None:
    """503 from an origin that nobody listens at: without a body for players."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    config = tmp_path / "gateway.toml"
    config.write_text(
        f'[source]\nkind = "origin"\nurl = "http://127.0.0.1:{port}/"\n'
        '[[edges]]\nid = "one"\nurl = "https://one.example/"\nfallback = true\n'
    )
    with running_gateway(config, environ=MEMORY) as gateway:
        httpx.get(f"{gateway.url}/v1/play/film.m3u8")
        until(lambda: httpx.get(f"{gateway.url}/readyz").status_code == 503)
        bare = httpx.get(f"{gateway.url}/readyz", headers={"Origin": "https://tv.example"})
        assert (503, b"") == (bare.status_code, bare.content)
        assert "*" == bare.headers["Access-Control-Allow-Origin"]
        detail = httpx.get(f"{gateway.admin_url}/readyz")
        assert (503, "unready") == (detail.status_code, detail.json()["status"])


def test_reasons_are_for_operators(default_gateway: RunningGateway) -> None:
    """A player gets none, not even with ``fields``; apart from them the decisions are equal, and
    their URLs are for players."""
    query = "?speed=4000&session=reasons"
    mine = httpx.get(f"{default_gateway.url}/v1/play/film{query}", headers=VIEWER).json()
    shown = httpx.get(f"{default_gateway.admin_url}/v1/play/film{query}", headers=VIEWER).json()
    reasons = shown.pop("reasons")
    assert len(reasons) > 5
    assert all(re.fullmatch(r"[a-z]+: .+ \[[a-z0-9-]+\]", text) for text in reasons)
    assert mine == shown
    refused = httpx.get(f"{default_gateway.url}/v1/play/film?fields=asset,reasons")
    assert (400, "fields") == (refused.status_code, refused.json()["parameter"])
    assert "reasons" not in refused.json()["detail"].rpartition("allowed: ")[2]
    selected = httpx.get(f"{default_gateway.admin_url}/v1/play/film?fields=asset,reasons")
    assert {"asset", "reasons"} == set(selected.json())


def test_a_batch_has_reasons_for_operators(default_gateway: RunningGateway) -> None:
    """As a single decision."""
    mine, shown = (
        httpx.post(f"{url}/v1/decisions", json=BATCH, headers=VIEWER).json()["decisions"][0]
        for url in (default_gateway.url, default_gateway.admin_url)
    )
    assert shown.pop("reasons")
    assert mine == shown


def test_reasons_for_players_and_the_batch_are_switches(tmp_path: Path) -> None:
    """``server.show_reasons`` and ``server.decisions_on``, without a restart."""
    config = tmp_path / "gateway.toml"
    config.write_text("[server]\nshow_reasons = true\ndecisions_on = []\n")
    with running_gateway(config, environ=MEMORY) as gateway:
        urls = gateway.url, gateway.admin_url
        assert httpx.get(f"{gateway.url}/v1/play/film?fields=reasons").json()["reasons"]
        off = [httpx.post(f"{url}/v1/decisions", json=BATCH).status_code for url in urls]
        assert [404, 404] == off
        assert 404 == httpx.get(f"{gateway.url}/v1/decisions").status_code
        assert all("/v1/decisions" not in document(url)["paths"] for url in urls)
        assert "reasons" in str(document(gateway.url))
        config.write_text('[server]\nshow_reasons = false\ndecisions_on = ["operators"]\n')
        gateway.wait_for("config_reloaded")
        assert "reasons" not in httpx.get(f"{gateway.url}/v1/play/film").json()
        on = [httpx.post(f"{url}/v1/decisions", json=BATCH).status_code for url in urls]
        assert [404, 200] == on


def document(url: str) -> dict[str, Any]:
    """The OpenAPI document of a listener."""
    found: dict[str, Any] = httpx.get(f"{url}/openapi.json").json()
    return found


def test_each_listener_describes_its_own_routes(default_gateway: RunningGateway) -> None:
    """Every described path and method is on that listener, and every route is described."""
    urls: dict[Listener, str] = {
        PLAYERS: default_gateway.url,
        OPERATORS: default_gateway.admin_url,
    }
    for listener, url in urls.items():
        described = set()
        for path, item in document(url)["paths"].items():
            route = TABLES[listener].find(path.replace("{asset}", "film"))
            assert route is not None, (listener, path)
            methods = {method.upper() for method in item if method != "parameters"}
            assert methods <= set(route.methods)
            described.add(route)
        assert {route for route in ROUTES if listener in route.listeners} == described
    assert "reasons" not in str(document(default_gateway.url))
    assert "reasons" in str(document(default_gateway.admin_url))


# ── web pages stay out ──────────────────────────────────────────────────────────────────────────

HOSTS = [
    ("127.0.0.1:8090", 200),
    ("[::1]:8090", 200),
    ("10.1.2.3", 200),
    ("localhost:8090", 200),
    ("LOCALHOST.", 200),
    ("gw.localhost:1", 200),
    ("gw.internal:8090", 200),
    ("GW.Internal.", 200),
    ("evil.example", 421),
    ("evil.example:8090", 421),
    ("gw.internal.evil.example", 421),
    ("127.0.0.1.evil.example", 421),
    ("localhost.evil.example", 421),
    ("1.2.3.4.5", 421),
]


@pytest.fixture(scope="module")
def guarded() -> Iterator[RunningGateway]:
    """A gateway that operators know by a name."""
    environ = {
        **MEMORY,
        "GATEWAY_ADMIN__ALLOWED_HOSTS": '["gw.internal"]',
        "GATEWAY_SERVER__ALLOWED_HOSTS": '["Play.Internal."]',
        "GATEWAY_SERVER__PUBLIC_URL": "https://public.internal:8443/",
    }
    with running_gateway(None, environ=environ) as gateway:
        yield gateway


@pytest.mark.parametrize(("host", "status"), HOSTS)
def test_a_name_that_nobody_configured_is_refused(
    guarded: RunningGateway, host: str, status: int
) -> None:
    """Against DNS rebinding: a page's own name may resolve to the operators' address, but it is
    still the name in Host. Liveness for players is answered under any name."""
    request = f"GET /livez HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    assert status == ask_raw(guarded.admin_url, request).status
    assert 200 == ask_raw(guarded.url, request).status
    if status == 421:
        told = json.loads(ask_raw(guarded.admin_url, request).body)
        assert "urn:problem:streaming-gateway:unknown-host" == told["type"]
        assert host in told["detail"]


PLAYERS_HOSTS = [
    ("play.internal", 200),
    ("PLAY.internal.:8080", 200),
    ("public.internal", 200),
    ("localhost:8080", 200),
    ("192.0.2.1", 200),
    ("gw.internal", 421),
    ("evil.example", 421),
    ("play.internal.evil.example", 421),
    ("", 421),
    (":80", 421),
]


@pytest.mark.parametrize(("host", "status"), PLAYERS_HOSTS)
def test_players_hosts(guarded: RunningGateway, host: str, status: int) -> None:
    """With a list, players are answered under its names alone; load balancers under any."""
    for path, expected in (("/v1/play/film", status), ("/readyz", 200)):
        request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
        assert expected == ask_raw(guarded.url, request).status
    if status == 421:
        request = (
            f"GET /v1/play/film HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
        )
        told = ask_raw(guarded.url, request)
        assert b"server.allowed_hosts may list it" in told.body


def test_no_browser_takes_a_problem_for_a_page(default_gateway: RunningGateway) -> None:
    """It names the path that was asked for. Both listeners say so, once."""
    for url in (default_gateway.url, default_gateway.admin_url):
        answer = httpx.get(f"{url}/<script>")
        assert 404 == answer.status_code
        assert "nosniff" == answer.headers["X-Content-Type-Options"]


def test_without_a_list_players_may_use_any_name(default_gateway: RunningGateway) -> None:
    """As shipped. What a proxy says of a host is never used."""
    request = (
        b"GET /v1/play/film HTTP/1.1\r\nHost: any.example\r\nX-Forwarded-Host: evil.example\r\n"
        b"Forwarded: host=evil.example\r\nConnection: close\r\n\r\n"
    )
    found = json.loads(ask_raw(default_gateway.url, request).body)
    assert found["manifest_url"].startswith("http://any.example/")


def test_without_host_it_is_no_browser(guarded: RunningGateway) -> None:
    """HTTP/1.0 clients, such as probes of load balancers, may leave it out."""
    assert 200 == ask_raw(guarded.admin_url, b"GET /livez HTTP/1.0\r\n\r\n").status


ORIGINS = [
    (None, 200),
    ("http://{host}", 200),
    ("https://player.example", 403),
    ("http://localhost:3000", 403),
    ("http://{host}.evil.example", 403),
    ("null", 403),
    ("", 403),
]


@pytest.mark.parametrize("path", ["/metrics", "/readyz", "/v1/play/film"])
@pytest.mark.parametrize(("origin", "status"), ORIGINS)
def test_a_page_of_another_origin_is_refused(
    guarded: RunningGateway, path: str, origin: str | None, status: int
) -> None:
    """And no answer has a CORS header, nor may a page embed it."""
    host = urlsplit(guarded.admin_url).netloc
    headers = {} if origin is None else {"Origin": origin.format(host=host)}
    answer = httpx.get(f"{guarded.admin_url}{path}", headers=headers)
    assert status == answer.status_code
    assert [] == [name for name in CORS if name in answer.headers]
    assert "same-origin" == answer.headers["Cross-Origin-Resource-Policy"]
    assert "nosniff" == answer.headers["X-Content-Type-Options"]


# ── the process ─────────────────────────────────────────────────────────────────────────────────


def test_exhausted_connections_of_players_leave_the_operators_theirs() -> None:
    """Players' connections are all taken, by number and by address: operators are answered, and
    read about it. The other way round as well."""
    environ = {
        **MEMORY,
        "GATEWAY_LIMITS__MAX_CONNECTIONS": "5",
        "GATEWAY_ADMIN__MAX_CONNECTIONS": "3",
    }
    with running_gateway(None, environ=environ) as gateway, contextlib.ExitStack() as stack:
        players = ("127.0.0.1", port_of(gateway.url))
        for _ in range(8):
            stack.enter_context(socket.create_connection(players, timeout=5))
        gateway.wait_for("connections_refused")
        refused = 'gateway_connection_refusals_total{listener="players",reason="max-connections"}'
        until(lambda: metric(gateway.admin_url, refused) == 3)
        assert 5 == metric(gateway.admin_url, 'gateway_connections{listener="players"}')
        assert 1 == metric(gateway.admin_url, 'gateway_connections{listener="operators"}')
        stack.close()
        operators = ("127.0.0.1", port_of(gateway.admin_url))
        for _ in range(5):
            stack.enter_context(socket.create_connection(operators, timeout=5))
        gateway.wait_for("connections_refused", 2)
        assert [("players", 5), ("operators", 3)] == [
            (line["listener"], line["limit"]) for line in gateway.lines("connections_refused")
        ]
        until(lambda: httpx.get(f"{gateway.url}/v1/play/film.m3u8").status_code == 200)


def test_exhausted_file_descriptors_leave_the_operators_theirs() -> None:
    """Players' connections fill what ``ulimit -n`` leaves without the operators'."""
    environ = {**MEMORY, "GATEWAY_ADMIN__MAX_CONNECTIONS": "200"}
    with running_gateway(None, environ=environ, open_files=512) as gateway:
        (reduced,) = gateway.wait_for("max_connections_reduced")
        room = int(str(reduced["possible"]))
        with contextlib.ExitStack() as stack:
            for _ in range(room + 20):
                address = ("127.0.0.1", port_of(gateway.url))
                stack.enter_context(socket.create_connection(address, timeout=5))
            gateway.wait_for("connections_refused")
            for _ in range(190):
                address = ("127.0.0.1", port_of(gateway.admin_url))
                stack.enter_context(socket.create_connection(address, timeout=5))
            assert "ready" == httpx.get(f"{gateway.admin_url}/readyz").json()["status"]
            assert [] == gateway.lines("out_of_file_descriptors")


def test_two_workers() -> None:
    """Both answer on both listeners, metrics add up, and a worker that is replaced answers again.
    The URLs for players are right though the port is any free one."""
    with running_gateway(None, "--workers", "2") as gateway:
        gateway.wait_for("started", 2)
        for number in range(20):
            fresh = httpx.get(f"{gateway.url}/v1/play/{number}", headers={"Connection": "close"})
            assert 200 == fresh.status_code
        counted = 'gateway_requests_total{route="play_json",status="200"}'
        assert 20 == metric(gateway.admin_url, counted)
        gateway.process.send_signal(signal.SIGHUP)
        gateway.wait_for("config_reloaded", 2)
        killed = children(gateway.process.pid)[0]
        os.kill(killed, signal.SIGKILL)
        gateway.wait_for("started", 3)
        found = {
            httpx.get(f"{gateway.admin_url}/v1/play/x").json()["manifest_url"] for _ in range(20)
        }
        assert {f"{gateway.url}/v1/play/x.m3u8"} == found


def test_a_stop_answers_operators_too() -> None:
    """A request that has arrived is answered, an idle connection of an operator delays nothing, and
    nobody listens any more."""
    with running_gateway(None, environ=MEMORY) as gateway:
        port = port_of(gateway.admin_url)
        with socket.create_connection(("127.0.0.1", port), timeout=15) as idle:
            idle.sendall(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            received = b""
            while not received.endswith(b"ok\n"):
                received += idle.recv(4096)
            gateway.signal(signal.SIGTERM)
            assert 0 == gateway.process.wait(15)
            assert b"" == idle.recv(4096)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)


def test_operators_can_have_no_listener() -> None:
    """``admin.enabled = false``: its port is not even looked at."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        environ = {
            **MEMORY,
            "GATEWAY_ADMIN__ENABLED": "false",
            "GATEWAY_ADMIN__PORT": str(taken.getsockname()[1]),
        }
        with running_gateway(None, environ=environ) as gateway:
            assert "" == gateway.admin_url
            assert 200 == httpx.get(f"{gateway.url}/v1/play/film.m3u8").status_code
            assert 404 == httpx.get(f"{gateway.url}/metrics").status_code


@pytest.mark.skipif(not socket.has_ipv6, reason="NOT RUN: no IPv6 here")
def test_ipv6() -> None:
    """An IPv6 address of its own; URLs for players name theirs."""
    environ = {**MEMORY, "GATEWAY_ADMIN__HOST": "::1", "GATEWAY_SERVER__HOST": "::"}
    with running_gateway(None, environ=environ) as gateway:
        assert gateway.admin_url.startswith("http://[::1]:")
        shown = httpx.get(f"{gateway.admin_url}/v1/play/film").json()
        port = port_of(gateway.url)
        assert f"http://[::1]:{port}/v1/play/film.m3u8" == shown["manifest_url"]


def test_a_port_in_use_names_its_key() -> None:
    """Exit code 1 and one line that says which key to change."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = process("serve", GATEWAY_SERVER__PORT="0", GATEWAY_ADMIN__PORT=str(port))
    assert (1, "") == (ended.returncode, ended.stdout)
    assert ended.stderr == (
        f"error: cannot listen on 127.0.0.1 port {port}: it is already in use; choose another "
        "(admin.port, GATEWAY_ADMIN__PORT; admin.enabled = false opens none)\n"
    )


def test_one_port_for_both_is_refused(tmp_path: Path) -> None:
    """By ``check``, with the key, unless operators have no listener or any port will do."""
    config = tmp_path / "gateway.toml"
    config.write_text("[admin]\nport = 8080\n")
    with pytest.raises(ConfigError) as refused:
        load(config, {})
    assert (
        "gateway.toml: admin.port: 8080 is also server.port; allowed: another port, or "
        "admin.enabled = false"
    ) == str(refused.value)
    load(config, {"GATEWAY_ADMIN__ENABLED": "false"})
    load(config, {"GATEWAY_ADMIN__PORT": "0", "GATEWAY_SERVER__PORT": "0"})


def test_what_of_admin_needs_a_restart_is_told(tmp_path: Path) -> None:
    """The address and the number of connections keep their running values; names take effect."""
    config = tmp_path / "gateway.toml"
    config.write_text("[admin]\nallowed_hosts = []\n")
    with running_gateway(config, environ=MEMORY) as gateway:
        named = b"GET /livez HTTP/1.1\r\nHost: gw.internal\r\nConnection: close\r\n\r\n"
        assert 421 == ask_raw(gateway.admin_url, named).status
        config.write_text(
            '[admin]\nhost = "::1"\nmax_connections = 7\nallowed_hosts = ["gw.internal"]\n'
        )
        (waiting,) = gateway.wait_for("config_waits_for_restart")
        assert {"admin.host", "admin.max_connections"} == set(waiting["keys"])
        until(lambda: ask_raw(gateway.admin_url, named).status == 200)
