"""A consumer group on a real Valkey processes each entry at least once, whatever happens to
consumers and Redis."""

import asyncio
import contextlib
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.store.connection.keys import DEAD_EVENTS, EVENTS
from gateway.store.connection.protocol import StoreError, StoreUnavailable, Trouble
from gateway.store.events.consumer import (
    Delivery,
    GroupStatus,
    StreamConsumer,
    UnprocessableError,
)
from tests.background import in_background
from tests.unit.store.servers import Proxy, Valkey, listening, until, valkey


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Valkey]:
    """A Valkey for one test, which may break it."""
    with valkey(tmp_path) as running:
        yield running


def fill(server: Valkey, numbers: range) -> None:
    """Put one entry for each number into the stream."""
    with server.client() as redis:
        for number in numbers:
            redis.xadd(EVENTS, {"number": number})


def dead(server: Valkey) -> list[dict[bytes, bytes]]:
    """The dead letters."""
    with server.client() as redis:
        found: Any = redis.xrange(DEAD_EVENTS)
        return [fields for _, fields in found]


class Worker:
    """Records processed entries; fails for configured ones."""

    def __init__(self, fails: str = "", refuses: str = "") -> None:
        self.processed: Counter[str] = Counter()
        self.fails, self.refuses = fails.split(), refuses.split()

    async def __call__(self, delivery: Delivery) -> None:
        """Process one entry."""
        number = delivery.fields[b"number"].decode()
        if number in self.refuses:
            raise UnprocessableError(f"{number} makes no sense")
        self.processed[number] += 1
        if number in self.fails:
            raise RuntimeError("cannot do it now")

    def has_processed(self, number: int) -> bool:
        """Whether this entry was processed."""
        return str(number) in self.processed


def consumer(server: Valkey, name: str = "one", **options: Any) -> StreamConsumer:
    """A consumer of the group ``g``, which starts with entries of an hour ago."""
    return StreamConsumer(server.url, "g", name, **{"since_s": 3600, **options})


@contextlib.asynccontextmanager
async def running(reader: StreamConsumer, worker: Worker) -> AsyncIterator[None]:
    """Run it until the end of the block."""
    async with reader, in_background(reader.run(worker)):
        yield


