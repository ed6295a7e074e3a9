"""What does a steering answer cost, compared with an answer that says nothing?

    python -m tests.benchmark.steering_answers [--rounds 7] [--players 2500]

The gateway has the ten edges of ``make bench`` and is asked what players ask in the middle of a
film: with the RELOAD-URI of an earlier answer, their pathway and their throughput. The bare server
is stock uvicorn with httptools; it gives a steering answer's headers and bytes to the same
requests. Of ``named`` players the playlist knows a session, whose speed each request measures
anew; of the others it knows none. CPU is the server process's own accounting, and each round
measures all three servers, so that the ratio is of one moment. The goal is 3.0.
"""

import argparse
import contextlib
import json
import random
import re
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import httpx
import uvloop

from tests.benchmark import contestants
from tests.benchmark.bench_generator import fire
from tests.benchmark.city import city_database
from tests.benchmark.contestants import Ground, Server
from tests.load.population import SEED

GOAL: Final = 3.0
CONNECTIONS: Final = 16
HEADERS: Final = {
    "User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like "
    "Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Accept": "*/*",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Accept-Language": "en-US,en;q=0.9",
    "Origin": "https://www.example.com",
    "Referer": "https://www.example.com/",
}
NETWORKS: Final = (12, 24, 62, 81, 91, 103, 128, 130, 141, 177, 189, 196, 203, 210)
"""First bytes of addresses, which lie on all continents."""

_SERVER_URI = re.compile(r'SERVER-URI="([^"]+)"')


def players(server: Server, count: int, *, named: bool) -> tuple[list[bytes], httpx.Response]:
    """The next requests of ``count`` players that play already, and one of their last answers."""
    chance = random.Random(SEED)
    requests: list[bytes] = []
    answer: httpx.Response | None = None
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", headers=HEADERS) as client:
        while len(requests) < count:
            parts = (chance.choice(NETWORKS), *(chance.randrange(1, 255) for _ in range(3)))
            address = {"X-Forwarded-For": ".".join(map(str, parts))}
            path = f"/v1/play/film/{chance.randrange(200):03}.m3u8"
            session = f"?session={len(requests)}" if named else ""
            found = _SERVER_URI.search(client.get(path + session, headers=address).text)
            if found is None:
                raise SystemExit("the playlist is not steered")
            answer = client.get(found[1], headers=address)
            pathway = answer.json()["PATHWAY-PRIORITY"][0]
            report = (
                f"_HLS_pathway=%22{pathway}%22&_HLS_throughput={chance.randrange(10**6, 10**7)}"
            )
            lines = {**HEADERS, **address}.items()
            head = "".join(f"{name}: {value}\r\n" for name, value in lines)
            url = f"{answer.json()['RELOAD-URI']}&{report}"
            requests.append(f"GET {url} HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}\r\n".encode())
    assert answer is not None
    return requests, answer


async def cpu_us(server: Server, requests: Sequence[bytes]) -> float:
    """CPU of the server for each request, in µs."""
    before_s = server.process.own_cpu_s()
    volley = await fire(server.port, requests, seconds=None, connections=CONNECTIONS)
    return 1e6 * (server.process.own_cpu_s() - before_s) / volley.requests


def main() -> int:
    """Start the servers, measure, print."""
    parser = argparse.ArgumentParser(description="What does a steering answer cost?")
    parser.add_argument("--rounds", type=int, default=7, help="runs of each server")
    parser.add_argument("--players", type=int, default=2500, help="requests of a run")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        ground = Ground(Path(stack.enter_context(tempfile.TemporaryDirectory())), city_database())
        own = stack.enter_context(contestants.gateway(ground.config_file()))
        asked = {
            kind: players(own, options.players, named=kind == "named")
            for kind in ("unnamed", "named")
        }
        path = ground.folder / "answer.json"
        answer = asked["unnamed"][1]
        kept = [pair for pair in answer.headers.multi_items() if pair[0] != "date"]
        path.write_text(json.dumps({"headers": kept, "body": answer.text}))
        bare = stack.enter_context(contestants.constant("bare", path))
        contestants.pin_all([own, bare])
        field = {kind: (own, requests) for kind, (requests, _) in asked.items()}
        field["bare"] = (bare, asked["unnamed"][0])
        rounds = [
            {kind: uvloop.run(cpu_us(*contestant)) for kind, contestant in field.items()}
            for _ in range(options.rounds + 1)
        ][1:]  # the first warms up
    print(f"{'':10} {'CPU µs':>8} {'to bare':>8} {'goal':>6}")
    for kind in ("bare", "unnamed", "named"):
        own_us = statistics.median(one[kind] for one in rounds)
        ratio = statistics.median(one[kind] / one["bare"] for one in rounds)
        print(f"{kind:10} {own_us:8.1f} {ratio:8.2f} {GOAL:6.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
