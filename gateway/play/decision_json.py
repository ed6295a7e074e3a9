"""How does a decision look as JSON? Its members (docs/http.md), for one asset or many."""

from typing import Any
from urllib.parse import quote_from_bytes, unquote, urlsplit

from gateway.decision import reasons_of
from gateway.play import problems
from gateway.play.answer import Answer
from gateway.play.place import reasons_of_lease
from manifests.hls.blocks import is_rewritable
from manifests.hls.multivariant import QueryParameterError
from manifests.hls.rebase import rebase
from manifests.hls.variables import check_query, resolve_late

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

_QUERY_CHARACTERS = "%/?:@!$&'()*+,;="
"""What a query may hold besides letters, digits and ``-._~`` (RFC 3986, 3.4), and ``%`` itself."""


def check_fields(wanted: tuple[str, ...] | None) -> tuple[str, ...]:
    """The members to give: those that were asked for, or all. Raises a 400 for an unknown one."""
    unknown = [name for name in wanted or () if name not in FIELDS]
    if unknown:
        detail = f"fields: {unknown[0]!r} is not a member; allowed: {', '.join(FIELDS)}"
        raise problems.bad_parameter("fields", detail)
    return wanted or FIELDS


def members(answer: Answer, base_url: str, query: bytes) -> dict[str, Any]:
    """Every member. ``base_url`` is where the client has reached the gateway, which counts unless
    a public URL is configured; ``query`` is the query of the manifest's URL.

    Raises a 400 when the source asks for a query parameter that is not there (A5.4).
    """
    facts, profile = answer.facts, answer.choice.profile
    speed = facts.throughput
    policy, fleet, choice = answer.runtime.policy, answer.fleet, answer.choice
    reasons = answer.source.reasons
    reasons += reasons_of(policy, fleet, facts, choice, answer.decision, answer.edges)
    if answer.lease is not None:
        reasons += reasons_of_lease(answer.lease, fleet)
    return {
        "asset": facts.asset,
        "manifest_url": _manifest_url(answer, base_url, query),
        "adaptive_streaming": True,  # HLS always is; a file to download would not be
        "quality_profile": {
            "name": profile.name,
            "max_bitrate_kbps": profile.max_bitrate_kbps,
            "max_height": profile.max_height,
        },
        "cdn_endpoint": urlsplit(answer.edges[0].url).netloc,
        "client": {
            "device": facts.device.kind,
            "os": facts.device.os,
            "country": facts.place.country,
            "continent": facts.place.continent,
            "speed_kbps": None if speed is None else round(speed.kbps),
            "speed_source": None if speed is None else speed.source,
        },
        "ladder": _ladder(answer),
        "edges": [edge.id for edge in answer.edges],
        "reasons": [str(reason) for reason in reasons],
    }


def _ladder(answer: Answer) -> list[dict[str, Any]]:
    source, edge = answer.source, answer.edges[0]
    variants = [source.playlist.variants[index] for index in answer.decision.edit.variants]
    try:
        values = check_query(source.playlist.query_parameters, answer.asked.by_name)
    except QueryParameterError as error:
        raise problems.bad_parameter(error.parameter, str(error)) from error
    uris = [resolve_late(variant.uri, values) for variant in variants]
    return [
        {
            "height": variant.height,
            "bandwidth": variant.bandwidth,
            "codecs": ",".join(variant.codecs) or None,
            "uri": rebase(uri, source.path, edge.url, source.base_urls)
            if is_rewritable(uri)
            else uri,
        }
        for variant, uri in zip(variants, uris, strict=True)
    ]


def _manifest_url(answer: Answer, base_url: str, query: bytes) -> str:
    """Where this very decision's playlist is: the request's own parameters go with it."""
    base = answer.runtime.settings.server.public_url or base_url
    url = f"{base.rstrip('/')}/v1/play/{answer.facts.asset}.m3u8"
    text = _query_without_fields(query)
    return f"{url}?{text}" if text else url


def _query_without_fields(query: bytes) -> str:
    """The query as it came, so that it will be read as it was; escaped where it must be."""
    pairs = [pair for pair in query.split(b"&") if unquote(pair.partition(b"=")[0]) != "fields"]
    return quote_from_bytes(b"&".join(pairs), safe=_QUERY_CHARACTERS)
