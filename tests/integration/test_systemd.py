"""``deploy/systemd``: systemd takes the unit, and its commands do as systemd expects of them."""

import configparser
import contextlib
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway.config.load import load
from gateway.serving.service_manager import ServiceManager
from tests.integration.running import RunningGateway, running_gateway
from tests.missing import missing

UNIT = Path(__file__).parents[2] / "deploy" / "systemd" / "streaming-gateway.service"
ENVIRONMENT = UNIT.with_name("environment")
INSTALLED = "/opt/streaming-gateway/bin/"
CONFIG = "/etc/streaming-gateway/gateway.toml"
HERE = Path(sys.executable).parent

EXPOSURE = 20
"""Tenths: the most that ``systemd-analyze security`` may find, of 100. It calls this ``OK``."""


class _Several(dict[str, str]):
    """A directive that is repeated has a line for each value."""

    def __setitem__(self, key: str, value: str | list[str]) -> None:
        if isinstance(value, list) and isinstance(self.get(key), list):
            self[key].extend(value)  # type: ignore[attr-defined]
        else:
            super().__setitem__(key, value)  # type: ignore[assignment]


def unit() -> configparser.RawConfigParser:
    """The unit's sections."""
    parser = configparser.RawConfigParser(
        strict=False, dict_type=_Several, interpolation=None, empty_lines_in_values=False
    )
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(UNIT.read_text("utf-8"))
    return parser


def service(key: str) -> str:
    """A directive of the service; of a repeated one, a line for each value."""
    return unit()["Service"][key]


def words(command: str, config: Path, pid: int) -> list[str]:
    """A command of the unit, of this checkout and with this config, as systemd would split it."""
    here = command.replace(INSTALLED, f"{HERE}/").replace(CONFIG, str(config))
    return shlex.split(here.replace("$MAINPID", str(pid)))


def installed(folder: Path) -> Path:
    """The unit with the commands of this checkout."""
    if shutil.which("systemd-analyze") is None:
        missing("systemd-analyze is not here: apt-get install systemd")
    made = folder / UNIT.name
    made.write_text(UNIT.read_text("utf-8").replace(INSTALLED, f"{HERE}/"), "utf-8")
    return made


def analyze(*arguments: str) -> tuple[int, str]:
    """Exit code and output of ``systemd-analyze``."""
    ended = subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    return ended.returncode, ended.stdout + ended.stderr


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """No error and no warning; what the service may do is little."""
    made = str(installed(tmp_path))
    assert (0, "") == analyze("verify", "--man=no", made)
    code, said = analyze("security", "--offline=true", f"--threshold={EXPOSURE}", made)
    assert 0 == code, said


def test_it_waits_for_the_gateway_to_stop() -> None:
    """For longer than requests may go on, and by a signal to the parent of the workers alone."""
    grace_s = load(None, {}).settings.server.shutdown_grace_s
    assert int(service("TimeoutStopSec")) >= grace_s + 10
    assert "mixed" == service("KillMode")
    assert "SIGTERM" == unit()["Service"].get("KillSignal", "SIGTERM")


class Manager:
    """Receives what a service says of itself, as systemd does."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(60)
        self._socket.bind(str(path))

    def next(self) -> str:
        """The next message."""
        return self._socket.recv(4096).decode()

    def until(self, message: str) -> list[str]:
        """The messages before this one."""
        before: list[str] = []
        while (received := self.next()) != message:
            before.append(received)
        return before

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()


@contextlib.contextmanager
def started(folder: Path, workers: int) -> Iterator[tuple[RunningGateway, Manager, Path]]:
    """The unit's ExecStart with the environment file, on free ports and in memory."""
    config = folder / "gateway.toml"
    config.write_text("[profiles.wifi]\nmax_height = 720\n", "utf-8")
    command = words(service("ExecStart"), config, 0)
    assert [str(HERE / "gateway"), "serve", "--config", str(config)] == command
    lines = ENVIRONMENT.read_text("utf-8").splitlines()
    given = dict(line.split("=", 1) for line in lines if line and line[0] != "#")
    assert {"GATEWAY_SERVER__HOST", "GATEWAY_SERVER__WORKERS"} == given.keys()
    manager = Manager(folder / "notify")
    environ = {
        **given,
        "GATEWAY_SERVER__HOST": "127.0.0.1",
        "GATEWAY_SERVER__WORKERS": str(workers),
        "GATEWAY_STORE__URL": "memory",
        "NOTIFY_SOCKET": str(manager.path),
        "WATCHDOG_USEC": "2000000",
        "TMPDIR": str(folder),
    }
    try:
        with running_gateway(config, environ=environ) as running:
            yield running, manager, config
    finally:
        manager.close()


def reloads(running: RunningGateway, config: Path, workers: int) -> None:
    """The commands of ExecReload refuse a broken file and say why, and a good one is used."""
    check, hang_up = (
        words(line, config, running.process.pid) for line in service("ExecReload").splitlines()
    )
    config.write_text("[profiles.wifi]\nmax_height = -1\n", "utf-8")
    environ = {**os.environ, "GATEWAY_ADMIN__PORT": "0", "GATEWAY_SERVER__PORT": "0"}
    refused = subprocess.run(
        check, capture_output=True, text=True, env=environ, timeout=60, check=False
    )
    assert 1 == refused.returncode
    assert "profiles.wifi.max_height" in refused.stderr
    running.wait_for("config_refused")
    config.write_text("[profiles.wifi]\nmax_height = 480\n", "utf-8")
    running.wait_for("config_reloaded", workers)
    subprocess.run(hang_up, check=True)
    running.wait_for("config_reloaded", 2 * workers)


@pytest.mark.parametrize("workers", [1, 2])
def test_it_runs_as_a_service(tmp_path: Path, workers: int) -> None:
    """READY once players are answered, signs of life, STOPPING at the end, and exit code 0."""
    with started(tmp_path, workers) as (running, manager, config):
        manager.until("READY=1")
        assert 200 == httpx.get(f"{running.url}/readyz").status_code
        assert "WATCHDOG=1" == manager.next()
        if workers > 1:
            reloads(running, config, workers)
        running.signal(signal.SIGTERM)
        manager.until("STOPPING=1")
        assert 0 == running.process.wait(30)


def test_nobody_has_to_be_told(tmp_path: Path) -> None:
    """Without the variables nothing is sent; a socket that is gone, or signs of life that another
    process owes, change nothing."""
    ServiceManager.of({}).ready()
    ServiceManager.of({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready()
    path = tmp_path / "notify"
    manager = Manager(path)
    told = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "1000000"}
    ServiceManager.of({**told, "WATCHDOG_PID": "1"}).alive()
    ServiceManager.of({**told, "WATCHDOG_USEC": "soon"}).alive()
    mine = ServiceManager.of({**told, "WATCHDOG_PID": str(os.getpid())})
    mine.alive()
    mine.alive()
    mine.stopping()
    assert ["WATCHDOG=1"] == manager.until("STOPPING=1")
    manager.close()
    abstract = f"@gateway-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as named:
        named.bind(f"\0{abstract[1:]}")
        ServiceManager.of({"NOTIFY_SOCKET": abstract}).ready()
        assert b"READY=1" == named.recv(100)
