"""Converts an ASGI scope to a :class:`Request`, and a :class:`Reply` to ASGI messages."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, closing

from starlette.types import Scope, Send

from gateway.play.reply import RawHeaders, Reply
from gateway.play.reports import ReportRequest
from gateway.play.request import Headers, Request, read_query
from gateway.play.steering import PATH, SteeringRequest


def read_request(scope: Scope, headers: Headers) -> Request:
    """The request of an ASGI scope and its headers. Raises a 400 problem for a malformed query
    parameter."""
    return _request(scope, headers, scope["query_string"])


def read_public_request(scope: Scope, headers: Headers) -> Request:
    """The request of an ASGI scope and its headers, without its query: what may be shared does not
    depend on it."""
    return _request(scope, headers, b"")


def _request(scope: Scope, headers: Headers, query: bytes) -> Request:
    client, server = scope.get("client"), scope.get("server")
    return Request(
        method=scope["method"],
        path=scope["path"],
        query=query,
        headers=headers,
        peer=client[0] if client else None,
        scheme=scope.get("scheme", "http"),
        server=authority(*server) if server else "localhost",
        parameters=read_query(query),
    )


def read_steering_request(scope: Scope, headers: Headers) -> SteeringRequest:
    """The request for a steering manifest of an ASGI scope. Its query is read later, since nothing
    in it is an error."""
    client = scope.get("client")
    return SteeringRequest(
        method=scope["method"],
        asset=scope["path"].removeprefix(PATH),
        query=scope["query_string"],
        headers=headers,
        peer=client[0] if client else None,
    )


def read_report_request(scope: Scope, headers: Headers) -> ReportRequest:
    """The request of an ASGI scope that brings CMCD reports."""
    client = scope.get("client")
    return ReportRequest(scope["query_string"], headers, client[0] if client else None)


async def send_reply(reply: Reply, more: RawHeaders, send: Send) -> None:
    """Send ``reply`` with ``more`` headers. The server drops the body for HEAD."""
    headers = (*reply.headers, *more)
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    if reply.stream is None:
        await send({"type": "http.response.body", "body": reply.body})
        reply.sent_bytes = len(reply.body)
        return
    if isinstance(reply.stream, AsyncGenerator):
        async with aclosing(reply.stream) as coming:
            async for piece in coming:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                reply.sent_bytes += len(piece)
    else:
        with closing(reply.stream) as pieces:
            for piece in pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                reply.sent_bytes += len(piece)
                await asyncio.sleep(0)  # a fast reader must not keep others waiting
    await send({"type": "http.response.body"})


def authority(host: str, port: int | None) -> str:
    """Host and port as a Host header has them: IPv6 addresses in brackets."""
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"
