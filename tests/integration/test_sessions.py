"""``/v1/sessions``: what operators can read of a session, from any gateway on the same store."""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.app import Application
from gateway.store.connection.connect import connect
from gateway.store.connection.keys import (
    SESSION_EVENTS,
    SESSION_INDEX,
    session_name,
    shown_session,
)
from gateway.store.connection.protocol import Commands
from gateway.store.events.log import Cursor, EventLog, LogBounds, Numbered
from gateway.store.events.memory_log import MemoryEventLog
from gateway.store.events.redis_log import RedisEventLog
from tests.integration.commands import gateway
from tests.integration.in_process import OPERATORS, application, asking
from tests.integration.running import running_gateway
from tests.integration.test_events import frozen, gone, on
from tests.integration.test_pathway_events import DOWN, NORWAY, Player, clock
from tests.integration.test_steering import EDGES
from tests.unit.store.servers import Proxy, Valkey, listening, until, valkey
from tests.unit.store.test_event import EVENT, PATHWAY

PATH = f"{OPERATORS}/v1/sessions"
BOUNDS = LogBounds(1000, session_events=3, expire_s=60, max_sessions=5)


def hash_of(session: str) -> str:
    """The hash by which operators know a session."""
    return shown_session(session_name(session))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "g.toml"
    path.write_text(EDGES.partition('[[edges]]\nid = "other"')[0])
    return path


def kept(server: Valkey, **keys: str) -> dict[str, str]:
    """The environment of a gateway that writes events of sessions, and no stream."""
    environ = on(server)
    del environ["GATEWAY_EVENTS__ENABLED"]
    return {**environ, **{f"GATEWAY_SESSIONS__{key.upper()}": keys[key] for key in keys}}


class Two:
    """Two gateways on one store, and their clients."""

    def __init__(self, apps: list[Application], clients: list[httpx.AsyncClient]) -> None:
        self.apps = apps
        self.one, self.other = clients


@pytest.fixture
async def two(config: Path, server: Valkey) -> AsyncIterator[Two]:
    async with AsyncExitStack() as stack:
        apps = [application(config, kept(server)) for _ in range(2)]
        for app in apps:
            await stack.enter_async_context(app.lifespan(app))
        clients = [await stack.enter_async_context(asking(app)) for app in apps]
        yield Two(apps, clients)


async def story(client: httpx.AsyncClient, session: str, count: int) -> dict[str, Any]:
    """What is kept of a session, once it has so many events."""
    found: dict[str, Any] = {}

    async def complete() -> bool:
        answer = await client.get(f"{PATH}/{session}")
        if answer.status_code == 200:
            found.update(answer.json())
        return bool(found) and len(found["decisions"]) + len(found["pathways"]) == count

    deadline = time.monotonic() + 10
    while not await complete():
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.01)
    return found


