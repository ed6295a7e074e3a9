"""``/v1/activity``: events as they come, from all gateways on one Redis, over real sockets."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from gateway.play import activity as answers
from gateway.store.connection.connect import connect
from gateway.store.connection.keys import EVENTS, session_name, shown_session
from gateway.store.events import activity
from gateway.store.events.activity import (
    BEGINNING,
    MAX_WAITING,
    Activity,
    EntryId,
    Item,
    Listener,
    Missed,
    Told,
    TooManyListenersError,
    Wanted,
    entry_id,
)
from tests.background import in_background
from tests.integration.in_process import OPERATORS, application, asking
from tests.integration.processes import children
from tests.integration.reading_metrics import metric
from tests.integration.running import RunningGateway, running_gateway
from tests.integration.test_events import on
from tests.unit.store.servers import Valkey, until, valkey
from tests.unit.store.test_event import EVENT, PATHWAY

NORWAY = {"X-Forwarded-For": "129.240.2.6"}
WAIT_S = 30.0


@pytest.fixture(scope="module")
def gateways(running: Valkey) -> Iterator[tuple[RunningGateway, RunningGateway]]:
    """Two gateways on one Redis; the second one has two workers."""
    environ = on(running)
    with (
        running_gateway(None, environ=environ) as one,
        running_gateway(None, "--workers", "2", environ=environ) as other,
    ):
        yield one, other


def play(gateway: RunningGateway, query: str = "", asset: str = "film") -> None:
    """A player gets a playlist."""
    url = f"{gateway.url}/v1/play/{asset}.m3u8{query}"
    assert 200 == httpx.get(url, headers=NORWAY, timeout=WAIT_S).status_code


@dataclass
class ServerSentEvent:
    """One event, as a browser reads it (HTML, 9.2.6)."""

    name: str
    id: str
    data: dict[str, Any]


@dataclass
class Stream:
    """An open stream, read as browsers do."""

    response: httpx.Response
    lines: Iterator[str]
    last_id: str = ""
    comments: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[ServerSentEvent]:
        """Events until the end of the stream."""
        name, data = "message", ""
        for line in self.lines:
            if not line:
                if data:
                    yield ServerSentEvent(name, self.last_id, json.loads(data))
                name, data = "message", ""
            elif line.startswith(":"):
                self.comments.append(line[1:].strip())
            else:
                key, _, value = line.partition(": ")
                assert key in {"event", "data", "id", "retry"}
                if key == "event":
                    name = value
                elif key == "data":
                    data += value
                elif key == "id":
                    self.last_id = value


@contextlib.contextmanager
def listening(gateway: RunningGateway, query: str = "", last_id: str = "") -> Iterator[Stream]:
    """A stream whose first line has come: it is told of all that happens from now on."""
    headers = {"Last-Event-ID": last_id} if last_id else {}
    url = f"{gateway.admin_url}/v1/activity{query}"
    with httpx.stream("GET", url, headers=headers, timeout=WAIT_S) as response:
        assert 200 == response.status_code, response.read()
        lines = response.iter_lines()
        assert "retry: 2000" == next(lines)
        assert "" == next(lines)
        yield Stream(response, lines)


Gateways = tuple[RunningGateway, RunningGateway]


def test_one_listener_sees_all_gateways(gateways: Gateways, server: Valkey) -> None:
    """Decisions of both, with their ids in the stream; nothing keeps events back."""
    one, other = gateways
    with listening(one) as stream:
        play(one, "?session=abc")
        play(other, "?session=abd")
        first, second = (event for _, event in zip(range(2), stream, strict=False))
    assert "text/event-stream" == stream.response.headers["Content-Type"]
    assert "no-store, no-transform" == stream.response.headers["Cache-Control"]
    assert "no" == stream.response.headers["X-Accel-Buffering"]
    assert "Content-Length" not in stream.response.headers
    assert {shown_session(session_name(name)) for name in ("abc", "abd")} == {
        each.data["session"] for each in (first, second)
    }
    with server.client() as redis:
        written = [(entry.decode(), fields[b"event"]) for entry, fields in redis.xrange(EVENTS)]
    assert [(each.id, each.data) for each in (first, second)] == [
        (entry, json.loads(event)) for entry, event in written
    ]
    assert {"decision"} == {first.name, second.name}


def test_pathways_are_told(gateways: Gateways, server: Valkey) -> None:
    one, other = gateways
    with listening(other) as stream:
        edge = "us-east-1"
        httpx.get(f"{one.url}/v1/steering/film?_HLS_pathway={edge}", headers=NORWAY)
        event = next(iter(stream))
    assert ("pathway", edge, "fine", True) == (
        *(event.name, event.data["edge"], event.data["reason"], event.data["obeyed"]),
    )


def test_going_on_where_it_ended(gateways: Gateways, server: Valkey) -> None:
    """At another gateway, without a gap and without a repetition; also what has happened
    meanwhile."""
    one, other = gateways
    with listening(one) as stream:
        play(one, asset="a")
        last = next(iter(stream))
    for number in range(250):  # more than one page
        play(one, asset=f"b{number}")
    until_written(server, 251)
    with listening(other, last_id=last.id) as stream:
        events = iter(stream)
        assert [f"b{number}" for number in range(250)] == [
            next(events).data["asset"] for _ in range(250)
        ]
        play(one, asset="c")
        assert "c" == next(events).data["asset"]


def until_written(server: Valkey, count: int) -> None:
    """Wait until the stream has so many entries."""
    deadline = time.monotonic() + WAIT_S
    while int(str(server.command("XLEN", EVENTS))) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("last_id", ["99999999999999-0", "1-1", "18446744073709551615-1"])
def test_what_may_be_missing_is_said(gateways: Gateways, server: Valkey, last_id: str) -> None:
    """The entry to go on behind is no longer there, or never was."""
    one, _ = gateways
    play(one, asset="a")
    until_written(server, 1)
    with listening(one, last_id=last_id) as stream:
        events = iter(stream)
        missed = next(events)
        assert ("missed", {"after": last_id}) == (missed.name, missed.data)
        play(one, asset="b")
        following = [next(events).data["asset"]]
        if following == ["a"]:
            following.append(next(events).data["asset"])
        assert (["a", "b"] if last_id == "1-1" else ["b"]) == following


FILTERS = [
    ("?session=abc", {"abc"}),
    (f"?session={shown_session(session_name('abc'))}", {"abc"}),
    ("?asset=film", {"abc", "abd"}),
    ("?asset=other", {"abe"}),
    ("?country=no", {"abc", "abe"}),
    ("?country=US&asset=film", {"abd"}),
    ("?edge=us-east-1", {"abd"}),
    ("?edge=eu-west-1", {"abc", "abe"}),
    ("?unknown=1", {"abc", "abd", "abe"}),
]


@pytest.mark.parametrize(("query", "expected"), FILTERS)
def test_filters(gateways: Gateways, server: Valkey, query: str, expected: set[str]) -> None:
    """All of them have to be true."""
    one, _ = gateways
    for session, asset, address in (
        ("abc", "film", "129.240.2.6"),
        ("abd", "film", "8.8.8.8"),
        ("abe", "other", "129.240.2.6"),
        ("end", "end", "129.240.2.6"),
    ):
        url = f"{one.url}/v1/play/{asset}.m3u8?session={session}"
        httpx.get(url, headers={"X-Forwarded-For": address}, timeout=WAIT_S)
    until_written(server, 4)
    with server.client() as redis:
        ids = [entry.decode() for entry, _ in redis.xrange(EVENTS)]
    with listening(one, query, last_id="0-0") as stream:
        told: list[str] = []
        for event in stream:
            told.append(event.data["session"])
            if len(told) == len(expected):
                break
    assert {shown_session(session_name(name)) for name in expected} == set(told)
    assert set(ids) >= {stream.last_id}


REFUSED = [
    ("?asset=a//b", {}, 400, "asset"),
    ("?asset=", {}, 400, "asset"),
    ("?edge=a%20b", {}, 400, "edge"),
    ("?country=NOR", {}, 400, "country"),
    (f"?session={'x' * 65}", {}, 400, "session"),
    ("", {"Last-Event-ID": "x"}, 400, "Last-Event-ID"),
    ("", {"Last-Event-ID": "1"}, 400, "Last-Event-ID"),
    ("", {"Last-Event-ID": f"{2**64}-0"}, 400, "Last-Event-ID"),
    ("", {"Last-Event-ID": "1-1\x01"}, 400, None),
]


@pytest.mark.parametrize(("query", "headers", "status", "parameter"), REFUSED)
def test_malformed_requests(
    gateways: Gateways, query: str, headers: dict[str, str], status: int, parameter: str | None
) -> None:
    """A problem that names the parameter."""
    url = f"{gateways[0].admin_url}/v1/activity{query}"
    answer = httpx.get(url, headers=headers, timeout=WAIT_S)
    assert (status, parameter) == (answer.status_code, answer.json().get("parameter"))
    assert 404 == httpx.get(f"{gateways[0].url}/v1/activity", timeout=WAIT_S).status_code
    assert 405 == httpx.head(f"{gateways[0].admin_url}/v1/activity").status_code


def test_listeners_are_bounded_and_leave(server: Valkey) -> None:
    """The next one is told to come back; one that goes away makes room at once."""
    environ = {**on(server), "GATEWAY_EVENTS__MAX_LISTENERS": "2"}
    with running_gateway(None, environ=environ) as gateway:
        with listening(gateway), listening(gateway):
            answer = httpx.get(f"{gateway.admin_url}/v1/activity", timeout=WAIT_S)
            assert (503, "urn:problem:streaming-gateway:too-many-listeners", "10") == (
                *(answer.status_code, answer.json()["type"], answer.headers["Retry-After"]),
            )
            assert 2 == metric(gateway.admin_url, "gateway_activity_listeners")
        deadline = time.monotonic() + WAIT_S
        while metric(gateway.admin_url, "gateway_activity_listeners") > 0:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert 2 == metric(gateway.admin_url, 'gateway_activity_ended_total{reason="gone"}')
        with listening(gateway):
            pass


@pytest.mark.parametrize("workers", [1, 2])
def test_a_stop_ends_streams(server: Valkey, workers: int) -> None:
    """Told so, with a whole body, long before the grace has ended."""
    environ = {**on(server), "GATEWAY_SERVER__SHUTDOWN_GRACE_S": "60"}
    with running_gateway(None, "--workers", str(workers), environ=environ) as gateway:
        assert workers == 1 or len(children(gateway.process.pid)) == workers
        with listening(gateway) as stream:
            gateway.signal(signal.SIGTERM)
            events = list(stream)
        assert [("end", {"reason": "shutdown"})] == [(each.name, each.data) for each in events]
        assert 0 == gateway.process.wait(20)


def test_a_killed_worker_costs_its_listeners_a_reconnection(
    gateways: Gateways, server: Valkey
) -> None:
    """Those of the other worker are told on. Those of the killed one come back with the last id
    that they had, and miss and repeat nothing."""
    one, other = gateways
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(listening(other)) for _ in range(6)]
        play(one, asset="before")
        told = [iter(stream) for stream in streams]
        seen = [[next(events).data["asset"]] for events in told]
        killed = children(other.process.pid)[0]
        os.kill(killed, signal.SIGKILL)
        for number in range(3):
            play(one, asset=f"after-{number}")
        expected = ["before", "after-0", "after-1", "after-2"]
        for assets, events, stream in zip(seen, told, streams, strict=True):
            try:
                while len(assets) < len(expected):
                    assets.append(next(events).data["asset"])
            except httpx.TransportError:
                again = stack.enter_context(listening(other, last_id=stream.last_id))
                left = range(len(expected) - len(assets))
                assets += [event.data["asset"] for _, event in zip(left, again, strict=False)]
    assert [expected] * len(streams) == seen
    other.wait_for("worker_replaced")
    deadline = time.monotonic() + WAIT_S
    while killed in children(other.process.pid) or len(children(other.process.pid)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_slow_reader_is_dropped_and_told(gateways: Gateways, server: Valkey) -> None:
    """It reads nothing while thousands of events come; others are told of each."""
    one, _ = gateways
    parts = urlsplit(one.admin_url)
    with socket.socket() as slow, listening(one) as other:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(WAIT_S)
        slow.connect((parts.hostname, parts.port))
        slow.sendall(b"GET /v1/activity HTTP/1.1\r\nHost: localhost\r\n\r\n")
        received = slow.recv(65536)
        assert b" 200 " in received
        dropped = partial(metric, one.admin_url, 'gateway_activity_ended_total{reason="slow"}')
        before = dropped()
        told = iter(other)
        with server.client() as redis:
            for batch in range(100):
                pipe = redis.pipeline()
                for _ in range(150):
                    fields = {"v": "1", "id": "w-1", "kind": "decision", "event": EVENT.to_bytes()}
                    pipe.xadd(EVENTS, fields)
                pipe.execute()
                for _ in range(150):
                    assert "film/one" == next(told).data["asset"], batch
                if batch % 5 == 4 and dropped() > before:
                    break
        while data := slow.recv(65536):
            received += data
            if received.endswith(b"0\r\n\r\n"):
                break
        assert received.count(b"event: decision") < 150 * (batch + 1)
        assert b'event: end\ndata: {"reason": "slow"}\n\n' in received
        assert 1 == dropped() - before


# ── in this process ─────────────────────────────────────────────────────────────────────────────


async def test_what_has_no_stream(server: Valkey) -> None:
    """The answers say which key has it off."""
    for environ, key in (
        ({"GATEWAY_STORE__URL": "memory", "GATEWAY_EVENTS__ENABLED": "true"}, "store.url is"),
        ({"GATEWAY_STORE__URL": server.url}, "events.enabled is false"),
    ):
        app = application(None, environ)
        async with app.lifespan(app), asking(app) as client:
            answer = await client.get(f"{OPERATORS}/v1/activity")
        assert (404, True) == (answer.status_code, answer.json()["detail"].startswith(key))


async def test_a_store_that_is_gone(tmp_path: Path) -> None:
    """503 that says so."""
    with valkey(tmp_path) as server:
        app = application(None, on(server))
        async with app.lifespan(app), asking(app) as client:
            server.kill()
            answer = await client.get(f"{OPERATORS}/v1/activity")
            assert (503, "urn:problem:streaming-gateway:store-unavailable") == (
                *(answer.status_code, answer.json()["type"]),
            )
            assert not app.gateway.activity._listeners


async def test_an_outage_is_survived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Heartbeats go on; the stream that comes back empty is a gap, and its events are told."""
    monkeypatch.setattr(answers, "HEARTBEAT_S", 0.05)
    with valkey(tmp_path) as server:
        async with reader(server) as found:
            listener = await found.listen(Wanted(), None)
            stream = answers._events(found, listener, asyncio.Event().wait)  # type: ignore[arg-type]
            write(server)
            pieces = b""
            while b"event: decision" not in pieces:
                pieces += await anext(stream)
            server.kill()
            pieces = b""
            while pieces.count(b": alive") < 3:
                pieces += await anext(stream)
            server.start()
            write(server)
            while b"event: decision" not in pieces:
                pieces += await anext(stream)
            assert 1 == pieces.count(b"event: missed")
            assert pieces.index(b"event: missed") < pieces.index(b"event: decision")
            found.stop()
            assert b'event: end\ndata: {"reason": "shutdown"}\n\n' in b"".join(
                [piece async for piece in stream]
            )
            assert not found._listeners


