"""Players who ask at a fixed rate, whatever is being done to the gateway. A process of its own.

The rate is kept however slow the answers are (an open loop), and a latency counts from the moment
at which the request was *due*: a gateway that hangs for a second is seen by everyone who would have
asked in that second, not by one who waits.

Each viewer has a place, a device and a session, and keeps its connection as a player does. When a
connection breaks before an answer has begun, it asks again on a new one, as players do (the
requests are safe to repeat, RFC 9110, 9.2.2); such breaks are counted as ``lost``.

    python -m tests.drills.viewers < plan.json       one line of JSON for each answer

The first line of the input is the plan; the process ends when its input does.
"""

import asyncio
import contextlib
import dataclasses
import gc
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import uvloop

from tests.drills.answers import Answer, edge_of, fault, is_refusal

PATIENCE_S = 10.0
"""A player gives up waiting after this long (hls.js does); it counts as a failure."""
PATIENCE_FOR_FRESH_S = 12.0
"""The same where the gateway may have to ask the origin first."""

ATTEMPTS = 4
RETRY_S = 0.05
NEW_EACH = 10
"""Every so-many-th request comes from somebody who has no connection yet."""

PHONE = (
    "Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Mobile Safari/537.36"
)
DESKTOP = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Safari/537.36"
)
TELEVISION = (
    "Mozilla/5.0 (SMART-TV; LINUX; Tizen 6.5) AppleWebKit/537.36 (KHTML, like Gecko) "
    "85.0.4183.93/6.5 TV Safari/537.36"
)
DEVICES = (PHONE, DESKTOP, TELEVISION)


@dataclass(frozen=True)
class Plan:
    """What to ask. ``assets`` are titles that the gateway can answer from what it knows; every
    ``fresh_each``-th request (0: none) is for a title that nobody has asked for; with
    ``fresh_may_fail`` an honest refusal of those is right, too. ``edges`` are URLs by edge id.
    ``sessions``: whether players name one."""

    url: str
    edges: Mapping[str, str]
    assets: tuple[str, ...]
    addresses: tuple[str, ...]
    rate: float = 100.0
    viewers: int = 48
    fresh_each: int = 0
    fresh_may_fail: bool = False
    sessions: bool = True


@dataclass(frozen=True, slots=True)
class Sample:
    """One request: moments in seconds of the monotonic clock, which all processes share.

    ``edge`` is the one that ``Gateway-Decision`` names, and ``decision`` all that it says.
    ``known``: the gateway can answer from what it knows. ``fault`` says what was wrong with the
    answer; ``refused``: a title that it did not know was refused honestly. ``lost`` are connections
    that broke before the answer.
    """

    due: float
    sent: float
    done: float
    viewer: int
    asset: str
    known: bool
    status: int
    edge: str
    decision: str
    fault: str
    refused: bool
    lost: int

    @property
    def latency_ms(self) -> float:
        """From the moment at which it was due."""
        return (self.done - self.due) * 1000


