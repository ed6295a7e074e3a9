"""Registered edges and drains, with a real Valkey: what is read, and what is rejected."""

import asyncio
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.background.edge_register import EdgeRegister
from gateway.background.fleet import FleetKeeper
from gateway.commands.edge.heartbeat import Announcer, HeartbeatSettings
from gateway.config.load import load
from gateway.config.schema import Settings
from gateway.config.signing_settings import EdgeSigningSettings
from gateway.edge.edge import Edge
from gateway.store import garbage
from gateway.store.connection.keys import EDGE_DRAINS, EDGE_FACTS, EDGE_UNTIL
from gateway.store.connection.redis import RedisStore
from gateway.store.coordination import register
from gateway.store.coordination.bus import Subscription
from gateway.trust.keys import SigningKey
from gateway.trust.registrations import CLOCKS_DIFFER_S
from tests.integration.announcing import ACCEPTING, KEY, KEYS, announced, entry, facts
from tests.unit.store.servers import Valkey, until, valkey

HOME = Edge("home", "http://home.example/")
FAR_MS = int(time.time() * 1000) + 1_800_000
"""A time of expiry that is not soon, in Unix milliseconds."""
YEAR_5138_MS = 100_000_000_000_000


class Reader:
    """A gateway's view of the register."""

    def __init__(self, store: RedisStore, *, enabled: bool = True) -> None:
        self.keeper = FleetKeeper([HOME])
        self.store = store
        settings = load(None, ACCEPTING if enabled else {}).settings
        self.register = EdgeRegister(self.keeper, store, Subscription("edges"), settings)

    async def read(self) -> list[str]:
        """Read once; the ids of the fleet."""
        await self.register.read(self.store)
        return [edge.id for edge in self.keeper.fleet.edges]

    def state(self, edge_id: str) -> str | None:
        """The state of an edge."""
        condition = self.keeper.fleet.condition(edge_id)
        return None if condition is None else condition.state


def signing(settings: Settings, table: dict[str, Any] | None) -> Settings:
    """The settings with this table for the URLs of registered edges."""
    given = None if table is None else EdgeSigningSettings.model_validate(table)
    registry = settings.registry.model_copy(update={"signing": given})
    return settings.model_copy(update={"registry": registry})


async def test_registered_edges_share_a_signing(store: RedisStore) -> None:
    """That of the config in force, with the edge's own URL. An edge whose URL cannot be signed is
    not used, which is logged once."""
    reader, plain = Reader(store), load(None, ACCEPTING).settings
    table: dict[str, Any] = {"scheme": "nginx", "keys": ({"id": "k", "secret": "x" * 32},)}
    reader.register.configure(signing(plain, table))
    await register.register(store, "a", entry("a", 60.0), 60.0)
    unsignable = entry("b", 60.0, url="http://b.example/x%2fy/")
    await register.register(store, "b", unsignable, 60.0)
    with capture_logs() as logs:
        assert ["home", "a"] == await reader.read()
        assert ["home", "a"] == await reader.read()
    (line,) = [line for line in logs if line["event"] == "registered_edge_not_signed"]
    assert ("b", True) == (line["edge"], "may normalise" in line["reason"])
    home, signed = reader.keeper.fleet.edges
    assert (None, "k") == (home.signing, signed.signing and signed.signing.signer.key_id)
    reader.register.configure(signing(plain, table | {"lifetime_s": 7200}))
    await reader.read()
    assert [7200] == [one.signing.lifetime_s for one in reader.keeper.fleet.edges if one.signing]
    reader.register.configure(signing(plain, None))
    assert ["home", "a", "b"] == await reader.read()
    assert [None] * 3 == [edge.signing for edge in reader.keeper.fleet.edges]


