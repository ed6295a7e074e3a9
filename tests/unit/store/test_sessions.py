"""Session records with a store that works, is gone, is empty, or holds garbage."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.client.cmcd_report import Report
from gateway.client.playback import KnownNames
from gateway.client.session import SessionRecord
from gateway.observe.metrics import SESSIONS_MERGED, STORE_GARBAGE
from gateway.store.caches.sessions import Sessions
from gateway.store.connection.connect import connect
from gateway.store.connection.keys import session_key
from gateway.store.connection.memory import MemoryStore
from gateway.store.connection.protocol import Store, Trouble
from tests.unit.client.estimating import CONFIG
from tests.unit.store.servers import Valkey, valkey

RECORD = SessionRecord().placed("film", "eu-1", 1_700_000_000, 900)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Valkey]:
    """A Valkey of the test's own."""
    with valkey(tmp_path) as running:
        yield running


async def test_workers_share_what_they_know(server: Valkey) -> None:
    """A record of one worker is found by another; an unknown session is empty, and whole."""
    store = connect(server.url, timeout_ms=500)
    await store.start()
    one, other = Sessions(store, 60, CONFIG), Sessions(store, 60, CONFIG, trust_s=0)
    assert (SessionRecord(), None) == await other.get("s")
    one.put("s", RECORD)
    await store.flush()
    assert (RECORD, None) == await other.get("s")
    with server.client() as client:
        assert 50_000 < client.pttl(session_key("s")) <= 60_000
    await store.close()


async def test_own_records_are_used_while_the_store_is_gone(server: Valkey) -> None:
    """The process's own record is used, and never replaces the stored one."""
    store = connect(server.url, timeout_ms=100)
    await store.start()
    sessions = Sessions(store, 60, CONFIG, trust_s=0)
    sessions.put("s", RECORD)
    server.kill()
    found, trouble = await sessions.get("s")
    assert RECORD == found
    assert trouble is not None
    nobody, _ = await sessions.get("nobody")
    assert SessionRecord(whole=False) == nobody
    await store.close()


async def test_a_partial_record_stays_in_this_process(server: Valkey) -> None:
    """The record was made while the store could not be asked."""
    store = connect(server.url, timeout_ms=500)
    await store.start()
    stored, sessions = Sessions(store, 60, CONFIG), Sessions(store, 60, CONFIG)
    stored.put("s", RECORD)
    sessions.put("s", SessionRecord(whole=False))
    await store.flush()
    assert (RECORD, None) == await sessions.get("s")
    await store.close()


@pytest.mark.parametrize("loss", [("FLUSHALL",), ("SET", session_key("s"), b"garbage")])
async def test_what_the_store_has_lost_is_written_again(
    server: Valkey, loss: tuple[str | bytes, ...]
) -> None:
    """The worker that still has the record writes it; garbage is counted."""
    store = connect(server.url, timeout_ms=500)
    await store.start()
    sessions = Sessions(store, 60, CONFIG, trust_s=0)
    sessions.put("s", RECORD)
    await store.flush()
    server.command(*loss)
    before = STORE_GARBAGE._value.get()
    assert (RECORD, None) == await sessions.get("s")
    await store.flush()
    assert (RECORD, None) == await Sessions(store, 60, CONFIG).get("s")
    assert (len(loss) > 1) == (STORE_GARBAGE._value.get() - before)
    await store.close()


async def test_a_store_that_is_not_started_is_reported() -> None:
    """The result says why the store could not be asked."""
    sessions = Sessions(connect("unix:///nowhere", timeout_ms=50), 60, CONFIG)
    assert Trouble.CONNECTING == (await sessions.get("s"))[1]


