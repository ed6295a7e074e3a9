"""Which answers does a connection give by itself? Only those to what never becomes a request.

Each is a problem document (RFC 9457) with ``Connection: close``, and each is counted by its reason
in ``gateway_connection_refusals_total``. ``docs/connections.md`` lists them for operators.
"""

import json
from dataclasses import dataclass, replace
from http import HTTPStatus

from gateway.listener import PLAYERS, Listener

_TYPE_PREFIX = "urn:problem:streaming-gateway:"
RETRY_AFTER_S = 5
_READABLE = (
    "access-control-allow-origin: *",
    "access-control-expose-headers: Retry-After",
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a connection is not served any longer.

    ``status`` is what the peer is answered, or None where the connection just ends; ``reason`` is
    the end of the problem's ``type`` and the metric's label; ``detail`` is for people.
    """

    status: int | None
    reason: str
    detail: str

    def because(self, text: str) -> "Refusal":
        """The same refusal with something more exact for people to read."""
        return replace(self, detail=text)

    def answer(self, listener: Listener) -> bytes:
        """The whole HTTP/1.1 answer; empty where there is none.

        On the players' listener pages of any origin may read it, so that a player can tell it from
        a network error. It says nothing about the viewer, and the Origin may not have come.
        """
        if self.status is None:
            return b""
        phrase = HTTPStatus(self.status).phrase
        document = {
            "type": _TYPE_PREFIX + self.reason,
            "title": phrase,
            "status": self.status,
            "detail": self.detail,
        }
        body = json.dumps(document).encode() + b"\n"
        lines = [
            f"HTTP/1.1 {self.status} {phrase}",
            "content-type: application/problem+json",
            "cache-control: no-store",
            *([f"retry-after: {RETRY_AFTER_S}"] if self.status in {429, 503} else []),
            *(_READABLE if listener == PLAYERS else ()),
            "connection: close",
            f"content-length: {len(body)}",
        ]
        return "\r\n".join([*lines, "", ""]).encode("ascii") + body


BAD_REQUEST = Refusal(400, "bad-request", "this is not an HTTP/1.1 request")
BAD_HOST = Refusal(400, "bad-host", "a request has exactly one valid Host (RFC 9112, 3.2)")
BAD_TARGET = Refusal(400, "bad-target", "the request target is not valid (RFC 9112, 3.2)")
PLAIN_HTTP = Refusal(
    400, "plain-http", "a plain HTTP request was sent to an HTTPS port; use https://"
)
HEAD_TIMEOUT = Refusal(408, "head-timeout", "the request's headers did not arrive in time")
BODY_TIMEOUT = Refusal(408, "body-timeout", "the request's body did not arrive in time")
BODY_TOO_LARGE = Refusal(413, "body-too-large", "the request's body is too large")
TOO_MANY_PIPELINED = Refusal(429, "too-many-pipelined", "too many pipelined requests")
TOO_MANY_FROM_ADDRESS = Refusal(
    429, "max-connections-per-address", "too many connections from this address"
)
HEAD_TOO_LARGE = Refusal(431, "head-too-large", "the request's headers are too large")
NOT_IMPLEMENTED = Refusal(501, "not-implemented", "this method or transfer coding is not supported")
TOO_MANY_CONNECTIONS = Refusal(503, "max-connections", "too many connections")
BAD_VERSION = Refusal(505, "bad-version", "only HTTP/1.1 and HTTP/1.0 are answered")
WRITE_TIMEOUT = Refusal(None, "write-timeout", "the peer does not read its answers")

ALL = (
    BAD_REQUEST,
    BAD_HOST,
    BAD_TARGET,
    PLAIN_HTTP,
    HEAD_TIMEOUT,
    BODY_TIMEOUT,
    BODY_TOO_LARGE,
    TOO_MANY_PIPELINED,
    TOO_MANY_FROM_ADDRESS,
    HEAD_TOO_LARGE,
    NOT_IMPLEMENTED,
    TOO_MANY_CONNECTIONS,
    BAD_VERSION,
    WRITE_TIMEOUT,
)
