"""Source manifests from origins: fresh, or the last good copy.

Each manifest has at most one request to its origin in progress, however many players wait for it; a
player that disconnects does not cancel it. A response that cannot be parsed never replaces a good
copy.
"""

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from random import SystemRandom
from typing import Literal

import structlog

from gateway.clock import Clock
from gateway.observe import metrics
from gateway.observe.tasks import supervise
from gateway.source.faults import SourceFaults
from gateway.source.origin.breaker import BreakerState
from gateway.source.origin.client import (
    AttemptError,
    FailureKind,
    OriginClient,
    OriginFile,
    OriginResponse,
)
from gateway.source.origin.copies import CachedManifest, SharedCopies
from gateway.source.origin.failover import MAX_RETRY_AFTER_S, Origin, Origins
from gateway.source.origin.freshness import CopyState
from gateway.source.origin.origin_cache import OriginCache, RecentFailure
from gateway.source.origin.origin_config import OriginConfig
from gateway.source.origin.purges import EXACT, matches
from gateway.source.origin.reader import NotFound, ResponseReader
from gateway.source.origin.slots import Ticket
from gateway.source.source import (
    ManifestKey,
    NoSuchAssetError,
    OriginTimeoutError,
    SourceFormats,
    SourceManifest,
    SourceState,
)
from manifests.format import ManifestFormat

log = structlog.get_logger()

MAX_FETCHES = 1000
"""The most unknown ids, and the most known assets, fetched at a time; further players get an error
at once."""
MAX_FETCHES_PER_CLIENT = 125
"""The most unknown ids fetched at a time for one client network: more than a batch asks for."""
LOOK_S = 0.5
FAULT_S = 600.0
"""A fault of a file counts as mended when it was not met for this long."""
_OF_THE_ORIGIN = {
    *(FailureKind.UNREACHABLE, FailureKind.BREAKER_OPEN, FailureKind.BUSY, FailureKind.LAGGING),
}
"""Failures that say nothing about the requested file."""

_Outcome = CachedManifest | NotFound | RecentFailure
_random = SystemRandom()


@dataclass(frozen=True, slots=True, eq=False)
class _Fetch:
    """A request in progress; ``started`` is loop time."""

    task: asyncio.Task[_Outcome]
    ticket: Ticket
    started: float