async def test_a_session_seen_a_moment_ago_is_not_asked_for(server: Valkey) -> None:
    """The store is asked again after ``trust_s``: other workers may have measured by then."""
    now = 100.0
    store = connect(server.url, timeout_ms=500)
    await store.start()
    mine, theirs = (
        Sessions(store, 60, CONFIG, trust_s=5, clock=lambda: now),
        Sessions(store, 60, CONFIG),
    )
    assert mine.fresh("s") is None
    assert (SessionRecord(), None) == await mine.get("s")
    theirs.put("s", RECORD)
    await store.flush()
    now = 105.0
    assert (SessionRecord(), None) == await mine.get("s")
    now = 105.1
    assert (RECORD, None) == await mine.get("s")
    now = 110.0
    assert RECORD == mine.fresh("s")
    now = 166.0
    server.kill()
    assert SessionRecord(whole=False) == (await mine.get("s"))[0]
    await store.close()


async def test_a_partial_record_is_never_trusted(server: Valkey) -> None:
    """The store may have a fuller record."""
    sessions = Sessions(connect(server.url, timeout_ms=50), 60, CONFIG)
    sessions.put("s", SessionRecord(whole=False))
    assert sessions.fresh("s") is None


KNOWN = KnownNames((), frozenset({"a", "b"}), frozenset({"STALL", "DRM"}))
NOW = 1_800_000_000.0


def played(record: SessionRecord, worker: int, at_s: float) -> SessionRecord:
    """The record after one worker has heard of its session."""
    names = ("a", "b")[worker], ("STALL", "DRM")[worker]
    report = Report(state="p", starved=True, cdn=names[0], errors=(names[1],))
    report = report._replace(time_ms=int(at_s * 1000))
    measured = record.estimate.updated(1000 + worker, "cmcd", at_s, CONFIG)
    heard = record.measured(measured).heard((report,), at_s, KNOWN)
    return heard.placed(f"film-{worker}", f"eu-{worker}", at_s, 900)


async def settled(*stores: Store) -> None:
    """Wait until everything was written, and what that made necessary as well."""
    for _ in range(3):
        for store in stores:
            await store.flush()


async def entered(store: Store, *, up: bool) -> None:
    """Wait until the store has noticed that it can be asked, or cannot."""
    while (store.state == "up") != up:  # noqa: ASYNC110
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("rounds", [1, 4])
async def test_workers_do_not_overwrite_each_other(server: Valkey, rounds: int) -> None:
    """Two workers that trust their own copies write in turn. Samples, places, stalls, errors and
    states of both are in the store, and each gets the other's with its own next write."""
    one, other = connect(server.url, timeout_ms=500), connect(server.url, timeout_ms=500)
    await one.start()
    await other.start()
    workers = [Sessions(store, 60, CONFIG, unix_clock=lambda: NOW + 100) for store in (one, other)]
    for sessions in workers:
        await sessions.get("s")
    merged_before = SESSIONS_MERGED._value.get()
    for turn in range(rounds):
        for number, sessions in enumerate(workers):
            known = sessions.fresh("s")
            assert known is not None
            sessions.put("s", played(known, number, NOW + 10 * (2 * turn + number)))
        await settled(one, other)
    found, _ = await Sessions(one, 60, CONFIG, unix_clock=lambda: NOW + 100).get("s")
    assert [1000, 1001] * rounds == [sample.kbps for sample in found.estimate.samples]
    assert ("eu-0", "eu-1") == (found.edge_of("film-0"), found.edge_of("film-1"))
    assert found.playback is not None
    assert (2 * rounds, 2 * rounds) == (found.playback.stalls, found.playback.errors)
    assert ("b", ("STALL", "DRM")) == (found.playback.cdn, found.playback.error_codes)
    assert SESSIONS_MERGED._value.get() > merged_before
    assert found in [sessions.fresh("s") for sessions in workers]
    await one.close()
    await other.close()


