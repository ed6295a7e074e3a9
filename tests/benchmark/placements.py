"""What does a lease cost? ``python -m tests.benchmark.placements`` prints microseconds of this
process's CPU and of waiting for each placement, and bytes of Redis for each lease."""

import asyncio
import tempfile
import time
from pathlib import Path

from gateway.edge.edge import Edge
from gateway.edge.fleet import Fleet
from gateway.store.connection.connect import connect
from gateway.store.connection.keys import LEASE_ENDS, LEASES
from gateway.store.coordination.leases import Leases
from tests.unit.store.servers import Valkey, valkey

SESSIONS = 20_000
AT_ONCE = 64
LINE = tuple(
    Edge(f"edge-{number}", f"https://{number}.example/", capacity_kbps=10**9) for number in range(6)
)


async def place_all(url: str, at_once: int, prefix: str) -> tuple[float, float]:
    """Microseconds of CPU and of waiting for each of ``SESSIONS`` placements."""
    store = connect(url, timeout_ms=1000)
    await store.start()
    leases = Leases(store, 900, lambda: 1)
    leases.use(Fleet.of(LINE))
    waited = 0.0

    async def some(first: int) -> None:
        nonlocal waited
        for number in range(first, SESSIONS, at_once):
            start = time.perf_counter()
            await leases.place(f"{prefix}-{number}", "film", 2500, LINE, None, take=True)
            waited += time.perf_counter() - start

    cpu = time.process_time()
    await asyncio.gather(*map(some, range(at_once)))
    cpu = time.process_time() - cpu
    await store.close()
    return cpu / SESSIONS * 1e6, waited / SESSIONS * 1e6


def script_us(server: Valkey) -> float:
    """Microseconds that a run of the script took inside Valkey, on average; counted anew then."""
    with server.client() as client:
        stats = client.info("commandstats").get("cmdstat_evalsha", {})
        client.config_resetstat()
    return float(stats.get("usec_per_call", 0))


def main() -> None:
    """Print a table."""
    print(f"{'':28}{'CPU, µs':>10}{'wait, µs':>10}{'Redis, µs':>11}")
    with tempfile.TemporaryDirectory() as folder, valkey(Path(folder)) as server:
        for name, url, at_once in (
            ("Redis, one at a time", server.url, 1),
            (f"Redis, {AT_ONCE} at a time", server.url, AT_ONCE),
            ("this process alone", "memory", 1),
        ):
            cpu, wait = asyncio.run(place_all(url, at_once, name))
            print(f"{name:28}{cpu:10.0f}{wait:10.0f}{script_us(server):11.0f}")
        with server.client() as client:
            size = sum(client.memory_usage(key, samples=0) or 0 for key in (LEASES, LEASE_ENDS))
            print(f"Redis holds {size / client.zcard(LEASE_ENDS):.0f} bytes for each lease")


if __name__ == "__main__":
    main()