class Viewers:
    """The process, and the samples that have come from it so far."""

    def __init__(self, plan: Plan) -> None:
        self.samples: list[Sample] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.drills.viewers"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(dataclasses.asdict(plan)) + "\n")
        self._process.stdin.flush()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.samples.append(Sample(*json.loads(line)))

    def stop(self) -> None:
        """Ask no more; returns when all answers are in."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            code = self._process.wait(2 * PATIENCE_FOR_FRESH_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._reader.join(5)
        self._process.stdout.close()
        assert code == 0, f"the viewers ended with {code}"


@contextlib.contextmanager
def watching(plan: Plan) -> Iterator[Viewers]:
    """Viewers who ask until the block ends."""
    viewers = Viewers(plan)
    try:
        yield viewers
    finally:
        viewers.stop()


@dataclass(eq=False)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def usable(self) -> bool:
        return not (self.reader.at_eof() or self.writer.is_closing() or self.reader.exception())


@dataclass
class _Viewer:
    number: int
    headers: bytes
    idle: list[_Connection] = field(default_factory=list)


class _Crowd:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        host, _, port = plan.url.removeprefix("http://").partition(":")
        self._address = host, int(port)
        # Nobody has asked for these, in this drill or in another one on the same gateway.
        self._fresh = (f"fresh/{os.getpid()}/{number}" for number in count())
        self._viewers = [
            _Viewer(
                number,
                f"Host: gateway.test\r\nUser-Agent: {DEVICES[number % len(DEVICES)]}\r\n"
                f"X-Forwarded-For: {plan.addresses[number % len(plan.addresses)]}\r\n".encode(),
            )
            for number in range(plan.viewers)
        ]

    async def ask_until(self, stop: asyncio.Event) -> None:
        """Ask at the plan's rate."""
        start = time.monotonic() + 0.05
        tasks: set[asyncio.Task[None]] = set()
        for number in count():
            due = start + number / self._plan.rate
            wait_s = due - time.monotonic()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            if stop.is_set():
                break
            task = asyncio.create_task(self._ask(number, due))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)
        for viewer in self._viewers:
            for connection in viewer.idle:
                connection.writer.close()

    async def _ask(self, number: int, due: float) -> None:
        plan = self._plan
        viewer = self._viewers[number % len(self._viewers)]
        fresh = plan.fresh_each > 0 and number % plan.fresh_each == 0
        # Every viewer comes to every title in time.
        turn = number // len(self._viewers) + viewer.number
        asset = next(self._fresh) if fresh else plan.assets[turn % len(plan.assets)]
        query = f"?session=s{viewer.number}" if plan.sessions else ""
        request = f"GET /v1/play/{asset}.m3u8{query} HTTP/1.1\r\n".encode() + viewer.headers
        sent = time.monotonic()
        lost = 0
        answer = Answer(0, {}, b"")
        wrong = ""
        known = not (fresh and plan.fresh_may_fail)
        patience_s = PATIENCE_S if known else PATIENCE_FOR_FRESH_S
        try:
            async with asyncio.timeout(patience_s):
                for attempt in range(ATTEMPTS):
                    try:
                        new = attempt > 0 or number % NEW_EACH == 0
                        answer = await self._exchange(viewer, request + b"\r\n", new=new)
                        break
                    except (OSError, asyncio.IncompleteReadError) as error:
                        lost += 1
                        wrong = f"connection lost: {error!r}"
                        await asyncio.sleep(RETRY_S)
        except TimeoutError:
            wrong = f"no answer within {patience_s:.0f} s"
        refused = not known and is_refusal(answer)
        if answer.status:
            wrong = "" if refused else fault(asset, plan.edges, answer)
        decision = answer.headers.get("gateway-decision", "")
        said = (answer.status, edge_of(decision), decision, wrong, refused, lost)
        print(
            json.dumps((due, sent, time.monotonic(), viewer.number, asset, known, *said)),
            flush=True,
        )

    async def _exchange(self, viewer: _Viewer, request: bytes, *, new: bool) -> Answer:
        """One request and its answer. Raises OSError or IncompleteReadError when it broke."""
        connection = None if new else self._idle(viewer)
        if connection is None:
            connection = _Connection(*await asyncio.open_connection(*self._address))
        try:
            connection.writer.write(request)
            answer = await _read(connection.reader)
        except BaseException:
            connection.writer.close()
            raise
        if new:
            connection.writer.close()
        else:
            viewer.idle.append(connection)
        return answer

    def _idle(self, viewer: _Viewer) -> _Connection | None:
        while viewer.idle:
            connection = viewer.idle.pop()
            if connection.usable():
                return connection
            connection.writer.close()
        return None


async def _read(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Answer(int(first.split(" ")[1]), headers, body)


async def _main() -> None:
    given: dict[str, Any] = json.loads(sys.stdin.readline())
    given["assets"], given["addresses"] = tuple(given["assets"]), tuple(given["addresses"])
    crowd = _Crowd(Plan(**given))
    gc.freeze()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), stop.set)  # nothing follows but its end
    await crowd.ask_until(stop)


if __name__ == "__main__":
    uvloop.run(_main())
