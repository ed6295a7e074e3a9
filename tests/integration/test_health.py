"""Edges that fail and recover, as seen by workers that share a Redis."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from gateway.background.fleet import FleetKeeper
from gateway.background.health_watch import HealthWatch
from gateway.background.probe import target_of
from gateway.clock import Clock
from gateway.config.health_settings import HealthSettings
from gateway.config.load import load
from gateway.edge.edge import Edge
from gateway.store.connection.connect import connect, control_store
from gateway.store.connection.keys import HEALTH_STATES
from gateway.store.connection.protocol import Store
from gateway.store.coordination.bus import Bus
from gateway.store.coordination.health_board import MAX_BYTES, HealthBoard
from gateway.store.coordination.redis_bus import bus_over
from tests.background import in_background
from tests.integration.edge_processes import EdgeProcess, edge_processes
from tests.unit.store.servers import Proxy, Valkey, listening, until, valkey

SHIPPED = load(None, {}).settings.health
SETTINGS = SHIPPED.model_copy(update={"slow_start_s": 0})
LIMIT_S = 2.5
"""No decision may outlive a dead edge by more than 2 s; the rest is for a busy machine."""


class Worker:
    """The health part of one worker."""

    def __init__(
        self,
        store: Store,
        bus: Bus | None,
        edges: Sequence[Edge],
        settings: HealthSettings = SETTINGS,
        clock: Clock | None = None,
    ) -> None:
        self.keeper = FleetKeeper(edges)
        self.watch = HealthWatch(store, self.keeper, settings, bus, clock)

    def state(self, edge_id: str = "a") -> str:
        """The state of an edge, with a star while it takes only a share."""
        condition = self.keeper.fleet.condition(edge_id)
        assert condition is not None
        return condition.state + ("*" if 0 < condition.admits < 1 else "")

    def why(self, edge_id: str) -> str:
        """Why it is in that state."""
        condition = self.keeper.fleet.condition(edge_id)
        assert condition is not None
        return condition.why

    @property
    def probes(self) -> bool:
        """Whether this worker probes."""
        return self.watch.role in {"prober", "alone"}


@contextlib.asynccontextmanager
async def working(
    url: str,
    edges: Sequence[Edge],
    settings: HealthSettings = SETTINGS,
    *,
    bus: bool = True,
    clock: Clock | None = None,
) -> AsyncIterator[Worker]:
    """A worker that runs until the end."""
    store = connect(url)
    control = control_store(store)
    await store.start()
    await control.start()
    messages = bus_over(control)
    worker = Worker(control, messages if bus else None, edges, settings, clock)
    await worker.watch.first_look()
    try:
        async with in_background(worker.watch.run(), messages.run()):
            yield worker
    finally:
        await control.close()
        await store.close()


@pytest.fixture(scope="module")
def processes() -> Iterator[list[EdgeProcess]]:
    """Five edges for all tests."""
    with edge_processes(5) as running:
        yield running


@pytest.fixture
def edges(processes: list[EdgeProcess]) -> list[Edge]:
    """Edges that are healthy at first and probed by page; ``live`` is the first server again,
    probed by playlist."""
    for process in processes:
        process.heal()
    asked = [
        Edge(edge_id, process.url, health_url="/healthz?deep=1")
        for edge_id, process in zip("abcde", processes, strict=True)
    ]
    return [*asked, Edge("live", processes[0].url, health_playlist="live/1080p.m3u8")]


@pytest.fixture
def three(edges: list[Edge]) -> list[Edge]:
    """Only ``a``, ``b`` and ``live``."""
    return [edges[0], edges[1], edges[-1]]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Valkey]:
    """A Redis to break."""
    with valkey(tmp_path) as running:
        yield running


WAYS: Sequence[tuple[str, str, str]] = (
    ("kill", "down", "connection refused"),
    ("freeze", "down", "no response in 1000 ms"),
    ("status-500", "down", "HTTP 500"),
    ("slow-1500", "down", "no response in 1000 ms"),
    ("slow-500", "degraded*", "slow: answered in "),
)


@pytest.mark.parametrize("bus", [True, False], ids=["told over the bus", "looking it up"])
async def test_edges_that_die_are_out_everywhere(
    server: Valkey, edges: list[Edge], processes: list[EdgeProcess], bus: bool
) -> None:
    """However an edge fails, both workers know the failure and its reason within two seconds, and
    compute the same new epoch. When the edge is back, it takes a growing share, under the earlier
    epoch."""
    settings = SETTINGS.model_copy(update={"slow_start_s": 4})
    async with (
        working(server.url, edges[:5], settings, bus=bus) as one,
        working(server.url, edges[:5], settings, bus=bus) as two,
    ):
        await until(lambda: {one.watch.role, two.watch.role} == {"prober", "follower"})
        await asyncio.sleep(0.6)
        epoch = one.keeper.fleet.epoch
        for process, (way, _, _) in zip(processes, WAYS, strict=True):
            await asyncio.to_thread(process.turn, way)
        expected = [(state, True) for _, state, _ in WAYS]
        took_s = await until(
            lambda: all(
                expected
                == [
                    (worker.state(edge.id), worker.why(edge.id).startswith(why))
                    for edge, (_, _, why) in zip(edges, WAYS, strict=False)
                ]
                for worker in (one, two)
            )
        )
        assert took_s < LIMIT_S + (0.0 if bus else 0.6)
        assert epoch != one.keeper.fleet.epoch == two.keeper.fleet.epoch
        for process in processes:
            await asyncio.to_thread(process.heal)
        for back in ("up*", "up"):
            names = ("a", "b", "c")
            await until(lambda: {back} == {w.state(n) for w in (one, two) for n in names})  # noqa: B023
        await until(lambda: {epoch} == {one.keeper.fleet.epoch, two.keeper.fleet.epoch})


async def test_a_live_playlist_that_stands_still(
    server: Valkey, three: list[Edge], processes: list[EdgeProcess]
) -> None:
    """The edge is down though it responds; a worker that takes over knows it, too; and when the
    playlist advances the edge is back."""
    processes[0].behave("live")
    settings = SETTINGS.model_copy(update={"live_stale_factor": 1.0})
    async with working(server.url, three, settings) as two:
        async with working(server.url, three, settings) as one:
            await asyncio.sleep(1.6)
            assert "up" == one.state("live")
            processes[0].behave("stuck")
            await until(lambda: {"down"} == {one.state("live"), two.state("live")})
            assert one.why("live").startswith("stale live playlist: no segment after")
            assert "up" == one.state("a")
        await until(lambda: two.probes)
        await asyncio.sleep(1)
        assert "down" == two.state("live")
        await asyncio.to_thread(processes[0].behave, "live")
        await until(lambda: two.state("live").startswith("up"))


async def test_a_clock_that_is_corrected_makes_no_edge_stale(
    three: list[Edge], processes: list[EdgeProcess]
) -> None:
    """The host's clock jumps an hour while a live edge has had no new segment for a moment: the
    edge stays up, and its state has the new Unix time."""
    processes[0].behave("live")
    jump_s = 0.0
    clock = Clock(unix=lambda: time.time() + jump_s)
    settings = SETTINGS.model_copy(update={"live_stale_factor": 60.0, "interval_ms": 200})
    async with working("memory", three, settings, clock=clock) as worker:
        await until(lambda: worker.watch.role == "alone")
        await asyncio.sleep(0.5)
        processes[0].behave("stuck")
        processes[1].behave("status-503")
        await until(lambda: worker.state("b") == "down")
        jump_s = 3600.0
        await asyncio.sleep(1.5)
        assert "up" == worker.state("live")
        condition = worker.keeper.fleet.condition("b")
        assert condition is not None
        assert abs((condition.since_s or 0) - time.time() - jump_s) < 60


async def test_one_entry_that_cannot_be_read_costs_that_entry(
    server: Valkey, three: list[Edge]
) -> None:
    """The other findings still count; the edge of the bad entry is as it was known here."""
    mark = {edge.id: found.mark for edge in three if (found := target_of(edge, None)) is not None}
    rows = [
        ["a", mark["a"], "down", 1e9, None, 1, "HTTP 503", None, None, None],
        ["b", mark["b"], "down", 10**400, None, 1, "HTTP 503", None, None, None],
        ["live", mark["live"], "down", 1e9, None, 1, "stale", 2**60, 2**60 + 2, 1e9],
        "garbage",
    ]
    server.command("SET", HEALTH_STATES, json.dumps(rows))
    async with working(server.url, three) as worker:
        states = {edge.id: worker.state(edge.id) for edge in three}
    assert {"a": "down", "b": "up", "live": "down"} == states


async def test_findings_that_are_too_long_are_not_read(server: Valkey, three: list[Edge]) -> None:
    """Redis does not send them; the worker keeps what it knows."""
    server.command("SET", HEALTH_STATES, " " * (MAX_BYTES + 1))
    store = control_store(connect(server.url))
    await store.start()
    assert store.redis is not None
    _, states = await HealthBoard(store.redis, "me").campaign(stand=False)
    await store.close()
    assert b"too long" == states


async def test_one_worker_probes_for_all(
    server: Valkey, three: list[Edge], processes: list[EdgeProcess]
) -> None:
    """Four workers cost an edge no more probes than one; a worker that stops releases the lease at
    once, and another takes over."""
    async with contextlib.AsyncExitStack() as stack:
        first = contextlib.AsyncExitStack()
        leader = await first.enter_async_context(working(server.url, three))
        await until(lambda: leader.watch.role == "prober")
        others = [await stack.enter_async_context(working(server.url, three)) for _ in range(3)]
        await until(lambda: {"follower"} == {worker.watch.role for worker in others})
        before = processes[1].probes()
        await asyncio.sleep(2)
        assert 3 <= processes[1].probes() - before <= 5
        await first.aclose()
        took_s = await until(lambda: sum(worker.probes for worker in others) == 1)
        assert took_s < 1
        await asyncio.sleep(0.5)
        assert 1 == sum(worker.probes for worker in others)


async def test_an_edge_that_the_prober_does_not_have_is_probed_by_who_has_it(
    server: Valkey, edges: list[Edge], processes: list[EdgeProcess]
) -> None:
    """Configs of two gateways differ while one is rolled out. As soon as the prober has the edge,
    its findings count, and nobody else probes."""
    async with working(server.url, edges[:1]) as one:
        await until(lambda: one.watch.role == "prober")
        async with working(server.url, edges[:2]) as two:
            await until(lambda: two.watch.role == "follower")
            processes[1].kill()
            await until(lambda: two.state("b") == "down")
            processes[0].kill()
            await until(lambda: (one.state("a"), two.state("a")) == ("down", "down"))
            one.keeper.found("config", edges[:2])
            await until(lambda: one.state("b") == "down" and not two.watch._scheduler.running)
            await until(lambda: two.state("b") == "down")
            assert ("prober", "follower") == (one.watch.role, two.watch.role)


@pytest.mark.parametrize("how", ["freeze", "kill"])
async def test_without_redis_everyone_probes(
    server: Valkey, three: list[Edge], processes: list[EdgeProcess], how: str
) -> None:
    """Findings stay, each worker probes for itself within a second, an edge that fails now is
    detected in time, and when Redis is back (empty, if it was killed) one worker is elected."""
    processes[1].behave("status-503")
    async with working(server.url, three) as one, working(server.url, three) as two:
        await until(lambda: {one.watch.role, two.watch.role} == {"prober", "follower"})
        await until(lambda: {"down"} == {one.state("b"), two.state("b")})
        getattr(server, how)()
        took_s = await until(lambda: one.watch.role == two.watch.role == "alone")
        assert took_s < 1.1
        assert {"down"} == {one.state("b"), two.state("b")}
        await asyncio.to_thread(processes[0].behave, "status-500")
        took_s = await until(lambda: {"down"} == {one.state("a"), two.state("a")})
        assert took_s < LIMIT_S
        server.thaw() if how == "freeze" else server.start()
        await until(lambda: {one.watch.role, two.watch.role} == {"prober", "follower"})
        await asyncio.to_thread(processes[0].behave, "ok")
        await until(lambda: {"up"} == {one.state("a"), two.state("a")})
        assert {"down"} == {one.state("b"), two.state("b")}


async def test_findings_of_the_prober_end_those_of_a_worker_alone(
    server: Valkey, three: list[Edge]
) -> None:
    """A worker that reaches neither Redis nor the edges finds them down. When it reaches Redis
    again, the prober's findings count, though they have not changed meanwhile."""
    proxy = Proxy(server.path)
    hasty = SETTINGS.model_copy(update={"timeout_ms": 0})
    async with working(server.url, three) as one, listening(proxy.serve) as port:
        await until(lambda: one.watch.role == "prober")
        async with working(f"redis://127.0.0.1:{port}", three, hasty) as two:
            await until(lambda: two.watch.role == "follower")
            shared = await asyncio.to_thread(server.command, "GET", HEALTH_STATES)
            proxy.target = server.path.with_name("gone")
            proxy.cut()
            await until(lambda: {"down"} == {two.state(edge.id) for edge in three})
            proxy.target = server.path
            await until(lambda: two.watch.role == "follower")
            await until(lambda: {"up"} == {two.state(edge.id) for edge in three}, limit_s=5)
            assert shared == await asyncio.to_thread(server.command, "GET", HEALTH_STATES)


