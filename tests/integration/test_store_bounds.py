"""How much of what Redis holds is read: bounds on values, on sums of values and on any reply."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.observe import tasks
from gateway.store import garbage
from gateway.store.connection.keys import PROBE, decision_key, session_key, source_key
from gateway.store.connection.protocol import (
    MAX_SESSION_BYTES,
    MAX_VALUE_BYTES,
    MAX_VALUES_BYTES,
)
from gateway.store.connection.redis import RedisStore
from gateway.store.connection.reply_parser import MAX_REPLY_BYTES
from tests.unit.store.servers import Valkey, listening, until, valkey

HUGE = 40_000_000


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """One server for all tests of this module."""
    with valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
async def store(shared: Valkey) -> AsyncIterator[RedisStore]:
    """A store on it; it is empty."""
    shared.command("FLUSHALL")
    made = RedisStore(shared.url, timeout_s=2.0)
    await made.start()
    yield made
    await made.close()


def bytes_sent(server: Valkey) -> int:
    """What the server has sent to all clients."""
    statistics: Any = server.command("INFO", "stats")
    found: int = statistics["total_net_output_bytes"]
    return found


async def test_a_huge_value_is_not_sent(shared: Valkey, store: RedisStore) -> None:
    """It counts as missing, whatever it is, is logged once, and is replaced by the next write."""
    reads: list[tuple[bytes, int, Callable[[], Awaitable[bytes | None]]]] = [
        (session_key("s"), MAX_SESSION_BYTES, lambda: store.get_session("s")),
        (decision_key("d"), MAX_VALUE_BYTES, lambda: store.get_decision("d")),
        (source_key("o"), MAX_VALUE_BYTES, lambda: store.get_source("o")),
    ]
    garbage._logged.clear()
    for key, most, read in reads:
        shared.command("SETRANGE", key, str(HUGE), "x")
        before = bytes_sent(shared)
        with capture_logs() as logs:
            for _ in range(3):
                assert await read() is None
        assert bytes_sent(shared) - before < 3 * most + 100_000
        assert ["store_garbage"] == [line["event"] for line in logs]
        shared.command("DEL", key)
        shared.command("LPUSH", key, "x")
        assert await read() is None
        for size, found in ((0, None), (1, b"x"), (most, b"x" * most), (most + 1, None)):
            shared.command("SET", key, b"x" * size)
            assert found == await read()
    shared.command("SETRANGE", session_key("s"), str(HUGE), "x")
    store.put_session_later("s", b"ours", 60)
    await store.flush()
    assert b"ours" == await store.get_session("s")


async def test_one_bad_value_costs_itself(shared: Valkey, store: RedisStore) -> None:
    """The others of the same read are used, up to a bound on all of them together."""
    shared.command("SET", decision_key("good"), "g")
    shared.command("SETRANGE", decision_key("huge"), str(HUGE), "x")
    shared.command("HSET", decision_key("hash"), "a", "b")
    names = ["good", "huge", "none", "hash", "good"]
    assert [b"g", None, None, None, b"g"] == await store.get_decisions(names)
    many = [f"m{at}" for at in range(2 * MAX_VALUES_BYTES // MAX_VALUE_BYTES)]
    for name in many:
        shared.command("SET", decision_key(name), b"x" * MAX_VALUE_BYTES)
    found = await store.get_decisions([*many, "good"])
    assert MAX_VALUES_BYTES == sum(len(value or b"") for value in found)
    assert found[-1] is None


async def test_our_own_entry_is_huge(shared: Valkey) -> None:
    """The entry that the connection is tested with may be anything."""
    for command in (("SETRANGE", PROBE, str(HUGE), "x"), ("LPUSH", PROBE, "x")):
        shared.command("DEL", PROBE)
        shared.command(*command)
        before = bytes_sent(shared)
        store = RedisStore(shared.url, timeout_s=2.0)
        await store.start()
        assert "up" == store.state
        assert bytes_sent(shared) - before < 100_000
        assert b"1" == shared.command("GET", PROBE)
        await store.close()


@pytest.mark.parametrize(
    "reply",
    [
        b"$200000000\r\n",
        b"+",
        b"*4294967294\r\n",
        b"*100000000\r\n" + b"*2\r\n" * 20,
        b"*1000000\r\n$1000000000\r\n",
    ],
)
async def test_a_server_that_never_ends_its_reply(reply: bytes) -> None:
    """The connection ends before it fills the memory, and is tried again."""
    sent = [0]
    connected = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connected
        connected += 1
        await reader.read(100)
        writer.write(reply)
        sent.append(0)
        while True:
            writer.write(bytes(65536))
            await writer.drain()
            sent[-1] += 65536

    async with listening(flood) as port:
        store = RedisStore(f"redis://127.0.0.1:{port}/0", timeout_s=5.0)
        await store.start()
        await until(lambda: connected >= 2)
        assert "down" == store.state
        await store.close()
    assert max(sent) < MAX_REPLY_BYTES + 16 * 1024 * 1024  # what the kernel's buffers hold


NO_REPLIES = {
    "a map whose keys are lists": b"%1\r\n*0\r\n+x\r\n",
    "pushes without end": b">2\r\n+invalidate\r\n*0\r\n" * 3000,
    "no number": b":x\r\n",
    "another protocol": b"HTTP/1.1 400 Bad Request\r\n\r\n",
}


@pytest.mark.parametrize("reply", NO_REPLIES.values(), ids=NO_REPLIES)
async def test_what_is_no_reply_ends_the_connection(reply: bytes) -> None:
    """Whatever it is: the store is down and tries again, and its task does not fail."""
    connected = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connected
        connected += 1
        await reader.read(100)
        writer.write(reply)
        await writer.drain()

    async with listening(answer) as port:
        store = RedisStore(f"redis://127.0.0.1:{port}/0", timeout_s=5.0)
        await store.start()
        await until(lambda: connected >= 2)
        assert "down" == store.state
        assert {} == tasks.failing()
        await store.close()
