"""Which key signs: configured, shared over a real Valkey, or a worker's own."""

from collections.abc import AsyncIterator, Iterator

import pytest

from gateway.background.signing_keys import KeyKeeper
from gateway.store.connection.keys import SHARED_KEY
from gateway.store.connection.redis import RedisStore
from gateway.trust.keys import Purpose, SigningKey
from tests.background import in_background
from tests.unit.store.servers import Valkey, until, valkey

STATE = Purpose.STEERING_STATE
A, B = SigningKey("a", b"a" * 32), SigningKey("b", b"b" * 32)
A_VERIFIES, A_RETIRED = (SigningKey("a", b"a" * 32, s) for s in ("verify-only", "retired"))
OVERLAP_S = 60.0


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """One server for all tests of this module."""
    with valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
async def store(shared: Valkey) -> AsyncIterator[RedisStore]:
    """A store on it, empty."""
    shared.command("FLUSHALL")
    made = RedisStore(shared.url, timeout_s=1.0)
    await made.start()
    yield made
    await made.close()


class Clock:
    """Seconds that only the test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def keeper(
    *configured: SigningKey, store: RedisStore | None = None, clock: Clock | None = None
) -> KeyKeeper:
    """A worker's keeper."""
    return KeyKeeper(configured, OVERLAP_S, store, clock or Clock())


def accepts(one: KeyKeeper, other: KeyKeeper) -> bool:
    """Whether ``one`` accepts what ``other`` signs now."""
    return one.ring.verify(STATE, other.ring.sign(STATE, b"x")) == b"x"


async def test_workers_agree_on_one_random_key(store: RedisStore) -> None:
    """Whichever comes first; what a worker signed before is still accepted by it."""
    first, second = keeper(store=store), keeper(store=store)
    early = second.ring.sign(STATE, b"early")
    assert not accepts(first, second)
    await first.look()
    await second.look()
    assert accepts(first, second)
    assert accepts(second, first)
    assert b"early" == second.ring.verify(STATE, early)


async def test_a_key_that_redis_lost_is_written_again(store: RedisStore, shared: Valkey) -> None:
    """A worker that starts after Redis was emptied gets the key of those that run."""
    first, second = keeper(store=store), keeper(store=store)
    await first.look()
    shared.command("FLUSHALL")
    await first.look()
    await second.look()
    assert accepts(first, second)


@pytest.mark.parametrize("garbage", [["SET", SHARED_KEY, "short"], ["LPUSH", SHARED_KEY, "x"]])
async def test_garbage_in_redis_is_replaced(
    store: RedisStore, shared: Valkey, garbage: list[str | bytes]
) -> None:
    shared.command(*garbage)
    first, second = keeper(store=store), keeper(store=store)
    await first.look()
    await second.look()
    assert accepts(first, second)


async def test_without_redis_each_worker_has_a_key_of_its_own(shared: Valkey) -> None:
    """``memory``, and a Redis that does not answer: the gateway signs all the same."""
    alone, other = keeper(), keeper()
    await alone.look()
    assert not accepts(alone, other)
    away = RedisStore("unix:///nonexistent/valkey.sock", timeout_s=0.05)
    waiting = keeper(store=away)
    signed = waiting.ring.sign(STATE, b"x")
    await waiting.first_look(1.0)
    assert b"x" == waiting.ring.verify(STATE, signed)


async def test_configured_keys_need_no_redis(store: RedisStore, shared: Valkey) -> None:
    """Nothing is written to Redis."""
    configured = keeper(A, store=store)
    await configured.look()
    assert "a" == configured.ring.active.id
    assert 0 == shared.command("EXISTS", SHARED_KEY)


ROTATIONS = [
    ("verify-only still verifies", (A,), (A_VERIFIES, B), 0.0, True),
    ("so it does later", (A,), (A_VERIFIES, B), OVERLAP_S * 2, True),
    ("a removed key verifies during the overlap", (A,), (B,), OVERLAP_S - 1, True),
    ("and not after it", (A,), (B,), OVERLAP_S, False),
    ("a retired key is refused at once", (A,), (A_RETIRED, B), 0.0, False),
    ("another secret under the same id", (A,), (SigningKey("a", b"z" * 32),), 0.0, False),
    ("the random key, when keys are configured", (), (B,), OVERLAP_S - 1, True),
    ("the last key, when none is left", (A,), (), OVERLAP_S - 1, True),
]


@pytest.mark.parametrize(
    ("before", "after", "later_s", "accepted"),
    [row[1:] for row in ROTATIONS],
    ids=[row[0] for row in ROTATIONS],
)
async def test_rotation(
    before: tuple[SigningKey, ...],
    after: tuple[SigningKey, ...],
    later_s: float,
    *,
    accepted: bool,
) -> None:
    """A text signed before a reload, verified some time after it."""
    clock = Clock()
    worker = keeper(*before, clock=clock)
    heard: list[str] = []
    worker.on_change(lambda ring: heard.append(ring.active.id))
    text = worker.ring.sign(STATE, b"x")
    worker.configure(after, OVERLAP_S)
    clock.now += later_s
    await worker.look()
    assert (b"x" if accepted else None) == worker.ring.verify(STATE, text)
    assert worker.ring.active.id == heard[-1]
    if after:
        assert worker.ring.active.id == after[-1].id


async def test_a_reload_that_changes_nothing_keeps_everything() -> None:
    """A removed key does not live longer because the config is read again."""
    clock = Clock()
    worker = keeper(A, clock=clock)
    text = worker.ring.sign(STATE, b"x")
    worker.configure((B,), OVERLAP_S)
    for _ in range(3):
        clock.now += OVERLAP_S / 2
        worker.configure((B,), OVERLAP_S)
    await worker.look()
    assert worker.ring.verify(STATE, text) is None
    assert {"b"} == worker.ring.ids


async def test_the_shared_key_is_followed(
    store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``run`` looks again until it is cancelled."""
    monkeypatch.setattr("gateway.background.signing_keys.FIRST_INTERVAL_S", 0.01)
    first, second = keeper(store=store), keeper(store=store)
    async with in_background(first.run(), second.run()):
        await until(lambda: accepts(first, second) and accepts(second, first))
