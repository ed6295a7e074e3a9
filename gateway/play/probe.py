"""``/v1/probe``: bytes that a player times, and the result, which counts for its session's speed.

Everything here comes from players: sizes are bounded, downloads are budgeted
(:mod:`gateway.play.probe_budget`), and a result is one sample of an estimate that no single sample
decides against others (:mod:`gateway.client.estimate`).
"""

import json
import os
import time
from collections.abc import Generator, Mapping
from typing import Any, Final

from gateway.client.limits import ParameterError, session_id
from gateway.client.throughput import (
    MIN_PROBE_BYTES,
    MIN_PROBE_MS,
    Measurement,
    probe_kbps,
)
from gateway.observe import metrics
from gateway.play import problems
from gateway.play.decide import Timeline
from gateway.play.facts import count_in_prior
from gateway.play.reply import Reply
from gateway.play.request import Headers, read_query
from gateway.play.runtime import Gateway
from gateway.play.session_use import Caller
from gateway.untrusted import json_of

MAX_RESULT_BYTES: Final = 4096
MAX_DURATION_MS: Final = 3_600_000
"""A longer download is no probe."""
PIECE_BYTES: Final = 32 * 1024
"""What is made and sent at a time, in some 0.2 ms."""

_MAX_DIGITS: Final = 18
_NO_STORE: Final = "no-store, no-transform"  # RFC 9111, 5.2.2.6: a proxy must not compress it
_ALLOWED_RESULT: Final = 'allowed is {"session": text, "bytes": number, "duration_ms": number}'


def answer_probe(
    gateway: Gateway, method: str, query: bytes, headers: Headers, peer: str | None
) -> Reply:
    """Answer ``GET|HEAD /v1/probe?bytes=N`` with N bytes that cannot be compressed, at most
    ``probe.max_bytes``.

    Raises a 400 problem for a malformed size, and a 429 problem when a budget is used up.
    """
    timeline = Timeline()
    limits = gateway.runtime.settings.probe
    size = min(_size(query, limits.default_bytes), limits.max_bytes)
    lines = {"Cache-Control": _NO_STORE, "Content-Length": str(size)}
    stream: Generator[bytes] | None = None
    if method == "GET":
        network = gateway.runtime.clients.network(peer, headers)
        now_s = time.monotonic()
        refused = gateway.probes.take_request(network, limits, now_s)
        refused = refused or gateway.probes.begin(network, size, limits, now_s)
        if refused is not None:
            metrics.SPEED_PROBES.labels("refused").inc()
            raise problems.too_many_probes(*refused)
        stream = _pieces(gateway, network, size)
        next(stream)  # started, so that its ``finally`` runs even if no piece is read
    timeline.end("probe")
    lines["Server-Timing"] = timeline.header().decode("ascii")
    lines["Content-Type"] = "application/octet-stream"
    reply = Reply.of(200, headers=lines)
    reply.stream = stream
    return reply


def _pieces(gateway: Gateway, network: str, size: int) -> Generator[bytes]:
    """``size`` random bytes in pieces, after an empty one. Gives the stream back at its end, or
    when it is closed."""
    left = size
    try:
        yield b""
        while left:
            piece = os.urandom(min(left, PIECE_BYTES))
            left -= len(piece)
            yield piece
    finally:
        gateway.probes.end(network)
        metrics.SPEED_PROBES.labels("cut" if left else "complete").inc()
        metrics.SPEED_PROBE_BYTES.inc(size - left)


def _size(query: bytes, otherwise: int) -> int:
    """The parameter ``bytes``. Raises a 400 problem when it is malformed, as any other known
    parameter."""
    text = read_query(query).by_name.get("bytes")
    if text is None:
        return otherwise
    digits = text.lstrip("0") if text.isascii() and text.isdigit() else ""
    if not digits:
        wrong = ParameterError("bytes", text, "a whole number of bytes from 1 up")
        raise problems.bad_parameter(wrong.name, str(wrong))
    return int(digits[:_MAX_DIGITS])  # more digits are more than any limit, too


async def record_probe(gateway: Gateway, body: bytes, headers: Headers, peer: str | None) -> Reply:
    """Answer ``POST /v1/probe``: ``{"session": …, "bytes": …, "duration_ms": …}``.

    The answer says which speed was accepted, or why none was. The session's next decision uses it.
    Raises a 400 problem for a malformed result, and a 429 problem for too many of them.
    """
    session, size, duration_ms = _result(body, gateway.runtime.settings.probe.max_bytes)
    limits = gateway.runtime.settings.probe
    network = gateway.runtime.clients.network(peer, headers)
    refused = gateway.probes.take_request(network, limits, time.monotonic())
    if refused is not None:
        raise problems.too_many_probes(*refused)
    kbps = probe_kbps(size, duration_ms)
    if kbps is None:
        metrics.SPEED_PROBE_RESULTS.labels("ignored").inc()
        return _answer(
            {"accepted": False, "speed_kbps": None, "reason": _ignored(size, duration_ms)}
        )
    metrics.SPEED_PROBE_RESULTS.labels("accepted").inc()
    measured, now_s = Measurement("probe", kbps), time.time()
    clients = gateway.runtime.clients
    sender = clients.sender(peer, headers)
    if gateway.priors.active:
        device = clients.player(headers).device.kind
        count_in_prior(gateway.priors, sender, device, kbps, now_s)

    def by(name: bytes) -> Caller:
        return Caller(gateway.session_access, name, headers, sender)

    await gateway.measurements.add_now(session, measured, now_s, gateway.runtime.estimator, by)
    return _answer({"accepted": True, "speed_kbps": round(kbps)})


def _answer(members: Mapping[str, object]) -> Reply:
    data = json.dumps(members).encode()
    return Reply.of(200, data, "application/json", {"Cache-Control": "no-store"})


def _ignored(size: int, duration_ms: float) -> str:
    if size < MIN_PROBE_BYTES or duration_ms < MIN_PROBE_MS:
        return (
            f"a download of less than {MIN_PROBE_BYTES} bytes or {MIN_PROBE_MS:g} ms says nothing "
            "about the network"
        )
    return "no network that plays video has this speed"


def _result(body: bytes, max_bytes: int) -> tuple[str, int, float]:
    """Session, bytes and milliseconds of a result. Raises a 400 problem."""
    try:
        found: Any = json_of(body, MAX_RESULT_BYTES)
    except ValueError as error:
        raise problems.bad_body(
            f"the body is no result: it {_why(error)}; {_ALLOWED_RESULT}"
        ) from None
    if not isinstance(found, dict):
        raise problems.bad_body(f"the body is no JSON object; {_ALLOWED_RESULT}")
    session = found.get("session")
    if not isinstance(session, str) or not session or session_id(session) is None:
        raise problems.bad_body("session: allowed are 1 to 64 printable characters")
    size = _number(found.get("bytes"))
    if size is None or size != int(size) or not 1 <= size <= max_bytes:
        raise problems.bad_body(f"bytes: allowed is a whole number from 1 to {max_bytes}")
    duration_ms = _number(found.get("duration_ms"))
    if duration_ms is None or not 0 < duration_ms <= MAX_DURATION_MS:
        raise problems.bad_body(
            f"duration_ms: allowed is a number above 0 and up to {MAX_DURATION_MS}"
        )
    return session, int(size), duration_ms


def _why(error: ValueError) -> str:
    """The reason of ``json_of``; its own errors begin with a verb, those of decoders do not."""
    text = str(error)
    return text if text.startswith(("has ", "is ")) else "is not JSON"


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
