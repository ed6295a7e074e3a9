"""What does a CMCD report cost, compared with a bare ASGI answer?

    python -m tests.benchmark.cmcd_reports [--seconds 3] [--rounds 5]

Measured in turn, several rounds, medians, on one server core with the generator and the store on
another:

- ``bare``: an ASGI callable that gives a constant answer to a GET, on stock uvicorn with uvloop
  and httptools;
- ``livez``: the gateway's cheapest answer, to the same GET: what its server and its envelope cost;
- ``alone``: the gateway, asked with one report in each POST;
- ``batches``: the gateway, asked with ten reports of one player in each POST. CPU is for each
  report.

CPU is the server process's own accounting, and holds what is done after the answer: reading the
reports, and writing the records of their sessions. A measurement in which more than a few reports
were dropped fails.
"""

import argparse
import asyncio
import contextlib
import json
import random
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import httpx
import uvloop

from tests.benchmark import contestants
from tests.benchmark.bench_generator import GeneratorError, fire
from tests.benchmark.bench_process import PROC
from tests.benchmark.bench_ratios import Ratio, ratio_table
from tests.benchmark.city import city_database
from tests.benchmark.contestants import Ground, Server
from tests.integration.reading_metrics import metric

PLAYERS = 2_000
BATCH = 10
CONNECTIONS = 16
SETTLE_S = 0.5
"""After the last answer: what waits is read, and written."""
DROPPED_AT_MOST = 0.001
"""Share of the reports; on a busy machine, the store misses a deadline now and then."""
RATE = 12_000
"""So many requests are made beforehand for each second of a run."""
GOALS = {"livez": None, "alone": 2.5, "batches": 1.0}
_WINDOWS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Safari/537.36"
)
_PHONE = (
    "Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Mobile Safari/537.36"
)
_AGENTS = (_WINDOWS, _PHONE)


class Player:
    """One of the players: what it sends with each request, and its reports one after the other."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        chance = self._chance
        self.sid = f"{chance.getrandbits(32):08x}-7d1a-4039-91d0-{chance.getrandbits(48):012x}"
        self._kbps = chance.randint(1_000, 40_000)
        self._sent = 0
        address = f"{chance.randint(1, 223)}.{chance.randint(0, 255)}.{chance.randint(0, 255)}.7"
        self.headers = (
            f"Host: play.example.com\r\nX-Forwarded-For: {address}\r\n"
            f"User-Agent: {chance.choice(_AGENTS)}\r\nAccept: */*\r\n"
            "Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB\r\n"
            "Origin: https://tv.example.com\r\nReferer: https://tv.example.com/\r\n"
        )

    def report(self) -> str:
        """Its next report, as the library of SVTA writes them."""
        chance, self._sent = self._chance, self._sent + 1
        mtp = round(self._kbps * chance.uniform(0.8, 1.2) / 100) * 100
        starved = "bs," if chance.random() < 0.02 else ""
        delay = f"msd={chance.randint(300, 3000)}," if self._sent == 1 else ""
        return (
            f"bl=({chance.randrange(2000, 30000, 100)}),br=({chance.randint(300, 8000)};v 128;a),"
            f'{starved}cdn="eu-west-1",cid="film-{chance.randint(1, 200)}",e=t,{delay}'
            f'mtp=({mtp};v),pt={self._sent * 10_000},sf=h,sid="{self.sid}",sn={self._sent},st=v,'
            f"sta=p,tb=(8000;v),ts={1_800_000_000_000 + self._sent * 10_000},v=2"
        )

    def post(self, reports: int) -> bytes:
        """A request with so many reports."""
        body = "".join(f"{self.report()}\n" for _ in range(reports)).encode()
        head = (
            f"POST /v1/cmcd HTTP/1.1\r\n{self.headers}Content-Type: application/cmcd\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def get(self) -> bytes:
        """A request without a body."""
        return f"GET /livez HTTP/1.1\r\n{self.headers}\r\n".encode()


def requests(players: Sequence[Player], kind: str) -> Iterator[bytes]:
    """One request of each player, in turn."""
    while True:
        for player in players:
            if kind in {"bare", "livez"}:
                yield player.get()
            else:
                yield player.post(BATCH if kind == "batches" else 1)


async def cpu_us(server: Server, kind: str, players: Sequence[Player], seconds: float) -> float:
    """CPU for each request of ``kind``, or each report of a batch, in µs."""
    stream = requests(players, kind)
    asked = [next(stream) for _ in range(int(RATE * seconds))]
    before_s = server.process.own_cpu_s()
    volley = await fire(server.port, asked, seconds=seconds, connections=CONNECTIONS)
    await asyncio.sleep(SETTLE_S)
    used_s = server.process.own_cpu_s() - before_s
    return 1e6 * used_s / volley.requests / (BATCH if kind == "batches" else 1)


async def measured(
    servers: Mapping[str, Server], seconds: float, rounds: int
) -> list[dict[str, float]]:
    """CPU in µs of each kind, in each round."""
    players = [Player(seed) for seed in range(PLAYERS)]
    warm = [player.post(1) for player in players]
    await fire(servers["alone"].port, warm, seconds=None, connections=CONNECTIONS)
    found: list[dict[str, float]] = []
    for number in range(rounds):
        found.append({})
        for kind, server in servers.items():
            found[-1][kind] = await cpu_us(server, kind, players, seconds)
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
    return found


def constant_answer(folder: Path) -> Path:
    """The headers of the gateway's answer, for the bare server."""
    headers = [
        ("content-length", "0"),
        ("access-control-allow-origin", "*"),
        ("timing-allow-origin", "*"),
        ("x-request-id", "0123456789abcdef"),
    ]
    path = folder / "answer.json"
    path.write_text(json.dumps({"headers": headers, "body": ""}))
    return path


