"""Priors of networks on a real Valkey: several workers count, and all use the same."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.background.priors import follow
from gateway.client.prior import PriorConfig, PriorSketch, published
from gateway.config.build import prior_config_of
from gateway.config.load import load
from gateway.store.connection.connect import connect
from gateway.store.connection.keys import PRIORS, prior_window_key
from gateway.store.connection.protocol import StoreUnavailable
from gateway.store.coordination.priors import SETTLE_S, Priors
from tests.unit.store.servers import Valkey, until, valkey

CONFIG = prior_config_of(load(environ={}).settings)
START = 1_800_000_000
SKETCHES = prior_window_key(CONFIG.window_s, START)
NOW = START + 60
AFTER = START + CONFIG.window_s + SETTLE_S
ONE, TWO = "1 FR tv", "2 FR tv"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Valkey]:
    """A Valkey of the test's own."""
    with valkey(tmp_path) as running:
        yield running


@contextlib.asynccontextmanager
async def workers(
    server: Valkey, count: int = 1, config: PriorConfig = CONFIG
) -> AsyncIterator[list[Priors]]:
    """The priors of several workers, each with a connection of its own."""
    async with contextlib.AsyncExitStack() as stack:
        found = []
        for _ in range(count):
            store = connect(server.url, timeout_ms=500)
            await store.start()
            stack.push_async_callback(store.close)
            found.append(Priors(store.redis, config))
        yield found


def add(priors: Priors, network: str, viewers: Sequence[int], kbps: float = 5000) -> None:
    """Count viewers in the first window."""
    for viewer in viewers:
        priors.add(network, viewer, kbps, START + 5.0)


def stored(server: Valkey, network: str, start_s: int = START) -> PriorSketch | None:
    """The sketch in Redis."""
    data = server.command("HGET", prior_window_key(CONFIG.window_s, start_s), network)
    return PriorSketch.from_bytes(data) if isinstance(data, bytes) else None


async def settled(*priors: Priors) -> None:
    """All workers write at the same time, until nothing waits."""
    for _ in range(10):
        await asyncio.gather(*(one.flush(NOW) for one in priors))


async def test_workers_count_each_viewer_once(server: Valkey) -> None:
    """Viewers that several workers have seen are one of the crowd; all workers get the prior, when
    the window has ended."""
    async with workers(server, 3) as all_workers:
        for number, priors in enumerate(all_workers):
            add(priors, ONE, range(10 * number, 10 * number + 30))
            add(priors, TWO, range(CONFIG.min_viewers - 1))
        await settled(*all_workers)
        sketch = stored(server, ONE)
        assert sketch is not None
        assert 50 == sketch.population == sum(count for _, count in sketch.centroids)
        for now_s, known in ((AFTER - 1, {}), (AFTER, {ONE: 4814})):
            for priors in all_workers:
                await priors.look(now_s)
                assert known == priors.known


async def test_a_viewer_that_measures_again_is_not_counted_again(server: Valkey) -> None:
    """One viewer with many sessions and measurements does not change what was stored."""
    async with workers(server, 2) as (one, two):
        add(one, ONE, range(40))
        await one.flush(NOW)
        before = server.command("HGETALL", SKETCHES)
        for priors in (one, two):
            add(priors, ONE, [7] * 100, 90_000)
            await priors.flush(NOW)
        assert before == server.command("HGETALL", SKETCHES)


async def test_a_late_worker_changes_nothing_that_was_published(server: Valkey) -> None:
    """A prior is published once. Windows share no viewer, and a network that has no new prior
    keeps the last one until that is too old."""
    async with workers(server, 2) as (one, two):
        add(one, ONE, range(40))
        await one.flush(NOW)
        await one.look(AFTER)
        add(two, ONE, range(40, 200), 100)
        await two.flush(NOW)
        await two.look(AFTER + 60)
        assert {ONE: 4814} == one.known == two.known
        later = START + CONFIG.window_s + CONFIG.keep_s
        await one.look(later)
        assert {ONE: 4814} == one.known
        await one.look(later + CONFIG.window_s)
        assert {} == one.known
        assert [b"window"] == server.command("HKEYS", PRIORS)


