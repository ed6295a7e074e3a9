"""How do a request and its answer pass between a connection and the application? As ASGI events.

An :class:`Exchange` is one request and its answer. It buffers the request's body until the
application reads it, checks and frames the answer (RFC 9112, 6), and writes the answer's head
together with the first part of its body.
"""

import asyncio
from http import HTTPStatus
from typing import Protocol

import structlog
from starlette.types import ASGIApp, Message, Scope

from gateway.observe.logs import LONGEST_PATH_CHARS
from gateway.serving.request_reader import RequestHead

log = structlog.get_logger()

MAX_BUFFERED_BODY_BYTES = 64 * 1024
"""Reading pauses while more of a body than this is unread by the application."""

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_TOKEN = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
"""The characters of a header's name. ASGI's names are in lower case."""
_CONTROLS = bytes({*range(32), 127} - set(b"\t"))
_WITHOUT_BODY = {204, 304}
_CONNECTION = b"connection"
_SERVERS_OWN = frozenset({_CONNECTION, b"transfer-encoding"})
"""The headers that the server writes itself."""


def _status_line(status: int) -> bytes:
    phrase = HTTPStatus(status).phrase if status in HTTPStatus.__members__.values() else ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode("ascii")


_STATUS_LINES = {status: _status_line(status) for status in range(200, 600)}


class AnswerError(RuntimeError):
    """The application sent something that is not a valid answer."""


class Channel(Protocol):
    """What an exchange needs of its connection."""

    may_write: asyncio.Event | None
    """None unless much is unread by the peer; set when it has read most of it."""

    @property
    def common_headers(self) -> list[tuple[bytes, bytes]]:
        """The headers of every answer."""

    def write(self, data: bytes) -> None:
        """Send, or do nothing when the connection has ended."""

    def ends_next(self) -> bool:
        """Does the connection end after the current answer, for reasons of its own?"""

    def body_taken(self) -> None:
        """The application has read the body so far."""

    def completed(self, exchange: "Exchange") -> None:
        """The answer is complete."""

    def broken(self, exchange: "Exchange") -> None:
        """The answer cannot be completed."""


