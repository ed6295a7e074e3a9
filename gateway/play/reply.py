"""An answer that is bytes: status, headers, body, and nothing to work out when it is sent.

Headers are kept in both forms that servers take: as pairs (ASGI), and joined, for those that
offer the scope ``WRITE_WHOLE`` (our own connections: :mod:`gateway.serving.connection`).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from starlette.types import Send

RawHeaders = tuple[tuple[bytes, bytes], ...]
WriteWhole = Callable[[int, bytes, bytes], bool]
"""Writes an answer of status, joined headers and body; False where it must be sent by ASGI."""

WRITE_WHOLE = "gateway.write_whole"
"""The key of a :data:`WriteWhole` in a request's scope. Who takes it, takes it out: it holds what
holds the scope."""

_NEVER = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class HeaderLines:
    """Header lines, ``pairs`` and ``joined``. Names are our own, in lower case."""

    __slots__ = ("joined", "pairs")

    def __init__(self, *pairs: tuple[bytes, bytes]) -> None:
        """Raises ``ValueError`` for a value that would end its line or is no text."""
        self.pairs: RawHeaders = pairs
        self.joined = b"".join([b"%b: %b\r\n" % pair for pair in pairs])
        if _NEVER.search(b"".join([value for _, value in pairs])):
            raise ValueError(f"a control character in a header: {pairs!r}")

    def __add__(self, more: Self) -> "HeaderLines":
        """These, then ``more``."""
        both = HeaderLines()
        both.pairs = self.pairs + more.pairs
        both.joined = self.joined + more.joined
        return both


@dataclass(frozen=True, slots=True)
class Reply:
    """A finished answer. With a body it has a Content-Length."""

    status: int
    headers: HeaderLines
    body: bytes

    def written(self, write: WriteWhole, timing: bytes, identity: bytes, more: HeaderLines) -> bool:
        """Like ``give``, by ``write`` alone; False where it cannot."""
        lines = b"%bserver-timing: %b\r\nx-request-id: %b\r\n%b" % (
            self.headers.joined,
            timing,
            identity,
            more.joined,
        )
        return write(self.status, lines, self.body)

    async def give(
        self,
        write: WriteWhole | None,
        send: Send,
        timing: bytes,
        identity: bytes,
        more: HeaderLines,
    ) -> None:
        """Send it, with ``Server-Timing``, ``X-Request-ID``, and ``more`` at the end: by ``write``
        where it can, else by ``send``. A server sends no body after HEAD and with 304."""
        if write is not None and self.written(write, timing, identity, more):
            return
        own = ((b"server-timing", timing), (b"x-request-id", identity))
        headers = (*self.headers.pairs, *own, *more.pairs)
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})
