"""The server as a process: signals, workers, draining, and what it costs to start."""

import os
import signal
import socket
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from gateway.serving.server import listen
from tests.integration.asking import ask_raw
from tests.integration.processes import children
from tests.integration.reading_metrics import metric
from tests.integration.running import RunningGateway, running_gateway
from tests.integration.viewers import Viewers, until

PLAYLIST = "/v1/play/film.m3u8"


@pytest.mark.parametrize(("workers", "number"), [("1", signal.SIGINT), ("4", signal.SIGTERM)])
def test_a_stop_under_load_drains(workers: str, number: signal.Signals) -> None:
    """Every accepted request is answered completely. An idle connection delays nothing. The exit
    code is 0, and the embedded store stops too."""
    with running_gateway(None, "--workers", workers, fresh=True) as gateway:
        parts = urlsplit(gateway.url)
        with socket.create_connection((parts.hostname, parts.port), timeout=15) as idle:
            idle.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            received = b""
            while not received.endswith(b"ok\n"):
                received += idle.recv(4096)
            gateway.wait_for("started", int(workers), timeout_s=30)
            with Viewers(gateway.url) as viewers:
                viewers.see()
                gateway.signal(number)
                code = gateway.process.wait(15)
            assert b"" == idle.recv(4096)
    assert (0, []) == (code, viewers.failures)
    assert [] == gateway.lines("not json")
    assert int(workers) == len(gateway.lines("stopped"))
    socket_of_the_store = str(gateway.lines("store_state")[0]["url"]).removeprefix("unix://")
    assert not Path(socket_of_the_store).exists()


def test_workers() -> None:
    """Two workers answer. When one is killed, the other continues and a new one starts. Metrics add
    up, SIGHUP to the parent reaches both, and when the parent is killed, both stop."""
    with running_gateway(None, "--workers", "2", fresh=True) as gateway:
        parent = gateway.process.pid
        gateway.wait_for("started", 2)
        before = children(parent)
        assert 2 == len(before)
        with httpx.Client(base_url=gateway.url, headers={"Connection": "close"}) as client:
            for number in range(40):
                assert 200 == client.get(f"/v1/play/title/{number}.m3u8").status_code
        url = gateway.admin_url
        assert 40 == metric(url, "gateway_decisions_total")
        assert 40 == metric(url, 'gateway_requests_total{route="play_hls",status="200"}')
        assert 1 == metric(url, "gateway_store_up")

        with Viewers(gateway.url) as viewers:
            viewers.see()
            os.kill(before[0], signal.SIGKILL)
            gateway.wait_for("started", 3, timeout_s=20)
            viewers.see()
        # What the killed one was about to say is lost with it, and nothing else.
        assert len(viewers.failures) <= 3, viewers.failures
        assert before[0] not in children(parent)
        assert 2 == len(children(parent))
        assert [before[0]] == [line["pid"] for line in gateway.lines("worker_replaced")]
        assert 100 <= metric(url, "gateway_decisions_total")  # the dead one's are not forgotten

        gateway.signal(signal.SIGHUP)
        gateway.wait_for("config_reloaded", 2)
        until(lambda: metric(url, 'gateway_config_reloads_total{outcome="ok"}') == 2)

        workers = children(parent)
        gateway.process.kill()
        until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))


def test_workers_that_are_replaced_leave_no_files(tmp_path: Path) -> None:
    """A new worker goes on counting in the files of the one before it. What holds while a worker
    lives ends with it."""
    with running_gateway(None, "--workers", "2", environ={"TMPDIR": str(tmp_path)}) as gateway:
        gateway.wait_for("started", 2)
        with httpx.Client(base_url=gateway.url, headers={"Connection": "close"}) as client:
            for number in range(20):
                assert 200 == client.get(f"/v1/play/title/{number}.m3u8").status_code

        def files() -> list[str]:
            return sorted(path.name for path in tmp_path.glob("gateway-metrics-*/*.db"))

        before = files()
        for count in range(1, 4):
            os.kill(children(gateway.process.pid)[0], signal.SIGKILL)
            gateway.wait_for("started", 2 + count)
        assert before == files()
        assert 20 == metric(gateway.admin_url, "gateway_decisions_total")
        assert 2 == metric(gateway.admin_url, "gateway_instance_workers")
        gateway.signal(signal.SIGTTOU)
        until(lambda: 1 == metric(gateway.admin_url, "gateway_instance_workers"))
        gateway.signal(signal.SIGTTIN)
        gateway.wait_for("started", 6)
        assert before == files()
        assert 20 == metric(gateway.admin_url, "gateway_decisions_total")


def test_a_request_head_is_bounded(default_gateway: RunningGateway) -> None:
    """A head of 64 KiB is accepted. 2,000 lines and an endless head are answered with 431."""
    request = b"GET " + PLAYLIST.encode() + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    large = ask_raw(default_gateway.url, request + b"User-Agent: " + b"x" * 65536 + b"\r\n\r\n")
    many = ask_raw(default_gateway.url, request + b"X-Forwarded-For: 1.2.3.4\r\n" * 2000 + b"\r\n")
    assert (200, 431) == (large.status, many.status)
    parts = urlsplit(default_gateway.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=5) as endless:
        received, sent = b"", 0
        try:
            endless.sendall(request + b"X-Endless: ")
            while sent < 1 << 25:
                endless.sendall(b"x" * 65536)
                sent += 65536
        except (BrokenPipeError, ConnectionResetError):
            pass
        try:
            received = endless.recv(4096)
        except ConnectionResetError:
            received = b"HTTP/1.1 431"  # it was cut off before the answer could be read
    assert sent < 1 << 25
    assert received.startswith(b"HTTP/1.1 431")


def test_the_next_request_has_a_head_of_its_own(default_gateway: RunningGateway) -> None:
    """The bound applies to each request, not to the connection."""
    with httpx.Client(base_url=default_gateway.url) as client:
        for _ in range(5):
            assert 200 == client.get(PLAYLIST, headers={"User-Agent": "x" * 60_000}).status_code


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="NOT RUN: no dual-stack sockets here")
def test_every_interface_is_every_interface() -> None:
    """``::`` accepts IPv6 and IPv4; the mapped address of an IPv4 player becomes an IPv4
    address."""
    with listen("::", 0) as bound:
        port = bound.getsockname()[1]
        for host in ("::1", "127.0.0.1"):
            socket.create_connection((host, port), timeout=5).close()


def test_the_start_says_what_the_environment_sets(tmp_path: Path) -> None:
    """The keys with their variables, a warning for those that the file sets to another value, and
    the warnings about the file. No value is shown."""
    path = tmp_path / "gateway.toml"
    path.write_text(
        '[server]\nhost = "::1"\n[source]\nroot = "."\n[store]\nurl = "memory"\n', "utf-8"
    )
    (tmp_path / "host").write_text("127.0.0.1\n", "utf-8")
    environ = {"GATEWAY_SERVER__HOST_FILE": str(tmp_path / "host")}
    with running_gateway(path, environ=environ) as gateway:
        (line,) = gateway.wait_for("config_from_environment")
        assert ("info", "GATEWAY_SERVER__HOST_FILE") == (line["level"], line["keys"]["server.host"])
        assert "GATEWAY_SERVER__PORT" == line["keys"]["server.port"]
        (line,) = gateway.wait_for("environment_overrides_file")
        assert "warning" == line["level"]
        assert {"server.host": "GATEWAY_SERVER__HOST_FILE"} == line["keys"]
        (line,) = gateway.wait_for("config_warning")
        assert "source.root: warning: is not used" in line["problem"]
