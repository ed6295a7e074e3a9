"""What does one origin answer to one request? The HTTP client, with every bound that it needs.

``httpx2`` makes the connections (HTTP/2 where TLS negotiates it). What may not be left to a client
is done here: deadlines over whole phases, the size of what comes, how fast it must come, and where
a redirect may lead (F13).
"""

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.metadata import version

import httpx2

from gateway.observe.request_id import request_id
from gateway.source.origin.body import ACCEPTED, CodingError, decoded
from gateway.source.origin.computing import EXPANDS, computed
from gateway.source.origin.freshness import retry_after
from gateway.source.origin.signing import signed_headers
from gateway.source.origin.terms import Asking, OriginServer

OK, NOT_MODIFIED, TOO_MANY = 200, 304, 429
GONE = frozenset({404, 410})
PASSING = frozenset({429, 500, 502, 503, 504})
"""What may be otherwise in a moment."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_START = b"#EXTM3U"
_BOM = b"\xef\xbb\xbf"
_RATE_AFTER_S = 1.0
"""How long a body may come as slowly as it likes."""
_DRAINED_BYTES = 16_384
"""What is read of a body that nobody wants, so that its connection can be used again."""
_IDLE_S = 15.0
_HEADERS = {
    "User-Agent": f"streaming-gateway/{version('streaming-gateway')}",
    "Accept": "application/vnd.apple.mpegurl, application/x-mpegurl, */*;q=0.5",
    "Accept-Encoding": ACCEPTED,
}


class Trouble(StrEnum):
    """Why there is no answer that can be used: a fixed set, fit for a metric label."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    TOO_SLOW = "too-slow"
    BROKEN = "broken"
    STATUS = "status"
    REDIRECT = "redirect"
    TOO_LARGE = "too-large"
    GARBAGE = "garbage"
    UNPLAYABLE = "unplayable"
    BREAKER_OPEN = "breaker-open"
    BUSY = "busy"


SILENT = frozenset(
    {
        *(Trouble.UNREACHABLE, Trouble.TIMEOUT, Trouble.TOO_SLOW),
        *(Trouble.BREAKER_OPEN, Trouble.BUSY),
    }
)
"""Where there is no answer at all, or none in time."""


class Unanswered(Exception):  # noqa: N818  # a fact about the origin, not a fault of ours
    """An origin gave no answer that can be used; the text says which and why.

    ``again``: it may be asked again. ``down``: it is a sign that the origin is in trouble;
    ``whole``: altogether, not with this file. ``wait_s`` is what its ``Retry-After`` asks for;
    ``pauses_all``: of every request (429), not of this one alone (503).
    """

    def __init__(
        self,
        trouble: Trouble,
        text: str,
        *,
        again: bool = False,
        down: bool = False,
        whole: bool = True,
        wait_s: float | None = None,
        pauses_all: bool = False,
    ) -> None:
        super().__init__(text)
        self.trouble = trouble
        self.again = again
        self.down = down
        self.whole = whole
        self.wait_s = wait_s
        self.pauses_all = pauses_all


