"""How much memory do clients take that are all different? It should not grow.

    python -m tests.benchmark.abuse_memory [--requests 300000] [--seconds 300]

Each request comes from a prefix of its own. One in ten asks for a playlist and names a session of
its own; the others ask for a path that does not exist, which is counted alike. The application runs
in this process, with its store in memory. The resident memory is printed ten times. It exits with 1
when the second half has grown by more than a tenth, and ends after ``--seconds``.
"""

import argparse
import asyncio
import sys
import time
from pathlib import Path

import uvloop

from tests.integration.in_process import application, ask

PARTS = 10
ALLOWED = 1.10
QUIET = {"GATEWAY_LOG__LEVEL": "error"}
PHONE = b"Mozilla/5.0 (Linux; Android 14; SM-S918B) Mobile"


def resident_mb() -> float:
    """The resident memory of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmRSS")


def prefix(number: int) -> str:
    """An address in a prefix of its own: half are IPv4, half are IPv6."""
    if number % 2:
        return f"2001:db8:{number >> 16:x}:{number & 0xFFFF:x}::1"
    return f"{11 + (number >> 16)}.{number >> 8 & 255}.{number & 255}.7"


async def measure(requests: int, seconds: float) -> list[float]:
    """The resident memory after each part, in MB."""
    app = application(environ=QUIET)
    ends_s = time.monotonic() + seconds
    found: list[float] = []
    async with app.lifespan(app):
        for number in range(requests):
            headers = [(b"user-agent", PHONE)]
            query = b"session=s%d&speed=4000" % number
            plays = number % 10 == 0
            path = "/v1/play/film.m3u8" if plays else "/nowhere"
            status, _, _ = await ask(app, path, query, headers, peer=prefix(number))
            assert status == (200 if plays else 404)
            if number % 50 == 0:
                await asyncio.sleep(0)  # the background tasks run
            if (number + 1) % (requests // PARTS) == 0:
                found.append(resident_mb())
                print(f"{number + 1:8,} {found[-1]:7.1f} MB", flush=True)
            if time.monotonic() > ends_s:
                print(f"stopped after {number + 1:,} requests", flush=True)
                break
    return found


def main() -> int:
    """Measure and compare."""
    parser = argparse.ArgumentParser(description="Does memory stay flat?")
    parser.add_argument("--requests", type=int, default=300_000)
    parser.add_argument("--seconds", type=float, default=300.0)
    options = parser.parse_args()
    found = uvloop.run(measure(options.requests, options.seconds))
    half = found[len(found) // 2 :]
    return int(len(half) > 1 and half[-1] > ALLOWED * half[0])


if __name__ == "__main__":
    sys.exit(main())
