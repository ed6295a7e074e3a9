"""Revocations in a real Valkey: what gateways read, what is rejected, and when they end."""

import time
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from gateway.background.revocations import RevocationWatch
from gateway.store.connection.keys import REVOCATIONS, session_name
from gateway.store.connection.redis import RedisStore
from gateway.store.coordination import revocations
from gateway.store.coordination.bus import Subscription
from gateway.store.coordination.revocations import (
    MAX_DURATION_S,
    MAX_REVOCATIONS,
    Revocable,
    Revocation,
    entry_of,
    kind_of,
    revoked_name,
    revoked_session,
)
from tests.unit.store.servers import Valkey

NOW = int(time.time())
TOKEN, SUBJECT, SESSION = (
    revoked_name(Revocable.TOKEN, "t1"),
    revoked_name(Revocable.SUBJECT, "viewer@example.com"),
    revoked_name(Revocable.SESSION, "s1"),
)


@pytest.mark.parametrize(
    ("kind", "one", "other", "same"),
    [
        (Revocable.TOKEN, "0B71", "0b71", True),
        (Revocable.TOKEN, "0FA", "0fa", False),
        (Revocable.TOKEN, "0B7T", "0b7t", False),
        (Revocable.SUBJECT, "0B71", "0b71", False),
        (Revocable.SESSION, "0B71", "0b71", False),
    ],
)
def test_hexadecimal_digits_of_a_token_may_be_capitals(
    kind: Revocable, one: str, other: str, same: bool
) -> None:
    """They stand for the bytes of a cti. Other names differ by case."""
    assert same == (revoked_name(kind, one) == revoked_name(kind, other))


class Gateway:
    """One gateway's view of the revocations. Its clock is ``late_s`` ahead."""

    def __init__(self, store: RedisStore) -> None:
        self.store = store
        self.late_s = 0.0
        self.names: frozenset[bytes] = frozenset()
        self.watch = RevocationWatch(
            self.use, store, Subscription("revocations"), lambda: time.monotonic() + self.late_s
        )

    def use(self, names: frozenset[bytes]) -> None:
        """Keep what is reported."""
        self.names = names

    async def read(self) -> frozenset[bytes]:
        """Read once; the names of what is revoked."""
        await self.watch.read(self.store)
        return self.names


def fields(server: Valkey) -> set[bytes]:
    """The fields of the hash in Redis."""
    found = server.command("HKEYS", REVOCATIONS)
    assert isinstance(found, list)
    return set(found)


async def revoke(store: RedisStore, kind: Revocable, name: str, for_s: int = 3600) -> None:
    """As the command does."""
    assert await revocations.revoke(store, kind, name, for_s, "me@here") is not None


def entry(name: bytes, for_s: int = 3600) -> tuple[bytes, bytes]:
    """What is stored of a revocation that ends ``for_s`` seconds from now."""
    now_s = int(time.time())
    return name, entry_of(Revocation(name, now_s - 60, now_s + for_s, "me@here"))


async def test_what_is_revoked_is_known_to_every_gateway(server: Valkey, store: RedisStore) -> None:
    """Redis has hashes alone. A session is found by its name as by its hash."""
    one, two = Gateway(store), Gateway(store)
    await revoke(store, Revocable.TOKEN, "t1")
    await revoke(store, Revocable.SUBJECT, "viewer@example.com")
    await revoke(store, Revocable.SESSION, "s1")
    assert {TOKEN, SUBJECT, SESSION} == await one.read() == await two.read()
    assert SESSION == revoked_session(session_name("s1"))
    kinds = [Revocable.TOKEN, Revocable.SUBJECT, Revocable.SESSION]
    assert kinds == [kind_of(name) for name in (TOKEN, SUBJECT, SESSION)]
    stored = repr(server.command("HGETALL", REVOCATIONS))
    assert "viewer" not in stored
    assert "example" not in stored


async def test_a_reader_that_knows_the_version_gets_nothing(
    server: Valkey, store: RedisStore
) -> None:
    await revoke(store, Revocable.TOKEN, "t1")
    first = await revocations.read(store)
    assert first.entries is not None
    again = await revocations.read(store, first.version)
    assert (None, first.version, False) == (again.entries, again.version, again.too_many)
    await revoke(store, Revocable.TOKEN, "t2")
    newer = await revocations.read(store, first.version)
    assert newer.entries is not None
    assert 2 == len(newer.entries)


async def test_one_is_undone(server: Valkey, store: RedisStore) -> None:
    """Its entry is kept until it would have ended, so that no gateway writes it back."""
    one, two = Gateway(store), Gateway(store)
    await revoke(store, Revocable.TOKEN, "t1")
    assert {TOKEN} == await one.read() == await two.read()
    assert await revocations.undo(store, Revocable.TOKEN, "t1", "you@there") is not None
    assert await revocations.undo(store, Revocable.TOKEN, "t1", "you@there") is None
    assert frozenset() == await one.read()
    server.command("FLUSHALL")
    assert frozenset() == await one.read()
    assert 2 == server.command("HLEN", REVOCATIONS)
    assert frozenset() == await two.read()
    await revoke(store, Revocable.TOKEN, "t1")
    assert {TOKEN} == await one.read() == await two.read()


