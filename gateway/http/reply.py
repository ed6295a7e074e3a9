"""An answer that is bytes: status, headers, body, and nothing to work out when it is sent."""

from dataclasses import dataclass

from starlette.types import Receive, Scope, Send

RawHeaders = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """A finished answer. It is an ASGI application."""

    status: int
    headers: RawHeaders
    body: bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Send it. A server sends no body after HEAD and with 304."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body})
