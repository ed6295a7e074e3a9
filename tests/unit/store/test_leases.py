"""Leases on a real Valkey, in one process and in four, with and without failures."""

import asyncio
import contextlib
import multiprocessing
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import pytest

from gateway.client.session import asset_name
from gateway.edge.capacity import MAX_LEASE_KBPS, Leased
from gateway.edge.edge import Edge
from gateway.edge.fleet import EdgeCondition, Fleet
from gateway.store.connection.connect import connect
from gateway.store.connection.keys import LEASE_ENDS, LEASES, session_name
from gateway.store.connection.memory import MemoryStore
from gateway.store.connection.protocol import (
    Commands,
    RedisReply,
    Script,
    Store,
    StoreState,
    StoreUnavailable,
    Trouble,
)
from gateway.store.coordination import leases as module
from gateway.store.coordination.lease_scripts import RESTORE
from gateway.store.coordination.leases import Leases
from tests.unit.store.servers import Valkey, until, valkey

SMALL = Edge("small", "https://small.example/", capacity_kbps=10_000)
LARGE = Edge("large", "https://large.example/", capacity_kbps=40_000)
ENDLESS = Edge("endless", "https://endless.example/")
LINE = (SMALL, LARGE, ENDLESS)
TTL_S = 60.0
TIMEOUT_MS = 500


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Valkey]:
    """A Valkey of the test's own."""
    with valkey(tmp_path) as running:
        yield running


@contextlib.asynccontextmanager
async def leases_on(
    url: str,
    *,
    workers: int = 1,
    ttl_s: float = TTL_S,
    fleet: Fleet | None = None,
    timeout_ms: int = TIMEOUT_MS,
) -> AsyncIterator[tuple[Leases, Store]]:
    """One worker's leases on a store that runs."""
    store = connect(url, timeout_ms=timeout_ms)
    await store.start()
    leases = Leases(store, ttl_s, lambda: workers)
    leases.use(fleet or Fleet.of(LINE))
    try:
        yield leases, store
    finally:
        await store.close()


async def place(
    leases: Leases, session: str | None, kbps: int = 5000, asset: str = "film", **words: bool
) -> tuple[str, str]:
    """Place a session: its edge, and why."""
    found = await leased(leases, session, kbps, asset, **words)
    return LINE[found.placement.index].id, found.placement.outcome


async def leased(
    leases: Leases, session: str | None, kbps: int = 5000, asset: str = "film", **words: bool
) -> Leased:
    """Place a session of 5 Mbit/s, or of ``kbps``."""
    return await leases.place(session, asset, kbps, LINE, None, **{"take": True, **words})


@pytest.mark.parametrize("kind", ["redis", "memory"])
async def test_sessions_fill_one_edge_after_the_other(server: Valkey, kind: str) -> None:
    """The first edge with room takes a session, which then keeps its edge; looking takes
    nothing."""
    async with leases_on(server.url if kind == "redis" else "memory") as (leases, _):
        assert leases.active
        assert ("small", "first") == await place(leases, "a", take=False)
        assert ("small", "first") == await place(leases, "a")
        assert ("small", "first") == await place(leases, "b")
        assert ("large", "spilled") == await place(leases, "c", take=False)
        assert ("large", "spilled") == await place(leases, "c")
        assert ("small", "kept") == await place(leases, "a")
        assert ("small", "kept") == await place(leases, "a", take=False)
        assert ("endless", "spilled") == await place(leases, None, kbps=90_000)
        found = await leased(leases, "d", take=False)
        assert (10_000, 10_000, 90_000) == found.placement.loads
        assert (10_000, 40_000, None) == found.bounds
        assert (kind == "memory") == found.alone
        loads = await leases.look()
        assert {"small": 10_000, "large": 5_000} == loads.leased
        assert {"small": 10_000, "large": 40_000} == loads.bounds


