"""Every key in Redis is filled with hostile values while players ask, and everything heals."""

import asyncio
import contextlib
import inspect
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import ResponseError
from structlog.testing import capture_logs

from gateway.app import Application, build
from gateway.config.load import load
from gateway.observe import tasks
from gateway.store import garbage
from gateway.store.connection import keys
from gateway.store.coordination import register
from gateway.store.coordination.acknowledgements import acknowledge, acknowledged
from gateway.store.coordination.bus import TOPICS, Gap
from gateway.store.coordination.presence import live_workers
from gateway.store.events.event import VERSION
from tests.integration.announcing import ACCEPTING, entry
from tests.integration.in_process import OPERATORS, asking
from tests.integration.origins import Origin
from tests.unit.store.servers import Valkey, until, valkey

CONFIG = """
[source]
kind = "origin"
url = "{server}origin/"
[events]
enabled = true
flush_interval_ms = 20
[health]
path = "master.m3u8"
[[edges]]
id = "one"
url = "{server}one/"
capacity_mbps = 1000
[[edges]]
id = "two"
url = "{server}two/"
capacity_mbps = 1000
[[edges]]
id = "drained"
url = "{server}drained/"
"""

YEAR_5138 = b"100000000000"
HUGE_NUMBER = b"1" + b"0" * 400
TEXTS: dict[str, bytes] = {
    "empty": b"",
    "a letter": b"x",
    "every byte": bytes(range(256)),
    "a huge number": HUGE_NUMBER,
    "a negative number": b"-1",
    "nan": b"nan",
    "infinity": b"inf",
    "beyond an integer": b"1e300",
    "a fraction": b"1.5",
    "the year 5138": YEAR_5138,
    "null": b"null",
    "an empty list": b"[]",
    "an empty object": b"{}",
    "NaN": b'[NaN, {"since_s": NaN, "drained": true, "why": ""}]',
    "deep lists": b"[" * 3000,
    "deep objects": b'{"a":' * 800,
    "half a character": b'{"v": 1, "kind": "edges-changed", "what": "\\ud800", "edge": "\\udfff"}',
    "UTF-16": '{"v": 1}'.encode("utf-16"),
    "a registration": b'{"edge":{},"ttl_ms":' + HUGE_NUMBER + b"}",
    "a drain": b'{"drained":true,"why":"","since_s":' + YEAR_5138 + b"}",
    "a purge": b'{"v":1,"kind":"purge","prefix":"","token":"' + b"f" * 3000 + b'"}',
    "a lease": HUGE_NUMBER + b" a one",
    "10 MB": b"9" * 10_000_000,
    "10 MB of JSON": b"[" + b"1," * 5_000_000 + b"1]",
}
SCORES = ("inf", "-inf", "1e300", "1e14", YEAR_5138.decode(), "0", "-1", "1.5")
STREAM_IDS = ("*", "99999999999999-0", "18446744073709551615-18446744073709551614")
LARGE_BYTES = 1_000_000
"""Of larger values there is one for each key."""

FIXED_KEYS = {
    name: value
    for name, value in vars(keys).items()
    if isinstance(value, bytes) and value.startswith(keys.PREFIX) and name != "PREFIX"
}
MADE_KEYS: dict[str, Sequence[bytes]] = {
    "decision_key": (),  # those that requests have made
    "session_key": (keys.session_key("s1"), keys.session_key("s2")),
    "source_key": (),
    "rate_key": (),  # tests/unit/play/test_rate_limits.py has garbage under one
    "subject_key": (keys.subject_key(keys.session_name("viewer")),),
    "counted_session_key": (keys.counted_session_key(keys.session_name("s1")),),
    "event_writer_key": (),
    "audit_writer_key": (),  # tests/integration/test_operator_actions.py has garbage in the log
    "audit_once_key": (),
    "nonce_key": (),
    "prior_window_key": (),
    "bus_log": tuple(map(keys.bus_log, TOPICS)),
    "bus_channel": tuple(map(keys.bus_channel, TOPICS)),
}
NAMES = {"session_name", "shown_session"}
"""They make no keys."""


def test_every_key_is_known_here() -> None:
    """A new kind of key needs a place in these tests."""
    makers = {
        name
        for name, value in inspect.getmembers(keys, inspect.isfunction)
        if value.__module__ == keys.__name__ and not name.startswith("_")
    }
    assert MADE_KEYS.keys() == makers - NAMES