async def test_a_new_window_replaces_the_prior(server: Valkey) -> None:
    """The newest window counts, without the ones before."""
    async with workers(server) as [priors]:
        add(priors, ONE, range(40))
        await priors.flush(NOW)
        await priors.look(AFTER)
        for viewer in range(40):
            priors.add(ONE, viewer, 900, START + CONFIG.window_s + 5.0)
        await priors.flush(NOW + CONFIG.window_s)
        await priors.look(AFTER + CONFIG.window_s)
        assert {ONE: 807} == priors.known


async def test_what_was_measured_last_in_a_window_is_written_in_the_next(server: Valkey) -> None:
    """Until the window settles, and also when reports of both windows come in turn."""
    end_s = START + CONFIG.window_s
    async with workers(server) as [priors]:
        for viewer in range(40):
            priors.add(ONE, viewer, 5000, end_s + 1)
            priors.add(ONE, viewer, 5000, end_s - 1)
            priors.add(ONE, viewer, 5000, START - 1)  # two windows are kept
        await priors.flush(end_s + 30)
        for start_s, viewers in ((START - CONFIG.window_s, 0), (START, 40), (end_s, 40)):
            sketch = stored(server, ONE, start_s)
            assert viewers == (0 if sketch is None else sketch.population)
        await priors.look(AFTER)
        assert {ONE: 4814} == priors.known


async def test_windows_of_another_length_are_other_windows(server: Valkey) -> None:
    """None that began before keeps a worker from counting."""
    longer = replace(CONFIG, window_s=6 * CONFIG.window_s)
    now_s = START - START % longer.window_s + 4 * CONFIG.window_s
    async with workers(server) as [priors]:
        for before_s in (0, CONFIG.window_s):
            priors.add(ONE, 1, 5000, now_s - before_s)
        priors.use(longer)
        for viewer in range(40):
            priors.add(ONE, viewer, 5000, now_s)
        await priors.flush(now_s)
        await priors.look(now_s + longer.window_s + SETTLE_S + 1)
        assert {ONE: 4814} == priors.known


@pytest.mark.parametrize(
    ("late_s", "viewers"), [(SETTLE_S - 1, 40), (SETTLE_S, 0), (-CONFIG.window_s - 1, 0)]
)
async def test_what_is_published_is_not_written(
    server: Valkey, late_s: float, viewers: int
) -> None:
    """Nor is what was measured before the clock of this host was set back; later viewers count."""
    flushed_s = START + CONFIG.window_s + late_s
    async with workers(server) as [priors]:
        add(priors, ONE, range(40))
        await priors.flush(flushed_s)
        sketch = stored(server, ONE)
        assert viewers == (0 if sketch is None else sketch.population)
        for at_s in (flushed_s, flushed_s + CONFIG.window_s):
            priors.add(TWO, 7, 5000, at_s)
            await priors.flush(at_s)
            assert stored(server, TWO, priors.window_start_s(at_s)) is not None


async def test_the_number_of_networks_is_bounded(server: Valkey) -> None:
    """More networks than allowed are not counted, in this worker and in Redis; all of it
    expires."""
    config = replace(CONFIG, max_networks=5)
    async with workers(server, 3, config) as all_workers:
        for number, priors in enumerate(all_workers):
            for network in range(20):
                add(priors, f"{100 * number + network} FR tv", range(40))
        await settled(*all_workers)
        assert 5 == server.command("HLEN", SKETCHES)
        for priors in all_workers:
            await priors.look(AFTER)
            assert 5 == len(priors.known)
        ttl_s, kept_s = server.command("TTL", SKETCHES), server.command("TTL", PRIORS)
        assert isinstance(ttl_s, int)
        assert isinstance(kept_s, int)
        assert 0 < ttl_s <= 2 * (config.window_s + SETTLE_S)
        assert 0 < kept_s <= config.keep_s + config.window_s


