"""What does a playback token cost a request of a real player?

    python -m tests.benchmark.token_requests [--requests 1500] [--rounds 5]

The audience is ``real`` (:mod:`tests.benchmark.real_players`): 200 titles, addresses from all over
the routable space, several speeds and devices. One gateway wants no token; the other wants one for
every title, and 1,000 revocations are in force there, of other viewers. Measured in turn, several
rounds, medians, on one server core with the generator and the stores on another:

- ``no token``: the first gateway;
- ``again``: 2,000 viewers, each with a token that was verified before;
- ``first``: a new token for each request, whose signature has to be verified.

CPU is the server process's own accounting. At the end one of the viewers is revoked: how long does
its token, which was verified, still open a title?
"""

import argparse
import asyncio
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path

import httpx
import uvloop
from joserfc.jwk import ECKey

from gateway.operators import revoking
from gateway.store.connection.connect import connect
from gateway.store.coordination.revocations import Revocable
from gateway.trust.tokens.algorithm import Algorithm
from tests.benchmark import contestants
from tests.benchmark.bench_generator import GeneratorError, fire
from tests.benchmark.bench_process import PROC
from tests.benchmark.city import city_database
from tests.benchmark.contestants import Ground, Server
from tests.benchmark.real_players import RealPlayers
from tests.unit.trust.tokens.making import SECRET, cat, jwt, private

VIEWERS = 2_000
REVOKED = 1_000
CONNECTIONS = 16
WARM = 4_000
"""Requests of the audience before the first round: what is cached of titles and places is warm."""
HEEDED_WITHIN_S = 5.0
NONE = "no token"

Make = Callable[[str], str]


def config(public_pem: str) -> str:
    """Every title wants a token, of one of two keys."""
    return (
        "[tokens]\nenabled = true\n"
        f'[[tokens.keys]]\nid = "HS256"\nalgorithm = "HS256"\nsecret = "{SECRET.decode()}"\n'
        f"[[tokens.keys]]\nid = \"ES256\"\nalgorithm = \"ES256\"\npublic_key = '''{public_pem}'''\n"
        '[[tokens.protect]]\nasset_prefix = ""\n'
    )


def makers() -> dict[str, Make]:
    """How a token of each kind is made for a viewer: two hours, a subject, an id, one prefix."""
    ends_s = int(time.time()) + 7200

    def of_jwt(algorithm: Algorithm) -> Make:
        def make(viewer: str) -> str:
            claims = {"exp": ends_s, "sub": viewer, "jti": viewer, "asset_prefix": "film/"}
            return jwt(claims, algorithm, kid=algorithm)

        return make

    def of_cat(algorithm: Algorithm) -> Make:
        def make(viewer: str) -> str:
            claims = {4: ends_s, 2: viewer, 7: viewer.encode(), "asset_prefix": "film/"}
            return cat(claims, algorithm, kid=algorithm.encode())

        return make

    return {
        "JWT HS256": of_jwt("HS256"),
        "JWT ES256": of_jwt("ES256"),
        "CAT HS256": of_cat("HS256"),
        "CAT ES256": of_cat("ES256"),
    }


def with_token(request: bytes, token: str) -> bytes:
    """A request that brings a token."""
    return request[:-2] + f"Authorization: Bearer {token}\r\n\r\n".encode("ascii")


async def cpu_us(server: Server, requests: Sequence[bytes]) -> float:
    """CPU for each of the requests, in µs."""
    before_s = server.process.own_cpu_s()
    volley = await fire(server.port, requests, seconds=None, connections=CONNECTIONS)
    return 1e6 * (server.process.own_cpu_s() - before_s) / volley.requests


