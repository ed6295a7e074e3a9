"""Which ASGI servers resist a hostile peer, and what does each cost? A table of both.

    python -m tests.benchmark.http_servers [--patience 100] [--seconds 10] [NAME …]

Every server runs the same application (:func:`tests.integration.connection_attacks.echo`) with its
own settings as they ship, but for uvloop and without access logs. An attack on patience fails when
the connection is still open after ``--patience`` seconds; give it more than the longest timeout.
Of ``--patience`` and ``--seconds``, 0 leaves that table out.
"""

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from gateway.serving.limits import ConnectionLimits
from gateway.serving.server_config import ServerConfig
from tests.benchmark.bench_generator import fire
from tests.benchmark.bench_process import ProcessTree
from tests.integration.connection_attacks import ATTACKS, echo

REQUEST = (
    b"GET /echo HTTP/1.1\r\nHost: play.example.com\r\nAccept: */*\r\n"
    b"User-Agent: Mozilla/5.0 (Linux; Android 14)\r\nAccept-Encoding: gzip, br\r\n"
    b"Accept-Language: en\r\nOrigin: https://example.com\r\n"
    b"Referer: https://example.com/\r\nSec-CH-UA-Platform: Android\r\n\r\n"
)
SERVERS = ("httptools", "h11", "granian", "gateway")
ROUNDS = 5


async def constant(scope: object, receive: object, send: object) -> None:
    """The application whose cost is measured."""
    del scope, receive
    start = {"type": "http.response.start", "status": 200, "headers": CONSTANT_HEADERS}
    await send(start)  # type: ignore[operator]
    await send({"type": "http.response.body", "body": b"x" * 1000})  # type: ignore[operator]


CONSTANT_HEADERS = [
    (b"content-type", b"application/vnd.apple.mpegurl"),
    (b"content-length", b"1000"),
    (b"cache-control", b"private, max-age=5"),
    (b"vary", b"Accept-Encoding, User-Agent, Sec-CH-UA, Sec-CH-UA-Mobile, Save-Data, ECT"),
    (b"etag", b'"8205066e060f260a582e42b0"'),
    (b"access-control-allow-origin", b"*"),
    (b"timing-allow-origin", b"*"),
    (b"x-request-id", b"057e04802d1ebda1"),
]


@dataclass
class Running:
    """A server: where it listens, its process, and its log."""

    port: int
    pid: int
    log: Path

    def faults(self) -> int:
        """Tracebacks and errors that it has logged."""
        text = self.log.read_text("utf-8", "replace")
        return text.count("Traceback (most") + text.count("ERROR")


@contextlib.contextmanager
def running(name: str, app: str) -> Iterator[Running]:
    """A server process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        port = _free_port()
        with log.open("w") as stream:
            command = [sys.executable, "-m", "tests.benchmark.http_servers", "--serve", name, app]
            process = subprocess.Popen(
                [*command, str(port)],
                stderr=stream,
                stdout=stream,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        try:
            asyncio.run(_until_open(port))
            tree = ProcessTree(process.pid)
            below = tree.descendants()
            yield Running(port, below[-1] if name == "granian" and below else process.pid, log)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def serve(name: str, app: str, port: int) -> None:
    """Be that server."""
    application = {"echo": echo, "constant": constant}[app]
    if name == "granian":
        from granian import Granian  # noqa: PLC0415
        from granian.constants import Interfaces, Loops  # noqa: PLC0415

        Granian(
            f"tests.benchmark.http_servers:{app}",
            address="127.0.0.1", port=port, websockets=False,
            interface=Interfaces.ASGINL, loop=Loops.uvloop,
        ).serve()  # fmt: skip
    elif name == "gateway":
        config = ServerConfig(
            application,
            ConnectionLimits(), loop="uvloop", lifespan="off", host="127.0.0.1", port=port,
        )  # fmt: skip
        uvicorn.Server(config).run()
    else:
        uvicorn.run(
            application,
            http=name, loop="uvloop", ws="none", lifespan="off", access_log=False,
            log_level="warning", host="127.0.0.1", port=port, timeout_keep_alive=75,
        )  # fmt: skip


async def attack_all(port: int, patience_s: float) -> dict[str, str]:
    """Every attack at once."""

    async def one(name: str) -> str:
        try:
            return await ATTACKS[name](port, patience_s)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, LookupError) as error:
            return f"no answer ({type(error).__name__})"

    found = await asyncio.gather(*map(one, ATTACKS))
    return dict(zip(ATTACKS, found, strict=True))


def cpu_us_per_request(name: str, seconds: float) -> float:
    """CPU microseconds that the server process uses for each request."""
    requests = [REQUEST] * int(60_000 * seconds)
    with running(name, "constant") as server:
        asyncio.run(fire(server.port, requests, seconds=0.5, connections=8))
        tree = ProcessTree(server.pid)
        before = tree.own_cpu_s()
        volley = asyncio.run(fire(server.port, requests, seconds=seconds, connections=8))
        return (tree.own_cpu_s() - before) / volley.requests * 1e6


def _free_port() -> int:
    import socket  # noqa: PLC0415

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


async def _until_open(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return
    raise TimeoutError


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", default=SERVERS)
    parser.add_argument("--patience", type=float, default=100)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--serve", nargs=3)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve[0], given.serve[1], int(given.serve[2]))
        return
    if given.patience:
        print_attacks(given.names, given.patience)
    if given.seconds:
        print_costs(given.names, given.seconds)


def print_attacks(names: Sequence[str], patience_s: float) -> None:
    """Which server fails which attack, and how."""
    results, logged = {}, {}
    for name in names:
        with running(name, "echo") as server:
            results[name] = asyncio.run(attack_all(server.port, patience_s))
            logged[name] = server.faults()
    print("| attack |", " | ".join(names), "|")
    print("|---|" + "---|" * len(names))
    for attack in ATTACKS:
        print("|", attack, "|", " | ".join(results[name][attack] or "ok" for name in names), "|")
    print("| errors logged |", " | ".join(str(logged[name]) for name in names), "|")
    failed = (str(sum(map(bool, results[name].values()))) for name in names)
    print(f"| failed of {len(ATTACKS)} |", " | ".join(failed), "|")


def print_costs(names: Sequence[str], seconds: float) -> None:
    """Medians of rounds in which every server has its turn, and ratios to the first one."""
    rounds = [[cpu_us_per_request(name, seconds / ROUNDS) for name in names] for _ in range(ROUNDS)]
    columns = [sorted(column) for column in zip(*rounds, strict=True)]
    for name, found, given in zip(names, columns, zip(*rounds, strict=True), strict=True):
        ratios = sorted(own / each[0] for own, each in zip(given, rounds, strict=True))
        middle = ROUNDS // 2
        print(
            f"{name}: {found[middle]:.1f} us ({found[0]:.1f}-{found[-1]:.1f}), "
            f"ratio {ratios[middle]:.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})"
        )


if __name__ == "__main__":
    main()
