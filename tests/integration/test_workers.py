"""Workers that cannot start: at the first start the gateway exits; replacements are retried."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.integration.forked import gateway_command
from tests.integration.light_workers import light_workers
from tests.integration.processes import children
from tests.integration.viewers import Viewers, until

ROOT = Path(__file__).parents[2]

BUILD = '\n\ndef build(*_: object) -> None:\n    raise TypeError("in build")\n'
START = '\n\ndef _warm_up(*_: object) -> None:\n    raise OSError("in lifespan")\n'
"""What makes ``gateway/app.py`` fail, each at another time, when it stands at its end."""


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The ``app.py`` of a copy of the package. Gateways that start use the copy, so that it can be
    replaced under a running one, as an upgrade in place does."""
    shutil.copytree(ROOT / "gateway", tmp_path / "gateway")
    for name in ("manifests", "geodata"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "gateway" / "app.py"


def install(app: Path, fault: str = "") -> None:
    """Replace the application."""
    new = app.with_suffix(".new")
    new.write_text((ROOT / "gateway" / "app.py").read_text("utf-8") + fault, "utf-8")
    new.replace(app)


FIRST = [
    ("1", BUILD, "TypeError: in build"),
    ("1", START, "OSError: in lifespan"),
    ("2", START, "OSError: in lifespan"),
]


@pytest.mark.parametrize(("workers", "fault", "told"), FIRST, ids=["build", "start", "workers"])
def test_a_first_start_that_fails(app: Path, workers: str, fault: str, told: str) -> None:
    """One line that says why and where, no traceback, and exit code 1."""
    install(app, fault)
    command = [sys.executable, "-m", "gateway", "serve", "--workers", workers]
    ports = {"GATEWAY_SERVER__PORT": "0", "GATEWAY_ADMIN__PORT": "0"}
    environ = {**os.environ, **ports, "GATEWAY_STORE__URL": "memory"}
    ended = subprocess.run(
        command, capture_output=True, text=True, env=environ, timeout=60, check=False
    )
    words = [line for line in ended.stderr.splitlines() if not line.startswith("{")]
    assert (1, 1) == (ended.returncode, len(words)), ended.stderr
    assert words[0].startswith(f'error: the gateway cannot start: {told} (File "{app}", line ')


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_reload_during_the_start(workers: str) -> None:
    """SIGHUP ends nothing that has not started yet."""
    command = [*gateway_command(), "serve", "--workers", workers]
    ports = {"GATEWAY_SERVER__PORT": "0", "GATEWAY_ADMIN__PORT": "0"}
    environ = {**os.environ, **ports, "GATEWAY_LOG__FORMAT": "json"}
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        events = (json.loads(line)["event"] for line in process.stderr)
        assert "listening" in events
        process.send_signal(signal.SIGHUP)
        assert "started" in events
        process.terminate()
        process.stderr.read()
    assert 0 == process.returncode


def test_a_certificate_file_is_checked_at_once(tmp_path: Path) -> None:
    """``serve`` and ``check`` read the certificate file before anything listens."""
    (tmp_path / "ca.pem").write_text("not a certificate")
    config = tmp_path / "gateway.toml"
    config.write_text(
        '[source]\nkind = "origin"\nurl = "https://o.example/"\n[origin]\nca_file = "ca.pem"\n'
        '[[edges]]\nid = "e"\nurl = "https://e.example/"\nfallback = true\n'
    )
    for command in (["check", str(config)], ["serve", "--config", str(config)]):
        ended = subprocess.run(
            [*gateway_command(), *command],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert 1 == ended.returncode
        expected = 'gateway.toml: origin.ca_file: "ca.pem" has no usable certificates'
        assert ended.stderr.startswith(expected), ended.stderr
        assert 1 == ended.stderr.count("\n")


FAULTS = {
    "OSError: at import": 'raise OSError("at import")\n',
    "exit code 7": """
import os, threading, time
threading.excepthook = lambda _: None  # of the thread that answers the parent
os.closerange(3, 99)
time.sleep(0.3)
os._exit(7)
""",
}
"""The second one closes its pipe some time before it ends."""


def test_a_replacement_that_fails(tmp_path: Path) -> None:
    """The other workers keep serving, and the start is retried until it succeeds, however it fails.
    The log has one line for each change, not for each try. A reload meanwhile does no harm."""
    with light_workers(tmp_path) as parent, Viewers(parent.url, threads=2) as viewers:
        viewers.see()
        before = children(parent.process.pid)
        told: list[str] = []
        for reason, fault in FAULTS.items():
            parent.install(fault)
            if not told:
                os.kill(before[0], signal.SIGKILL)
            told.append(reason)
            parent.wait_for("worker_cannot_start", len(told))
            parent.process.send_signal(signal.SIGHUP)
        until(lambda: len(children(parent.process.pid)) == 2, within_s=30)
        until(lambda: len(children(parent.process.pid)) == 1)  # that one has failed, too
        viewers.see()
        parent.install()
        parent.wait_for("worker_starts_again")
        viewers.see()
        assert before[1] in children(parent.process.pid)
        assert 2 == len(children(parent.process.pid))
    assert len(viewers.failures) <= 2, viewers.failures  # what the killed one was answering
    assert 0 == parent.process.returncode
    assert told == [
        line["reason"].partition(" (")[0] for line in parent.lines("worker_cannot_start")
    ]
    assert 3 <= parent.lines("worker_starts_again")[0]["failures"]
    replaced = [(line["pid"], line["reason"]) for line in parent.lines("worker_replaced")]
    assert [(before[0], "killed by SIGKILL")] == replaced
    assert 4 + 3 == len(parent.log())


def test_a_replacement_that_starts(tmp_path: Path) -> None:
    """Each worker that dies is replaced at once."""
    with light_workers(tmp_path) as parent, Viewers(parent.url, threads=2) as viewers:
        viewers.see()
        for count in (1, 2, 3):
            viewers.see()
            os.kill(children(parent.process.pid)[0], signal.SIGKILL)
            parent.wait_for("started", 2 + count)
        viewers.see()
    assert 3 == len(parent.lines("worker_replaced"))
    assert 3 + 5 == len(parent.log())


def test_a_worker_that_dies_while_it_is_asked(tmp_path: Path) -> None:
    """The parent need not wait for the end of the health check to notice."""
    with light_workers(tmp_path) as parent, Viewers(parent.url, threads=1) as viewers:
        viewers.see()
        frozen = children(parent.process.pid)[0]
        os.kill(frozen, signal.SIGSTOP)
        time.sleep(1)  # the parent asks every half second, and now waits up to 5 s for the answer
        assert not parent.lines("worker_replaced")
        os.kill(frozen, signal.SIGKILL)
        until(lambda: bool(parent.lines("worker_replaced")), within_s=2)


def test_a_worker_that_a_signal_without_a_name_ends(tmp_path: Path) -> None:
    """The parent names the number, and replaces the worker."""
    with light_workers(tmp_path) as parent:
        os.kill(children(parent.process.pid)[0], signal.SIGRTMIN + 1)
        parent.wait_for("started", 3)
    reasons = [line["reason"] for line in parent.lines("worker_replaced")]
    assert [f"killed by signal {signal.SIGRTMIN + 1}"] == reasons
    assert 0 == parent.process.returncode


SLOW = """
import asyncio
quick = app

async def app(scope, receive, send):
    if scope.get("path") == "/slow":
        sys.stderr.write('{"event": "asked"}\\n')
        await asyncio.sleep(3)
    await quick(scope, receive, send)
"""


def test_a_stop_refuses_connections_at_once(tmp_path: Path) -> None:
    """While a worker still answers, nobody waits for a worker that will not come. What was asked
    before is answered."""
    with light_workers(tmp_path, SLOW) as parent:
        address = urlsplit(parent.url).hostname, urlsplit(parent.url).port
        with socket.create_connection(address, timeout=30) as asked:
            asked.sendall(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
            parent.wait_for("asked")
            parent.process.send_signal(signal.SIGTERM)
            until(lambda: refused(address), within_s=20)
            assert parent.process.poll() is None
            assert asked.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")
        assert 0 == parent.process.wait(20)


def refused(address: tuple[str | None, int | None]) -> bool:
    """Whether nothing listens there."""
    try:
        socket.create_connection(address, timeout=5).close()
    except ConnectionRefusedError:
        return True
    except OSError:  # in the moment of the stop
        return False
    return False
