"""How much one client network may ask for: a worker alone, and several that share a Redis."""

from collections.abc import AsyncIterator, Iterator, Sequence
from ipaddress import ip_address

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.rate_settings import RateSettings
from gateway.play.rate_limits import MAX_DEBT_S, MAX_WATCHED, RateLimits
from gateway.store.connection.connect import connect
from gateway.store.connection.keys import rate_key
from gateway.store.connection.protocol import Commands, Store
from gateway.store.coordination.rates import Taken, count
from tests.unit.store.servers import Valkey, valkey

pytestmark = pytest.mark.no_cover  # thousands of requests through the same few lines

A, B = ip_address("192.0.2.1"), ip_address("192.0.2.2")


def limits(workers: int = 1, **keys: object) -> RateLimits:
    """10 manifests per second, 20 at once."""
    given: dict[str, object] = {
        "exempt": (),
        "ipv4_prefix": 32,
        "ipv6_prefix": 64,
        "manifests_per_s": 10,
        "manifests_burst": 20,
        "decisions_per_s": 0,
        "decisions_burst": 1,
        "other_per_s": 1,
        "other_burst": 1,
        "new_sessions_per_min": 0,
        "session_per_s": 5,
        "session_burst": 10,
        "token_per_s": 0,
        "token_burst": 1,
    }
    return RateLimits(RateSettings.model_validate(given | keys), lambda: workers)


def admitted(rates: RateLimits, count: int, now_s: float, client: str = "192.0.2.1") -> int:
    """How many of ``count`` requests at ``now_s`` are admitted."""
    address = ip_address(client)
    return sum(not rates.take("manifests", address, now_s) for _ in range(count))


@pytest.mark.parametrize(
    ("name", "workers", "keys", "expected"),
    [
        ("alone", 1, {}, 20),
        ("a worker of four has its share", 4, {}, 5),
        ("exempt", 1, {"exempt": ("192.0.2.0/24",)}, 100),
        ("no limit", 1, {"manifests_per_s": 0}, 100),
        ("a burst of one", 1, {"manifests_burst": 1}, 1),
    ],
)
def test_at_once(name: str, workers: int, keys: dict[str, object], expected: int) -> None:
    assert expected == admitted(limits(workers, **keys), 100, 50.0)


def test_time_gives_back() -> None:
    """Ten per second, never more than the burst; and a refusal says when, and costs nothing."""
    rates = limits()
    assert 20 == admitted(rates, 30, 50.0)
    assert pytest.approx(0.1) == rates.take("manifests", A, 50.0)
    assert [10, 20] == [admitted(rates, 30, 51.001), admitted(rates, 30, 1000.0)]


def test_classes_and_networks_are_apart() -> None:
    rates = limits()
    assert 20 == admitted(rates, 30, 50.0)
    assert not rates.take("other", A, 50.0)
    assert rates.take("other", A, 50.0) > 0
    assert not rates.take("manifests", B, 50.0)
    assert [20, 0] == [admitted(rates, 30, 50.0, f"2001:db8::{end}") for end in (1, 2)]
    assert 20 == admitted(rates, 30, 50.0, "2001:db8:0:1::1")


def test_sessions_and_tokens_are_apart() -> None:
    """Each session for itself, in a table without networks; what has no limit is not counted."""
    rates = limits()

    def of_session(name: str) -> int:
        return sum(not rates.take_one("session", name, 50.0) for _ in range(30))

    assert [10, 10] == [of_session("a"), of_session("\udc80")]
    assert 20 == admitted(rates, 30, 50.0)
    assert [0.0] * 30 == [rates.take_one("token", b"a", 50.0) for _ in range(30)]
    assert pytest.approx(0.2) == rates.take_one("session", "a", 50.0)
    rates.charge_one("session", "b", 50.0, 20)
    assert pytest.approx(2.2) == rates.take_one("session", "b", 50.0)
    rates.charge_one("token", b"b", 50.0, 20)
    assert 0 == len(rates._tokens.paid_at)
    watched = {one.name for one in rates.watched(100)}
    assert {b"session a", b"session b", b"session \xed\xb2\x80"} <= watched


def test_a_batch_is_paid_afterwards() -> None:
    """Its assets may go beyond the burst; the next one waits until they are paid for."""
    rates = limits(decisions_per_s=10, decisions_burst=20)
    assert not rates.take("decisions", A, 50.0)
    rates.charge("decisions", A, 50.0, 99)
    assert pytest.approx(8.1) == rates.take("decisions", A, 50.0)
    assert not rates.take("decisions", A, 58.2)


