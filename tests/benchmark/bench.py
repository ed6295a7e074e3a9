"""What does a request cost, and how much of it is the gateway's own?

    python -m tests.benchmark.bench [--seconds 4] [--rounds 3] [--json PATH]

Measured in turn, several rounds, medians, on one server core with the generator on another:

- ``bare``       an ASGI callable that gives a constant answer: what uvicorn costs;
- ``starlette``  a Starlette route that gives a constant answer;
- ``warm``       the gateway, asked for what it was asked before: its caches have everything;
- ``new``        the gateway, asked what nobody asked before: each request is decided afresh, with
                 the store behind it.

All answer the same kind of request, and the constant answer has the headers and the size of a
gateway's. CPU is the server process's own accounting. The machine's noise is in all of them alike,
so the ratios to ``bare`` of one invocation are what counts; see ``docs/performance.md``.
"""

import argparse
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import uvloop

from tests.benchmark.bench_generator import GeneratorError, Volley, fire
from tests.benchmark.bench_process import PROC, ProcessTree
from tests.integration.running import running_gateway
from tests.load.population import SEED, Population

WARM_REQUESTS = 8_000
"""Few enough for every cache of the gateway to hold what belongs to them."""
NEW_REQUESTS_PER_S = 4_000
"""So many are made beforehand for each second; a run that has used them all ends early."""
CONNECTIONS = 16
SERVER_CORE, GENERATOR_CORE = 0, 1


