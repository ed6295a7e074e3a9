"""How long may a connection take, and how many may there be?"""

from dataclasses import dataclass, field

DRAIN_S = 0.3
"""Seconds that a stop leaves a silent connection: its request may be on the way, and would be lost
if the connection were closed at once."""

LINGER_S = 1.0
"""Seconds between the end of an answer and the end of its connection where the peer may still be
sending. Closing at once would reset the connection, and the answer with it (RFC 9112, 9.6)."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Bounds of each connection in seconds, and on the connections that one process has of a
    listener."""

    head_timeout_s: float = 20
    """From the opening of a connection, or a request's first byte, to the end of its head."""
    body_timeout_s: float = 30
    """From the end of a head to the end of its body."""
    idle_timeout_s: float = 75
    """From the end of an answer to the first byte of the next request."""
    write_timeout_s: float = 30
    """The longest that a peer may leave its answers unread."""
    max_connections: int = 10_000
    max_connections_per_address: int = 1_000
    trusted_proxies: tuple[str, ...] = ()
    """Networks exempt from ``max_connections_per_address``."""
    drain_s: float = field(default=DRAIN_S, kw_only=True)
    linger_s: float = field(default=LINGER_S, kw_only=True)
