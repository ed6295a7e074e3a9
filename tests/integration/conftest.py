"""Real processes that several integration tests share."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from gateway.store import garbage
from gateway.store.connection.redis import RedisStore
from tests.integration.running import RunningGateway, running_gateway
from tests.unit.store.servers import Valkey, valkey


@pytest.fixture(scope="session")
def default_gateway() -> Iterator[RunningGateway]:
    """``gateway serve`` with no config at all: the shipped defaults."""
    with running_gateway(None) as gateway:
        yield gateway


@pytest.fixture
def client(default_gateway: RunningGateway) -> Iterator[httpx.Client]:
    """An HTTP client of the default gateway."""
    with httpx.Client(base_url=default_gateway.url, timeout=10) as found:
        yield found


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """One server for all tests of a module."""
    with valkey(tmp_path_factory.mktemp("valkey")) as found:
        yield found


@pytest.fixture
def server(running: Valkey) -> Valkey:
    """That server, empty."""
    running.command("FLUSHALL")
    garbage._logged.clear()
    return running


@pytest.fixture
async def store(server: Valkey) -> AsyncIterator[RedisStore]:
    """A store on it, with the longer deadline of background work."""
    made = RedisStore(server.url, timeout_s=1.0)
    await made.start()
    yield made
    await made.close()
