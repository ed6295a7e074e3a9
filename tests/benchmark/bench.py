"""What does a request cost, and how much of it is the gateway's own?

    python -m tests.benchmark.bench [--seconds 3] [--rounds 5] [--only real,bare] [--json PATH]

Measured in turn, several rounds, medians, on one server core with the generator and the stores on
another:

- ``bare``          an ASGI callable that gives a constant answer: what uvicorn costs;
- ``starlette``     a Starlette route that gives a constant answer;
- ``nginx``         what one would run instead (:mod:`tests.benchmark.opponent`);
- ``real``          the gateway, asked what real players ask, its caches warm;
- ``new``, ``cold`` another gateway, asked by the load test's audience, and for what shares nothing
  with any request before (:mod:`tests.benchmark.audience`);
- ``bare-granian``, ``real-granian``  ``bare`` and ``real`` on granian instead of uvicorn.

All but ``new`` and ``cold`` are asked the same requests, those of ``real``, each once; the constant
answer has the headers and the size of a gateway's. CPU is the server process's own accounting. The
machine's noise is in all of them alike, so the ratios of one invocation are what counts; see
``docs/performance.md``.
"""

import argparse
import contextlib
import json
import os
import platform
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import httpx
import uvloop

from tests.benchmark import contestants, editing, opponent
from tests.benchmark.agreement import Agreement, agreement, taken_apart
from tests.benchmark.audience import Audience, Mix
from tests.benchmark.bench_generator import GeneratorError, fire
from tests.benchmark.bench_process import PROC
from tests.benchmark.bench_ratios import Ratio, Run, as_json, median, ratio_table, ratios
from tests.benchmark.city import city_database
from tests.benchmark.contestants import Ground, Server
from tests.benchmark.real_players import RealPlayers
from tests.load.population import SEED, Population

RATES: Mapping[Mix, int] = {"real": 10_000, "new": 5_000, "cold": 5_000}
"""So many requests are made beforehand for each second of a run; a run that has used them all ends
early, as those of the constant servers do."""
CONNECTIONS = 16
COMPARED_ANSWERS = 1_000
BUSY = 0.9
WARM_UP: Mapping[Mix, int] = {"real": 50_000, "new": 12_000, "cold": 0}
"""So many requests come before the first run. After as many of ``real`` the gateway finds some
96 % of its decisions in its own caches, and more do not help much: the caches are full."""
WARM_AGAIN = 1_000
"""So many come before each run of ``real``: the others' turns emptied the processor's caches."""
_DECISIONS = re.compile(r'^gateway_decisions_total\{.*?cache="(\w+)".*?\} (\S+)$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Contestant:
    """A server and what it is asked."""

    server: Server
    mix: Mix


async def measure(server: Server, requests: Sequence[bytes], seconds: float) -> Run:
    """Ask ``server`` each of ``requests`` once, but for ``seconds`` at most; what that took."""
    own_s, store_s = server.process.own_cpu_s(), server.store_cpu_s()
    volley = await fire(server.port, requests, seconds=seconds, connections=CONNECTIONS)
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
    players = RealPlayers(SEED + 1)
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}") as client:
        answers = []
        for _ in range(101):
            target, headers = taken_apart(players.requests(1)[0])
            answers.append(client.get(target, headers={**headers, "Accept-Encoding": "identity"}))
    answers.sort(key=lambda answer: len(answer.content))
    middle = answers[len(answers) // 2].raise_for_status()
    kept = [pair for pair in middle.headers.multi_items() if pair[0] != "date"]
    path = folder / "answer.json"
    path.write_text(json.dumps({"headers": kept, "body": middle.text}))
    return path


def started(stack: contextlib.ExitStack, ground: Ground) -> dict[str, Contestant]:
    """Every contestant that can run here."""
    own = stack.enter_context(contestants.gateway(ground.config_file()))
    answer = constant_answer(own, ground.folder)
    found = {
        kind: Contestant(stack.enter_context(contestants.constant(kind, answer)), "real")
        for kind in ("bare", "starlette")
    }
    why = opponent.missing()
    if why is None:
        found["nginx"] = Contestant(stack.enter_context(contestants.nginx(ground)), "real")
    else:
        print(f"NOT MEASURED: {why}", file=sys.stderr)
    found["real"] = Contestant(own, "real")
    other = stack.enter_context(contestants.gateway(ground.config_file()))
    found |= {"new": Contestant(other, "new"), "cold": Contestant(other, "cold")}
    bare = stack.enter_context(contestants.constant_on_granian(answer))
    real = stack.enter_context(contestants.gateway_on_granian(ground))
    return found | {
        "bare-granian": Contestant(bare, "real"),
        "real-granian": Contestant(real, "real"),
    }


async def measured_rounds(
    field: Mapping[str, Contestant], seconds: float, count: int
) -> list[dict[str, Run]]:
    """Every contestant in turn, ``count`` times over; those of one mix are asked the same."""
    audience = Audience(Population(SEED + 2), RealPlayers(SEED + 2))
    mixes = {contestant.mix for contestant in field.values()}
    await warm_up([each.server for each in field.values() if each.mix == "real"], audience, "real")
    await warm_up([each.server for each in field.values() if each.mix == "new"], audience, "new")
    found: list[dict[str, Run]] = []
    for number in range(count):
        asked = {mix: audience.of(mix, int(RATES[mix] * seconds)) for mix in mixes}
        found.append({})
        for name, contestant in field.items():
            if contestant.mix == "real":
                await warm_up([contestant.server], audience, "real", WARM_AGAIN)
            found[-1][name] = await measure(contestant.server, asked[contestant.mix], seconds)
        print(f"round {number + 1} of {count}", file=sys.stderr)
    return found


async def warm_up(
    servers: Sequence[Server], audience: Audience, mix: Mix, number: int | None = None
) -> None:
    """Ask each of ``servers`` for ``number`` of ``mix`` (None: as many as it takes to warm them)
    before it counts."""
    if not servers:
        return
    requests = audience.of(mix, WARM_UP[mix] if number is None else number)
    for server in servers:
        await fire(server.port, requests, seconds=None, connections=CONNECTIONS)


def decisions_by_cache(text: str) -> dict[str, float]:
    """Shares of a gateway's decisions by where they came from, out of the text of ``/metrics``."""
    counts: Counter[str] = Counter()
    for cache, count in _DECISIONS.findall(text):
        counts[cache] += round(float(count))
    return {cache: count / counts.total() for cache, count in counts.most_common()}


def caches_line(name: str, server: Server) -> str:
    """How warm a gateway's caches were since its start, and how often it had no store (``off``):
    then it did less than it should."""
    text = httpx.get(f"{server.admin_url}/metrics").text
    shares = ", ".join(f"{cache} {share:.1%}" for cache, share in decisions_by_cache(text).items())
    return f"decisions of {name} by cache: {shares}"


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
        if "nginx" in field:
            ports = field["real"].server.port, field["nginx"].server.port
            alike = agreement(*ports, RealPlayers().requests(COMPARED_ANSWERS))
            print(alike)
        if options.only is not None:
            field = {name: field[name] for name in options.only.split(",")}
        try:
            rounds = uvloop.run(measured_rounds(field, options.seconds, options.rounds))
        except GeneratorError as error:
            print(f"the measurement broke off: {error}", file=sys.stderr)
            return 1
        if "real" in field:  # on granian, the gateway has no listener for operators
            print(caches_line("real", field["real"].server))
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