class OriginSource:
    """Source manifests from one or several origins."""

    def __init__(
        self,
        config: OriginConfig,
        shared: SharedCopies,
        formats: SourceFormats,
        *,
        clock: Clock | None = None,
    ) -> None:
        """``clock`` judges the age of copies."""
        self.faults = SourceFaults(FAULT_S)
        self._config = config
        self._formats = formats
        self._clock = clock or Clock()
        self._client = OriginClient(config.request, self._clock)
        self._origins = Origins(config, self._client)
        self._reader = ResponseReader(config, self._clock)
        self._cache = OriginCache(config, shared, self._reader, self._name, formats, self._clock)
        self._unknown: Counter[str] = Counter()
        self._unknown_fetches = 0
        self._fetches: dict[ManifestKey, _Fetch] = {}
        self._others_hold_some = False
        self._bare = OriginFile("", next(iter(formats.values())))

    async def load(
        self, asset: str, client: str = "", wanted: ManifestFormat = ManifestFormat.HLS
    ) -> SourceManifest:
        """The manifest of ``asset``: fresh, or the last good copy while it may be served.
        ``client`` is the network of the player that asks.

        Raises :class:`NoSuchAssetError`; :class:`BadSourceError` when the manifest cannot be
        played; :class:`OriginError` when the origin's response is no manifest; and
        :class:`OriginTimeoutError` when it does not respond.
        """
        cache, key = self._cache, ManifestKey(asset, wanted)
        cached = cache.get(key)
        if cached is None:
            self._raise_what_is_known(key)
            await cache.fetch_shared(key)
            cached = cache.get(key)
        state = CopyState.EXPIRED if cached is None else cache.state(cached)
        if cached is None or state is CopyState.EXPIRED:
            return await self._wait_for_origin(key, client)
        if state is not CopyState.FRESH:
            await self._refresh(key, cached, state)
            if cache.is_not_found(key):
                raise _no_such(asset)
            cached = cache.get(key) or cached
        return self._served(cached)

    async def has(self, asset: str, wanted: ManifestFormat) -> bool:
        """Whether this worker has a copy."""
        return self._cache.get(ManifestKey(asset, wanted)) is not None

    def ready(self) -> str | None:
        """None when an origin responds, or there are copies to serve."""
        if self._cache.has_copies() or self._others_hold_some:
            return None
        return self._trouble() if self._all_down() else None

    def degraded(self) -> str | None:
        """The origins that do not respond, in a sentence; None when all respond."""
        return self._trouble() if any(map(_is_down, self._origins.all)) else None

    async def watch(self) -> None:
        """Probe origins that are down, so that no player's request has to, until cancelled."""
        checks = [
            supervise("origin_check", partial(self._watch, origin)) for origin in self._origins.all
        ]
        try:
            await asyncio.gather(*checks)
        finally:
            for check in checks:
                check.cancel()
            await asyncio.gather(*checks, return_exceptions=True)

    async def close(self) -> None:
        """Cancel requests in progress and close the connections."""
        tasks = [fetch.task for fetch in self._fetches.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._cache.close()
        await self._client.close()

    async def purge(self, asset: str) -> None:
        """Forget ``asset``, in this process and in the store, and ignore requests in progress for
        it."""
        await self._purge(EXACT + asset)

    async def purge_prefix(self, prefix: str) -> None:
        """Forget every asset whose id starts with ``prefix``; ``""`` means all."""
        await self._purge(prefix)

    async def revalidate_all(self) -> None:
        """Revalidate every cached copy before it is served again; it is still served where the
        origin fails."""
        self._cache.revalidate_all()

    async def _purge(self, pattern: str) -> None:
        for key in [each for each in self._fetches if matches(pattern, each.asset)]:
            del self._fetches[key]
        await self._cache.purge(pattern)

    def _raise_what_is_known(self, key: ManifestKey) -> None:
        """Raise the error of a recent 404 or failure, if there is one."""
        if self._cache.is_not_found(key):
            raise _no_such(key.asset)
        failure = self._cache.failure(key)
        if failure is not None:
            raise failure.error()

    async def _wait_for_origin(self, key: ManifestKey, client: str) -> SourceManifest:
        """Wait for the origin, as there is no copy to serve."""
        self._raise_what_is_known(key)
        fetch = self._fetch_of(key, client)
        if fetch is None:
            text = f"{key.asset}: too many requests to the origin are in progress"
            raise OriginTimeoutError(text, kind=FailureKind.BUSY)
        await asyncio.wait((fetch.task,))  # awaiting the task would cancel it too
        outcome = fetch.task.result()
        if isinstance(outcome, NotFound):
            raise _no_such(key.asset)
        if isinstance(outcome, RecentFailure):
            raise outcome.error()
        return self._served(outcome)

    async def _refresh(self, key: ManifestKey, cached: CachedManifest, state: CopyState) -> None:
        """Request a new copy. The player waits, briefly, only when the copy is a last resort and
        the origin is not yet known to fail."""
        now = asyncio.get_running_loop().time()
        if now < cached.retry_at:
            return
        fetch = self._fetch_of(key)
        if fetch is None or state is CopyState.STALE or cached.why is not None:
            return
        patience_s = fetch.started + self._config.patience_s - now
        if patience_s > 0:
            await asyncio.wait((fetch.task,), timeout=patience_s)

    def _fetch_of(self, key: ManifestKey, client: str = "") -> _Fetch | None:
        """The request in progress for ``key``, or a new one; None when there are too many."""
        fetch = self._fetches.get(key)
        if fetch is not None:
            self._origins.join(fetch.ticket, client)
            return fetch
        ticket = Ticket(known=self._is_known(key), client=client)
        if not self._may_begin(ticket):
            return None
        if not ticket.known:
            self._unknown_fetches += 1
            self._unknown[client] += 1
        now = asyncio.get_running_loop().time()
        fetch = _Fetch(asyncio.create_task(self._fetch(key, ticket)), ticket, now)
        self._fetches[key] = fetch
        fetch.task.add_done_callback(partial(self._fetch_done, key, fetch))
        return fetch

    def _is_known(self, key: ManifestKey) -> bool:
        """Whether an origin has sent the manifest before; any other id may be made up."""
        file = self._file(key)
        return self._cache.get(key) is not None or any(
            origin.has_sent(file) for origin in self._origins.all
        )

    def _may_begin(self, ticket: Ticket) -> bool:
        """Whether one more asset may be fetched."""
        unknown = self._unknown_fetches
        if ticket.known:
            return len(self._fetches) - unknown < MAX_FETCHES
        client = ticket.client
        return unknown < MAX_FETCHES and (
            not client or self._unknown[client] < MAX_FETCHES_PER_CLIENT
        )

    def _fetch_done(self, key: ManifestKey, fetch: _Fetch, task: asyncio.Task[_Outcome]) -> None:
        ticket = fetch.ticket
        if not ticket.known:
            self._unknown_fetches -= 1
            self._unknown[ticket.client] -= 1
            if not self._unknown[ticket.client]:
                del self._unknown[ticket.client]
        if self._fetches.get(key) is fetch:  # else purged, and replaced by a newer one
            del self._fetches[key]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("source_failed", asset=key.asset, exc_info=error)

    async def _fetch(self, key: ManifestKey, ticket: Ticket) -> _Outcome:
        """Request the manifest and remember the outcome."""
        asked_at = self._clock.now()
        deadline = asyncio.get_running_loop().time() + self._config.total_timeout_s
        file = self._file(key)
        cached = self._cache.get(key)
        if cached is not None:  # else the store has just been asked
            cached = await self._cache.newer(key, cached)
            if self._cache.state(cached) is CopyState.FRESH:
                self.faults.ended(file.path)
                return cached
        origins = self._origins.for_asset(key.asset)
        if not origins:
            return NotFound()

        async def read(origin: Origin, answer: OriginResponse) -> CachedManifest | NotFound:
            return await self._reader.answer(origin.server.url, file, cached, answer)

        validators = {} if cached is None else {cached.copy.origin: cached.copy.validators}
        try:
            outcome = await self._origins.ask(ticket, origins, file, validators, deadline, read)
        except AttemptError as error:
            asked_s = error.wait_s if error.pauses_origin else None
            wait_s = min(asked_s or 0.0, MAX_RETRY_AFTER_S)
            failure = RecentFailure(error.kind, str(error), error.unplayable, wait_s)
            self._cache.remember_failure(key, cached, failure)
            if error.kind not in _OF_THE_ORIGIN:
                self.faults.met(file.path, failure.error())
            return failure
        self.faults.ended(file.path)
        self._cache.remember(key, outcome, asked_at)
        return outcome

    def _served(self, cached: CachedManifest) -> SourceManifest:
        life, now = cached.copy.lifetime, self._clock.now()
        stale_s = life.stale_for(now)
        status: Literal["fresh", "revalidated", "stale"] = "stale"
        if stale_s < 0:
            status = "revalidated" if cached.revalidated else "fresh"
        metrics.ORIGIN_COPIES.labels(status).inc()
        state = SourceState(cached.copy.origin, status, life.age(now), -stale_s, cached.why)
        return replace(cached.manifest, state=state)

    async def _watch(self, origin: Origin) -> None:
        while True:
            pause_s = LOOK_S * _random.uniform(0.8, 1.2)
            if _is_down(origin):
                await self._look(origin)
                await asyncio.sleep(pause_s)
            elif origin.suspicion.is_set():
                await self._origins.verify(origin)
                await asyncio.sleep(pause_s)
            else:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause_s):
                        await origin.suspicion.wait()

    async def _look(self, origin: Origin) -> None:
        """Probe one origin, and check whether other workers have shared copies."""
        now = asyncio.get_running_loop().time()
        if origin.breaker.wait_s(now) <= 0:
            for file in origin.files_to_try(1) or [self._bare]:
                await self._origins.probe(origin, file)
        if self._all_down() and not self._cache.has_copies():
            self._others_hold_some = await self._cache.others_hold_some()

    def _all_down(self) -> bool:
        return all(map(_is_down, self._origins.all))

    def _trouble(self) -> str:
        """Which origins are down and why."""
        return "; ".join(
            each.last_failure or f"{each.server.url}: has not answered yet"
            for each in self._origins.all
            if _is_down(each)
        )

    def _file(self, key: ManifestKey) -> OriginFile:
        form = self._formats[key.format]
        return OriginFile(form.path_of(key.asset), form)

    def _name(self, key: ManifestKey) -> str:
        """The name of a shared copy. It holds the origins' URLs: the same path on other origins is
        another copy."""
        urls = " ".join(each.server.url for each in self._origins.for_asset(key.asset))
        return f"{urls} {self._formats[key.format].path_of(key.asset)}"


def _no_such(asset: str) -> NoSuchAssetError:
    return NoSuchAssetError(f"{asset}: the origin has no such asset")


def _is_down(origin: Origin) -> bool:
    return origin.reached is not True or origin.breaker.state is not BreakerState.CLOSED
