"""What does a request cost, and how much of it is the gateway's own?

    python -m tests.benchmark.bench [--seconds 3] [--rounds 5] [--only warm,bare] [--json PATH]

Measured in turn, several rounds, medians, on one server core with the generator and the stores on
another:

- ``bare``          an ASGI callable that gives a constant answer: what uvicorn costs;
- ``starlette``     a Starlette route that gives a constant answer;
- ``nginx``         what one would run instead (:mod:`tests.benchmark.opponent`), asked as ``warm``;
- ``warm``          the gateway, asked for what it was asked seconds before: it knows every answer;
- ``new``           the gateway, asked what nobody asked before, by the same audience;
- ``cold``          the gateway, asked for what shares nothing with any request before;
- ``bare-granian``, ``warm-granian``  ``bare`` and ``warm`` on granian instead of uvicorn.

All answer the same kind of request, and the constant answer has the headers and the size of a
gateway's. CPU is the server process's own accounting. The machine's noise is in all of them alike,
so the ratios of one invocation are what counts; see ``docs/performance.md``.
"""

import argparse
import contextlib
import json
import os
import platform
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import httpx
import uvloop

from tests.benchmark import contestants, editing, opponent
from tests.benchmark.agreement import Agreement, agreement
from tests.benchmark.audience import WARM_REQUESTS, Audience
from tests.benchmark.bench_generator import GeneratorError, fire
from tests.benchmark.bench_process import PROC
from tests.benchmark.bench_ratios import Ratio, Run, as_json, median, ratio_table, ratios
from tests.benchmark.city import city_database
from tests.benchmark.contestants import Ground, Server
from tests.load.population import SEED, Population

RATE_GUESS = 4_000
"""So many requests are made beforehand for each second of ``new`` and ``cold``; a run that has used
them all ends early."""
CONNECTIONS = 16
COMPARED_ANSWERS = 1_000
BUSY = 0.9
WARMING = 3
"""So often is everything asked for until it is warm."""
Mix = Literal["warm", "new", "cold"]


@dataclass(frozen=True, slots=True)
class Contestant:
    """A server and what it is asked."""

    server: Server
    mix: Mix


async def measure(
    server: Server, requests: Sequence[bytes], seconds: float, *, once: bool = False
) -> Run:
    """Ask ``server`` for ``seconds`` and say what it took."""
    own_s, store_s = server.process.own_cpu_s(), server.store_cpu_s()
    volley = await fire(server.port, requests, seconds=seconds, connections=CONNECTIONS, once=once)
    own_s = server.process.own_cpu_s() - own_s
    store_s = server.store_cpu_s() - store_s
    return Run(
        requests_per_s=volley.requests / volley.seconds,
        cpu_us=1e6 * own_s / volley.requests,
        store_cpu_us=1e6 * store_s / volley.requests,
        busy=own_s / volley.seconds,
        generator_load=volley.own_cpu_s / volley.seconds,
        p50_ms=volley.latency_ms(0.50),
        p99_ms=volley.latency_ms(0.99),
    )


def constant_answer(server: Server, folder: Path) -> Path:
    """A file with the gateway's answer of median size, for the servers that give it always."""
    audience = Population(SEED + 1)
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}") as client:
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


def started(stack: contextlib.ExitStack, ground: Ground) -> dict[str, Contestant]:
    """Every contestant that can run here."""
    own = stack.enter_context(contestants.gateway(ground.config_file()))
    answer = constant_answer(own, ground.folder)
    found = {
        kind: Contestant(stack.enter_context(contestants.constant(kind, answer)), "warm")
        for kind in ("bare", "starlette")
    }
    why = opponent.missing()
    if why is None:
        found["nginx"] = Contestant(stack.enter_context(contestants.nginx(ground)), "warm")
    else:
        print(why, file=sys.stderr)
    found |= {"warm": Contestant(own, "warm")}
    found |= {"new": Contestant(own, "new"), "cold": Contestant(own, "cold")}
    bare = stack.enter_context(contestants.constant_on_granian(answer))
    warm = stack.enter_context(contestants.gateway_on_granian(ground))
    return found | {
        "bare-granian": Contestant(bare, "warm"),
        "warm-granian": Contestant(warm, "warm"),
    }


