"""Origins over TLS: certificates, and HTTP/2 where it is offered."""

import asyncio
import contextlib
import ssl
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import pytest

from tests.integration.origins import origin, playlist
from tests.integration.test_origin import LIMITS, worker
from tests.integration.test_store_tls import certificate
from tests.unit.store.servers import listening

__all__ = ["certificate"]

AMPLE = replace(LIMITS, connect_timeout_s=10.0, read_timeout_s=10.0)
"""On a busy machine TLS takes its time."""


def context(certificate: Path, *protocols: str) -> ssl.SSLContext:
    """The server's TLS context."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate)
    if protocols:
        made.set_alpn_protocols(list(protocols))
    return made


async def test_a_certificate_is_always_checked(certificate: Path) -> None:
    """An untrusted certificate is refused; ``ca_file`` makes it trusted."""
    async with origin(tls=context(certificate)) as it:
        async with worker(it.url, retries=0) as one:
            assert "OriginTimeoutError" == await one.outcome()
        async with worker(it.url, request=replace(AMPLE, ca_file=certificate)) as one:
            assert "1" == await one.outcome()
        wrong_name = it.url.replace("127.0.0.1", "localhost")
        async with worker(wrong_name, request=replace(AMPLE, ca_file=certificate)) as one:
            assert "OriginTimeoutError" == await one.outcome()
    assert 1 == len(it.seen)


async def serve_http2(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer every request with a playlist, over HTTP/2 alone."""
    made = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    made.initiate_connection()
    writer.write(made.data_to_send())
    while data := await reader.read(65_536):
        for event in made.receive_data(data):
            if isinstance(event, h2.events.RequestReceived) and event.stream_id is not None:
                answer(made, event.stream_id, event.headers or [])
        writer.write(made.data_to_send())
        await writer.drain()


def answer(
    made: h2.connection.H2Connection, stream: int, headers: Sequence[tuple[bytes, bytes]]
) -> None:
    """A playlist; for some paths one byte shorter than its Content-Length."""
    path = {bytes(name): bytes(text) for name, text in headers}[b":path"].decode()
    body = playlist(path)
    made.send_headers(stream, [(":status", "200"), ("content-length", str(len(body)))])
    if "short" in path:
        made.send_data(stream, body[:-1])
        made.reset_stream(stream)
    else:
        made.send_data(stream, body, end_stream=True)


@pytest.mark.parametrize("asset", ["a", "short"])
async def test_http2_where_it_is_offered(certificate: Path, asset: str) -> None:
    """Many requests share one connection; a truncated body is refused there, too."""
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await serve_http2(reader, writer)

    asking = replace(AMPLE, ca_file=certificate)
    async with contextlib.AsyncExitStack() as stack:
        port = await stack.enter_async_context(listening(serve, context(certificate, "h2")))
        url = f"https://127.0.0.1:{port}/"
        one = await stack.enter_async_context(
            worker(url, request=asking, retries=0, total_timeout_s=20.0)
        )
        names = [f"{asset}{number}" for number in range(20)]
        found = set(await asyncio.gather(*map(one.outcome, names)))
    assert {"1"} == found if asset == "a" else "1" not in found
    assert connections < 5