async def test_a_story_that_two_gateways_wrote(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """It plays at one gateway, is steered by both, and either tells all of it."""
    player = Player(two.one, "?session=abc&speed=4000")
    await player.start()
    (first,) = player.told
    await player.ask()
    for app in two.apps:
        app.keeper.judged("test", {first: DOWN})
    player.client = two.other
    second = (await player.ask(first))[0]
    await asyncio.sleep(0.002)  # two gateways' events of one millisecond have no order
    clock(monkeypatch, 40)
    player.client = two.one
    await player.ask(second)
    found = await story(two.other, "abc", 4)
    assert found == {**await story(two.one, "abc", 4), "estimate": found["estimate"]}
    assert ("session", "estimate", "samples", "playback", "decisions", "pathways") == tuple(found)
    assert hash_of("abc") == found["session"]
    (decision,) = found["decisions"]
    assert ("film", first, 4000, "query", "NO") == tuple(
        decision[name] for name in ("asset", "edge", "speed", "speed_source", "country")
    )
    told = [
        (each["edge"], each["reason"], each["moved"], each["playing"], each["obeyed"])
        for each in found["pathways"]
    ]
    assert told == [
        (first, "fine", False, None, None),
        (second, "down", True, first, True),
        (second, "fine", False, second, True),
    ]
    (sample,) = found["samples"]
    assert ("query", 4000) == (sample["source"], sample["speed_kbps"])
    estimate = found["estimate"]
    assert (4000, "query") == (estimate["speed_kbps"], estimate["source"])
    assert 0 < estimate["confidence"] <= 1
    assert estimate["age_s"] < 60


async def test_the_id_and_the_hash_both_find_it(two: Two) -> None:
    """So does an id that looks like a hash, and one that needs escapes."""
    odd = "a/b?&%é日"
    like_a_hash = hash_of("abc")
    for session in ("abc", like_a_hash, odd):
        await two.one.get("/v1/play/film.m3u8", params={"session": session}, headers=NORWAY)
    by_id = await story(two.one, "abc", 1)
    assert by_id == {**await story(two.one, hash_of(like_a_hash), 1), **by_id}
    assert hash_of(like_a_hash) == (await story(two.one, like_a_hash, 1))["session"]
    escaped = "a%2Fb%3F%26%25%C3%A9%E6%97%A5"
    assert hash_of(odd) == (await story(two.one, escaped, 1))["session"]


async def test_unknown_sessions_and_fields(two: Two) -> None:
    await two.one.get("/v1/play/film.m3u8?session=abc", headers=NORWAY)
    await story(two.one, "abc", 1)
    for session in ("nobody", "0" * 16, "%ff", "x" * 900):
        answer = await two.one.get(f"{PATH}/{session}")
        assert (404, "urn:problem:streaming-gateway:no-such-session") == (
            *(answer.status_code, answer.json()["type"]),
        )
    chosen = (await two.one.get(f"{PATH}/abc?fields=session,samples")).json()
    assert ["session", "samples"] == list(chosen)
    refused = await two.one.get(f"{PATH}/abc?fields=address")
    assert (400, "fields") == (refused.status_code, refused.json()["parameter"])
    assert 404 == (await two.one.get("/v1/sessions/abc")).status_code
    assert 405 == (await two.one.post(f"{PATH}/abc")).status_code


async def test_a_session_of_which_only_the_speed_is_known(two: Two) -> None:
    """Its record outlives its events."""
    await two.one.get("/v1/play/film?session=abc&speed=900", headers=NORWAY)
    found = await story(two.one, "abc", 0)
    assert ([], [], 900) == (
        *(found["decisions"], found["pathways"], found["estimate"]["speed_kbps"]),
    )


async def test_operators_wait_longer_for_the_store_than_players(
    config: Path, server: Valkey
) -> None:
    """All of a session is read with the deadline of operators' work, its record too."""
    slow = Proxy(server.path)
    async with listening(slow.serve) as port:
        environ = {
            **kept(server),
            "GATEWAY_STORE__URL": f"redis://127.0.0.1:{port}",
            "GATEWAY_STORE__TIMEOUT_MS": "50",
        }
        app = application(config, environ)
        async with app.lifespan(app), asking(app) as client:
            await client.get("/v1/play/film?session=abc&speed=900", headers=NORWAY)
            await story(client, "abc", 0)
            slow.delay_s = 0.1
            found = await client.get(f"{PATH}/abc")
    assert (200, 900) == (found.status_code, found.json()["estimate"]["speed_kbps"])


async def test_nothing_of_a_person_is_stored(two: Two, server: Valkey) -> None:
    """No address, no id of the session, no User-Agent."""
    player = Player(two.one, "?session=my-session-4711")
    player.headers["User-Agent"] = "Mozilla/5.0 (Linux; Android 14; SM-S918B) Chrome/131.0.0.0"
    await player.start()
    await player.ask()
    await story(two.one, "my-session-4711", 2)
    with server.client() as redis:
        stored = b"".join(redis.dump(key) or b"" for key in redis.keys("*{events}*"))
        entries = redis.lrange(SESSION_EVENTS + hash_of("my-session-4711").encode(), 0, -1)
    text = repr((stored, entries))
    assert "eu" in text or "e1" in text
    for secret in ("129.240", "my-session-4711", "SM-S918B", "Mozilla"):
        assert secret not in text


async def test_a_page_after_the_other(two: Two) -> None:
    """Every session once, the last one first."""
    names = [f"s{number}" for number in range(7)]
    for name in names:
        await two.one.get(f"/v1/play/film.m3u8?session={name}", headers=NORWAY)
        await story(two.one, name, 1)
    seen: list[str] = []
    cursor: str | None = ""
    pages = 0
    while cursor is not None:
        query = f"?limit=3{cursor and f'&cursor={cursor}'}"
        page = (await two.other.get(f"{PATH}{query}")).json()
        seen += [each["session"] for each in page["sessions"]]
        cursor, pages = page["next"], pages + 1
    assert [hash_of(name) for name in reversed(names)] == seen
    assert 3 == pages
    (last, *_) = (await two.other.get(PATH)).json()["sessions"]
    assert ("film", "NO", "decision", 1) == (
        *(last["asset"], last["country"], last["kind"], last["events"]),
    )
    one = (await two.other.get(f"{PATH}?limit=1&fields=session,edge")).json()
    assert ["session", "edge"] == list(one["sessions"][0])


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        *((f"limit={text}", "limit") for text in ("0", "201", "-1", "x", "", "1e2", "٣")),
        *((f"cursor={text}", "cursor") for text in ("", "x", "1", "1-2", f"{'9' * 17}-{'0' * 16}")),
        ("fields=samples", "fields"),
    ],
)
async def test_malformed_parameters_of_the_list(two: Two, query: str, parameter: str) -> None:
    answer = await two.one.get(f"{PATH}?{query}")
    assert (400, parameter) == (answer.status_code, answer.json()["parameter"])


