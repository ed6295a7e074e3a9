"""Sessions that play stay on their edge; the reasons name the edges that were passed over, and
why."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway.app import Application
from gateway.client.session import SessionRecord
from gateway.commands.explain import Question, explain_decision
from gateway.config.load import load
from gateway.edge.fleet import EdgeCondition
from gateway.store.connection.keys import session_key
from gateway.store.coordination.leases import Leases
from tests.integration.in_process import MEMORY, OPERATORS, application, asking
from tests.unit.store.servers import Valkey, until, valkey

EDGES = ("one", "two", "three")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Valkey]:
    """A Valkey of the test's own."""
    with valkey(tmp_path) as running:
        yield running


def config(tmp_path: Path, **capacities: float) -> Path:
    """Three equal edges; capacities in Mbit/s."""
    path = tmp_path / "gateway.toml"
    path.write_text(
        "".join(
            f'[[edges]]\nid = "{edge}"\nurl = "https://{edge}.cdn.example.com/"\n'
            + (f"capacity_mbps = {capacities[edge]}\n" if edge in capacities else "")
            for edge in EDGES
        )
    )
    return path


async def edge(client: httpx.AsyncClient, session: str | None, asset: str = "film") -> str:
    """The edge that a player of this session gets."""
    query = "" if session is None else f"?session={session}"
    answer = await client.get(f"/v1/play/{asset}.m3u8{query}")
    found = re.search(r'edge="([^"]+)"', answer.headers["Gateway-Decision"])
    assert found is not None
    return found[1]


async def reasons(client: httpx.AsyncClient, session: str, asset: str = "film") -> list[str]:
    """The reasons about edges and leases."""
    decision = (await client.get(f"{OPERATORS}/v1/play/{asset}?session={session}")).json()
    return [text for text in decision["reasons"] if text.startswith(("edge: ", "lease: "))]


def judge(app: Application, **conditions: EdgeCondition) -> None:
    """Set the conditions of these edges; all others are up."""
    app.keeper.judged("test", conditions)


async def test_a_playing_session_stays(tmp_path: Path) -> None:
    """A session stays while its edge drains, warms up or is full, and goes when it is down; a new
    session passes such an edge over."""
    app = application(config(tmp_path))
    async with app.lifespan(app), asking(app) as client:
        names = [f"s{number}" for number in range(12)]
        before = {name: await edge(client, name) for name in names}
        assert set(EDGES) == set(before.values())
        for sick in (
            EdgeCondition("draining", 0.0),
            EdgeCondition("degraded", 0.1),
            EdgeCondition(full=True),
            EdgeCondition(admits=0.0),
        ):
            judge(app, one=sick)
            assert before == {name: await edge(client, name) for name in names}
        new = {await edge(client, f"new-{number}") for number in range(12)}
        assert {"two", "three"} == new
        judge(app, one=EdgeCondition("down"))
        after = {name: await edge(client, name) for name in names}
        assert {"two", "three"} == set(after.values())
        moved = {name for name in names if before[name] != after[name]}
        assert {name for name in names if before[name] == "one"} == moved
        judge(app)
        assert after == {name: await edge(client, name) for name in names}


async def test_a_session_stays_after_its_lease_has_ended(tmp_path: Path) -> None:
    """The session's record outlives its lease, and its edge takes it again even when full."""
    app = application(config(tmp_path, one=5, two=500, three=500))
    async with asking(app) as client:
        names = [f"s{number}" for number in range(40)]
        before = {name: await edge(client, name) for name in names}
        old = [name for name in names if before[name] == "one"]
        assert 2 == len(old)
        app.gateway.leases = Leases(app.gateway.store, 900, lambda: 1)  # nothing is leased any more
        app.gateway.leases.use(app.gateway.fleet)
        new = {name: await edge(client, name) for name in (f"n{number}" for number in range(40))}
        assert 2 == list(new.values()).count("one")
        assert before == {name: await edge(client, name) for name in names}


