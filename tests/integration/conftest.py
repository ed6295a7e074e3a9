"""Real processes that several integration tests share."""

from collections.abc import Iterator

import httpx
import pytest

from tests.integration.running import RunningGateway, running_gateway


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