async def test_it_ends_by_itself(server: Valkey, store: RedisStore) -> None:
    """By the time that Redis showed last; the key expires, too."""
    gateway = Gateway(store)
    await revoke(store, Revocable.TOKEN, "t1", 4)
    await revoke(store, Revocable.SESSION, "s1", 3600)
    assert {TOKEN, SESSION} == await gateway.read()
    left_ms = server.command("PTTL", REVOCATIONS)
    assert isinstance(left_ms, int)
    assert 3_500_000 < left_ms <= 3_601_000
    server.freeze()
    try:
        gateway.late_s = 5.0
        assert {SESSION} == await gateway.read()
    finally:
        server.thaw()


async def test_what_has_ended_is_removed(server: Valkey, store: RedisStore) -> None:
    """By the next that is written."""
    server.command("HSET", REVOCATIONS, *entry(TOKEN, for_s=-1))
    assert frozenset() == await Gateway(store).read()
    await revoke(store, Revocable.SESSION, "s1")
    assert {SESSION, b"v"} == fields(server)


async def test_no_more_than_may_be(server: Valkey, store: RedisStore) -> None:
    """The one too many is not written; one that is there can still be undone."""
    names = [revoked_name(Revocable.TOKEN, f"{at}") for at in range(MAX_REVOCATIONS)]
    for at in range(0, MAX_REVOCATIONS, 500):
        assert await revocations.write(store, dict(map(entry, names[at : at + 500])))
    assert await revocations.revoke(store, Revocable.TOKEN, "one more", 60, "me") is None
    gateway = Gateway(store)
    assert MAX_REVOCATIONS == len(await gateway.read())
    assert await revocations.undo(store, Revocable.TOKEN, "7", "me@here") is not None
    assert MAX_REVOCATIONS - 1 == len(await gateway.read())


async def test_lost_revocations_are_written_back(server: Valkey, store: RedisStore) -> None:
    gateway = Gateway(store)
    await revoke(store, Revocable.TOKEN, "t1")
    await revoke(store, Revocable.SUBJECT, "viewer@example.com")
    await gateway.read()
    server.command("FLUSHALL")
    with capture_logs() as logs:
        assert {TOKEN, SUBJECT} == await gateway.read()
    assert ["revocations_restored"] == [line["event"] for line in logs]
    assert {TOKEN, SUBJECT} == await Gateway(store).read()


@pytest.mark.parametrize(
    ("name", "for_s"),
    [("", 60), ("x" * 1025, 60), ("t", 0), ("t", -1), ("t", MAX_DURATION_S + 1)],
    ids=["no name", "a long name", "no time", "less than none", "too long"],
)
async def test_what_cannot_be_revoked(store: RedisStore, name: str, for_s: int) -> None:
    with pytest.raises(ValueError, match="allowed are"):
        await revocations.revoke(store, Revocable.TOKEN, name, for_s, "me")


GARBAGE = [
    *(b"", b"x", b"1", b"\xff", b"1 1 1", b"x" * 100_000),
    b"%d %d 2 me" % (NOW + 3600, NOW),
    b"%d %d 1 me\nyou" % (NOW + 3600, NOW),
    b"%d %d 1 me" % (NOW + MAX_DURATION_S + 7200, NOW),
    b"%d %d 1 me" % (NOW, NOW + 3600),
    b"9" * 300 + b" 1 1 me",
]


@pytest.mark.parametrize("text", GARBAGE, ids=range(len(GARBAGE)))
async def test_garbage_revokes_nothing(server: Valkey, store: RedisStore, text: bytes) -> None:
    """It is ignored, and removed; a revocation that it has overwritten comes back."""
    gateway = Gateway(store)
    await revoke(store, Revocable.SESSION, "s1")
    await gateway.read()
    words = (b"v", b"2", TOKEN, text, SESSION, text, b"\xff\x00", text)
    server.command("HSET", REVOCATIONS, *words)
    for _ in range(3):
        assert {SESSION} == await gateway.read()
    assert {SESSION, b"v"} == fields(server)


@pytest.mark.parametrize("kind", ["SET", "RPUSH", "SADD"])
async def test_a_key_of_another_type(server: Valkey, store: RedisStore, kind: str) -> None:
    gateway = Gateway(store)
    server.command(kind, REVOCATIONS, "x")
    assert frozenset() == await gateway.read()
    await revoke(store, Revocable.TOKEN, "t1")
    assert {TOKEN} == await gateway.read()


async def test_a_hash_that_is_not_ours(server: Valkey, store: RedisStore) -> None:
    """Very many entries go, and the known revocations are written back."""
    gateway = Gateway(store)
    await revoke(store, Revocable.TOKEN, "t1")
    await gateway.read()
    words = [word for at in range(25_000) for word in (f"x{at}", "1")]
    server.command("HSET", REVOCATIONS, "v", "2", *words)
    for _ in range(2):
        assert {TOKEN} == await gateway.read()
    assert {TOKEN, b"v"} == fields(server)


TROUBLES: list[tuple[Callable[[Valkey], object], Callable[[Valkey], object]]] = [
    (lambda server: server.kill(), lambda server: server.start()),
    (lambda server: server.freeze(), lambda server: server.thaw()),
]


@pytest.mark.parametrize(("harm", "mend"), TROUBLES, ids=["gone", "frozen"])
async def test_what_is_known_stays_without_redis(
    server: Valkey,
    store: RedisStore,
    harm: Callable[[Valkey], object],
    mend: Callable[[Valkey], object],
) -> None:
    gateway = Gateway(store)
    await revoke(store, Revocable.TOKEN, "t1")
    await gateway.read()
    harm(server)
    try:
        assert {TOKEN} == await gateway.read()
    finally:
        mend(server)
