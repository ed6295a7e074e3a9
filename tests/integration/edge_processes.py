"""An edge as a process of its own: to be killed, frozen, slowed down, and asked how it was probed.

Run as a program it serves below a loopback port; ``/as/<mode>`` tells it how to behave from now on:
``ok``, ``slow-<ms>``, ``status-<code>``, ``live`` (its playlist advances every 0.2 s) or ``stuck``.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from tests.unit.store.servers import free_port

SEGMENT_S = 0.2


class EdgeProcess:
    """One edge. ``url`` stays the same when it is killed and started again."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; returns when it answers."""
        self._process = subprocess.Popen([sys.executable, "-m", __name__, str(self.port)])
        deadline = time.monotonic() + 10
        while True:
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"{self.url}count", timeout=1)
                return
            assert time.monotonic() < deadline, "the edge does not start"
            time.sleep(0.02)

    def behave(self, mode: str) -> None:
        """Behave like this from now on."""
        httpx.get(f"{self.url}as/{mode}", timeout=5)

    def probes(self) -> int:
        """How many probes came so far."""
        return int(httpx.get(f"{self.url}count", timeout=5).json()["probes"])

    def kill(self) -> None:
        """End it at once: connections are refused from now on."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Stop it in its tracks: connections are taken, and nothing is answered."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)


@contextlib.contextmanager
def edge_processes(count: int) -> Iterator[list[EdgeProcess]]:
    """So many edges, gone at the end."""
    edges = [EdgeProcess() for _ in range(count)]
    try:
        for edge in edges:
            edge.start()
        yield edges
    finally:
        for edge in edges:
            edge.kill()


class _Edge(BaseHTTPRequestHandler):
    """Counts probes by the name under which the gateway asks."""

    protocol_version = "HTTP/1.1"
    mode = "ok"
    stuck_at: int | None = None
    probes = 0
    lock = threading.Lock()

    def do_GET(self) -> None:
        """Answer as told."""
        if self.path.startswith("/as/"):
            self._behave(self.path.removeprefix("/as/"))
            self._answer(200, b"")
        elif self.path == "/count":
            self._answer(200, json.dumps({"probes": _Edge.probes}).encode())
        else:
            with self.lock:
                _Edge.probes += self.headers["User-Agent"] == "streaming-gateway-probe"
            kind, _, value = self.mode.partition("-")
            if kind == "slow":
                time.sleep(int(value) / 1000)
            status = int(value) if kind == "status" else 200
            self._answer(status, _playlist() if self.path.endswith(".m3u8") else b"ok")

    def _behave(self, mode: str) -> None:
        _Edge.stuck_at = _now() if mode == "stuck" else None
        _Edge.mode = mode

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError):  # who waited is gone
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def _now() -> int:
    return int(time.time() / SEGMENT_S)


def _playlist() -> bytes:
    first = _now() if _Edge.stuck_at is None else _Edge.stuck_at
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1", f"#EXT-X-MEDIA-SEQUENCE:{first}"]
    for number in range(first, first + 3):
        lines += [f"#EXTINF:{SEGMENT_S},", f"{number}.ts"]
    return "\n".join([*lines, ""]).encode()


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), _Edge).serve_forever()
