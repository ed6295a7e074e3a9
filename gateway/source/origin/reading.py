"""What does an origin's answer mean? A new copy, a confirmed one, or that there is none."""

from dataclasses import dataclass, replace

from gateway.ladder.hls import bandwidths_of
from gateway.observe import metrics
from gateway.source.origin.client import GONE, NOT_MODIFIED, Answer, Trouble, Unanswered
from gateway.source.origin.computing import EXPANDS, computed
from gateway.source.origin.copies import (
    Copy,
    Held,
    digest_of,
    from_bytes,
    is_clean_path,
    packed,
    validator,
)
from gateway.source.origin.freshness import lifetime_of
from gateway.source.origin.terms import Terms
from gateway.source.source import SourceManifest
from manifests.hls.fault import ManifestError
from manifests.hls.multivariant import parse

COST_PER_BYTE = 12
OVERHEAD_BYTES = 2000
"""What a parsed playlist takes in memory: so much for each byte of its text, and so much more."""


@dataclass(frozen=True, slots=True)
class Gone:
    """The origin says that there is no such asset."""


class Reader:
    """Reads answers and shared copies of the origins of ``terms``."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._urls = tuple(server.url for server in terms.origins)

    async def answer(
        self, origin: str, path: str, known: Held | None, answer: Answer
    ) -> Held | Gone:
        """What ``origin`` answered when it was asked for ``path``, with ``known`` to confirm.

        Raises :class:`Unanswered` when the answer is of no use.
        """
        if answer.status in GONE:
            return Gone()
        if answer.status == NOT_MODIFIED:
            if known is None or known.copy.origin != origin:
                text = f"{answer.url}: answered 304 without having been asked"
                raise Unanswered(Trouble.GARBAGE, text)
            return self._confirmed(known, answer)
        body = answer.body
        copy = Copy(
            path=self._path_of(answer.url) or path,
            origin=origin,
            etag=validator(answer.headers.get("etag")),
            last_modified=validator(answer.headers.get("last-modified")),
            asked_at=answer.asked_at,
            lifetime=lifetime_of(
                answer.headers, answer.asked_at, answer.answered_at, self._terms.freshness
            ),
            digest=await computed(len(body), digest_of, body),
            packed=await computed(len(body), packed, body),
        )
        return await self._held(copy, body, known)

    async def shared(self, data: bytes, now: float, known: Held | None) -> Held | None:
        """A copy that another worker has shared; None for whatever is not one."""
        bounds, most = self._terms.freshness, self._terms.asking.max_bytes
        size = EXPANDS * len(data)
        found = await computed(size, from_bytes, data, self._urls, now, bounds, most)
        if found is None:
            return None
        try:
            return await self._held(*found, known)
        except Unanswered:  # written by a version that could read it
            return None

    async def _held(self, copy: Copy, body: bytes, known: Held | None) -> Held:
        """The copy with its manifest; parsed only when it is not the one that is known.

        Raises :class:`Unanswered`.
        """
        bases = self._bases(copy.origin)
        if known is not None and (known.copy.digest, known.copy.path) == (copy.digest, copy.path):
            return Held(copy, replace(known.manifest, base_urls=bases), known.size)
        try:
            most = self._terms.asking.max_bytes
            playlist = await computed(len(body), parse, body, copy.path, max_bytes=most)
        except ManifestError as error:
            raise Unanswered(Trouble.UNPLAYABLE, f"{copy.origin}{error}") from error
        for fault in playlist.faults:
            metrics.PLAYLIST_FAULTS.labels(fault.short_name).inc()
        peaks = bandwidths_of(playlist)
        manifest = SourceManifest(copy.path, playlist, copy.digest, peaks, bases)
        return Held(copy, manifest, OVERHEAD_BYTES + COST_PER_BYTE * len(body) + len(copy.packed))

    def _confirmed(self, held: Held, answer: Answer) -> Held:
        """Good for longer: what the 304 does not say stays as it was (RFC 9111, 3.2)."""
        headers = answer.headers
        life = lifetime_of(headers, answer.asked_at, answer.answered_at, self._terms.freshness)
        if "cache-control" not in headers and "expires" not in headers:
            life = replace(held.copy.lifetime, answered_at=life.answered_at, age_s=life.age_s)
        copy = replace(
            held.copy,
            lifetime=life,
            asked_at=answer.asked_at,
            etag=validator(headers.get("etag")) or held.copy.etag,
            last_modified=validator(headers.get("last-modified")) or held.copy.last_modified,
        )
        return replace(held, copy=copy, revalidated=True, why=None, again_at=0.0)

    def _path_of(self, url: str) -> str | None:
        """Where relative URIs start: below an origin's URL, where redirects have led."""
        plain = url.partition("?")[0]
        for base in self._urls:
            below = plain.removeprefix(base)
            if below != plain and is_clean_path(below):
                return below
        return None

    def _bases(self, origin: str) -> tuple[str, ...]:
        """The URLs that absolute URIs are moved from: its own origin's, then the longest first."""
        others = sorted(set(self._urls) - {origin}, key=lambda url: (-len(url), url))
        return (origin, *others)