@dataclass(frozen=True, slots=True)
class Answer:
    """What an origin answered: 200 with ``body`` decoded, 304, 404 or 410. Header names are in
    lower case; times are Unix times; ``url`` is where the redirects ended."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str
    asked_at: float
    answered_at: float


class OriginClient:
    """Asks origins, one request at a time each; safe to use concurrently."""

    def __init__(self, asking: Asking, wall: Callable[[], float] = time.time) -> None:
        """``wall`` gives Unix time. Raises ssl.SSLError and OSError for a bad ``ca_file``."""
        self._asking = asking
        self._wall = wall
        context = (
            _system_context()
            if asking.ca_file is None
            else ssl.create_default_context(cafile=str(asking.ca_file))
        )
        self._http = httpx2.AsyncClient(
            verify=context,
            http2=asking.http2,
            trust_env=False,  # no proxies, no .netrc: the config says everything
            follow_redirects=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            timeout=httpx2.Timeout(
                asking.read_timeout_s, connect=asking.connect_timeout_s, pool=None
            ),
            limits=httpx2.Limits(
                max_connections=asking.max_connections,
                max_keepalive_connections=asking.max_connections,
                keepalive_expiry=_IDLE_S,
            ),
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def get(
        self, server: OriginServer, path: str, validators: Mapping[str, str], deadline: float
    ) -> Answer:
        """Ask ``server`` for ``path``, until ``deadline`` (the loop's time) at the latest.

        ``validators`` are ``If-None-Match`` and ``If-Modified-Since`` of a copy that is held.
        Raises :class:`Unanswered`.
        """
        url = httpx2.URL(f"{server.url}{path}")
        asked_at = self._wall()
        try:
            async with asyncio.timeout_at(deadline):
                return await self._follow(server, url, validators, asked_at)
        except TimeoutError:
            raise _timeout(url) from None
        except httpx2.TimeoutException as error:
            unreachable = isinstance(error, httpx2.ConnectTimeout)
            raise _timeout(url, "no connection" if unreachable else "silence") from error
        except (httpx2.ConnectError, httpx2.ProxyError) as error:
            raise _down(Trouble.UNREACHABLE, url, f"cannot be reached: {error}") from error
        except httpx2.RequestError as error:
            text = f"the connection broke: {str(error) or type(error).__name__}"
            raise _down(Trouble.BROKEN, url, text) from error

    async def _follow(
        self,
        server: OriginServer,
        url: httpx2.URL,
        validators: Mapping[str, str],
        asked_at: float,
    ) -> Answer:
        first = url
        for _ in range(self._asking.max_redirects + 1):
            response = await self._send(server, url, first, validators)
            try:
                if response.status_code not in _REDIRECTS:
                    return await self._read(response, url, asked_at)
                location = response.headers.get("location", "")
                await _drain(response)
            finally:
                await response.aclose()
            url = redirected(url, location, self._asking.redirect_hosts)
        times = self._asking.max_redirects
        raise Unanswered(Trouble.REDIRECT, f"{_shown(first)}: more than {times} redirects")

    async def _send(
        self,
        server: OriginServer,
        url: httpx2.URL,
        first: httpx2.URL,
        validators: Mapping[str, str],
    ) -> httpx2.Response:
        identity = request_id()
        headers = {**_HEADERS, **validators, "X-Request-ID": identity}
        if _place(url) == _place(first):  # nobody else is shown what is known to the origin alone
            if server.bearer_token is not None:
                headers["Authorization"] = f"Bearer {server.bearer_token}"
            if server.hmac_key is not None:
                headers |= signed_headers(
                    path=url.raw_path.partition(b"?")[0].decode("ascii"),
                    request_id=identity,
                    now=self._wall(),
                    key=server.hmac_key,
                    key_id=server.hmac_key_id,
                )
        request = self._http.build_request("GET", url, headers=headers)
        limit_s = self._asking.connect_timeout_s + self._asking.read_timeout_s
        async with asyncio.timeout(limit_s):  # the client's own counts from byte to byte
            return await self._http.send(request, stream=True)

    async def _read(self, response: httpx2.Response, url: httpx2.URL, asked_at: float) -> Answer:
        answered_at = self._wall()
        status = response.status_code
        headers = {name.lower(): text for name, text in response.headers.items()}
        body = b""
        if status == OK:
            body = await self._playlist(url, headers, await self._bounded(response, url))
            if _may_be_cut(response, body):
                raise _down(Trouble.BROKEN, url, "ends in the middle of a line")
        else:
            await _drain(response)
            if status != NOT_MODIFIED and status not in GONE:
                raise _refused(url, status, headers, answered_at)
        return Answer(status, headers, body, str(url), asked_at, answered_at)

    async def _bounded(self, response: httpx2.Response, url: httpx2.URL) -> bytes:
        """The body as it is coded, within the bounds of size and pace."""
        most, pace = self._asking.max_bytes, self._asking.min_bytes_per_s
        too_large = Unanswered(
            Trouble.TOO_LARGE, f"{_shown(url)}: larger than the {most} bytes allowed"
        )
        said = response.headers.get("content-length", "")
        if said.isascii() and said.isdigit() and int(said[:20]) > most:
            raise too_large
        clock = asyncio.get_running_loop().time
        started = clock()
        raw = bytearray()
        async for piece in response.aiter_raw():
            raw += piece
            if len(raw) > most:
                raise too_large
            took_s = clock() - started
            if took_s > _RATE_AFTER_S and len(raw) < pace * took_s:
                text = f"slower than {pace} bytes/s"
                raise _down(Trouble.TOO_SLOW, url, text)
        return bytes(raw)

    async def _playlist(self, url: httpx2.URL, headers: Mapping[str, str], raw: bytes) -> bytes:
        """The decoded body, when it begins like a playlist: whatever its type says."""
        try:
            coding = headers.get("content-encoding", "")
            size = EXPANDS * len(raw) if coding else 0
            body = await computed(size, decoded, raw, coding, self._asking.max_bytes)
        except CodingError as error:
            raise Unanswered(Trouble.GARBAGE, f"{_shown(url)}: {error}") from error
        if not body.removeprefix(_BOM).startswith(_START):
            media_type = headers.get("content-type", "nothing")[:60]
            text = f"{_shown(url)}: not a playlist but {media_type!r}"
            raise Unanswered(Trouble.GARBAGE, text)
        return body


@cache
def _system_context() -> ssl.SSLContext:
    """Whom the system trusts; reading that takes tens of milliseconds."""
    return httpx2.create_ssl_context()


def redirected(url: httpx2.URL, location: str, hosts: frozenset[str]) -> httpx2.URL:
    """Where a redirect leads: the same scheme, host and port, or one of ``hosts`` (``host`` or
    ``host:port``); from https only to https.

    Raises :class:`Unanswered`.
    """
    try:
        target = url.join(location)
    except (httpx2.InvalidURL, ValueError) as error:
        text = f"{_shown(url)}: redirects to something that is no URL"
        raise Unanswered(Trouble.REDIRECT, text) from error
    allowed = target.scheme == "https" or target.scheme == url.scheme == "http"
    elsewhere = _place(target) != _place(url)
    if elsewhere and target.netloc.decode("ascii").lower() not in hosts:
        allowed = False
    if not location or target.userinfo or not allowed:
        where = location[:100]
        text = f"{_shown(url)}: redirects to {where!r}, which is not allowed"
        raise Unanswered(Trouble.REDIRECT, text)
    return target.copy_with(fragment=None)


def _place(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host.lower(), url.port


def _shown(url: httpx2.URL) -> str:
    """The URL for people: no query, which may hold a signature of a redirect."""
    return str(url).partition("?")[0]


def _timeout(url: httpx2.URL, what: str = "no whole answer") -> Unanswered:
    return _down(Trouble.TIMEOUT, url, f"timed out ({what})")


def _down(trouble: Trouble, url: httpx2.URL, text: str) -> Unanswered:
    return Unanswered(trouble, f"{_shown(url)}: {text}", again=True, down=True)


def _refused(url: httpx2.URL, status: int, headers: Mapping[str, str], now: float) -> Unanswered:
    passing = status in PASSING
    return Unanswered(
        Trouble.STATUS,
        f"{_shown(url)}: answered {status}",
        again=passing,
        down=passing,
        whole=False,
        wait_s=retry_after(headers.get("retry-after"), now) if passing else None,
        pauses_all=status == TOO_MANY,
    )


def _may_be_cut(response: httpx2.Response, body: bytes) -> bool:
    """Where only the end of the connection ends a body (RFC 9112, section 8), one that does not
    end with its line may have been cut off."""
    framed = (
        response.http_version == "HTTP/2"
        or "content-length" in response.headers
        or "transfer-encoding" in response.headers
    )
    return not framed and not body.endswith(b"\n")


async def _drain(response: httpx2.Response) -> None:
    """Read what there is of a short body, so that the connection stays."""
    read = 0
    async for piece in response.aiter_raw():
        read += len(piece)
        if read > _DRAINED_BYTES:
            return