@pytest.mark.parametrize("kind", ["redis", "memory"])
async def test_a_session_is_one_lease(server: Valkey, kind: str) -> None:
    """The next title of a session replaces the last; a lower bit rate frees room."""
    async with leases_on(server.url if kind == "redis" else "memory") as (leases, _):
        await place(leases, "a", kbps=9000)
        assert ("small", "first") == await place(leases, "a", kbps=8000, asset="another")
        assert {"small": 8000, "large": 0} == (await leases.look()).leased
        assert ("small", "kept") == await place(leases, "a", kbps=2000, asset="another")
        assert {"small": 2000, "large": 0} == (await leases.look()).leased


@pytest.mark.parametrize("kind", ["redis", "memory"])
async def test_leases_end(server: Valkey, kind: str) -> None:
    """A lease that is not renewed in time frees its room."""
    async with leases_on(server.url if kind == "redis" else "memory", ttl_s=0.3) as (leases, _):
        for name in ("a", "b", None, None):
            await place(leases, name)
        assert {"small": 10_000, "large": 10_000} == (await leases.look()).leased
        await asyncio.sleep(0.2)
        await place(leases, "a")
        await asyncio.sleep(0.2)
        assert {"small": 5_000, "large": 0} == (await leases.look()).leased


async def test_a_full_edge_keeps_its_sessions(server: Valkey) -> None:
    """New sessions skip a full edge; its own sessions stay, over the bound too."""
    async with leases_on(server.url) as (leases, _):
        await place(leases, "a")
        leases.use(Fleet.of(LINE, {"small": EdgeCondition(full=True)}))
        assert ("large", "spilled") == await place(leases, "b")
        assert ("small", "kept") == await place(leases, "a", kbps=50_000)
        held = await leases.place("z", "film", 5000, LINE, 0, take=True)
        assert ("kept", 55_000) == (held.placement.outcome, held.placement.loads[0])


async def test_when_nobody_has_room_the_least_used_edge_takes_the_session(server: Valkey) -> None:
    """The least used by share of its capacity; a player is never refused."""
    async with leases_on(server.url) as (leases, _):
        line = (SMALL, LARGE)
        for kbps, expected in (
            (9000, (0, "first")),
            (38_000, (1, "spilled")),
            (5_000, (1, "over")),
        ):
            found = (await leases.place(None, "film", kbps, line, None, take=True)).placement
            assert expected == (found.index, found.outcome)