async def test_an_edge_registers_and_leaves(store: RedisStore) -> None:
    """New, unchanged, changed, and gone; only changes are announced."""
    reader = Reader(store)
    assert await register.register(store, "a", entry("a"), 6.0)
    assert not await register.register(store, "a", entry("a"), 6.0)
    assert ["home", "a"] == await reader.read()
    assert await register.register(store, "a", entry("a", weight=7), 6.0)
    await reader.read()
    assert [100, 7] == [edge.weight for edge in reader.keeper.fleet.edges]
    farewell = announced("a", b"")
    assert not await register.deregister(store, "a", facts("a"), farewell)
    assert ["home", "a"] == await reader.read()
    assert await register.deregister(store, "a", facts("a", weight=7), farewell)
    assert ["home"] == await reader.read()


@pytest.mark.parametrize("ahead_s", [20.0, 3600.0])
async def test_an_edge_whose_clock_is_set_back_stays(store: RedisStore, ahead_s: float) -> None:
    """Its next heartbeat counts, and so does its farewell: each is later than the one before,
    unless that was so far ahead that no gateway has accepted it."""
    reader, clock = Reader(store), [time.time() + ahead_s]
    announcer = Announcer(HeartbeatSettings("a", facts("a"), KEY, 2.0, 6.0), lambda: clock[0])
    await register.register(store, "a", announcer.heartbeat(), 6.0)
    assert (["home", "a"] if ahead_s < CLOCKS_DIFFER_S else ["home"]) == await reader.read()
    clock[0] -= ahead_s
    await register.register(store, "a", announcer.heartbeat(), 6.0)
    with capture_logs() as logs:
        assert ["home", "a"] == await reader.read()
    assert [] == [line for line in logs if line["event"] == "store_garbage"]
    assert await register.deregister(store, "a", facts("a"), announcer.farewell())
    assert ["home"] == await reader.read()


async def test_an_edge_expires(server: Valkey, store: RedisStore) -> None:
    """A registration expires by Redis's clock; the next registration removes it."""
    reader = Reader(store)
    await register.register(store, "a", entry("a", 1.0, ""), 1.0)
    assert ["home", "a"] == await reader.read()
    await asyncio.sleep(1.05)
    assert ["home"] == await reader.read()
    await register.register(store, "b", entry("b"), 6.0)
    assert [b"b"] == server.command("HKEYS", EDGE_FACTS)
    assert [b"b"] == server.command("ZRANGE", EDGE_UNTIL, "0", "-1")


def raw(edge: str, ttl_ms: str = "6000") -> bytes:
    """An unchecked registration of ``bad`` with additional fields."""
    return f'{{"edge": {{"id": "bad", {edge}}}, "ttl_ms": {ttl_ms}}}'.encode()


GOOD_URL = '"url": "http://x/"'
GARBAGE = [
    ("not JSON", b"bad", b"{"),
    ("not UTF-8", b"bad", b"\xff\xfe"),
    ("a list", b"bad", b"[]"),
    ("nested deeply", b"bad", b"[" * 4000),
    ("no edge", b"bad", b'{"ttl_ms": 6000}'),
    ("an unknown member", b"bad", raw(GOOD_URL, '6000, "x": 1')),
    ("another id", b"bad", facts("good")),
    ("no time to live", b"bad", raw(GOOD_URL, "null")),
    ("a time to live too long", b"bad", raw(GOOD_URL, "3600001")),
    ("a time to live too short", b"bad", raw(GOOD_URL, "999")),
    ("a url that is none", b"bad", raw('"url": "javascript:1"')),
    ("a url with a quote", b"bad", raw('"url": "http://x/\\""')),
    ("an unknown key", b"bad", raw(f'{GOOD_URL}, "x": 1')),
    ("a template", b"bad", raw(f'{GOOD_URL}, "dns": {{"name": "x", "type": "A"}}')),
    ("drained by itself", b"bad", raw(f'{GOOD_URL}, "drain": true')),
    ("a url that is not allowed", b"bad", raw('"url": "https://bad.example.com/"')),
    ("probes that are not allowed", b"bad", raw(f'{GOOD_URL}, "health_url": "https://x/"')),
    ("a time to live beyond a float", b"bad", b'{"edge":{},"ttl_ms":1%s}' % (b"0" * 400)),
    ("a number beyond a float", b"bad", raw(f'{GOOD_URL}, "latitude": 1{"0" * 400}')),
    ("no number", b"bad", raw(f'{GOOD_URL}, "latitude": NaN')),
    ("half a character", b"bad", raw('"url": "http://x/\\ud800"')),
]