def replace(redis: Any, key: bytes, kind: str, text: bytes) -> None:
    """Put a value of another type in the place of ``key``."""
    redis.delete(key)
    words: dict[str, Sequence[bytes | str]] = {
        "SET": (text,),
        "RPUSH": (text, text),
        "SADD": (text,),
        "HSET": (text, text, "one", text, "n", text, "g", text),
        "ZADD": [word for score in SCORES for word in (score, text + score.encode())],
    }
    if len(text) > LARGE_BYTES:
        words |= {"RPUSH": (text,), "HSET": ("one", text), "ZADD": ("1", text)}
    if kind == "XADD":
        for at in STREAM_IDS:
            redis.execute_command("XADD", key, at, "m", text)
        return
    redis.execute_command(kind, key, *words[kind])


def spoil(redis: Any, key: bytes, text: bytes) -> None:
    """Put ``text`` wherever a value of the right type has room for it."""
    match redis.type(key):
        case b"hash":
            for name in itertools.islice(redis.hkeys(key), 20 if len(text) <= LARGE_BYTES else 1):
                redis.hset(key, name, text)
            redis.hset(key, text[:LARGE_BYTES], "x")
        case b"zset" if len(text) > LARGE_BYTES:
            redis.execute_command("ZADD", key, "1", text)
        case b"zset":
            for score in SCORES:
                redis.execute_command("ZADD", key, score, text + score.encode())
            for member in redis.zrange(key, 0, 20):
                redis.execute_command("ZADD", key, YEAR_5138 + b"000", member)
        case b"stream":
            redis.execute_command("XADD", key, "*", "m", text)
            redis.execute_command("XADD", key, "*", "v", "1", "event", text[:LARGE_BYTES])
        case b"set":
            redis.sadd(key, text)
        case b"list":
            redis.lset(key, 0, text)
            redis.lpush(key, text)
        case _:
            redis.set(key, text)