def table(rounds: Sequence[Mapping[str, float]]) -> str:
    """CPU for people: medians, and the span."""
    lines = [f"{'':10} {'CPU µs':>8} {'span':>13}"]
    for kind in rounds[0]:
        values = [each[kind] for each in rounds]
        span = f"{min(values):.1f}-{max(values):.1f}"
        lines.append(f"{kind:10} {statistics.median(values):8.1f} {span:>13}")
    return "\n".join(lines)


def ratios(rounds: Sequence[Mapping[str, float]]) -> dict[str, Ratio]:
    """What a report, and the cheapest answer, cost to a bare one: the median of the rounds."""
    return {
        f"{kind}: CPU to bare": Ratio(
            statistics.median(each[kind] / each["bare"] for each in rounds), goal
        )
        for kind, goal in GOALS.items()
    }


def main() -> int:
    """Start both servers, measure, print."""
    parser = argparse.ArgumentParser(description="What does a CMCD report cost?")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each run")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each kind")
    options = parser.parse_args()
    if not PROC.is_dir():
        print("this benchmark reads CPU times from /proc, so it needs Linux", file=sys.stderr)
        return 1
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ground = Ground(folder, city_database())
        own = stack.enter_context(contestants.gateway(ground.config_file()))
        bare = stack.enter_context(contestants.constant("bare", constant_answer(folder)))
        contestants.pin_all([own, bare])
        servers = {"bare": bare, "livez": own, "alone": own, "batches": own}
        try:
            rounds = uvloop.run(measured(servers, options.seconds, options.rounds))
        except GeneratorError as error:
            print(f"the measurement broke off: {error}", file=sys.stderr)
            return 1
        dropped = metric(own.admin_url, "gateway_cmcd_reports_dropped_total")
        read = metric(own.admin_url, "gateway_cmcd_reports_total")
        httpx.get(f"{own.admin_url}/livez").raise_for_status()
    print(table(rounds))
    print()
    print(ratio_table(ratios(rounds)))
    print(f"\n{read:.0f} reports of {PLAYERS} players were read, {dropped:.0f} were dropped")
    return 1 if dropped > read * DROPPED_AT_MOST else 0


if __name__ == "__main__":
    sys.exit(main())
