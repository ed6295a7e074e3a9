"""Sends the metrics to a collector of OpenTelemetry every ``otlp.interval_s`` seconds.

Metrics are cumulative: the next export has what a collector missed. A thread sends, one export at
a time, and neither requests nor the end of the worker wait for it. Of several workers, whose
metrics are shared, the one that holds the lock of their folder exports for all.
"""

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING, Final

import structlog

from gateway.config.telemetry_settings import OtlpSettings
from gateway.observe import metrics

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricsData

    from gateway.observe.otlp import OtlpExporter

LOCK_FILE: Final = "otlp.lock"
MAX_TIMEOUT_S: Final = 10.0
PATIENCE_S: Final = 5.0
"""An export that has not ended this many seconds after its timeout counts as failed."""

log = structlog.get_logger()
_random = SystemRandom()


class OtlpExport:
    """The exports of one worker."""

    def __init__(self, settings: OtlpSettings, resource: Mapping[str, str]) -> None:
        """``resource`` says whose metrics they are (``service.name`` and its like)."""
        self._settings = settings
        self._resource = resource
        self._started_s = time.time()
        self._lock: int | None = None
        self._works = True

    async def run(self) -> None:
        """Export until cancelled. Returns at once when there is no endpoint."""
        endpoint, interval_s = self._settings.endpoint, self._settings.interval_s
        if endpoint is None:
            return
        from gateway.observe import otlp  # noqa: PLC0415 - an extra, and slow to import

        timeout_s = min(float(interval_s), MAX_TIMEOUT_S)
        exporter = otlp.OtlpExporter(endpoint, timeout_s)
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[bool] | None = None
        while True:
            await asyncio.sleep(interval_s * _random.uniform(0.9, 1.1))
            if not self.exports_for_all():
                continue
            if ended is None or ended.done():
                families, now_s = metrics.families(), time.time()
                data = otlp.metrics_data(families, self._resource, self._started_s, now_s)
                ended = loop.create_future()
                target, arguments = _send, (exporter, data, loop, ended)
                threading.Thread(target=target, args=arguments, name="otlp", daemon=True).start()
            await asyncio.wait((ended,), timeout=timeout_s + PATIENCE_S)
            self._note(taken=ended.done() and ended.result())

    def _note(self, *, taken: bool) -> None:
        metrics.OTLP_EXPORTS.labels("done" if taken else "failed").inc()
        if taken is not self._works:
            self._works = taken
            write = log.info if taken else log.warning
            write("otlp_state", state="up" if taken else "down")

    def exports_for_all(self) -> bool:
        """Whether this worker is the one that exports. The lock of one that ends is released."""
        folder = metrics.shared_folder()
        if folder is None or self._lock is not None:
            return True
        import fcntl  # noqa: PLC0415 - not on Windows, where there is one worker

        lock = os.open(Path(folder, LOCK_FILE), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            return False
        self._lock = lock
        # The counts are those of all workers, past ones too: they began with this file.
        self._started_s = os.fstat(lock).st_mtime
        return True


def _send(
    exporter: "OtlpExporter",
    data: "MetricsData",
    loop: asyncio.AbstractEventLoop,
    ended: "asyncio.Future[bool]",
) -> None:
    """Export in a thread, and tell ``ended`` whether the collector took the metrics."""
    taken = exporter.export(data)
    with contextlib.suppress(RuntimeError):  # the loop has ended
        loop.call_soon_threadsafe(ended.set_result, taken)
