"""Decision events from a request to the stream: their content, their privacy, and their cost."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from gateway.observe import metrics
from gateway.store.connection.connect import connect
from gateway.store.connection.keys import EVENTS, event_writer_key
from gateway.store.events.event import AnyEvent, Event, PathwayEvent, parse_event
from gateway.store.events.log import LogBounds, Numbered
from gateway.store.events.redis_log import RedisEventLog
from tests.integration.in_process import OPERATORS, started
from tests.unit.store.servers import Valkey, until, valkey

PHONE = (
    "Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Mobile Safari/537.36"
)
NORWAY = "129.240.2.6"
VIEWER = {"User-Agent": PHONE, "X-Forwarded-For": NORWAY}
FILM = "/v1/play/film.m3u8"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Valkey]:
    """A Valkey for one test, which may break it."""
    with valkey(tmp_path) as running:
        yield running


def on(server: Valkey, **keys: str) -> dict[str, str]:
    """The environment of a gateway that writes events to that server."""
    return {
        "GATEWAY_STORE__URL": server.url,
        "GATEWAY_STORE__TIMEOUT_MS": "150",
        "GATEWAY_EVENTS__ENABLED": "true",
        "GATEWAY_EVENTS__FLUSH_INTERVAL_MS": "20",
        **{f"GATEWAY_EVENTS__{key.upper()}": value for key, value in keys.items()},
    }


def entries(server: Valkey) -> list[dict[bytes, bytes]]:
    """All entries of the stream."""
    with server.client() as redis:
        found: Any = redis.xrange(EVENTS)
        return [fields for _, fields in found]


def events(server: Valkey) -> list[Event]:
    """All decisions of the stream."""
    return [event for event in map(parse_event, entries(server)) if isinstance(event, Event)]


def pathways(server: Valkey) -> list[PathwayEvent]:
    """All answers of content steering in the stream."""
    found: list[AnyEvent | None] = [parse_event(entry) for entry in entries(server)]
    return [event for event in found if isinstance(event, PathwayEvent)]


def numbered(number: int, data: bytes) -> Numbered:
    """An event for the stream alone."""
    return Numbered(number, number, "decision", data)


def bounds(length: int) -> LogBounds:
    """A stream of that length; few events of few sessions."""
    return LogBounds(length, session_events=5, expire_s=60, max_sessions=10)


def dropped(reason: str) -> float:
    """The number of events dropped so far for that reason."""
    return float(metrics.EVENTS_DROPPED.labels(reason)._value.get())


def written() -> float:
    """The number of events written so far."""
    return float(metrics.EVENTS_WRITTEN._value.get())


async def test_what_an_event_says(server: Valkey) -> None:
    """The event agrees with the answer, field by field."""
    before_ms = time.time() * 1000
    async with started(environ=on(server)) as client:
        answer = await client.get(f"{FILM}?speed=900&session=abc", headers=VIEWER)
        shown = f"{OPERATORS}/v1/play/film?speed=900&session=abd"
        decision = (await client.get(shown, headers=VIEWER)).json()
    [entry] = entries(server)
    assert {b"v", b"id", b"kind", b"event"} == set(entry)
    assert b"decision" == entry[b"kind"]
    assert entry[b"id"].endswith(b"-1")
    event = json.loads(entry[b"event"])
    assert before_ms - 1 <= event.pop("time") <= time.time() * 1000
    assert len(event.pop("session")) == 16
    steps = [reason for reason in decision["reasons"] if not reason.startswith("steering: ")]
    codes = [reason.rpartition("[")[2].rstrip("]") for reason in steps]
    assert codes == event.pop("reasons")
    assert event == {
        "sample": 1.0,
        "asset": "film",
        "device": "phone",
        "os": "Android",
        "player": "Chrome",
        "country": "NO",
        "continent": "EU",
        "profile": "mobile_2g",
        "rule": 0,
        "edge": "eu-west-1",
        "cache": "miss",
        "rungs": answer.text.count("#EXT-X-STREAM-INF"),
        "height": 240,
        "bandwidth": 200_000,
        "start_height": 240,
        "start_bandwidth": 200_000,
        "speed": 900,
        "speed_source": "query",
    }


async def test_the_best_rung_and_the_first(server: Valkey) -> None:
    """The best and the first rung differ when playback starts below the best; an unknown speed is
    null."""
    async with started(environ=on(server)) as client:
        await client.get(FILM, headers={"X-Forwarded-For": NORWAY, "User-Agent": ""})
    [event] = events(server)
    assert (1080, 2_500_000) == (event.height, event.bandwidth)
    assert (360, 500_000) == (event.start_height, event.start_bandwidth)
    assert (None, None, None, None) == (event.speed, event.speed_source, event.session, event.rule)


async def test_nothing_about_a_person_is_told(server: Valkey) -> None:
    """No address, no session as it came, no User-Agent, no model."""
    async with started(environ=on(server)) as client:
        await client.get(f"{FILM}?session=my-session-4711", headers=VIEWER)
        cmcd = {"CMCD": 'sid="my-session-4711",mtp=1200'}
        await client.get(FILM, params=cmcd, headers=VIEWER)
    text = repr(entries(server))
    assert text.count("eu-west-1") == 2
    secrets = (NORWAY, "129.240", "my-session-4711", "SM-S918B", "Mozilla")
    assert [] == [secret for secret in secrets if secret in text]
    first, second = events(server)
    assert first.session == second.session


async def test_which_answers_are_told(server: Valkey) -> None:
    """A playlist that a player got, and nothing else: HEAD, 304, JSON and problems are not."""
    async with started(environ=on(server)) as client:
        got = await client.get(FILM, headers=VIEWER)
        for expected, answer in (
            (200, await client.head(FILM, headers=VIEWER)),
            (304, await client.get(FILM, headers={**VIEWER, "If-None-Match": got.headers["ETag"]})),
            (200, await client.get("/v1/play/film", headers=VIEWER)),
            (400, await client.get(f"{FILM}?speed=fast", headers=VIEWER)),
            (406, await client.get(f"{FILM}?codecs=av1", headers=VIEWER)),
            (404, await client.get("/v1/play/.m3u8", headers=VIEWER)),
        ):
            assert expected == answer.status_code
    assert 1 == len(entries(server))


async def test_nothing_is_told_unless_asked_for(server: Valkey) -> None:
    """Events are off by default."""
    environ = on(server)
    del environ["GATEWAY_EVENTS__ENABLED"]
    async with started(environ=environ) as client:
        await client.get(FILM, headers=VIEWER)
    assert 0 == server.command("EXISTS", EVENTS)


async def test_without_a_redis_one_warning_says_so() -> None:
    """The gateway logs one warning and serves players as usual."""
    with capture_logs() as logs:
        async with started(environ={"GATEWAY_EVENTS__ENABLED": "true"}) as client:
            assert 200 == (await client.get(FILM)).status_code
    assert 1 == len([line for line in logs if line["event"] == "events_not_available"])


async def test_a_sample_is_of_whole_sessions(server: Valkey) -> None:
    """Every event of a session or none, about as many sessions as was asked for, the same ones in
    every process, and more of them for a larger share."""
    sampled: dict[str, set[str | None]] = {}
    for share in ("0.2", "0.5"):
        async with started(environ=on(server, sample=share, queue_length="9999")) as client:
            for request in range(600):
                await client.get(f"{FILM}?session=s{request % 200}", headers=VIEWER)
        found = events(server)
        assert {float(share)} == {event.sample for event in found}
        names = [event.session for event in found]
        assert {3} == {names.count(name) for name in names}
        assert abs(len(set(names)) / 200 - float(share)) < 0.08
        sampled[share] = set(names)
        server.command("FLUSHALL")
    assert sampled["0.2"] < sampled["0.5"]


async def test_a_saved_config_switches_events_on_and_off(server: Valkey, tmp_path: Path) -> None:
    """Without a restart."""
    config = tmp_path / "gateway.toml"
    config.write_text("[events]\nenabled = false\n", "utf-8")
    environ = {key: value for key, value in on(server).items() if not key.endswith("ENABLED")}
    async with started(config, environ) as client:

        async def switched(text: str) -> None:
            before = metrics.CONFIG_RELOADS.labels("ok")._value.get()
            config.write_text(f"[events]\nenabled = {text}\n", "utf-8")
            await until(lambda: metrics.CONFIG_RELOADS.labels("ok")._value.get() > before)
            await client.get(FILM, headers=VIEWER)

        await client.get(FILM, headers=VIEWER)
        await switched("true")
        await switched("false")
    assert 1 == len(entries(server))


async def test_what_is_left_is_written_at_the_end(server: Valkey) -> None:
    """A gateway that stops writes the waiting events without waiting for the flush interval."""
    began = time.monotonic()
    async with started(environ=on(server, flush_interval_ms="60000", batch_size="10")) as client:
        for _ in range(9):
            await client.get(FILM, headers=VIEWER)
    assert 9 == len(entries(server))
    assert time.monotonic() - began < 10


async def test_the_stream_is_bounded(server: Valkey) -> None:
    """The stream is trimmed to about the configured length: Redis trims by nodes of 100."""
    async with started(environ=on(server, stream_max_length="100", batch_size="50")) as client:
        for _ in range(700):
            await client.get(FILM, headers=VIEWER)
    assert 100 <= len(entries(server)) <= 200


async def test_a_batch_that_is_sent_again_is_not_written_again(server: Valkey) -> None:
    """A batch whose reply was late is not written twice; other writers are not delayed."""
    store = connect(server.url, timeout_ms=1000)
    await store.start()
    try:
        assert store.redis is not None
        batch = [numbered(number, b"{}") for number in range(1, 4)]
        for writer, sent in (("a", batch[:2]), ("a", batch), ("b", batch[:1]), ("a", batch)):
            await RedisEventLog(store.redis, store.redis).append(writer, sent, bounds(1000))
    finally:
        await store.close()
    assert [b"a-1", b"a-2", b"a-3", b"b-1"] == [entry[b"id"] for entry in entries(server)]


def frozen(server: Valkey) -> Callable[[], object]:
    """Stopped by SIGSTOP."""
    server.freeze()
    return server.thaw


def full(server: Valkey) -> Callable[[], object]:
    """Out of memory, with eviction off."""
    server.command("CONFIG", "SET", "maxmemory", "1")
    return lambda: server.command("CONFIG", "SET", "maxmemory", "0")


def read_only(server: Valkey) -> Callable[[], object]:
    """A replica of a server that does not exist."""
    server.command("REPLICAOF", "127.0.0.1", "1")
    return lambda: server.command("REPLICAOF", "NO", "ONE")


def gone(server: Valkey) -> Callable[[], object]:
    """Killed; it comes back empty."""
    server.kill()
    return server.start


YEAR_5138_MS = 100_000_000_000_000


@pytest.mark.parametrize(
    ("key", "command"),
    [
        (EVENTS, ("SET", "text")),
        (EVENTS, ("HSET", "a", "b")),
        (EVENTS, ("XADD", f"{YEAR_5138_MS}-0", "a", "b")),
        (EVENTS, ("XADD", "18446744073709551615-18446744073709551615", "a", "b")),
        *(
            (event_writer_key("w"), ("SET", value))
            for value in ("x", "1e300", "nan", "-5", "9" * 400, "x" * 1_000_000)
        ),
        (event_writer_key("w"), ("HSET", "a", "b")),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_what_is_no_stream_of_ours_is_replaced(
    server: Valkey, key: bytes, command: tuple[str, ...]
) -> None:
    """A stream of another type, or of the year 5138, and a number that the writer has not reached:
    no event is lost, and none is written twice."""
    server.command(command[0], key, *command[1:])
    store = connect(server.url, timeout_ms=1000)
    await store.start()
    redis = store.redis
    assert redis is not None
    batches = (
        [numbered(1, b"a"), numbered(2, b"b")],
        [numbered(2, b"b"), numbered(3, b"c")],
    )
    for batch in (*batches, batches[-1]):
        await RedisEventLog(redis, redis).append("w", batch, bounds(100))
    await store.close()
    assert [b"a", b"b", b"c"] == [entry[b"event"] for entry in entries(server)]
    with server.client() as client:
        (newest,) = client.xrevrange(EVENTS, count=1)
    assert int(newest[0].partition(b"-")[0]) < time.time() * 1000 + 60_000


@pytest.mark.parametrize("trouble", [frozen, full, read_only, gone])
async def test_players_do_not_wait_for_events(
    server: Valkey, trouble: Callable[[Valkey], Callable[[], object]]
) -> None:
    """While Redis fails, the queue is bounded and answers are not slower. Afterwards events are
    written again without a restart. Each event is written or counted as dropped."""
    before = (written(), dropped("overflow"))
    environ = on(server, queue_length="50", batch_size="20")
    with capture_logs() as logs:
        async with started(environ=environ) as client:
            healthy_s = await median_seconds(client, 100)
            await until(lambda: written() - before[0] == 100)
            heal = trouble(server)
            try:
                await asyncio.sleep(0.5)  # the store's own deadline, for those who ask it, passes
                ill_s = await median_seconds(client, 200)
                assert metrics.EVENTS_QUEUED._value.get() <= 70
            finally:
                heal()
            assert 200 - 70 <= dropped("overflow") - before[1] <= 200
            await until(lambda: written() - before[0] + dropped("overflow") - before[1] == 300)
            await client.get(FILM, headers=VIEWER)
    assert 301 == written() - before[0] + dropped("overflow") - before[1]
    assert ill_s < 2 * healthy_s + 0.005
    assert 1 == len([line for line in logs if line["event"] == "events_not_written"])
    assert 1 == len([line for line in logs if line["event"] == "events_recovered"])
    ids = [entry[b"id"] for entry in entries(server)]
    assert len(ids) == len(set(ids))


async def median_seconds(client: httpx.AsyncClient, count: int) -> float:
    """The median of so many answers that need nothing from the store: no session, known title."""
    took = []
    for _ in range(count):
        start = time.perf_counter()
        answer = await client.get(FILM, headers=VIEWER)
        took.append(time.perf_counter() - start)
        assert 200 == answer.status_code
        await asyncio.sleep(0.001)  # as a network would: others have their turn
    assert max(took) < 1
    return sorted(took)[count // 2]
