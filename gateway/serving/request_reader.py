"""Which requests do the bytes of a connection contain? A parser without I/O or clock: bytes in;
request heads, pieces of bodies, ends of bodies and refusals out.

httptools (llhttp, the parser of Node.js) parses the grammar through its public callbacks. It is
strict about line ends, white space, Content-Length and Transfer-Encoding. This module adds what
httptools leaves open: limits on sizes, the version, Host, and the form of the target.

A head is complete at its empty line, and nothing changes it afterwards. Trailers are discarded, as
RFC 9110, 6.5.1 allows.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, NoReturn
from urllib.parse import unquote

import httptools

from gateway.serving.refusal import (
    BAD_HOST,
    BAD_REQUEST,
    BAD_TARGET,
    BAD_VERSION,
    BODY_TOO_LARGE,
    HEAD_TOO_LARGE,
    NOT_IMPLEMENTED,
    TOO_MANY_PIPELINED,
    Refusal,
)

MAX_HEAD_BYTES = 128 * 1024
"""Request line and headers; far more than players send."""
MAX_HEADERS = 128
"""Header lines of one request."""
MAX_BODY_BYTES = 1024 * 1024
"""Body of a request. Routes may allow less."""
MAX_FRAMING_BYTES = 16 * 1024
"""Chunk sizes, chunk extensions and trailers, beyond the size of the body."""
MAX_PIPELINED = 64
"""Requests in one read of the socket. Reading pauses until they are answered."""

Headers = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class RequestHead:
    """A request whose head is complete. ``path`` is unquoted, ``raw_path`` is not; header names
    are in lower case."""

    method: str
    path: str
    raw_path: bytes
    query: bytes
    http_version: str
    headers: Headers
    keep_alive: bool
    expects_continue: bool


class BodyEnd(Enum):
    """The last request is complete."""

    BODY_END = auto()


BODY_END: Final = BodyEnd.BODY_END
Event = RequestHead | bytes | BodyEnd | Refusal


class _State(Enum):
    BETWEEN = auto()
    """No request has begun, or the last one is complete."""
    HEAD = auto()
    BODY = auto()
    REPLAY = auto()
    """A new parser is given a head, so that it reads the body that the last one skipped."""
    ENDED = auto()
    """Nothing more is parsed: the last request had ``Connection: close``, or was refused."""


_BETWEEN, _HEAD, _BODY, _REPLAY, _ENDED = _State


class _NotAcceptedError(Exception):
    """Stops the parser. ``RequestReader._refusal`` is the reason."""


_AUTHORITY = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::[0-9]{0,5})?")
_ABSOLUTE = re.compile(rb"https?://([^/?#]+)(/[^?#]*)?(?:\?([^#]*))?", re.IGNORECASE)
_READ_HERE = frozenset({b"host", b"content-length", b"transfer-encoding", b"expect"})
_LINE_OVERHEAD = 4
"""The colon, a space and the line end of each header."""


class RequestReader:
    """The reading side of one connection. The methods ``on_…`` are httptools' callbacks."""

    def __init__(self) -> None:
        self._state = _BETWEEN
        self._parser: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)
        self._events: list[Event] = []
        self._refusal: Refusal | None = None
        self._target = b""
        self._headers: Headers = []
        self._framing = b""
        """The header that frames the body of a request with Upgrade."""
        self._feed_bytes = 0
        self._head_bytes = 0
        self._body_bytes = 0
        self._body_wire_bytes = 0
        self._begun = 0
        self._keep_alive = False

    @property
    def in_head(self) -> bool:
        """Has a request begun whose head is not complete?"""
        return self._state is _HEAD

    def close(self) -> None:
        """Parse nothing more. This breaks the reference cycle of parser and reader."""
        self._state = _ENDED
        self._parser = None

    def feed(self, data: bytes) -> list[Event]:
        """The events that ``data`` completes, in order. A :class:`Refusal` is the last event."""
        if self._ended():
            return []
        events = self._events = []
        self._begun = 0
        self._feed_bytes = len(data)
        try:
            self._parse(data)
            self._check_sizes()
        except httptools.HttpParserError as error:
            if not self._ended():  # else it is about bytes after the last request
                text = f"{BAD_REQUEST.detail}: {error}"
                events.append(self._refusal or BAD_REQUEST.because(text))
            self._state = _ENDED
        except _NotAcceptedError:
            events.append(self._refusal or BAD_REQUEST)
            self._state = _ENDED
        return events

    def _ended(self) -> bool:
        return self._state is _ENDED

    def _parse(self, data: bytes) -> None:
        while self._parser is not None:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                # RFC 9110, 7.8: a server may ignore Upgrade. llhttp assumes that another protocol
                # follows, so a new parser continues from there.
                data = data[upgrade.args[0] :]
                self._parse_on()
                if data:
                    continue
            return

    def _parse_on(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        if self._framing:
            self._state = _REPLAY
            self._parser.feed_data(b"POST / HTTP/1.1\r\n" + self._framing + b"\r\n\r\n")
            self._state = _BODY
            self._framing = b""

    def _check_sizes(self) -> None:
        """Bound what is not complete yet, by its bytes on the wire. A packet in which one part of a
        request ends and the next begins is not counted for the next."""
        if self._state is _BODY:
            self._body_wire_bytes += self._feed_bytes
            if self._body_wire_bytes > MAX_FRAMING_BYTES + 2 * self._body_bytes:
                self._refuse(BODY_TOO_LARGE.because("chunk extensions or trailers are too large"))
        elif not self._ended():
            self._head_bytes += self._feed_bytes
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(HEAD_TOO_LARGE)
            self._check_count()

    def _check_count(self) -> None:
        if len(self._headers) > MAX_HEADERS:
            self._refuse(HEAD_TOO_LARGE.because(f"more than {MAX_HEADERS} headers"))

    def _refuse(self, refusal: Refusal) -> NoReturn:
        self._refusal = refusal
        raise _NotAcceptedError

    def on_message_begin(self) -> None:
        """The first byte of a request line. Empty lines before it are ignored (RFC 9112, 2.2)."""
        if self._state is _REPLAY:
            return
        if self._state is _ENDED:
            raise _NotAcceptedError
        self._begun += 1
        if self._begun > MAX_PIPELINED:
            self._refuse(TOO_MANY_PIPELINED)
        self._state = _HEAD
        self._target = b""
        self._headers = []

    def on_url(self, url: bytes) -> None:
        """A piece of the request target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer, which is discarded."""
        if self._state is _HEAD:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The head is complete."""
        if self._state is _REPLAY or self._parser is None:
            return
        self._events.append(self._head(self._parser))
        self._headers = []
        self._state = _BODY
        self._body_bytes = 0
        self._body_wire_bytes = -self._feed_bytes  # this packet counts as the head's

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._body_bytes += len(body)
        if self._body_bytes > MAX_BODY_BYTES:
            self._refuse(BODY_TOO_LARGE)
        self._events.append(body)

    def on_message_complete(self) -> None:
        """The request is complete."""
        if self._framing:  # llhttp skips the body of a request with Upgrade
            return
        self._state = _BETWEEN if self._keep_alive else _ENDED
        self._head_bytes = -self._feed_bytes  # this packet counts as this request's
        self._events.append(BODY_END)

    def _head(self, parser: httptools.HttpRequestParser) -> RequestHead:
        version = parser.get_http_version()
        if version not in {"1.1", "1.0"}:
            self._refuse(BAD_VERSION)
        method = parser.get_method().decode("ascii")
        if method == "CONNECT":
            self._refuse(NOT_IMPLEMENTED.because("CONNECT is not supported"))
        self._check_count()
        hosts, expectation, framing = self._read_headers(version)
        if len(hosts) > 1 or (not hosts and version == "1.1"):
            self._refuse(BAD_HOST)
        if hosts and not _AUTHORITY.fullmatch(hosts[0]):
            self._refuse(BAD_HOST)
        raw_path, query = self._path_and_query(method)
        self._keep_alive = version == "1.1" and parser.should_keep_alive()
        self._framing = framing if parser.should_upgrade() else b""
        path = raw_path.decode("ascii")
        return RequestHead(
            method=method,
            path=unquote(path) if "%" in path else path,
            raw_path=raw_path,
            query=query,
            http_version=version,
            headers=self._headers,
            keep_alive=self._keep_alive,
            expects_continue=expectation == b"100-continue" and version == "1.1",
        )

    def _read_headers(self, version: str) -> tuple[list[bytes], bytes, bytes]:
        """Every Host, the value of Expect, and the header that frames the body."""
        hosts, expectation, framing, size = [], b"", b"", len(self._target)
        for name, value in self._headers:
            size += len(name) + len(value) + _LINE_OVERHEAD
            if name not in _READ_HERE:
                continue
            if name == b"host":
                hosts.append(value)
            elif name == b"content-length":
                if int(value) > MAX_BODY_BYTES:
                    self._refuse(BODY_TOO_LARGE)
                framing = name + b":" + value
            elif name == b"transfer-encoding":
                self._check_coding(version, value)
                framing = name + b":" + value
            elif name == b"expect":
                expectation = value.lower()
        if size > MAX_HEAD_BYTES:
            self._refuse(HEAD_TOO_LARGE)
        return hosts, expectation, framing

    def _check_coding(self, version: str, value: bytes) -> None:
        """RFC 9112, 6.1: no transfer coding in HTTP/1.0; 501 for any but ``chunked``."""
        if version == "1.0":
            self._refuse(BAD_REQUEST.because("HTTP/1.0 has no Transfer-Encoding"))
        if value.lower() != b"chunked":
            self._refuse(NOT_IMPLEMENTED.because("the only transfer coding is chunked"))

    def _path_and_query(self, method: str) -> tuple[bytes, bytes]:
        """RFC 9112, 3.2: origin-form, absolute-form, and ``*`` for OPTIONS."""
        target = self._target
        if b"#" in target or not target.isascii():
            self._refuse(BAD_TARGET)
        if target.startswith(b"/"):
            path, _, query = target.partition(b"?")
            return path, query
        if target == b"*" and method == "OPTIONS":
            return target, b""
        absolute = _ABSOLUTE.fullmatch(target)
        if absolute is None or not _AUTHORITY.fullmatch(absolute[1]):
            self._refuse(BAD_TARGET)
        # RFC 9112, 3.2.2: the target's host counts, whatever Host says.
        self._headers = [each for each in self._headers if each[0] != b"host"]
        self._headers.insert(0, (b"host", absolute[1]))
        return absolute[2] or b"/", absolute[3] or b""
