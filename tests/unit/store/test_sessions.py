"""Session records with a store that works, is gone, is empty, or holds garbage."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.client.session import SessionRecord
from gateway.observe.metrics import STORE_GARBAGE
from gateway.store.caches.sessions import Sessions
from gateway.store.connection.connect import connect
from gateway.store.connection.keys import session_key
from gateway.store.connection.protocol import Trouble
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
    one, other = Sessions(store, 60), Sessions(store, 60, trust_s=0)
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
    sessions = Sessions(store, 60, trust_s=0)
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
    stored, sessions = Sessions(store, 60), Sessions(store, 60)
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
    sessions = Sessions(store, 60, trust_s=0)
    sessions.put("s", RECORD)
    await store.flush()
    server.command(*loss)
    before = STORE_GARBAGE._value.get()
    assert (RECORD, None) == await sessions.get("s")
    await store.flush()
    assert (RECORD, None) == await Sessions(store, 60).get("s")
    assert (len(loss) > 1) == (STORE_GARBAGE._value.get() - before)
    await store.close()


async def test_a_store_that_is_not_started_is_reported() -> None:
    """The result says why the store could not be asked."""
    sessions = Sessions(connect("unix:///nowhere", timeout_ms=50), 60)
    assert Trouble.CONNECTING == (await sessions.get("s"))[1]


async def test_a_session_seen_a_moment_ago_is_not_asked_for(server: Valkey) -> None:
    """The store is asked again after ``trust_s``: other workers may have measured by then."""
    now = 100.0
    store = connect(server.url, timeout_ms=500)
    await store.start()
    mine, theirs = Sessions(store, 60, trust_s=5, clock=lambda: now), Sessions(store, 60)
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
    sessions = Sessions(connect(server.url, timeout_ms=50), 60)
    sessions.put("s", SessionRecord(whole=False))
    assert sessions.fresh("s") is None
