"""What do the access log and traces cost? CPU time of a request, as a ratio against off.

``python -m tests.benchmark.telemetry`` prints the table of ``docs/logs.md``. One application
answers the same players in all modes, which take turns, so that all of them see the same machine.
"""

import asyncio
import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from gateway.app import Application
from gateway.observe import logs
from tests.integration.in_process import application

ROUNDS = 15
REQUESTS = 1000
AGENT = (
    b"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    b"Chrome/131.0.0.0 Safari/537.36"
)


def scope_of(number: int) -> dict[str, Any]:
    """The request of one of 50,000 viewers for one of 20 titles."""
    viewer = f"81.{number % 200}.{number * 7 % 250}.9".encode()
    return {
        "type": "http",
        "method": "GET",
        "path": f"/v1/play/film/{number % 20}.m3u8",
        "query_string": b"speed=4000",
        "headers": [(b"user-agent", AGENT), (b"x-forwarded-for", viewer)],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8080),
        "scheme": "http",
        "http_version": "1.1",
    }


async def receive() -> dict[str, Any]:
    """No body."""
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(_: object) -> None:
    """Nobody reads the answer."""


def use(app: Application, **keys: object) -> None:
    """Put these keys of the access log into force, as a reload does."""
    runtime = app.gateway.runtime
    settings = runtime.settings
    section = settings.access_log.model_copy(update=keys)
    settings = settings.model_copy(update={"access_log": section})
    app.gateway.runtime = replace(runtime, settings=settings)


async def cpu_us(app: Application, first: int) -> float:
    """CPU time of one request in microseconds, of the whole process: the writer has a thread."""
    start = time.process_time()
    for number in range(first, first + REQUESTS):
        await app(scope_of(number), receive, send)
    flush()
    return (time.process_time() - start) / REQUESTS * 1e6


def flush() -> None:
    """All lines are written."""
    for writer in logs._writers.values():
        assert writer.flush(10)


@contextlib.contextmanager
def log_into_a_file() -> Iterator[None]:
    """Standard error is a file for the time being."""
    with tempfile.TemporaryFile() as file:
        before = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            flush()
            os.dup2(before, 2)
            os.close(before)


async def measure() -> dict[str, list[float]]:
    """The times of each mode by its name."""
    app = application(environ={"GATEWAY_RATE__MANIFESTS_PER_S": "1000000"})
    modes: dict[str, dict[str, object]] = {
        "off": {"enabled": False},
        "share = 0.01": {"enabled": True, "share": 0.01},
        "share = 0.1": {"enabled": True, "share": 0.1},
        "share = 1": {"enabled": True, "share": 1.0},
    }
    found: dict[str, list[float]] = {name: [] for name in modes}
    async with app.lifespan(app):
        await cpu_us(app, 0)
        for turn in range(ROUNDS):
            for name, keys in modes.items():
                use(app, **keys)
                found[name].append(await cpu_us(app, turn * REQUESTS))
    return found


def main() -> None:
    """Print the table."""
    logs.configure("info", waits=False)
    with log_into_a_file():
        found = asyncio.run(measure())
    off = statistics.median(found["off"])
    print("| access log | CPU of a request in process | ratio against off |")
    print("|---|---|---|")
    for name, times in found.items():
        median = statistics.median(times)
        print(f"| {name} | {median:.0f} µs | {median / off:.2f} |")
    sys.exit(0)


if __name__ == "__main__":
    main()
