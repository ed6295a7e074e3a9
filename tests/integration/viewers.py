"""Players who ask all the time, while something is done to the gateway."""

import threading
import time
from collections.abc import Callable
from typing import Self

from tests.integration.asking import ask_raw


class Viewers:
    """Threads that ask for a playlist, each time on a new connection, until the context ends.

    ``failures`` is whatever was not a whole playlist. A connection that nobody had accepted is
    none: ``refused``.
    """

    def __init__(self, url: str, threads: int = 3) -> None:
        self.answered = 0
        self.refused = 0
        self.failures: list[str] = []
        self._url = url
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(threads)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def see(self, count: int = 30) -> None:
        """Wait until so many more were answered."""
        wanted = self.answered + count
        until(lambda: self.answered >= wanted)

    def _ask(self) -> None:
        request = b"GET /v1/play/film.m3u8 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        while not self._stop.wait(0.005):  # leaves some of the machine to the gateway
            try:
                answer = ask_raw(self._url, request)
            except (ConnectionRefusedError, ConnectionResetError):
                self.refused += 1
                continue
            except (OSError, IndexError, ValueError) as error:
                self.failures.append(repr(error))
                continue
            if answer.status == 200 and answer.body.startswith(b"#EXTM3U"):
                self.answered += 1
            else:
                self.failures.append(answer.head.decode("latin-1"))


def until(true: Callable[[], bool], within_s: float = 15.0) -> None:
    """Wait until something is so; fails when it does not come."""
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)
