"""Converts an ASGI scope to a :class:`Request`, and a :class:`Reply` to ASGI messages."""

from starlette.types import Scope, Send

from gateway.play.reply import RawHeaders, Reply
from gateway.play.request import Request, read_headers, read_query


def read_request(scope: Scope) -> Request:
    """The request of an ASGI scope. Raises a 400 problem for a malformed query parameter."""
    client, server = scope.get("client"), scope.get("server")
    return Request(
        method=scope["method"],
        path=scope["path"],
        query=scope["query_string"],
        headers=read_headers(scope["headers"]),
        peer=client[0] if client else None,
        scheme=scope.get("scheme", "http"),
        server=_authority(*server) if server else "localhost",
        parameters=read_query(scope["query_string"]),
    )


async def send_reply(reply: Reply, more: RawHeaders, send: Send) -> None:
    """Send ``reply`` with ``more`` headers. The server drops the body for HEAD."""
    headers = (*reply.headers, *more)
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


def _authority(host: str, port: int | None) -> str:
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"
