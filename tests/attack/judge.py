"""Is an answer well formed? A manifest of the gateway's, JSON, or a problem with a name."""

import gzip
import json
import re
import zlib
from collections.abc import Container
from xml.parsers import expat

import brotli
import zstandard

from tests.attack.client import Answer, Judge, Shot

PREFIX = "urn:problem:streaming-gateway:"
NAMED = {"bad-source", "source-lost", "bad-origin", "origin-timeout", "shutting-down"}
"""Problems that may have a status of 5xx."""
REFUSALS = {
    *("bad-request", "bad-host", "bad-target", "head-timeout", "body-timeout", "body-too-large"),
    *("too-many-pipelined", "max-connections-per-address", "head-too-large", "not-implemented"),
    *("max-connections", "bad-version", "too-many-requests"),
}
"""Problems without ``instance``: those of connections, where there is no request that it could
name, and refusals by a rate limit, whose body is always the same."""
OWN_HEADERS = {
    *(b"content-type", b"content-length", b"content-encoding", b"cache-control", b"etag", b"vary"),
    *(b"accept-ch", b"timing-allow-origin", b"gateway-decision", b"server-timing", b"x-request-id"),
    *(b"access-control-allow-origin", b"access-control-expose-headers", b"allow", b"date"),
    *(b"access-control-allow-methods", b"access-control-allow-headers", b"access-control-max-age"),
    *(b"cross-origin-resource-policy", b"x-content-type-options", b"connection", b"retry-after"),
    *(b"surrogate-key", b"cache-tag", b"server", b"transfer-encoding", b"accept-post"),
    *(b"accept-encoding", b"cmsd-dynamic", b"www-authenticate", b"keep-alive", b"accept-ranges"),
    *(b"x-accel-buffering", b"content-range", b"pragma", b"set-cookie", b"content-disposition"),
}
"""No other header may be in an answer: a player would have put it there."""
CONTROLS = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
HLS, DASH = b"application/vnd.apple.mpegurl", b"application/dash+xml"
JSON = {b"application/json", b"application/vnd.apple.steering-list"}
PROBLEM = b"application/problem+json"
MEMBERS = {"type", "title", "status", "detail", "instance"}


def judge(allowed_5xx: Container[str] = NAMED) -> Judge:
    """What is wrong with an answer. ``allowed_5xx`` are the kinds of problems that may have a
    status of 5xx."""

    def find(shot: Shot, answer: Answer) -> str:
        return fault_of(answer, shot.method, allowed_5xx)

    return find


def fault_of(answer: Answer, method: bytes = b"GET", allowed_5xx: Container[str] = NAMED) -> str:
    """What is wrong with one answer; "" when nothing is."""
    status, headers = answer.status, answer.headers
    if foreign := headers.keys() - OWN_HEADERS:
        return f"{status} with a header {foreign}"
    for name, value in headers.items():
        if CONTROLS.search(value):
            return f"{status} with a control character in {name!r}: {value!r}"
    if method == b"HEAD" or status in {204, 304}:
        return "" if status < 500 or status in {502, 503, 504} else f"{status} without a name"
    try:
        kind = headers.get(b"content-type", b"")
        fault = _fault_of_body(status, kind, plain(answer), allowed_5xx)
    except (ValueError, KeyError, expat.ExpatError, zlib.error, zstandard.ZstdError) as error:
        return f"{status} with a body that cannot be read: {error!r} {answer.body[:200]!r}"
    return fault


def _fault_of_body(status: int, kind: bytes, body: bytes, allowed_5xx: Container[str]) -> str:
    kind = kind.partition(b";")[0]
    if kind == PROBLEM:
        return _fault_of_problem(status, json.loads(body), allowed_5xx)
    if status >= 400:
        return "" if status == 503 and not body else f"{status} that is no problem: {body[:200]!r}"
    if kind == HLS:
        return _fault_of_playlist(body)
    if kind == DASH:
        expat.ParserCreate().Parse(body, True)
    elif kind in JSON:
        json.loads(body)
    return ""


def _fault_of_problem(status: int, problem: dict[str, object], allowed: Container[str]) -> str:
    kind = str(problem["type"]).removeprefix(PREFIX)
    expected = MEMBERS - {"instance"} if kind in REFUSALS else MEMBERS
    if not problem.keys() >= expected or problem["status"] != status:
        return f"{status} with a malformed problem {problem}"
    if status >= 500 and (status == 500 or kind not in allowed) and status not in {501, 505}:
        return f"{status} {kind}: {problem['detail']}"
    return ""


def _fault_of_playlist(body: bytes) -> str:
    text = body.decode("utf-8")
    if not text.startswith("#EXTM3U") or "#EXT-X-STREAM-INF" not in text:
        return f"an empty playlist {text[:200]!r}"
    return (
        "a control character in a playlist"
        if re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", text)
        else ""
    )


def plain(answer: Answer) -> bytes:
    """The body without its content coding."""
    match answer.headers.get(b"content-encoding", b"identity"):
        case b"gzip":
            return gzip.decompress(answer.body)
        case b"br":
            found: bytes = brotli.decompress(answer.body)
            return found
        case b"zstd":
            return zstandard.ZstdDecompressor().decompressobj().decompress(answer.body)
        case b"identity":
            return answer.body
        case other:
            raise ValueError(f"coded as {other!r}")


def kind_of(answer: Answer) -> str:
    """The kind of a problem; "" when it is none."""
    if answer.headers.get(b"content-type", b"").partition(b";")[0] != PROBLEM:
        return ""
    return str(json.loads(plain(answer))["type"]).removeprefix(PREFIX)