class Players:
    """Players who ask, and what they must get."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._count = itertools.count()
        self.answers = 0

    async def ask(self) -> None:
        """A title for known and new sessions, a title nobody has asked for, and a batch."""
        number = next(self._count)
        paths = [f"a{number % 3}.m3u8?session=s{at}" for at in (1, 2, number)] + [f"n{number}.m3u8"]
        found = await asyncio.gather(*(self._client.get(f"/v1/play/{path}") for path in paths))
        for answer in found:
            assert 200 == answer.status_code, answer.text[:500]
            assert "#EXT-X-STREAM-INF" in answer.text
            assert "/drained/" not in answer.text, "it takes no new sessions"
        self.answers += len(found)


class Attack:
    """A running gateway, and everything that Redis holds for it."""

    def __init__(self, app: Application, server: Valkey, client: httpx.AsyncClient) -> None:
        self.app = app
        self.server = server
        self.client = client
        self.players = Players(client)
        store = app._control_store.redis
        assert store is not None
        self.store = store

    def keys(self) -> list[bytes]:
        """Every key that a gateway may read: those that exist, and those that may."""
        found = set(FIXED_KEYS.values()).union(*MADE_KEYS.values())
        found -= {
            *map(keys.bus_channel, TOPICS),
            keys.ACKNOWLEDGED,
            keys.SESSION_EVENTS,
            keys.COUNTED,
        }
        with self.server.client() as redis:
            for kind in (b"d:*", b"s:*", b"o:*", b"{events}:*", b"{priors}:*"):
                found |= set(sorted(redis.keys(keys.PREFIX + kind))[:4])
        return sorted(found)

    async def everywhere(self, harm: Callable[[Any, bytes], None]) -> None:
        """Do the same to every key, and to every channel."""

        def do() -> None:
            with self.server.client() as redis:
                for key in self.keys():
                    with contextlib.suppress(ResponseError):  # another id of a stream was newer
                        harm(redis, key)

        await asyncio.to_thread(do)

    async def publish(self, text: bytes) -> None:
        """Announce garbage on each channel."""

        def do() -> None:
            with self.server.client() as redis:
                for topic in TOPICS:
                    redis.publish(keys.bus_channel(topic), text)

        await asyncio.to_thread(do)

    async def register(self) -> None:
        """What an edge does about every two seconds."""
        url = self.app.gateway.runtime.settings.edges[0].url + "mine/"
        await register.register(self.store, "mine", entry("mine", 3600.0, url=url), 3600.0)

    async def settle(self) -> None:
        """Wait until the tasks that read Redis have seen what is there now; none of them fails."""
        await self.app._register.read(self.store)
        await self.app.gateway.leases.look()
        await self.app.gateway.presence._beat(self.store)
        await self.app._health._round()
        await self.app.gateway.bus._read_all()  # type: ignore[attr-defined]
        assert {} == tasks.failing()

    async def healthy(self) -> None:
        """Everything works: state, workers, edges, drains, leases, messages, events, sharing."""
        gateway = self.app.gateway
        await self.register()
        await until(lambda: "up" == gateway.store.state)
        await until(lambda: gateway.fleet.condition("mine") is not None)
        await until(lambda: "draining" == state(gateway.fleet, "drained"))
        await until(lambda: {"up"} == {state(gateway.fleet, each) for each in ("one", "two")})
        await until(lambda: 1 == gateway.presence.count())
        await until(lambda: "prober" == self.app._health.role)
        await self.eventually(self.lives)
        await until(lambda: 1 == self.server.command("HEXISTS", keys.EDGE_DRAINS, "drained"))
        await self.eventually(self.leases)
        subscription = gateway.bus.subscribe("edges")
        assert await gateway.bus.publish("edges", b"hello")
        while isinstance(event := await asyncio.wait_for(anext(subscription), 30), Gap) or (
            event.body != b"hello"  # the gateway's own messages
        ):
            pass
        subscription.close()
        token = f"{time.monotonic_ns():x}"
        await acknowledge(self.store, token, "w")
        assert {"w"} == await acknowledged(self.store, token)
        await self.players.ask()
        await until(lambda: self._events() > 0)
        await self.eventually(self.tells)
        checks = (await self.client.get(f"{OPERATORS}/readyz")).json()
        assert "ready" == checks["status"], checks

    async def lives(self) -> bool:
        """Whether this worker is known to all, and no other one."""
        found = await live_workers(self.store)
        return [self.app.gateway.presence.id] == [worker.id for worker in found]

    async def leases(self) -> bool:
        """Whether Redis has the leases; it takes a while until each worker has written its own."""
        return not (await self.app.gateway.leases.look()).alone

    async def tells(self) -> bool:
        """Whether operators can read what happened to a session, and that there is one."""
        one = await self.client.get(f"{OPERATORS}/v1/sessions/s1")
        listed = await self.client.get(f"{OPERATORS}/v1/sessions")
        assert 200 == listed.status_code, listed.text
        return one.status_code == 200 and bool(
            one.json()["decisions"] and listed.json()["sessions"]
        )

    async def eventually(self, check: Callable[[], Awaitable[bool]]) -> None:
        """Wait until the check succeeds."""
        for _ in range(300):
            if await check():
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"still not so: {check}")

    def _events(self) -> int:
        """How many events of this gateway the stream has."""
        with self.server.client() as redis:
            return sum(fields.get(b"v") == VERSION for _, fields in redis.xrange(keys.EVENTS))


def state(fleet: Any, edge_id: str) -> str | None:
    """The state of an edge."""
    condition = fleet.condition(edge_id)
    return None if condition is None else condition.state


@contextlib.asynccontextmanager
async def attacked(tmp_path: Path) -> AsyncIterator[Attack]:
    """A gateway that works, on a Redis of its own."""
    config = tmp_path / "gateway.toml"
    with valkey(tmp_path) as server:
        async with Origin().listening() as it:
            config.write_text(CONFIG.replace("{server}", it.url))
            environ = {
                **ACCEPTING,
                "GATEWAY_STORE__URL": server.url,
                "GATEWAY_STORE__TIMEOUT_MS": "2000",
            }
            app = build(load(config, environ))
            async with app.lifespan(app), asking(app) as client:
                attack = Attack(app, server, client)
                await register.drain(attack.store, ["drained"], "new disks")
                await attack.healthy()
                yield attack


KINDS = ("SET", "RPUSH", "SADD", "HSET", "ZADD", "XADD")


def kind_for(number: int) -> str:
    """One of the types for each text, in turn: what the text is hardly matters under a key of a
    wrong type."""
    return KINDS[number % len(KINDS)]


async def test_hostile_values_stop_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the right place or under a key of any type, each value is passed over: players are served,
    no task fails, a drain stays, and nobody has to clean up."""
    monkeypatch.setattr(garbage, "QUIET_S", float("inf"))
    garbage._logged.clear()
    with capture_logs() as logs:
        async with attacked(tmp_path) as attack:
            for number, text in enumerate(TEXTS.values()):
                kind = kind_for(number) if len(text) <= LARGE_BYTES else KINDS[0]
                for harm in (partial(spoil, text=text), partial(replace, kind=kind, text=text)):
                    await attack.everywhere(harm)
                    await attack.publish(text)
                    await attack.players.ask()
                    await attack.settle()
                await attack.register()
            await attack.healthy()
            attack.server.command("FLUSHALL")
            await attack.healthy()
            assert attack.players.answers > 4 * 2 * len(TEXTS)
    events = Counter((line["event"], line.get("kind", "")) for line in logs)
    assert not [line for line in logs if line["event"] == "background_task_failed"]
    assert {1} == {count for (event, _), count in events.items() if event == "store_garbage"}