async def test_nothing_is_remembered_without_a_session(tmp_path: Path) -> None:
    """Without a session no edge is remembered. A session's next title is placed independently."""
    app = application(config(tmp_path))
    async with app.lifespan(app), asking(app) as client:
        first = await edge(client, None)
        titles = [await edge(client, "s", f"film-{number}") for number in range(12)]
        assert set(EDGES) == set(titles)
        judge(app, **{first: EdgeCondition("draining", 0.0)})
        assert first != await edge(client, None)


async def test_a_session_reaches_redis_as_a_record(tmp_path: Path, server: Valkey) -> None:
    """Written once and not at every request; HEAD and the JSON decision write nothing."""
    environ = {"GATEWAY_STORE__URL": server.url, "GATEWAY_STORE__TIMEOUT_MS": "500"}
    app = application(config(tmp_path), {**MEMORY, **environ})
    async with app.lifespan(app), asking(app) as client:
        await client.head("/v1/play/film.m3u8?session=s")
        await client.get("/v1/play/film?session=s")
        await app.gateway.store.flush()
        assert 0 == server.command("EXISTS", session_key("s"))
        found = await edge(client, "s")
        await app.gateway.store.flush()
        with server.client() as redis:
            data = redis.get(session_key("s"))
            assert isinstance(data, bytes)
            record = SessionRecord.from_bytes(data)
            assert record is not None
            assert found == record.edge_of("film")
            redis.pexpire(session_key("s"), 5000)
            await edge(client, "s")
            await app.gateway.store.flush()
            assert redis.pttl(session_key("s")) <= 5000
        # The speed that a player tells, and where it plays from, are one record.
        await client.get("/v1/play/film.m3u8?session=s&speed=4000")
        await app.gateway.store.flush()
        kept, _ = await app.gateway.sessions.get("s")
        assert (found, 4000) == (kept.edge_of("film"), kept.estimate.samples[-1].kbps)


async def test_a_full_edge_is_reported(tmp_path: Path) -> None:
    """The reasons name a full edge: first by the request that exceeds its capacity, then by the
    fleet's condition."""
    app = application(config(tmp_path, one=5, two=5))
    async with asking(app) as client:
        on_one = [
            name for name in map(str, range(60)) if await edge_of_looking(client, name) == "one"
        ]
        for name in on_one[:2]:
            assert "one" == await edge(client, name)
        found = await reasons(client, on_one[2])
        assert "edge: one is full (5 of 5 Mbit/s leased); passed over [edge-full]" in found
        assert re.fullmatch(r"lease: 2\.5 Mbit/s on (two|three), .* \[lease-spilled\]", found[-1])
        kept = "lease: 2.5 Mbit/s on one, 100% of this worker's share used [lease-kept]"
        assert kept == (await reasons(client, on_one[0]))[-1]
        async with app.lifespan(app):
            await until(lambda: app.gateway.fleet.conditions[0].full)
            found = await reasons(client, on_one[2])
            assert 1 == sum("one is full" in text for text in found)
            assert (
                "one is full (5 of 5 Mbit/s leased, this worker's share); passed over" in found[0]
            )
            assert kept == (await reasons(client, on_one[0]))[-1]


async def edge_of_looking(client: httpx.AsyncClient, session: str) -> str:
    """The edge that a session would get."""
    decision = (await client.get(f"/v1/play/film?session={session}&fields=edges")).json()
    first = decision["edges"][0]
    assert isinstance(first, str)
    return first


async def test_explain_shows_the_lease(tmp_path: Path) -> None:
    """``explain`` shows the lease that the session would take; nothing when no edge has a
    capacity."""
    question = Question("film", "", "192.0.2.1", session="s")
    bounded = config(tmp_path, one=10, two=10, three=10)
    text = await explain_decision(load(bounded, MEMORY), question)
    assert re.search(r"lease: 2\.5 Mbit/s on \w+, 25% of .* used \[lease-first\]", text)
    assert "lease" not in await explain_decision(load(config(tmp_path), MEMORY), question)
