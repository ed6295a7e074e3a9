"""Overrides of steering in a real Valkey: what gateways read, what is rejected, and when they
end."""

import asyncio
import json
import time
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from gateway.background.fleet import FleetKeeper
from gateway.background.overrides import OverrideWatch
from gateway.edge.edge import Edge
from gateway.edge.fleet import Fleet
from gateway.edge.override import WHOLE, Override
from gateway.operators import steers
from gateway.operators.action_error import ActionError
from gateway.operators.moment import Moment
from gateway.operators.steers import Wanted
from gateway.store.connection.keys import EDGE_OVERRIDES
from gateway.store.connection.redis import RedisStore
from gateway.store.coordination import overrides
from gateway.store.coordination.bus import Subscription
from gateway.store.coordination.overrides import MAX_OVERRIDES, OverrideEntry, entry_of
from tests.unit.store.servers import Valkey

NOW = int(time.time())
HOME, AWAY = Edge("home", "http://home.example/"), Edge("away", "http://away.example/")
ONE, TWO = (Edge(f"dns-{at}", f"http://dns-{at}.example/", template="dns") for at in (1, 2))
FLEET = Fleet.of([HOME, AWAY, ONE, TWO])


class Gateway:
    """One gateway's view of the overrides. Its clock is ``late_s`` ahead."""

    def __init__(self, store: RedisStore) -> None:
        self.keeper = FleetKeeper([HOME, AWAY])
        self.store = store
        self.late_s = 0.0
        self.watch = OverrideWatch(
            self.keeper, store, Subscription("edges"), lambda: time.monotonic() + self.late_s
        )

    async def read(self) -> list[str]:
        """Read once; the ids of the overrides in force."""
        await self.watch.read(self.store)
        return [one.id for one in self.keeper.fleet.overrides]


def override(number: int, for_s: int = 3600, since: int = NOW) -> Override:
    """One that ends ``for_s`` seconds from now."""
    ends = int(time.time()) + for_s
    return Override(
        f"{number:08x}", "home", "away", 0, WHOLE // 5, since, ends, "me@here", "why\x1bé"
    )


async def begin(store: RedisStore, *given: Override, cancelled_by: str | None = None) -> bool:
    """Write overrides as the command does."""
    return await overrides.write(
        store, {one.id.encode(): entry_of(OverrideEntry(one, cancelled_by)) for one in given}
    )


async def test_an_override_begins_and_is_cancelled(server: Valkey, store: RedisStore) -> None:
    """Its entry is kept until it would have ended, so that no gateway writes it back."""
    one, two = Gateway(store), Gateway(store)
    assert await begin(store, override(1))
    assert ["00000001"] == await one.read() == await two.read()
    [found] = one.keeper.fleet.overrides
    assert ("home", "away", "20 %", "me@here", "whyé") == (
        found.source,
        found.target,
        found.percent,
        found.who,
        found.why,
    )
    assert {0} == set(one.keeper.fleet.diversions)
    await begin(store, override(1), cancelled_by="you@there")
    assert [] == await one.read()
    assert 1 == server.command("HLEN", EDGE_OVERRIDES)
    server.command("FLUSHALL")
    assert [] == await one.read()
    assert 1 == server.command("HLEN", EDGE_OVERRIDES)
    assert [] == await two.read()