async def measured_rounds(
    field: Mapping[str, Contestant], warm: list[bytes], seconds: float, count: int
) -> list[dict[str, Run]]:
    """Every contestant in turn, ``count`` times over."""
    audience = Audience(Population(SEED + 2))
    found: list[dict[str, Run]] = []
    for number in range(count):
        found.append({})
        for name, contestant in field.items():
            once = contestant.mix != "warm"
            requests = warm
            if once:
                made = int(RATE_GUESS * seconds)
                requests = audience.cold(made) if contestant.mix == "cold" else audience.new(made)
            else:  # what the others' turns have let go cold; the gateway keeps what comes again
                port = contestant.server.port
                await fire(port, warm * WARMING, seconds=None, connections=CONNECTIONS)
            found[-1][name] = await measure(contestant.server, requests, seconds, once=once)
        print(f"round {number + 1} of {count}", file=sys.stderr)
    return found


def table(rounds: Sequence[Mapping[str, Run]]) -> str:
    """The figures for people: medians, and the span of CPU."""
    head = (
        f"{'':13} {'req/s':>8} {'CPU µs':>8} {'span':>13} {'store µs':>9} {'busy':>6}"
        f" {'generator':>10} {'p50 ms':>7} {'p99 ms':>7}"
    )
    lines = [head]
    for name in rounds[0]:
        runs = [each[name] for each in rounds]
        run = median(runs)
        span = f"{min(each.cpu_us for each in runs):.0f}-{max(each.cpu_us for each in runs):.0f}"
        lines.append(
            f"{name:13} {run.requests_per_s:8.0f} {run.cpu_us:8.1f} {span:>13}"
            f" {run.store_cpu_us:9.1f} {run.busy:6.0%} {run.generator_load:10.0%}"
            f" {run.p50_ms:7.2f} {run.p99_ms:7.2f}"
        )
    if any(median([each[name] for each in rounds]).busy < BUSY for name in rounds[0]):
        lines.append(
            f"Where busy is below {BUSY:.0%}, something else had the core, or the generator was too"
            " slow: requests/s are too few there, CPU is right."
        )
    return "\n".join(lines)


def document(
    rounds: Sequence[Mapping[str, Run]],
    found: Mapping[str, Ratio],
    alike: Agreement | None,
    database: Path,
) -> str:
    """The figures for machines, with what one must know to compare them."""
    packages = ("uvicorn", "uvloop", "httptools", "starlette", "granian")
    return json.dumps(
        {
            "ratios": as_json(found),
            "seed": SEED,
            "database": database.name,
            "agreement_with_nginx": None if alike is None else alike.shares,
            "machine": {
                "cores": os.cpu_count(),
                "load": os.getloadavg(),
                "platform": platform.platform(),
                "python": platform.python_version(),
                **{name: version(name) for name in packages},
            },
            "rounds": [
                {
                    name: {figure: round(getattr(run, figure), 3) for figure in Run.__slots__}
                    for name, run in each.items()
                }
                for each in rounds
            ],
        },
        indent=2,
    )


def main() -> int:
    """Start everything, measure, print."""
    parser = argparse.ArgumentParser(description="What does a request cost?")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each run")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each contestant")
    parser.add_argument("--only", help="contestants, separated by commas; all without")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args()
    if not PROC.is_dir():
        print("this benchmark reads CPU times from /proc, so it needs Linux", file=sys.stderr)
        return 1
    alike = None
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ground = Ground(folder, city_database())
        field = started(stack, ground)
        contestants.pin_all([contestant.server for contestant in field.values()])
        warm = Audience().new(WARM_REQUESTS)
        if "nginx" in field:
            ports = field["warm"].server.port, field["nginx"].server.port
            alike = agreement(*ports, warm[:COMPARED_ANSWERS])
            print(alike)
        if options.only is not None:
            field = {name: field[name] for name in options.only.split(",")}
        try:
            rounds = uvloop.run(measured_rounds(field, warm, options.seconds, options.rounds))
        except GeneratorError as error:
            print(f"the measurement broke off: {error}", file=sys.stderr)
            return 1
    found = {**ratios(rounds), **editing.ratios()}
    print(table(rounds))
    print()
    print(ratio_table(found))
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(document(rounds, found, alike, ground.database) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
