"""Follows GeoIP files that are replaced while the gateway runs: the newest valid one is used."""

import asyncio
from collections.abc import Iterable

import structlog

from gateway.observe import metrics
from gateway.observe.tasks import in_time
from geodata.lookup import EMBEDDED, DatabaseStatus, GeoLookup

log = structlog.get_logger()

INTERVAL_S = 2.0


async def follow(geo: GeoLookup, interval_s: float = INTERVAL_S) -> None:
    """Check the files every ``interval_s`` seconds, until cancelled.

    A file that cannot be used is logged once for each reason; the last valid one stays in use.
    """
    logged: dict[str, str | None] = {}
    for status in geo.status:
        _log_change(status, logged)
    _count_refused(geo.status)
    while True:
        await asyncio.sleep(interval_s)
        with in_time("geo"):
            found = await asyncio.to_thread(geo.reload)
        for status in found:
            _log_change(status, logged)
        _count_refused(found)


def _count_refused(found: Iterable[DatabaseStatus]) -> None:
    metrics.GEO_REFUSED.set(sum(status.last_error is not None for status in found))


def _log_change(status: DatabaseStatus, logged: dict[str, str | None]) -> None:
    """Count and log changes since the last check."""
    if status.role == "place" and status.build_epoch is not None:
        metrics.GEO_BUILT.set(status.build_epoch)
        metrics.GEO_EMBEDDED.set(status.path == EMBEDDED)
    if status.outcome == "replaced":
        metrics.GEO_RELOADS.labels("ok").inc()
        log.info("geo_loaded", role=status.role, path=str(status.path), built=status.build_epoch)
    elif status.outcome == "refused" and logged.get(status.role) != status.last_error:
        metrics.GEO_RELOADS.labels("refused").inc()
        log.error(
            "geo_refused",
            role=status.role,
            path=str(status.path),
            reason=status.last_error,
            in_use=status.loaded,
        )
    logged[status.role] = status.last_error
