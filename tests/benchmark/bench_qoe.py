"""What does a viewer see in the first minute: hls.js in Chromium, over an emulated network?

    python -m tests.benchmark.bench_qoe [--only network=0.6,state=prior] [--seconds 60] [--runs 3]
                                        [--jobs 1] [--traces [FOLDER]] [--fresh]

The same ladder is listed in three fixed orders, and by the gateway in three states: the speed is
known, unknown with the prior of the network, and unknown without one. Each run is written to
``build/qoe.jsonl`` when it ends, and is not repeated; ``--fresh`` begins again. The tables go to
standard output, and ``--svg`` writes the picture. ``--traces`` replays ten recorded networks.
The exit code is 1 when a cell misses its goal (docs/qoe.md); recorded networks have none.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, async_playwright

from tests import chromium
from tests.benchmark.qoe_media import ORDERS, RUNGS, film
from tests.benchmark.qoe_page import LATENCY_MS, Points, Stage, stage, watch
from tests.benchmark.qoe_picture import picture
from tests.benchmark.traces import TRACES, Trace, fraction, read_traces

NETWORKS = {"0.6": 600.0, "1.5": 1500.0, "4": 4000.0, "12": 12_000.0, "40": 40_000.0}
PERSONAL = ("known", "prior", "unknown")
STATES = (*ORDERS, *PERSONAL)
RESULTS = Path("build/qoe.jsonl")
WITHIN = 1.10
"""Of the best order's start-up, for a known speed and for a prior."""
AT_MOST = 2.0
"""Times the best start-up, for an unknown speed."""
TICK_MS = 25.0
"""What a start-up may differ by without a reason: a frame, and a timer of hls.js."""
HEADROOM = 0.8
TRACE_SKIP_S = 10.0
"""What a trace's viewer has measured before, in the state "known"."""


@dataclass(frozen=True, slots=True)
class Job:
    """One run to do: ``number`` is the network's."""

    network: str
    number: int
    points: Points
    kbps: float
    state: str
    run: int
    seconds: float

    @property
    def key(self) -> tuple[object, ...]:
        """What makes a run the same as another one."""
        return self.network, self.state, self.run, self.seconds


Row = dict[str, float]
"""The medians of a cell."""
Cells = dict[tuple[str, str], Row]
"""By network and state."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do the runs that are missing, and print the tables of all that were asked for."""
    given = _parse(arguments)
    jobs = [job for job in _jobs(given) if _wanted(job, given.only)]
    if not jobs:
        print(f"--only {given.only} leaves nothing to run", file=sys.stderr)
        return 2
    if given.traces and given.jobs > 1:
        print("--traces needs --jobs 1: the edge itself is as slow as the network", file=sys.stderr)
        return 2
    if given.fresh:
        given.results.unlink(missing_ok=True)
    done = read(given.results)
    missing = [job for job in jobs if job.key not in done]
    if missing:
        minutes = len(missing) * (given.seconds + 3) / given.jobs / 60
        print(f"{len(missing)} of {len(jobs)} runs, about {minutes:.0f} min", file=sys.stderr)
        asyncio.run(_run(missing, given.jobs, given.results))
        done = read(given.results)
    cells = medians(done[job.key] for job in jobs)
    networks, states = _in_order(job.network for job in jobs), _in_order(job.state for job in jobs)
    print(table(cells, networks, states, given))
    if given.svg:
        given.svg.write_text(picture(cells, networks, states))
    if given.traces:  # what a network holds later is not known when it starts: no goals
        return 0
    misses = missed(cells, networks)
    print("\n".join(misses) if misses else "No cell misses its goal.")
    return 1 if misses else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmark.bench_qoe")
    parser.add_argument("--only", default="", help="such as network=0.6,state=prior")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of a run")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1, help="pages at once")
    parser.add_argument("--traces", type=Path, nargs="?", const=TRACES, help="recorded networks")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--fresh", action="store_true", help="forget earlier results")
    parser.add_argument("--svg", type=Path, help="write the picture there")
    return parser.parse_args(arguments)


def _jobs(given: argparse.Namespace) -> Iterator[Job]:
    if given.traces:
        networks = [recorded(trace, given.seconds) for trace in chosen(given.traces, given.seconds)]
    else:
        networks = [(name, ((0.0, kbps),), kbps) for name, kbps in NETWORKS.items()]
    for run in range(given.runs):
        for number, (name, points, kbps) in enumerate(networks):
            for state in STATES:
                yield Job(name, number, points, kbps, state, run, given.seconds)


def chosen(folder: Path, seconds: float) -> list[Trace]:
    """Ten traces that are long enough and carry the lowest rung: of each family those that come
    first by a hash of their names, of the side on which nothing was tuned."""
    by_family: dict[str, list[Trace]] = {}
    for trace in sorted(read_traces(folder), key=lambda trace: fraction(trace.name)):
        long_enough = trace.ends_s[-1] >= TRACE_SKIP_S + seconds
        if not trace.tuning and long_enough and trace.mean_kbps(0, seconds) > RUNGS[0][1]:
            by_family.setdefault(trace.family, []).append(trace)
    turns = [
        found for at in range(10) for all_ in by_family.values() for found in all_[at : at + 1]
    ]
    return sorted(turns[:10], key=lambda trace: trace.family)


def recorded(trace: Trace, seconds: float) -> tuple[str, Points, float]:
    """A trace as a network: its name, what it carries in each second after the first ten, and what
    it carried in these."""
    times = [TRACE_SKIP_S + at for at in range(int(seconds) + 1)]
    points = tuple((1.0, trace.mean_kbps(at, min(at + 1, trace.ends_s[-1]))) for at in times)
    return f"{trace.family} {trace.name}", points, trace.mean_kbps(0, TRACE_SKIP_S)


