"""Who may use a session, and how many one client network may begin."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
import redis

from gateway.app import Application, build
from gateway.config.load import load
from gateway.store.connection.keys import (
    LEASES,
    REPORTS,
    SESSION_EVENTS,
    SESSION_INDEX,
    session_key,
    session_name,
    shown_session,
)
from tests.integration.in_process import application, ask
from tests.unit.store.servers import until, valkey

PHONE, TV = (
    b"Mozilla/5.0 (Linux; Android 14; SM-S918B) Mobile",
    b"Mozilla/5.0 (SMART-TV; Tizen 6.5)",
)
HOME, MOBILE, ELSEWHERE = "203.0.113.9", "198.51.100.7", "192.0.2.77"
OWNERS_KBPS = 4000


async def get(
    app: Application, path: str, query: str, agent: bytes, peer: str
) -> tuple[str, dict[str, str]]:
    """The body and the headers of an answer."""
    status, lines, body = await ask(
        app, path, query.encode(), [(b"user-agent", agent)], "GET", peer
    )
    assert 200 == status, body
    return body.decode(), dict(lines)


async def post(app: Application, path: str, body: bytes, agent: bytes, peer: str) -> int:
    """The status of an answer."""
    lines = [(b"user-agent", agent)]
    return (await ask(app, path, b"", lines, "POST", peer, body))[0]


def samples(app: Application, session: str = "s") -> list[int]:
    """What was measured for a session, in kbit/s."""
    record = app.gateway.sessions.fresh(session)
    return [] if record is None else [round(sample.kbps) for sample in record.estimate.samples]


async def settled(app: Application) -> None:
    """Let what waits in the background run."""
    tasks = [
        asyncio.create_task(work())
        for name, work in app._background_tasks().items()
        if name in {"measurements", "whereabouts", "reports"}
    ]
    for _ in range(20):
        await asyncio.sleep(0)
    await asyncio.sleep(0.02)
    for task in tasks:
        task.cancel()


async def owned() -> Application:
    """A gateway with a session that a phone at home has begun."""
    app = application()
    await get(app, "/v1/play/film.m3u8", f"session=s&speed={OWNERS_KBPS}", PHONE, HOME)
    assert [OWNERS_KBPS] == samples(app)
    return app


@pytest.mark.parametrize(
    ("name", "agent", "peer", "is_own"),
    [
        ("the player again", PHONE, HOME, True),
        ("another address of its network", PHONE, "203.0.113.200", True),
        ("it roams", PHONE, MOBILE, True),
        ("the app names itself differently", TV, HOME, True),
        ("another player in another network", TV, ELSEWHERE, False),
        ("no User-Agent in another network", b"", ELSEWHERE, False),
    ],
)
async def test_whose_session_it_is(name: str, agent: bytes, peer: str, is_own: bool) -> None:
    """By the User-Agent or the network. Another's sees nothing of it, and changes nothing."""
    app = await owned()
    before = app.gateway.sessions.fresh("s")
    _, headers = await get(app, "/v1/play/film.m3u8", "session=s", agent, peer)
    assert is_own == (f"speed={OWNERS_KBPS};src=session" in headers["gateway-decision"])
    await get(app, "/v1/play/film.m3u8", "session=s&speed=1", agent, peer)
    assert is_own == (samples(app)[-1] != OWNERS_KBPS or len(samples(app)) > 1)
    if not is_own:
        assert before == app.gateway.sessions.fresh("s")
        _, again = await get(app, "/v1/play/film.m3u8", "session=s", agent, peer)
        assert "speed=1;src=session" in again["gateway-decision"]  # it has a session of its own


async def test_who_roamed_is_known_by_the_new_network() -> None:
    """A part of the app that names itself differently follows its player."""
    app = await owned()
    await get(app, "/v1/play/film.m3u8", "session=s", PHONE, MOBILE)
    _, headers = await get(app, "/v1/play/film.m3u8", "session=s", b"app/1.0", MOBILE)
    assert "src=session" in headers["gateway-decision"]


