"""What does an origin's response mean: a new copy, a confirmed one, or no such asset?"""

from dataclasses import dataclass, replace

from gateway.clock import Clock
from gateway.observe import metrics
from gateway.offload import EXPANSION, offload_if_large
from gateway.source.origin.client import (
    NOT_FOUND_STATUSES,
    NOT_MODIFIED,
    AttemptError,
    FailureKind,
    OriginFile,
    OriginResponse,
)
from gateway.source.origin.copies import (
    CachedManifest,
    StoredCopy,
    digest_of,
    from_bytes,
    is_clean_path,
    packed,
    validator,
)
from gateway.source.origin.freshness import CopyState, Lifetime, lifetime_of, live_lifetime
from gateway.source.origin.origin_config import OriginConfig
from gateway.source.source import BadSourceError, LiveState, SourceFormat, SourceManifest

COST_PER_BYTE = 12
OVERHEAD_BYTES = 2000
"""Estimated memory of a parsed manifest: a fixed part, and a part for each byte of its text."""


def is_older(found: CachedManifest, known: CachedManifest) -> bool:
    """Whether a live manifest was made before another one of the same asset: replicas of an origin
    may lag, and players must not go back."""
    one, other = found.manifest.manifest.live, known.manifest.manifest.live
    if one is None or other is None or one.published_s is None or other.published_s is None:
        return False
    return one.published_s < other.published_s


@dataclass(frozen=True, slots=True)
class NotFound:
    """The origin has no such asset (404 or 410)."""


class ResponseReader:
    """Reads responses and shared copies of the configured origins."""

    def __init__(self, config: OriginConfig, clock: Clock) -> None:
        """Copies have the times of ``clock``."""
        self._config = config
        self._clock = clock
        self._urls = tuple(server.url for server in config.origins)

    async def answer(
        self, origin: str, file: OriginFile, known: CachedManifest | None, answer: OriginResponse
    ) -> CachedManifest | NotFound:
        """Interpret the response of ``origin`` to a request for ``file``; ``known`` is the copy
        that the request asked to confirm.

        Raises :class:`AttemptError` when the response cannot be used.
        """
        if answer.status in NOT_FOUND_STATUSES:
            return NotFound()
        if answer.status == NOT_MODIFIED:
            if known is None or known.copy.origin != origin:
                text = f"{answer.url}: answered 304 to an unconditional request"
                raise AttemptError(FailureKind.GARBAGE, text)
            return self._confirmed(known, answer)
        body = answer.body
        copy = StoredCopy(
            path=self._path_of(answer.url) or file.path,
            origin=origin,
            etag=validator(answer.headers.get("etag")),
            last_modified=validator(answer.headers.get("last-modified")),
            asked_at=answer.asked_at,
            lifetime=self._lifetime(answer),
            digest=await offload_if_large(len(body), digest_of, body),
            packed=await offload_if_large(len(body), packed, body),
        )
        found = await self._cached(copy, body, known, file.format)
        if known is not None and is_older(found, known):
            state = known.copy.lifetime.state(self._clock.now())
            if state is not CopyState.EXPIRED:
                metrics.ORIGIN_LAGGING.labels(origin).inc()
                text = f"{answer.url}: answered with an older live manifest than before"
                raise AttemptError(FailureKind.LAGGING, text, again=True)
        return found

    def _lifetime(self, answer: OriginResponse) -> Lifetime:
        return lifetime_of(
            answer.headers,
            answer.asked_at,
            answer.answered_at,
            self._config.freshness,
            self._clock.unix_ahead_s(),
        )

    async def shared(
        self, data: bytes, known: CachedManifest | None, form: SourceFormat
    ) -> CachedManifest | None:
        """Parse a copy that another worker has shared; None when it is not one."""
        bounds, most = self._config.freshness, self._config.request.max_bytes
        size = EXPANSION * len(data)
        clock = self._clock
        found = await offload_if_large(size, from_bytes, data, self._urls, clock, bounds, most)
        if found is None:
            return None
        try:
            return await self._cached(*found, known, form)
        except AttemptError:  # written by a version that accepts more manifests
            return None

    async def _cached(
        self,
        copy: StoredCopy,
        body: bytes,
        known: CachedManifest | None,
        form: SourceFormat,
    ) -> CachedManifest:
        """The copy with its manifest, parsed unless ``known`` has the same bytes and path.

        Raises :class:`AttemptError`.
        """
        bases = self._bases(copy.origin)
        if known is not None and (known.copy.digest, known.copy.path) == (copy.digest, copy.path):
            live = known.manifest.manifest.live
            manifest = replace(known.manifest, base_urls=bases)
            return CachedManifest(self._as_live(copy, live), manifest, known.size)
        try:
            most = self._config.request.max_bytes
            parsed = await offload_if_large(len(body), form.read, body, copy.path, most)
        except BadSourceError as error:
            text = f"{copy.origin}{error}"
            raise AttemptError(FailureKind.UNPLAYABLE, text, unplayable=error) from error
        manifest = SourceManifest(copy.path, parsed, bases)
        size = OVERHEAD_BYTES + COST_PER_BYTE * len(body) + len(copy.packed)
        return CachedManifest(self._as_live(copy, parsed.live), manifest, size)

    def _as_live(self, copy: StoredCopy, live: LiveState | None) -> StoredCopy:
        """The copy, with the lifetime that its manifest allows."""
        if live is None:
            return copy
        life = live_lifetime(copy.lifetime, live.update_s, self._config.freshness)
        return replace(copy, lifetime=life)

    def _confirmed(self, cached: CachedManifest, answer: OriginResponse) -> CachedManifest:
        """Extend the copy's lifetime: headers that the 304 omits stay as they were (RFC 9111,
        section 3.2)."""
        headers = answer.headers
        life = self._lifetime(answer)
        if "cache-control" not in headers and "expires" not in headers:
            life = replace(cached.copy.lifetime, answered_at=life.answered_at, age_s=life.age_s)
        copy = replace(
            cached.copy,
            lifetime=life,
            asked_at=answer.asked_at,
            etag=validator(headers.get("etag")) or cached.copy.etag,
            last_modified=validator(headers.get("last-modified")) or cached.copy.last_modified,
        )
        copy = self._as_live(copy, cached.manifest.manifest.live)
        return replace(cached, copy=copy, revalidated=True, why=None, retry_at=0.0)

    def _path_of(self, url: str) -> str | None:
        """The base path of relative URIs: where redirects led, below an origin's URL; None when
        elsewhere."""
        plain = url.partition("?")[0]
        for base in self._urls:
            below = plain.removeprefix(base)
            if below != plain and is_clean_path(below):
                return below
        return None

    def _bases(self, origin: str) -> tuple[str, ...]:
        """The URLs that absolute URIs may start with: the copy's own origin first, then the longest
        first."""
        others = sorted(set(self._urls) - {origin}, key=lambda url: (-len(url), url))
        return (origin, *others)
