"""Live workers, on a real server: workers start, stop and are killed, and Redis loses its data."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pytest

from gateway.store.connection.keys import WORKER_FACTS, WORKERS
from gateway.store.connection.redis import RedisStore
from gateway.store.coordination.presence import LiveWorker, Presence, live_workers
from tests.background import in_background
from tests.unit.store.servers import Valkey, until, valkey

HEARTBEAT_S = 0.1
EXPIRY_S = 0.6
"""In these tests everything happens in a tenth of the time."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Valkey]:
    """A server for one test, which may break it."""
    with valkey(tmp_path) as running:
        yield running


def worker(number: int) -> LiveWorker:
    """A worker with its own number."""
    return LiveWorker(f"id{number}", "host", number, "v1", 1_700_000_000)


@contextlib.asynccontextmanager
async def stores(url: str, count: int) -> AsyncIterator[list[RedisStore]]:
    """This many connected stores."""
    async with contextlib.AsyncExitStack() as stack:
        found = [RedisStore(url, timeout_s=1.0, quiet=True) for _ in range(count)]
        for store in found:
            await store.start()
            stack.push_async_callback(store.close)
        yield found


@contextlib.asynccontextmanager
async def present(
    found: list[RedisStore], expected: int = 1
) -> AsyncIterator[tuple[list[Presence], Sequence[asyncio.Task[None]]]]:
    """One worker on each store, all running."""
    workers = [
        Presence(
            store, partial(worker, number), expected, heartbeat_s=HEARTBEAT_S, expiry_s=EXPIRY_S
        )
        for number, store in enumerate(found)
    ]
    async with in_background(*(each.run() for each in workers)) as tasks:
        yield workers, tasks


async def test_workers_count_each_other(server: Valkey) -> None:
    """All of them see four; one that ends is gone with the next heartbeat."""
    async with stores(server.url, 4) as found, present(found) as (workers, tasks):
        await until(lambda: [4] * 4 == [each.count() for each in workers])
        assert {worker(number) for number in range(4)} == set(await live_workers(found[0]))
        await asyncio.sleep(EXPIRY_S)  # until nobody is held for one who may come back
        started = time.monotonic()
        tasks[3].cancel()
        await until(lambda: [3] * 3 == [each.count() for each in workers[:3]])
        assert time.monotonic() - started < EXPIRY_S
        assert {0, 1, 2} == {each.pid for each in await live_workers(found[0])}


async def test_a_killed_worker_expires(server: Valkey) -> None:
    """A killed worker counts until its entry expires."""
    async with stores(server.url, 3) as found, present(found) as (workers, _):
        await until(lambda: [3] * 3 == [each.count() for each in workers])
        await asyncio.sleep(EXPIRY_S)
        # No goodbye: its connection is gone for good, as after kill -9.
        await found[2].close()
        started = time.monotonic()
        await until(lambda: [2] * 2 == [each.count() for each in workers[:2]])
        assert EXPIRY_S / 2 < time.monotonic() - started < EXPIRY_S + 1
        assert {0, 1} == {each.pid for each in await live_workers(found[0])}


async def test_the_last_known_number_holds(server: Valkey) -> None:
    """The number holds while Redis is gone. When Redis comes back empty, no worker sees a smaller
    number."""
    async with stores(server.url, 4) as found, present(found) as (workers, _):
        await until(lambda: [4] * 4 == [each.count() for each in workers])
        await asyncio.sleep(EXPIRY_S)
        server.kill()
        await asyncio.sleep(2 * EXPIRY_S)
        assert [4] * 4 == [each.count() for each in workers]
        server.start()
        seen: set[int] = set()
        deadline = time.monotonic() + 4 * EXPIRY_S
        while time.monotonic() < deadline:
            seen |= {each.count() for each in workers}
            await asyncio.sleep(0.01)
        assert {4} == seen
        assert 4 == len(await live_workers(found[0]))


async def test_garbage_in_redis(server: Valkey) -> None:
    """Entries of the wrong type are replaced; malformed facts are ignored; workers that live longer
    than any may are removed, and do not count."""
    async with stores(server.url, 1) as found, present(found) as (workers, _):
        await until(lambda: bool(server.command("ZCARD", WORKERS)))
        far = [word for at in range(1100) for word in ("100000000000000", f"far{at}")]
        server.command("ZADD", WORKERS, *far, "inf", b"\xff\xfe", "1e300", "x" * 10_000_000)
        await until(lambda: 1 == server.command("ZCARD", WORKERS))
        soon = str(int(time.time() * 1000) + 2000)
        odd = [b'{"host": 1}', b"[" * 1000, b"{" * 9000, json.dumps(asdict(worker(9))).encode()]
        odd[-1] = odd[-1].replace(b'"host"', b'"\\ud800"')
        for at, facts in enumerate(odd):
            server.command("HSET", WORKER_FACTS, f"odd{at}", facts)
            server.command("ZADD", WORKERS, soon, f"odd{at}")
        assert [worker(0)] == await live_workers(found[0])
        for key in (WORKERS, WORKER_FACTS):
            server.command("SET", key, "not ours")
            await until(lambda: server.command("TYPE", WORKERS) == b"zset")
            await until(lambda: server.command("TYPE", WORKER_FACTS) == b"hash")
        await until(lambda: 1 == workers[0].count())


async def test_what_is_expected_counts_until_redis_was_asked() -> None:
    """Without Redis the number is that of this host's workers."""
    assert 4 == Presence(None, lambda: worker(0), 4).count()
    assert 1 == Presence(None, lambda: worker(0)).count()
