"""The store without Redis: what it keeps, for how long, and how much."""

import tracemalloc

from gateway.store.connection.memory import ENTRY_OVERHEAD_BYTES, MemoryStore
from gateway.store.connection.protocol import MAX_VALUE_BYTES
from tests.unit.store.recorder import Recorder


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        """The time, in seconds."""
        return self.now_s


async def test_a_value_lives_until_its_time_is_over() -> None:
    """A value exists until, and not at, the end of its time to live."""
    clock = Clock()
    store = MemoryStore(clock=clock)
    store.put_decision_later("key", b"value", 30)
    seen = []
    for moment_s in (0.0, 29.999, 30.0):
        clock.now_s = 1000 + moment_s
        seen.append(await store.get_decision("key"))
    assert [b"value", b"value", None] == seen


async def test_a_later_value_replaces_an_earlier_one() -> None:
    """The newest value counts, with its own time to live, and replaces the older one's bytes."""
    clock = Clock()
    store = MemoryStore(clock=clock, max_bytes=2 * (ENTRY_OVERHEAD_BYTES + 100))
    store.put_session_later("viewer", b"a" * 100, 1)
    store.put_session_later("viewer", b"b" * 100, 60)
    store.put_session_later("another", b"c" * 100, 60)
    clock.now_s += 10
    assert b"b" * 100 == await store.get_session("viewer")


async def test_decisions_and_sessions_do_not_mix() -> None:
    """The same text names two different entries."""
    store = MemoryStore()
    store.put_decision_later("same", b"decision", 30)
    assert None is await store.get_session("same")
    assert b"decision" == await store.get_decision("same")


async def test_the_least_recently_used_leave_first() -> None:
    """A full store evicts the least recently used values."""
    store = MemoryStore(max_bytes=3 * (ENTRY_OVERHEAD_BYTES + 1))
    for name in "abc":
        store.put_decision_later(name, b"1", 30)
    await store.get_decision("a")
    store.put_decision_later("d", b"1", 30)
    kept = {name: await store.get_decision(name) for name in "abcd"}
    assert {"a": b"1", "b": None, "c": b"1", "d": b"1"} == kept


async def test_a_value_over_the_limit_is_dropped_and_counted() -> None:
    """A value that is too large is not stored, and evicts nothing."""
    recorder = Recorder()
    store = MemoryStore(observer=recorder)
    store.put_decision_later("small", b"1", 30)
    store.put_decision_later("largest", b"1" * MAX_VALUE_BYTES, 30)
    store.put_decision_later("too large", b"1" * (MAX_VALUE_BYTES + 1), 30)
    assert None is await store.get_decision("too large")
    assert b"1" == await store.get_decision("small")
    assert 1 == recorder.lost
    assert {
        ("put_decision", "stored"): 2,
        ("put_decision", "overflow"): 1,
        ("get_decision", "miss"): 1,
        ("get_decision", "hit"): 1,
    } == recorder.operations


async def test_a_flood_of_sessions_stays_within_its_bytes() -> None:
    """The bound holds for the process's real memory too, within a tenth."""
    store = MemoryStore(max_bytes=2_000_000)
    tracemalloc.start()
    try:
        for number in range(20_000):
            store.put_session_later(f"session-{number}", b"%0100d" % number, 3600)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken <= 2_200_000


async def test_it_is_always_up_and_forgets_when_closed() -> None:
    """It has no state but "up"; closing empties it."""
    store = MemoryStore()
    await store.start()
    assert ("up", None) == (store.state, store.trouble)
    store.put_decision_later("key", b"value", 30)
    await store.flush()
    await store.close()
    assert None is await store.get_decision("key")
