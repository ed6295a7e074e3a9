"""How many instructions does a request take? For machines that are too busy to measure times.

    python -m tests.benchmark.instructions [KIND …] [--requests 1000]

The connection and the application run in one process under valgrind's callgrind. Requests are
given to connections as bytes, and answers are taken from them, so the kernel and its sockets do not
count. The store is in memory. Kinds:

- ``bare``: a constant answer on uvicorn's own protocol with httptools;
- ``livez``: the gateway's cheapest answer, to the same request;
- ``report``: one CMCD report in each POST, until it is in the record of its session; ``reports``:
  ten of one player;
- ``limited``: the playlists of ``real``, from an address that asks for more than it may;
- ``steering``: what players ask in the middle of a film;
- ``real``: playlists for real players (:mod:`tests.benchmark.real_players`). Fewer requests warm
  the caches than in ``make bench``, so more playlists are written;
- ``traced``: the same with ``otlp.traces_endpoint``, and the shipped share of requests sampled.

The count differs by 1 % between runs. It needs valgrind.
"""

import argparse
import asyncio
import gc
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from gateway.app import Application, build
from gateway.background.reports import ReportReader
from gateway.config.load import load
from gateway.observe.traces import RequestTracer
from gateway.serving.connection import Connection
from gateway.serving.limits import ConnectionLimits
from gateway.serving.server_config import ServerConfig
from tests.benchmark import cmcd_reports, steering_answers
from tests.benchmark.bench_servers import bare
from tests.benchmark.city import city_database
from tests.benchmark.contestants import Ground
from tests.benchmark.real_players import RealPlayers
from tests.load.population import SEED

KINDS = ("bare", "livez", "report", "reports", "steering", "limited", "real", "traced")
CONNECTIONS = 16
WARM_UP = {"real": 12_000, "traced": 12_000}
PLAYERS = 500
NOWHERE = "http://127.0.0.1:9/v1/traces"
"""Where no collector listens. The threads that export to it are not counted in a request."""
PATIENT = ConnectionLimits(head_timeout_s=1e6, idle_timeout_s=1e6)
"""Under valgrind, everything takes fifty times as long."""
_SETTLE_S = 0.3
_LIMITED = {"GATEWAY_RATE__MANIFESTS_PER_S": "1", "GATEWAY_RATE__MANIFESTS_BURST": "1"}
_FORWARDED = re.compile(rb"X-Forwarded-For: [^\r]*")
_STORE = {"GATEWAY_STORE__URL": "memory", "GATEWAY_LOG__LEVEL": "error"}
_SERVER_URI = re.compile(r'SERVER-URI="([^"]+)"')


class Transport(asyncio.Transport):
    """Keeps what is written. It is never full."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def get_extra_info(self, name: str, default: object = None) -> object:
        """The addresses of a connection from this host."""
        known = {"peername": ("127.0.0.1", 5000), "sockname": ("127.0.0.1", 8080)}
        return known.get(name, default)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep it."""
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        """It stays open."""
        return False

    def pause_reading(self) -> None:
        """Nothing comes unasked."""

    def resume_reading(self) -> None:
        """Nothing comes unasked."""

    def get_write_buffer_size(self) -> int:
        """All is sent."""
        return 0


class Peers:
    """A few connections to one application."""

    def __init__(self, protocol: type[Any], config: uvicorn.Config) -> None:
        state = ServerState()
        state.default_headers = [(b"date", b"Sat, 28 Nov 2026 21:08:13 GMT")]
        self._ends: list[tuple[Any, Transport]] = []
        for _ in range(CONNECTIONS):
            connection, transport = protocol(config, state, {}), Transport()
            connection.connection_made(transport)
            self._ends.append((connection, transport))

    async def ask(self, requests: Sequence[bytes]) -> list[bytes]:
        """The answers, in order."""
        answers: list[bytes] = []
        for at in range(0, len(requests), CONNECTIONS):
            asked = list(zip(self._ends, requests[at : at + CONNECTIONS], strict=False))
            for (connection, _), request in asked:
                connection.data_received(request)
            while not all(transport.written for (_, transport), _ in asked):  # noqa: ASYNC110
                await asyncio.sleep(0)
            for (_, transport), _ in asked:
                answers.append(b"".join(transport.written))
                transport.written.clear()
        return answers


def requests_of(kind: str) -> Iterator[bytes]:
    """Requests of a kind without end; those for steering need answers first."""
    if kind in {"real", "limited", "traced"}:
        players = RealPlayers(SEED + 2)
        while True:
            for request in players.requests(1000):
                one = _FORWARDED.sub(b"X-Forwarded-For: 203.0.113.9", request)
                yield one if kind == "limited" else request
    mix = {"report": "alone", "reports": "batches"}.get(kind, kind)
    yield from cmcd_reports.requests([cmcd_reports.Player(seed) for seed in range(PLAYERS)], mix)


