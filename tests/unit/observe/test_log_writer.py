"""Log lines on their way: whole, in order, bounded, and never waited for."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from gateway.observe import log_writer
from gateway.observe.log_writer import ATOMIC_BYTES, LineWriter


def lost(kind: str) -> float:
    """How many lines were lost so far."""
    return REGISTRY.get_sample_value("gateway_log_lines_lost_total", {"log": kind}) or 0.0


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """The reading and the writing end of a pipe."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def read_lines(reading: int, count: int) -> list[bytes]:
    """The next ``count`` lines of a pipe."""
    data = b""
    while data.count(b"\n") < count:
        data += os.read(reading, 65536)
    return data.splitlines()


@pytest.mark.parametrize("blocking", [True, False])
def test_a_full_pipe_makes_nobody_wait(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch, blocking: bool
) -> None:
    """Lines beyond the bound are lost and counted, those of the access log first; what was kept
    comes whole and in order when somebody reads."""
    monkeypatch.setitem(log_writer.MAX_WAITING_BYTES, "access", 100_000)
    monkeypatch.setitem(log_writer.MAX_WAITING_BYTES, "log", 120_000)
    os.set_blocking(pipe[1], blocking)
    writer, before = LineWriter(pipe[1]), (lost("access"), lost("log"))
    start = time.perf_counter()
    for number in range(5000):
        writer.offer(b"%0100d\n" % number, "access")
    writer.offer(b"an error\n", "log")
    assert time.perf_counter() - start < 2
    gone = int(lost("access") - before[0])
    assert gone > 2000
    assert before[1] == lost("log")
    found = read_lines(pipe[0], 5001 - gone)
    assert b"an error" == found.pop()
    assert sorted(found) == found
    assert {100} == set(map(len, found))
    assert writer.flush(5)


def test_lines_of_several_writers_do_not_mix(pipe: tuple[int, int]) -> None:
    """Each write has whole lines, and no more than a pipe takes at once."""
    writers = [LineWriter(pipe[1]) for _ in range(4)]

    def write(writer: LineWriter, letter: bytes) -> None:
        for number in range(400):
            writer.offer(letter * (number % 600 + 1) + b"\n", "access")

    letters = (b"a", b"b", b"c", b"d")
    threads = [
        threading.Thread(target=write, args=each) for each in zip(writers, letters, strict=True)
    ]
    for thread in threads:
        thread.start()
    found = read_lines(pipe[0], 1600)
    for thread in threads:
        thread.join()
    assert 1600 == len(found)
    for line in found:
        assert line == line[:1] * len(line)


def test_no_write_is_divided(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """No write but that of a single long line is larger than a pipe takes at once."""
    sizes: list[int] = []
    write = os.write

    def noted(descriptor: int, data: bytes) -> int:
        sizes.append(len(data))
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", noted)
    writer = LineWriter(pipe[1])
    for _ in range(100):
        writer.offer(b"x" * 300 + b"\n", "access")
    writer.offer(b"y" * 9000 + b"\n", "log")
    assert writer.flush(5)
    assert 9001 == max(sizes)
    assert ATOMIC_BYTES >= sorted(sizes)[-2] > 301


def test_a_closed_reader_costs_lines_alone(tmp_path: Path) -> None:
    """Nobody will read: the lines are lost and counted, and the writer goes on."""
    reading, writing = os.pipe()
    os.close(reading)
    before = lost("access")
    writer = LineWriter(writing)
    for _ in range(3):
        writer.offer(b"a line\n", "access")
    assert writer.flush(5)
    assert before + 3 == lost("access")
    with (tmp_path / "log").open("wb") as file:
        os.dup2(file.fileno(), writing)
    writer.offer(b"a line\n", "access")
    assert writer.flush(5)
    assert b"a line\n" == (tmp_path / "log").read_bytes()
    os.close(writing)
