"""The prober's lease and its findings, in a real Redis."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.store.connection.connect import connect
from gateway.store.connection.keys import HEALTH_LEASE, HEALTH_STATES
from gateway.store.connection.protocol import Commands, StoreUnavailable
from gateway.store.coordination.health_board import LEASE_MS, HealthBoard
from tests.unit.store.servers import Valkey, until, valkey


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """One server for all; each test empties it."""
    with valkey(tmp_path_factory.mktemp("valkey")) as running:
        yield running


@pytest.fixture
async def commands(server: Valkey) -> AsyncIterator[Commands]:
    """A connection with a long deadline."""
    server.command("FLUSHALL")
    store = connect(server.url, timeout_ms=1000)
    await store.start()
    assert store.redis is not None
    yield store.redis
    await store.close()


async def test_one_of_two_holds_the_lease(commands: Commands, server: Valkey) -> None:
    """The first to ask holds the lease while it asks again; after it has released it, the other
    one. Without ``stand`` a worker only reads. Only the holder writes and releases."""
    a, b = HealthBoard(commands, "a"), HealthBoard(commands, "b")
    assert (False, None) == await a.campaign(stand=False)
    assert (True, None) == await a.campaign(stand=True)
    assert (False, None) == await b.campaign(stand=True)
    assert await a.publish(b"[]")
    assert not await b.publish(b"other")
    await b.release()
    assert (False, b"[]") == await b.campaign(stand=True)
    assert (True, b"[]") == await a.campaign(stand=True)
    await a.release()
    assert (True, b"[]") == await b.campaign(stand=True)
    assert not await a.publish(b"late")


async def test_a_lease_ends_by_itself(commands: Commands, server: Valkey) -> None:
    """A dead holder is replaced; a holder's next call renews the lease."""
    board = HealthBoard(commands, "a")
    await board.campaign(stand=True)
    server.command("PEXPIRE", HEALTH_LEASE, "200")
    await board.campaign(stand=True)
    left_ms = server.command("PTTL", HEALTH_LEASE)
    assert isinstance(left_ms, int)
    assert LEASE_MS - 500 < left_ms <= LEASE_MS
    server.command("PEXPIRE", HEALTH_LEASE, "30")
    await until(lambda: server.command("EXISTS", HEALTH_LEASE) == 0)
    assert (True, None) == await HealthBoard(commands, "b").campaign(stand=True)


async def test_foreign_values_are_replaced(commands: Commands, server: Valkey) -> None:
    """Values of another type under our names are replaced."""
    server.command("RPUSH", HEALTH_LEASE, "x")
    server.command("HSET", HEALTH_STATES, "x", "y")
    board = HealthBoard(commands, "a")
    assert (True, None) == await board.campaign(stand=True)
    assert await board.publish(b"[]")
    assert (True, b"[]") == await board.campaign(stand=True)


async def test_a_frozen_redis_is_gone_soon(tmp_path: Path) -> None:
    """A call gives up after a third of a second, whatever the store's own deadline."""
    with valkey(tmp_path) as frozen:
        store = connect(frozen.url, timeout_ms=5000)
        await store.start()
        assert store.redis is not None
        frozen.freeze()
        with pytest.raises(StoreUnavailable, match="timeout"):
            await HealthBoard(store.redis, "a").campaign(stand=True)
        frozen.kill()
        await store.close()
