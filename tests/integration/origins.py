"""An HTTP origin with configurable faults, for tests and drills.

In a test, in its own event loop::

    async with origin() as it:                    # or origin(root=folder) to serve real files
        it.mode = Mode(delay_s=3)                 # for every path
        it.modes["/vod/a/master.m3u8"] = Mode(status=404)      # for one path
        ... it.url ("http://127.0.0.1:PORT/") ...
        assert [seen.target for seen in it.seen] == ["/vod/a/master.m3u8"]

As a process, which can be killed, frozen (SIGSTOP) and switched to another mode::

    python -m tests.integration.origins --port 9000 --mode-file mode.json [--root DIR] [--log F]

It prints ``ready http://127.0.0.1:9000/`` when it listens (``--port 0``: any free port). The mode
file is read anew for each request when it has changed; replace it by renaming. It holds the fields
of :class:`Mode`, and under ``"paths"`` modes for single paths: ``{"delay_s": 3, "paths":
{"/a/master.m3u8": {"status": 404}}}``. Without a file, or with ``{}``, the origin behaves well.
``--log`` appends one JSON line for each request, with its target and headers. In Python::

    with origin_process(tmp_path) as it:
        it.set(status=503); it.freeze(); it.thaw(); it.kill(); it.start(); it.requests()
"""

import argparse
import asyncio
import contextlib
import gzip
import hashlib
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import lru_cache
from pathlib import Path
from typing import Any

import brotli
import zstandard

from tests.ports import free_port

HTML = b"<!DOCTYPE html><html><body><h1>Something went wrong</h1></body></html>"
_PIECE = 65_536


@dataclass(frozen=True)
class Mode:
    """How requests are answered; fields can be combined. Without any, the origin behaves well: a
    playlist with an ETag, and 304 when the client has it."""

    status: int = 200
    delay_s: float = 0.0
    """Seconds of silence before the first byte of the answer."""
    body: str | None = None
    """Text of the body; None: the file below the root, or :func:`playlist` of the path."""
    html: bool = False
    """An HTML page instead, as ``text/html``, with whatever ``status`` says."""
    content_type: str = "application/vnd.apple.mpegurl"
    cache_control: str | None = "max-age=60"
    headers: Mapping[str, str] = field(default_factory=dict)
    """More headers; these win over those that are made here."""
    etag: bool = True
    """Send one, and answer 304 to it."""
    redirect: str | None = None
    """A ``Location``, with status 302; ``{path}`` in it is the path that was asked for."""
    drip_bytes_per_s: float | None = None
    """Send the body one byte at a time."""
    drip_head: bool = False
    """Drip the head of the answer, too."""
    chunked: bool = False
    """Chunked framing instead of Content-Length."""
    close_delimited: bool = False
    """No framing at all: the end of the connection is the end of the body."""
    cut_after: int | None = None
    """Hang up after so many bytes of the body, whatever the framing promised."""
    coding: str | None = None
    """``gzip``, ``br`` or ``zstd``: how the body is coded."""
    bomb_bytes: int | None = None
    """So many zeros, coded as ``coding`` says."""
    endless: bool = False
    """A playlist that never ends, as fast as it is read (chunked)."""
    raw: str | None = None
    """These bytes (Latin-1) instead of an HTTP answer."""
    reset: bool = False
    """Reset the connection as soon as the request is in."""
    silent: bool = False
    """Never answer; the connection stays open."""
    fail_every: int | None = None
    """Every so-many-th request gets a 503 instead: 2 is every other one."""
    flap_s: tuple[float, float] | None = None
    """(up, down): good for so many seconds, then 503 for so many, and again."""

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> "Mode":
        """The mode that a mode file's table describes; raises TypeError on an unknown key."""
        given = dict(table)
        if given.get("flap_s") is not None:
            up, down = given["flap_s"]
            given["flap_s"] = (float(up), float(down))
        return cls(**given)