def _wanted(job: Job, only: str) -> bool:
    pairs = [pair.partition("=") for pair in only.split(",") if pair]
    values: dict[str, set[str]] = {}
    for name, _, value in pairs:
        values.setdefault(name, set()).add(value)
    unknown = set(values) - {"network", "state"}
    if unknown:
        raise SystemExit(f"--only: {', '.join(sorted(unknown))}: only network and state are known")
    return all(getattr(job, name) in allowed for name, allowed in values.items())


def read(file: Path) -> dict[tuple[object, ...], dict[str, object]]:
    """The runs of a results file, by their keys."""
    if not file.is_file():
        return {}
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    return {(row["network"], row["state"], row["run"], row["seconds"]): row for row in rows}


async def _run(jobs: Sequence[Job], at_once: int, results: Path) -> None:
    results.parent.mkdir(parents=True, exist_ok=True)
    executable = chromium.executable()
    if executable is None:
        raise SystemExit("no chromium on the PATH (apt-get install chromium)")
    limit = asyncio.Semaphore(at_once)
    with tempfile.TemporaryDirectory() as folder:
        async with stage(Path(folder), film()) as on, async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=executable, args=chromium.ARGUMENTS, chromium_sandbox=False
            )
            await asyncio.gather(*(_one(browser, on, job, limit, results) for job in jobs))
            await browser.close()


async def _one(
    browser: Browser, on: Stage, job: Job, limit: asyncio.Semaphore, results: Path
) -> None:
    async with limit:
        url, viewer = on.playlist(job.state, job.number, job.kbps)
        seen = await watch(browser, on, url, viewer, job.points, job.seconds)
    row = {
        "network": job.network,
        "state": job.state,
        "run": job.run,
        "seconds": job.seconds,
        **seen,
    }
    with results.open("a") as opened:
        opened.write(json.dumps(row) + "\n")
    print(json.dumps(row), file=sys.stderr)


def medians(rows: Iterator[dict[str, object]] | Sequence[dict[str, object]]) -> Cells:
    """The median of each figure in each cell. A run without a picture counts as one that begins
    when it ends."""
    grouped: dict[tuple[str, str], list[dict[str, object]]] = {}
    for row in rows:
        grouped.setdefault((str(row["network"]), str(row["state"])), []).append(row)
    found = {}
    for cell, runs in grouped.items():
        values: dict[str, list[float]] = {}
        for run in runs:
            late = float(str(run["seconds"])) * 1000
            for name in ("startup_ms", "first_kbps", "stalled_s", "mean_kbps", "switches"):
                value = run[name]
                if value is None:
                    value = late if name == "startup_ms" else 0.0
                values.setdefault(name, []).append(float(str(value)))
        found[cell] = {name: statistics.median(all_) for name, all_ in values.items()}
    return found


def table(
    cells: Cells, networks: Sequence[str], states: Sequence[str], given: argparse.Namespace
) -> str:
    """Start-up, first bit rate, stalls, mean bit rate and switches of each cell, as Markdown."""
    title = f"Medians of {given.runs} runs, the first {given.seconds:g} s, latency {LATENCY_MS} ms"
    lines = [
        f"{title}: start-up ms → first kbit/s; stalled s, mean kbit/s, switches.",
        "",
        "| network | " + " | ".join(states) + " |",
        "|---|" + "---|" * len(states),
    ]
    for network in networks:
        row = [_cell(cells[network, state]) for state in states]
        lines.append(f"| {network} | " + " | ".join(row) + " |")
    return "\n".join([*lines, ""])


def _cell(row: Row) -> str:
    return (
        f"{row['startup_ms']:.0f} → {row['first_kbps']:.0f}; {row['stalled_s']:.1f}, "
        f"{row['mean_kbps']:.0f}, {row['switches']:g}"
    )


def missed(cells: Cells, networks: Sequence[str]) -> list[str]:
    """The goals that a cell misses, a sentence each.

    A known speed or a prior: no fixed order that starts on as high a rung does it sooner by a
    tenth, and it is the highest rung within ``HEADROOM`` of the network. An unknown speed: at most
    twice the soonest start of all.
    """
    found: list[str] = []
    for network in networks:
        orders = [cells[network, order] for order in ORDERS if (network, order) in cells]
        if len(orders) < len(ORDERS):
            continue
        for state in PERSONAL:
            if (network, state) in cells:
                found += _missed(f"{network} Mbit/s, {state}", cells[network, state], orders, state)
    for network in networks:
        for state in ("known", "prior"):
            if (network, state) in cells and network in NETWORKS:
                first = cells[network, state]["first_kbps"]
                within = [rung[1] for rung in RUNGS if rung[1] <= NETWORKS[network] * HEADROOM]
                held = max(within, default=RUNGS[0][1])
                if first < held * 0.9:
                    found.append(f"{network} Mbit/s, {state}: starts on {first:.0f}, not on {held}")
    return found


def _missed(name: str, row: Row, orders: Sequence[Row], state: str) -> Iterator[str]:
    startup = row["startup_ms"]
    if state == "unknown":
        best = min(order["startup_ms"] for order in orders)
        if startup > AT_MOST * best + TICK_MS:
            yield f"{name}: {startup:.0f} ms is more than {AT_MOST:g} times {best:.0f} ms"
        return
    as_high = [o["startup_ms"] for o in orders if o["first_kbps"] >= row["first_kbps"] * 0.95]
    if as_high and startup > WITHIN * min(as_high) + TICK_MS:
        yield f"{name}: {startup:.0f} ms, but an order that starts as high needs {min(as_high):.0f}"


def _in_order(names: Iterator[str]) -> list[str]:
    return list(dict.fromkeys(names))


if __name__ == "__main__":
    sys.exit(main())
