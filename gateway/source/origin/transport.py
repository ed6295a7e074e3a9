"""How much may an origin send before its response, and at a time?

``httpx2`` passes over any number of informational responses (103 Early Hints), and handles all that
one read brought before anybody else gets a turn. So its connections are opened here: they read a
little at a time, and few bytes before the response.
"""

import ssl
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import Any, cast

import httpcore2
import httpx2

READ_BYTES = 4096
"""Most bytes of one read: up to 500 messages or frames, which take some 10 ms."""
MAX_HEAD_BYTES = 32 * 1024
"""Most bytes before the body of an HTTP/1.1 response, informational responses included."""


class BoundedTransport(httpx2.AsyncBaseTransport):
    """Connections to origins. Requests and bodies raise the errors of ``httpcore2``."""

    def __init__(self, context: ssl.SSLContext, limits: httpx2.Limits, *, http2: bool) -> None:
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=context,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            http2=http2,
            network_backend=_Backend(),
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request; returns when the head of the response has come."""
        url = request.url
        response = await self._pool.handle_async_request(
            httpcore2.Request(
                method=request.method,
                url=httpcore2.URL(
                    scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                ),
                headers=request.headers.raw,
                content=cast("httpx2.AsyncByteStream", request.stream),
                extensions=request.extensions,
            )
        )
        stream = response.extensions.get("network_stream")
        if isinstance(stream, _Stream):
            stream.head_received()
        return httpx2.Response(
            status_code=response.status,
            headers=response.headers,
            stream=_Body(cast("AsyncIterable[bytes]", response.stream)),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self._pool.aclose()


class _Body(httpx2.AsyncByteStream):
    def __init__(self, stream: AsyncIterable[bytes]) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            yield part

    async def aclose(self) -> None:
        if hasattr(self._stream, "aclose"):
            await self._stream.aclose()


class _Backend(httpcore2.AnyIOBackend):
    """Opens bounded connections."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # the library's own interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """See ``httpcore2.AsyncNetworkBackend``."""
        opened = await super().connect_tcp(host, port, timeout, local_address, socket_options)
        return _Stream(opened)


class _Stream(httpcore2.AsyncNetworkStream):
    """A connection. Only HTTP/2 has several requests on one at a time, and their heads are bounded
    by frames."""

    def __init__(self, opened: httpcore2.AsyncNetworkStream) -> None:
        self._opened = opened
        protocol = opened.get_extra_info("ssl_object")
        self._counts = protocol is None or protocol.selected_alpn_protocol() != "h2"
        self._head_bytes: int | None = None
        """Bytes since the last request; None when its response has begun."""

    def head_received(self) -> None:
        """The response has begun: what follows is its body."""
        self._head_bytes = None

    async def read(
        self,
        max_bytes: int,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> bytes:
        """See ``httpcore2.AsyncNetworkStream``. Raises ``httpcore2.RemoteProtocolError``, too."""
        waits = self._head_bytes
        if waits is not None and waits >= MAX_HEAD_BYTES:
            raise httpcore2.RemoteProtocolError(f"more than {MAX_HEAD_BYTES} bytes before the body")
        data = await self._opened.read(min(max_bytes, READ_BYTES), timeout)
        if waits is not None:
            self._head_bytes = waits + len(data)
        return data

    async def write(
        self,
        buffer: bytes,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> None:
        """See ``httpcore2.AsyncNetworkStream``."""
        if self._counts:
            self._head_bytes = 0
        await self._opened.write(buffer, timeout)

    async def aclose(self) -> None:
        """See ``httpcore2.AsyncNetworkStream``."""
        await self._opened.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore2.AsyncNetworkStream:
        """See ``httpcore2.AsyncNetworkStream``."""
        return _Stream(await self._opened.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401
        """See ``httpcore2.AsyncNetworkStream``."""
        return self._opened.get_extra_info(info)