async def test_those_begun_at_the_same_moment_share_what_there_is(store: RedisStore) -> None:
    """Six operators send 20 % of an edge away at once: five do, of other sessions each."""
    wanted = Wanted("home", "away", WHOLE // 5, Moment(after_s=600), "why")
    begun = [steers.begin(store, FLEET, wanted, f"{each}@here") for each in range(6)]
    found = await asyncio.gather(*begun, return_exceptions=True)
    ranges = sorted((one.low, one.high) for one in found if isinstance(one, Override))
    assert [(at * WHOLE // 5, (at + 1) * WHOLE // 5) for at in range(5)] == ranges
    [refused] = [one for one in found if not isinstance(one, Override)]
    assert isinstance(refused, ActionError)
    assert ("conflict", "share") == (refused.code, refused.key)
    assert ranges == sorted(
        (each.override.low, each.override.high) for each in (await steers.read(store))[0]
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [("dns", "dns-1"), ("dns-1", "dns"), ("dns", "dns"), ("dns-1", "dns-1")],
)
async def test_a_table_with_dns_shares_with_its_edges(
    store: RedisStore, first: str, second: str
) -> None:
    """Each override has sessions of its own; what is too much, and circles, are refused."""
    until = Moment(after_s=600)
    await steers.begin(store, FLEET, Wanted(first, "home", WHOLE // 2, until, ""), "me@here")
    with pytest.raises(
        ActionError, match=f"the sessions of {second} would go elsewhere: .*{first}"
    ):
        await steers.begin(store, FLEET, Wanted(second, "away", WHOLE // 2 + 1, until, ""), "me")
    two = await steers.begin(store, FLEET, Wanted(second, "away", WHOLE // 2, until, ""), "me")
    assert (WHOLE // 2, WHOLE) == (two.low, two.high)
    with pytest.raises(ActionError, match="in circles"):
        await steers.begin(store, FLEET, Wanted("away", "dns-1", 1, until, ""), "me")


async def test_operators_of_other_edges_do_not_get_in_the_way(
    server: Valkey, store: RedisStore
) -> None:
    """24 overrides of edges of their own begin at once, also where others have left 300 fields."""
    for number in range(300):
        server.command("HSET", EDGE_OVERRIDES, f"of-others-{number}", "?")
    wanted = [Wanted(f"e{at}", "away", WHOLE, Moment(after_s=600), "why") for at in range(24)]
    begun = await asyncio.gather(*(steers.begin(store, FLEET, each, "me@here") for each in wanted))
    assert {f"e{at}" for at in range(24)} == {one.source for one in begun}
    assert 24 == len((await steers.read(store))[0])


async def test_it_ends_by_itself(server: Valkey, store: RedisStore) -> None:
    """By the time that Redis showed last; the key expires, too."""
    gateway = Gateway(store)
    await begin(store, override(1, for_s=4), override(2, for_s=3600))
    assert ["00000001", "00000002"] == await gateway.read()
    left_ms = server.command("PTTL", EDGE_OVERRIDES)
    assert isinstance(left_ms, int)
    assert 3_500_000 < left_ms <= 3_601_000
    server.freeze()
    try:
        gateway.late_s = 5.0
        assert ["00000002"] == await gateway.read()
    finally:
        server.thaw()
    gateway.late_s = 0.0


async def test_what_has_ended_is_removed(server: Valkey, store: RedisStore) -> None:
    """By the next that is written."""
    ended = entry_of(OverrideEntry(override(1, for_s=-1, since=NOW - 60)))
    server.command("HSET", EDGE_OVERRIDES, "00000001", ended)
    assert [] == await Gateway(store).read()
    await begin(store, override(2))
    assert [b"00000002"] == server.command("HKEYS", EDGE_OVERRIDES)


async def test_they_are_in_the_order_of_their_beginning(server: Valkey, store: RedisStore) -> None:
    await begin(store, override(1, since=NOW - 5), override(2, since=NOW - 10), override(3))
    assert ["00000002", "00000001", "00000003"] == await Gateway(store).read()


async def test_no_more_than_may_be(server: Valkey, store: RedisStore) -> None:
    """The one too many is not written; one that is there can still be cancelled."""
    assert await begin(store, *map(override, range(MAX_OVERRIDES)))
    assert not await begin(store, override(MAX_OVERRIDES))
    assert MAX_OVERRIDES == len(await Gateway(store).read())
    assert await begin(store, override(7), cancelled_by="me@here")
    assert MAX_OVERRIDES - 1 == len(await Gateway(store).read())


async def test_lost_overrides_are_written_back(server: Valkey, store: RedisStore) -> None:
    """Unless a gateway knows that one was cancelled: its mark comes back as well."""
    one, two = Gateway(store), Gateway(store)
    await begin(store, override(1), override(2))
    await one.read()
    await two.read()
    await begin(store, override(1), cancelled_by="me@here")
    await one.read()
    server.command("FLUSHALL")
    with capture_logs() as logs:
        assert ["00000002"] == await one.read()
        assert 2 == server.command("HLEN", EDGE_OVERRIDES)
    assert ["overrides_restored"] == [line["event"] for line in logs]
    assert ["00000002"] == await two.read()


def fields(**more: object) -> bytes:
    """An entry with these fields instead of good ones."""
    good = json.loads(entry_of(OverrideEntry(override(1))))
    return json.dumps({**good, **more}).encode()


GARBAGE = [
    *(b"", b"{", b"[]", b"1", b"[" * 4000, b"\xff", b"x" * 1_000_000),
    fields(until_s=NOW + overrides.MAX_DURATION_S + 7200),
    fields(until_s=10**400),
    fields(until_s=NOW + 0.5),
    fields(until_s="soon"),
    fields(low=-1),
    fields(low=2000, high=2000),
    fields(high=WHOLE + 1),
    fields(since_s=NOW + 7200),
    fields(**{"from": ""}),
    fields(to="é"),
    fields(to="x" * 256),
    fields(who=None),
    fields(why=["x"]),
    fields(cancelled_by=1),
]


@pytest.mark.parametrize("entry", GARBAGE, ids=[repr(each[:30]) for each in GARBAGE])
async def test_garbage_steers_nobody(server: Valkey, store: RedisStore, entry: bytes) -> None:
    """It is ignored, named once, and removed; an override that it has overwritten comes back."""
    gateway = Gateway(store)
    await begin(store, override(2))
    await gateway.read()
    server.command("HSET", EDGE_OVERRIDES, "00000001", entry, "00000002", entry, b"\xff\x00", entry)
    with capture_logs() as logs:
        for _ in range(3):
            assert ["00000002"] == await gateway.read()
    assert [b"00000002"] == server.command("HKEYS", EDGE_OVERRIDES)
    assert 1 == [line["event"] for line in logs].count("store_garbage")


@pytest.mark.parametrize("kind", ["SET", "RPUSH", "SADD"])
async def test_a_key_of_another_type(server: Valkey, store: RedisStore, kind: str) -> None:
    gateway = Gateway(store)
    server.command(kind, EDGE_OVERRIDES, "x")
    assert [] == await gateway.read()
    assert 0 == server.command("EXISTS", EDGE_OVERRIDES)
    assert await begin(store, override(1))
    assert ["00000001"] == await gateway.read()


async def test_a_hash_that_is_not_ours(server: Valkey, store: RedisStore) -> None:
    """Very many entries go, and the known overrides are written back."""
    gateway = Gateway(store)
    await begin(store, override(1))
    await gateway.read()
    words = (word for at in range(5000) for word in (f"x{at}", "{}"))
    server.command("HSET", EDGE_OVERRIDES, *words)
    for _ in range(2):
        assert ["00000001"] == await gateway.read()
    assert [b"00000001"] == server.command("HKEYS", EDGE_OVERRIDES)


TROUBLES: list[tuple[str, Callable[[Valkey], object], Callable[[Valkey], object]]] = [
    ("gone", lambda server: server.kill(), lambda server: server.start()),
    ("frozen", lambda server: server.freeze(), lambda server: server.thaw()),
]


@pytest.mark.parametrize(
    ("harm", "mend"), [row[1:] for row in TROUBLES], ids=[row[0] for row in TROUBLES]
)
async def test_what_is_known_stays_without_redis(
    server: Valkey,
    store: RedisStore,
    harm: Callable[[Valkey], object],
    mend: Callable[[Valkey], object],
) -> None:
    gateway = Gateway(store)
    await begin(store, override(1))
    await gateway.read()
    harm(server)
    try:
        assert ["00000001"] == await gateway.read()
    finally:
        mend(server)
