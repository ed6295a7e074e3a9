"""What may one connection cost? HTTP/1.1 over a socket, with a bound on everything.

The server that accepts connections and stops them is uvicorn; the grammar is httptools'
(:mod:`gateway.serving.request_reader`). uvicorn's own HTTP protocols are not used: they
queue without a bound, wait without a timeout, and answer errors out of order
(``docs/decisions/http-server.md``). What is left between uvicorn and this class is what uvicorn's
``Server`` asks of every protocol, and ``tests/unit/serving/test_uvicorn_contract.py`` holds it:

- it calls the class with ``config``, ``server_state``, ``app_state`` and ``_loop``;
- ``config.loaded_app`` is the application;
- ``server_state.connections`` and ``.tasks`` are sets that a stop waits for, ``.total_requests`` is
  a counter, and ``.default_headers`` holds Date;
- it calls ``shutdown`` on each connection when it stops.

One request of a connection is answered at a time. Those that came with it wait, and nothing more is
read meanwhile. There is one timer, and :meth:`Connection._next_deadline` says what it waits for.
"""

import asyncio
import contextlib
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, cast

import structlog
from starlette.types import ASGIApp, Scope

from gateway.observe import metrics
from gateway.serving.connection_counts import Admitted
from gateway.serving.exchange import Exchange
from gateway.serving.refusal import BODY_TIMEOUT, HEAD_TIMEOUT, WRITE_TIMEOUT, Refusal
from gateway.serving.request_reader import BodyEnd, RequestHead, RequestReader
from gateway.serving.server_config import ListenerConfig, ServerConfig

log = structlog.get_logger()

MIN_READ_BYTES = 16 * 1024
"""What a peer must read within ``write_timeout_s`` to get more time."""

MAX_DISCARDED_BYTES = 1024 * 1024
"""What a peer may still send after it was refused, before the connection ends at once."""

_RESET = struct.pack("ii", 1, 0)


class ServerState(Protocol):
    """What a uvicorn server shares with its connections."""

    connections: set[Any]
    tasks: set[asyncio.Task[None]]
    total_requests: int
    default_headers: list[tuple[bytes, bytes]]