async def test_a_new_worker_knows_at_once(
    server: Valkey, three: list[Edge], processes: list[EdgeProcess]
) -> None:
    """Findings of others are used before the first probe; but not those of another URL under the
    same id, and not malformed ones."""
    processes[0].behave("status-500")
    async with working(server.url, three) as one:
        await until(lambda: one.state() == "down")
        async with working(server.url, three) as two:
            assert "down" == two.state()
        moved = [replace(edge, health_url="elsewhere") for edge in three[:1]]
        async with working(server.url, moved) as other:
            assert "up" == other.state()
    server.command("SET", HEALTH_STATES, '[["a", "x"]]')
    async with working(server.url, three) as four:
        assert "up" == four.state()


async def test_edges_and_thresholds_change_while_it_runs(
    three: list[Edge], processes: list[EdgeProcess]
) -> None:
    """Probes follow the fleet and the config. An edge without a target is up, and the health of
    edges that stay is kept."""
    processes[0].behave("status-500")
    silent = Edge("silent", "http://127.0.0.1:9/")
    async with working("memory", [*three[:1], silent]) as worker:
        await until(lambda: worker.state() == "down")
        worker.keeper.found("config", [*three, silent])
        assert "down" == worker.state()
        await until(lambda: worker.state("live") == "down")
        assert "up" == worker.state("silent")
        worker.watch.configure(SETTINGS.model_copy(update={"path": "healthz", "slow_ms": 1}))
        await until(lambda: worker.state("silent") == "down")
        worker.keeper.found("config", [silent])
        worker.watch.configure(SETTINGS)
        await until(lambda: worker.watch.role == "idle")
        assert "up" == worker.state("silent")


async def test_a_reload_may_end_the_probes(three: list[Edge]) -> None:
    """How many edges there are to probe follows the config, whatever their last states were."""

    def to_probe() -> float | None:
        return REGISTRY.get_sample_value("gateway_edges_to_probe")

    silent = Edge("silent", "http://127.0.0.1:9/")
    async with working("memory", [three[0], silent]) as worker:
        await until(lambda: worker.probes)
        assert 1 == to_probe()
        worker.watch.configure(SETTINGS.model_copy(update={"path": "healthz"}))
        assert 2 == to_probe()
        worker.watch.configure(SETTINGS)
        worker.keeper.found("config", [silent])
        await until(lambda: worker.watch.role == "idle")
        assert 0 == to_probe()


async def test_everyone_down_is_everyone_up(
    three: list[Edge], processes: list[EdgeProcess]
) -> None:
    """When no edge answers, the fleet serves as if all did."""
    for process in processes:
        process.behave("status-500")
    async with working("memory", three) as worker:
        await until(lambda: worker.keeper.fleet.all_down)
        assert (0, 1, 2) == worker.keeper.fleet.serving
        assert {"down"} == {worker.state(edge.id) for edge in three}