async def test_a_reason_says_so() -> None:
    """For operators, and for players that may see reasons; an operator sees the session itself."""
    app = application(environ={"GATEWAY_SERVER__SHOW_REASONS": "true"})
    await get(app, "/v1/play/film.m3u8", f"session=s&speed={OWNERS_KBPS}", PHONE, HOME)
    body, _ = await get(app, "/v1/play/film", "session=s", TV, ELSEWHERE)
    assert "session-of-another" in body
    lines = [(b"user-agent", TV), (b"host", b"localhost")]
    for query, expected in ((b"", OWNERS_KBPS), (b"&speed=1", 1), (b"", OWNERS_KBPS)):
        path, asked = "/v1/play/film", b"session=s" + query
        _, _, found = await ask(app.operators, path, asked, lines, peer=ELSEWHERE)
        assert "session-of-another" not in found.decode()
        assert expected == json.loads(found)["client"]["speed_kbps"]


async def test_what_another_measures_is_not_the_sessions() -> None:
    """Probes, reports and steering requests change nothing of it; those of its player do."""
    app = await owned()
    playlist, _ = await get(app, "/v1/play/film.m3u8", "session=s", PHONE, HOME)
    found = re.search(r'SERVER-URI="([^"?]+)\?([^"]+)"', playlist)
    assert found is not None
    path, query = found.groups()
    assert session_name("s").hex() in query

    async def measure(agent: bytes, peer: str, kbps: int) -> None:
        result = {"session": "s", "bytes": 125_000, "duration_ms": 1_000_000 / kbps}
        assert 200 == await post(app, "/v1/probe", json.dumps(result).encode(), agent, peer)
        report = f'sid="s",mtp={kbps},v=2,ts=1800000000000,e=ps'.encode()
        assert 204 == await post(app, "/v1/cmcd", report, agent, peer)
        body, _ = await get(app, path, query, agent, peer)  # what it says first is not measured
        first = json.loads(body)
        reload = f"{first['RELOAD-URI'].partition('?')[2]}&session=s"
        throughput = f"&_HLS_pathway={first['PATHWAY-PRIORITY'][0]}&_HLS_throughput={kbps * 1000}"
        body, _ = await get(app, path, reload + throughput, agent, peer)
        assert (session_name("s").hex() in body) == (peer == HOME)
        await settled(app)

    before = app.gateway.sessions.fresh("s")
    await measure(TV, ELSEWHERE, 100)
    assert before == app.gateway.sessions.fresh("s")
    await measure(TV, HOME, 900)
    assert {"probe", "steering"} < {
        sample.source
        for sample in app.gateway.sessions.fresh("s").estimate.samples  # type: ignore[union-attr]
    }


@pytest.mark.parametrize(
    ("agent", "peer", "session", "is_read"),
    [
        (PHONE, MOBILE, "s", True),
        (TV, ELSEWHERE, "s", False),
        (TV, HOME, "one-too-many", False),
    ],
    ids=["own", "another", "too-many"],
)
async def test_reports_that_are_not_read(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    agent: bytes,
    peer: str,
    session: str,
    is_read: bool,
) -> None:
    """They keep no session alive, count for no edge, and reach no other program."""
    path = tmp_path / "gateway.toml"
    path.write_text(STRICT)
    with valkey(tmp_path) as server:
        environ = {"GATEWAY_STORE__URL": server.url, "GATEWAY_STORE__TIMEOUT_MS": "500"}
        app = build(load(path, environ), environ)
        seen: list[bytes] = []
        edges: list[str] = []
        gateway = app.gateway
        note_seen, note_experience = gateway.concurrent.seen, gateway.experiences.add

        def see(name: bytes) -> None:
            seen.append(name)
            note_seen(name)

        def experience(network: str, edge: str, *given: Any) -> None:
            edges.append(edge)
            note_experience(network, edge, *given)

        monkeypatch.setattr(gateway.concurrent, "seen", see)
        monkeypatch.setattr(gateway.experiences, "add", experience)
        async with app.lifespan(app):
            await get(app, "/v1/play/film.m3u8", "session=s", PHONE, HOME)
            for _ in range(30):
                await get(app, "/v1/play/film.m3u8", "", PHONE, HOME)  # use up its new sessions
            report = f'bs,e=ps,sid="{session}",sta=r,ts=1800000000000,v=2'.encode()
            assert 204 == await post(app, "/v1/cmcd", report, agent, peer)
            last = b'bs,e=ps,sid="last",sta=r,ts=1,v=2'
            assert 204 == await post(app, "/v1/cmcd", last, TV, "192.0.2.200")
            found: Any = redis.Redis.from_url(server.url)
            await until(lambda: bool(found.xlen(REPORTS)) and session_name("last") in seen)
            streamed = {entry[b"session"].decode() for _, entry in found.xrange(REPORTS)}
        name = session_name(session)
        assert [is_read] * 3 == [name in seen, bool(edges), shown_session(name) in streamed]


