"""Was this very request answered a moment ago?

An answer follows from the request's own bytes (of its headers, those that are read), the config,
the fleet, the source's manifest, the GeoIP databases, the minute where rules ask for it, and what
is remembered of the session. While none of these has changed, the answer is the same, and is kept,
finished, for a few seconds: for a player that asks again, and for many behind one address that ask
for one title at once. Everything that is not exactly so goes the whole way. An answer is kept when
its request comes for the second time: most never do, and would take the room of those that do.

Requests are not kept where every answer counts by itself: with leases, and with decision events.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from starlette.types import Scope

from gateway.cache import Recent
from gateway.client.estimate import SessionEstimate
from gateway.play.reply import Reply
from gateway.source.source import SourceManifest

if TYPE_CHECKING:
    from gateway.play.runtime import Gateway

KEPT = 16_384
KEPT_S = 60.0
"""So long an answer is kept; bounds how late anything can show that has an age."""
LONGEST_KEY_BYTES = 1024
"""A request of which more is read is not kept; with ``KEPT`` this bounds the memory taken."""
LARGEST_BYTES = 64 * 1024
"""A larger body is not kept with its answer."""


class Counter(Protocol):
    """Something that counts."""

    def inc(self) -> None:
        """One more."""


@dataclass(frozen=True, slots=True)
class OfSession:
    """What an answer took from its session, which must still be so: that it plays the asset
    (``asset_name``) from one of ``edges``, and the speed where it decided. ``measured_kbps`` is
    what the request itself reports and the session remembers."""

    name: str
    asset: bytes
    edges: tuple[str | None, ...]
    estimate: SessionEstimate | None
    measured_kbps: float | None


@dataclass(frozen=True, slots=True)
class Known:
    """A finished answer and what it depends on. ``until`` is monotonic time."""

    reply: Reply
    asset: str
    source_version: str
    geo_generation: int
    until: float
    session: OfSession | None
    counters: tuple[Counter, ...]


class KnownAnswers:
    """Finished answers by the requests that they answer."""

    def __init__(self, capacity: int = KEPT) -> None:
        """``capacity`` bounds how many are kept."""
        self._kept: Recent[bytes, Known] = Recent(capacity)
        self._asked: Recent[int, bool] = Recent(capacity)

    def asked_again(self, key: bytes) -> bool:
        """Whether the same was asked before, as far as is remembered: by hash, so rarely it was
        another request."""
        name = hash(key)
        if self._asked.get(name):
            return True
        self._asked.put(name, True)
        return False

    def clear(self) -> None:
        """Something that all answers depend on has changed."""
        self._kept.clear()

    def find(self, gateway: "Gateway", key: bytes) -> Known | None:
        """The answer to the request of that name, if it is still right. What the request measured
        is remembered for its session."""
        known = self._kept.get(key)
        if (
            known is None
            or known.until < time.monotonic()
            or known.geo_generation != gateway.geo.generation
            or gateway.runtime.source.current(known.asset) != known.source_version
        ):
            return None
        if known.session is not None and not _still_so(gateway, known.session):
            return None
        return known

    def keep(
        self,
        gateway: "Gateway",
        key: bytes,
        reply: Reply,
        source: SourceManifest,
        asset: str,
        session: OfSession | None,
        counters: tuple[Counter, ...],
    ) -> None:
        """Keep an answer."""
        if len(reply.body) > LARGEST_BYTES:
            return
        until = time.monotonic() + KEPT_S
        generation = gateway.geo.generation
        known = Known(reply, asset, source.version, generation, until, session, counters)
        self._kept.put(key, known)


def _still_so(gateway: "Gateway", session: OfSession) -> bool:
    record = gateway.sessions.fresh(session.name)
    if record is None or record.edge_named(session.asset) not in session.edges:
        return False
    if session.estimate is not None and record.estimate is not session.estimate:
        return False
    if session.measured_kbps is not None:
        estimate = record.estimate.updated(session.measured_kbps, time.time())
        gateway.sessions.put_soon(session.name, record.measured(estimate))
    return True


def key_of(scope: Scope, read: Sequence[bytes], minute: int) -> bytes | None:
    """The name of a request: all of it that is read; None for one that has none.

    ``read`` are the headers that are, name, value, name, value; ``minute`` is that of the clock
    where rules ask for the time, else 0. A line feed stands between the parts, as it cannot stand
    in any: a path that has one names no asset.
    """
    path: str = scope["path"]
    if "\n" in path or not path.isascii():
        return None
    client = scope.get("client")
    peer = "" if client is None else client[0]
    first = f"{scope['method']}\n{path}\n{peer}\n{minute}".encode()
    key = b"\n".join((first, scope["query_string"], *read))
    return key if len(key) <= LONGEST_KEY_BYTES else None
