"""``POST /v1/cmcd``: takes CMCD reports of players (CTA-5004 version 2, event mode).

A report is answered before it is read, and before the store is touched: the batch is queued, and
:mod:`gateway.background.reports` reads it. The answer is 204 whatever the batch holds. A player
sends a batch again after 429 or 5xx, and stops for good after 410 (D2.4); a batch that is too much
is therefore dropped and counted.
"""

import time
from dataclasses import dataclass
from typing import Final

from gateway.client.limits import ParameterError, parse_parameters
from gateway.observe import metrics
from gateway.play import problems
from gateway.play.reply import Reply
from gateway.play.report_queue import ReportBatch
from gateway.play.request import Headers
from gateway.play.runtime import Gateway

MAX_BODY_BYTES: Final = 1024 * 1024
MEDIA_TYPES: Final = ("application/cmcd", "text/cmcd", "application/json")
"""The media type of the standard, and those of its drafts."""
REPORT_BYTES: Final = 1024
"""A batch counts as at least one report for each of this many bytes of its body."""

_TAKEN: Final = Reply(204, (), b"")


@dataclass(slots=True)
class ReportRequest:
    """One request. ``peer`` is the remote address of the connection."""

    query: bytes
    headers: Headers
    peer: str | None


def check_media_type(headers: Headers) -> None:
    """Raises a 415 problem for a body that cannot hold reports. One without a type may (RFC 9110,
    8.3)."""
    given = headers.get("content-type")
    if given not in MEDIA_TYPES and given is not None:
        plain = given.partition(";")[0].strip(" \t").lower()
        if plain and plain not in MEDIA_TYPES:
            raise problems.unsupported_media_type(plain, MEDIA_TYPES)
    coding = headers.get("content-encoding")
    if coding is not None and coding.strip().lower() not in {"", "identity"}:
        raise problems.unsupported_coding(coding)


def take_reports(gateway: Gateway, request: ReportRequest, body: bytes) -> Reply:
    """Answer ``POST /v1/cmcd``. Queues the reports of ``body``, or drops and counts them."""
    settings = gateway.runtime.settings.cmcd
    count = _count(body)
    if not settings.enabled:
        return _dropped("off", count)
    network = gateway.runtime.clients.network(request.peer, request.headers)
    amount = max(count, len(body) // REPORT_BYTES)
    rate = settings.network_reports_per_s
    taken = gateway.reports_left.take_some(network, amount, rate, time.monotonic())
    allowed = count if taken == amount else int(count * taken / amount)
    if allowed < count:
        _dropped("budget", count - allowed)
        if not allowed:
            return _TAKEN
    batch = ReportBatch(
        body,
        _session(request.query),
        allowed,
        network,
        request.peer,
        request.headers,
        time.time(),
    )
    if not gateway.reports.offer(batch, settings.queue_bytes):
        return _dropped("overflow", allowed)
    return _TAKEN


def _count(body: bytes) -> int:
    """At least the number of reports: that of lines, or of objects in JSON."""
    if body.lstrip()[:1] == b"[":
        return max(1, body.count(b"}"))
    return body.count(b"\n", 0, -1) + 1


def _dropped(reason: str, count: int) -> Reply:
    metrics.CMCD_DROPPED.labels(reason).inc(count)
    return _TAKEN


def _session(query: bytes) -> str | None:
    """The ``session`` that the URL names. A malformed query is no reason to fail (D3.1)."""
    if not query:
        return None
    try:
        return parse_parameters(query).session
    except ParameterError:
        return None