@pytest.mark.parametrize(
    ("edge_id", "given"), [row[1:] for row in GARBAGE], ids=[row[0] for row in GARBAGE]
)
async def test_garbage_is_ignored(
    server: Valkey, store: RedisStore, edge_id: bytes, given: bytes
) -> None:
    """Signed garbage is logged once, and valid entries are used."""
    await register.register(store, "good", entry("good"), 6.0)
    server.command("HSET", EDGE_FACTS, edge_id, announced(edge_id.decode(), given))
    server.command("ZADD", EDGE_UNTIL, str(FAR_MS), edge_id)
    reader = Reader(store)
    with capture_logs() as logs:
        assert ["home", "good"] == await reader.read()
        assert ["home", "good"] == await reader.read()
    assert ["registry_garbage"] == [
        line["event"] for line in logs if line["log_level"] == "warning"
    ]


STRANGER = SigningKey("edges", b"the same id and another secret, just as long")
FORGED: list[tuple[str, Callable[[], bytes]]] = [
    ("facts alone", lambda: facts("a")),
    ("nothing", lambda: b""),
    ("another secret", lambda: announced("a", facts("a"), STRANGER)),
    ("an unknown key", lambda: announced("a", facts("a"), SigningKey("b", KEY.secret))),
    ("the announcement of another edge", lambda: entry("b")),
    ("another url", lambda: entry("a").replace(b"a.example", b"b.example")),
    ("another time", lambda: re.sub(rb"\.(\d+)\.", rb".1\1.", entry("a"))),
    ("from the future", lambda: announced("a", facts("a"), after_s=60)),
    ("from the past", lambda: announced("a", facts("a"), after_s=-60)),
    ("too long", lambda: entry("a") + b" " * 5000),
    ("much too long", lambda: b" " * 10_000_000 + entry("a")),
]


@pytest.mark.parametrize("forge", [row[1] for row in FORGED], ids=[row[0] for row in FORGED])
async def test_only_genuine_announcements_count(
    server: Valkey, store: RedisStore, monkeypatch: pytest.MonkeyPatch, forge: Callable[[], bytes]
) -> None:
    """Whoever can write to Redis, but has no key, registers no edge. It is logged once, in words
    that are ours."""
    monkeypatch.setattr(garbage, "_logged", {})
    await register.register(store, "good", entry("good"), 6.0)
    server.command("HSET", EDGE_FACTS, "a", forge())
    server.command("ZADD", EDGE_UNTIL, str(FAR_MS), "a")
    reader = Reader(store)
    with capture_logs() as logs:
        for _ in range(3):
            assert ["home", "good"] == await reader.read()
    warned = [line for line in logs if line["log_level"] == "warning"]
    assert ["registration"] * len(warned) == [line["kind"] for line in warned]
    assert len(warned) == (0 if forge is FORGED[8][1] else 1), "an old one has merely expired"
    assert "example" not in str(warned)


async def test_an_old_announcement_is_not_put_back(server: Valkey, store: RedisStore) -> None:
    """Neither in the place of a newer one, nor after the edge has left; and nobody can say that an
    edge leaves but the edge."""
    reader = Reader(store)
    old = announced("a", facts("a", weight=1), after_s=-1)
    left_before = announced("a", b"", after_s=-0.5)
    await register.register(store, "a", entry("a"), 6.0)
    assert ["home", "a"] == await reader.read()
    for forged in (old, left_before, b"", announced("a", b"", STRANGER)):
        server.command("HSET", EDGE_FACTS, "a", forged)
        assert ["home", "a"] == await reader.read()
        assert 100 == reader.keeper.fleet.edges[1].weight
    await register.register(store, "a", entry("a"), 6.0)
    assert await register.deregister(store, "a", facts("a"), announced("a", b""))
    assert ["home"] == await reader.read()
    for forged in (old, announced("a", facts("a"), after_s=-0.1)):
        server.command("HSET", EDGE_FACTS, "a", forged)
        server.command("ZADD", EDGE_UNTIL, str(FAR_MS), "a")
        assert ["home"] == await reader.read()


