"""How is a stream of events read so that each is processed at least once?

A consumer group hands every entry to one of its consumers and remembers it until it is
acknowledged, which happens after processing. What a consumer took and did not acknowledge (it
failed, was killed, or lost its connection) goes to whoever asks first once it has been idle for
``claim_after_s``. An entry that was handed out ``max_deliveries`` times in vain, or that makes no
sense, moves to a stream of dead letters, with the reason.

An entry may so be processed twice, never not at all, as long as it is still in the stream: the
stream is bounded, and a group that falls behind by its whole length loses the oldest.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from random import SystemRandom
from typing import Any, Self, TypeVar

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from gateway.store.connection.address import CONNECT_TIMEOUT_S, connections, shown_url
from gateway.store.connection.keys import DEAD_EVENTS, EVENTS
from gateway.store.connection.pipeline import classify
from gateway.store.connection.protocol import StoreUnavailable, Trouble

MAX_DEAD_LETTERS = 10_000
REPLY_TIMEOUT_S = 5.0
"""For every answer, the time that a read waits for new entries included."""

FIRST_BACKOFF_S = 0.25
MAX_BACKOFF_S = 2.0
MAX_REASON_CHARS = 300

log = structlog.get_logger(__name__)
_random = SystemRandom()


class UnprocessableError(Exception):
    """An entry that no attempt will ever process; the message says why."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One entry as it was handed out, by now for the ``deliveries``-th time."""

    id: bytes
    fields: Mapping[bytes, bytes]
    deliveries: int = 1

    @property
    def time_ms(self) -> int:
        """When Redis took the entry, Unix time in ms."""
        return int(self.id.partition(b"-")[0])


@dataclass(frozen=True, slots=True)
class GroupStatus:
    """How far a group is. ``lag``: entries not handed out yet, None when Redis cannot tell;
    ``pending``: handed out and not acknowledged; ``dead_letters`` are those of all groups."""

    lag: int | None
    pending: int
    dead_letters: int


_T = TypeVar("_T")
Process = Callable[[Delivery], Awaitable[None]]


