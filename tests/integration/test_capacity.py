"""Four workers fill edges with a capacity exactly, with Redis and without."""

import re
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from gateway.store.connection.keys import LEASES
from gateway.store.coordination.leases import SETTLE_S
from tests.integration import running
from tests.integration.in_process import OPERATORS, started
from tests.integration.reading_metrics import metric
from tests.integration.running import RunningGateway, running_gateway
from tests.unit.store.servers import Valkey, valkey

KBPS = 2500  # the top rung of the profile that these players get; nothing is known of their speed
CAPACITIES = {"small": 20_000, "large": 30_000}
WITHOUT_REGION = "".join(
    f'[[edges]]\nid = "{edge}"\nurl = "https://{edge}.cdn.example.com/"\n'
    + (f"capacity_mbps = {CAPACITIES[edge] / 1000}\n" if edge in CAPACITIES else "")
    for edge in (*CAPACITIES, "endless")
)
PLAYERS = 16
PATIENCE_S = 60.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Valkey]:
    """A Valkey for one test, which may break it."""
    with valkey(tmp_path) as running:
        yield running


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Two edges with a capacity, and one without, all equal."""
    path = tmp_path / "gateway.toml"
    path.write_text(WITHOUT_REGION)
    return path


def on(server: Valkey) -> dict[str, str]:
    """The environment of a gateway on that server, with a deadline for a busy machine."""
    return {"GATEWAY_STORE__URL": server.url, "GATEWAY_STORE__TIMEOUT_MS": "500"}


def edge_of(answer: httpx.Response) -> str:
    """The edge that an answer names."""
    assert 200 == answer.status_code, answer.text
    found = re.search(r'edge="([^"]+)"', answer.headers["Gateway-Decision"])
    assert found is not None
    return found[1]


def play(gateway: RunningGateway, sessions: range) -> dict[int, str]:
    """The edge of each session. ``PLAYERS`` requests run at a time, each on a new connection."""

    def some(numbers: range) -> dict[int, str]:
        placed = {}
        anew = httpx.Limits(max_keepalive_connections=0)  # any worker may get the next request
        with httpx.Client(base_url=gateway.url, timeout=10, limits=anew) as client:
            for number in numbers:
                path = f"/v1/play/film-{number % 7}.m3u8?session=s{number}"
                placed[number] = edge_of(client.get(path))
        return placed

    parts = [sessions[at::PLAYERS] for at in range(PLAYERS)]
    with ThreadPoolExecutor(PLAYERS) as pool:
        return {number: edge for part in pool.map(some, parts) for number, edge in part.items()}


def within(placed: dict[int, str]) -> Counter[str]:
    """Sessions by edge, after checking that no capacity is exceeded."""
    counted = Counter(placed.values())
    for edge, capacity in CAPACITIES.items():
        assert counted[edge] * KBPS <= capacity, counted
    return counted


def test_four_workers_keep_to_every_bound(
    config: Path, server: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With Redis, without it, and after it came back empty: no capacity is exceeded, every player
    is served, playing sessions stay, and in the end every edge is exactly full."""
    monkeypatch.setattr(running, "START_S", PATIENCE_S)  # five processes on a busy machine
    with running_gateway(config, "--workers", "4", environ=on(server)) as gateway:
        gateway.wait_for("started", 4, PATIENCE_S)
        placed = play(gateway, range(15))
        time.sleep(1.5)  # every worker has looked: it knows its share
        server.kill()
        placed |= play(gateway, range(15, 60))
        within(placed)

        server.start()
        gateway.wait_for("store_state", 12, PATIENCE_S)  # up, down and up again, in each worker
        placed |= play(gateway, range(60, 100))
        within(placed)
        settled(server, placed)

        placed |= play(gateway, range(100, 200))
        assert {"small": 8, "large": 12, "endless": 180} == within(placed)
        gateway.wait_for("edge_full", 8, PATIENCE_S)  # everybody knows
        assert placed == play(gateway, range(200))
        assert 400 == metric(gateway.admin_url, "gateway_placements_total")
        assert 200 <= metric(gateway.admin_url, 'gateway_placements_total{outcome="kept"}')
        for edge, capacity in CAPACITIES.items():
            assert capacity == metric(
                gateway.admin_url, f'gateway_edge_leased_kbps{{edge="{edge}"}}'
            )


def settled(server: Valkey, placed: dict[int, str]) -> None:
    """Wait until Redis has every lease, and every worker uses it again."""
    expected = {edge: count * KBPS for edge, count in Counter(placed.values()).items()}
    deadline = time.monotonic() + 15
    books: dict[str, int] = {}
    while books != expected and time.monotonic() < deadline:
        books = {edge: leased(server, edge) for edge in expected}
        time.sleep(0.1)
    assert expected == books
    time.sleep(SETTLE_S + 1)


def leased(server: Valkey, edge: str) -> int:
    """The kbit/s leased on an edge in Redis."""
    with server.client() as client:
        return int(client.hget(LEASES, f"e{edge}") or 0)


async def test_looking_takes_nothing(config: Path) -> None:
    """HEAD and the JSON decision name the edge that the playlist would name, and lease nothing."""
    async with started(config) as client:
        for number in range(12):
            path = f"/v1/play/film-{number}"
            session = {"session": f"viewer-{number}"}
            before = await placements(client)
            decision = (await client.get(path, params=session)).json()
            head = edge_of(await client.head(f"{path}.m3u8", params=session))
            assert before == await placements(client)
            found = edge_of(await client.get(f"{path}.m3u8", params=session))
            assert decision["edges"][0] == head == found
            assert urls(decision) == {f"https://{found}.cdn.example.com"}


async def placements(client: httpx.AsyncClient) -> list[str]:
    """The number of leases taken, from the metrics."""
    text = (await client.get(f"{OPERATORS}/metrics")).text
    return re.findall(r"^gateway_placements_total.*$", text, re.MULTILINE)


def urls(decision: dict[str, object]) -> set[str]:
    """The hosts of a ladder."""
    ladder = decision["ladder"]
    assert isinstance(ladder, list)
    return {"/".join(rung["uri"].split("/")[:3]) for rung in ladder}
