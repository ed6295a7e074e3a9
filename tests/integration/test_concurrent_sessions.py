"""The sessions of a subject in a real Valkey, and in one process without."""

import asyncio
import time
from collections.abc import Callable

import pytest

from gateway.store.connection.keys import counted_session_key, session_name, subject_key
from gateway.store.connection.memory import MemoryStore
from gateway.store.connection.protocol import Store
from gateway.store.connection.redis import RedisStore
from gateway.store.coordination.concurrent_sessions import ConcurrentSessions
from tests.unit.store.servers import Valkey

SUBJECT, OTHER = session_name("viewer"), session_name("somebody")
A, B, C = map(session_name, "abc")


def counting(store: Store, ends_after_s: float = 300) -> ConcurrentSessions:
    """One worker's view."""
    return ConcurrentSessions(store, ends_after_s)


@pytest.fixture(params=["valkey", "memory"])
def any_store(request: pytest.FixtureRequest) -> Store:
    """Redis, or the memory of one process."""
    found: Store = request.getfixturevalue("store") if request.param == "valkey" else MemoryStore()
    return found


async def test_the_new_session_is_refused(any_store: Store) -> None:
    """Those that play go on; another subject is another count."""
    one = counting(any_store)
    assert None is await one.take(SUBJECT, A, 2, take=True)
    assert None is await one.take(SUBJECT, B, 2, take=True)
    wait_s = await one.take(SUBJECT, C, 2, take=True)
    assert wait_s is not None
    assert 295 <= wait_s <= 300
    assert None is await one.take(SUBJECT, A, 2, take=True)
    assert None is await one.take(OTHER, C, 2, take=True)
    assert None is await one.take(SUBJECT, C, 3, take=True)


async def test_a_look_counts_nothing(any_store: Store) -> None:
    one = counting(any_store)
    for session in (A, B, C):
        assert None is await one.take(SUBJECT, session, 1, take=False)
    assert None is await one.take(SUBJECT, A, 1, take=True)
    assert None is not await one.take(SUBJECT, B, 1, take=False)


async def test_a_session_ends(any_store: Store) -> None:
    """After its time without a sign of life, on Redis's own clock."""
    one = counting(any_store, 0.3)
    assert None is await one.take(SUBJECT, A, 1, take=True)
    assert 1 == await one.take(SUBJECT, B, 1, take=True)
    await asyncio.sleep(0.35)
    assert None is await one.take(SUBJECT, B, 1, take=True)


async def test_a_sign_of_life_keeps_it(any_store: Store) -> None:
    """Another worker hears of it by the session's name alone."""
    one = counting(any_store, 0.4)
    other = one if any_store.redis is None else counting(any_store, 0.4)
    assert None is await one.take(SUBJECT, A, 1, take=True)
    for _ in range(3):
        await asyncio.sleep(0.2)
        other.seen(A)
        if any_store.redis is not None:
            await other.flush(any_store.redis)
    assert None is not await one.take(SUBJECT, B, 1, take=True)


async def test_nothing_is_kept_of_a_session_that_is_not_counted(
    server: Valkey, store: RedisStore
) -> None:
    one = counting(store)
    one.seen(A)
    await one.flush(store)
    assert [] == server.command("KEYS", "*subjects*")


async def test_everything_expires(server: Valkey, store: RedisStore) -> None:
    one = counting(store, 60)
    await one.take(SUBJECT, A, 1, take=True)
    keys = server.command("KEYS", "*subjects*")
    assert isinstance(keys, list)
    assert {subject_key(SUBJECT), counted_session_key(A)} == set(keys)
    for key in (subject_key(SUBJECT), counted_session_key(A)):
        left_ms = server.command("PTTL", key)
        assert isinstance(left_ms, int)
        assert 59_000 < left_ms <= 60_000


TROUBLES: list[tuple[Callable[[Valkey], object], Callable[[Valkey], object]]] = [
    (lambda server: server.kill(), lambda server: server.start()),
    (lambda server: server.freeze(), lambda server: server.thaw()),
]


@pytest.mark.parametrize(("harm", "mend"), TROUBLES, ids=["gone", "frozen"])
async def test_without_redis_every_session_is_admitted(
    server: Valkey,
    store: RedisStore,
    harm: Callable[[Valkey], object],
    mend: Callable[[Valkey], object],
) -> None:
    one = counting(store)
    await one.take(SUBJECT, A, 1, take=True)
    harm(server)
    try:
        began = time.monotonic()
        assert None is await one.take(SUBJECT, B, 1, take=True)
        assert time.monotonic() - began < 1
    finally:
        mend(server)


GARBAGE: list[tuple[str, ...]] = [
    ("SET", "x"),
    ("RPUSH", "x"),
    ("ZADD", "1e300", "x"),
    ("ZADD", "-inf", "x"),
    ("ZADD", "inf", "x", "inf", A.hex()),
]


@pytest.mark.parametrize("words", GARBAGE, ids=" ".join)
async def test_what_is_not_ours_counts_nothing(
    server: Valkey, store: RedisStore, words: tuple[str, ...]
) -> None:
    one = counting(store)
    server.command(words[0], subject_key(SUBJECT), *words[1:])
    server.command("RPUSH", counted_session_key(A), "x")
    one.seen(A)
    await one.flush(store)
    assert None is await one.take(SUBJECT, A, 1, take=True)
    assert None is not await one.take(SUBJECT, B, 1, take=True)
    assert 1 == server.command("ZCARD", subject_key(SUBJECT))