async def test_leases_are_written_again_after_a_restart(
    server: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker keeps to its share until all workers have had time to write their leases."""
    monkeypatch.setattr(module, "SETTLE_S", 0.5)
    monkeypatch.setattr(module, "RESTORED_PER_STEP", 3)
    async with leases_on(server.url) as (leases, store):
        for number in range(7):
            await place(leases, f"s{number}")
        before = await leases.look()
        assert not before.alone
        server.kill()
        await until(lambda: store.state != "up")
        assert ("large", "spilled") == await place(leases, "meanwhile")
        assert (await leases.look()).alone
        server.start()
        await until(lambda: store.state == "up")
        assert (await leases.look()).alone
        with server.client() as client:
            assert b"30000" == client.hget(LEASES, "elarge")
            assert b"10000" == client.hget(LEASES, "esmall")
            assert 8 == client.zcard(LEASE_ENDS)
        assert (await leased(leases, "meanwhile", take=False)).alone
        await asyncio.sleep(0.6)
        after = await leases.look()
        assert (False, {"small": 10_000, "large": 30_000}) == (after.alone, after.leased)
        found = await leased(leases, "meanwhile")
        assert (False, "kept") == (found.alone, found.placement.outcome)


async def test_leases_lost_between_two_looks_place_nobody(server: Valkey) -> None:
    """Redis would fill an edge twice. The worker keeps to its share, and looks at once."""
    async with leases_on(server.url) as (leases, _):
        await leases.look()
        for name in ("a", "b"):
            await place(leases, name)
        server.command("FLUSHALL")
        for take in (False, True):
            found = await leased(leases, "c", take=take)
            assert (True, 1, "spilled") == (
                found.alone,
                found.placement.index,
                found.placement.outcome,
            )
        await asyncio.wait_for(leases.wait(30), 1)
        assert {"small": 10_000, "large": 5_000} == (await leases.look()).leased


async def test_a_worker_that_was_cut_off_keeps_to_its_share_first(server: Valkey) -> None:
    """Other workers have placed sessions meanwhile, and write them only now."""
    async with leases_on(server.url) as (leases, store):
        await leases.look()
        server.freeze()
        await place(leases, "a")
        await until(lambda: store.state != "up")
        assert (await leases.look()).alone
        server.thaw()
        await until(lambda: store.state == "up")
        assert (await leased(leases, "b")).alone


@pytest.mark.parametrize("key", [LEASES, LEASE_ENDS])
async def test_leases_are_written_again_after_an_eviction(server: Valkey, key: bytes) -> None:
    """When one key is lost a new generation begins, and every worker notices."""
    async with leases_on(server.url) as (leases, _):
        await place(leases, "a")
        await place(leases, "b")
        await leases.look()
        server.command("DEL", key)
        assert (await leases.look()).alone
        with server.client() as client:
            assert b"10000" == client.hget(LEASES, "esmall")
            assert 2 == client.zcard(LEASE_ENDS)


@pytest.mark.parametrize("damage", [("HDEL",), ("HSET", "garbage")])
async def test_a_damaged_lease_begins_a_new_generation(
    server: Valkey, damage: tuple[str, ...]
) -> None:
    """A malformed lease ends like all others, and then a new generation begins."""
    async with leases_on(server.url, ttl_s=0.3) as (leases, _):
        await place(leases, "a")
        await leases.look()
        with server.client() as client:
            lease = b"l" + client.zrange(LEASE_ENDS, 0, -1)[0]
            client.execute_command(damage[0], LEASES, lease, *damage[1:])
        assert ("small", "first") == await place(leases, "b")
        await asyncio.sleep(0.4)
        for _ in range(2):
            await leases.look()
        with server.client() as client:
            assert [b"g"] == client.hkeys(LEASES)


async def test_a_frozen_redis_costs_one_deadline(server: Valkey) -> None:
    """Sessions are placed from the share, and Redis gets their leases when it resumes."""
    async with leases_on(server.url) as (leases, store):
        await leases.look()
        server.freeze()
        places = [await place(leases, f"s{number}") for number in range(6)]
        assert ["small"] * 2 + ["large"] * 4 == [edge for edge, _ in places]
        await until(lambda: store.state != "up")
        server.thaw()
        await until(lambda: store.state == "up")
        await leases.look()
        with server.client() as client:
            assert b"20000" == client.hget(LEASES, "elarge")


HUGE = "1" + "0" * 400
GARBAGE: list[tuple[bytes, tuple[str, ...]]] = [
    (LEASES, ("SET", "x")),
    (LEASES, ("RPUSH", "x")),
    (LEASE_ENDS, ("SET", "x")),
    (LEASE_ENDS, ("HSET", "x", "y")),
    *(
        (LEASES, ("HSET", field, value))
        for field in ("n", "g", "esmall")
        for value in ("", "x", HUGE, "-1", "nan", "inf", "1e300", "1.5", "0x", "x" * 10_000_000)
        if (field, value) not in {("g", ""), ("g", "x")} and not (field == "g" and len(value) <= 64)
    ),
    (LEASES, ("HDEL", "n")),
    (LEASES, ("HDEL", "g")),
    (LEASE_ENDS, ("ZADD", "1", "x")),
]


@pytest.mark.parametrize(
    ("key", "garbage"), GARBAGE, ids=[f"{key!r} {words}"[:60] for key, words in GARBAGE]
)
@pytest.mark.parametrize("known", [True, False])
async def test_garbage_begins_a_new_generation(
    server: Valkey, key: bytes, garbage: tuple[str, ...], known: bool
) -> None:
    """Sessions are placed all the same, and the leases that the worker holds are written back. What
    is large takes a busy machine longer than the usual timeout."""
    async with leases_on(server.url, timeout_ms=5000) as (leases, _):
        await leases.look()
        if known:
            assert ("small", "first") == await place(leases, "a")
        if garbage[0] in {"SET", "RPUSH"} or (key == LEASE_ENDS and garbage[0] == "HSET"):
            server.command("DEL", key)
        server.command(garbage[0], key, *garbage[1:])
        assert ("small", "first") == await place(leases, "b")
        for _ in range(3):
            await leases.look()
        with server.client() as client:
            assert (b"10000" if known else b"5000") == client.hget(LEASES, "esmall")
            assert 1 + known == int(client.hget(LEASES, "n") or 0) == client.zcard(LEASE_ENDS)


async def test_absurd_rates_are_shared_like_all_others(server: Valkey) -> None:
    """Redis takes a rate above the bound for garbage, and then no worker has a lease that is
    shared. Rates at the bound, and their sums, are ours."""
    absurd = 10**16
    async with leases_on(server.url) as (one, _), leases_on(server.url) as (other, _):
        await one.look()
        assert ("small", "first") == await place(one, "usual", kbps=1000)
        for name in ("a", "b", "c"):
            assert ("endless", "spilled") == await place(one, name, kbps=absurd)
        for name in ("d", "e", "f", "g"):
            one.follow(name, "film", absurd, "small")
        await one.look()
        for worker in (one, other, one, other):
            loads = await worker.look()
            assert not loads.alone
            assert {"small": 1000 + 4 * MAX_LEASE_KBPS, "large": 0} == loads.leased
        assert not (await leased(other, "new", kbps=absurd)).alone
        with server.client() as client:
            assert b"%d" % (4 * MAX_LEASE_KBPS) == client.hget(LEASES, "eendless")


async def test_a_lease_of_the_year_5138_ends(server: Valkey) -> None:
    """A lease that ends later than any may is released; one with a rate that no session has ends,
    and a new generation begins."""
    async with leases_on(server.url) as (leases, _):
        await place(leases, "a")
        with server.client() as client:
            (lease,) = client.zrange(LEASE_ENDS, 0, -1)
            client.zadd(LEASE_ENDS, {lease: 100_000_000_000_000})
        await leases.look()
        with server.client() as client:
            assert 0 == client.zcard(LEASE_ENDS) == client.hexists(LEASES, "esmall")
            client.hset(LEASES, b"l" + lease, f"{HUGE} a small")
            client.hset(LEASES, "n", 1)
            client.zadd(LEASE_ENDS, {lease: 1})
        for _ in range(2):
            await leases.look()
        with server.client() as client:
            assert b"1" == client.hget(LEASES, "n"), "the worker has written its own lease back"


async def test_workers_share_the_bound_without_redis() -> None:
    """Four workers without Redis take a quarter each."""
    workers = [Leases(MemoryStore(), TTL_S, lambda: 4) for _ in range(4)]
    placed = []
    for worker in workers:
        worker.use(Fleet.of(LINE))
        placed += [await place(worker, f"s{number}", kbps=1000) for number in range(20)]
    edges = [edge for edge, _ in placed]
    assert {"small": 8, "large": 40, "endless": 32} == {one.id: edges.count(one.id) for one in LINE}


async def test_a_newer_lease_stays(server: Valkey) -> None:
    """A worker that writes an old lease does not replace a newer one."""
    async with leases_on(server.url) as (leases, store):
        await place(leases, "a")
        redis = store.redis
        assert redis is not None
        with server.client() as client:
            lease_id = client.zrange(LEASE_ENDS, 0, -1)[0]
        asset = asset_name("film").hex().encode()
        for left_ms, expected in ((b"1000", b"5000"), (b"90000", b"7")):
            words = (b"60000", lease_id, asset, b"7", b"small", left_ms)
            await redis.run(RESTORE, (LEASES, LEASE_ENDS), words)
            with server.client() as client:
                assert expected == client.hget(LEASES, "esmall")


async def test_without_capacities_there_is_nothing_to_lease() -> None:
    """A fleet without capacities leases nothing."""
    leases = Leases(MemoryStore(), TTL_S, lambda: 1)
    leases.use(Fleet.of([ENDLESS]))
    assert not leases.active


SESSIONS_EACH = 150


def crowd(url: str, name: int) -> list[tuple[str, int]]:
    """In a process of its own: place sessions of several bit rates, 30 at a time. Returns the edge
    and bit rate in kbit/s of each."""

    async def run() -> list[tuple[str, int]]:
        async with leases_on(url) as (leases, _):
            await leases.look()
            told: list[tuple[str, int]] = []

            async def one(number: int) -> None:
                kbps = 100 * (1 + number % 7)
                found = await leases.place(f"{name}-{number}", "film", kbps, LINE, None, take=True)
                assert not found.alone
                told.append((LINE[found.placement.index].id, kbps))
                loads = found.placement.loads
                assert loads[0] <= 10_000, loads
                assert loads[1] <= 40_000, loads

            for first in range(0, SESSIONS_EACH, 30):
                await asyncio.gather(*map(one, range(first, first + 30)))
            return told

    return asyncio.run(run())


def test_four_processes_never_exceed_a_bound(server: Valkey) -> None:
    """They place concurrently through one Redis: edges fill to the last session that fits."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])  # imported once, not by each
    with context.Pool(4) as pool:
        told = pool.starmap(crowd, [(server.url, name) for name in range(4)])
    sums = dict.fromkeys((edge.id for edge in LINE), 0)
    for edge, kbps in (placed for part in told for placed in part):
        sums[edge] += kbps
    assert 10_000 - 100 < sums["small"] <= 10_000
    assert 40_000 - 100 < sums["large"] <= 40_000
    assert 4 * sum(100 * (1 + number % 7) for number in range(SESSIONS_EACH)) == sum(sums.values())


async def test_room_is_a_part_of_what_is_free_below_full() -> None:
    """Half of 97 % for one of two workers; what this worker leases counts at once."""
    async with leases_on("memory", workers=2) as (leases, _):
        await leases.look()
        assert (4850, 19_400, None) == tuple(leases.room_kbps(edge.id) for edge in LINE)
        await place(leases, "a", 3000)
        assert 1850 == leases.room_kbps("small")
        assert leases.room_kbps("gone") is None


@pytest.mark.parametrize("capacity_kbps", [1000, 80_000])
async def test_a_capacity_that_changes_while_redis_is_away(
    server: Valkey, capacity_kbps: int
) -> None:
    """It is in force at once: shares keep their proportion, and together stay within it."""
    async with (
        leases_on(server.url, workers=2) as (one, store),
        leases_on(server.url, workers=2) as (two, other),
    ):
        await place(one, "a", 6000)
        for leases in (one, two):
            await leases.look()
        server.kill()
        await until(lambda: store.state == other.state == "down")
        fleet = Fleet.of([replace(SMALL, capacity_kbps=capacity_kbps), LARGE, ENDLESS])
        bounds = []
        for leases in (one, two):
            leases.use(fleet)
            loads = await leases.look()
            assert loads.alone
            bounds.append(loads.bounds["small"])
        assert [capacity_kbps * 8 // 10, capacity_kbps * 2 // 10] == bounds
        assert "small" == (await place(two, "b", bounds[1]))[0]
        assert "large" == (await place(two, "c", 1))[0]


async def test_a_lease_follows_its_session(server: Valkey) -> None:
    """To any edge, and by the session's name as by its id; other workers see it with the next look.
    The rate of a lease that is known stays."""
    async with leases_on(server.url) as (one, _), leases_on(server.url) as (other, _):
        await one.look()
        await place(one, "s", 3000)
        assert not other.has("s")
        await asyncio.sleep(0.01)  # Redis counts milliseconds
        one.follow(session_name("s"), "film", 9000, "large")
        assert one.has("s")
        await one.look()
        loads = (await other.look()).leased
        assert (0, 3000) == (loads["small"], loads["large"])
        await asyncio.sleep(0.01)
        other.follow("s", "film", 2000, "endless")
        await other.look()
        loads = (await one.look()).leased
        assert (0, 0) == (loads["small"], loads["large"])
        await asyncio.sleep(0.01)
        other.follow("s", "another", 4000, "small")
        await other.look()
        assert 4000 == (await one.look()).leased["small"]
        assert 1 == server.command("ZCARD", LEASE_ENDS)


async def test_a_lease_is_renewed_after_a_quarter_of_its_time(server: Valkey) -> None:
    """Not with each request of the player."""
    now = 1000.0
    async with leases_on(server.url) as (_, store):
        leases = Leases(store, TTL_S, lambda: 1, lambda: now)
        leases.use(Fleet.of(LINE))
        await leases.look()
        await place(leases, "s", 3000)
        ends = server.command("ZRANGE", LEASE_ENDS, "0", "-1", "WITHSCORES")
        for after_s, same in ((0.2 * TTL_S, True), (0.3 * TTL_S, False)):
            now = 1000.0 + after_s
            leases.follow("s", "film", 3000, "small")
            await leases.look()
            found = server.command("ZRANGE", LEASE_ENDS, "0", "-1", "WITHSCORES")
            assert same is (ends == found)


@dataclass
class Wire:
    """Commands of a real server; ``meanwhile`` happens while the first RESTORE is under way, which
    is ``lost`` or arrives."""

    commands: Commands
    meanwhile: Callable[[], None]
    lost: bool = False
    restored: int = 0

    async def run(
        self, script: Script, keys: Sequence[bytes], words: Sequence[bytes]
    ) -> RedisReply:
        """Run a script."""
        if script is RESTORE:
            self.restored += 1
            if self.restored == 1:
                self.meanwhile()
                if self.lost:
                    raise StoreUnavailable(Trouble.LOST)
        return await self.commands.run(script, keys, words)


@dataclass
class Wired:
    """A store as far as leases use it."""

    redis: Wire
    state: StoreState = "up"


@pytest.mark.parametrize("lost", [False, True])
async def test_a_lease_that_moves_while_it_is_written_is_written_again(
    server: Valkey, lost: bool
) -> None:
    """Redis would believe the older edge until the lease ends. When the write is lost, the leases
    that did not move are written again as well."""
    now = 1000.0
    async with leases_on(server.url) as (_, store):
        assert store.redis is not None

        def moves() -> None:
            nonlocal now
            now += 1.0
            leases.follow("s", "film", 3000, "large")

        wire = Wire(store.redis, moves, lost)
        leases = Leases(cast("Store", Wired(wire)), TTL_S, lambda: 1, lambda: now)
        leases.use(Fleet.of(LINE))
        leases.follow("s", "film", 3000, "small")
        leases.follow("t", "film", 2000, "small")
        for _ in range(3):
            await leases.look()
            now += 1.0
        with server.client() as client:
            assert b"3000" == client.hget(LEASES, "elarge")
            assert b"2000" == client.hget(LEASES, "esmall")


async def test_without_capacities_nothing_follows() -> None:
    async with leases_on("memory") as (leases, _):
        leases.use(Fleet.of([Edge("endless", "https://e/")]))
        leases.follow("s", "film", 3000, "endless")
        assert not leases.has("s")
