"""A real gateway process for tests: started as an operator starts it, on a free port."""

import contextlib
import json
import os
import queue
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from tests.integration.forked import ForkedProcess, forks

Urls = queue.Queue[tuple[str, str]]

START_S = 60.0
"""On a machine that is busy with other things a start takes many times as long as it should."""


@dataclass
class RunningGateway:
    """A ``gateway serve`` process: its URLs for players and for operators (empty where they have
    none), and the log lines it has written so far."""

    url: str
    admin_url: str
    process: subprocess.Popen[str] | ForkedProcess
    log: list[dict[str, Any]] = field(default_factory=list)

    def lines(self, event: str) -> list[dict[str, Any]]:
        """The log lines of one event."""
        return [line for line in list(self.log) if line.get("event") == event]

    def logged_at(self, event: str, **members: Any) -> list[float]:
        """When the gateway logged lines of an event with these members, in Unix time by its own
        clock. How late a busy machine lets the test look does not count."""
        return [
            datetime.fromisoformat(line["timestamp"]).timestamp()
            for line in self.lines(event)
            if members.items() <= line.items()
        ]

    def wait_for(
        self, event: str, count: int = 1, timeout_s: float = START_S
    ) -> list[dict[str, Any]]:
        """Wait until an event was logged ``count`` times; fails the test if it is not."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            found = self.lines(event)
            if len(found) >= count:
                return found
            time.sleep(0.02)
        raise AssertionError(f"{event!r} was not logged {count} times; the log: {self.log}")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the (parent) process."""
        self.process.send_signal(number)


@contextlib.contextmanager
def running_gateway(
    config: Path | None,
    *arguments: str,
    environ: dict[str, str] | None = None,
    open_files: int | None = None,
    tls: ssl.SSLContext | None = None,
    module: str = "gateway",
    fresh: bool = False,
) -> Iterator[RunningGateway]:
    """Start ``gateway serve`` on free ports and stop it afterwards. It may have ``open_files``
    open at once. ``tls`` is how its URL is asked, if that is https. ``module`` is run in the place
    of ``gateway``. Tests fork it, with what it imports, unless it must be ``fresh``."""
    words = ["serve", *arguments, *(() if config is None else ("--config", str(config)))]
    environment = {
        **os.environ,
        "GATEWAY_SERVER__PORT": "0",
        "GATEWAY_ADMIN__PORT": "0",
        "GATEWAY_LOG__FORMAT": "json",
        **(environ or {}),
    }
    process = _started(module, words, environment, open_files, fresh=fresh)
    running = RunningGateway("", "", process)
    urls: Urls = queue.Queue()
    reader = threading.Thread(target=_read, args=(running, urls), daemon=True)
    reader.start()
    try:
        running.url, running.admin_url = _urls(process, urls, running)
        _wait_until_alive(running, tls)
        yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join(5)
        if process.stderr is not None:
            process.stderr.close()


def _started(
    module: str, words: list[str], environ: dict[str, str], open_files: int | None, *, fresh: bool
) -> subprocess.Popen[str] | ForkedProcess:
    forking = None if fresh else forks()
    if forking is not None:
        return forking.start(module, words, environ, open_files or 0)
    command = [sys.executable, "-m", module, *words]
    if open_files is not None:
        command = ["sh", "-c", 'ulimit -n "$0"; exec "$@"', str(open_files), *command]
    return subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True)


def _read(running: RunningGateway, urls: Urls) -> None:
    assert running.process.stderr is not None
    for text in running.process.stderr:
        try:
            line = json.loads(text)
        except ValueError:
            line = {"event": "not json", "text": text}
        running.log.append(line)
        if line.get("event") == "listening":
            urls.put((line["url"], line["admin_url"] or ""))


def _urls(
    process: subprocess.Popen[str] | ForkedProcess, urls: Urls, running: RunningGateway
) -> tuple[str, str]:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        with contextlib.suppress(queue.Empty):
            return urls.get(timeout=0.05)
        if process.poll() is not None:
            raise AssertionError(f"the gateway ended with {process.returncode}: {running.log}")
    raise AssertionError(f"the gateway did not start: {running.log}")


def _wait_until_alive(running: RunningGateway, tls: ssl.SSLContext | None) -> None:
    deadline = time.monotonic() + START_S
    with httpx.Client(timeout=1, verify=tls or False) as client:  # without TLS nothing to verify
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                if client.get(f"{running.url}/livez").status_code == 200:
                    return
            if running.process.poll() is not None:
                raise AssertionError(f"the gateway ended: {running.log}")
            time.sleep(0.02)
    raise AssertionError(f"the gateway does not answer: {running.log}")