class Connection(asyncio.Protocol):
    """One connection of a peer: a player, or a proxy in front of many."""

    def __init__(
        self,
        config: ServerConfig | ListenerConfig,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """As uvicorn calls it."""
        self._app: ASGIApp = cast("ASGIApp", config.loaded_app)
        self._limits = config.limits
        self._counts = config.counts
        self._listener = config.counts.listener
        self._server_state = server_state
        self._app_state = app_state
        self._loop = _loop or asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._admitted: Admitted | None = None
        self._reader = RequestReader()
        self._scope: Scope = {}

        self._current: Exchange | None = None
        """The request that is being answered."""
        self._waiting: deque[Exchange] = deque()
        """The requests that came after it, in order."""
        self._arriving: Exchange | None = None
        """The request whose body is still arriving: the current one, or the last in the queue."""
        self._refusal: Refusal | None = None
        """The refusal to send once all of them are answered."""

        self._reading_paused = False
        self.may_write: asyncio.Event | None = None
        """None unless much is unread by the peer; set when it has read most of it."""

        # When each state began, by the event loop's clock: the deadlines count from there.
        self._silent_since = 0.0
        self._head_since: float | None = None
        self._body_since = 0.0
        self._unread_since = 0.0
        self._unread_bytes = 0
        self._stopping_since: float | None = None
        self._lingering_since: float | None = None
        self._closing = False
        self._answered_any = False
        self._discarded_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    # What the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A peer has connected. Serve it if the limits allow another connection."""
        made = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        peer = address_of(made.get_extra_info("peername"))
        admitted = self._counts.admit(None if peer is None else peer[0])
        if isinstance(admitted, Refusal):
            self._reader.close()
            metrics.CONNECTION_REFUSALS.labels(self._listener, admitted.reason).inc()
            made.write(admitted.answer(self._listener))
            made.close()
            return
        self.begin(made, admitted, self._loop.time())

    def begin(
        self,
        transport: asyncio.Transport,
        admitted: Admitted,
        opened_at: float,
        tls: dict[str, Any] | None = None,
    ) -> None:
        """Serve an admitted peer that has connected at ``opened_at``, by the event loop's clock.
        ``tls`` is the ASGI extension of that name, where the connection has TLS."""
        self._transport = transport
        self._admitted = admitted
        self._server_state.connections.add(self)
        metrics.CONNECTIONS.labels(self._listener).inc()
        self._scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "scheme": "http" if tls is None else "https",
            "server": address_of(transport.get_extra_info("sockname")),
            "client": address_of(transport.get_extra_info("peername")),
            "root_path": "",
        }
        if tls is not None:
            self._scope["extensions"] = {"tls": tls}
        self._silent_since = opened_at
        self._set_timer()

    def data_received(self, data: bytes) -> None:
        """Parse what has come, and start the requests whose heads are complete."""
        if self._closing or self._refusal is not None:
            self._discard(data)
            return
        for event in self._reader.feed(data):
            if isinstance(event, RequestHead):
                self._begin(event)
            elif isinstance(event, BodyEnd):
                self._end_body()
            elif isinstance(event, Refusal):
                self._refuse(event)
            elif self._arriving is not None:
                self._arriving.receive_body(event)
        if not self._reader.in_head:
            self._head_since = None
        elif self._head_since is None:
            self._head_since = self._loop.time()
        self._read_or_pause()
        if self._current is None or self._arriving is not None:
            self._set_timer()

    def pause_writing(self) -> None:
        """Much is unread by the peer. The application waits (:attr:`may_write`)."""
        self.may_write = asyncio.Event()
        self._note_unread()
        self._set_timer()

    def resume_writing(self) -> None:
        """The peer has read most of it."""
        if self.may_write is not None:
            self.may_write.set()
            self.may_write = None
            self._set_timer()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """The connection has ended. Tell the exchanges, and release everything."""
        if self._admitted is not None:
            self._admitted.release()
            self._admitted = None
            metrics.CONNECTIONS.labels(self._listener).dec()
        self._server_state.connections.discard(self)
        self._closing = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for exchange in (self._current, *self._waiting):
            if exchange is not None:
                exchange.disconnect()
        self._current = self._arriving = None
        self._waiting.clear()
        self._reader.close()
        if self.may_write is not None:
            self.may_write.set()
            self.may_write = None

    # What uvicorn calls

    def shutdown(self) -> None:
        """The server stops. Answer what has come or comes within ``drain_s``, then end."""
        self._stopping_since = self._loop.time()
        self._set_timer()

    # What a transport calls

    @property
    def closing(self) -> bool:
        """Whether everything is sent, or about to be: what still comes is dropped."""
        return self._closing

    # What an exchange calls

    @property
    def common_headers(self) -> list[tuple[bytes, bytes]]:
        """The headers of every answer: Date."""
        return self._server_state.default_headers

    def write(self, data: bytes) -> None:
        """Send, or do nothing when the connection has ended."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def ends_next(self) -> bool:
        """Is the current answer the last one before a stop?"""
        return self._stopping_since is not None and not self._waiting and self._refusal is None

    def body_taken(self) -> None:
        """The application has read the body so far: there is room for more."""
        self._read_or_pause()

    def completed(self, exchange: Exchange) -> None:
        """An answer is complete. Start the next request, or end."""
        if exchange is not self._current:
            return
        self._server_state.total_requests += 1
        self._answered_any = True
        self._current = None
        self._silent_since = self._loop.time()
        if exchange.last:
            self._close(linger=bool(self._waiting) or not exchange.body_ended)
        elif self._waiting:
            self._run(self._waiting.popleft())
        elif self._refusal is not None:
            self._write_refusal(self._refusal)
        self._read_or_pause()
        self._set_timer()

    def broken(self, exchange: Exchange) -> None:
        """An answer cannot be completed. Make sure that the peer does not take it for complete."""
        if exchange is self._current:
            self._abort()

    # Requests

    def _begin(self, head: RequestHead) -> None:
        exchange = Exchange(self._scope_of(head), head, self)
        self._arriving = exchange
        self._head_since = None
        if self._current is None:
            self._run(exchange)
        else:
            self._waiting.append(exchange)

    def _scope_of(self, head: RequestHead) -> Scope:
        return {
            **self._scope,
            "http_version": head.http_version,
            "method": head.method,
            "path": head.path,
            "raw_path": head.raw_path,
            "query_string": head.query,
            "headers": head.headers,
            "state": self._app_state.copy(),
        }

    def _run(self, exchange: Exchange) -> None:
        self._current = exchange
        self._body_since = self._loop.time()
        task = self._loop.create_task(exchange.run(self._app))
        self._server_state.tasks.add(task)
        task.add_done_callback(self._server_state.tasks.discard)

    def _end_body(self) -> None:
        if self._arriving is not None:
            self._arriving.end_body()
            self._arriving = None

    def _read_or_pause(self) -> None:
        """Pause reading while requests wait or much of a body is unread by the application."""
        arriving = self._arriving
        full = arriving is not None and arriving.buffers_enough
        pause = bool(self._waiting) or full
        if pause == self._reading_paused:
            return
        if self._transport is None or self._transport.is_closing():
            return
        if pause:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()
        self._reading_paused = pause

    # Ends

    def _refuse(self, refusal: Refusal) -> None:
        """Answer the complete requests that came before, then refuse, then end."""
        metrics.CONNECTION_REFUSALS.labels(self._listener, refusal.reason).inc()
        log.debug("connection_refused", reason=refusal.reason, detail=refusal.detail)
        self._reader.close()
        faulty, self._arriving = self._arriving, None
        if faulty is not None:
            faulty.disconnect()
            if faulty is self._current:
                self._current = None
                if faulty.sent_any:
                    self._abort()
                    return
            else:
                self._waiting.remove(faulty)
        if self._current is None:
            self._write_refusal(refusal)
        else:
            self._refusal = refusal

    def _write_refusal(self, refusal: Refusal) -> None:
        self.write(refusal.answer(self._listener))
        self._close(linger=True)

    def _close(self, *, linger: bool = False) -> None:
        """End the connection once everything is sent. With ``linger``, wait a moment for the peer
        to end it first."""
        if self._transport is None or self._transport.is_closing():
            return
        self._closing = True
        self._note_unread()
        if linger and self._transport.can_write_eof() and self._lingering_since is None:
            self._lingering_since = self._loop.time()
            self._transport.write_eof()
        else:
            self._lingering_since = None
            self._transport.close()
        self._set_timer()

    def _discard(self, data: bytes) -> None:
        """Drop what the peer still sends, up to a limit."""
        self._discarded_bytes += len(data)
        if self._discarded_bytes > MAX_DISCARDED_BYTES:
            self._close()

    def _abort(self) -> None:
        """End the connection with RST. The kernel drops what the peer has not read, and the peer
        cannot take a truncated answer for a complete one."""
        if self._transport is not None:
            sock = self._transport.get_extra_info("socket")
            with contextlib.suppress(OSError):  # a Unix socket, or one that is closed already
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._transport.abort()

    # Time

    def _next_deadline(self) -> tuple[float, Callable[[], None]] | None:
        """The next deadline, and what to do then; None while only the application is at work."""
        limits = self._limits
        if self._lingering_since is not None:
            return self._lingering_since + limits.linger_s, self._close
        if self._closing or self.may_write is not None:
            return self._unread_since + limits.write_timeout_s, self._write_timed_out
        if self._current is not None:
            if self._arriving is self._current:
                return self._body_since + limits.body_timeout_s, self._body_timed_out
            return None
        if self._head_since is not None:
            due = self._head_since + limits.head_timeout_s
        elif self._answered_any:
            due = self._silent_since + limits.idle_timeout_s
        else:
            due = self._silent_since + limits.head_timeout_s
        if self._stopping_since is not None:
            due = min(due, self._stopping_since + limits.drain_s)
        return due, self._request_timed_out

    def _set_timer(self) -> None:
        """Make sure that the timer fires by the next deadline. A timer that fires too early costs
        less than one that is set for each request."""
        due = None if self._admitted is None else self._next_deadline()
        if due is None or (self._timer is not None and self._timer_at <= due[0]):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = due[0]
        self._timer = self._loop.call_at(due[0], self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        due = self._next_deadline()
        if due is not None and due[0] <= self._loop.time():
            due[1]()
        self._set_timer()

    def _request_timed_out(self) -> None:
        if self._head_since is None or self._stopping_since is not None:
            self._close()
        else:
            self._refuse(HEAD_TIMEOUT)

    def _body_timed_out(self) -> None:
        self._refuse(BODY_TIMEOUT)

    def _note_unread(self) -> None:
        """Remember how much is unread now."""
        self._unread_since = self._loop.time()
        self._unread_bytes = (
            0 if self._transport is None else self._transport.get_write_buffer_size()
        )

    def _write_timed_out(self) -> None:
        """End the connection, unless the peer has read enough to get more time."""
        before = self._unread_bytes
        self._note_unread()
        if before - self._unread_bytes >= MIN_READ_BYTES:
            return
        metrics.CONNECTION_REFUSALS.labels(self._listener, WRITE_TIMEOUT.reason).inc()
        self._abort()


def address_of(found: object) -> tuple[str, int] | None:
    """Host and port of a socket's name; None for a Unix socket."""
    if isinstance(found, (tuple, list)) and len(found) > 1:
        return str(found[0]), int(found[1])
    return None
