"""What does this worker have for each asset: a copy, or a recent 404 or failure?

Copies are bounded in bytes and shared over the store. 404s and failures are remembered briefly, in
this process alone, and apart from the copies. Purged copies no longer count, whether they come from
this process or from the store.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway.cache import ORIGIN_FAILURES, ORIGIN_SOURCES, Cache
from gateway.clock import Clock
from gateway.observe import metrics
from gateway.source.origin.client import SILENT, FailureKind
from gateway.source.origin.copies import CachedManifest, SharedCopies, to_bytes
from gateway.source.origin.freshness import CopyState
from gateway.source.origin.origin_config import OriginConfig
from gateway.source.origin.purges import Purges, matches
from gateway.source.origin.reader import NotFound, ResponseReader, is_older
from gateway.source.source import (
    BadSourceError,
    ManifestKey,
    OriginError,
    OriginTimeoutError,
    SourceFormats,
)
from manifests.format import ManifestFormat

ENTRY_BYTES = 500
"""Estimated memory of an entry besides its copy."""
PURGES_KNOWN_S = 60.0
MARK_EVERY_S = 60.0
_MARK = ManifestKey(".", ManifestFormat.HLS)
"""Takes the place of an asset's id in the name of a marker that says whether any copy is shared. No
asset has this id."""
_REMOVED, _REMOVED_S = b"gone", 1.0
"""Overwrites the shared copy of an asset that the origin no longer has, and then expires itself."""


@dataclass(frozen=True, slots=True)
class RecentFailure:
    """Why the origin gave no usable response; remembered for a moment, and for ``wait_s`` seconds
    at least."""

    kind: FailureKind
    text: str
    unplayable: BadSourceError | None = None
    wait_s: float = 0.0

    def error(self) -> BadSourceError:
        """A new exception for each player, who does not learn where origins are."""
        if (found := self.unplayable) is not None:
            return BadSourceError(
                self.text, found.fault, kind=found.kind, line=found.line, rule=found.rule
            )
        of_kind = OriginTimeoutError if self.kind in SILENT else OriginError
        return of_kind(self.text, _FAULTS[self.kind], kind=self.kind)


_FAULTS = {
    FailureKind.UNREACHABLE: "the origin cannot be reached",
    FailureKind.TIMEOUT: "the origin did not answer in time",
    FailureKind.TOO_SLOW: "the origin's answer was too slow",
    FailureKind.BROKEN: "the origin's answer broke off",
    FailureKind.STATUS: "the origin answered with an error",
    FailureKind.REDIRECT: "the origin redirects to a place that is not allowed",
    FailureKind.TOO_LARGE: "the origin's answer is larger than allowed",
    FailureKind.GARBAGE: "the origin's answer is not a manifest",
    FailureKind.UNPLAYABLE: "the origin's manifest cannot be played",
    FailureKind.LAGGING: "the origin's answer is older than one before",
    FailureKind.BREAKER_OPEN: "the origin has been failing and is not asked now",
    FailureKind.BUSY: "too many requests to the origin are in progress",
}
"""What players are told."""


@dataclass(frozen=True, slots=True)
class _Recent:
    """A recent 404 or failure, which counts until ``until`` (loop time). A failure may come with an
    expired copy, which the next request can still confirm."""

    outcome: NotFound | RecentFailure
    until: float


class OriginCache:
    """Copies by asset and format. ``name_of`` gives the name under which a copy is shared,
    ``clock`` their ages."""

    def __init__(
        self,
        config: OriginConfig,
        shared: SharedCopies,
        reader: ResponseReader,
        name_of: Callable[[ManifestKey], str],
        formats: SourceFormats,
        clock: Clock,
    ) -> None:
        self._config = config
        self._formats = formats
        self._shared = shared
        self._reader = reader
        self._name_of = name_of
        self._clock = clock
        self._copies: Cache[ManifestKey, CachedManifest] = Cache(
            ORIGIN_SOURCES, config.memory_bytes, lambda cached: ENTRY_BYTES + cached.size
        )
        self._failures: Cache[ManifestKey, _Recent] = Cache(ORIGIN_FAILURES)
        self._shared_fetches: dict[ManifestKey, asyncio.Task[None]] = {}
        self._purges = Purges()
        self._purges_known_until = 0.0
        self._revalidate_until = float("-inf")
        self._mark_at = 0.0

    def has_copies(self) -> bool:
        """Whether this process holds any copy."""
        return len(self._copies) > 0

    def get(self, key: ManifestKey) -> CachedManifest | None:
        """The copy under ``key``; None when this process holds none."""
        return self._copies.get(key)

    def is_not_found(self, key: ManifestKey) -> bool:
        """Whether the origin recently answered 404 or 410."""
        return isinstance(self._recent(key), NotFound)

    def failure(self, key: ManifestKey) -> RecentFailure | None:
        """The recent failure of an asset that has no usable copy."""
        recent = self._recent(key)
        return recent if isinstance(recent, RecentFailure) else None

    def _recent(self, key: ManifestKey) -> NotFound | RecentFailure | None:
        recent = self._failures.get(key)
        return None if recent is None or _now() >= recent.until else recent.outcome

    def state(self, cached: CachedManifest) -> CopyState:
        """What a copy may be used for now."""
        state = cached.copy.lifetime.state(self._clock.now())
        if (
            state in {CopyState.FRESH, CopyState.STALE}
            and cached.copy.asked_at <= self._revalidate_until
        ):
            return CopyState.LAST_RESORT
        return state

    def revalidate_all(self) -> None:
        """Treat every current copy as a last resort from now on."""
        self._revalidate_until = self._clock.now()

    async def purge(self, pattern: str) -> None:
        """Forget the assets that ``pattern`` (:class:`Purges`) covers, and ignore requests in
        progress for them."""
        now = self._clock.now()
        self._purges.note(pattern, now)
        for key in {*self._copies.keys(), *self._failures.keys()}:
            if matches(pattern, key.asset):
                self._copies.pop(key)
                self._failures.pop(key)
        for key in [each for each in self._shared_fetches if matches(pattern, each.asset)]:
            del self._shared_fetches[key]
        await self._shared.note_purge(pattern, self._clock.to_unix(now), self._longest_s)

    def remember(
        self, key: ManifestKey, outcome: CachedManifest | NotFound, asked_at: float
    ) -> None:
        """Keep the origin's response to a request made at ``asked_at``."""
        if self._purges.covers(key.asset, asked_at):
            return
        if isinstance(outcome, NotFound):
            if self.get(key) is not None:
                self._shared.put(self._name_of(key), _REMOVED, _REMOVED_S)
            self._copies.pop(key)
            self._failures.put(key, _Recent(outcome, _now() + self._config.not_found_s))
            return
        self._keep(key, outcome)
        self._share(key, outcome)

    def remember_failure(
        self, key: ManifestKey, asked_with: CachedManifest | None, failure: RecentFailure
    ) -> None:
        """Note a failure of the origin, asked to confirm ``asked_with``."""
        cached = self.get(key)
        until = _now() + max(self._config.failure_s, failure.wait_s)
        if cached is None or self.state(cached) is CopyState.EXPIRED:
            self._failures.put(key, _Recent(failure, until))
        elif asked_with is not None and cached.copy is asked_with.copy:
            self._keep(key, cached.after_failure(failure.text, until))

    async def fetch_shared(self, key: ManifestKey) -> None:
        """Load the shared copy under ``key``; concurrent callers share one read."""
        task = self._shared_fetches.get(key)
        if task is None:
            task = asyncio.create_task(self._fetch_shared(key))
            self._shared_fetches[key] = task
        await asyncio.wait((task,))  # awaiting the task would cancel it, too
        if self._shared_fetches.get(key) is task:
            del self._shared_fetches[key]
        task.result()

    async def newer(self, key: ManifestKey, cached: CachedManifest) -> CachedManifest:
        """The copy that another worker has shared since, else ``cached``."""
        found = await self._shared_copy(key, cached)
        if found is None or is_older(found, cached):
            return cached
        if not is_older(cached, found):
            known_at = cached.copy.lifetime.answered_at
            if found.copy.lifetime.answered_at <= known_at:
                return cached
        self._keep(key, found)
        return found

    async def others_hold_some(self) -> bool:
        """Whether any copy is shared at all."""
        return await self._shared.get(self._name_of(_MARK)) is not None

    async def close(self) -> None:
        """Cancel reads in progress."""
        tasks = list(self._shared_fetches.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _keep(self, key: ManifestKey, cached: CachedManifest) -> None:
        purged = self._purges.covers(key.asset, cached.copy.asked_at)  # perhaps during the read
        if purged:
            return
        self._copies.put(key, cached)
        self._failures.pop(key)

    def _share(self, key: ManifestKey, cached: CachedManifest) -> None:
        life = cached.copy.lifetime
        if not life.shareable:
            return
        ttl_s = max(1.0, life.kept_s)
        # What was purged since it was requested is not remembered: it knew every purge.
        copy = replace(cached.copy, purged_at=self._purges.newest(key.asset))
        self._shared.put(self._name_of(key), to_bytes(copy, self._clock), ttl_s)
        now = _now()
        if now >= self._mark_at:
            self._mark_at = now + MARK_EVERY_S
            self._shared.put(self._name_of(_MARK), b"1", ttl_s)

    async def _fetch_shared(self, key: ManifestKey) -> None:
        cached = await self._shared_copy(key, None)
        if cached is not None and self.get(key) is None and self._recent(key) is None:
            self._keep(key, cached)

    async def _shared_copy(
        self, key: ManifestKey, known: CachedManifest | None
    ) -> CachedManifest | None:
        """The copy in the store, if it is complete, usable and not purged."""
        now = _now()
        if now >= self._purges_known_until:
            noted = await self._shared.purges()
            if noted is None:
                return None
            clock = self._clock
            self._purges.merge({each: clock.from_unix(at) for each, at in noted.items()})
            self._purges_known_until = now + PURGES_KNOWN_S
        data = await self._shared.get(self._name_of(key))
        if data is None or data == _REMOVED:
            return None
        cached = await self._reader.shared(data, known, self._formats[key.format])
        if cached is None:
            metrics.STORE_GARBAGE.inc()
            return None
        copy = cached.copy
        purged = self._purges.may_cover(key.asset, copy.asked_at, copy.purged_at)
        return None if purged or self.state(cached) is CopyState.EXPIRED else cached

    @property
    def _longest_s(self) -> float:
        """The longest that any copy may be useful, in seconds."""
        bounds = self._config.freshness
        stale_s = max(bounds.max_stale_if_error_s, bounds.max_stale_while_revalidate_s)
        return max(bounds.max_fresh_s, bounds.min_fresh_s) + stale_s


def _now() -> float:
    return asyncio.get_running_loop().time()
