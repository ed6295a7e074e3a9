"""How is a stream of events read so that each event is processed at least once?

A consumer group hands every entry to one of its consumers and remembers it until it is
acknowledged, which happens after processing. An entry that its consumer took and did not
acknowledge (it failed, was killed, or lost its connection) can be claimed by another consumer after
``claim_after_s``. An entry that was delivered ``max_deliveries`` times without success, or that is
malformed, moves to a stream of dead letters, with the reason.

So an entry may be processed twice, but is never skipped while it is in the stream. The stream is
bounded: a group that falls behind by its whole length loses the oldest entries.
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
from gateway.store.connection.reply_parser import (
    MAX_REPLY_BYTES,
    BoundedParser,
    ReplyTooLargeError,
)

MAX_DEAD_LETTERS = 10_000
REPLY_TIMEOUT_S = 5.0
"""Seconds for every reply, including the time that a read waits for new entries."""

MOST_CHECKED = 1000
"""Pending entries whose size is checked at a time."""

# KEYS: the stream. ARGV: a size in bytes, and ids. Returns those of larger entries.
_LARGE = """
local found = {}
for at = 2, #ARGV do
  local entry = redis.call('XRANGE', KEYS[1], ARGV[at], ARGV[at])[1]
  local size = 0
  for _, word in ipairs(entry and entry[2] or {}) do size = size + #word end
  if size > tonumber(ARGV[1]) then found[#found + 1] = ARGV[at] end
end
return found
"""

FIRST_BACKOFF_S = 0.25
MAX_BACKOFF_S = 2.0
MAX_REASON_CHARS = 300

log = structlog.get_logger(__name__)
_random = SystemRandom()


class UnprocessableError(Exception):
    """An entry that can never be processed; the message says why."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery of an entry; ``deliveries`` counts it and all earlier ones."""

    id: bytes
    fields: Mapping[bytes, bytes]
    deliveries: int = 1

    @property
    def time_ms(self) -> int:
        """When Redis received the entry, Unix time in ms."""
        return int(self.id.partition(b"-")[0])


@dataclass(frozen=True, slots=True)
class GroupStatus:
    """The progress of a group. ``lag``: entries not delivered yet, None when Redis cannot tell;
    ``pending``: delivered and not acknowledged; ``dead_letters`` are those of all groups."""

    lag: int | None
    pending: int
    dead_letters: int


_T = TypeVar("_T")
Process = Callable[[Delivery], Awaitable[None]]


class StreamConsumer:
    """One consumer, ``name``, of the group ``group`` on a stream.

    A new group starts ``since_s`` seconds ago. A read takes up to ``batch`` entries. Raises
    StoreError when the URL is invalid.
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
        connections(url)  # raises StoreError for an invalid URL
        self._url = url
        self._redis: Redis = Redis.from_url(
            url,
            protocol=2,
            decode_responses=False,
            socket_timeout=None,  # see _in_time: this one makes Python 3.11 lose cancellations
            socket_connect_timeout=CONNECT_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
            client_name="gateway-consumer",
            parser_class=BoundedParser,
        )
        self._group, self._name = group.encode(), name.encode()
        self._stream, self._dead = stream, dead_letters
        self._since_s: float | None = since_s
        self._batch = batch
        self._max_entry_bytes = MAX_REPLY_BYTES // (2 * batch)
        self._claim_after_s = claim_after_s
        self._max_deliveries = max_deliveries
        self._next_claim = 0.0
        self._has_group = False
        self._clock_ahead_s = 0.0
        self.trouble: StoreUnavailable | None = None

    async def __aenter__(self) -> Self:
        """Enter; nothing is sent yet."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Disconnect. Entries that were not acknowledged stay pending."""
        await self._redis.aclose()

    @property
    def now_s(self) -> float:
        """Unix time by Redis's clock, which dates the entries."""
        return time.time() + self._clock_ahead_s

    async def run(self, process: Process) -> None:
        """Process entries until cancelled. It survives any failure of Redis; ``trouble`` says why
        Redis cannot be reached now."""
        backoff_s = 0.0
        while True:
            try:
                await self.step(process, wait_s=1.0)
            except StoreUnavailable as error:
                if self.trouble is None:
                    log.warning(
                        "consumer_disconnected", reason=error.trouble, url=shown_url(self._url)
                    )
                self.trouble = error
                backoff_s = min(max(FIRST_BACKOFF_S, 2 * backoff_s), MAX_BACKOFF_S)
                await asyncio.sleep(backoff_s * _random.uniform(0.5, 1.5))
            else:
                self.trouble, backoff_s = None, 0.0

    async def step(self, process: Process, wait_s: float = 0.0) -> int:
        """Read one batch and process it; returns the number of entries.

        An entry is processed when ``process`` returns. When ``process`` raises UnprocessableError
        it becomes a dead letter at once; after any other exception it is delivered again later.
        Waits up to ``wait_s`` (in whole ms) for entries. Raises StoreUnavailable.
        """
        try:
            if not self._has_group:
                await self._create_group()
            entries = await self._claim() or await self._read(wait_s)
            await self._deliver(entries, process)
        except ReplyTooLargeError:
            return await self._discard_large()
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
        """The progress of the group. Raises StoreUnavailable."""
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
        """Remove this consumer from the group, unless it has pending entries. Raises
        StoreUnavailable."""
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
        """Remove the group and its state. Raises StoreUnavailable."""
        try:
            await _in_time(self._redis.xgroup_destroy(self._stream, self._group))
        except (RedisError, OSError) as error:
            raise _unavailable(error) from error

    async def disband_idle(self, prefix: str, idle_s: float) -> None:
        """Remove groups with this name prefix whose consumers have all been idle for this long:
        their owners were killed. Raises StoreUnavailable."""
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
        """Create the group, and the stream, if they do not exist."""
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
        self._since_s = None  # a group that is created again reads the whole stream

    async def _claim(self) -> list[Delivery]:
        """Entries that another consumer took long ago and never acknowledged, now ours; checked now
        and then."""
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
        # Before Redis 7 an entry that was trimmed is still delivered, without fields.
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

    async def _discard_large(self) -> int:
        """Move entries that are too large to be read to the dead letters, without their content.
        Returns their number. Entries that were delivered with them are claimed later."""
        try:
            pending = await _in_time(
                self._redis.xpending_range(
                    self._stream, self._group, min="-", max="+", count=MOST_CHECKED
                )
            )
            counts = {found["message_id"]: int(found["times_delivered"]) for found in pending}
            large: Any = await _in_time(
                self._redis.eval(_LARGE, 1, self._stream, self._max_entry_bytes, *counts)
            )
            for id_ in large:
                reason = f"larger than {self._max_entry_bytes} bytes"
                await self._dead_letter(Delivery(id_, {}, counts[id_]), reason)
        except (RedisError, OSError) as error:
            raise _unavailable(error) from error
        return len(large)

    async def _deliver(self, entries: list[Delivery], process: Process) -> None:
        done: list[bytes] = []
        try:
            for entry in entries:
                if entry.deliveries > self._max_deliveries:
                    await self._dead_letter(
                        entry, f"delivered {self._max_deliveries} times without success"
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
        """Move an entry to the dead letters and acknowledge it, in one transaction."""
        log.warning("event_dead_lettered", entry=entry.id, reason=reason)
        letter: dict[Any, Any] = {
            **entry.fields,
            b"dead_entry": entry.id,
            b"dead_group": self._group,
            b"dead_deliveries": b"%d" % entry.deliveries,
            b"dead_reason": reason[:MAX_REASON_CHARS].encode(),
        }
        if await _in_time(self._redis.type(self._dead)) not in {b"stream", b"none"}:
            await _in_time(self._redis.delete(self._dead))  # not ours
        async with self._redis.pipeline(transaction=True) as transaction:
            transaction.xadd(self._dead, letter, maxlen=MAX_DEAD_LETTERS)
            transaction.xack(self._stream, self._group, entry.id)
            await _in_time(transaction.execute())


async def _in_time(answer: Awaitable[_T]) -> _T:
    """A reply of Redis within the time limit. Raises TimeoutError."""
    async with asyncio.timeout(REPLY_TIMEOUT_S):
        return await answer


def _unavailable(error: Exception) -> StoreUnavailable:
    return StoreUnavailable(classify(error, Trouble.UNREACHABLE), str(error))
