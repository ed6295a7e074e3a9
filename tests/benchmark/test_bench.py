"""The benchmark measures what it says: every answer is counted once, wrong ones end it."""

import asyncio
import contextlib
import os
import subprocess
import sys
import time

import pytest

from tests.benchmark.bench_generator import GeneratorError, Volley, fire
from tests.benchmark.bench_process import PROC, ProcessTree

CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\nA;x=1\r\n0123456789\r\n0\r\n\r\n"
)
OK = b"HTTP/1.1 200 OK\r\nX: 1\r\nContent-Length: 3\r\n\r\nabc"


async def served(pieces: list[bytes], count: int) -> Volley:
    """Ask ``count`` times a server that answers each request with ``pieces``, one by one."""

    handlers: list[asyncio.Task[None] | None] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers.append(asyncio.current_task())
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b"\r\n\r\n"):
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0.001)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        requests = [b"GET / HTTP/1.1\r\n\r\n"] * count
        try:
            return await fire(port, requests, seconds=None, connections=4)
        finally:
            await asyncio.gather(*(handler for handler in handlers if handler is not None))


@pytest.mark.parametrize(
    ("name", "pieces"),
    [
        ("whole", [OK]),
        ("head and body apart", [OK[:-3], OK[-3:]]),
        ("cut in the head", [OK[:20], OK[20:]]),
        ("cut in the body", [OK[:-1], OK[-1:]]),
        ("chunks", [CHUNKED]),
        ("chunks cut in a size", [CHUNKED[:-17], CHUNKED[-17:]]),
        ("chunks cut before the last line", [CHUNKED[:-2], CHUNKED[-2:]]),
        ("lower case", [OK.replace(b"Content-Length", b"content-length")]),
    ],
)
async def test_every_answer_counts_once(name: str, pieces: list[bytes]) -> None:
    """However the bytes arrive."""
    volley = await served(pieces, 25)
    assert 25 == volley.requests
    assert 25 == len(volley.latencies_ms)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("an error", OK.replace(b"200 OK", b"500 No")),
        ("a longer body than it says", OK + b"d"),
    ],
)
async def test_a_wrong_answer_ends_it(name: str, answer: bytes) -> None:
    """Errors are quick; they must not look like speed."""
    with pytest.raises(GeneratorError, match="unexpected answer"):
        await served([answer], 8)


def test_percentiles() -> None:
    """The time within which a share of the requests was answered."""
    volley = Volley(100, 1.0, 0.1, [float(each) for each in range(100)])
    assert 50.0 == volley.latency_ms(0.50)
    assert 99.0 == volley.latency_ms(0.99)


def test_cpu_time_of_a_process() -> None:
    """What this process burns is what ``/proc`` says of it."""
    if not PROC.is_dir():
        pytest.skip("needs /proc")
    tree = ProcessTree(os.getpid())
    before, start = tree.own_cpu_s(), time.process_time()
    while time.process_time() - start < 0.2:
        pass
    assert tree.own_cpu_s() - before == pytest.approx(0.2, abs=0.03)


def test_processes_below() -> None:
    """Children of children count, as the embedded store is one."""
    if not PROC.is_dir():
        pytest.skip("needs /proc")
    burn = "import time\nwhile time.process_time() < 0.2: pass\nprint(1, flush=True); input()"
    command = ["/bin/sh", "-c", f"{sys.executable} -c '{burn}'; true"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.readline()
        tree = ProcessTree(process.pid)
        assert 1 == len(tree.descendants())
        assert tree.descendants_cpu_s() >= 0.15
        assert ProcessTree(os.getpid()).descendants_cpu_s() >= 0.15
        process.stdin.close()
