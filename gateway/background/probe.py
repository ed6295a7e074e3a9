"""Does an edge respond as it should, right now? One probe from start to end.

Nothing that an edge sends can harm the gateway: a probe reads a bounded number of bytes in a
bounded time, follows redirects on the same host only, and verifies TLS.

The client is ``aiohttp``: a probe with it costs a fraction of one with the origins' client, on a
core that also serves players (``docs/decisions/two-http-clients.md``).
"""

import asyncio
import socket
import ssl
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import TYPE_CHECKING, Literal
from urllib.parse import urljoin

from yarl import URL

from gateway.edge.edge import Edge, stable_hash
from gateway.edge.health import ProbeOutcome
from gateway.edge.live import LivePosition, live_position, staleness
from gateway.edge.signing import EdgeSigning
from manifests.fault import ManifestError
from manifests.hls.media import MediaPlaylist, read_media

if TYPE_CHECKING:
    import aiohttp
    from aiohttp.connector import AddrInfoType

MAX_BYTES = 512 * 1024
"""Most bytes to read of a response; a longer one is cut, and is no valid playlist."""
MAX_REDIRECTS = 3
INLINE_BYTES = 16 * 1024
"""A larger playlist is parsed in a thread: that takes milliseconds."""
RECEIVE_BYTES = 64 * 1024
"""The receive buffer of a connection, of which the system makes twice as much. It bounds what the
client handles at a time: with the default, an edge that sends endless informational responses holds
up the event loop for the whole time of the probe."""
DNS_CACHE_S = 5
USER_AGENT = "streaming-gateway-probe"

ResultKind = Literal[
    "ok", "timeout", "refused", "dns", "tls", "broken", "redirect", "status", "not-media", "stale"
]
"""How a probe ended, for metrics."""


@dataclass(frozen=True, slots=True)
class ProbeTarget:
    """What a probe requests of an edge. ``mark`` is a 32-bit hash of URL and kind. ``signed`` is
    how the URL is signed, None for one that is not; ``cookie`` is the signature of a signed request
    in a Cookie header."""

    url: str
    playlist: bool
    mark: int
    signed: "SignedPath | None" = None
    cookie: str = field(default="", repr=False)

    def at(self, unix_s: float) -> "ProbeTarget":
        """The target with its signature at that Unix time."""
        if self.signed is None:
            return self
        signing, edge_url, path = self.signed.signing, self.signed.edge_url, self.signed.path
        cookies = signing.cookies(edge_url, signing.folder_of(path), unix_s)
        return replace(
            self,
            url=signing.signed_url(edge_url, path, unix_s),
            cookie="; ".join([f"{cookie.name}={cookie.value}" for cookie in cookies]),
        )


@dataclass(frozen=True, slots=True)
class SignedPath:
    """A path below the url of an edge that serves nothing without a signature."""

    signing: EdgeSigning
    edge_url: str
    path: str


def target_of(edge: Edge, path: str | None) -> ProbeTarget | None:
    """The probe's target; ``path`` is the default when the edge names none. None: the edge is not
    probed."""
    asked = edge.health_url or edge.health_playlist or path
    if asked is None:
        return None
    url = urljoin(edge.url, asked)
    playlist = edge.health_playlist is not None
    signed = None
    if edge.signing is not None and url.startswith(edge.url):
        signed = SignedPath(edge.signing, edge.url, url.removeprefix(edge.url))
    return ProbeTarget(url, playlist, stable_hash(f"{url}\0{playlist}") >> 32, signed)