def test_workers_of_two_gateways_tell_one_story(server: Valkey) -> None:
    """Over real sockets, each asked by its own listener; a stop writes what is left."""
    environ = kept(server)
    with running_gateway(None, "--workers", "2", environ=environ) as other:
        with running_gateway(None, environ={**environ, **SLOW}) as one:
            for number in range(3):
                url = f"{one.url}/v1/play/film{number}.m3u8?session=a%2Fb"
                assert 200 == httpx.get(url, headers=NORWAY, timeout=30).status_code
            one.signal(signal.SIGTERM)
            assert 0 == one.process.wait(20)
        for _ in range(6):
            found = httpx.get(f"{other.admin_url}/v1/sessions/a/b", timeout=30).json()
            assert ["film0", "film1", "film2"] == [each["asset"] for each in found["decisions"]]
        page = httpx.get(f"{other.admin_url}/v1/sessions", timeout=30).json()
        assert [hash_of("a/b")] == [each["session"] for each in page["sessions"]]


SLOW = {"GATEWAY_EVENTS__FLUSH_INTERVAL_MS": "60000"}
"""Events wait for others until the gateway stops."""


@pytest.mark.parametrize("store", ["memory", "embedded"])
async def test_without_a_redis_of_its_own(config: Path, store: str) -> None:
    """The memory of one process, and a server that comes and goes with the gateway."""
    app = application(config, {"GATEWAY_STORE__URL": store})
    async with app.lifespan(app), asking(app) as client:
        player = Player(client, "?session=abc")
        await player.start()
        await player.ask()
        found = await story(client, "abc", 2)
        assert [1, 1] == [len(found["decisions"]), len(found["pathways"])]
        page = (await client.get(PATH)).json()
        assert ([hash_of("abc")], None) == (
            [each["session"] for each in page["sessions"]],
            page["next"],
        )
        assert 404 == (await client.get(f"{PATH}/nobody")).status_code


async def test_off_keeps_nothing(config: Path, server: Valkey) -> None:
    """The answers say which key has it off."""
    app = application(config, kept(server, enabled="false"))
    async with app.lifespan(app), asking(app) as client:
        await client.get("/v1/play/film.m3u8?session=abc", headers=NORWAY)
        for path in (PATH, f"{PATH}/abc"):
            answer = await client.get(path)
            assert (404, True) == (
                answer.status_code,
                answer.json()["detail"].startswith("sessions.enabled is false"),
            )
    assert 0 == server.command("EXISTS", SESSION_INDEX)


