"""Sends many raw requests, pipelined on a few connections, and reads the answers.

It costs about 50 microseconds for each: a client library would take longer than the gateway.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Shot:
    """One request. ``alone``: nothing may follow it on its connection before it was answered, as
    it may be refused together with the connection. ``note`` is for the judge."""

    data: bytes
    method: bytes = b"GET"
    alone: bool = False
    note: object = None


@dataclass(slots=True)
class Answer:
    """One answer; headers by lower-case name, repeated ones joined with commas."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


Judge = Callable[[Shot, Answer], str]
"""What is wrong with an answer; "" when nothing is."""


ANSWER_S = 120.0
"""The longest time that a connection waits for its next answer."""


@dataclass
class Tally:
    """What came of it. ``closed`` counts shots whose connection ended without an answer."""

    answered: int = 0
    closed: int = 0
    statuses: dict[int, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def shown(self) -> str:
        """The statuses with their numbers."""
        return " ".join(f"{status}:{count}" for status, count in sorted(self.statuses.items()))


class _Connection(asyncio.Protocol):
    """One connection, with up to ``depth`` requests under way."""

    def __init__(
        self, shots: Iterator[Shot], again: deque[Shot], judge: Judge, tally: Tally, depth: int
    ) -> None:
        self._shots = shots
        self._again = again
        self._judge = judge
        self._tally = tally
        self._depth = depth
        self._flying: deque[Shot] = deque()
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self.ended = asyncio.get_running_loop().create_future()
        self.drained = False
        self.answers = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._fill()

    def _next(self) -> Shot | None:
        return self._again.popleft() if self._again else next(self._shots, None)

    def _fill(self) -> None:
        """Send more. A shot that is alone waits until the others were answered."""
        assert self._transport is not None
        if self._transport.is_closing() or len(self._flying) > self._depth // 2:
            return
        if self._flying and self._flying[-1].alone:
            return
        sent = []
        while len(self._flying) < self._depth:
            shot = self._next()
            if shot is None:
                self.drained = True
                break
            if shot.alone and self._flying:
                self._again.appendleft(shot)
                break
            self._flying.append(shot)
            sent.append(shot.data)
            if shot.alone:
                break
        if sent:
            self._transport.write(b"".join(sent))
        if not self._flying:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while self._flying:
            found = parse(self._buffer, self._flying[0].method)
            if found is None:
                break
            answer, size = found
            self._buffer = self._buffer[size:]
            if answer.status == 100:
                continue
            self._take(self._flying.popleft(), answer)
            if answer.headers.get(b"connection") == b"close":
                assert self._transport is not None
                self._transport.close()
        self._fill()

    def _take(self, shot: Shot, answer: Answer) -> None:
        tally = self._tally
        tally.answered += 1
        self.answers += 1
        tally.statuses[answer.status] = tally.statuses.get(answer.status, 0) + 1
        fault = self._judge(shot, answer)
        if fault and len(tally.faults) < 50:
            tally.faults.append(f"{fault}; sent {shot.data[:400]!r}")

    def connection_lost(self, _: Exception | None) -> None:
        if self._flying:
            first = self._flying.popleft()
            if first.alone:
                self._tally.closed += 1
                if first.method != b"*":
                    self._tally.faults.append(f"closed without an answer: {first.data[:400]!r}")
            else:
                self._flying.appendleft(first)
        self._again.extend(self._flying)
        if not self.ended.done():
            self.ended.set_result(None)


def parse(data: bytes, method: bytes) -> tuple[Answer, int] | None:
    """The first answer in ``data`` and its length; None when it is not complete."""
    end = data.find(END)
    if end < 0:
        return None
    lines = data[:end].split(b"\r\n")
    status = int(lines[0][9:12])
    headers: dict[bytes, bytes] = {}
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        name, value = name.lower(), value.strip()
        headers[name] = headers[name] + b", " + value if name in headers else value
    start = end + 4
    if method == b"HEAD" or status in {100, 204, 304}:
        return Answer(status, headers, b""), start
    if b"content-length" in headers:
        stop = start + int(headers[b"content-length"])
        return None if len(data) < stop else (Answer(status, headers, data[start:stop]), stop)
    if headers.get(b"transfer-encoding") == b"chunked":
        return _chunked(data, start, status, headers)
    return None


def _chunked(
    data: bytes, start: int, status: int, headers: dict[bytes, bytes]
) -> tuple[Answer, int] | None:
    body: list[bytes] = []
    while (end := data.find(b"\r\n", start)) >= 0:
        size = int(data[start:end], 16)
        start = end + 4 + size
        if len(data) < start:
            return None
        if size == 0:
            return Answer(status, headers, b"".join(body)), start
        body.append(data[end + 2 : end + 2 + size])
    return None


async def _ended(one: _Connection) -> bool:
    """Wait until a connection has ended; False when nothing was answered for ``ANSWER_S``."""
    before = -1
    while not one.ended.done():
        if one.answers == before:
            return False
        before = one.answers
        await asyncio.wait((one.ended,), timeout=ANSWER_S)
    return True


async def fire(
    port: int,
    shots: Iterator[Shot],
    judge: Judge,
    *,
    connections: int = 4,
    depth: int = 8,
    tally: Tally | None = None,
) -> Tally:
    """Send all shots; returns when each was answered."""
    tally = tally or Tally()
    again: deque[Shot] = deque()
    loop = asyncio.get_running_loop()

    async def keep_on() -> None:
        quiet = 0
        while True:
            before = tally.answered + tally.closed
            _, one = await loop.create_connection(
                lambda: _Connection(shots, again, judge, tally, depth), "127.0.0.1", port
            )
            if not await _ended(one):
                tally.faults.append(f"no answer within {ANSWER_S:g} s")
                return
            if one.drained and not again:
                return
            quiet = quiet + 1 if tally.answered + tally.closed == before else 0
            if quiet > 20:
                tally.faults.append("connections end before anything is answered")
                return

    await asyncio.gather(*(keep_on() for _ in range(connections)))
    return tally


async def talk(
    port: int, data: bytes, within_s: float = 6.0, method: bytes = b"GET", quiet_s: float = 1.5
) -> list[Answer]:
    """Send bytes on a connection of their own; the answers until it ends, until nothing comes for
    ``within_s``, or nothing more for ``quiet_s``."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    received = b""
    try:
        writer.write(data)
        with contextlib.suppress(TimeoutError, ConnectionError):
            while more := await asyncio.wait_for(
                reader.read(1 << 20), quiet_s if received else within_s
            ):
                received += more
    finally:
        writer.transport.abort()
    found = []
    while (one := parse(received, method)) is not None:
        found.append(one[0])
        received = received[one[1] :]
    return found
