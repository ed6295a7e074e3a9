"""Writes a decision as JSON, with the members that docs/http.md lists."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote_from_bytes, unquote, urlsplit

from gateway.edge.edge import Edge
from gateway.explanation import reasons_of
from gateway.play import problems
from gateway.play.bodies import max_answer_bytes
from gateway.play.decide import Decided
from gateway.play.hls import steering
from gateway.play.hls.copies import copies_for, may_copy
from gateway.play.hls.manifest import steering_refusal, uris_for
from gateway.play.request import Request
from gateway.reason import Reason

FIELDS = (
    "asset",
    "manifest_url",
    "adaptive_streaming",
    "quality_profile",
    "cdn_endpoint",
    "client",
    "ladder",
    "edges",
    "reasons",
)
"""The members of the JSON decision, which ``fields`` may select."""
_WITHOUT_REASONS = FIELDS[:-1]

_QUERY_CHARACTERS = "%/?:@!$&'()*+,;="
"""Characters that a query may contain besides letters, digits and ``-._~`` (RFC 3986, 3.4),
including ``%``."""


def check_fields(wanted: tuple[str, ...] | None, *, with_reasons: bool) -> tuple[str, ...]:
    """The requested members, or all; ``reasons`` only ``with_reasons``. Raises a 400 problem for an
    unknown one."""
    return select(wanted, FIELDS if with_reasons else _WITHOUT_REASONS)


def select(wanted: tuple[str, ...] | None, allowed: tuple[str, ...]) -> tuple[str, ...]:
    """The requested members, or all that are ``allowed``. Raises a 400 problem for another."""
    unknown = [name for name in wanted or () if name not in allowed]
    if unknown:
        detail = f"fields: {unknown[0]!r} is not a member; allowed: {', '.join(allowed)}"
        raise problems.bad_parameter("fields", detail)
    return wanted or allowed


def members(found: Decided, request: Request, wanted: Sequence[str] = FIELDS) -> dict[str, Any]:
    """The members ``wanted`` of the decision, in their order.

    Raises a 400 problem when the source asks for a query parameter that is missing (A5.4).
    """
    decision, facts = found.decision, found.decision.facts
    profile, speed = decision.choice.profile, facts.throughput
    every = {
        "asset": facts.asset,
        "manifest_url": _manifest_url(found, request),
        "adaptive_streaming": True,  # HLS always adapts; a downloaded file would not
        "quality_profile": {
            "name": profile.name,
            "max_bitrate_kbps": profile.max_bitrate_kbps,
            "max_height": profile.max_height,
        },
        "cdn_endpoint": urlsplit(decision.edge.url).netloc,
        "client": {
            "device": facts.device.kind,
            "os": facts.device.os,
            "country": facts.place.country,
            "continent": facts.place.continent,
            "speed_kbps": None if speed is None else round(speed.kbps),
            "speed_source": None if speed is None else speed.source,
        },
        "edges": [edge.id for edge in decision.edges],
    }
    if "ladder" in wanted:
        every["ladder"] = _ladder(found, request)
    if "reasons" in wanted:
        reasons = (*found.source.reasons, *reasons_of(decision), _steering(found, request))
        every["reasons"] = [str(reason) for reason in reasons]
    return {name: every[name] for name in wanted}


def _steering(found: Decided, request: Request) -> Reason:
    """Whether the playlist is steered, and why not.

    Raises a 400 problem when the source asks for a query parameter that is missing (A5.4).
    """
    if not found.runtime.steering.enabled:
        return steering.OFF
    copies: tuple[Edge, ...] = ()
    if may_copy(found):
        copies, refused = copies_for(found, request.headers)
        if refused is not None:
            return refused
    elif not found.decision.inquiry.fleet.index.has_sibling(found.decision.edge):
        return steering.NO_OTHER_EDGE
    most = max_answer_bytes(found.runtime.settings)
    copied = tuple([(edge.id, edge.url) for edge in copies])
    query = request.parameters.by_name
    refused = steering_refusal(found.source, found.decision, query, most, copied)
    return refused or (steering.STEERED_BY_COPIES if copies else steering.STEERED)


def _ladder(found: Decided, request: Request) -> list[dict[str, Any]]:
    rungs = found.source.manifest.ladder.rungs
    uris = uris_for(found.source, found.decision, request.parameters.by_name)
    return [
        {
            "height": rungs[index].stated_height,
            "bandwidth": rungs[index].bandwidth,
            "codecs": ",".join(rungs[index].codecs) or None,
            "uri": uri,
        }
        for index, uri in zip(found.decision.kept, uris, strict=True)
    ]


def _manifest_url(found: Decided, request: Request) -> str:
    """The URL of this decision's playlist, with the parameters of the request."""
    base = found.runtime.settings.server.public_url or request.base_url
    url = f"{base.rstrip('/')}/v1/play/{found.decision.facts.asset}.m3u8"
    text = query_without_fields(request.query)
    return f"{url}?{text}" if text else url


def query_without_fields(query: bytes) -> str:
    """The query without ``fields``. It stays as received, except for characters that must be
    escaped."""
    pairs = [pair for pair in query.split(b"&") if unquote(pair.partition(b"=")[0]) != "fields"]
    return quote_from_bytes(b"&".join(pairs), safe=_QUERY_CHARACTERS)
