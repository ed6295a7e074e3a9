"""Players that send requests all the time, while a test disturbs the gateway."""

import threading
import time
from collections.abc import Callable
from typing import Self

from tests.integration.asking import ask_raw


class Viewers:
    """Threads that request a playlist, each time on a new connection, until the context ends.

    ``failures`` lists answers that are not a complete playlist. Connections that were never
    accepted count as ``refused`` instead.
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
        """Wait for this many more answers."""
        wanted = self.answered + count
        until(lambda: self.answered >= wanted)

    def _ask(self) -> None:
        request = b"GET /v1/play/film.m3u8 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        while not self._stop.wait(0.02):  # leaves most of the machine to the gateway
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
    """Wait until a condition holds; fails when it does not."""
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)