async def steering_requests(peers: Peers, count: int) -> list[bytes]:
    """The next requests of players that play already."""
    chance = random.Random(SEED)
    found: list[bytes] = []

    def get(url: str, lines: str) -> bytes:
        return f"GET {url} HTTP/1.1\r\nHost: 127.0.0.1\r\n{lines}\r\n".encode()

    while len(found) < count:
        parts = (
            chance.choice(steering_answers.NETWORKS),
            *(chance.randrange(1, 255) for _ in "abc"),
        )
        headers = {**steering_answers.HEADERS, "X-Forwarded-For": ".".join(map(str, parts))}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        uncoded = lines.replace("gzip, deflate, br, zstd", "identity")
        [playlist] = await peers.ask(
            [get(f"/v1/play/film/{chance.randrange(200):03}.m3u8", uncoded)]
        )
        uri = _SERVER_URI.search(playlist.decode())
        assert uri is not None
        [answer] = await peers.ask([get(uri[1], lines)])
        told = json.loads(answer.partition(b"\r\n\r\n")[2])
        pathway, bps = told["PATHWAY-PRIORITY"][0], chance.randrange(10**6, 10**7)
        query = f"_HLS_pathway=%22{pathway}%22&_HLS_throughput={bps}"
        found.append(get(f"{told['RELOAD-URI']}&{query}", lines))
    return found


def control(*options: str) -> None:
    """Tell callgrind what to do with this process."""
    command = ["callgrind_control", *options, str(os.getpid())]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)


async def inside(kind: str, count: int, folder: Path) -> None:
    """Warm up, then count ``count`` requests of ``kind``."""
    app: Application | None = None
    if kind == "bare":
        headers = json.loads(cmcd_reports.constant_answer(folder).read_text())["headers"]
        config = uvicorn.Config(
            bare(headers, b""),
            lifespan="off",
            access_log=False,
            proxy_headers=False,
            server_header=False,
        )
        protocol: type[Any] = HttpToolsProtocol
    else:
        environ = _STORE | _LIMITED if kind == "limited" else _STORE
        loaded = load(Ground(folder, city_database()).config_file(), environ)
        app = build(loaded, environ)
        if kind == "traced":  # as at the start of the gateway
            share = loaded.settings.otlp.traces_share
            app.gateway.tracer = RequestTracer(NOWHERE, share, {"service.name": "gateway"})
        config = ServerConfig(app, PATIENT, lifespan="off")
        protocol = Connection
    config.load()
    peers = Peers(protocol, config)
    reading = None if app is None else asyncio.create_task(ReportReader(app.gateway).run())
    if kind == "steering":
        asked = await steering_requests(peers, count)
        warm = asked
    else:
        stream = requests_of(kind)
        warm = list(islice(stream, WARM_UP.get(kind, 3 * PLAYERS)))
        asked = list(islice(stream, count))
    await peers.ask(warm)
    await settle(app)
    gc.collect()
    gc.freeze()
    gc.disable()
    control("--instr=on")
    control("--zero")
    await peers.ask(asked)
    await settle(app)
    control("--dump")
    if reading is not None:
        reading.cancel()


async def settle(app: Application | None) -> None:
    """Wait until the reports that came are read."""
    while app is not None and len(app.gateway.reports):  # noqa: ASYNC110
        await asyncio.sleep(0)
    await asyncio.sleep(_SETTLE_S)


def instructions(kind: str, count: int) -> int:
    """The instructions of one request of ``kind``."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        command = ["valgrind", "--tool=callgrind", "--instr-atstart=no"]
        command += [f"--callgrind-out-file={out}", sys.executable, "-m", __spec__.name]
        command += ["--inside", "--requests", str(count), kind]
        environ = {**os.environ, "PYTHONHASHSEED": "0"}
        ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        if ended.returncode:
            raise SystemExit(ended.stderr[-2000:])
        found = re.search(r"^(?:totals|summary): (\d+)", Path(f"{out}.1").read_text(), re.MULTILINE)
        assert found is not None
        return int(found[1]) // count


def main() -> int:
    """Count each kind, print."""
    parser = argparse.ArgumentParser(description="How many instructions does a request take?")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        with tempfile.TemporaryDirectory() as folder:
            uvloop.run(inside(options.kinds[0], options.requests, Path(folder)))
        return 0
    if shutil.which("valgrind") is None:
        print("valgrind is not here", file=sys.stderr)
        return 1
    first: int | None = None
    for kind in options.kinds or KINDS:
        found = instructions(kind, options.requests)
        first = first or found
        print(f"{kind:10} {found:10,} {found / first:6.2f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