@pytest.mark.parametrize("trouble", [frozen, gone])
async def test_a_store_that_does_not_answer(
    config: Path, tmp_path: Path, trouble: Callable[[Valkey], Callable[[], object]]
) -> None:
    """503 that says so, within the deadline; afterwards it is well again."""
    folder = tmp_path / "valkey"
    folder.mkdir()
    with valkey(folder) as server:
        app = application(config, kept(server))
        async with app.lifespan(app), asking(app) as client:
            heal = trouble(server)
            try:
                for path in (PATH, f"{PATH}/abc"):
                    began = time.monotonic()
                    answer = await client.get(path)
                    assert 503 == answer.status_code
                    assert time.monotonic() - began < 5
                    assert (
                        "urn:problem:streaming-gateway:store-unavailable" == (answer.json()["type"])
                    )
                    assert "the store" in answer.json()["detail"]
            finally:
                heal()

            async def well() -> bool:
                return (await client.get(PATH)).status_code == 200

            deadline = time.monotonic() + 10
            while not await well():
                assert time.monotonic() < deadline
                await asyncio.sleep(0.01)


# ── the log itself ──────────────────────────────────────────────────────────────────────────────


@pytest.fixture(params=["memory", "redis"])
async def log(request: pytest.FixtureRequest, server: Valkey) -> AsyncIterator[EventLog]:
    """Each kind of log."""
    if request.param == "memory":
        yield MemoryEventLog()
        return
    async with redis_log(server) as (found, _):
        yield found


class redis_log:  # noqa: N801  # reads as a function
    """A log on a server, and its connection."""

    def __init__(self, server: Valkey) -> None:
        self._server = server

    async def __aenter__(self) -> tuple[RedisEventLog, Commands]:
        self._store = connect(self._server.url, timeout_ms=1000)
        await self._store.start()
        await until(lambda: self._store.state == "up")  # a busy machine connects later
        redis = self._store.redis
        assert redis is not None
        return RedisEventLog(redis, redis), redis

    async def __aexit__(self, *_: object) -> None:
        await self._store.close()