@dataclass(frozen=True)
class Seen:
    """A received request. Header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]


def playlist(path: str, version: str = "1") -> bytes:
    """A multivariant playlist that tells which path and which version it is."""
    name = path.rpartition("/")[0].strip("/") or "root"
    return (
        f"#EXTM3U\n#EXT-X-VERSION:6\n## {name} version {version}\n"
        '#EXT-X-STREAM-INF:BANDWIDTH=400000,RESOLUTION=426x240,CODECS="avc1.4d4015,mp4a.40.2"\n'
        "240p/playlist.m3u8\n"
        '#EXT-X-STREAM-INF:BANDWIDTH=1200000,RESOLUTION=1280x720,CODECS="avc1.4d401f,mp4a.40.2"\n'
        "720p/playlist.m3u8\n"
    ).encode()


class Origin:
    """The server. ``mode`` and ``modes`` may be changed at any time; ``seen`` lists the
    requests."""

    def __init__(self, root: Path | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.mode = Mode()
        self.modes: dict[str, Mode] = {}
        self.version = "1"
        self.wall: Callable[[], float] = time.time
        """What its ``Date`` says."""
        self.seen: list[Seen] = []
        self.port = 0
        self._root = root
        self._tls = tls
        self._count = 0
        self._started = time.monotonic()

    @property
    def url(self) -> str:
        """Where it listens, with a slash at the end."""
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}/"

    def asked(self, path: str) -> int:
        """How often ``path`` was asked for."""
        return sum(seen.target == path for seen in self.seen)

    def mode_of(self, path: str) -> Mode:
        """The mode for ``path`` now."""
        return self.modes.get(path, self.mode)

    @contextlib.asynccontextmanager
    async def listening(self, port: int = 0) -> AsyncIterator["Origin"]:
        """Serve on loopback until the block ends; then close all connections."""
        tasks: set[asyncio.Task[None]] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            try:
                with contextlib.suppress(OSError, asyncio.CancelledError):
                    while await self._answer(reader, writer):
                        pass
            finally:
                tasks.discard(task)
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", port, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in list(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.sleep(0)

    def note(self, seen: Seen) -> None:
        """Record a request."""
        self.seen.append(seen)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether the connection may serve another one."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return False
        seen = _seen(head)
        self.note(seen)
        self._count += 1
        path = seen.target.partition("?")[0]
        mode = self.mode_of(path)
        status, body, headers = self._made(mode, path, seen)  # as things are when it is asked
        if mode.delay_s:
            await asyncio.sleep(mode.delay_s)
        if mode.silent:
            await asyncio.Event().wait()
        if mode.reset:
            writer.transport.abort()
            return False
        if mode.raw is not None:
            writer.write(mode.raw.encode("latin-1"))
            await writer.drain()
            return False
        await _send(writer, mode, status, b"" if seen.method == "HEAD" else body, headers)
        return not (mode.close_delimited or mode.endless or mode.cut_after is not None)

    def _made(self, mode: Mode, path: str, seen: Seen) -> tuple[int, bytes, dict[str, str]]:
        headers = {"Date": formatdate(self.wall(), usegmt=True), "Content-Type": mode.content_type}
        if mode.cache_control is not None:
            headers["Cache-Control"] = mode.cache_control
        status = mode.status
        if self._is_down(mode):
            status = 503
        if mode.redirect is not None:
            headers["Location"] = mode.redirect.replace("{path}", path)
            return 302, b"", {**headers, **mode.headers}
        body = self._body(mode, path)
        if body is None:
            status, body = 404, b""
        if mode.html or status >= 400:
            headers["Content-Type"] = "text/html; charset=utf-8"
            body = HTML
        if mode.bomb_bytes is not None:
            body = bytes(mode.bomb_bytes)
        if mode.etag and status == 200:
            headers["ETag"] = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
            if seen.headers.get("if-none-match") == headers["ETag"]:
                return 304, b"", {**headers, **mode.headers}
        if mode.coding is not None:
            body = _coded(body, mode.coding)
            headers["Content-Encoding"] = mode.coding
        return status, body, {**headers, **mode.headers}

    def _is_down(self, mode: Mode) -> bool:
        if mode.fail_every is not None and self._count % mode.fail_every == 0:
            return True
        if mode.flap_s is None:
            return False
        up, down = mode.flap_s
        return (time.monotonic() - self._started) % (up + down) >= up

    def _body(self, mode: Mode, path: str) -> bytes | None:
        if mode.body is not None:
            return mode.body.encode()
        if self._root is None:
            return playlist(path, self.version)
        file = (self._root / path.lstrip("/")).resolve()
        if not file.is_relative_to(self._root.resolve()) or not file.is_file():
            return None
        return file.read_bytes()


@contextlib.asynccontextmanager
async def origin(
    root: Path | None = None, port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Origin]:
    """An origin in this event loop."""
    async with Origin(root, tls).listening(port) as it:
        yield it


def _seen(head: bytes) -> Seen:
    request, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _ = request.split(" ", 2)
    pairs = (line.partition(":") for line in lines)
    return Seen(method, target, {name.strip().lower(): value.strip() for name, _, value in pairs})


async def _send(
    writer: asyncio.StreamWriter, mode: Mode, status: int, body: bytes, headers: dict[str, str]
) -> None:
    if mode.endless or mode.chunked:
        headers["Transfer-Encoding"] = "chunked"
    elif mode.close_delimited:
        headers["Connection"] = "close"
    elif status != 304:
        headers.setdefault("Content-Length", str(len(body)))
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {text}" for name, text in headers.items())]
    head = "\r\n".join([*lines, "", ""]).encode("latin-1")
    pace = mode.drip_bytes_per_s
    await _write(writer, head, pace if mode.drip_head else None)
    if status == 304:
        return
    if mode.endless:
        await _write_chunk(writer, b"#EXTM3U\n")
        while True:
            await _write_chunk(writer, b"## and on and on and on and on\n" * 1000)
    sent = body if mode.cut_after is None else body[: mode.cut_after]
    if mode.chunked:
        for start in range(0, len(sent), _PIECE):
            await _write_chunk(writer, sent[start : start + _PIECE])
        if mode.cut_after is None:
            writer.write(b"0\r\n\r\n")
    else:
        await _write(writer, sent, pace)
    await writer.drain()


async def _write(writer: asyncio.StreamWriter, data: bytes, pace: float | None) -> None:
    if pace is None:
        writer.write(data)
        await writer.drain()
        return
    for position in range(len(data)):
        writer.write(data[position : position + 1])
        await writer.drain()
        await asyncio.sleep(1 / pace)


async def _write_chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(b"%x\r\n%s\r\n" % (len(data), data))
    await writer.drain()


@lru_cache(maxsize=8)  # a bomb takes long to make
def _coded(body: bytes, coding: str) -> bytes:
    match coding:
        case "gzip":
            return gzip.compress(body, mtime=0)
        case "br":
            coded: bytes = brotli.compress(body, quality=5)
            return coded
        case "zstd":
            return zstandard.compress(body)
        case _:
            return body  # a coding that nobody knows


class _ToldByFile(Origin):
    """An origin that reads its modes from a file, and logs to another one."""

    def __init__(self, root: Path | None, modes: Path | None, log: Path | None) -> None:
        super().__init__(root)
        self._file = modes
        self._log = log
        self._stamp: tuple[int, int] | None = None

    def mode_of(self, path: str) -> Mode:
        if self._file is not None:
            try:
                found = self._file.stat()
                stamp = (found.st_mtime_ns, found.st_ino)
                if stamp != self._stamp:
                    table = json.loads(self._file.read_text())
                    paths = table.pop("paths", {})
                    self.mode = Mode.of(table)
                    self.modes = {name: Mode.of(each) for name, each in paths.items()}
                    self._stamp = stamp
            except FileNotFoundError:
                self.mode, self.modes = Mode(), {}
        return super().mode_of(path)

    def note(self, seen: Seen) -> None:
        super().note(seen)
        if self._log is not None:
            line = {"method": seen.method, "target": seen.target, "headers": dict(seen.headers)}
            with self._log.open("a") as log:
                log.write(json.dumps({"at": time.time(), **line}) + "\n")


class OriginProcess:
    """An origin in a separate process; it keeps its port when it is killed and started again."""

    def __init__(self, folder: Path, root: Path | None = None) -> None:
        """``folder`` holds its mode file and its log."""
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self._root = root
        self._modes = folder / f"mode-{self.port}.json"
        self._log = folder / f"requests-{self.port}.jsonl"
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it; returns when it listens."""
        command = [sys.executable, "-m", "tests.integration.origins", "--port", str(self.port)]
        command += ["--mode-file", str(self._modes), "--log", str(self._log)]
        if self._root is not None:
            command += ["--root", str(self._root)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        assert said.startswith("ready "), said

    def set(self, paths: Mapping[str, Mapping[str, Any]] | None = None, **mode: Any) -> None:
        """Set the mode: the fields of :class:`Mode` by name, and modes of single paths."""
        fresh = self._modes.with_suffix(".new")
        fresh.write_text(json.dumps({**mode, "paths": dict(paths or {})}))
        fresh.replace(self._modes)

    def requests(self) -> list[dict[str, Any]]:
        """The requests so far: ``at`` (Unix time), ``method``, ``target``, ``headers``."""
        if not self._log.exists():
            return []
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def freeze(self) -> None:
        """SIGSTOP: connections are accepted, and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL; does nothing when it is not running."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(10)
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            os.kill(self._process.pid, number)


@contextlib.contextmanager
def origin_process(folder: Path, root: Path | None = None) -> Iterator[OriginProcess]:
    """A running origin process; stopped at the end, even if it is frozen or killed."""
    process = OriginProcess(folder, root)
    process.start()
    try:
        yield process
    finally:
        process.kill()


async def _serve(arguments: argparse.Namespace) -> None:
    it = _ToldByFile(arguments.root, arguments.mode_file, arguments.log)
    async with it.listening(arguments.port):
        print(f"ready {it.url}", flush=True)
        stopped = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
        await stopped.wait()


def main() -> None:
    """The command; see the module's docstring."""
    parser = argparse.ArgumentParser(description="An origin that misbehaves as it is told to.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--mode-file", type=Path)
    parser.add_argument("--root", type=Path)
    parser.add_argument("--log", type=Path)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