class Exchange:
    """One request and its answer."""

    __slots__ = (
        "_body",
        "_changed",
        "_channel",
        "_chunked",
        "_end_taken",
        "_expects_continue",
        "_has_body",
        "_head",
        "_keep_alive",
        "_left",
        "body_ended",
        "complete",
        "disconnected",
        "last",
        "scope",
        "started",
    )

    def __init__(self, scope: Scope, head: RequestHead, channel: Channel) -> None:
        self.scope = scope
        self.body_ended = False
        """Has all of the request come?"""
        self.started = False
        """Has the application begun its answer?"""
        self.complete = False
        self.disconnected = False
        self.last = False
        """Does the connection end after the answer?"""
        self._channel = channel
        self._keep_alive = head.keep_alive
        self._expects_continue = head.expects_continue
        self._body = bytearray()
        self._end_taken = False
        self._changed: asyncio.Event | None = None
        self._head = b""
        self._chunked = False
        self._has_body = False
        self._left: int | None = None

    @property
    def sent_any(self) -> bool:
        """Has the peer been sent a part of the answer?"""
        return self.started and not self._head

    @property
    def buffers_enough(self) -> bool:
        """Should reading of the body pause?"""
        return len(self._body) > MAX_BUFFERED_BODY_BYTES

    def receive_body(self, data: bytes) -> None:
        """A piece of the request's body has come."""
        if not self.complete:
            self._body += data
            self._wake()

    def end_body(self) -> None:
        """The request is complete."""
        self.body_ended = True
        self._expects_continue = False
        self._wake()

    def disconnect(self) -> None:
        """The peer is gone, or will not be answered by the application."""
        self.disconnected = True
        self._wake()

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set()

    async def run(self, app: ASGIApp) -> None:
        """Run the application. Its exceptions are logged and answered with 500, not raised."""
        try:
            await app(self.scope, self.receive, self.send)
        except (Exception, asyncio.CancelledError) as error:
            if self.disconnected:
                log.debug("request_ended_by_peer", error=repr(error))
                return
            if not isinstance(error, asyncio.CancelledError):
                log.exception("request_failed", path=self.scope["path"][:LONGEST_PATH_CHARS])
            await self._answer_for_the_application()
        else:
            if not self.complete and not self.disconnected:
                log.error("request_not_answered", path=self.scope["path"][:LONGEST_PATH_CHARS])
                await self._answer_for_the_application()

    async def _answer_for_the_application(self) -> None:
        """Answer 500, or end the connection if a part of another answer was sent."""
        if self.sent_any:
            self._channel.broken(self)
            return
        self._head, self.started = b"", False
        headers = [(b"content-length", b"0"), (b"connection", b"close")]
        await self.send({"type": "http.response.start", "status": 500, "headers": headers})
        await self.send({"type": "http.response.body"})

    async def receive(self) -> Message:
        """ASGI ``receive``."""
        if self._expects_continue and not self.started and not self.disconnected:
            self._expects_continue = False
            self._channel.write(_CONTINUE)
        while not self._can_receive():
            if self._changed is None:
                self._changed = asyncio.Event()
            self._changed.clear()
            await self._changed.wait()
        if self.disconnected or self.complete:
            return {"type": "http.disconnect"}
        body, self._body = bytes(self._body), bytearray()
        self._end_taken = self.body_ended
        if body:
            self._channel.body_taken()
        return {"type": "http.request", "body": body, "more_body": not self.body_ended}

    def _can_receive(self) -> bool:
        if self.disconnected or self.complete or self._body:
            return True
        return self.body_ended and not self._end_taken

    async def send(self, message: Message) -> None:
        """ASGI ``send``. Raises :class:`AnswerError` for what is not a valid answer, and OSError
        when the peer has gone and more would follow (ASGI HTTP 2.4)."""
        if self._channel.may_write is not None:
            await self._channel.may_write.wait()
        if self.disconnected:
            if message.get("more_body"):
                raise ConnectionResetError("the peer is gone")
            return
        kind = message["type"]
        if not self.started:
            if kind != "http.response.start":
                raise AnswerError(f"{kind} came before http.response.start")
            self._start(message["status"], message.get("headers", ()))
        elif kind != "http.response.body" or self.complete:
            raise AnswerError(f"{kind} came after http.response.start or the end of the answer")
        else:
            self._send_body(message.get("body", b""), message.get("more_body", False))

    def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.last = not self._keep_alive or not self.body_ended or self._channel.ends_next()
        names = [name for name, _ in headers]
        if not _SERVERS_OWN.isdisjoint(names):
            closes = any(
                b"close" in value.lower() for name, value in headers if name == _CONNECTION
            )
            self.last = self.last or closes
            headers = [line for line in headers if line[0] not in _SERVERS_OWN]
            names = [name for name, _ in headers]
        lines = [*self._channel.common_headers, *headers]
        length: int | None = None
        if b"content-length" in names:
            length = int(headers[names.index(b"content-length")][1])
        has_body = status not in _WITHOUT_BODY and self.scope["method"] != "HEAD"
        self._chunked = False  # an answer that was not sent may have begun before this one
        if length is None and has_body:
            self._chunked = self.scope["http_version"] == "1.1"
            if self._chunked:
                lines.append((b"transfer-encoding", b"chunked"))
            else:  # RFC 9112, 6.3: the body ends with the connection
                self.last = True
        if self.last:
            lines.append((_CONNECTION, b"close"))
        self._left = length if has_body else 0
        self._has_body = has_body
        self._head = _STATUS_LINES[status] + _header_block(lines, names)
        self.started = True

    def _send_body(self, body: bytes, more: bool) -> None:
        if not self._has_body:
            body = b""
        elif self._chunked:
            body = _chunk(body) + (b"" if more else b"0\r\n\r\n")
        elif self._left is not None:
            self._left -= len(body)
            if self._left < 0 or (self._left and not more):
                raise AnswerError("the body is not as long as Content-Length says")
        if self._head or body:
            self._channel.write(self._head + body)
            self._head = b""
        if not more:
            self.complete = True
            self._wake()
            self._channel.completed(self)


def _header_block(lines: list[tuple[bytes, bytes]], names: list[bytes]) -> bytes:
    """The header lines and the empty line. Raises :class:`AnswerError` for one of the application's
    ``names`` that is no token in lower case, and for control characters, such as a line end in a
    value."""
    block = b"\r\n".join(map(b": ".join, lines)) + b"\r\n\r\n"
    line_ends = 2 * (len(lines) + 1)
    if len(block) - len(block.translate(None, _CONTROLS)) != line_ends:
        raise AnswerError("a header holds a control character")
    if b"" in names or b"".join(names).translate(None, _TOKEN):
        raise AnswerError("a header's name is no token in lower case")
    return block


def _chunk(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body) if body else b""