@dataclass(frozen=True, slots=True)
class SeenPlaylist:
    """The last media playlist of an edge: its bytes, its content, and its live head."""

    data: bytes
    playlist: MediaPlaylist
    head: LivePosition | None


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The result of a probe: what it means for the edge, its kind, and the playlist read."""

    outcome: ProbeOutcome
    kind: ResultKind
    seen: SeenPlaylist | None = None


@dataclass(frozen=True, slots=True)
class ProbeLimits:
    """``timeout_s`` bounds a probe from connecting to the last byte; ``stale_factor`` is in target
    durations. ``keep``: keep the connection open for the next probe."""

    timeout_s: float
    stale_factor: float
    keep: bool = True


class ProbeError(Exception):
    """A failed probe: its kind, and the reason for people."""

    def __init__(self, kind: ResultKind, why: str) -> None:
        super().__init__(kind, why)
        self.kind: ResultKind = kind
        self.why = why


async def load_client() -> None:
    """Import the HTTP client in a thread: on the event loop, players would wait for 0.1 s."""
    await asyncio.to_thread(import_module, "aiohttp")


class Prober:
    """The HTTP client of all probes: verifies TLS, decodes no bodies, may keep connections open.

    Needs a running event loop. ``concurrency`` bounds its connections.
    """

    def __init__(self, concurrency: int) -> None:
        import aiohttp  # noqa: PLC0415  # takes 0.1 s: only where edges are probed

        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=concurrency, ttl_dns_cache=DNS_CACHE_S, socket_factory=_bounded_socket
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    async def probe(
        self,
        target: ProbeTarget,
        seen: SeenPlaylist | LivePosition | None,
        bounds: ProbeLimits,
        now_s: float,
    ) -> ProbeResult:
        """Probe once. ``seen`` is the last known playlist or its head; ``now_s`` is the time by the
        clock of ``seen``. Never raises."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            async with asyncio.timeout(bounds.timeout_s):
                url = URL(target.url, encoded=target.signed is not None)
                data = await self._get(url, target.cookie, keep=bounds.keep)
            latency_s = loop.time() - started
            if not target.playlist:
                return ProbeResult(ProbeOutcome(latency_s), "ok")
            return await _judge(data, seen, bounds, now_s, latency_s)
        except TimeoutError:
            why = f"no response in {bounds.timeout_s * 1000:.0f} ms"
            return ProbeResult(ProbeOutcome(loop.time() - started, why), "timeout")
        except ProbeError as error:
            return ProbeResult(ProbeOutcome(loop.time() - started, error.why), error.kind)
        except Exception as error:  # noqa: BLE001  # whatever an edge makes the client raise
            kind, why = _explain(error)
            return ProbeResult(ProbeOutcome(loop.time() - started, why), kind)

    async def _get(self, url: URL, cookie: str, *, keep: bool) -> bytes:
        """The body of a 2xx response, up to MAX_BYTES of it."""
        headers = {} if keep else {"Connection": "close"}
        if cookie:
            headers["Cookie"] = cookie
        for _ in range(MAX_REDIRECTS + 1):
            async with self._session.get(url, allow_redirects=False, headers=headers) as response:
                if response.status in {301, 302, 303, 307, 308}:
                    url = followed(url, response.headers.get("Location", ""))
                    continue
                if not 200 <= response.status < 300:  # noqa: PLR2004
                    raise ProbeError("status", f"HTTP {response.status}")
                return await _read(response)
        raise ProbeError("redirect", f"more than {MAX_REDIRECTS} redirects")


def _bounded_socket(address: "AddrInfoType") -> socket.socket:
    """A socket for an address, with a small receive buffer."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
    return made


async def _judge(
    data: bytes,
    seen: SeenPlaylist | LivePosition | None,
    bounds: ProbeLimits,
    now_s: float,
    latency_s: float,
) -> ProbeResult:
    """Judge the edge by its media playlist."""
    previous = seen.head if isinstance(seen, SeenPlaylist) else seen
    if isinstance(seen, SeenPlaylist) and seen.data == data:
        playlist = seen.playlist
    else:
        try:
            playlist = await _read_playlist(data)
        except ManifestError as error:
            return ProbeResult(
                ProbeOutcome(latency_s, f"no media playlist: {error.clause}: {error.problem}"),
                "not-media",
            )
    head = None
    if not playlist.ended:
        first = playlist.media_sequence
        head = live_position(previous, first, first + playlist.segments - 1, now_s)
    stuck = staleness(head, playlist.target_duration_s, bounds.stale_factor, now_s)
    kind: ResultKind = "stale" if stuck else "ok"
    return ProbeResult(ProbeOutcome(latency_s, stuck), kind, SeenPlaylist(data, playlist, head))


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
    """The target of a redirect, if it is on the same host with the same scheme and port, or leads
    from http to https. Raises ProbeError for any other."""
    there = url.join(URL(location))
    secured = (url.scheme, there.scheme) == ("http", "https")
    ports_fit = there.port == url.port or (
        secured and url.is_default_port() and there.is_default_port()
    )
    schemes_fit = there.scheme == url.scheme or secured
    if not location or there.host != url.host or not ports_fit or not schemes_fit:
        raise ProbeError("redirect", "redirected elsewhere")
    return there


def _explain(error: Exception) -> tuple[ResultKind, str]:
    """The kind of a client error, and a message that is the same each time."""
    import aiohttp  # noqa: PLC0415  # the prober has imported it

    match error:
        case aiohttp.ClientConnectorDNSError():
            return "dns", "the name does not resolve"
        case aiohttp.ClientSSLError() | ssl.SSLError():
            return "tls", "TLS failed"
        case aiohttp.ClientConnectorError() if isinstance(error.os_error, ConnectionRefusedError):
            return "refused", "connection refused"
        case aiohttp.ClientConnectorError():
            return "refused", f"cannot connect: {error.os_error.strerror or 'no reason given'}"
        case _:
            return "broken", f"broken response: {type(error).__name__}"
