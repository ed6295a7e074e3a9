"""The sessions of a subject in a real Valkey, and in one process without."""

import time
from collections.abc import Callable

import pytest

from gateway.store.connection.keys import counted_session_key, session_name, subject_key
from gateway.store.connection.memory import MemoryStore
from gateway.store.connection.protocol import Store
from gateway.store.connection.redis import RedisStore
from gateway.store.coordination import concurrent_sessions
from gateway.store.coordination.concurrent_sessions import ConcurrentSessions
from tests.unit.store.servers import Valkey

SUBJECT, OTHER = session_name("viewer"), session_name("somebody")
A, B, C = map(session_name, "abc")


class Now:
    """The clock of all workers, and with it that of Redis."""

    def __init__(self, store: Store, server: Valkey | None) -> None:
        self.store = store
        self._server = server
        self._now_s = 1000.0

    def __call__(self) -> float:
        """Monotonic seconds."""
        return self._now_s

    def later(self, seconds: float) -> None:
        """Let time pass: in Redis, what is written there becomes older."""
        self._now_s += seconds
        if self._server is not None:
            for session in (A, B, C):
                key, member = subject_key(SUBJECT), session.hex()
                if self._server.command("ZSCORE", key, member) is not None:
                    self._server.command("ZINCRBY", key, f"{-1000 * seconds:.0f}", member)


def counting(store: Store, now: Now | None = None) -> ConcurrentSessions:
    """One worker's view. A session ends after 300 s."""
    return ConcurrentSessions(store, 300, now or time.monotonic)


@pytest.fixture(params=["valkey", "memory"])
def now(request: pytest.FixtureRequest) -> Now:
    """The clock over Redis, or over the memory of one process."""
    if request.param == "memory":
        return Now(MemoryStore(), None)
    return Now(request.getfixturevalue("store"), request.getfixturevalue("server"))


async def test_the_new_session_is_refused(now: Now) -> None:
    """Those that play go on; another subject is another count."""
    one = counting(now.store)
    assert None is await one.take(SUBJECT, A, 2, take=True)
    assert None is await one.take(SUBJECT, B, 2, take=True)
    wait_s = await one.take(SUBJECT, C, 2, take=True)
    assert wait_s is not None
    assert 290 <= wait_s <= 300
    assert None is await one.take(SUBJECT, A, 2, take=True)
    assert None is await one.take(OTHER, C, 2, take=True)
    assert None is await one.take(SUBJECT, C, 3, take=True)


async def test_a_look_counts_nothing(now: Now) -> None:
    one = counting(now.store)
    for session in (A, B, C):
        assert None is await one.take(SUBJECT, session, 1, take=False)
    assert None is await one.take(SUBJECT, A, 1, take=True)
    assert None is not await one.take(SUBJECT, B, 1, take=False)


async def test_a_session_ends(now: Now) -> None:
    """After its time without a sign of life."""
    one = counting(now.store, now)
    assert None is await one.take(SUBJECT, A, 1, take=True)
    now.later(250)
    assert None is not await one.take(SUBJECT, B, 1, take=True)
    now.later(51)
    assert None is await one.take(SUBJECT, B, 1, take=True)
    assert None is not await one.take(SUBJECT, A, 1, take=True)


async def test_a_sign_of_life_keeps_it(now: Now) -> None:
    """Another worker hears of it by the session's name alone."""
    one = counting(now.store, now)
    other = one if now.store.redis is None else counting(now.store, now)
    assert None is await one.take(SUBJECT, A, 1, take=True)
    for _ in range(3):
        now.later(200)
        other.seen(A)
        if now.store.redis is not None:
            await other.flush(now.store.redis)
    assert None is not await one.take(SUBJECT, B, 1, take=True)


async def test_nothing_is_kept_of_a_session_that_is_not_counted(
    server: Valkey, store: RedisStore
) -> None:
    one = counting(store)
    one.seen(A)
    await one.flush(store)
    assert [] == server.command("KEYS", "*subjects*")


async def test_a_sign_of_life_that_is_lost_is_given_again(
    server: Valkey, store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that found no room, and one that Redis did not take. Else a session that plays would end,
    since one sign in a quarter of its time is enough."""
    one = counting(store)
    monkeypatch.setattr(concurrent_sessions, "MAX_WAITING", 1)
    one.seen(A)
    one.seen(B)
    assert [A] == list(one._waiting)
    server.kill()
    try:
        await one.flush(store)
    finally:
        server.start()
    assert [] == list(one._waiting)
    for session in (B, A):
        one.seen(session)
        assert [session] == list(one._waiting)
        one._waiting.clear()


async def test_everything_expires(server: Valkey, store: RedisStore) -> None:
    one = counting(store)
    await one.take(SUBJECT, A, 1, take=True)
    keys = server.command("KEYS", "*subjects*")
    assert isinstance(keys, list)
    assert {subject_key(SUBJECT), counted_session_key(A)} == set(keys)
    for key in (subject_key(SUBJECT), counted_session_key(A)):
        left_ms = server.command("PTTL", key)
        assert isinstance(left_ms, int)
        assert 290_000 < left_ms <= 300_000


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
        assert time.monotonic() - began < 2  # the deadline of the store is 1 s
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