async def measured(
    without: Server, wanting: Server, number: int, rounds: int
) -> list[dict[str, float]]:
    """CPU in µs of each kind, in each round. Raises GeneratorError."""
    players, numbers, made = RealPlayers(), count(), makers()
    known = {
        kind: [make(f"{kind}-{viewer}") for viewer in range(VIEWERS)] for kind, make in made.items()
    }
    for server, tokens in ((without, None), *((wanting, texts) for texts in known.values())):
        warm = players.requests(WARM if tokens is None else VIEWERS)
        asked = warm if tokens is None else list(map(with_token, warm, tokens))
        await fire(server.port, asked, seconds=None, connections=CONNECTIONS)
    found: list[dict[str, float]] = []
    for at in range(rounds):
        found.append({NONE: await cpu_us(without, players.requests(number))})
        for kind, make in made.items():
            again = [known[kind][each % VIEWERS] for each in range(number)]
            new = [make(f"new-{next(numbers)}") for _ in range(number)]
            for what, tokens in (("again", again), ("first", new)):
                asked = list(map(with_token, players.requests(number), tokens))
                found[-1][f"{kind}, {what}"] = await cpu_us(wanting, asked)
        print(f"round {at + 1} of {rounds}", file=sys.stderr)
    return found


def table(rounds: Sequence[Mapping[str, float]]) -> str:
    """CPU of each kind in µs, and as a ratio to no token in the same round: medians."""
    lines = ["| token | CPU µs | to no token |", "|---|--:|--:|"]
    for kind in rounds[0]:
        cpu = statistics.median(each[kind] for each in rounds)
        ratio = statistics.median(each[kind] / each[NONE] for each in rounds)
        lines.append(f"| {kind} | {cpu:.0f} | {ratio:.2f} |")
    return "\n".join(lines)


async def revoke(url: str, *names: str) -> None:
    """Revoke subjects, as ``gateway revoke`` does."""
    store = connect(url, timeout_ms=2000)
    await store.start()
    try:
        assert store.redis is not None
        for name in names:
            await revoking.revoke(store.redis, Revocable.SUBJECT, name, 3600, "benchmark")
    finally:
        await store.close()


def revoked_after_s(server: Server, token: str, url: str, viewer: str) -> float:
    """Seconds from the revocation until the token is refused."""
    title = f"http://127.0.0.1:{server.port}/v1/play/film/001.m3u8"
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client() as client:
        assert client.get(title, headers=headers).status_code == httpx.codes.OK
        asyncio.run(revoke(url, viewer))
        began_s = time.monotonic()
        while client.get(title, headers=headers).status_code != httpx.codes.FORBIDDEN:
            assert time.monotonic() - began_s < HEEDED_WITHIN_S, "the revocation is not heeded"
            time.sleep(0.01)
        return time.monotonic() - began_s


def main() -> int:
    """Start both servers, measure, print."""
    parser = argparse.ArgumentParser(description="What does a playback token cost a request?")
    parser.add_argument("--requests", type=int, default=1500, help="of each kind, in each round")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each kind")
    options = parser.parse_args()
    if not PROC.is_dir():
        print("this benchmark reads CPU times from /proc, so it needs Linux", file=sys.stderr)
        return 1
    key = private("ES256")
    assert isinstance(key, ECKey)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ground = Ground(folder, city_database())
        socket, _ = stack.enter_context(contestants.store(folder))
        url = f"unix://{socket}"
        text = config(key.as_pem(private=False).decode())
        path = ground.config_file(f'{text}[store]\nurl = "{url}"\n')
        without = stack.enter_context(contestants.gateway(ground.config_file()))
        wanting = stack.enter_context(contestants.gateway(path))
        contestants.pin_all([without, wanting])
        asyncio.run(revoke(url, *(f"other-{at}" for at in range(REVOKED))))
        try:
            rounds = uvloop.run(measured(without, wanting, options.requests, options.rounds))
        except GeneratorError as error:
            print(f"the measurement broke off: {error}", file=sys.stderr)
            return 1
        heeded_s = revoked_after_s(wanting, makers()["CAT HS256"]("last"), url, "last")
    print(table(rounds))
    print(f"\na token that was verified is refused {heeded_s:.2f} s after its subject was revoked")
    return 0


if __name__ == "__main__":
    sys.exit(main())
