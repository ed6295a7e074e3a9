"""How slow networks and slow edges are made: token buckets that pace what is sent."""

import asyncio
import time
from collections.abc import Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

BURST_S = 0.5
_SMALLEST_PIECE = 2048
_PIECES_PER_S = 50


class Bucket:
    """Lets ``bytes_per_s`` through, over all of its users together, after a burst of as much as it
    lets through in ``burst_s``. None is as fast as can be. The rate may change at any time."""

    def __init__(self, bytes_per_s: int | None = None, burst_s: float = BURST_S) -> None:
        self.bytes_per_s = bytes_per_s
        self._burst_s = burst_s
        self._empty_until = 0.0

    @property
    def piece(self) -> int:
        """The bytes to take at once: few for an even flow, and enough to cost little."""
        rate = self.bytes_per_s
        return 1 << 20 if rate is None else max(_SMALLEST_PIECE, rate // _PIECES_PER_S)

    async def take(self, tokens: int) -> None:
        """Wait until ``tokens`` bytes may pass."""
        if self.bytes_per_s is None:
            return
        now = time.monotonic()
        start = max(self._empty_until, now - self._burst_s)
        self._empty_until = start + tokens / self.bytes_per_s
        await asyncio.sleep(max(0.0, self._empty_until - now))


class TokenBucket(Bucket):
    """An edge that stays up, and whose media is paced."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__()
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, at the rate of the bucket where it is for a media segment."""
        if scope["path"].endswith(".m4s"):
            await paced(self._app, scope, receive, send, [self])
        else:
            await self._app(scope, receive, send)


class _ClientGoneError(Exception):
    """The client has closed its connection."""


async def paced(
    app: ASGIApp, scope: Scope, receive: Receive, send: Send, buckets: Sequence[Bucket]
) -> None:
    """Answer a GET with ``app``, whose body passes every one of ``buckets``.

    A client that leaves takes no more from them: what it did not wait for would otherwise slow its
    next request.
    """
    gone = asyncio.Event()

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        gone.set()

    async def in_pieces(message: Message) -> None:
        body, at = message.get("body", b""), 0
        while at < len(body):
            piece = body[at : at + min(bucket.piece for bucket in buckets)]
            at += len(piece)
            for bucket in buckets:
                await bucket.take(len(piece))
            if gone.is_set():
                raise _ClientGoneError
            await send({**message, "body": piece, "more_body": True})
        await send({**message, "body": b""} if body else message)

    watching = asyncio.create_task(watch())
    try:
        await app(scope, receive, in_pieces)
    except _ClientGoneError:
        pass
    finally:
        watching.cancel()
