"""What in Redis is not ours? Each entry that cannot be read is counted; each kind is logged at most
once in ten minutes.

Redis may hold anything: entries of another release, of another program, or of an attacker. Every
reader checks what it reads and uses the rest; writers replace keys of another type.
"""

from time import monotonic
from typing import Literal

import structlog

from gateway.observe import metrics

GarbageKind = Literal[
    "acknowledgements", "audit", "bus", "decision", "drains", "events", "key", "leases",
    "overrides", "presence", "priors", "purges", "rates", "register", "registration",
    "revocations", "session", "source", "subjects",
]  # fmt: skip

QUIET_S = 600.0
"""Seconds for which further garbage of one kind is only counted."""

log = structlog.get_logger()
_logged: dict[GarbageKind, float] = {}


def found_garbage(kind: GarbageKind, reason: str, count: int = 1) -> None:
    """Count ``count`` entries that could not be read. ``reason`` shows nothing of their content."""
    metrics.STORE_GARBAGE.inc(count)
    now = monotonic()
    if now - _logged.get(kind, float("-inf")) >= QUIET_S:
        _logged[kind] = now
        log.warning("store_garbage", kind=kind, reason=reason)
