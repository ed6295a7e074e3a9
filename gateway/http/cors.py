"""What may scripts of other origins do? (Fetch, section 3.2, CORS; rules D3.5 and F11)

Pages play on origins of their own. A browser asks before it sends most of their headers, and shows
them only those headers of an answer that the answer lists. One header that is not allowed fails the
request, and with it playback. Therefore everything that players, their telemetry and their tracing
send is allowed, though the gateway reads little of it.
"""

from collections.abc import Sequence

from gateway.play.reply import RawHeaders, Reply
from gateway.play.request import READ_HEADERS

_PREFLIGHT_S = 7200
"""How long a browser may keep the answer to a preflight. Chromium keeps none for longer."""

ALLOWED = (
    *(header.name for header in READ_HEADERS if header.cors),
    # Without a preflight only within limits on their length and characters.
    *("Accept", "Accept-Language", "Content-Language", "Content-Type", "Range"),
    *("Cache-Control", "Pragma", "If-Modified-Since", "If-Range", "Content-Encoding"),
    *("X-Requested-With", "X-Playback-Session-Id"),
    # Client hints that the gateway does not read, with the names that browsers used before.
    *("Sec-CH-UA-Full-Version-List", "Sec-CH-UA-Arch", "Sec-CH-UA-Bitness", "Sec-CH-UA-WoW64"),
    *("Sec-CH-DPR", "Sec-CH-Width", "Sec-CH-Viewport-Width", "Sec-CH-Viewport-Height"),
    *("DPR", "Width", "Viewport-Width", "Sec-CH-Device-Memory", "Device-Memory"),
    *("Sec-CH-Prefers-Reduced-Motion", "Sec-CH-Prefers-Color-Scheme"),
    # Tracing: the W3C's headers, and those of libraries that instrument every request of a page.
    *("traceparent", "tracestate", "baggage"),
    *("b3", "X-B3-TraceId", "X-B3-SpanId", "X-B3-ParentSpanId", "X-B3-Sampled", "X-B3-Flags"),
    *("sentry-trace", "uber-trace-id", "newrelic", "elastic-apm-traceparent"),
    *("X-Amzn-Trace-Id", "X-Cloud-Trace-Context", "Request-Id", "Request-Context"),
    *("X-Datadog-Trace-Id", "X-Datadog-Parent-Id", "X-Datadog-Origin"),
    *("X-Datadog-Sampling-Priority", "X-Datadog-Tags"),
    *("X-INSTANA-T", "X-INSTANA-S", "X-INSTANA-L", "x-dtpc", "x-dtreferer"),
    *("ADRUM", "ADRUM_1", "sw8", "X-Honeycomb-Trace", "X-NewRelic-ID", "X-NewRelic-Transaction"),
)
"""Request headers that scripts may send, besides those of ``server.cors_allow_headers``. Each is
named, because ``*`` covers neither Authorization nor requests with credentials."""

EXPOSED = (
    *("Gateway-Decision", "Server-Timing", "ETag", "Date", "Age", "X-Request-ID"),
    *("Retry-After", "Allow", "Vary", "WWW-Authenticate"),
    # A script that sees one of these two without the other takes the length of the coded bytes for
    # that of the text. Not every browser shows Content-Length by itself.
    *("Content-Encoding", "Content-Length"),
    *("Content-Range", "Accept-Ranges", "Accept-CH"),
    *("CMSD-Static", "CMSD-Dynamic"),
    "CTA-Common-Access-Token",  # a renewed one
)
"""The headers of answers that scripts may read, besides those that CORS always lets them read."""

_TIMING = (b"timing-allow-origin", b"*")
_EXPOSE = (b"access-control-expose-headers", ", ".join(EXPOSED).encode("ascii"))
ANY_ORIGIN: RawHeaders = ((b"access-control-allow-origin", b"*"), _EXPOSE, _TIMING)
"""The CORS headers of an answer that any origin may read."""
_CREDENTIALS = (b"access-control-allow-credentials", b"true")
_VARY_ORIGIN: RawHeaders = ((b"vary", b"Origin"), _TIMING)


def cors_headers(
    origin: str | None, allowed: Sequence[str], *, credentials: bool = False
) -> RawHeaders:
    """The CORS headers of every answer to players: any origin may read it, or the request's
    ``origin`` when it is ``allowed``. ``credentials``: pages of allowed origins may keep the
    cookies of answers, if these are listed one by one (Fetch, section 3.2.5)."""
    if "*" in allowed:
        return ANY_ORIGIN
    if origin is None or origin not in allowed:
        return _VARY_ORIGIN
    own = ((b"access-control-allow-origin", origin.encode("latin-1")), _EXPOSE, *_VARY_ORIGIN)
    return (*own, _CREDENTIALS) if credentials else own


def preflight(more: Sequence[str]) -> Reply:
    """The answer to a preflight. Besides the headers that the gateway knows, scripts may send those
    in ``more``."""
    return Reply.of(
        204,
        headers={
            "Access-Control-Allow-Methods": "GET, HEAD, POST, OPTIONS",
            "Access-Control-Allow-Headers": ", ".join((*ALLOWED, *more)),
            "Access-Control-Max-Age": str(_PREFLIGHT_S),
        },
    )
