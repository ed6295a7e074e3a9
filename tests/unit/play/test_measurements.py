"""What players measure apart from playlists reaches the estimates of their sessions."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from gateway.client.estimate import MAX_SAMPLES, Sample
from gateway.client.session import SessionRecord
from gateway.client.throughput import Measurement
from gateway.observe.metrics import SAMPLES_DROPPED
from gateway.play.measurements import Measurements
from gateway.store.caches.sessions import Sessions
from gateway.store.connection.connect import connect
from gateway.store.connection.keys import session_name
from gateway.store.connection.protocol import Store
from tests.unit.client.estimating import CONFIG
from tests.unit.store.servers import run_until, valkey

NOW_S = 1_800_000_000.0
PLACED = SessionRecord().placed("film", "eu-1", NOW_S, 900)


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """A store on a Valkey of its own."""
    with valkey(tmp_path) as server:
        found = connect(server.url, timeout_ms=5000)
        await found.start()
        yield found
        await found.close()


async def estimated(sessions: Sessions, session: str | bytes) -> tuple[Sample, ...]:
    """The samples of a session that this worker knows."""
    record = sessions.fresh(session)
    return () if record is None else record.estimate.samples


async def settled(measurements: Measurements) -> None:
    """Run the background task until it has nothing to do."""
    await run_until(lambda: not measurements._awaited._filled.is_set(), measurements.run())


async def test_a_known_session_gets_its_sample_at_once(store: Store) -> None:
    """By its id or by its name; another sample does not replace the first."""
    sessions = Sessions(store, 60, CONFIG)
    measurements = Measurements(sessions)
    sessions.put("s", PLACED)
    measurements.add("s", Measurement("probe", 4000), NOW_S, CONFIG)
    measurements.add(session_name("s"), Measurement("steering", 900), NOW_S + 10, CONFIG)
    expected = (Sample(int(NOW_S), "probe", 4000), Sample(int(NOW_S) + 10, "steering", 900))
    assert expected == await estimated(sessions, "s")


async def test_an_unknown_session_is_read_first(store: Store) -> None:
    """What another worker has stored stays, and this worker's sample reaches the others."""
    Sessions(store, 60, CONFIG).put("s", PLACED)
    await store.flush()
    measurements = Measurements(Sessions(store, 60, CONFIG))
    for at in range(3 * MAX_SAMPLES):
        measurements.add("s", Measurement("cmcd", 1000 + at), NOW_S + 10 * at, CONFIG)
    await settled(measurements)
    await store.flush()
    found, _ = await Sessions(store, 60, CONFIG).get("s")
    assert PLACED.places == found.places
    newest = [1000 + at for at in range(2 * MAX_SAMPLES, 3 * MAX_SAMPLES)]
    assert newest == [sample.kbps for sample in found.estimate.samples]


async def test_what_waits_is_bounded(store: Store) -> None:
    """Further sessions are dropped and counted; a session that waits takes further samples."""
    sessions = Sessions(store, 60, CONFIG)
    measurements = Measurements(sessions, max_waiting=2)
    before = SAMPLES_DROPPED._value.get()
    for session in ("a", "b", "c", "a"):
        measurements.add(session, Measurement("cmcd", 1000), NOW_S, CONFIG)
    assert 1 == SAMPLES_DROPPED._value.get() - before
    await settled(measurements)
    found = [bool(await estimated(sessions, session)) for session in ("a", "b", "c")]
    assert [True, True, False] == found
    measurements.add("c", Measurement("cmcd", 1000), NOW_S, CONFIG)
    await settled(measurements)
    assert await estimated(sessions, "c")


async def test_a_store_that_is_gone_costs_no_sample_of_this_worker(tmp_path: Path) -> None:
    """The sample counts in this process, as those of requests for playlists do."""
    lost = connect(f"unix://{tmp_path}/nowhere", timeout_ms=20)
    sessions = Sessions(lost, 60, CONFIG)
    measurements = Measurements(sessions)
    measurements.add("s", Measurement("probe", 4000), NOW_S, CONFIG)
    await settled(measurements)
    found, _ = await sessions.get("s")
    assert [4000] == [sample.kbps for sample in found.estimate.samples]
    await lost.close()


async def test_an_implausible_speed_changes_nothing(store: Store) -> None:
    """It is not even written."""
    sessions = Sessions(store, 60, CONFIG)
    sessions.put("s", PLACED)
    Measurements(sessions).add("s", Measurement("steering", float("inf")), NOW_S, CONFIG)
    assert PLACED is sessions.fresh("s")