async def test_heartbeats_move_the_place_to_go_on_from(
    server: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A filter that nothing passes is no reason to read everything again."""
    monkeypatch.setattr(answers, "HEARTBEAT_S", 0.01)
    async with reader(server) as found:
        listener = await found.listen(Wanted(asset="other"), None)
        stream = answers._events(found, listener, asyncio.Event().wait)  # type: ignore[arg-type]
        last = write(server)
        while f"id: {last}\n\n".encode() not in (await anext(stream)):
            pass
        await stream.aclose()


@contextlib.asynccontextmanager
async def reader(server: Valkey, most: int = 5) -> AsyncIterator[Activity]:
    """An activity that runs on a server."""
    store = connect(server.url, timeout_ms=1000)
    await store.start()
    found = Activity(store.redis, lambda: most)
    try:
        async with in_background(found.run()):
            yield found
    finally:
        await store.close()


def write(server: Valkey, asset: str = "film/one") -> str:
    """Write a decision to the stream; its id."""
    data = EVENT.to_bytes().replace(b"film/one", asset.encode())
    found = server.command("XADD", EVENTS, "*", "v", "1", "id", "w-1", "event", data)
    assert isinstance(found, bytes)
    return found.decode()


async def told(found: Activity, listener: Listener, count: int) -> list[Item]:
    """The next items of a listener."""
    items: list[Item] = []
    async with asyncio.timeout(WAIT_S):
        while len(items) < count:
            if not listener.live:
                await found.catch_up(listener)
            items += await listener.take(0.05)
    return items


async def test_nothing_is_missed_or_repeated_between_old_and_new(server: Valkey) -> None:
    """Listeners that come while events are written, behind any of them."""
    ids: list[str] = []
    async with reader(server, most=100) as found:

        async def listen() -> None:
            after = entry_id(ids[0].encode())
            listener = await found.listen(Wanted(), after)
            items = await told(found, listener, 399)
            assert ids[1:] == [str(item.id) for item in items if isinstance(item, Told)]
            found.leave(listener)

        ids.append(write(server))
        async with asyncio.TaskGroup() as group:
            for number in range(399):
                if number % 40 == 0:
                    group.create_task(listen())
                ids.append(await asyncio.to_thread(write, server))
    assert 400 == len(set(ids))


async def test_nobody_listens_and_nothing_is_read(tmp_path: Path) -> None:
    """The reader stops when the last listener leaves, and starts again with the next."""
    with valkey(tmp_path) as server:
        async with reader(server) as found:
            for _ in range(2):
                listener = await found.listen(Wanted(), None)
                await found.catch_up(listener)
                write(server)
                assert 1 == len(await told(found, listener, 1))
                found.leave(listener)
                await until(lambda: found._position is None)
                calls = evals(server)
                await asyncio.sleep(3 * activity.POLL_S)
                assert calls == evals(server)


def evals(server: Valkey) -> int:
    """How many scripts have been run."""
    with server.client() as redis:
        found: Any = redis.info("commandstats")
    return sum(found.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("eval", "evalsha"))


async def test_too_many(server: Valkey) -> None:
    async with reader(server, most=1) as found:
        listener = await found.listen(Wanted(), None)
        with pytest.raises(TooManyListenersError):
            await found.listen(Wanted(), None)
        found.leave(listener)
        found.leave(listener)
        await found.listen(Wanted(), BEGINNING)


async def test_a_listener_is_bounded() -> None:
    """One too many drops all that waits."""
    listener = Listener(Wanted(), BEGINNING)
    items = [Told(EntryId(1, number), EVENT) for number in range(1, MAX_WAITING + 2)]
    listener.offer(items[:-1])
    assert listener.ended is None
    listener.offer(items[-1:])
    assert "slow" == str(listener.ended)
    assert [] == await listener.take(0.0)


@pytest.mark.parametrize(
    ("wanted", "decision", "pathway"),
    [
        (Wanted(), True, True),
        (Wanted(edge="eu-west-1"), True, True),
        (Wanted(edge="eu-west-2"), False, True),
        (Wanted(edge="x"), False, False),
        (Wanted(country="NO", asset="film/one"), True, True),
        (Wanted(sessions=frozenset({"70ae2533246068f1"}), country="SE"), False, False),
    ],
)
def test_who_wants_what(wanted: Wanted, decision: bool, pathway: bool) -> None:
    """A pathway is of the edge before, too."""
    assert (decision, pathway) == (wanted.accepts(EVENT), wanted.accepts(PATHWAY))


GARBAGE: list[tuple[str, Callable[[Any], object]]] = [
    ("a text", lambda redis: redis.set(EVENTS, "x")),
    ("a list", lambda redis: redis.rpush(EVENTS, "x")),
    ("entries that are none", lambda redis: redis.xadd(EVENTS, {"a": "b"})),
    ("a huge one", lambda redis: redis.xadd(EVENTS, {"v": "1", "event": b" " * 1_000_000})),
    ("a later kind", lambda redis: redis.xadd(EVENTS, {"v": "1", "kind": "x", "event": "{}"})),
    ("no JSON", lambda redis: redis.xadd(EVENTS, {"v": "1", "event": '{"a": "\n\ndata: x'})),
]


@pytest.mark.parametrize("spoil", [row[1] for row in GARBAGE], ids=[row[0] for row in GARBAGE])
async def test_what_is_not_ours(server: Valkey, spoil: Callable[[Any], object]) -> None:
    """It is passed over."""
    async with reader(server) as found:
        with server.client() as redis:
            spoil(redis)
        listener = await found.listen(Wanted(), BEGINNING)
        await found.catch_up(listener)
        with server.client() as redis:
            if redis.type(EVENTS) != b"stream":
                redis.delete(EVENTS)
        last = write(server)
        items = [item for item in await told(found, listener, 1) if not isinstance(item, Missed)]
        assert [last] == [str(item.id) for item in items]
