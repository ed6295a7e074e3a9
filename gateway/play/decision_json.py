"""Writes a decision as JSON, with the members that docs/http.md lists."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any
from urllib.parse import quote_from_bytes, unquote, urlsplit

from gateway.explanation import reasons_of
from gateway.play import problems
from gateway.play.base_url import base_url_of
from gateway.play.decide import Decided
from gateway.play.formats import FORMATS
from gateway.play.presented import QUERY_NAMES
from gateway.play.request import Request
from gateway.steering.query import GRANT
from manifests.format import ManifestFormat

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

_JSON = {"fields", "format"}
"""The query parameters of JSON decisions alone."""
_ADMITTING = {GRANT, *QUERY_NAMES}
"""What admits a viewer where assets require tokens. A URL that may be shared must not have it."""
_LONGEST_FORMAT = 64
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


def wanted_format(by_name: Mapping[str, str]) -> ManifestFormat | None:
    """The format that the parameter ``format`` names; None without one. Raises a 400 problem for
    another value."""
    text = by_name.get("format")
    if text is None:
        return None
    try:
        return ManifestFormat(text)
    except ValueError:
        allowed = " or ".join(ManifestFormat)
        detail = f"format={text[:_LONGEST_FORMAT]!a}: allowed is {allowed}"
        raise problems.bad_parameter("format", detail) from None


def members(found: Decided, request: Request, wanted: Sequence[str] = FIELDS) -> dict[str, Any]:
    """The members ``wanted`` of the decision, in their order.

    Raises a 400 problem when the source asks for a query parameter that is missing (A5.4).
    """
    decision, facts = found.decision, found.decision.facts
    profile, speed = decision.choice.profile, facts.throughput
    every = {
        "asset": facts.asset,
        "manifest_url": _manifest_url(found, request),
        "adaptive_streaming": True,  # HLS and DASH always adapt; a downloaded file would not
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
        form = FORMATS[found.source.manifest.format]
        reasons = (*found.source.reasons, *reasons_of(decision), form.steering(found, request))
        every["reasons"] = [str(reason) for reason in reasons]
    return {name: every[name] for name in wanted}


def _ladder(found: Decided, request: Request) -> list[dict[str, Any]]:
    rungs = found.source.manifest.ladder.rungs
    named = FORMATS[found.source.manifest.format].names(found, request)
    return [
        {
            "height": rungs[index].stated_height,
            "bandwidth": rungs[index].bandwidth,
            "codecs": ",".join(rungs[index].codecs) or None,
            **names,
        }
        for index, names in zip(found.decision.kept, named, strict=True)
    ]


def _manifest_url(found: Decided, request: Request) -> str:
    """The URL of this decision's manifest, with the parameters of the request."""
    base = base_url_of(found.runtime, request)
    suffix = FORMATS[found.source.manifest.format].suffix
    url = f"{base}/v1/play/{found.decision.facts.asset}{suffix}"
    dropped = _JSON | _ADMITTING if found.runtime.protections else _JSON
    text = _without(request.query, dropped)
    return f"{url}?{text}" if text else url


def query_without_fields(query: bytes) -> str:
    """The query without what only JSON decisions have. It stays as received, except for characters
    that must be escaped."""
    return _without(query, _JSON)


def _without(query: bytes, dropped: AbstractSet[str]) -> str:
    pairs = [p for p in query.split(b"&") if unquote(p.partition(b"=")[0]) not in dropped]
    return quote_from_bytes(b"&".join(pairs), safe=_QUERY_CHARACTERS)
