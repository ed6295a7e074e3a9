"""How does systemd learn what the gateway does? By datagrams to ``NOTIFY_SOCKET`` (sd_notify(3)).

The process that systemd has started sends them: the gateway itself, or the parent of its workers.
Without that variable nothing is sent.
"""

import contextlib
import os
import socket
import time
from collections.abc import Mapping
from typing import Self

import structlog

log = structlog.get_logger()

_SEND_TIMEOUT_S = 1.0
_USEC = 1_000_000
_SIGNS_PER_TIMEOUT = 4
"""systemd advises to send a sign of life at least twice within the time that it waits for one."""


class ServiceManager:
    """systemd, or whoever else listens on the socket. A message that cannot be sent is logged, and
    the gateway goes on."""

    def __init__(self, address: str | None = None, watchdog_s: float | None = None) -> None:
        """``address`` is a path, or a name in Linux's abstract namespace that begins with ``@``.
        Within ``watchdog_s`` seconds the manager wants a sign of life; None: it wants none."""
        self._address = address
        self._sign_every_s = None if watchdog_s is None else watchdog_s / _SIGNS_PER_TIMEOUT
        self._next_sign_at = 0.0

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self:
        """As the environment of a service says: ``NOTIFY_SOCKET``, ``WATCHDOG_USEC`` and
        ``WATCHDOG_PID``, which must be this process if it is set."""
        address = environ.get("NOTIFY_SOCKET", "")
        usec, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
        watched = usec.isdecimal() and int(usec) > 0 and pid in {"", str(os.getpid())}
        return cls(
            address if address[:1] in {"/", "@"} else None, int(usec) / _USEC if watched else None
        )

    def ready(self) -> None:
        """Players are answered from now on."""
        self._send("READY=1")

    def stopping(self) -> None:
        """The gateway stops."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """A sign of life, when one is due. Cheap enough to call many times a second."""
        if self._sign_every_s is None:
            return
        now = time.monotonic()
        if now >= self._next_sign_at:
            self._next_sign_at = now + self._sign_every_s
            self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if self._address is None:
            return
        address = self._address
        if address[0] == "@":
            address = f"\0{address[1:]}"
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as sender:
            sender.settimeout(_SEND_TIMEOUT_S)
            try:
                sender.sendto(message.encode(), address)
            except OSError as error:
                log.warning("service_manager_not_told", message=message, error=str(error))
