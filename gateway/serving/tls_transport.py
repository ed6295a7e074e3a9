"""The transport of a connection over TLS: what is written is encrypted, what comes is decrypted.

:class:`ssl.SSLObject` does the cryptography between two buffers in memory. uvloop and asyncio have
such a transport as well, but theirs tells nobody of a connection before its handshake has ended,
and sends no alert when that fails. So half-open connections could not be counted, and operators
would not learn why a client is refused.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

from gateway.tls.certificate import Certificate

READ_BYTES = 64 * 1024
MAX_UNREAD_REPLIES_BYTES = 64 * 1024
"""What a peer may leave unread while it makes TLS itself answer, with key updates for example."""


class TlsTransport(asyncio.Transport):
    """A transport over ``raw``, whose protocol passes what comes to :meth:`feed`."""

    def __init__(
        self,
        raw: asyncio.Transport,
        certificate: Certificate,
        loop: asyncio.AbstractEventLoop,
        deliver: Callable[[], None],
    ) -> None:
        """``deliver`` is called when reading is resumed: what has come before may be read now."""
        super().__init__()
        self._raw = raw
        self._loop = loop
        self._deliver = deliver
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._ssl = certificate.context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.certificate = certificate
        self._closing = False
        self._ended = False
        self.paused = False

    @property
    def ssl_object(self) -> ssl.SSLObject:
        """The state of TLS."""
        return self._ssl

    # What the protocol below calls

    def feed(self, data: bytes) -> None:
        """Ciphertext has come."""
        self._incoming.write(data)

    def shake_hands(self) -> bool:
        """Go on with the handshake. True once it has ended; raises ssl.SSLError when it has failed,
        with the alert on its way."""
        try:
            self._ssl.do_handshake()
        except ssl.SSLWantReadError:
            return False
        finally:
            self._flush()
        return True

    def read(self) -> bytes | None:
        """What has come, decrypted; empty when the peer has ended TLS, None when there is no more
        for now. Raises ssl.SSLError."""
        try:
            return self._ssl.read(READ_BYTES)
        except ssl.SSLWantReadError:
            return None
        finally:
            if self._outgoing.pending:
                self._flush()
                if self._raw.get_write_buffer_size() > MAX_UNREAD_REPLIES_BYTES:
                    self.abort()

    # What a connection calls

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ANN401
        """``ssl_object`` and ``sslcontext`` of TLS, everything else of the socket."""
        if name == "ssl_object":
            return self._ssl
        if name == "sslcontext":
            return self.certificate.context
        return self._raw.get_extra_info(name, default)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and send."""
        if self._closing or self._ended or not data:
            return
        left = memoryview(data)
        try:
            while left:
                left = left[self._ssl.write(left) :]
        except ssl.SSLError:  # the state of TLS is of no more use
            self.abort()
            return
        self._flush()

    def get_write_buffer_size(self) -> int:
        """Bytes that the socket has not taken."""
        return self._raw.get_write_buffer_size()

    def is_closing(self) -> bool:
        """Whether it is closed or about to be."""
        return self._closing or self._raw.is_closing()

    def can_write_eof(self) -> bool:
        """TLS ends in each direction by itself (RFC 8446, 6.1)."""
        return True

    def write_eof(self) -> None:
        """Send no more."""
        self._end()
        self._raw.write_eof()

    def close(self) -> None:
        """Close once everything is sent."""
        if not self._closing:
            self._closing = True
            self._end()
            self._raw.close()

    def abort(self) -> None:
        """Close at once."""
        self._closing = True
        self._raw.abort()

    def pause_reading(self) -> None:
        """Deliver nothing more for now."""
        self.paused = True
        self._raw.pause_reading()

    def resume_reading(self) -> None:
        """Deliver again: first what has come already."""
        self.paused = False
        self._raw.resume_reading()
        self._loop.call_soon(self._deliver)

    def _end(self) -> None:
        """Tell the peer that nothing more follows (close_notify)."""
        if self._ended:
            return
        self._ended = True
        try:
            self._ssl.unwrap()
        except ssl.SSLError:  # it would wait for the peer's, or there is no handshake yet
            pass
        except ValueError:
            return
        self._flush()

    def _flush(self) -> None:
        if self._outgoing.pending and not self._raw.is_closing():
            self._raw.write(self._outgoing.read())
