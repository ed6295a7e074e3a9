"""An edge as a separate process, which tests can kill, freeze and slow down, and which counts its
probes.

It runs ``edge_server.py``, whose modes are ``ok``, ``slow-<ms>``, ``status-<code>``, ``live`` (its
playlist advances every 0.2 s) and ``stuck``.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from tests.ports import free_port

SERVER = Path(__file__).with_name("edge_server.py")


class EdgeProcess:
    """One edge. ``url`` stays the same when it is killed and started again."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; returns when it answers."""
        self._process = subprocess.Popen([sys.executable, "-S", str(SERVER), str(self.port)])
        deadline = time.monotonic() + 10
        while True:
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"{self.url}count", timeout=1)
                return
            assert time.monotonic() < deadline, "the edge does not start"
            time.sleep(0.02)

    def behave(self, mode: str) -> None:
        """Switch to a mode."""
        httpx.get(f"{self.url}as/{mode}", timeout=5)

    def turn(self, way: str) -> None:
        """``kill`` it, ``freeze`` it, or switch it to a mode."""
        if way == "kill":
            self.kill()
        elif way == "freeze":
            self.freeze()
        else:
            self.behave(way)

    def heal(self) -> None:
        """Undo whatever was done to it."""
        if self._process is None:
            self.start()
        self.thaw()
        self.behave("ok")

    def probes(self) -> int:
        """The number of probes so far."""
        return int(httpx.get(f"{self.url}count", timeout=5).json()["probes"])

    def kill(self) -> None:
        """Kill it: connections are refused from now on."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Freeze it: connections are accepted, and nothing is answered."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Resume it."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)


@contextlib.contextmanager
def edge_processes(count: int) -> Iterator[list[EdgeProcess]]:
    """This many edges, stopped at the end."""
    edges = [EdgeProcess() for _ in range(count)]
    try:
        with ThreadPoolExecutor() as starters:
            list(starters.map(EdgeProcess.start, edges))
        yield edges
    finally:
        for edge in edges:
            edge.kill()
