"""The bus on a real server: every worker receives messages, none delays another, losses are
repaired."""

import asyncio
import contextlib
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from gateway.store.connection.connect import CONTROL_TIMEOUT_S
from gateway.store.connection.keys import bus_channel, bus_log
from gateway.store.connection.redis import RedisStore
from gateway.store.coordination.bus import (
    MAX_MESSAGE_BYTES,
    QUEUED,
    BusEvent,
    Gap,
    LocalBus,
    Message,
    Subscription,
)
from gateway.store.coordination.redis_bus import BATCH, KEPT, RedisBus
from tests.background import in_background
from tests.unit.store.servers import Proxy, Valkey, listening, until, valkey

HEALED_S = 2.0
"""Seconds after which lost messages have been caught up with, once Redis responds."""

PROMPT_S = 0.5
"""Seconds that a message takes when its notification arrives, on a busy machine."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Valkey]:
    """A server for one test, which may break it."""
    with valkey(tmp_path) as running:
        yield running


@pytest.fixture
def logs() -> Iterator[list[EventDict]]:
    """What is logged during the test."""
    with capture_logs() as captured:
        yield captured


class Follower:
    """One worker: its own connections, its own bus, and the events of ``assets`` that it
    received."""

    def __init__(self, url: str, poll_s: float, timeout_s: float) -> None:
        self.store = RedisStore(url, timeout_s=timeout_s, quiet=True)
        self.bus = RedisBus(self.store, poll_s=poll_s)
        self.heard: list[BusEvent] = []
        self.at: dict[bytes, float] = {}

    @property
    def bodies(self) -> list[bytes]:
        """The messages, in order."""
        return [event.body for event in self.heard if isinstance(event, Message)]

    @property
    def gaps(self) -> list[str]:
        """The reasons of all gaps, in order."""
        return [event.reason for event in self.heard if isinstance(event, Gap)]

    async def follow(self) -> None:
        """Record events and their times."""
        async for event in self.bus.subscribe("assets"):
            self.heard.append(event)
            if isinstance(event, Message):
                self.at[event.body] = time.monotonic()


@contextlib.asynccontextmanager
async def following(
    url: str, count: int, poll_s: float = 1.0, timeout_s: float = CONTROL_TIMEOUT_S
) -> AsyncIterator[list[Follower]]:
    """Workers that have all read to the end of the log."""
    followers = [Follower(url, poll_s, timeout_s) for _ in range(count)]
    async with contextlib.AsyncExitStack() as stack:
        for each in followers:
            await each.store.start()
            stack.push_async_callback(each.store.close)
        for each in followers:
            await stack.enter_async_context(in_background(each.follow(), each.bus.run()))
        await until(lambda: all(each.gaps for each in followers))
        yield followers


async def all_hear(followers: list[Follower], body: bytes) -> float:
    """Wait until every worker has received a message; returns the seconds it took."""
    return await until(lambda: all(body in each.at for each in followers))


async def test_every_worker_receives_at_once_and_in_order(server: Valkey) -> None:
    """Four workers, the publishing one included. A start counts as a gap, and older messages are
    not delivered. The poll interval is long, so the messages came by notification."""
    async with following(server.url, 1) as (early,):
        assert await early.bus.publish("assets", b"before")
        await all_hear([early], b"before")
    async with following(server.url, 4, poll_s=60) as followers:
        started = time.monotonic()
        for number in range(300):
            assert await followers[number % 4].bus.publish("assets", b"%d" % number)
        assert await followers[0].bus.publish("edges", b"other topic")
        await all_hear(followers, b"299")
        print(f"300 messages to 4 workers: {time.monotonic() - started:.3f} s")
        asked = time.monotonic()
        assert await followers[0].bus.publish("assets", b"last")
        await all_hear(followers, b"last")
        slowest = max(each.at[b"last"] for each in followers) - asked
        print(f"one message to 4 workers: {slowest * 1000:.1f} ms")
        assert slowest < PROMPT_S
        expected = [b"%d" % number for number in range(300)] + [b"last"]
        for each in followers:
            assert expected == each.bodies
            assert ["away"] == each.gaps


async def test_a_lost_notification_only_delays(server: Valkey) -> None:
    """Only the log is written, as if a notification was lost: delivered at the next poll, without a
    gap."""
    async with following(server.url, 4) as followers:
        server.command("XADD", bus_log("assets"), "*", "m", "unrung")
        took = await all_hear(followers, b"unrung")
        print(f"healed after a lost ring: {took:.2f} s")
        assert took < HEALED_S
        assert [["away"]] * 4 == [each.gaps for each in followers]


async def test_lost_subscriptions_are_replaced(server: Valkey, logs: list[EventDict]) -> None:
    """``CLIENT KILL TYPE pubsub`` between messages: none is lost or repeated, and notifications
    resume."""
    async with following(server.url, 4) as followers:
        for number in range(40):
            if number % 10 == 5:
                server.command("CLIENT", "KILL", "TYPE", "pubsub")
            assert await followers[0].bus.publish("assets", b"%d" % number)
        started = time.monotonic()
        await all_hear(followers, b"39")
        print(f"healed after killed connections: {time.monotonic() - started:.2f} s")
        assert time.monotonic() - started < HEALED_S
        for each in followers:
            assert [b"%d" % number for number in range(40)] == each.bodies
            assert ["away"] == each.gaps
        states = [line["state"] for line in logs if line["event"] == "bus_state"]
        ring = bus_channel("assets")
        await until(lambda: server.command("PUBSUB", "NUMSUB", ring) == [ring, 4])
        assert {"live"} <= set(states) <= {"live", "polling"}


async def test_redis_restarted_empty(server: Valkey, logs: list[EventDict]) -> None:
    """Nobody knows what was missed, so every worker gets a gap; then messages arrive again without
    a restart. While Redis is gone, publishing fails at once."""
    async with following(server.url, 4) as followers:
        assert await followers[0].bus.publish("assets", b"one")
        await all_hear(followers, b"one")
        server.kill()
        await until(lambda: followers[0].store.state == "down")
        started = time.monotonic()
        assert not await followers[0].bus.publish("assets", b"never")
        assert time.monotonic() - started < CONTROL_TIMEOUT_S / 2, "it waited for an answer"
        server.start()
        took = await until(lambda: all(len(each.gaps) == 2 for each in followers))
        print(f"told of the gap: {took:.2f} s after the restart")
        assert took < HEALED_S
        assert [["away", "lost"]] * 4 == [each.gaps for each in followers]
        assert await followers[3].bus.publish("assets", b"two")
        await all_hear(followers, b"two")
        assert [b"one", b"two"] == followers[0].bodies
    lines = [line["state"] for line in logs if line["event"] == "bus_state"]
    assert 4 == lines.count("away")


async def test_a_frozen_redis(server: Valkey) -> None:
    """Frozen for 3 s: publishing gives up after about a second, and a message from before the thaw
    arrives soon after it."""
    async with following(server.url, 4) as followers:
        server.freeze()
        started = time.monotonic()
        assert not await followers[0].bus.publish("assets", b"asked while frozen")
        assert time.monotonic() - started < CONTROL_TIMEOUT_S + PROMPT_S
        await asyncio.sleep(3 - (time.monotonic() - started))
        server.thaw()
        thawed = time.monotonic()
        server.command("XADD", bus_log("assets"), "*", "m", "after")
        await all_hear(followers, b"after")
        print(f"healed after 3 s frozen: {time.monotonic() - thawed:.2f} s")
        assert time.monotonic() - thawed < HEALED_S
        for each in followers:
            assert ["away", "away"] == each.gaps


async def test_a_slow_redis(server: Valkey) -> None:
    """200 ms each way: messages arrive later, and nothing else happens."""
    proxy = Proxy(server.path)
    async with (
        listening(proxy.serve) as port,
        following(f"redis://127.0.0.1:{port}", 2) as followers,
    ):
        proxy.delay_s = 0.2
        started = time.monotonic()
        assert await followers[0].bus.publish("assets", b"slow")
        await all_hear(followers, b"slow")
        print(f"through a Redis that is 200 ms slow each way: {time.monotonic() - started:.2f} s")
        assert time.monotonic() - started < HEALED_S
        assert [["away"]] * 2 == [each.gaps for each in followers]


async def test_a_trimmed_log_is_a_gap(server: Valkey) -> None:
    """More messages than the log keeps, without notifications: the rest is delivered after the gap.
    The log itself stays bounded."""
    async with following(server.url, 1, poll_s=60) as (follower,):
        store = follower.store
        with server.client() as client:
            pipe = client.pipeline(transaction=True)
            for number in range(2 * KEPT):
                pipe.xadd(bus_log("assets"), {"m": b"%d" % number}, maxlen=KEPT)
            pipe.execute()
        assert await follower.bus.publish("assets", b"last")
        await all_hear([follower], b"last")
        assert follower.heard[1] in {Gap("assets", "lost"), Gap("assets", "slow")}
        assert "lost" in follower.gaps
        for number in range(2 * KEPT):
            store.tell("flood", b"XADD", bus_log("edges"), b"*", b"m", b"%d" % number)
        await store.flush()
        assert await follower.bus.publish("edges", b"trims")
        assert KEPT <= int(str(server.command("XLEN", bus_log("edges")))) < KEPT + 2 * BATCH


@pytest.mark.parametrize(
    ("words", "gap"),
    [
        (["XADD", "LOG", "*", "field", "value"], False),
        (["XADD", "LOG", "*", "m", "1", "n", "2"], False),
        (["XADD", "LOG", "*", "m", "x" * (MAX_MESSAGE_BYTES + 1)], False),
        (["XADD", "LOG", "18446744073709551615-18446744073709551615", "m", "highest"], True),
        (["SET", "LOG", "not a log"], True),
        (["DEL", "LOG"], True),
        (["XTRIM", "LOG", "MAXLEN", "0"], True),
        (["FLUSHALL"], True),
        (["SCRIPT", "FLUSH"], False),
    ],
    ids=lambda value: " ".join(value[:1] + value[3:4])[:20] if isinstance(value, list) else "",
)
async def test_garbage_in_redis(server: Valkey, words: list[str], gap: bool) -> None:
    """After any damage to the log the next message is delivered, after a gap where messages may be
    lost."""
    async with following(server.url, 2, poll_s=0.1) as followers:
        assert await followers[0].bus.publish("assets", b"before")
        await all_hear(followers, b"before")
        server.command(*[bus_log("assets") if word == "LOG" else word for word in words])
        await asyncio.sleep(0.25)  # until it was read, too
        assert await followers[0].bus.publish("assets", b"after")
        assert await all_hear(followers, b"after") < HEALED_S
        assert gap == ("lost" in followers[1].gaps)
        assert {b"before", b"after", b"highest"} >= set(followers[1].bodies)


async def test_a_slow_subscriber_slows_nobody(server: Valkey) -> None:
    """Of two subscriptions of one worker one is never read: the other gets every message without
    delay, and the slow one gets a gap, then the newest messages.

    A second worker without a slow subscription receives the same messages in the same event loop:
    what delays the loop delays both, and a wait of 1 ms for each message would add up to 0.7 s.
    What the loop itself does is measured in CPU time, which other processes do not lengthen.
    """
    async with following(server.url, 2, poll_s=60, timeout_s=30) as (beside, alone):

        async def hear_all(bodies: list[bytes]) -> float:
            """CPU seconds until both have received three queues full of messages."""
            started = time.process_time()
            for body in bodies:
                assert await beside.bus.publish("assets", body)
            await all_hear([beside, alone], bodies[-1])
            return time.process_time() - started

        before = [b"0/%d" % number for number in range(3 * QUEUED)]
        sent = [b"1/%d" % number for number in range(3 * QUEUED)]
        usual_s = await hear_all(before)
        slow = beside.bus.subscribe("assets")
        took_s = await hear_all(sent)
        later_s = statistics.median(beside.at[body] - alone.at[body] for body in sent)
        print(f"{later_s * 1000:.2f} ms later; CPU {took_s:.2f} s, usually {usual_s:.2f} s")
        assert later_s < PROMPT_S / 5
        assert took_s < 2 * usual_s + PROMPT_S
        for follower in (beside, alone):
            assert before + sent == follower.bodies
            assert ["away"] == follower.gaps
        assert Gap("assets", "slow") == await anext(slow)
        bodies = [await anext(slow) for _ in range(QUEUED)]
        assert sent[-QUEUED:] == [event.body for event in bodies if isinstance(event, Message)]


async def test_a_read_only_or_full_redis(server: Valkey) -> None:
    """Publishing fails without deleting the log; then it works again."""
    async with following(server.url, 1, poll_s=0.2) as (follower,):
        assert await follower.bus.publish("assets", b"one")
        for break_it, mend_it, body in (
            (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0"), b"two"),
            (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE"), b"three"),
        ):
            server.command(*break_it)
            assert not await follower.bus.publish("assets", b"refused")
            server.command(*mend_it)
            assert await follower.bus.publish("assets", body)
            await all_hear([follower], body)
        assert [b"one", b"two", b"three"] == follower.bodies
        assert "lost" not in follower.gaps


async def test_too_large_a_message_is_refused(server: Valkey) -> None:
    """By either bus, before it is sent."""
    large = b"x" * (MAX_MESSAGE_BYTES + 1)
    async with following(server.url, 1) as (follower,):
        assert not await follower.bus.publish("assets", large)
        assert not await LocalBus().publish("assets", large)


async def test_the_bus_of_one_process() -> None:
    """Delivers to every open subscription of the topic, by itself."""
    bus = LocalBus()
    first, second, other = (
        bus.subscribe("assets"),
        bus.subscribe("assets"),
        bus.subscribe("policy"),
    )
    second.close()
    assert await bus.publish("assets", b"one")
    assert Message("assets", "1", b"one") == await anext(first)
    assert [] == [event async for event in second]
    for waiting in (first, other):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(waiting), 0.05)


async def test_gaps_in_a_row_are_one() -> None:
    """A follower that checks everything need not do so twice."""
    subscription = Subscription("edges")
    for event in (Gap("edges", "away"), Gap("edges", "lost"), Message("edges", "1", b"m")):
        subscription.put(event)
    assert [Gap("edges", "away"), Message("edges", "1", b"m")] == [
        await anext(subscription),
        await anext(subscription),
    ]
