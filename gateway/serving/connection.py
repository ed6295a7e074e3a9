"""How much may a connection ask for before it has asked anything? uvicorn's HTTP/1.1, with bounds.

httptools keeps a request's head in memory until it is complete, whatever its size, and waits for it
forever. Here a head is bounded in bytes (431) and in seconds (the connection ends). And a stop
answers what was sent before anybody could know of it.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import (
    HttpToolsProtocol,
    RequestResponseCycle,
)

MAX_HEAD_BYTES = 128 * 1024
"""Request line and headers. Far above what players send, so that nobody honest meets it."""

HEAD_S = 20.0
"""Seconds from the opening of a connection, or a request's first byte, to the end of its head."""

DRAIN_S = 0.3
"""Seconds that a stop leaves a silent connection: its request may be on the way, and would be lost
if the connection were closed at once."""

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: text/plain; charset=utf-8\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
)


class BoundedConnection(HttpToolsProtocol):
    """One connection of a player."""

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401  (uvicorn's own)
        """See uvicorn's ``HttpToolsProtocol``."""
        super().__init__(*arguments, **named)
        self._head_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._stopping = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A player is there; its request is due."""
        super().connection_made(transport)
        self._expect_head(HEAD_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._no_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes before a head is complete, and see that it gets there."""
        before = self._latest()
        if before is None or before.scope is not self.scope or not before.more_body:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self.transport.write(_TOO_LARGE)
                self.transport.close()
                return
        super().data_received(data)
        latest = self._latest()
        if latest is not None and latest is not before:  # a head is complete
            self._head_bytes = 0  # what came along with its end is one read of the socket at most
            self._no_deadline()
            if self._stopping:
                latest.keep_alive = False
        if latest is None or latest.scope is not self.scope:  # the next one has begun
            self._expect_head(HEAD_S)

    def shutdown(self) -> None:
        """The gateway stops: the request that runs or comes at once is this connection's last."""
        self._stopping = True
        running = self._latest()
        if running is None or running.response_complete:
            self._expect_head(DRAIN_S)
        else:
            running.keep_alive = False

    def _latest(self) -> RequestResponseCycle | None:
        """The request whose head was complete last; ``scope`` is that which began last."""
        return self.cycle

    def _expect_head(self, within_s: float) -> None:
        """Of two deadlines the earlier one counts: a byte of the next request buys no more."""
        when = self.loop.time() + within_s
        if self._deadline is None or when < self._deadline.when():
            self._no_deadline()
            self._deadline = self.loop.call_later(within_s, self._too_slow)

    def _no_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        self.transport.close()