async def test_old_priors_do_not_fill_the_hash(server: Valkey) -> None:
    """Networks that come and go are bounded as well: the newest ones stay."""
    config = replace(CONFIG, max_networks=5)
    async with workers(server, 1, config) as [priors]:
        for window in range(6):
            start_s = START + window * config.window_s
            for network in range(5):
                for viewer in range(40):
                    priors.add(f"{100 * window + network} FR tv", viewer, 5000, start_s + 5.0)
            await priors.flush(start_s + 60)
            await priors.look(start_s + config.window_s + SETTLE_S)
        assert 10 == len(priors.known)
        assert {"4", "5"} == {network[:1] for network in priors.known}


@pytest.mark.parametrize("garbage", [b"garbage", b"x" * 2000, b"\x01" * 300])
async def test_garbage_in_redis_is_replaced(server: Valkey, garbage: bytes) -> None:
    """Whatever is in Redis: it is no sketch, no prior, and stops nothing."""
    server.command("HSET", SKETCHES, ONE, garbage, "x", garbage)
    server.command("HSET", PRIORS, TWO, garbage, "window", b"9" * 30, garbage[:70], "1")
    async with workers(server) as [priors]:
        add(priors, ONE, range(40))
        await priors.flush(NOW)
        sketch = stored(server, ONE)
        assert sketch is not None
        assert 40 == sketch.population
        await priors.look(AFTER)
        assert {ONE: 4814} == priors.known


async def test_keys_of_another_type_are_removed(server: Valkey) -> None:
    """A key that holds something else is not ours."""
    async with workers(server) as [priors]:
        server.command("SET", SKETCHES, "text")
        add(priors, ONE, range(40))
        await priors.flush(NOW)
        server.command("SET", PRIORS, "text")
        await priors.look(AFTER)
        assert {ONE: 4814} == priors.known


async def test_what_was_not_written_waits(server: Valkey) -> None:
    """Without Redis nothing is lost but time; known priors stay in use, for a while."""
    async with workers(server) as [priors]:
        add(priors, ONE, range(20))
        await priors.flush(NOW)
        await priors.look(AFTER)
        priors.known[TWO] = 700
        server.kill()
        add(priors, ONE, range(20, 40))
        with pytest.raises(StoreUnavailable):
            await priors.flush(NOW)
        with pytest.raises(StoreUnavailable):
            await priors.look(AFTER + 60)
        assert {TWO: 700} == priors.known
        with pytest.raises(StoreUnavailable):
            await priors.look(AFTER + CONFIG.keep_s + 1)
        assert {} == priors.known
        server.start()

        async def written() -> bool:
            with contextlib.suppress(StoreUnavailable):
                await priors.flush(NOW)
            sketch = stored(server, ONE)
            return sketch is not None and sketch.population >= 20

        for _ in range(100):
            if await written():
                break
            await asyncio.sleep(0.05)
        sketch = stored(server, ONE)
        assert sketch is not None
        assert 20 == sketch.population


async def test_the_background_task_outlives_redis(server: Valkey) -> None:
    """It writes and reads again when Redis is back."""
    async with workers(server) as [priors]:
        server.kill()
        now_s = time.time()
        for viewer in range(40):
            priors.add(ONE, viewer, 5000, now_s)
        task = asyncio.create_task(follow(priors, interval_s=0.02))
        await asyncio.sleep(0.1)
        assert not task.done()
        server.start()
        await until(lambda: server.command("EXISTS", PRIORS) == 1)
        name = prior_window_key(CONFIG.window_s, int(now_s) // CONFIG.window_s * CONFIG.window_s)
        await until(lambda: server.command("HEXISTS", name, ONE) == 1)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_switched_off(server: Valkey) -> None:
    """A config that switches priors off forgets what was known, and adds nothing."""
    async with workers(server) as [priors]:
        assert priors.active
        server.command("HSET", PRIORS, ONE, published(5000, START), "window", str(START))
        await priors.look(AFTER - CONFIG.window_s)
        assert {ONE: 5000} == priors.known
        priors.use(replace(CONFIG, enabled=False))
        await priors.look(AFTER - CONFIG.window_s)
        assert ({}, False) == (priors.known, priors.active)


async def test_without_redis_there_are_no_priors() -> None:
    """Priors are what workers share: the store in memory has none."""
    priors = Priors(None, CONFIG)
    assert not priors.active
    await priors.flush(NOW)
    await priors.look(AFTER)
    assert {} == priors.known