B = {"id": "b", "secret": "b" * 32}
CONFIGS: list[tuple[str, dict[str, str], bool]] = [
    (
        "retired",
        {"GATEWAY_REGISTRY__KEYS": json.dumps([KEYS[0] | {"status": "retired"}, B])},
        False,
    ),
    ("removed", {"GATEWAY_REGISTRY__KEYS": json.dumps([B])}, False),
    (
        "verify-only",
        {"GATEWAY_REGISTRY__KEYS": json.dumps([KEYS[0] | {"status": "verify-only"}, B])},
        True,
    ),
    ("other urls", {"GATEWAY_REGISTRY__URLS": '["https://*/"]'}, False),
    ("off", {"GATEWAY_REGISTRY__ENABLED": "false"}, False),
]


@pytest.mark.parametrize(
    ("environ", "stays"), [row[1:] for row in CONFIGS], ids=[row[0] for row in CONFIGS]
)
async def test_a_new_config_is_in_force_at_once(
    store: RedisStore, environ: dict[str, str], *, stays: bool
) -> None:
    """What it refuses leaves before the register is read again, however long its time to live."""
    reader = Reader(store)
    expected = ["home", "a"] if stays else ["home"]
    await register.register(store, "a", entry("a", 3600.0), 3600.0)
    assert ["home", "a"] == await reader.read()
    reader.register.configure(load(None, {**ACCEPTING, **environ}).settings)
    assert expected == [edge.id for edge in reader.keeper.fleet.edges]
    assert expected == await reader.read()
    reader.register.configure(load(None, ACCEPTING).settings)
    assert ["home", "a"] == await reader.read()


async def test_nobody_extends_the_time_to_live(server: Valkey, store: RedisStore) -> None:
    """The signature limits it, whatever Redis says."""
    reader = Reader(store)
    ending = announced("a", facts("a", 1.0), after_s=-(1.0 + CLOCKS_DIFFER_S) + 0.3)
    await register.register(store, "a", ending, 1.0)
    server.command("ZADD", EDGE_UNTIL, str(FAR_MS), "a")
    assert ["home", "a"] == await reader.read()
    await asyncio.sleep(0.35)
    assert ["home"] == await reader.read()


async def test_a_score_that_is_no_time(server: Valkey, store: RedisStore) -> None:
    """A registration that expires later than any may is none, crowds out no other, and is removed;
    so is one with an id that is too long."""
    names = [f"f{at}" for at in range(register.MAX_REGISTERED)]
    server.command("ZADD", EDGE_UNTIL, *(word for n in names for word in (str(YEAR_5138_MS), n)))
    server.command("ZADD", EDGE_UNTIL, "inf", "a", "1e300", "b", str(FAR_MS), "x" * 10_000_000)
    server.command("HSET", EDGE_FACTS, *(word for name in "abc" for word in (name, entry(name))))
    server.command("ZADD", EDGE_UNTIL, str(FAR_MS), "c")
    reader = Reader(store)
    with capture_logs() as logs:
        for _ in range(3):
            assert ["home", "c"] == await reader.read()
    assert ["store_garbage"] == [one["event"] for one in logs if one["log_level"] == "warning"]
    assert [b"c"] == server.command("ZRANGE", EDGE_UNTIL, "0", "-1")
    assert [b"c"] == server.command("HKEYS", EDGE_FACTS)


@pytest.mark.parametrize(
    ("key", "expected"),
    [(EDGE_DRAINS, ["home", "a"]), (EDGE_FACTS, ["home"]), (EDGE_UNTIL, ["home"])],
    ids=["drains", "facts", "until"],
)
async def test_one_key_of_another_kind(
    server: Valkey, store: RedisStore, key: bytes, expected: list[str]
) -> None:
    """A key of another Redis type loses its own entries and nothing else."""
    await register.register(store, "a", entry("a"), 6.0)
    await register.drain(store, ["home"], "")
    server.command("SET", key, "text")
    reader = Reader(store)
    assert expected == await reader.read()
    assert ("up" if key == EDGE_DRAINS else "draining") == reader.state("home")
    assert 0 == server.command("EXISTS", key), "it makes room for one of ours"


