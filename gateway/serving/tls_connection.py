"""One connection over TLS: the handshake, then HTTP/1.1 inside.

It counts as a connection from the moment at which it opens, so half-open handshakes are bounded as
all connections are, and its handshake and the head of its first request together have to be
complete within ``head_timeout_s``. A handshake that fails ends with an alert that says why.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, cast

import structlog

from gateway.observe import metrics
from gateway.serving.connection import Connection, ServerState, address_of
from gateway.serving.connection_counts import Admitted
from gateway.serving.handshake import Failure, failure_of
from gateway.serving.refusal import PLAIN_HTTP, Refusal
from gateway.serving.server_config import ListenerConfig, ServerConfig
from gateway.serving.tls_scope import tls_extension
from gateway.serving.tls_transport import TlsTransport

log = structlog.get_logger()

_METHOD_LETTERS = range(ord("A"), ord("Z") + 1)
"""An HTTP request begins with one of these, a TLS record never does."""


class TlsConnection(asyncio.Protocol):
    """The protocol of a socket: passes what it decrypts to a :class:`Connection`."""

    def __init__(
        self,
        config: ServerConfig | ListenerConfig,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """As uvicorn calls it."""
        self._config = config
        self._server_state = server_state
        self._app_state = app_state
        self._loop = _loop or asyncio.get_running_loop()
        self._listener = config.counts.listener
        self._raw: asyncio.Transport | None = None
        self._transport: TlsTransport | None = None
        self._admitted: Admitted | None = None
        self._connection: Connection | None = None
        self._opened_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._saw_any = False
        self._failed = False

    # What the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A peer has connected. Wait for its handshake if the limits allow another connection."""
        raw = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        peer = address_of(raw.get_extra_info("peername"))
        admitted = self._config.counts.admit(None if peer is None else peer[0])
        if isinstance(admitted, Refusal):
            metrics.CONNECTION_REFUSALS.labels(self._listener, admitted.reason).inc()
            raw.abort()
            return
        self._raw, self._admitted = raw, admitted
        self._opened_at = self._loop.time()
        self._server_state.connections.add(self)
        metrics.CONNECTIONS.labels(self._listener).inc()
        certificate = self._config.certificates[self._listener].current
        self._transport = TlsTransport(raw, certificate, self._loop, self._deliver)
        self._set_timer(self._config.limits.head_timeout_s, self._timed_out)

    def data_received(self, data: bytes) -> None:
        """Go on with the handshake, or pass on what is inside."""
        if self._transport is None or self._raw is None:
            return
        connection = self._connection
        if connection is None:
            if self._failed:  # what still comes does not matter
                return
            if not self._saw_any and data[0] in _METHOD_LETTERS:
                self._refuse_plain_http()
                return
            self._saw_any = True
            self._transport.feed(data)
            self._shake_hands()
        elif connection.closing:
            connection.data_received(data)  # counts and drops it
        else:
            self._transport.feed(data)
            self._deliver()

    def pause_writing(self) -> None:
        """Much is unread by the peer."""
        if self._connection is not None:
            self._connection.pause_writing()

    def resume_writing(self) -> None:
        """The peer has read most of it."""
        if self._connection is not None:
            self._connection.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        if self._admitted is not None:
            self._fail("closed")
            self._leave_handshake().release()
        if self._connection is not None:
            self._connection.connection_lost(exc)
            self._connection = None
        self._transport = self._raw = None

    # What uvicorn calls

    def shutdown(self) -> None:
        """The server stops while the handshake goes on: it may end within ``drain_s``."""
        if not self._failed:
            self._set_timer(self._config.limits.drain_s, self._timed_out)

    # The handshake

    def _shake_hands(self) -> None:
        if self._transport is None:
            return
        try:
            done = self._transport.shake_hands()
        except ssl.SSLError as error:
            log.debug("handshake_failed", listener=self._listener, reason=error.reason)
            self._fail(failure_of(error))
            self._close_soon()
            return
        if done:
            self._begin(self._transport)

    def _begin(self, transport: TlsTransport) -> None:
        """The handshake has ended: HTTP begins."""
        admitted = self._leave_handshake()
        connection = Connection(self._config, self._server_state, self._app_state, self._loop)
        self._connection = connection
        extension = tls_extension(transport.ssl_object, transport.certificate)
        connection.begin(transport, admitted, self._opened_at, extension)
        self._deliver()

    def _deliver(self) -> None:
        """Pass on what has come, until the connection wants no more for now."""
        transport, connection = self._transport, self._connection
        if transport is None or connection is None:
            return
        while not (transport.paused or connection.closing or transport.is_closing()):
            try:
                data = transport.read()
            except ssl.SSLError:  # not what the peer's key encrypts: nothing can be trusted
                transport.abort()
                return
            if data is None:
                return
            if not data:
                transport.close()
                return
            connection.data_received(data)

    def _refuse_plain_http(self) -> None:
        """Answer a request that came without TLS."""
        metrics.CONNECTION_REFUSALS.labels(self._listener, PLAIN_HTTP.reason).inc()
        self._fail("plain-http")
        if self._raw is not None:
            self._raw.write(PLAIN_HTTP.answer(self._listener))
        self._close_soon()

    def _close_soon(self) -> None:
        """End the connection, after a moment in which the peer may read why."""
        if self._raw is None or self._raw.is_closing():
            return
        self._raw.write_eof()
        self._set_timer(self._config.limits.linger_s, self._raw.close)

    def _timed_out(self) -> None:
        self._fail("timeout")
        if self._raw is not None:
            self._raw.abort()

    def _fail(self, failure: Failure) -> None:
        """The handshake does not come to an end. The first reason counts."""
        if not self._failed:
            self._failed = True
            metrics.HANDSHAKE_FAILURES.labels(self._listener, failure).inc()

    def _set_timer(self, after_s: float, call: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(after_s, call)

    def _leave_handshake(self) -> Admitted:
        """The handshake has ended, well or not. Returns what counts the connection."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._server_state.connections.discard(self)
        metrics.CONNECTIONS.labels(self._listener).dec()
        admitted, self._admitted = self._admitted, None
        if admitted is None:
            raise AssertionError("only an admitted connection has a handshake")
        return admitted
