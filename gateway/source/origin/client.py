"""The HTTP client for origins. It enforces every bound of one request.

``httpx2`` makes the requests (HTTP/2 where TLS negotiates it). This module adds what ``httpx2``
does not limit: the time of whole phases, the size and pace of the body, and the targets of
redirects (F13); :mod:`gateway.source.origin.transport` bounds what precedes the body.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from http.cookiejar import CookieJar
from importlib.metadata import version
from typing import Any, NamedTuple

import httpcore2
import httpx2

from gateway.clock import Clock
from gateway.observe.request_id import request_id, traceparent
from gateway.offload import EXPANSION, offload_if_large
from gateway.source.origin.body import ACCEPTED, CodingError, TooLargeError, decoded
from gateway.source.origin.freshness import retry_after
from gateway.source.origin.origin_config import OriginServer, RequestLimits
from gateway.source.origin.signing import signed_headers
from gateway.source.origin.transport import BoundedTransport
from gateway.source.source import BadSourceError, SourceFormat

OK, NOT_MODIFIED, TOO_MANY = 200, 304, 429
NOT_FOUND_STATUSES = frozenset({404, 410})
PASSING = frozenset({429, 500, 502, 503, 504})
"""Statuses that may change within moments."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_RATE_AFTER_S = 1.0
"""Seconds before the pace of a body is checked."""
_DRAINED_BYTES = 16_384
"""Most bytes to read of an unwanted body, so that its connection can be reused."""
_DRAIN_S = 0.2
"""Most seconds to wait for them. An origin sends a short body with its head; where it takes longer,
another connection is opened sooner."""
_IDLE_S = 15.0
_LONGEST_URL, _LONGEST_TEXT = 300, 600
"""Characters of a message: origins choose where they redirect to, and how they break a
connection."""
_MAX_PIECES = 4096
_MIN_PIECE_BYTES = 32
"""A body of more than so many pieces must have this many bytes in each, on average: each piece
costs time."""
_TURN_S = 0.005
"""Seconds of the event loop that one body may take at a time."""
_HEADERS = {
    "User-Agent": f"streaming-gateway/{version('streaming-gateway')}",
    "Accept-Encoding": ACCEPTED,
}


class FailureKind(StrEnum):
    """Why there is no usable response: a fixed set, fit for a metric label."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    TOO_SLOW = "too-slow"
    BROKEN = "broken"
    STATUS = "status"
    REDIRECT = "redirect"
    TOO_LARGE = "too-large"
    GARBAGE = "garbage"
    UNPLAYABLE = "unplayable"
    LAGGING = "lagging"
    BREAKER_OPEN = "breaker-open"
    BUSY = "busy"


SILENT = frozenset(
    {
        *(FailureKind.UNREACHABLE, FailureKind.TIMEOUT, FailureKind.TOO_SLOW),
        *(FailureKind.BREAKER_OPEN, FailureKind.BUSY),
    }
)
"""The kinds where no response came, or none in time."""


class AttemptError(Exception):
    """One attempt gave no usable response; the message says which URL and why.

    ``again``: a retry may help. ``down``: the failure counts against the origin's health;
    ``whole``: against the whole origin, not this file alone; ``any_path``: it would have been the
    same for any file, as the origin could not be reached. ``wait_s`` is what ``Retry-After`` asks
    for; ``pauses_origin``: it holds for every request (429), not this one alone (503).
    ``unplayable`` is why a response that is a playlist cannot be played.
    """

    def __init__(
        self,
        kind: FailureKind,
        text: str,
        *,
        again: bool = False,
        down: bool = False,
        whole: bool = True,
        any_path: bool = False,
        wait_s: float | None = None,
        pauses_origin: bool = False,
        unplayable: BadSourceError | None = None,
    ) -> None:
        super().__init__(text[:_LONGEST_TEXT])
        self.kind = kind
        self.again = again
        self.down = down
        self.whole = whole
        self.any_path = any_path
        self.wait_s = wait_s
        self.pauses_origin = pauses_origin
        self.unplayable = unplayable


class OriginFile(NamedTuple):
    """What is asked of an origin: a path below its URL, and the format that is expected there."""

    path: str
    format: SourceFormat


@dataclass(frozen=True, slots=True)
class OriginResponse:
    """An origin's response: 200 with the decoded ``body``, 304, 404 or 410. Header names are in
    lower case; times are those of the client's clock; ``url`` is where redirects ended."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str
    asked_at: float
    answered_at: float


class _NoCookies(CookieJar):
    """Keeps no cookies. Even those that a policy refuses take tens of milliseconds to read."""

    def extract_cookies(self, response: Any, request: Any) -> None:  # noqa: ANN401
        """Do nothing."""


