"""Follows the certificates of the listeners: a renewed pair is used without a restart.

New connections get the new certificate, running ones go on with theirs. A pair that cannot be used
is refused as a whole, and the last good one stays. The files are looked at every few seconds,
through symbolic links: Certbot and Kubernetes renew them by changing links, others by renaming.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import structlog

from gateway.config.problem import ConfigError, ConfigProblem
from gateway.config.schema import Settings
from gateway.config.tls_settings import TlsSettings
from gateway.listener import OPERATORS, PLAYERS, Listener
from gateway.observe import metrics
from gateway.observe.tasks import in_time
from gateway.tls.certificate import Certificate, CertificateError, load
from gateway.tls.files import TlsFiles
from gateway.tls.names import covers

INTERVAL_S = 2.0
"""Between two looks at the files, in seconds."""
SETTLE_S = 0.2
"""Files that have changed within this many seconds are not read yet: two of them are one pair."""
SOON_S = 14 * 86_400
"""A certificate that expires within this many seconds gets a warning."""

log = structlog.get_logger()

_Seen = tuple[tuple[int, int, int, int] | None, ...]


class CertificateKeeper:
    """The certificate of one listener
    (:class:`gateway.tls.certificate.FollowedCertificate`)."""

    def __init__(
        self, listener: Listener, files: TlsFiles, clock: Callable[[], float] = time.time
    ) -> None:
        """``clock`` gives Unix time. Raises CertificateError when the files cannot be used."""
        self.listener: Listener = listener
        self.files = files
        self._clock = clock
        self._seen = self._look()
        self.current = load(files)
        self.trouble: str | None = None
        self.since_s = 0.0
        self._wake = asyncio.Event()
        self._in_use()

    def look_soon(self) -> None:
        """Look at the files at once. For signal handlers on the event loop."""
        self._wake.set()

    async def run(self, interval_s: float = INTERVAL_S) -> None:
        """Look at the files every ``interval_s`` seconds, until cancelled."""
        trouble = self.current.trouble(self._clock())
        if trouble is not None:
            log.error("certificate_not_valid", listener=self.listener, reason=trouble)
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(interval_s):
                    await self._wake.wait()
            self._wake.clear()
            with in_time(f"certificate_{self.listener}"):
                await self.look()

    async def look(self) -> None:
        """Look at the files once, and use them if they have changed and fit."""
        now = await asyncio.to_thread(self._look)
        if now == self._seen and self.trouble is None:
            return
        while now != self._seen:
            self._seen = now
            await asyncio.sleep(SETTLE_S)
            now = await asyncio.to_thread(self._look)
        try:
            found = await asyncio.to_thread(load, self.files)
        except CertificateError as error:
            self._refuse(str(error))
            return
        trouble = found.trouble(self._clock())
        if trouble is None:
            self._use(found)
        else:
            self._refuse(f"certificate_file: {trouble}")

    def _look(self) -> _Seen:
        """What tells versions of the files apart."""
        return tuple(map(_identity, self.files.paths.values()))

    def _use(self, found: Certificate) -> None:
        self.current, self.trouble = found, None
        metrics.CERTIFICATE_RELOADS.labels(self.listener, "ok").inc()
        self._in_use()
        log.info(
            "certificate_renewed",
            listener=self.listener,
            path=str(self.files.certificate_file),
            expires=_day(found.expires_s),
        )

    def _refuse(self, reason: str) -> None:
        if reason == self.trouble:
            return
        if self.trouble is None:
            self.since_s = self._clock()
        self.trouble = reason
        metrics.CERTIFICATE_RELOADS.labels(self.listener, "refused").inc()
        log.error(
            "certificate_refused",
            listener=self.listener,
            path=str(self.files.certificate_file),
            reason=reason,
            in_use_until=_day(self.current.expires_s),
        )

    def _in_use(self) -> None:
        metrics.CERTIFICATE_EXPIRES_AT.labels(self.listener).set(self.current.expires_s)


def _identity(path: Path) -> tuple[int, int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def _day(moment_s: float) -> str:
    return datetime.fromtimestamp(moment_s, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def certificates_of(settings: Settings) -> dict[Listener, CertificateKeeper]:
    """The certificate of each listener that has TLS. Raises ConfigError for files that cannot be
    used."""
    found: dict[Listener, CertificateKeeper] = {}
    problems: list[ConfigProblem] = []
    for listener, section, tls in _tables(settings):
        try:
            found[listener] = CertificateKeeper(listener, tls.files(section))
        except CertificateError as error:
            problems.append(ConfigProblem(f"{section}.{error.key}", error.reason))
    if problems:
        raise ConfigError(problems)
    return found


def _tables(settings: Settings) -> Iterator[tuple[Listener, str, TlsSettings]]:
    if settings.server.tls is not None:
        yield PLAYERS, "server.tls", settings.server.tls
    if settings.admin.tls is not None and settings.admin.enabled:
        yield OPERATORS, "admin.tls", settings.admin.tls


def certificate_warnings(
    keepers: Mapping[Listener, CertificateKeeper], public_url: str | None, now_s: float
) -> Iterator[ConfigProblem]:
    """What is doubtful in the certificates at ``now_s`` (Unix time): their times, and whether they
    name the host of ``public_url``."""
    for keeper in keepers.values():
        certificate, path = keeper.current, f"{keeper.files.section}.certificate_file"
        if (trouble := certificate.trouble(now_s)) is not None:
            yield ConfigProblem(path, trouble, severity="warning")
        elif certificate.expires_s < now_s + SOON_S:
            text = f"expires at {_day(certificate.expires_s)}, in less than 14 days"
            yield ConfigProblem(path, text, severity="warning")
        host = urlsplit(public_url or "").hostname
        if keeper.listener == PLAYERS and host and not covers(certificate.names, host):
            names = ", ".join(certificate.names[:5]) or "none"
            text = f"does not name {host}, the host of server.public_url; its names: {names}"
            yield ConfigProblem(path, text, severity="warning")
