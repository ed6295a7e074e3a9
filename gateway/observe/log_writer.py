"""Writes log lines without making the event loop wait for whoever reads them.

A pipe that nobody reads blocks its writers when it is full. So a thread writes. The lines that wait
for it are bounded: beyond that they are lost, and counted in ``gateway_log_lines_lost_total``.

Each write has whole lines, at most ``PIPE_BUF`` bytes together. POSIX does not divide such a write
to a pipe, so lines of several processes do not mix. Only a line that is longer by itself, such as
a traceback, may be written in several parts.
"""

import atexit
import contextlib
import os
import select
import threading
import time
from collections import deque
from typing import Final, Literal

from gateway.observe import metrics

Kind = Literal["access", "log"]
"""Lines of the access log, and all others."""

ATOMIC_BYTES: Final = max(512, getattr(select, "PIPE_BUF", 4096))
MAX_WAITING_BYTES: Final[dict[Kind, int]] = {"access": 4 * 1024 * 1024, "log": 5 * 1024 * 1024}
"""A line is lost when more than this would wait with it. The access log, which anyone can fill,
leaves room for the other lines."""
GATHER_S: Final = 0.05
"""How long a line of the access log waits for others, so that one write takes them all. Other lines
are written at once."""
LAST_LINES_S: Final = 2.0
"""The longest time that the end of the process waits for its last lines."""
_BLOCKED_POLL_S: Final = 1.0


class LineWriter:
    """The lines of this process on their way to a file descriptor."""

    def __init__(self, descriptor: int) -> None:
        """``descriptor`` stays open; it may be in blocking mode or not."""
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._lines: deque[tuple[bytes, Kind]] = deque()
        self._waiting_bytes = 0
        self._some = threading.Event()
        self._soon = threading.Event()
        self._idle = threading.Event()
        self._idle.set()
        self._thread: threading.Thread | None = None

    def offer(self, line: bytes, kind: Kind) -> None:
        """Write ``line``, which ends with a line feed, soon. Never waits."""
        with self._lock:
            if self._waiting_bytes + len(line) > MAX_WAITING_BYTES[kind]:
                metrics.LOG_LINES_LOST.labels(kind).inc()
                return
            self._lines.append((line, kind))
            self._waiting_bytes += len(line)
            self._idle.clear()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="log", daemon=True)
                self._thread.start()
                atexit.register(self.flush, LAST_LINES_S)
        if not self._some.is_set():
            self._some.set()
        if kind == "log":
            self._soon.set()

    def flush(self, timeout_s: float) -> bool:
        """Wait until all lines are written; whether they are after ``timeout_s``."""
        self._soon.set()
        return self._idle.wait(timeout_s)

    def _run(self) -> None:
        while True:
            self._some.wait()
            self._soon.wait(GATHER_S)
            self._soon.clear()
            self._some.clear()
            while lines := self._next():
                self._write(lines)

    def _next(self) -> list[tuple[bytes, Kind]]:
        """The next lines that fit into one write: at least one, unless none is left."""
        with self._lock:
            found: list[tuple[bytes, Kind]] = []
            size = 0
            while self._lines and (not found or size + len(self._lines[0][0]) <= ATOMIC_BYTES):
                found.append(self._lines.popleft())
                size += len(found[-1][0])
            self._waiting_bytes -= size
            if not found:
                self._idle.set()
            return found

    def _write(self, lines: list[tuple[bytes, Kind]]) -> None:
        left = memoryview(b"".join(line for line, _ in lines))
        try:
            while left:
                try:
                    left = left[os.write(self._descriptor, left) :]
                except BlockingIOError:
                    self._wait_until_writable()
        except OSError:  # nobody will ever read
            for _, kind in lines:
                metrics.LOG_LINES_LOST.labels(kind).inc()

    def _wait_until_writable(self) -> None:
        if not hasattr(select, "poll"):  # Windows
            time.sleep(GATHER_S)
            return
        poll = select.poll()
        with contextlib.suppress(OSError):
            poll.register(self._descriptor, select.POLLOUT)
            poll.poll(_BLOCKED_POLL_S * 1000)
