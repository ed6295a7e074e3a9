"""How do many requests share one connection to Redis, each with its own deadline?

Commands that requests ask for in the same turn of the event loop leave in one write. Redis answers
in order, so the oldest command in flight owns the next reply. Callers wait on futures and never
touch the connection: a caller that gives up leaves its place in the row behind, and nobody can be
handed a reply that is not theirs.

A pipeline that breaks stays broken. Whoever owns it opens another on a new connection.
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
"""So many deadlines missed one after the other break the pipeline."""

MAX_QUEUED_BYTES = 8 * 1024 * 1024
"""Writes that wait to be sent take no more than this; the oldest are given up."""

FIRST_LOOK = 0.9
"""After this share of the deadline a command is looked at for the first time."""

_TICK_S = 0.001
"""What the clock of an event loop may be coarse by."""


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
    """Commands not yet sent, and how many bytes they hold."""

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

        Raises StoreUnavailable. ``close`` must be called in any case.
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
        """Fail whatever is under way and drop the connection."""
        self.fail(Trouble.CLOSED)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._connection.disconnect(nowait=True)

    def ask(self, *words: bytes) -> asyncio.Future[RedisReply]:
        """Send a command that somebody waits for; the future gets its reply.

        The future raises StoreUnavailable at the deadline, or when the pipeline breaks, and
        ResponseError when Redis answers with an error.
        """
        return self._enqueue(self._reads, words)

    def tell(self, *words: bytes) -> asyncio.Future[RedisReply]:
        """Send a command that nobody waits for. Like ``ask``, but it goes after the reads of the
        same turn, and it is given up when too many bytes wait to be sent."""
        reply = self._enqueue(self._writes, words)
        while self._writes.size > MAX_QUEUED_BYTES:
            self._writes.popleft().fail(StoreUnavailable(Trouble.OVERFLOW))
        return reply

    def fail(self, trouble: Trouble, detail: str = "") -> None:
        """Break the pipeline: everything under way fails now, and everything asked later too."""
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
            # In flight before they are sent: a reply may come while the rest is still leaving.
            self._in_flight.extend(batch)
            # redis-py packs in Python, and joins a long command again with every word of it.
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
        """Look at the commands whose first look is due; the oldest ones stand first. One timer does
        for all.

        Give what has already arrived a chance to be read before a command is given up. When our
        own event loop was held up, timers run out while replies lie unread. The rest of the
        deadline and one more turn let them in.
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
        # Commands that were under way together miss together; that is one sign, not many.
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
    """The trouble that an error of the client stands for."""
    return next((trouble for kind, trouble in _TROUBLES if isinstance(error, kind)), otherwise)