class StreamConsumer:
    """One consumer, ``name``, of the group ``group`` on a stream.

    A group that does not exist starts ``since_s`` seconds ago. ``batch`` entries are handed out at
    a time. Raises StoreError when the URL is none.
    """

    def __init__(
        self,
        url: str,
        group: str,
        name: str,
        *,
        stream: bytes = EVENTS,
        dead_letters: bytes = DEAD_EVENTS,
        since_s: float = 0.0,
        batch: int = 200,
        claim_after_s: float = 30.0,
        max_deliveries: int = 3,
    ) -> None:
        connections(url)  # says in our words what is wrong with the URL
        self._url = url
        self._redis: Redis = Redis.from_url(
            url,
            protocol=2,
            decode_responses=False,
            socket_timeout=None,  # _in_time instead: under it, Python 3.11 loses cancellations
            socket_connect_timeout=CONNECT_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
            client_name="gateway-consumer",
        )
        self._group, self._name = group.encode(), name.encode()
        self._stream, self._dead = stream, dead_letters
        self._since_s: float | None = since_s
        self._batch = batch
        self._claim_after_s = claim_after_s
        self._max_deliveries = max_deliveries
        self._next_claim = 0.0
        self._has_group = False
        self._clock_ahead_s = 0.0
        self.trouble: StoreUnavailable | None = None

    async def __aenter__(self) -> Self:
        """Nothing is asked yet."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Hang up. What was not acknowledged stays the group's."""
        await self._redis.aclose()

    @property
    def now_s(self) -> float:
        """Unix time by the clock of Redis, as entries have it."""
        return time.time() + self._clock_ahead_s

    async def run(self, process: Process) -> None:
        """Process entries until cancelled. Whatever happens to Redis, it goes on afterwards;
        ``trouble`` says what is the matter right now."""
        backoff_s = 0.0
        while True:
            try:
                await self.step(process, wait_s=1.0)
            except StoreUnavailable as error:
                if self.trouble is None:
                    log.warning("consumer_disconnected", reason=error.trouble, url=shown_url(self._url))
                self.trouble = error
                backoff_s = min(max(FIRST_BACKOFF_S, 2 * backoff_s), MAX_BACKOFF_S)
                await asyncio.sleep(backoff_s * _random.uniform(0.5, 1.5))
            else:
                self.trouble, backoff_s = None, 0.0

    async def step(self, process: Process, wait_s: float = 0.0) -> int:
        """Take one batch and process it; how many entries there were.

        An entry counts as processed when ``process`` returns. It is a dead letter at once when
        that raises UnprocessableError, and comes again later when it raises anything else. Waits
        up to ``wait_s`` (whole ms) for entries. Raises StoreUnavailable.
        """
        try:
            if not self._has_group:
                await self._create_group()
            entries = await self._claim() or await self._read(wait_s)
            await self._deliver(entries, process)
        except ResponseError as error:
            self._has_group = False
            if not str(error).startswith("NOGROUP"):
                raise _unavailable(error) from error
            return 0
        except (RedisError, OSError) as error:
            self._has_group = False
            raise _unavailable(error) from error
        return len(entries)

    async def status(self) -> GroupStatus:
        """How far the group is. Raises StoreUnavailable."""
        try:
            groups = await _in_time(self._redis.xinfo_groups(self._stream))
            dead_letters = await _in_time(self._redis.xlen(self._dead))
        except (RedisError, OSError) as error:
            raise _unavailable(error) from error
        mine = next((found for found in groups if found["name"] == self._group), None)
        if mine is None:
            return GroupStatus(None, 0, dead_letters)
        return GroupStatus(mine.get("lag"), mine["pending"], dead_letters)

    async def leave(self) -> None:
        """Take the consumer's name off the group, unless something is still to be acknowledged
        under it. Raises StoreUnavailable."""
        group, name = self._group, self._name
        try:
            mine = await _in_time(
                self._redis.xpending_range(
                    self._stream, group, min="-", max="+", count=1, consumername=name
                )
            )
            if not mine:
                await _in_time(self._redis.xgroup_delconsumer(self._stream, group, name))
        except (RedisError, OSError) as error:
            raise _unavailable(error) from error

    async def disband(self) -> None:
        """Remove the group with all that it remembers. Raises StoreUnavailable."""
        try:
            await _in_time(self._redis.xgroup_destroy(self._stream, self._group))
        except (RedisError, OSError) as error:
            raise _unavailable(error) from error

    async def disband_idle(self, prefix: str, idle_s: float) -> None:
        """Remove the groups whose name starts so and whose consumers have all been silent for so
        long: their owners were killed. Raises StoreUnavailable."""
        try:
            for group in await _in_time(self._redis.xinfo_groups(self._stream)):
                if not group["name"].startswith(prefix.encode()):
                    continue
                consumers = await _in_time(self._redis.xinfo_consumers(self._stream, group["name"]))
                if consumers and min(one["idle"] for one in consumers) > idle_s * 1000:
                    await _in_time(self._redis.xgroup_destroy(self._stream, group["name"]))
        except (RedisError, OSError) as error:
            raise _unavailable(error) from error

    async def _create_group(self) -> None:
        """Make the group if it is not there, and the stream too."""
        seconds, microseconds = await _in_time(self._redis.time())
        self._clock_ahead_s = seconds + microseconds / 1e6 - time.time()
        since_s = None if self._since_s is None else self.now_s - self._since_s
        start = b"0" if since_s is None else b"%d" % max(0, since_s * 1000)
        try:
            await _in_time(
                self._redis.xgroup_create(self._stream, self._group, start, mkstream=True)
            )
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise
        self._has_group = True
        self._since_s = None  # when it has to be made again, all that is in the stream is new

    async def _claim(self) -> list[Delivery]:
        """What somebody took long ago and never acknowledged, now ours; looked for now and then."""
        now = asyncio.get_running_loop().time()
        if now < self._next_claim:
            return []
        reply = await _in_time(
            self._redis.xautoclaim(
                self._stream,
                self._group,
                self._name,
                min_idle_time=int(self._claim_after_s * 1000),
                count=self._batch,
            )
        )
        entries: list[tuple[bytes, Mapping[bytes, bytes] | None]] = reply[1]
        if len(entries) < self._batch:
            self._next_claim = now + self._claim_after_s * _random.uniform(0.4, 0.6)
        if not entries:
            return []
        pending = await _in_time(
            self._redis.xpending_range(
                self._stream,
                self._group,
                min=entries[0][0],
                max=entries[-1][0],
                count=len(entries),
                consumername=self._name,
            )
        )
        counts = {found["message_id"]: int(found["times_delivered"]) for found in pending}
        # Before Redis 7 an entry that has left the stream is still handed out, without fields.
        return [Delivery(id_, fields or {}, counts.get(id_, 1)) for id_, fields in entries]

    async def _read(self, wait_s: float) -> list[Delivery]:
        reply: Any = await _in_time(
            self._redis.xreadgroup(
                self._group.decode(),
                self._name.decode(),
                {self._stream: b">"},
                count=self._batch,
                block=int(wait_s * 1000) or None,
            )
        )
        return [Delivery(id_, fields) for _, entries in reply for id_, fields in entries]

    async def _deliver(self, entries: list[Delivery], process: Process) -> None:
        done: list[bytes] = []
        try:
            for entry in entries:
                if entry.deliveries > self._max_deliveries:
                    await self._dead_letter(
                        entry, f"handed out {self._max_deliveries} times in vain"
                    )
                elif await self._processed(entry, process):
                    done.append(entry.id)
        finally:
            if done:
                await _in_time(self._redis.xack(self._stream, self._group, *done))

    async def _processed(self, entry: Delivery, process: Process) -> bool:
        try:
            await process(entry)
        except UnprocessableError as error:
            await self._dead_letter(entry, str(error))
            return False
        except Exception:
            log.exception("event_not_processed", entry=entry.id, deliveries=entry.deliveries)
            return False
        return True

    async def _dead_letter(self, entry: Delivery, reason: str) -> None:
        """Move an entry to the dead letters: both there and away from here, or neither."""
        log.warning("event_dead_lettered", entry=entry.id, reason=reason)
        letter: dict[Any, Any] = {
            **entry.fields,
            b"dead_entry": entry.id,
            b"dead_group": self._group,
            b"dead_deliveries": b"%d" % entry.deliveries,
            b"dead_reason": reason[:MAX_REASON_CHARS].encode(),
        }
        async with self._redis.pipeline(transaction=True) as transaction:
            transaction.xadd(self._dead, letter, maxlen=MAX_DEAD_LETTERS)
            transaction.xack(self._stream, self._group, entry.id)
            await _in_time(transaction.execute())


async def _in_time(answer: Awaitable[_T]) -> _T:
    """An answer of Redis. Raises TimeoutError."""
    async with asyncio.timeout(REPLY_TIMEOUT_S):
        return await answer


def _unavailable(error: Exception) -> StoreUnavailable:
    return StoreUnavailable(classify(error, Trouble.UNREACHABLE), str(error))
