"""What pages run against: a gateway for all pages whose commands need one."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.browser.conftest import browser, hls_js
from tests.integration.running import RunningGateway, running_gateway
from tests.unit.store.servers import valkey

__all__ = ["browser", "hls_js", "operated"]

# As the pages name them. No edge is probed: their hosts do not exist.
_EDGES = ("fra-3", "ams-1", "oslo-1")
_CONFIG = """\
[server]
show_reasons = true
[store]
url = "{store}"
timeout_ms = 1000
[events]
enabled = true
[registry]
enabled = true
urls = ["https://*.example.com/videos/"]
[[registry.keys]]
id = "2026-11"
secret = "a-secret-of-this-test-which-is-long-enough"
"""
_EDGE = """
[[edges]]
id = "{id}"
url = "https://{id}.example.com/videos/"
latitude = 50
longitude = 8
continents = ["EU"]
fallback = true
"""


@dataclass(frozen=True, slots=True)
class Operated:
    """A running gateway on a Redis, and its config for commands beside it."""

    gateway: RunningGateway
    config: str


@pytest.fixture(scope="session")
def operated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operated]:
    """The gateway that the pages with ``commands run in: gateway`` share, as operators have it."""
    folder = tmp_path_factory.mktemp("operated")
    with valkey(folder) as server:
        config = _CONFIG.format(store=server.url) + "".join(
            _EDGE.format(id=name) for name in _EDGES
        )
        path = Path(folder / "gateway.toml")
        path.write_text(config, "utf-8")
        with running_gateway(path) as gateway:
            yield Operated(gateway, config)