class Writer:
    """Writes events of sessions, one batch for each call."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._number = 0

    async def write(self, *sessions: str, bounds: LogBounds = BOUNDS) -> None:
        """One decision for each session."""
        batch = []
        for session in sessions:
            self._number += 1
            data = EVENT.to_bytes().replace(b"1700000000123", b"%d" % self._number)
            batch.append(Numbered(self._number, None, "decision", data, session_name(session)))
        await self._log.append("w", batch, bounds)


async def times(log: EventLog, session: str) -> list[int]:
    """The times of the events of a session."""
    found = await log.events_of(hash_of(session), BOUNDS)
    return [] if found is None else [event.time for event in found.events]


async def listed(log: EventLog, limit: int = 100) -> list[str]:
    """All sessions of the list, page after page."""
    seen: list[str] = []
    after: Cursor | None = None
    while True:
        page = await log.sessions(after, limit, BOUNDS)
        seen += [each.session for each in page.sessions]
        after = page.next
        if after is None:
            return seen


async def test_the_last_events_stay(log: EventLog) -> None:
    """In order, the oldest removed, each session for itself."""
    writer = Writer(log)
    await writer.write("a", "b", "a")
    await writer.write("a", "a")
    assert [3, 4, 5] == await times(log, "a")
    assert [2] == await times(log, "b")
    assert [] == await times(log, "c")
    assert [("a", 3), ("b", 1)] == [
        ("a" if each.session == hash_of("a") else "b", each.events)
        for each in (await log.sessions(None, 10, BOUNDS)).sessions
    ]


async def test_the_last_sessions_stay(log: EventLog) -> None:
    """An event makes a session the newest; those beyond the bound lose all."""
    writer = Writer(log)
    for name in "abcde":
        await writer.write(name)
    await writer.write("a")
    await writer.write("f", "g")
    assert [hash_of(name) for name in "gfaed"] == await listed(log)
    assert [[1, 6], [], []] == [await times(log, name) for name in "abc"]


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
async def test_sessions_of_one_batch_are_paged(log: EventLog, limit: int) -> None:
    """However close in time they are."""
    await Writer(log).write(*"abcde")
    assert [hash_of(name) for name in "edcba"] == await listed(log, limit)


async def test_both_kinds_are_kept(log: EventLog) -> None:
    batch = [
        Numbered(1, None, "decision", EVENT.to_bytes(), session_name("a")),
        Numbered(2, None, "pathway", PATHWAY.to_bytes(), session_name("a")),
    ]
    await log.append("w", batch, BOUNDS)
    found = await log.events_of(hash_of("a"), BOUNDS)
    assert found is not None
    assert (session_name("a"), (EVENT, PATHWAY)) == found


async def test_memory_expires() -> None:
    """After the last event of each session."""
    now = 1000.0
    log = MemoryEventLog(clock=lambda: now)
    writer = Writer(log)
    await writer.write("a", "b")
    now += 40
    await writer.write("a")
    now += 40
    assert ([hash_of("a")], []) == (await listed(log), await times(log, "b"))
    now += 40
    assert [] == await listed(log)


async def test_redis_expires(server: Valkey) -> None:
    """The list by itself, and its place in the index with the next event of any session."""
    short = LogBounds(1000, session_events=3, expire_s=1, max_sessions=5)
    async with redis_log(server) as (log, _):
        writer = Writer(log)
        await writer.write("a", bounds=short)
        key = SESSION_EVENTS + hash_of("a").encode()
        assert 0 < int(str(server.command("PTTL", key))) <= 1000
        await until(lambda: server.command("EXISTS", key) == 0)
        assert () == (await log.sessions(None, 10, short)).sessions
        await writer.write("b", bounds=short)
        assert 1 == server.command("ZCARD", SESSION_INDEX)


async def test_a_batch_is_one_script_and_is_kept_once(server: Valkey) -> None:
    """However many sessions it has; sending it again changes nothing."""
    async with redis_log(server) as (log, _):
        await Writer(log).write("warm up")
        calls = scripts(server)
        batch = [
            Numbered(number, None, "decision", EVENT.to_bytes(), session_name(f"s{number % 4}"))
            for number in range(2, 12)
        ]
        for _ in range(2):
            await log.append("w", batch, BOUNDS)
        assert 2 == scripts(server) - calls
        assert [2, 2, 3, 3] == [
            server.command("LLEN", SESSION_EVENTS + hash_of(f"s{number}").encode())
            for number in range(4)
        ]


def scripts(server: Valkey) -> int:
    """How many scripts have been run."""
    with server.client() as redis:
        found: Mapping[str, Any] = redis.info("commandstats")
    return sum(found.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("eval", "evalsha"))


NAME = session_name("a")
GARBAGE: list[tuple[str, tuple[str | bytes, ...]]] = [
    ("the list is a text", ("SET", "L", "x")),
    ("the list is a stream", ("XADD", "L", "*", "a", "b")),
    (
        "entries that are none",
        ("LPUSH", "L", "", "x", NAME, NAME + b"d", NAME + b"d{}", b"\xff" * 50),
    ),
    ("an entry of another session", ("LPUSH", "L", session_name("b") + b"d" + EVENT.to_bytes())),
    ("a huge entry", ("LPUSH", "L", NAME + b"d" + b" " * 1_000_000)),
    ("the index is a text", ("SET", "I", "x")),
    (
        "an index of other sessions",
        ("ZADD", "I", "1e300", "x", "-inf", "y", "+inf", b"\xff", "5", ""),
    ),
    ("one of tomorrow", ("ZADD", "I", str(int(time.time() * 1e6) + 90_000_000_000), "0" * 16)),
    ("one of now", ("ZADD", "I", str(int(time.time() * 1e6)), b"\xff")),
]


@pytest.mark.parametrize("command", [row[1] for row in GARBAGE], ids=[row[0] for row in GARBAGE])
async def test_what_is_not_ours(server: Valkey, command: tuple[str | bytes, ...]) -> None:
    """It is passed over, by readers before and by a writer that comes upon it."""
    keys = {"L": SESSION_EVENTS + hash_of("a").encode(), "I": SESSION_INDEX}
    server.command(*(keys.get(word, word) if isinstance(word, str) else word for word in command))
    async with redis_log(server) as (log, _):
        assert [] == await times(log, "a")
        assert [] == await listed(log)
        await Writer(log).write("a", "b")
        assert [1] == await times(log, "a")
        assert [hash_of("b"), hash_of("a")] == await listed(log)


async def test_events_of_a_later_release_are_passed_over(server: Valkey) -> None:
    async with redis_log(server) as (log, _):
        await Writer(log).write("a")
        key = SESSION_EVENTS + hash_of("a").encode()
        server.command("LPUSH", key, NAME + b"x" + json.dumps({}).encode())
        assert [1] == await times(log, "a")
        assert [] == await listed(log)


# ── the command ─────────────────────────────────────────────────────────────────────────────────


def command(server: Valkey, *arguments: str, **environ: str) -> tuple[int, str, str]:
    """``gateway sessions``: exit code, output and errors."""
    ended = gateway("sessions", *arguments, **{**kept(server), **environ})
    return ended.exit_code, ended.stdout, ended.stderr


async def test_the_command_shows_what_http_does(
    two: Two, server: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As JSON, and in lines for people."""
    player = Player(two.one, "?session=abc&speed=4000")
    await player.start()
    (first,) = player.told
    await player.ask()
    two.apps[0].keeper.judged("test", {first: DOWN})
    second = (await player.ask(first))[0]
    clock(monkeypatch, 40)
    await player.ask(first)
    by_http = await story(two.one, "abc", 4)
    code, shown, errors = await asyncio.to_thread(command, server, "abc", "--json")
    assert (0, "") == (code, errors)
    found = json.loads(shown)
    assert {**by_http, "estimate": None} == {**found, "estimate": None}
    _, lines, _ = await asyncio.to_thread(command, server, hash_of("abc"))
    assert lines.startswith(
        f"session {hash_of('abc')}\nspeed   4000 kbit/s by query, confidence 0."
    )
    assert f"decision  film from {first}: wifi, " in lines
    assert f"steering  film on {first} (fine); the player does not say what it uses" in lines
    assert (
        f"steering  film on {first} -> {second} (down); the player uses {first}, as told" in lines
    )
    assert f"; the player uses {first}, NOT as told" in lines
    assert "measured  4000 kbit/s by query" in lines
    page = (await two.one.get(PATH)).json()
    code, shown, errors = await asyncio.to_thread(command, server, "--json")
    assert (0, page) == (code, json.loads(shown))


