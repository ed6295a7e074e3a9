"""How long do the slowest wait? Requests at times that do not depend on the answers.

    python -m tests.benchmark.tail [--seconds 15] [--rounds 3]

An open loop: requests are due at the moments of a Poisson process, at half of what the server can
answer at most (measured just before, by the benchmark's closed loop). A request's time counts from
when it was *due*, whether or not a connection was free then: a server that stalls delays all who
come meanwhile, and every one of them is counted (no coordinated omission). The gateway at half of
its own maximum, nginx at half of its own; rounds take turns. ``--mix`` is ``real`` or ``new``
(:mod:`tests.benchmark.audience`), both without it.

The generator sleeps in ``select`` with a timeout in µs between what is due, as event loops count in
ms. ``late`` is how far behind it was itself when it sent (p99): where that is not small beside the
server's times, the generator is what was measured.
"""

import argparse
import contextlib
import random
import select
import socket
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import uvloop

from tests.benchmark import contestants, opponent
from tests.benchmark.audience import Audience, Mix
from tests.benchmark.bench import RATES, measure, warm_up
from tests.benchmark.bench_generator import GeneratorError, answer_length
from tests.benchmark.city import city_database
from tests.benchmark.contestants import Ground, Server
from tests.load.population import SEED

GOAL = 2.0
OPEN_CONNECTIONS = 64
PATIENCE_S = 10.0
MAXIMUM_S = 4
MIXES: tuple[Mix, ...] = ("real", "new")


@dataclass(frozen=True, slots=True)
class Tail:
    """Times in ms from when requests were due; ``late`` those until they were sent, for those that
    found a free connection."""

    offered_per_s: float
    times: Sequence[float]
    late: Sequence[float]

    def within(self, share: float) -> float:
        """The time within which ``share`` of the requests were answered."""
        return quantile(self.times, share)


def quantile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def due_times(rate: float, count: int, seed: int = SEED) -> list[float]:
    """Moments of a Poisson process of ``rate`` in 1/s, in s."""
    randomness = random.Random(seed)
    moments, at = [], 0.0
    for _ in range(count):
        at += randomness.expovariate(rate)
        moments.append(at)
    return moments


def offered(port: int, requests: Sequence[bytes], rate: float) -> Tail:
    """Ask each once, at ``rate`` requests/s.

    Raises :class:`GeneratorError` when an answer is not 200, or does not come.
    """
    due = due_times(rate, len(requests))
    with contextlib.ExitStack() as stack:
        free = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            for _ in range(OPEN_CONNECTIONS)
        ]
        for one in free:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Tail(rate, *_offered(free, requests, due))


def _offered(
    free: list[socket.socket], requests: Sequence[bytes], due: Sequence[float]
) -> tuple[list[float], list[float]]:
    busy: dict[socket.socket, tuple[float, bytes]] = {}
    waiting: deque[int] = deque()
    times: list[float] = []
    late: list[float] = []
    start = time.perf_counter()
    at = 0
    while len(times) < len(requests):
        now = time.perf_counter() - start
        while at < len(due) and due[at] <= now:
            waiting.append(at)
            at += 1
        while waiting and free:
            number, one = waiting.popleft(), free.pop()
            busy[one] = (due[number], b"")
            sent = time.perf_counter() - start
            if sent - due[number] < PATIENCE_S and len(free) > 0:
                late.append(1000 * (sent - due[number]))
            one.sendall(requests[number])
        now = time.perf_counter() - start
        rest_s = max(0.0, due[at] - now) if at < len(due) else PATIENCE_S
        ready, _, _ = select.select(list(busy), [], [], rest_s)
        if not ready and at == len(due):
            raise GeneratorError("an answer did not come")
        for one in ready:
            was_due, buffer = busy[one]
            buffer += one.recv(65_536)
            length = answer_length(buffer)
            if not length or len(buffer) < length:
                busy[one] = (was_due, buffer)
                continue
            if not buffer.startswith(b"HTTP/1.1 200 "):
                raise GeneratorError(f"unexpected answer: {buffer[:300]!r}")
            times.append(1000 * (time.perf_counter() - start - was_due))
            del busy[one]
            free.append(one)
    return times, late


def maximum(server: Server, audience: Audience, mix: Mix) -> float:
    """Requests/s of ``mix`` that the server answers at most."""
    requests = audience.of(mix, RATES[mix] * MAXIMUM_S)
    return uvloop.run(measure(server, requests, MAXIMUM_S)).requests_per_s


def compared(
    servers: dict[str, Server], mix: Mix, seconds: float, rounds: int
) -> dict[str, list[Tail]]:
    """Each server at half of its own maximum, in turn."""
    audience = Audience()
    uvloop.run(warm_up(list(servers.values()), audience, mix))
    halves = {name: maximum(server, audience, mix) / 2 for name, server in servers.items()}
    found: dict[str, list[Tail]] = {name: [] for name in servers}
    for _ in range(rounds):
        for name, server in servers.items():
            requests = audience.of(mix, int(halves[name] * seconds))
            found[name].append(offered(server.port, requests, halves[name]))
    return found


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="How long do the slowest wait?")
    parser.add_argument("--seconds", type=float, default=15.0, help="length of each run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mix", choices=MIXES, help="both, without")
    options = parser.parse_args()
    if (why := opponent.missing()) is not None:
        print(f"NOT MEASURED: {why}", file=sys.stderr)
    with contextlib.ExitStack() as stack:
        ground = Ground(Path(stack.enter_context(tempfile.TemporaryDirectory())), city_database())
        servers = {"gateway": stack.enter_context(contestants.gateway(ground.config_file()))}
        if why is None:
            servers["nginx"] = stack.enter_context(contestants.nginx(ground))
        contestants.pin_all(list(servers.values()))
        shares = (0.5, 0.99, 0.999, 1.0)
        print(
            f"{'':14} {'offered/s':>10} {'p50':>8} {'p99':>8} {'p99.9':>8} {'most':>8} {'late':>7}"
        )
        for mix in (options.mix,) if options.mix else MIXES:
            found = compared(servers, mix, options.seconds, options.rounds)
            for name, tails in found.items():
                middle = [
                    statistics.median(tail.within(share) for tail in tails) for share in shares
                ]
                late = statistics.median(quantile(tail.late, 0.99) for tail in tails)
                cells = "".join(f" {value:8.2f}" for value in middle)
                print(f"{name + ' ' + mix:14} {tails[0].offered_per_s:10.0f}{cells} {late:7.2f}")
            if why is None:
                pairs = zip(found["gateway"], found["nginx"], strict=True)
                ratio = statistics.median(a.within(0.99) / b.within(0.99) for a, b in pairs)
                print(f"{mix}: p99 to nginx's {ratio:.2f}, goal ≤ {GOAL:g}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