async def test_keys_of_another_kind(server: Valkey, store: RedisStore) -> None:
    """They are read as empty, and the next registration or drain replaces them."""
    for key in (EDGE_FACTS, EDGE_UNTIL, EDGE_DRAINS):
        server.command("SET", key, "text")
    reader = Reader(store)
    assert ["home"] == await reader.read()
    await register.register(store, "a", entry("a"), 6.0)
    await register.drain(store, ["a"], "why not")
    assert ["home", "a"] == await reader.read()
    assert "draining" == reader.state("a")


async def test_turned_off(store: RedisStore) -> None:
    """Without ``registry.enabled`` registrations are ignored, and drains still apply."""
    await register.register(store, "a", entry("a"), 6.0)
    await register.drain(store, ["home"], "maintenance")
    reader = Reader(store, enabled=False)
    assert ["home"] == await reader.read()
    assert "draining" == reader.state("home")


async def test_an_id_of_the_config_is_taken(store: RedisStore) -> None:
    """The config's edge wins; logged once."""
    await register.register(store, "home", entry("home", weight=1), 6.0)
    reader = Reader(store)
    with capture_logs() as logs:
        for _ in range(3):
            await register.register(store, "other", entry("other"), 6.0)
            assert ["home", "other"] == await reader.read()
    assert 100 == reader.keeper.fleet.edges[0].weight
    assert 1 == sum(line["event"] == "edge_id_taken" for line in logs)


async def test_drains_are_taken_back(server: Valkey, store: RedisStore) -> None:
    """Drains end by command; their reason may have any characters."""
    reader = Reader(store)
    await register.drain(store, ["home"], 'kernel "5.10"\n\x1b[31mé')
    await reader.read()
    condition = reader.keeper.fleet.condition("home")
    assert condition is not None
    assert ("draining", 0.0, 'kernel "5.10"[31mé') == (
        condition.state,
        condition.admits,
        condition.why,
    )
    assert condition.since_s is not None
    await register.undrain(store, ["home"])
    await reader.read()
    assert "up" == reader.state("home")


