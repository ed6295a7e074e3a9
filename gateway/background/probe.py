"""Does an edge answer as it should, right now? One probe, start to end.

Nothing that an edge answers can harm the gateway: a probe reads a bounded number of bytes in a
bounded time, follows redirects within the same host only, and verifies TLS.

The client is ``aiohttp``: a probe costs it 0.2 ms of a core that also serves players, and costs the
client of the origins, which can do more, 1.2 ms.
"""

import asyncio
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import urljoin

from yarl import URL

from gateway.edge.edge import Edge, stable_hash
from gateway.edge.health import Outcome
from gateway.edge.live import Head, head_of, staleness
from manifests.hls.fault import ManifestError
from manifests.hls.media import MediaPlaylist, read_media

if TYPE_CHECKING:
    import aiohttp

MAX_BYTES = 512 * 1024
"""A larger answer is not read on, and no playlist."""
MAX_REDIRECTS = 3
INLINE_BYTES = 16 * 1024
"""A larger playlist is read in a thread: it takes milliseconds."""
DNS_CACHE_S = 5
USER_AGENT = "streaming-gateway-probe"

Result = Literal[
    "ok", "timeout", "refused", "dns", "tls", "broken", "redirect", "status", "not-media", "stale"
]
"""How a probe ended; for metrics."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked of an edge. ``mark`` is 32 bits that differ where URL or kind do."""

    url: str
    playlist: bool
    mark: int


def target_of(edge: Edge, path: str | None) -> Target | None:
    """What to ask the edge for; ``path`` if it names nothing itself. None: it is not probed."""
    asked = edge.health_url or edge.health_playlist or path
    if asked is None:
        return None
    url = urljoin(edge.url, asked)
    playlist = edge.health_playlist is not None
    return Target(url, playlist, stable_hash(f"{url}\0{playlist}") >> 32)


@dataclass(frozen=True, slots=True)
class Seen:
    """The last playlist of an edge: its bytes, what they say, and how far it has come."""

    data: bytes
    playlist: MediaPlaylist
    head: Head | None


@dataclass(frozen=True, slots=True)
class Probed:
    """How a probe ended: what it means for the edge, its kind, and the playlist that was seen."""

    outcome: Outcome
    result: Result
    seen: Seen | None = None


@dataclass(frozen=True, slots=True)
class Bounds:
    """``timeout_s`` bounds a probe from connecting to the last byte; ``stale_factor`` is in target
    durations. ``keep``: leave the connection open for the next probe."""

    timeout_s: float
    stale_factor: float
    keep: bool = True


class ProbeError(Exception):
    """A probe that failed: its kind, and why, for people."""

    def __init__(self, result: Result, why: str) -> None:
        super().__init__(result, why)
        self.result: Result = result
        self.why = why


class Prober:
    """The HTTP client of all probes: connections are kept, TLS is verified, nothing is decoded.

    Needs a running event loop. ``concurrency`` bounds its connections.
    """

    def __init__(self, concurrency: int) -> None:
        import aiohttp  # noqa: PLC0415  # a tenth of a second, for those who have probes

        self._broken = (aiohttp.ClientError, OSError, ValueError)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=concurrency, ttl_dns_cache=DNS_CACHE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    async def probe(
        self, target: Target, seen: Seen | Head | None, bounds: Bounds, now_s: float
    ) -> Probed:
        """Ask once. ``seen`` is what is known of its playlist; ``now_s`` is Unix time. Never
        raises."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            async with asyncio.timeout(bounds.timeout_s):
                data = await self._get(URL(target.url), keep=bounds.keep)
            latency_s = loop.time() - started
            if not target.playlist:
                return Probed(Outcome(latency_s), "ok")
            return await _judge(data, seen, bounds, now_s, latency_s)
        except TimeoutError:
            why = f"no answer in {bounds.timeout_s * 1000:.0f} ms"
            return Probed(Outcome(loop.time() - started, why), "timeout")
        except ProbeError as error:
            return Probed(Outcome(loop.time() - started, error.why), error.result)
        except self._broken as error:
            result, why = _explain(error)
            return Probed(Outcome(loop.time() - started, why), result)

    async def _get(self, url: URL, *, keep: bool) -> bytes:
        """The body of a 2xx answer, up to MAX_BYTES of it."""
        headers = {} if keep else {"Connection": "close"}
        for _ in range(MAX_REDIRECTS + 1):
            async with self._session.get(url, allow_redirects=False, headers=headers) as response:
                if response.status in {301, 302, 303, 307, 308}:
                    url = followed(url, response.headers.get("Location", ""))
                    continue
                if not 200 <= response.status < 300:  # noqa: PLR2004
                    raise ProbeError("status", f"HTTP {response.status}")
                return await _read(response)
        raise ProbeError("redirect", f"more than {MAX_REDIRECTS} redirects")


async def _judge(
    data: bytes, seen: Seen | Head | None, bounds: Bounds, now_s: float, latency_s: float
) -> Probed:
    """What a playlist says of its edge."""
    previous = seen.head if isinstance(seen, Seen) else seen
    if isinstance(seen, Seen) and seen.data == data:
        playlist = seen.playlist
    else:
        try:
            playlist = await _read_playlist(data)
        except ManifestError as error:
            return Probed(
                Outcome(latency_s, f"no media playlist: {error.clause}: {error.problem}"),
                "not-media",
            )
    head = head_of(previous, playlist, now_s)
    stuck = staleness(head, playlist.target_duration_s, bounds.stale_factor, now_s)
    result: Result = "stale" if stuck else "ok"
    return Probed(Outcome(latency_s, stuck), result, Seen(data, playlist, head))


async def _read(response: "aiohttp.ClientResponse") -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > MAX_BYTES:
            response.close()
            break
    return b"".join(parts)


async def _read_playlist(data: bytes) -> MediaPlaylist:
    if len(data) <= INLINE_BYTES:
        return read_media(data, "playlist", MAX_BYTES)
    return await asyncio.to_thread(read_media, data, "playlist", MAX_BYTES)


def followed(url: URL, location: str) -> URL:
    """Where a redirect leads, if that is the same host: scheme and port stay, or http becomes
    https. Raises what a failed probe raises."""
    there = url.join(URL(location))
    secured = (url.scheme, there.scheme) == ("http", "https")
    ports_fit = there.port == url.port or (
        secured and url.is_default_port() and there.is_default_port()
    )
    schemes_fit = there.scheme == url.scheme or secured
    if not location or there.host != url.host or not ports_fit or not schemes_fit:
        raise ProbeError("redirect", "redirected elsewhere")
    return there


def _explain(error: Exception) -> tuple[Result, str]:
    """The kind of a client's error, and words that stay the same while it does."""
    import aiohttp  # noqa: PLC0415  # it was imported when the prober was made

    match error:
        case aiohttp.ClientConnectorDNSError():
            return "dns", "its name is not known"
        case aiohttp.ClientSSLError() | ssl.SSLError():
            return "tls", "TLS failed"
        case aiohttp.ClientConnectorError() if isinstance(error.os_error, ConnectionRefusedError):
            return "refused", "connection refused"
        case aiohttp.ClientConnectorError():
            return "refused", f"cannot connect: {error.os_error.strerror or 'no reason given'}"
        case _:
            return "broken", f"broken answer: {type(error).__name__}"