STRICT = """
[[edges]]
id = "one"
url = "https://one.cdn.example.com/"
fallback = true
capacity_mbps = 100000
[rate]
new_sessions_per_min = 2
[cmcd]
stream = true
avoid_poor_edges = true
"""
BOOKS = """
[[edges]]
id = "one"
url = "https://one.cdn.example.com/"
capacity_mbps = 100000
[[edges]]
id = "two"
url = "https://two.cdn.example.com/"
capacity_mbps = 100000
[rate]
manifests_per_s = 0
new_sessions_per_min = 100
[events]
enabled = true
[cmcd]
network_reports_per_s = 100000
"""


class Books(NamedTuple):
    """A gateway whose edges have capacities, and its Redis."""

    app: Application
    redis: Any

    async def counted(self) -> tuple[int, int, int]:
        """How many leases, records of sessions and stories of sessions Redis has."""
        await self.app.gateway.leases.look()
        await self.app.gateway.leases.look()
        await self.app.gateway.store.flush()
        await asyncio.sleep(0.3)  # the writer of events writes in batches
        records = sum(1 for _ in self.redis.scan_iter("gw1:s:*", 1000))
        return self.redis.hlen(LEASES), records, self.redis.zcard(SESSION_INDEX)


@pytest_asyncio.fixture
async def books(tmp_path: Path) -> AsyncIterator[Books]:
    """On a Valkey of its own."""
    path = tmp_path / "gateway.toml"
    path.write_text(BOOKS)
    with valkey(tmp_path) as server:
        environ = {"GATEWAY_STORE__URL": server.url, "GATEWAY_STORE__TIMEOUT_MS": "500"}
        app = build(load(path, environ), environ)
        async with app.lifespan(app):
            yield Books(app, redis.Redis.from_url(server.url))


async def test_sessions_that_nobody_plays_fill_no_books(books: Books) -> None:
    """One client network names thousands of sessions, in every way that there is. They are answered
    as usual; leases, records and stories are bounded, and an honest viewer gets all of them."""
    app, peer = books.app, ELSEWHERE
    for number in range(300):
        await get(app, "/v1/play/film.m3u8", f"session=j{number}", PHONE, peer)
        await get(app, "/v1/play/film.m3u8", f"speed={number}", PHONE, peer)
    playlist, _ = await get(app, "/v1/play/film.m3u8", "", PHONE, HOME)
    found = re.search(r'SERVER-URI="([^"?]+)\?([^"]+)",PATHWAY-ID="(\w+)"', playlist)
    assert found is not None
    path, query, edge = found.groups()
    other = "two" if edge == "one" else "one"
    for number in range(500):
        said = f"{query}&_HLS_pathway={other}&_HLS_throughput=5000000"
        await get(app, path, said, PHONE, peer)
        await get(app, path, f"{said}&session_name={number:040x}", PHONE, peer)
    reports = b"\n".join(b'sid="r%d",mtp=1000,v=2,ts=1,e=ps' % at for at in range(2000))
    assert 204 == await post(app, "/v1/cmcd", reports, PHONE, peer)
    while len(app.gateway.reports):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    leases, records, stories = await books.counted()
    begun = 100 + 1 + 25  # a minute's, one at home, and those of the seconds that this took
    assert 100 <= leases <= begun
    assert records <= begun
    assert stories <= begun
    await get(app, "/v1/play/film.m3u8", "session=honest&speed=4000", PHONE, MOBILE)
    await books.counted()
    name = session_name("honest")
    assert app.gateway.leases.has("honest")
    assert leases < books.redis.hlen(LEASES)
    assert books.redis.exists(session_key("honest"))
    assert books.redis.exists(SESSION_EVENTS + shown_session(name).encode())
    _, headers = await get(app, "/v1/play/film.m3u8", "session=honest", PHONE, MOBILE)
    assert "speed=4000;src=session" in headers["gateway-decision"]
