"""How much memory does a worker take, and does it stay there? Random traffic, minute after minute.

    python -m tests.benchmark.memory [--minutes 10] [--json PATH]

One gateway with the City database is asked without a pause: three quarters by the audience of the
load test, which goes on, a quarter for what nobody asked for before, so that every cache fills to
its bound. Memory is what the kernel says in ``smaps_rollup``: resident (Rss), its share (Pss), how
much is the process's own, and how much is shared memory, where the copy of the GeoIP database is
mapped. Pages of that copy that were not read yet are not resident, but they are memory, too: the
whole file belongs to the machine's bill, once for each worker. The slope is that of the last half.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import uvloop

from tests.benchmark import contestants
from tests.benchmark.audience import Audience
from tests.benchmark.bench_generator import fire
from tests.benchmark.bench_process import Memory
from tests.benchmark.city import city_database
from tests.benchmark.contestants import Ground, Server

GOAL_MIB = 150.0
FLAT_MIB_PER_H = 12.0
"""Growth below this is within what the allocator's own moods do in a few minutes."""
CONNECTIONS = 8
BATCH = 2_000
SAMPLE_S = 5.0

Sample = tuple[float, Memory, int]
"""Seconds since the start, memory, and how many requests were answered so far."""


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the least-squares line through (x, y); 0 for fewer than two different x."""
    count = len(points)
    middle_x = sum(x for x, _ in points) / count
    middle_y = sum(y for _, y in points) / count
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    if not spread:
        return 0.0
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / spread


def growth_mib_per_h(samples: Sequence[Sample]) -> float:
    """The slope of resident memory over the last half of the time."""
    half = samples[-1][0] / 2
    late = [(at, memory.resident) for at, memory, _ in samples if at >= half]
    return 3600 * slope(late)


async def watched(server: Server, minutes: float) -> list[Sample]:
    """Ask for so many minutes, and look at the server's memory meanwhile."""
    audience = Audience()
    start = time.monotonic()
    answered = 0
    samples = [(0.0, server.process.memory(), 0)]
    print(f"{'min':>6} {'RSS MiB':>8} {'PSS MiB':>8} {'own':>8} {'shared':>8} {'requests':>10}")
    while (at := time.monotonic() - start) < 60 * minutes:
        requests = audience.new(BATCH * 3 // 4) + audience.cold(BATCH // 4)
        volley = await fire(server.port, requests, seconds=SAMPLE_S, connections=CONNECTIONS)
        answered += volley.requests
        at = time.monotonic() - start
        memory = server.process.memory()
        if at // 60 > samples[-1][0] // 60 or len(samples) == 1:
            print(_row(at, memory, answered), flush=True)
        samples.append((at, memory, answered))
    print(_row(*samples[-1]))
    return samples


def _row(at: float, memory: Memory, answered: int) -> str:
    return (
        f"{at / 60:6.1f} {memory.resident:8.1f} {memory.share:8.1f} {memory.own:8.1f}"
        f" {memory.shared_memory:8.1f} {answered:10}"
    )


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="How much memory does a worker take?")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--json", type=Path, help="where to write the samples")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ground = Ground(Path(folder), city_database())
        with contestants.gateway(ground.config_file()) as server:
            contestants.pin_all([server])
            samples = uvloop.run(watched(server, options.minutes))
    most = max((memory for _, memory, _ in samples), key=lambda memory: memory.resident)
    grows = growth_mib_per_h(samples)
    flat = "flat" if grows <= FLAT_MIB_PER_H else "not flat"
    size = ground.database.stat().st_size / 2**20
    files = most.resident - most.own - most.shared_memory
    print(f"most {most.resident:.0f} MiB resident (goal ≤ {GOAL_MIB:.0f})")
    parts = f"own {most.own:.0f}, libraries {files:.0f}, database {most.shared_memory:.0f}"
    print(f"of which {parts} of its {size:.0f} MiB")
    print(f"last half: {grows:+.1f} MiB/h, {flat} (≤ {FLAT_MIB_PER_H:.0f})")
    if options.json is not None:
        rows = [(at, memory.resident, memory.share, count) for at, memory, count in samples]
        options.json.write_text(json.dumps({"samples": rows, "mib_per_h": grows}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