async def test_the_command_lists_in_pages(server: Valkey) -> None:
    async with redis_log(server) as (log, _):
        await Writer(log).write("a", "b", "c")
    code, shown, _ = await asyncio.to_thread(command, server, "--limit", "2")
    head, *rows, more = shown.splitlines()
    assert (0, ["SESSION", "LAST", "EVENT", "EVENTS", "ASSET", "EDGE", "COUNTRY"]) == (
        *(code, head.split()),
    )
    assert [hash_of("c"), hash_of("b")] == [row.split()[0] for row in rows]
    _, shown, _ = await asyncio.to_thread(command, server, "--cursor", more.split()[-1])
    assert hash_of("a") in shown
    assert "more:" not in shown


@pytest.mark.parametrize(
    ("arguments", "environ", "code", "said"),
    [
        (["nobody"], {}, 1, "error: nothing is kept of a session with this name or hash"),
        (["--cursor", "x"], {}, 1, "error: cursor: must be the value of next in a page"),
        (["--limit", "0"], {}, 2, "'--limit': 0 is not in the range"),
        (["abc", "--cursor", "1-2"], {}, 2, "--cursor is for the list"),
        (
            [],
            {"GATEWAY_SESSIONS__ENABLED": "false"},
            1,
            "error: nothing is kept of sessions; switch",
        ),
        ([], {"GATEWAY_STORE__URL": "embedded"}, 1, 'error: store.url is "embedded"'),
        ([], {"GATEWAY_STORE__URL": "redis://127.0.0.1:1"}, 1, "error: cannot reach the store"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_errors_of_the_command(
    server: Valkey, arguments: list[str], environ: dict[str, str], code: int, said: str
) -> None:
    found, shown, errors = command(server, *arguments, **environ)
    assert (code, "") == (found, shown)
    assert said in errors


def test_control_characters_are_escaped(server: Valkey) -> None:
    """Whoever can write to Redis cannot write to a terminal."""
    data = EVENT.to_bytes().replace(b"film/one", b"\\u001b[2J")
    entry = session_name("a") + b"d" + data
    server.command("LPUSH", SESSION_EVENTS + hash_of("a").encode(), entry)
    server.command("ZADD", SESSION_INDEX, str(int(time.time() * 1e6)), hash_of("a"))
    for arguments in ([], ["a"]):
        code, shown, _ = command(server, *arguments)
        assert (0, False, True) == (code, "\x1b" in shown, r"\x1b[2J" in shown)
