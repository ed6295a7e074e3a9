"""How do many requests share one connection to Redis, each with its own deadline?

Commands that are issued in the same turn of the event loop are sent in one write. Redis answers in
order, so the next reply belongs to the oldest command in flight. Callers wait on futures and never
touch the connection: a caller that gives up leaves its command in the queue, so no caller can get
another's reply.

A broken pipeline stays broken. Its owner opens another one on a new connection.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from hiredis import pack_command
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import TimeoutError as RedisTimeoutError

from gateway.store.connection.address import CONNECT_TIMEOUT_S
from gateway.store.connection.protocol import RedisReply, StoreUnavailable, Trouble

MAX_MISSES = 3
"""Deadlines missed in a row that break the pipeline."""

MAX_QUEUED_BYTES = 8 * 1024 * 1024
"""The most bytes of writes that wait to be sent; beyond it the oldest are dropped."""

FIRST_LOOK = 0.9
"""The share of the deadline after which a command is first checked."""

_TICK_S = 0.001
"""The resolution of the event loop's clock."""


@dataclass(slots=True, eq=False)
class _Command:
    words: tuple[bytes, ...]
    reply: asyncio.Future[RedisReply]
    asked_at: float

    def fail(self, error: Exception) -> None:
        if not self.reply.done():
            self.reply.set_exception(error)


@dataclass(slots=True)
class _Queue:
    """Commands not yet sent, and their size in bytes."""

    commands: deque[_Command] = field(default_factory=deque)
    size: int = 0

    def append(self, command: _Command) -> None:
        self.commands.append(command)
        self.size += sum(map(len, command.words))

    def popleft(self) -> _Command:
        command = self.commands.popleft()
        self.size -= sum(map(len, command.words))
        return command


