"""Fetches JSON Web Key Sets from the URLs of issuers, within the bounds that requests to origins
have: of time, size and pace, and without redirects."""

import asyncio
from pathlib import Path
from typing import NamedTuple

from gateway.clock import Clock
from gateway.source.origin.freshness import lifetime_of
from gateway.source.origin.origin_config import FreshnessBounds, OriginServer, RequestLimits
from gateway.source.source import ParsedManifest, SourceFormat
from gateway.trust.tokens.key_set import MAX_SET_BYTES
from gateway.trust.tokens.sources import RefreshBounds

_MEDIA_TYPES = "application/jwk-set+json, application/json"
_OK = 200


class FetchedSet(NamedTuple):
    """The text of a set, and for how many seconds it is fresh."""

    data: bytes
    fresh_s: float


class KeySetClient:
    """Fetches sets. Needs a running event loop."""

    def __init__(self, bounds: RefreshBounds, clock: Clock) -> None:
        """Raises OSError for a ``ca_file`` that cannot be used."""
        from gateway.source.origin.client import OriginClient  # noqa: PLC0415  # brings a client

        self.bounds = bounds
        self._clock = clock
        self._client = OriginClient(
            RequestLimits(
                connect_timeout_s=bounds.timeout_s,
                read_timeout_s=bounds.timeout_s,
                max_bytes=MAX_SET_BYTES,
                max_connections=4,
                max_redirects=0,
                ca_file=None if bounds.ca_file is None else Path(bounds.ca_file),
            ),
            clock,
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._client.close()

    async def fetch(self, url: str) -> FetchedSet:
        """The set at ``url``. Raises ValueError, which says why, when there is none."""
        from gateway.source.origin.client import AttemptError, OriginFile  # noqa: PLC0415

        deadline = asyncio.get_running_loop().time() + self.bounds.timeout_s
        try:
            answer = await self._client.get(
                OriginServer(url), OriginFile("", _FORMAT), {}, deadline
            )
        except AttemptError as error:
            raise ValueError(str(error)) from None
        if answer.status != _OK:
            raise ValueError(f"{url}: answered {answer.status}")
        life = lifetime_of(
            answer.headers,
            answer.asked_at,
            answer.answered_at,
            FreshnessBounds(
                default_fresh_s=self.bounds.max_s,
                min_fresh_s=self.bounds.min_s,
                max_fresh_s=self.bounds.max_s,
            ),
            self._clock.unix_ahead_s(),
        )
        return FetchedSet(answer.body, life.fresh_s)


def _no_manifest(*_: object) -> ParsedManifest:
    raise AssertionError("a set of keys is no manifest")


_FORMAT = SourceFormat(
    template="",
    read=_no_manifest,
    media_types=_MEDIA_TYPES,
    is_manifest=lambda body: body.lstrip()[:1] == b"{",
    is_whole=lambda body: body.rstrip()[-1:] == b"}",
)