@given(
    st.lists(st.tuples(st.floats(0, 3), st.integers(1, 3)), max_size=200),
    st.integers(1, 100),
    st.integers(1, 100),
)
@settings(max_examples=100, deadline=None)
def test_no_more_than_the_limit_in_any_time(
    asked: Sequence[tuple[float, int]], per_s: int, burst: int
) -> None:
    """Within any span, at most the burst and what its seconds add."""
    rates = limits(manifests_per_s=per_s, manifests_burst=burst)
    now_s, taken = 0.0, []
    for pause_s, amount in asked:
        now_s += pause_s
        if not rates.take("manifests", A, now_s, amount):
            taken.append((now_s, amount))
    for at, (start_s, _) in enumerate(taken):
        total = 0
        for end_s, amount in taken[at:]:
            total += amount
            assert total <= burst + (end_s - start_s) * per_s + 1e-3


def test_memory_is_bounded() -> None:
    """A network over its limit stays over it, whatever others ask."""
    rates = limits()
    assert 20 == admitted(rates, 20, 50.0)
    for number in range(100_000):
        rates.take("manifests", ip_address(2**31 + number), 50.0)
        if number % 10_000 == 0:
            assert rates.take("manifests", A, 50.0)
        rates.take_one("session", str(number), 50.0)
    assert len(rates._networks.paid_at) <= 32_768
    assert len(rates._sessions.paid_at) <= 16_384
    for number in range(2 * MAX_WATCHED):
        rates.take("manifests", ip_address(number), 50.0, 11)
        rates.charge_one("session", str(number), 50.0, 9)
    assert 2 * MAX_WATCHED == len(rates.watched(10**6))
    kinds = [one.which for one in rates.watched(256)]  # neither keeps the other from being told
    assert [128, 128] == [kinds.count("manifests"), kinds.count("session")]


class Two:
    """Two workers of one gateway, and the script that adds up what they saw."""

    def __init__(self, redis: Commands) -> None:
        self._redis = redis
        self.both = [limits(2), limits(2)]

    async def round(self, now_s: float) -> list[float]:
        """Each worker tells, once. What the network owes, as each was told."""
        told = []
        for rates in self.both:
            watched = rates.watched(256)
            sent = [one.pending_s for one in watched]
            taken = [
                Taken(one.name, pending, rates.most_owed_s(one.which))
                for one, pending in zip(watched, sent, strict=True)
            ]
            owed = await count(self._redis, taken)
            assert owed is not None
            rates.told(watched, sent, owed, now_s)
            told += owed
        return told


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    with valkey(tmp_path_factory.mktemp("valkey")) as found:
        yield found


@pytest_asyncio.fixture
async def store(server: Valkey) -> AsyncIterator[Store]:
    """A store without any key."""
    found = connect(server.url, timeout_ms=5000)
    await found.start()
    assert found.redis is not None
    await found.redis.ask("empty", b"FLUSHALL")
    yield found
    await found.close()


async def test_workers_share_the_limit_of_a_session(store: Store) -> None:
    """As that of a network, and under another name in Redis."""
    assert store.redis is not None
    two = Two(store.redis)
    one, other = two.both

    def taken(rates: RateLimits, most: int, now_s: float) -> int:
        return sum(not rates.take_one("session", "a", now_s) for _ in range(most))

    assert 4 == taken(one, 4, 50.0)
    await two.round(50.0)
    assert 6 == taken(one, 100, 50.0)
    assert 3 == taken(other, 3, 50.0)  # not told yet
    await two.round(50.0)
    assert [0, 0] == [taken(rates, 50, 50.0) for rates in two.both]


async def test_workers_share_a_limit(store: Store) -> None:
    """One worker alone may use all of it, both together not more; without Redis, each its share."""
    assert store.redis is not None
    two = Two(store.redis)
    one, other = two.both
    assert 8 == admitted(one, 8, 50.0)
    await two.round(50.0)
    assert 12 == admitted(one, 100, 50.0)
    assert 5 == admitted(other, 5, 50.0)  # not watched yet: half of its share
    assert 1 == admitted(other, 1, 50.0)
    [owed, again] = await two.round(50.0)
    assert owed == pytest.approx(2.0, abs=0.1)
    assert again == pytest.approx(2.6, abs=0.1)
    assert [0, 0] == [admitted(rates, 50, 50.0) for rates in two.both]
    assert 10 == admitted(one, 50, 60.0)  # what Redis said is old: its share


@pytest.mark.parametrize(
    ("words", "owed_s"),
    [
        ((b"SET", b""), 0.5),
        ((b"SET", b"garbage"), 0.5),
        ((b"SET", b"nan"), 0.5),
        ((b"SET", b"-1"), 0.5),
        ((b"SET", b"inf"), 12.0),
        ((b"SET", b"9" * 1_000_000), 12.0),
        ((b"RPUSH", b"1"), 0.5),
    ],
)
async def test_garbage_in_redis_costs_one_network_a_moment(
    store: Store, words: tuple[bytes, bytes], owed_s: float
) -> None:
    """It counts as nothing, or as the most that a network may owe."""
    assert store.redis is not None
    command, value = words
    await store.redis.ask("garbage", command, rate_key(b"0"), value)
    taken = [Taken(b"0", 0.5, 2.0 + MAX_DEBT_S), Taken(b"1", 0.0, 12.0)]
    assert [owed_s, 0.0] == await count(store.redis, taken)
