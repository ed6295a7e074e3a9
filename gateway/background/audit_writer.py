"""Writes the audit log to Redis, and tries again while Redis does not accept it."""

import asyncio
from random import SystemRandom

import structlog

from gateway.observe import metrics
from gateway.operators.audit import AuditTrail
from gateway.store.connection.protocol import StoreUnavailable

FIRST_BACKOFF_S = 0.25
MAX_BACKOFF_S = 5.0
GRACE_S = 1.0

log = structlog.get_logger()
_random = SystemRandom()


async def follow(trail: AuditTrail) -> None:
    """Write entries as they come, until cancelled."""
    backoff_s = 0.0
    while True:
        await trail.filled()
        try:
            await trail.write()
        except StoreUnavailable as error:
            if not backoff_s:
                log.warning("audit_not_written", reason=error.trouble, waiting=trail.waiting)
            backoff_s = min(max(FIRST_BACKOFF_S, 2 * backoff_s), MAX_BACKOFF_S)
            await asyncio.sleep(backoff_s * _random.uniform(0.5, 1.5))
        else:
            if backoff_s:
                log.info("audit_recovered")
            backoff_s = 0.0


async def finish(trail: AuditTrail, grace_s: float = GRACE_S) -> None:
    """Write what waits, for ``grace_s`` seconds at most."""
    try:
        async with asyncio.timeout(grace_s):
            while trail.waiting:
                await trail.write()
    except (StoreUnavailable, TimeoutError):
        metrics.AUDIT_ENTRIES.labels("dropped").inc(trail.waiting)
        log.warning("audit_lost", count=trail.waiting)
