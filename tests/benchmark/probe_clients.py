"""What does a probe cost with either HTTP client?

``python -m tests.benchmark.probe_clients`` prints milliseconds of this process's CPU for each probe
of an edge on loopback, over kept and new connections, with and without TLS
(``docs/decisions/two-http-clients.md``).
"""

import asyncio
import multiprocessing
import os
import shutil
import ssl
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from pathlib import Path

import httpx2

from gateway.background.probe import MAX_BYTES, USER_AGENT, ProbeLimits, Prober, ProbeTarget

PROBES = 1500
AT_ONCE = 8
LIMITS = ProbeLimits(5.0, 3.0)
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok"


class Edge(asyncio.Protocol):
    """Answers every request of a connection; closes it when the request says so."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """One request arrives in one piece on loopback."""
        self.transport.write(RESPONSE)
        if b"connection: close" in data.lower():
            self.transport.close()


def serve(pipe: Connection, certificate: Path | None) -> None:
    """An edge in a process of its own; sends its port."""

    async def run() -> None:
        context = None
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Edge, "127.0.0.1", 0, ssl=context)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


async def cpu_ms(probe: Callable[[], Awaitable[None]]) -> float:
    """Milliseconds of CPU for each of ``PROBES`` probes, ``AT_ONCE`` at a time."""

    async def some(count: int) -> None:
        for _ in range(count):
            await probe()

    await some(20)
    start = time.process_time()
    await asyncio.gather(*(some(PROBES // AT_ONCE) for _ in range(AT_ONCE)))
    return (time.process_time() - start) / (PROBES // AT_ONCE * AT_ONCE) * 1000


async def with_aiohttp(url: str, *, keep: bool) -> float:
    """The gateway's own probe, its deadline and its judgement included."""
    prober = Prober(AT_ONCE)
    target = ProbeTarget(url, playlist=False, mark=0)
    limits = ProbeLimits(LIMITS.timeout_s, LIMITS.stale_factor, keep=keep)

    async def probe() -> None:
        found = await prober.probe(target, None, limits, 0.0)
        assert found.kind == "ok", found

    try:
        return await cpu_ms(probe)
    finally:
        await prober.close()


async def with_httpx2(url: str, *, keep: bool) -> float:
    """The bare request that such a probe would need: a deadline, a bounded body, no redirects."""
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
    headers |= {} if keep else {"Connection": "close"}
    async with httpx2.AsyncClient(
        verify=ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE")),
        trust_env=False,
        limits=httpx2.Limits(max_connections=AT_ONCE),
        timeout=None,
    ) as client:

        async def probe() -> None:
            async with asyncio.timeout(LIMITS.timeout_s):
                async with client.stream("GET", url, headers=headers) as response:
                    size = 0
                    async for piece in response.aiter_raw():
                        size += len(piece)
                        assert size <= MAX_BYTES
                    assert response.status_code == 200

        return await cpu_ms(probe)


def certificate_in(folder: Path) -> Path | None:
    """A certificate for 127.0.0.1 with its key; None without openssl."""
    openssl = shutil.which("openssl")
    if openssl is None:
        return None
    path = folder / "edge.pem"
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(
        [*command, "-keyout", str(path), "-out", str(path)], check=True, capture_output=True
    )
    return path


def measure(scheme: str, certificate: Path | None) -> None:
    """Print two lines of the table."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    edge = context.Process(target=serve, args=(theirs, certificate), daemon=True)
    edge.start()
    url = f"{scheme}://127.0.0.1:{ours.recv()}/health"
    try:
        for keep in (True, False):
            aiohttp_ms = asyncio.run(with_aiohttp(url, keep=keep))
            httpx2_ms = asyncio.run(with_httpx2(url, keep=keep))
            name = f"{scheme}, {'kept' if keep else 'new'} connection"
            print(f"{name:24}{aiohttp_ms:10.2f}{httpx2_ms:10.2f}{httpx2_ms / aiohttp_ms:8.1f}")
    finally:
        edge.kill()
        edge.join()


def main() -> None:
    """Print a table."""
    print(f"{'ms of CPU a probe':24}{'aiohttp':>10}{'httpx2':>10}{'ratio':>8}")
    with tempfile.TemporaryDirectory() as folder:
        certificate = certificate_in(Path(folder))
        if certificate is not None:
            os.environ["SSL_CERT_FILE"] = str(certificate)  # read when aiohttp is imported
        measure("http", None)
        if certificate is None:
            print("https: NOT MEASURED, there is no openssl")
        else:
            measure("https", certificate)


if __name__ == "__main__":
    main()
