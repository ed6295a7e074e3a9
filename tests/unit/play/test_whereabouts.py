"""Records and leases of sessions follow their players."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from gateway.client.session import SessionRecord
from gateway.edge.edge import Edge
from gateway.edge.fleet import Fleet
from gateway.observe.metrics import PLACES_DROPPED
from gateway.play.whereabouts import Whereabouts
from gateway.store.caches.sessions import Sessions
from gateway.store.connection.connect import connect
from gateway.store.connection.keys import session_name
from gateway.store.connection.protocol import Store
from gateway.store.coordination.leases import Leases
from tests.unit.client.estimating import CONFIG
from tests.unit.store.servers import run_until, valkey

A, B = (Edge(name, f"https://{name}.example/v/", capacity_kbps=10_000) for name in "ab")
NAME = session_name("s")
ON_A = SessionRecord().placed("film", "a", 1.0, 900)


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """A store on a Valkey of its own."""
    with valkey(tmp_path) as server:
        found = connect(server.url, timeout_ms=5000)
        await found.start()
        yield found
        await found.close()


def worker(store: Store, max_waiting: int = 10) -> tuple[Whereabouts, Sessions, Leases]:
    """What one worker has."""
    sessions, leases = Sessions(store, 60, CONFIG), Leases(store, 60, lambda: 1)
    leases.use(Fleet.of([A, B]))
    return Whereabouts(sessions, leases, max_waiting), sessions, leases


async def settled(whereabouts: Whereabouts) -> None:
    """Run the background task until it has nothing to do."""
    await run_until(lambda: not whereabouts._awaited._filled.is_set(), whereabouts.run())


def edge_of(sessions: Sessions, session: str | bytes) -> str | None:
    """Where this worker says that a session plays the film."""
    record = sessions.fresh(session)
    return None if record is None else record.edge_of("film")


async def leased(leases: Leases) -> dict[str, int]:
    """What is leased, after what waits was written."""
    await leases.look()
    return dict((await leases.look()).leased)


async def test_a_known_session_follows_at_once(store: Store) -> None:
    """Its lease, too."""
    whereabouts, sessions, leases = worker(store)
    sessions.put("s", ON_A)
    await leases.place("s", "film", 3000, [A, B], None, take=True)
    await asyncio.sleep(0.01)  # Redis counts milliseconds
    whereabouts.seen(NAME, "film", 9000, B)
    assert "b" == edge_of(sessions, "s")
    assert {"a": 0, "b": 3000} == await leased(leases)


async def written(store: Store) -> None:
    """Wait until the store has the session's record."""
    for _ in range(1000):
        if await store.get_session(NAME) is not None:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("not written")


async def test_an_unknown_session_is_read_first(store: Store) -> None:
    """What is stored of other titles stays; the last of two reports counts."""
    _, known, _ = worker(store)
    known.put("s", ON_A.placed("other", "a", 1.0, 900))
    await written(store)
    whereabouts, sessions, _ = worker(store)
    whereabouts.seen(NAME, "film", 3000, A)
    whereabouts.seen(NAME, "film", 3000, B)
    assert edge_of(sessions, NAME) is None
    await settled(whereabouts)
    record = sessions.fresh(NAME)
    assert record is not None
    assert ("b", "a") == (record.edge_of("film"), record.edge_of("other"))


async def test_a_player_that_stays_writes_nothing(store: Store) -> None:
    whereabouts, sessions, _ = worker(store)
    whereabouts.seen(NAME, "film", 3000, A)
    await settled(whereabouts)
    record = sessions.fresh(NAME)
    whereabouts.seen(NAME, "film", 3000, A)
    assert record is sessions.fresh(NAME)


async def test_what_waits_is_bounded(store: Store) -> None:
    """More is dropped and counted; one that waits already is replaced."""
    whereabouts, sessions, _ = worker(store, max_waiting=2)
    before = PLACES_DROPPED._value.get()
    for session in ("s", "t", "u", "s"):
        whereabouts.seen(session_name(session), "film", 3000, B if session == "s" else A)
    assert 1 == PLACES_DROPPED._value.get() - before
    await settled(whereabouts)
    assert ["b", "a", None] == [edge_of(sessions, session) for session in "stu"]


async def test_a_session_without_a_name(store: Store) -> None:
    """The playlist's lease counts at first; later, and elsewhere, it has one of its own, which
    follows it back."""
    whereabouts, _, leases = worker(store)
    whereabouts.seen_unnamed(7, "film", 3000, A, at_first=True)
    assert {"a": 0, "b": 0} == await leased(leases)
    whereabouts.seen_unnamed(7, "film", 3000, B, at_first=False)
    assert {"a": 0, "b": 3000} == await leased(leases)
    whereabouts.seen_unnamed(7, "film", 3000, A, at_first=True)
    assert {"a": 3000, "b": 0} == await leased(leases)