class Pipeline:
    """One connection, many commands in flight. ``timeout_s`` is the deadline of each command."""

    def __init__(self, connection: AbstractConnection, *, timeout_s: float) -> None:
        self._connection = connection
        self._timeout_s = timeout_s
        self._first_look_s = FIRST_LOOK * timeout_s
        self._loop = asyncio.get_running_loop()
        self._reads = _Queue()
        self._writes = _Queue()
        self._in_flight: deque[_Command] = deque()
        self._watched: deque[_Command] = deque()
        self._next_look: asyncio.TimerHandle | None = None
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._misses = 0
        self._last_miss_at = float("-inf")
        self.broken: asyncio.Future[StoreUnavailable] = self._loop.create_future()

    async def open(self) -> None:
        """Connect and log in.

        Raises StoreUnavailable. Call ``close`` in any case.
        """
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await self._connection.connect()  # type: ignore[no-untyped-call]
        except (RedisError, OSError, ValueError) as error:
            raise StoreUnavailable(classify(error, Trouble.UNREACHABLE), str(error)) from error
        for work in (self._read_replies, self._send_commands):
            task = self._loop.create_task(work(), name=f"store {work.__name__}")
            task.add_done_callback(self._task_ended)
            self._tasks.append(task)

    async def close(self) -> None:
        """Fail every pending command and close the connection."""
        self.fail(Trouble.CLOSED)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._connection.disconnect(nowait=True)

    def ask(self, *words: bytes) -> asyncio.Future[RedisReply]:
        """Send a command and return a future for its reply.

        The future raises StoreUnavailable at the deadline or when the pipeline breaks, and
        ResponseError when Redis replies with an error.
        """
        return self._enqueue(self._reads, words)

    def tell(self, *words: bytes) -> asyncio.Future[RedisReply]:
        """Send a command whose reply is not urgent. Like ``ask``, but it is sent after the reads of
        the same turn, and dropped when too many bytes wait."""
        reply = self._enqueue(self._writes, words)
        while self._writes.size > MAX_QUEUED_BYTES:
            self._writes.popleft().fail(StoreUnavailable(Trouble.OVERFLOW))
        return reply

    def fail(self, trouble: Trouble, detail: str = "") -> None:
        """Break the pipeline: all pending commands fail now, and all later ones at once."""
        if self.broken.done():
            return
        self.broken.set_result(StoreUnavailable(trouble, detail))
        for command in (*self._in_flight, *self._reads.commands, *self._writes.commands):
            command.fail(StoreUnavailable(trouble, detail))
        for task in self._tasks:
            task.cancel()
        self._watched.clear()
        if self._next_look is not None:
            self._next_look.cancel()

    def _enqueue(self, queue: _Queue, words: tuple[bytes, ...]) -> asyncio.Future[RedisReply]:
        now = self._loop.time()
        command = _Command(words, self._loop.create_future(), now)
        if self.broken.done():
            broken = self.broken.result()
            command.fail(StoreUnavailable(broken.trouble, broken.detail))
            return command.reply
        self._watched.append(command)
        if self._next_look is None:
            self._next_look = self._loop.call_later(self._first_look_s, self._look)
        queue.append(command)
        self._wake.set()
        return command.reply

    async def _send_commands(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch: list[_Command] = []
            for queue in (self._reads, self._writes):
                while queue.commands:
                    command = queue.popleft()
                    if not command.reply.done():
                        batch.append(command)
            # Mark them in flight before sending: a reply may arrive while the rest is sent.
            self._in_flight.extend(batch)
            # hiredis packs faster than redis-py, which packs in Python and copies long commands.
            words = [pack_command(command.words) for command in batch]  # type: ignore[arg-type]
            packed = [b"".join(words)]
            await self._connection.send_packed_command(packed, check_health=False)

    async def _read_replies(self) -> None:
        while True:
            try:
                reply = await self._connection.read_response(disable_decoding=True)
            except ResponseError as error:
                self._in_flight.popleft().fail(error)
                continue
            command = self._in_flight.popleft()
            if not command.reply.done():
                self._misses = 0
                command.reply.set_result(reply)

    def _look(self) -> None:
        """Check the commands whose first check is due; the oldest come first. One timer serves all.

        A command is not failed at this check, but a rest of the deadline and one loop turn later.
        When the event loop was blocked, timers fire while replies lie unread in the socket; the
        delay lets them be read first.
        """
        self._next_look = None
        rest_s = self._timeout_s - self._first_look_s
        due = self._loop.time() - self._first_look_s + _TICK_S
        while self._watched:
            command = self._watched[0]
            if not command.reply.done():
                if command.asked_at > due:
                    wait_s = command.asked_at - due
                    self._next_look = self._loop.call_later(wait_s, self._look)
                    return
                self._loop.call_later(rest_s, self._loop.call_soon, self._expire, command)
            self._watched.popleft()

    def _expire(self, command: _Command) -> None:
        if command.reply.done():
            return
        command.fail(StoreUnavailable(Trouble.TIMEOUT))
        # Commands in flight together time out together; that counts once.
        if command.asked_at >= self._last_miss_at:
            self._last_miss_at = self._loop.time()
            self._misses += 1
            if self._misses >= MAX_MISSES:
                self.fail(Trouble.TIMEOUT, f"{MAX_MISSES} deadlines missed in a row")

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        self.fail(classify(error, Trouble.LOST), str(error))


_TROUBLES: tuple[tuple[type[BaseException], Trouble], ...] = (
    (AuthenticationError, Trouble.AUTH),
    (BusyLoadingError, Trouble.LOADING),
    (OutOfMemoryError, Trouble.FULL),
    (ReadOnlyError, Trouble.READ_ONLY),
    (ResponseError, Trouble.REJECTED),
    (RedisTimeoutError, Trouble.TIMEOUT),
    (TimeoutError, Trouble.TIMEOUT),
)


def classify(error: BaseException | None, otherwise: Trouble) -> Trouble:
    """The trouble that a client error stands for."""
    return next((trouble for kind, trouble in _TROUBLES if isinstance(error, kind)), otherwise)