async def test_a_worker_alone_merges_nothing(server: Valkey) -> None:
    """Also when its writes wait for each other, or are on their way together."""
    store = connect(server.url, timeout_ms=500)
    await store.start()
    sessions = Sessions(store, 60, CONFIG, unix_clock=lambda: NOW)
    record, _ = await sessions.get("s")
    before = SESSIONS_MERGED._value.get()
    flushes = []
    for at in range(20):
        record = played(record, at % 2, NOW - 100 + at)
        sessions.put("s", record)
        if at % 3 == 0:
            flushes.append(asyncio.ensure_future(store.flush()))
            await asyncio.sleep(0)
    await asyncio.gather(*flushes)
    await settled(store)
    assert before == SESSIONS_MERGED._value.get()
    assert record is sessions.fresh("s")
    await store.close()


async def test_two_requests_of_a_session_at_the_same_time(server: Valkey) -> None:
    """What one of them has measured while the other read the record stays."""
    store = connect(server.url, timeout_ms=500)
    await store.start()
    sessions = Sessions(store, 60, CONFIG, unix_clock=lambda: NOW)
    Sessions(store, 60, CONFIG).put("s", played(SessionRecord(), 0, NOW - 20))
    await settled(store)
    reading = asyncio.ensure_future(sessions.get("s"))
    await asyncio.sleep(0)
    sessions.put("s", played(SessionRecord(), 1, NOW - 10))
    found, _ = await reading
    assert [1000, 1001] == [sample.kbps for sample in found.estimate.samples]
    await settled(store)
    assert found == (await Sessions(store, 60, CONFIG).get("s"))[0]
    await store.close()


async def test_what_was_measured_while_the_store_was_gone_is_merged_later(server: Valkey) -> None:
    """Whether the record was whole or not."""
    store = connect(server.url, timeout_ms=300)
    await store.start()
    clock = 100.0
    sessions = Sessions(store, 600, CONFIG, trust_s=5, clock=lambda: clock, unix_clock=lambda: NOW)
    sessions.put("whole", played(SessionRecord(), 0, NOW - 50))
    await settled(store)
    server.kill()
    await entered(store, up=False)
    whole, partial = [
        played((await sessions.get(name))[0], 1, NOW - 30) for name in ("whole", "partial")
    ]
    sessions.put("whole", whole)
    sessions.put("partial", partial)
    assert not partial.whole
    server.start()
    await entered(store, up=True)
    Sessions(store, 60, CONFIG).put("partial", played(SessionRecord(), 0, NOW - 20))
    Sessions(store, 60, CONFIG).put("whole", played(SessionRecord(), 0, NOW - 50))
    await settled(store)
    clock += 6
    for name, speeds in (("whole", [1000, 1001]), ("partial", [1001, 1000])):
        found, trouble = await sessions.get(name)
        assert trouble is None
        assert found.whole
        assert speeds == [sample.kbps for sample in found.estimate.samples]
        await settled(store)
        assert found == (await Sessions(store, 60, CONFIG).get(name))[0]
    await store.close()


@pytest.mark.parametrize(
    "garbage", [("SET", b"\x04garbage"), ("RPUSH", b"a"), ("SET", b"x" * 5000)]
)
async def test_garbage_that_is_replaced_is_no_record(
    server: Valkey, garbage: tuple[str, bytes]
) -> None:
    """A value of any type and size gives way to the record."""
    store = connect(server.url, timeout_ms=500)
    await store.start()
    sessions = Sessions(store, 60, CONFIG)
    server.command(garbage[0], session_key("s"), garbage[1])
    sessions.put("s", RECORD)
    await settled(store)
    assert RECORD == sessions.fresh("s")
    assert (RECORD, None) == await Sessions(store, 60, CONFIG).get("s")
    await store.close()


async def test_without_redis_sessions_are_merged_as_well() -> None:
    """Readers of one store in one process."""
    store = MemoryStore()
    one, other = (Sessions(store, 60, CONFIG, unix_clock=lambda: NOW) for _ in range(2))
    one.put("s", played(SessionRecord(), 0, NOW - 20))
    other.put("s", played(SessionRecord(), 1, NOW - 10))
    found = other.fresh("s")
    assert found is not None
    assert [1000, 1001] == [sample.kbps for sample in found.estimate.samples]
