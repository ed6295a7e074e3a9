"""A session's lease and record follow its player, through the whole gateway and a real Valkey."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.app import Application
from gateway.edge.fleet import EdgeCondition
from gateway.observe import metrics
from tests.integration.in_process import application, asking
from tests.unit.store.servers import Valkey, valkey

EDGES = """
[steering]
leave_s = 0
dwell_s = 0
[capacity]
lease_s = 600
[[edges]]
id = "e1"
url = "https://e1.example.com/v/"
fallback = true
capacity_mbps = 100
[[edges]]
id = "e2"
url = "https://e2.example.com/v/"
latitude = 1.0
longitude = 1.0
capacity_mbps = 100
[[edges]]
id = "e3"
url = "https://e3.example.com/v/"
latitude = 60.0
longitude = 60.0
capacity_mbps = 100
"""
DRAINS = {"e1": EdgeCondition("draining", 0.0)}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Valkey]:
    """A Valkey of the test's own."""
    with valkey(tmp_path) as running:
        yield running


class Worker:
    """One worker of the gateway, and a client of it."""

    def __init__(self, app: Application, client: httpx.AsyncClient) -> None:
        self.app = app
        self.client = client

    async def leased(self) -> dict[str, int]:
        """What is leased on each edge that has a lease, after what waits was written."""
        await self.app.gateway.leases.look()
        leased = (await self.app.gateway.leases.look()).leased
        return {edge: kbps for edge, kbps in leased.items() if kbps}

    async def placed(self, session: str) -> str | None:
        """Where the stored record has the session."""
        record, _ = await self.app.gateway.sessions.get(session)
        return record.edge_of("film")


@pytest.fixture
async def workers(server: Valkey, tmp_path: Path) -> AsyncIterator[tuple[Worker, Worker]]:
    """Two workers with one key."""
    path = tmp_path / "g.toml"
    path.write_text(EDGES)
    environ = {
        "GATEWAY_STORE__URL": server.url,
        "GATEWAY_STORE__TIMEOUT_MS": "500",  # the shipped deadline passes on a busy machine
        "GATEWAY_KEYS__RING": json.dumps([{"id": "k", "secret": "s" * 32}]),
    }
    one, two = (application(path, environ) for _ in range(2))
    async with one.lifespan(one), two.lifespan(two), asking(one) as first, asking(two) as second:
        yield Worker(one, first), Worker(two, second)


async def begun(worker: Worker, query: str) -> str:
    """Request a playlist; where its player asks, once it has asked for the first time."""
    playlist = (await worker.client.get(f"/v1/play/film.m3u8{query}")).text
    found = re.search(r'SERVER-URI="([^"]+)"', playlist)
    assert found is not None
    return str((await answered(worker, f"{found[1]}&_HLS_pathway=e1"))["RELOAD-URI"])


async def answered(worker: Worker, url: str) -> dict[str, Any]:
    """The steering manifest."""
    answer = await worker.client.get(url)
    assert 200 == answer.status_code
    found: dict[str, Any] = answer.json()
    return found


async def test_it_moves_when_its_player_has(workers: tuple[Worker, Worker]) -> None:
    """Not when it was told to; at a worker that has never seen the session, as well. It is one
    lease throughout, and its next playlist is on the new edge."""
    one, two = workers
    url = await begun(one, "?session=s")
    before = await one.leased()
    assert ["e1"] == list(before)
    one.app.keeper.judged("test", DRAINS)
    two.app.keeper.judged("test", DRAINS)
    told = await answered(one, f"{url}&_HLS_pathway=e1")
    moved = told["PATHWAY-PRIORITY"][0]
    assert "e1" != moved
    assert before == await one.leased()
    assert "e1" == await one.placed("s")
    again = await answered(two, f"{told['RELOAD-URI']}&_HLS_pathway=e1")
    assert ["e1"] == list(await two.leased())
    counted = metrics.SESSIONS_FOLLOWED.labels(moved)._value.get()
    await answered(two, f"{again['RELOAD-URI']}&_HLS_pathway={moved}")
    await until_moved(two, "s", moved)
    assert [moved] == list(await two.leased()) == list(await one.leased())
    assert 1 == metrics.SESSIONS_FOLLOWED.labels(moved)._value.get() - counted
    playlist = await two.client.get("/v1/play/film.m3u8?session=s")
    assert f'edge="{moved}"' in playlist.headers["gateway-decision"]


async def until_moved(worker: Worker, session: str, edge: str) -> None:
    """Wait for the background task."""
    for _ in range(1000):
        if edge == await worker.placed(session):
            return
        await asyncio.sleep(0.01)
    assert edge == await worker.placed(session)


LIES = [
    ("nobody has it", "_HLS_pathway=nowhere"),
    ("down", "_HLS_pathway=e3"),
    ("nobody told it of this one", "_HLS_pathway=e2.ffff"),
    ("nothing", ""),
]


@pytest.mark.parametrize("report", [row[1] for row in LIES], ids=[row[0] for row in LIES])
async def test_a_player_that_lies_changes_nothing(
    workers: tuple[Worker, Worker], report: str
) -> None:
    one, _ = workers
    one.app.keeper.judged("test", {"e3": EdgeCondition("down", 0.0)})
    url = await begun(one, "?session=s")
    before = await one.leased()
    for _ in range(3):
        url = (await answered(one, f"{url}&{report}"))["RELOAD-URI"]
    assert before == await one.leased()
    assert "e1" == await one.placed("s")


async def test_a_session_without_a_name(workers: tuple[Worker, Worker]) -> None:
    """The playlist's lease cannot be found again: the new edge gets another one."""
    one, _ = workers
    url = await begun(one, "")
    before = await one.leased()
    assert ["e1"] == list(before)
    one.app.keeper.judged("test", DRAINS)
    told = await answered(one, f"{url}&_HLS_pathway=e1")
    moved = told["PATHWAY-PRIORITY"][0]
    assert before == await one.leased()
    await answered(one, f"{told['RELOAD-URI']}&_HLS_pathway={moved}")
    after = await one.leased()
    assert {"e1", moved} == set(after)
    assert before["e1"] == after["e1"]
