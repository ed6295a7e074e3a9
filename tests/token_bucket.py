"""An edge whose media has a limited rate."""

import asyncio
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class TokenBucket:
    """An edge that stays up, and sends ``bytes_per_s`` of media over all of its connections
    together, after a burst of as much as it sends in half a second. None is as fast as it can."""

    BURST_S = 0.5
    PIECE = 2048

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._empty_until = 0.0
        self.bytes_per_s: int | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def in_pieces(message: Message) -> None:
            body = message.get("body", b"")
            for at in range(0, len(body), self.PIECE):
                piece = body[at : at + self.PIECE]
                await self._take(len(piece))
                await send({**message, "body": piece, "more_body": True})
            await send({**message, "body": b""} if body else message)

        await self._app(scope, receive, in_pieces if scope["path"].endswith(".m4s") else send)

    async def _take(self, tokens: int) -> None:
        if self.bytes_per_s is None:
            return
        now = time.monotonic()
        start = max(self._empty_until, now - self.BURST_S)
        self._empty_until = start + tokens / self.bytes_per_s
        await asyncio.sleep(max(0.0, self._empty_until - now))