class OriginClient:
    """Sends requests to origins; safe to use concurrently."""

    def __init__(self, limits: RequestLimits, clock: Clock) -> None:
        """Raises ssl.SSLError and OSError for a bad ``ca_file``."""
        self._limits = limits
        self._clock = clock
        context = (
            httpx2.create_ssl_context()
            if limits.ca_file is None
            else ssl.create_default_context(cafile=str(limits.ca_file))
        )
        self._http = httpx2.AsyncClient(
            transport=BoundedTransport(
                context,
                httpx2.Limits(
                    max_connections=limits.max_connections,
                    max_keepalive_connections=limits.max_connections,
                    keepalive_expiry=_IDLE_S,
                ),
                http2=limits.http2,
            ),
            trust_env=False,  # no proxies, no .netrc: the config decides
            follow_redirects=False,
            cookies=_NoCookies(),
            timeout=httpx2.Timeout(
                limits.read_timeout_s, connect=limits.connect_timeout_s, pool=None
            ),
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def get(
        self,
        server: OriginServer,
        file: OriginFile,
        validators: Mapping[str, str],
        deadline: float,
    ) -> OriginResponse:
        """Request ``file`` from ``server``, until ``deadline`` (loop time).

        ``validators`` are the conditional headers of a cached copy. Raises :class:`AttemptError`.
        """
        url = httpx2.URL(f"{server.url}{file.path}")
        asked_at = self._clock.now()
        trail = [url]
        try:
            async with asyncio.timeout_at(deadline):
                return await self._follow(server, trail, validators, asked_at, file.format)
        except TimeoutError:
            raise _timeout(url) from None
        except httpcore2.TimeoutException as error:
            if not isinstance(error, httpcore2.ConnectTimeout):
                raise _timeout(url, "silence") from error
            raise _not_connected(_timeout(url, "no connection"), trail) from error
        except httpcore2.ConnectError as error:
            failed = _down(FailureKind.UNREACHABLE, url, f"cannot be reached: {error}")
            raise _not_connected(failed, trail) from error
        except AttemptError:
            raise
        except Exception as error:  # the client has no one error for what an origin may send
            text = f"the connection broke: {str(error) or type(error).__name__}"
            raise _down(FailureKind.BROKEN, url, text) from error

    async def _follow(
        self,
        server: OriginServer,
        trail: list[httpx2.URL],
        validators: Mapping[str, str],
        asked_at: float,
        form: SourceFormat,
    ) -> OriginResponse:
        """Follow redirects from the URL in ``trail``, to which each target is added."""
        first = url = trail[0]
        for _ in range(self._limits.max_redirects + 1):
            response = await self._send(server, url, first, validators, form.media_types)
            try:
                if response.status_code not in _REDIRECTS:
                    return await self._read(response, url, asked_at, form)
                location = response.headers.get("location", "")
                await _drain(response)
            finally:
                await response.aclose()
            url = redirected(url, location, self._limits.redirect_hosts)
            trail.append(url)
        times = self._limits.max_redirects
        raise AttemptError(FailureKind.REDIRECT, f"{_shown(first)}: more than {times} redirects")

    async def _send(
        self,
        server: OriginServer,
        url: httpx2.URL,
        first: httpx2.URL,
        validators: Mapping[str, str],
        accepted: str,
    ) -> httpx2.Response:
        identity = request_id()
        headers = {**_HEADERS, "Accept": accepted, **validators, "X-Request-ID": identity}
        trace = traceparent()
        if trace is not None:
            headers["traceparent"] = trace
        if _place(url) == _place(first):  # no credentials for other hosts
            if server.bearer_token is not None:
                headers["Authorization"] = f"Bearer {server.bearer_token}"
            if server.hmac_key is not None:
                headers |= signed_headers(
                    path=url.raw_path.partition(b"?")[0].decode("ascii"),
                    request_id=identity,
                    now=self._clock.unix(),
                    key=server.hmac_key,
                    key_id=server.hmac_key_id,
                )
        request = self._http.build_request("GET", url, headers=headers)
        limit_s = self._limits.connect_timeout_s + self._limits.read_timeout_s
        async with asyncio.timeout(limit_s):  # the client's own timeout restarts with each byte
            return await self._http.send(request, stream=True)

    async def _read(
        self, response: httpx2.Response, url: httpx2.URL, asked_at: float, form: SourceFormat
    ) -> OriginResponse:
        answered_at = self._clock.now()
        status = response.status_code
        headers = {name.lower(): text for name, text in response.headers.items()}
        body = b""
        if status == OK:
            body = await self._manifest(url, headers, await self._bounded(response, url), form)
            if not (_is_framed(response) or form.is_whole(body)):
                raise _down(FailureKind.BROKEN, url, "the body ends too early")
        else:
            await _drain(response)
            if status != NOT_MODIFIED and status not in NOT_FOUND_STATUSES:
                raise _refused(url, status, headers, self._clock.unix())
        return OriginResponse(status, headers, body, str(url), asked_at, answered_at)

    async def _bounded(self, response: httpx2.Response, url: httpx2.URL) -> bytes:
        """The undecoded body, within the bounds of size and pace."""
        most, pace = self._limits.max_bytes, self._limits.min_bytes_per_s
        too_large = AttemptError(
            FailureKind.TOO_LARGE, f"{_shown(url)}: larger than the {most} bytes allowed"
        )
        said = response.headers.get("content-length", "")
        if said.isascii() and said.isdigit() and int(said[:20]) > most:
            raise too_large
        clock = asyncio.get_running_loop().time
        started = clock()
        raw = bytearray()
        pieces, turn = 0, started
        async for piece in response.aiter_raw():
            raw += piece
            pieces += 1
            if len(raw) > most:
                raise too_large
            if pieces > _MAX_PIECES and len(raw) < _MIN_PIECE_BYTES * pieces:
                text = f"{_shown(url)}: a body of {pieces} pieces for {len(raw)} bytes"
                raise AttemptError(FailureKind.GARBAGE, text)
            if clock() - turn > _TURN_S:
                await asyncio.sleep(0)  # pieces that have arrived come without a pause
                turn = clock()
            took_s = clock() - started
            if took_s > _RATE_AFTER_S and len(raw) < pace * took_s:
                text = f"slower than {pace} bytes/s"
                raise _down(FailureKind.TOO_SLOW, url, text)
        return bytes(raw)

    async def _manifest(
        self, url: httpx2.URL, headers: Mapping[str, str], raw: bytes, form: SourceFormat
    ) -> bytes:
        """The decoded body, if it is a manifest at first sight; the media type is ignored."""
        try:
            coding = headers.get("content-encoding", "")
            size = EXPANSION * len(raw) if coding else 0
            body = await offload_if_large(size, decoded, raw, coding, self._limits.max_bytes)
        except TooLargeError as error:
            raise AttemptError(FailureKind.TOO_LARGE, f"{_shown(url)}: {error}") from error
        except CodingError as error:
            raise AttemptError(FailureKind.GARBAGE, f"{_shown(url)}: {error}") from error
        if not form.is_manifest(body):
            media_type = headers.get("content-type", "nothing")[:60]
            text = f"{_shown(url)}: not a manifest but {media_type!r}"
            raise AttemptError(FailureKind.GARBAGE, text)
        return body


def redirected(url: httpx2.URL, location: str, hosts: frozenset[str]) -> httpx2.URL:
    """The target of a redirect: the same scheme, host and port, or one of ``hosts`` (``host`` or
    ``host:port``); https never leads to http.

    Raises :class:`AttemptError`.
    """
    try:
        target = url.join(location)
    except (httpx2.InvalidURL, ValueError) as error:
        text = f"{_shown(url)}: redirects to an invalid URL"
        raise AttemptError(FailureKind.REDIRECT, text) from error
    allowed = target.scheme == "https" or target.scheme == url.scheme == "http"
    elsewhere = _place(target) != _place(url)
    if elsewhere and target.netloc.decode("ascii").lower() not in hosts:
        allowed = False
    if not location or target.userinfo or not allowed:
        where = location.partition("?")[0].rpartition("@")[2][:100]  # without secrets
        text = f"{_shown(url)}: redirects to {where!r}, which is not allowed"
        raise AttemptError(FailureKind.REDIRECT, text)
    return target.copy_with(fragment=None)


def _place(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host.lower(), url.port


def _shown(url: httpx2.URL) -> str:
    """The URL without its query, which may hold a redirect's signature."""
    return str(url).partition("?")[0][:_LONGEST_URL]


def _not_connected(error: AttemptError, trail: list[httpx2.URL]) -> AttemptError:
    """No connection was made to the last host of ``trail``: the origin's, unless it redirected."""
    error.whole = error.any_path = _place(trail[-1]) == _place(trail[0])
    return error


def _timeout(url: httpx2.URL, what: str = "no complete response") -> AttemptError:
    return _down(FailureKind.TIMEOUT, url, f"timed out ({what})")


def _down(kind: FailureKind, url: httpx2.URL, text: str) -> AttemptError:
    return AttemptError(kind, f"{_shown(url)}: {text}", again=True, down=True)


def _refused(url: httpx2.URL, status: int, headers: Mapping[str, str], now: float) -> AttemptError:
    passing = status in PASSING
    return AttemptError(
        FailureKind.STATUS,
        f"{_shown(url)}: answered {status}",
        again=passing,
        down=passing,
        whole=False,
        wait_s=retry_after(headers.get("retry-after"), now) if passing else None,
        pauses_origin=status == TOO_MANY,
    )


def _is_framed(response: httpx2.Response) -> bool:
    """Whether the end of a body is known: otherwise only the end of the connection ends it, so it
    may be truncated (RFC 9112, section 8)."""
    return (
        response.http_version == "HTTP/2"
        or "content-length" in response.headers
        or "transfer-encoding" in response.headers
    )


async def _drain(response: httpx2.Response) -> None:
    """Read a short body to its end, so that the connection can be reused. One that is long, late or
    broken is left, which closes the connection: the status stands, whatever becomes of the body."""
    read = 0
    with contextlib.suppress(Exception):  # the client has no one error for what an origin may send
        async with asyncio.timeout(_DRAIN_S):
            async for piece in response.aiter_raw():
                read += len(piece)
                if read > _DRAINED_BYTES:
                    return