def killed_within(server: Valkey, processed: int) -> list[str]:
    """The entries that a consumer process has processed when it is killed during the next one."""
    command = [sys.executable, "-m", "tests.integration.consuming", server.url, "g", str(processed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        printed = []
        for line in victim.stdout:
            if line == "pausing\n":
                victim.kill()
                break
            printed.append(line.strip())
    return printed


async def test_entries_are_processed_once_and_acknowledged(server: Valkey) -> None:
    """Two consumers of one group share them; nothing stays pending."""
    fill(server, range(100))
    one, two = Worker(), Worker()
    async with consumer(server, "one", batch=7) as first, consumer(server, "two", batch=7) as other:
        while await first.step(one) + await other.step(two):
            pass
        assert GroupStatus(0, 0, 0) == await first.status()
    assert dict.fromkeys(map(str, range(100)), 1) == one.processed + two.processed
    assert one.processed
    assert two.processed


async def test_another_group_sees_everything_too(server: Valkey) -> None:
    """Each group gets all entries, from its own start time on."""
    fill(server, range(5))
    for group, since_s, expected in (("a", 3600.0, 5), ("b", 3600.0, 5), ("c", -1.0, 0)):
        worker = Worker()
        async with StreamConsumer(server.url, group, "one", since_s=since_s) as reader:
            await reader.step(worker)
        assert expected == worker.processed.total()


async def test_a_consumer_that_was_killed_in_the_middle_of_a_batch(server: Valkey) -> None:
    """Another consumer gets the whole batch, including entries that were processed but not
    acknowledged."""
    fill(server, range(25))
    printed = killed_within(server, 14)
    assert [str(number) for number in range(14)] == printed
    heir = Worker()
    async with running(consumer(server, "heir", claim_after_s=0.2), heir):
        await until(lambda: heir.processed.total() == 15)
        await asyncio.sleep(0.5)
    # The first ten were acknowledged as a batch; 10 to 13 were done but not acknowledged.
    assert dict.fromkeys(map(str, range(10, 25)), 1) == heir.processed


async def test_an_entry_that_fails_comes_again_and_then_is_dead(server: Valkey) -> None:
    """An entry is delivered ``max_deliveries`` times at most. Other entries are not delayed, and
    the dead letter contains the entry."""
    fill(server, range(5))
    worker = Worker(fails="3")
    with capture_logs() as logs:
        async with running(consumer(server, claim_after_s=0.1, max_deliveries=3), worker):
            await until(lambda: len(dead(server)) == 1)
            await asyncio.sleep(0.3)
            async with consumer(server, "looking") as looking:
                assert GroupStatus(0, 0, 1) == await looking.status()
    assert {"0": 1, "1": 1, "2": 1, "3": 3, "4": 1} == worker.processed
    [letter] = dead(server)
    assert b"3" == letter[b"number"]
    assert (b"g", b"4") == (letter[b"dead_group"], letter[b"dead_deliveries"])
    assert b"delivered 3 times without success" == letter[b"dead_reason"]
    assert letter[b"dead_entry"].partition(b"-")[0].isdigit()
    assert 3 == len([line for line in logs if line["event"] == "event_not_processed"])


async def test_an_unprocessable_entry_is_a_dead_letter_at_once(server: Valkey) -> None:
    """It is not tried again."""
    fill(server, range(3))
    worker = Worker(refuses="1")
    async with consumer(server) as reader:
        await reader.step(worker)
        assert GroupStatus(0, 0, 1) == await reader.status()
    assert {"0": 1, "2": 1} == worker.processed
    assert [b"1 makes no sense"] == [letter[b"dead_reason"] for letter in dead(server)]


async def test_entries_that_are_too_large_are_dead_letters(server: Valkey) -> None:
    """They cost themselves alone, are never received, and leave the dead letters without content;
    what was delivered with them is processed a little later."""
    fill(server, range(2))
    with server.client() as redis:
        redis.lpush(DEAD_EVENTS, "a key of another type")
        for _ in range(2):
            redis.xadd(EVENTS, {"number": "x" * 20_000_000})
    fill(server, range(2, 4))
    worker = Worker()
    async with running(consumer(server, claim_after_s=0.2), worker):
        await until(lambda: all(map(worker.has_processed, range(4))))
        await until(lambda: 2 == len(dead(server)))
    assert dict.fromkeys("0123", 1) == worker.processed
    for letter in dead(server):
        assert letter[b"dead_reason"].startswith(b"larger than ")
        assert sum(map(len, letter.values())) < 1000


async def test_a_letter_that_cannot_be_written_is_not_lost(server: Valkey) -> None:
    """With Redis full the entry stays in the stream; processed entries are still acknowledged."""
    fill(server, range(3))
    worker = Worker(refuses="1")
    async with consumer(server, claim_after_s=0.1) as reader:
        await reader.step(Worker(), wait_s=0.001)  # the group is there before Redis is full
        fill(server, range(3))
        server.command("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(StoreUnavailable) as caught:
            await reader.step(worker)
        assert Trouble.FULL == caught.value.trouble
        assert (2, 0) == ((await reader.status()).pending, len(dead(server)))
        server.command("CONFIG", "SET", "maxmemory", "0")
        await asyncio.sleep(0.15)
        await reader.step(worker)
        assert GroupStatus(0, 0, 1) == await reader.status()
    assert {"0": 1, "2": 1} == worker.processed


async def test_a_redis_that_comes_back_empty(server: Valkey) -> None:
    """The group is created again, and reads the whole stream."""
    worker = Worker()
    with capture_logs() as logs:
        async with running(consumer(server, since_s=0), worker):
            await until(lambda: server.command("EXISTS", EVENTS) == 1)
            fill(server, range(3))
            await until(lambda: worker.processed.total() == 3)
            server.kill()
            await until(lambda: any(line["event"] == "consumer_disconnected" for line in logs))
            server.start()
            fill(server, range(10, 14))
            await until(lambda: worker.processed.total() == 7)
            server.command("FLUSHALL")
            fill(server, range(20, 22))
            await until(lambda: worker.processed.total() == 9)
    assert set(map(str, [*range(3), *range(10, 14), 20, 21])) == set(worker.processed)
    assert 1 == len([line for line in logs if line["event"] == "consumer_disconnected"])


async def test_a_redis_that_is_frozen(server: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    """The read fails at the deadline, and continues when Redis resumes."""
    monkeypatch.setattr("gateway.store.events.consumer.REPLY_TIMEOUT_S", 0.3)
    fill(server, range(3))
    worker = Worker()
    async with consumer(server, claim_after_s=0.1) as reader:
        assert 3 == await reader.step(worker)
        server.freeze()
        with pytest.raises(StoreUnavailable) as caught:
            await reader.step(worker)
        assert Trouble.TIMEOUT == caught.value.trouble
        server.thaw()
        fill(server, range(3, 5))
        assert 2 == await reader.step(worker)
    assert 5 == len(worker.processed)


async def test_a_consumer_ends_when_it_is_told_to(server: Valkey) -> None:
    """A consumer can be cancelled at any moment, also while sending and receiving."""
    worker = Worker()
    for moment in range(60):
        fill(server, range(1))
        async with consumer(server) as reader:
            task = asyncio.create_task(reader.run(worker))
            for _ in range(moment):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait((task,), timeout=5)
            assert task.cancelled()


async def test_connections_that_are_reset(server: Valkey) -> None:
    """After connection resets the consumer continues by itself, and nothing is lost."""
    worker, proxy = Worker(), Proxy(server.path)
    async with listening(proxy.serve) as port:
        url = f"redis://127.0.0.1:{port}"
        async with running(StreamConsumer(url, "g", "one", since_s=9, claim_after_s=0.2), worker):
            for number in range(5):
                fill(server, range(number, number + 1))
                await until(partial(worker.has_processed, number))
                proxy.cut()


async def test_a_group_that_lost_entries_to_the_bound(server: Valkey) -> None:
    """Entries that were trimmed before they were acknowledged are lost, and do not become dead
    letters."""
    fill(server, range(10))
    async with consumer(server) as reader:
        await reader.step(Worker(fails="1 2"))
        server.command("XTRIM", EVENTS, "MAXLEN", "0")
    worker = Worker()
    async with consumer(server, "other", claim_after_s=0.01) as reader:
        await asyncio.sleep(0.05)
        assert 0 == await reader.step(worker)
        assert GroupStatus(0, 0, 0) == await reader.status()


async def test_a_consumer_leaves_unless_something_is_pending(server: Valkey) -> None:
    """The consumer is removed; its pending entries stay."""
    fill(server, range(2))
    for fails, expected in (("1", 1), ("", 1)):
        fill(server, range(2))
        async with consumer(server, f"c{fails}") as reader:
            await reader.step(Worker(fails=fails))
            await reader.leave()
        with server.client() as redis:
            found: Any = redis.xinfo_consumers(EVENTS, "g")
        assert [b"c1"] == [one["name"] for one in found]
        assert expected == sum(one["pending"] for one in found) - 1


async def test_groups_left_behind_are_removed(server: Valkey) -> None:
    """Only those of that prefix whose consumers have been silent for long."""
    for group in ("run.a", "run.b", "kept"):
        async with StreamConsumer(server.url, group, "one") as reader:
            await reader.step(Worker())
    async with StreamConsumer(server.url, "run.b", "one") as reader:
        await asyncio.sleep(0.3)
        await reader.step(Worker())
        await reader.disband_idle("run.", 0.2)
        with server.client() as redis:
            found: Any = redis.xinfo_groups(EVENTS)
        assert {b"run.b", b"kept"} == {group["name"] for group in found}


@pytest.mark.parametrize("url", ["http://x", "redis://:pa/ss@h:1", "embedded"])
def test_a_url_that_is_none(url: str) -> None:
    """An invalid URL is refused at once, with the store's message and without the password."""
    with pytest.raises(StoreError) as caught:
        StreamConsumer(url, "g", "one")
    assert "pa/ss" not in str(caught.value)