DRAIN_GARBAGE = [
    *(b"", b"{", b"[]", b"1", b'{"drained": 1, "why": "", "since_s": 1}', b"[" * 9000),
    b'{"drained": true, "why": "", "since_s": %d}' % (YEAR_5138_MS // 1000),
    b'{"drained": true, "why": "", "since_s": -1}',
    b'{"drained": true, "why": "", "since_s": 1%s}' % (b"0" * 400),
    b'{"drained": true, "why": "\\ud800", "since_s": 1}',
    b'{"drained": true, "why": "%s", "since_s": 1}' % (b"x" * 10_000_000),
]


@pytest.mark.parametrize("entry", DRAIN_GARBAGE, ids=[repr(each[:20]) for each in DRAIN_GARBAGE])
async def test_garbage_drains_nothing(server: Valkey, store: RedisStore, entry: bytes) -> None:
    """It is ignored, logged once, and removed; a drain that it has overwritten comes back."""
    reader = Reader(store)
    await register.drain(store, ["other"], "")
    await reader.read()
    known = server.command("HGET", EDGE_DRAINS, "other")
    server.command("HSET", EDGE_DRAINS, "home", entry, "other", entry)
    with capture_logs() as logs:
        await reader.read()
        assert [b"other"] == server.command("HKEYS", EDGE_DRAINS)
        assert known == server.command("HGET", EDGE_DRAINS, "other")
        await reader.read()
    assert "up" == reader.state("home")
    warned = [one["event"] for one in logs if one["event"] != "drains_restored"]
    assert warned in (["registry_garbage"] * 2, ["store_garbage"])


async def test_a_hash_that_is_no_register(server: Valkey, store: RedisStore) -> None:
    """Very many entries are not ours: they go, and the known drains are written back."""
    reader = Reader(store)
    await register.drain(store, ["home"], "")
    await reader.read()
    for start in range(0, 100_001, 10_000):
        names = (word for at in range(start, start + 10_000) for word in (f"x{at}", "{}"))
        server.command("HSET", EDGE_DRAINS, *names)
    for _ in range(2):
        await reader.read()
        assert "draining" == reader.state("home")
    assert [b"home"] == server.command("HKEYS", EDGE_DRAINS)


async def test_lost_drains_are_written_back(server: Valkey, store: RedisStore) -> None:
    """Gateways write drains back to an emptied Redis; an ended drain stays ended, also for a
    gateway that still has it."""
    first, second = Reader(store), Reader(store)
    await register.drain(store, ["home", "x"], "")
    await first.read()
    await second.read()
    server.command("FLUSHALL")
    await first.read()
    assert "draining" == first.state("home")
    assert 2 == server.command("HLEN", EDGE_DRAINS)
    await register.undrain(store, ["home"])
    for reader in (first, second):
        await reader.read()
        assert "up" == reader.state("home")


async def test_too_many_drains_change_nothing(server: Valkey, store: RedisStore) -> None:
    """The last known drains stay."""
    reader = Reader(store)
    await register.drain(store, ["home"], "")
    await reader.read()
    await register.undrain(store, ["home"])
    entry = json.dumps({"drained": True, "why": "", "since_s": 1})
    words = [word for at in range(register.MAX_DRAINS) for word in (f"e{at}", entry)]
    server.command("HSET", EDGE_DRAINS, *words)
    await reader.read()
    assert "draining" == reader.state("home")


async def test_many_edges_are_bounded(server: Valkey, store: RedisStore) -> None:
    """At most a thousand registrations are read."""
    for start in range(0, 1100, 100):
        names = [f"e{at}" for at in range(start, start + 100)]
        server.command("HSET", EDGE_FACTS, *(word for n in names for word in (n, entry(n))))
        server.command("ZADD", EDGE_UNTIL, *(word for n in names for word in (str(FAR_MS), n)))
    assert 1 + register.MAX_REGISTERED == len(await Reader(store).read())


TROUBLES: list[tuple[str, Callable[[Valkey], object], Callable[[Valkey], object]]] = [
    ("gone", lambda server: server.kill(), lambda server: server.start()),
    ("frozen", lambda server: server.freeze(), lambda server: server.thaw()),
]


@pytest.mark.parametrize(
    ("harm", "mend"), [row[1:] for row in TROUBLES], ids=[row[0] for row in TROUBLES]
)
async def test_what_was_known_stays_without_redis(
    tmp_path: Path, harm: Callable[[Valkey], object], mend: Callable[[Valkey], object]
) -> None:
    """Registrations do not expire while Redis cannot be read, nor the moment it is back."""
    with valkey(tmp_path) as server:
        store = RedisStore(server.url, timeout_s=0.2)
        await store.start()
        reader = Reader(store)
        await register.register(store, "a", entry("a", 1.0, ""), 1.0)
        await register.drain(store, ["home"], "")
        assert ["home", "a"] == await reader.read()
        harm(server)
        for _ in range(6):
            assert ["home", "a"] == await reader.read()
            await asyncio.sleep(0.25)
        mend(server)
        await until(lambda: store.state == "up")
        assert ["home", "a"] == await reader.read()
        assert "draining" == reader.state("home")
        await asyncio.sleep(1.05)
        assert ["home"] == await reader.read()
        await store.close()


async def test_a_replica_can_be_read(tmp_path: Path) -> None:
    """Reading writes nothing: it works where writes are refused."""
    with valkey(tmp_path) as server:
        store = RedisStore(server.url, timeout_s=1.0)
        await store.start()
        await register.register(store, "a", entry("a"), 6.0)
        await register.drain(store, ["home"], "")
        reader = Reader(store)
        server.command("REPLICAOF", "127.0.0.1", "1")
        assert ["home", "a"] == await reader.read()
        assert "draining" == reader.state("home")
        await store.close()
