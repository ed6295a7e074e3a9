"""How fast does a server answer? A small HTTP/1.1 client that asks as fast as it is answered.

Requests are bytes made beforehand; each connection sends the next one when its answer is there
(keep-alive, no pipelining). It reads what the head and ``Content-Length`` say, or walks the chunks,
and nothing more, so that its own cost stays small: half of it is the kernel's, for sending and
receiving. It looks at the status, 200 or 204, and at nothing else: that answers are right is the
load test's business.
"""

import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

_NO_CONTENT = b"HTTP/1.1 204 "
_FINE = (b"HTTP/1.1 200 ", _NO_CONTENT)
PATIENCE_S = 30.0
"""When no answer has come for so long, one is missing."""


class GeneratorError(RuntimeError):
    """The server did something that makes the measurement worthless."""


@dataclass(frozen=True, slots=True)
class Volley:
    """One run of the generator: what was answered in how long, and what the generator itself used.

    ``own_cpu_s`` close to ``seconds`` means that the generator, not the server, set the pace.
    """

    requests: int
    seconds: float
    own_cpu_s: float
    latencies_ms: Sequence[float]

    def latency_ms(self, share: float) -> float:
        """The time within which ``share`` of the requests were answered."""
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@dataclass
class _Run:
    requests: Iterator[bytes]
    until: float
    done: "asyncio.Future[None]"
    open: int
    latencies: list[float] = field(default_factory=list)


class _Connection(asyncio.Protocol):
    """One connection; asks again and again until the time is over."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._buffer = b""
        self._needed = 0
        self._sent_at = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        if not self._needed:
            self._needed = answer_length(self._buffer)
        if not self._needed or len(self._buffer) < self._needed:
            return
        if len(self._buffer) > self._needed or not self._buffer.startswith(_FINE):
            self._fail(f"unexpected answer: {self._buffer[:300]!r}")
            return
        self._run.latencies.append(time.perf_counter() - self._sent_at)
        self._buffer, self._needed = b"", 0
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(f"the server closed a connection: {exc}")

    def _ask(self) -> None:
        assert self._transport is not None
        self._sent_at = time.perf_counter()
        request = None if self._sent_at >= self._run.until else next(self._run.requests, None)
        if request is not None:
            self._transport.write(request)
            return
        self._run.open -= 1
        if not self._run.open and not self._run.done.done():
            self._run.done.set_result(None)

    def _fail(self, text: str) -> None:
        if not self._run.done.done():
            self._run.done.set_exception(GeneratorError(text))


def answer_length(buffer: bytes) -> int:
    """Bytes of the first answer in ``buffer``, head and body; 0 while that cannot be known yet.

    Raises :class:`GeneratorError` when its head says neither a length nor ``chunked``.
    """
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return 0
    if buffer.startswith(_NO_CONTENT):
        return end + 4
    start = buffer.find(b"\r\ncontent-length: ", 0, end)
    if start >= 0:  # as uvicorn writes it; the others take the way round
        start += len(b"\r\ncontent-length: ")
        return end + 4 + int(buffer[start : buffer.index(b"\r\n", start)])
    head = buffer[: end + 2].lower()
    start = head.find(b"\r\ncontent-length:")
    if start >= 0:
        start += len(b"\r\ncontent-length:")
        return end + 4 + int(head[start : head.index(b"\r\n", start)])
    if b"\r\ntransfer-encoding: chunked\r\n" in head:
        return _chunks_end(buffer, end + 4)
    raise GeneratorError(f"neither a length nor chunks: {head!r}")


def _chunks_end(buffer: bytes, at: int) -> int:
    """Where the chunks that begin at ``at`` end (RFC 9112, 7.1; nobody here sends trailers)."""
    while True:
        line_end = buffer.find(b"\r\n", at)
        if line_end < 0:
            return 0
        size = int(buffer[at:line_end].partition(b";")[0], 16)
        at = line_end + 2 + size + 2
        if not size:
            return at
        if at > len(buffer):
            return 0


async def fire(
    port: int, requests: Sequence[bytes], *, seconds: float | None, connections: int
) -> Volley:
    """Ask the server on loopback ``port`` each request once, until all were asked or ``seconds``
    are over (None: until all were asked).

    Raises :class:`GeneratorError` when an answer is neither 200 nor 204, or a connection breaks.
    """
    loop = asyncio.get_running_loop()
    start = time.perf_counter()
    run = _Run(
        requests=iter(requests),
        until=float("inf") if seconds is None else start + seconds,
        done=loop.create_future(),
        open=connections,
    )
    before = _own_cpu_s()
    transports = []
    try:
        for _ in range(connections):
            transport, _ = await loop.create_connection(lambda: _Connection(run), "127.0.0.1", port)
            transports.append(transport)
        while not run.done.done():
            answered = len(run.latencies)
            await asyncio.wait([run.done], timeout=PATIENCE_S)
            if len(run.latencies) == answered and not run.done.done():
                raise GeneratorError("an answer did not come")
        run.done.result()
    finally:
        took = time.perf_counter() - start
        used = _own_cpu_s() - before
        for transport in transports:
            transport.close()
    return Volley(len(run.latencies), took, used, [1000 * each for each in run.latencies])


def _own_cpu_s() -> float:
    times = os.times()
    return times.user + times.system
