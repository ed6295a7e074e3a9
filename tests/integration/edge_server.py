"""An edge for tests, as a separate program that imports only the standard library, so that it
starts quickly. ``/as/<mode>`` sets its mode; ``/count`` returns the number of probes.
"""

import contextlib
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SEGMENT_S = 0.2


class _Edge(BaseHTTPRequestHandler):
    """Counts probes by the name under which the gateway asks."""

    protocol_version = "HTTP/1.1"
    mode = "ok"
    stuck_at: int | None = None
    probes = 0
    lock = threading.Lock()

    def do_GET(self) -> None:
        """Answer according to the mode."""
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