@dataclass(frozen=True, slots=True)
class Server:
    """A running server and where it listens."""

    port: int
    tree: ProcessTree


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement. CPU in µs for each request: of the server process, and of
    the store below it."""

    requests_per_s: float
    cpu_us: float
    store_cpu_us: float
    generator_load: float
    p50_ms: float
    p99_ms: float


async def measure(server: Server, requests: Sequence[bytes], seconds: float) -> Run:
    """Ask ``server`` for ``seconds`` and say what it took."""
    own_s, store_s = server.tree.own_cpu_s(), server.tree.descendants_cpu_s()
    volley = await fire(server.port, requests, seconds=seconds, connections=CONNECTIONS)
    own_s = server.tree.own_cpu_s() - own_s
    store_s = server.tree.descendants_cpu_s() - store_s
    return _run(volley, own_s, store_s)


def _run(volley: Volley, own_s: float, store_s: float) -> Run:
    return Run(
        requests_per_s=volley.requests / volley.seconds,
        cpu_us=1e6 * own_s / volley.requests,
        store_cpu_us=1e6 * store_s / volley.requests,
        generator_load=volley.own_cpu_s / volley.seconds,
        p50_ms=volley.latency_ms(0.50),
        p99_ms=volley.latency_ms(0.99),
    )


def rendered(audience: Population, count: int) -> list[bytes]:
    """The next ``count`` requests of the audience as bytes on the wire."""
    found = []
    for _ in range(count):
        request = audience.next_request()
        lines = [f"GET {request.target()} HTTP/1.1", "Host: 127.0.0.1"]
        lines += [f"{name}: {value}" for name, value in request.headers]
        found.append("\r\n".join([*lines, "", ""]).encode("latin-1"))
    return found


def constant_answer(url: str, folder: Path) -> Path:
    """A file with the gateway's answer of median size, for the servers that give it always."""
    audience = Population(SEED + 1)
    with httpx.Client(base_url=url) as client:
        answers = []
        for _ in range(101):
            request = audience.next_request()
            plain = {**dict(request.headers), "Accept-Encoding": "identity"}
            answers.append(client.get(request.target(), headers=plain))
    answers.sort(key=lambda answer: len(answer.content))
    middle = answers[len(answers) // 2].raise_for_status()
    headers = [pair for pair in middle.headers.multi_items() if pair[0] != "date"]
    path = folder / "answer.json"
    path.write_text(json.dumps({"headers": headers, "body": middle.text}))
    return path


@contextlib.contextmanager
def constant_server(kind: str, answer: Path) -> Iterator[Server]:
    """``bare`` or ``starlette`` in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmark.bench_servers", kind, str(answer)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Server(int(process.stdout.readline()), ProcessTree(process.pid))
        finally:
            process.terminate()


async def rounds(
    servers: dict[str, Server], audience: Population, seconds: float, count: int
) -> dict[str, list[Run]]:
    """Every server in turn, ``count`` times over."""
    warm = rendered(audience, WARM_REQUESTS)
    await fire(servers["warm"].port, warm, seconds=None, connections=CONNECTIONS)
    found: dict[str, list[Run]] = {name: [] for name in servers}
    for number in range(count):
        for name, server in servers.items():
            new = name == "new"
            requests = rendered(audience, int(NEW_REQUESTS_PER_S * seconds)) if new else warm
            found[name].append(await measure(server, requests, seconds))
        print(f"round {number + 1} of {count}", file=sys.stderr)
    return found


def median(runs: Sequence[Run]) -> Run:
    """The median of each figure by itself."""
    return Run(*(statistics.median(getattr(run, name) for run in runs) for name in Run.__slots__))


def table(found: dict[str, list[Run]]) -> str:
    """The figures for people; ratios are to ``bare``."""
    head = (
        f"{'':10} {'req/s':>8} {'ratio':>6} {'CPU µs':>8} {'ratio':>6} {'spread':>13}"
        f" {'store µs':>9} {'p50 ms':>7} {'p99 ms':>7} {'generator':>10}"
    )
    lines = [head]
    bare = median(found["bare"])
    for name, runs in found.items():
        run = median(runs)
        spread = f"{min(each.cpu_us for each in runs):.0f}-{max(each.cpu_us for each in runs):.0f}"
        lines.append(
            f"{name:10} {run.requests_per_s:8.0f} {run.requests_per_s / bare.requests_per_s:6.2f}"
            f" {run.cpu_us:8.1f} {run.cpu_us / bare.cpu_us:6.2f} {spread:>13}"
            f" {run.store_cpu_us:9.1f} {run.p50_ms:7.2f} {run.p99_ms:7.2f}"
            f" {run.generator_load:10.0%}"
        )
    return "\n".join(lines)


def as_json(found: dict[str, list[Run]]) -> str:
    """The figures for machines, with what one must know to compare them."""
    bare = median(found["bare"])
    return json.dumps(
        {
            "seed": SEED,
            "machine": {
                "cores": os.cpu_count(),
                "load": os.getloadavg(),
                "platform": platform.platform(),
                "python": platform.python_version(),
                **{name: version(name) for name in ("uvicorn", "uvloop", "httptools", "starlette")},
            },
            "runs": {
                name: [
                    {figure: round(getattr(run, figure), 3) for figure in Run.__slots__}
                    for run in runs
                ]
                for name, runs in found.items()
            },
            "cpu_ratio_to_bare": {
                name: round(median(runs).cpu_us / bare.cpu_us, 3) for name, runs in found.items()
            },
        },
        indent=2,
    )


def _pin(servers: dict[str, Server]) -> None:
    """Servers on one core; the generator and the store on another."""
    if (os.cpu_count() or 1) < 2:
        print("one core only: the generator takes its time from the servers", file=sys.stderr)
        return
    for server in servers.values():
        server.tree.pin(SERVER_CORE, GENERATOR_CORE)
    os.sched_setaffinity(0, {GENERATOR_CORE})


def main() -> int:
    """Start everything, measure, print."""
    parser = argparse.ArgumentParser(description="What does a request cost?")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of each run")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each server")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args()
    if not PROC.is_dir():
        print("this benchmark reads CPU times from /proc, so it needs Linux", file=sys.stderr)
        return 1
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        gateway = stack.enter_context(running_gateway(None))
        own = Server(urlsplit(gateway.url).port or 0, ProcessTree(gateway.process.pid))
        answer = constant_answer(gateway.url, folder)
        servers = {
            kind: stack.enter_context(constant_server(kind, answer))
            for kind in ("bare", "starlette")
        }
        servers |= {"warm": own, "new": own}
        _pin(servers)
        try:
            found = uvloop.run(rounds(servers, Population(), options.seconds, options.rounds))
        except GeneratorError as error:
            print(f"the measurement broke off: {error}", file=sys.stderr)
            return 1
    print(table(found))
    if options.json is not None:
        options.json.write_text(as_json(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
