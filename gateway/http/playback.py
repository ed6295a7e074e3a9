"""``/v1/play``: a player asks for a manifest, or for the decision behind it.

The request's straight way: intake, facts, profile, ladder, edges, decision, bytes, response.
"""

import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_from_bytes, unquote, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from gateway.client.asset import AssetError, asset_id
from gateway.client.facts import Facts
from gateway.client.limits import ParameterError, RequestParameters, parse
from gateway.decision import Choice, Decision, cache_key, choose, decide, edges_for, reasons_of
from gateway.edge.edge import Edge
from gateway.edge.fleet import Fleet
from gateway.http import problems
from gateway.http.bodies import Body, matches
from gateway.http.compression import negotiate
from gateway.http.events import tell_placed
from gateway.http.headers import (
    ACCEPT_CH,
    MANIFEST_TYPE,
    VARY,
    gateway_decision,
    server_timing,
)
from gateway.http.intake import Headers, gather, read_headers
from gateway.http.placement import Lease, lease, reasons_of_lease, remember
from gateway.http.runtime import Gateway, Runtime
from gateway.ladder.fit import NothingToPlayError
from gateway.observe import metrics
from gateway.source.source import (
    BadSourceError,
    NoSuchAssetError,
    OriginError,
    OriginTimeoutError,
    SourceManifest,
)
from gateway.store.decisions import Cache
from manifests.hls.blocks import is_rewritable
from manifests.hls.multivariant import QueryParameterError, write
from manifests.hls.rebase import rebase, rebaser
from manifests.hls.variables import check_query, resolve_late

_PLAY, _HLS, _DASH = "/v1/play/", ".m3u8", ".mpd"
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
"""The members of the JSON decision, which ``?fields=`` may select."""

_QUERY_CHARACTERS = "%/?:@!$&'()*+,;="
"""What a query may hold besides letters, digits and ``-._~`` (RFC 3986, 3.4), and ``%`` itself."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One request on its way, with all that was found out about it."""

    runtime: Runtime
    fleet: Fleet
    asked: RequestParameters
    headers: Headers
    facts: Facts
    source: SourceManifest
    choice: Choice
    decision: Decision
    edges: tuple[Edge, ...]
    lease: Lease | None
    cache: Cache
    marks: list[tuple[str, float]]


async def play(request: Request) -> Response:
    """``GET|HEAD /v1/play/{asset}``, with ``.m3u8``, ``.mpd`` or nothing after it."""
    start = time.perf_counter()
    gateway: Gateway = request.app.gateway
    path = request.scope["path"].removeprefix(_PLAY)  # not the router's: it drops a last newline
    if path.endswith(_DASH):
        _valid_asset(path.removesuffix(_DASH))
        raise problems.not_available_yet("DASH")
    if not path.endswith(_HLS):
        answer = await _answer(gateway, request, _valid_asset(path), take=False)
        return _json(request, answer, start)
    take = request.method == "GET"
    answer = await _answer(gateway, request, _valid_asset(path.removesuffix(_HLS)), take=take)
    body = _body(gateway, answer)
    answer.marks.append(("write", time.perf_counter()))
    return tell_placed(gateway, request, answer, _finish(answer, body, MANIFEST_TYPE, start))


def _valid_asset(text: str) -> str:
    try:
        return asset_id(text)
    except AssetError as error:
        raise problems.no_such_asset(str(error)) from error


async def _answer(gateway: Gateway, request: Request, asset: str, *, take: bool) -> Answer:
    """Everything up to the decision, in order. With ``take`` the player goes to the edge that it
    is told, and counts there."""
    runtime, fleet = gateway.runtime, gateway.fleet
    marks: list[tuple[str, float]] = []
    try:
        asked = parse(request.scope["query_string"])
    except ParameterError as error:
        raise problems.bad_parameter(error.name, str(error)) from error
    headers = read_headers(request.scope["headers"])
    peer = request.scope.get("client")
    facts = await gather(gateway, runtime, asset, asked, headers, peer[0] if peer else None)
    marks.append(("facts", time.perf_counter()))
    source = await _load(runtime, asset)
    marks.append(("source", time.perf_counter()))
    choice = choose(runtime.policy, facts, source.bandwidths)
    key = cache_key(runtime.policy, fleet, facts, choice, source.version)
    try:
        decision, cache = await gateway.decisions.get(
            key,
            runtime.policy,
            fleet,
            source.playlist,
            lambda: decide(fleet, facts, choice, source.playlist),
        )
    except NothingToPlayError as error:
        raise problems.nothing_to_play(str(error)) from error
    edges = edges_for(fleet, decision, facts)
    marks.append(("decide", time.perf_counter()))
    ask = cache != "off" and (facts.record is None or facts.record.whole)
    leased = await lease(
        gateway, facts, choice, decision, source.playlist, edges, take=take, ask=ask
    )
    if leased is not None:
        edges = leased.edges()
        marks.append(("lease", time.perf_counter()))
    if take:
        remember(gateway, facts, edges[0], time.time())
    metrics.DECISIONS.labels(decision.profile, facts.device.kind, cache).inc()
    metrics.EDGES.labels(edges[0].id).inc()
    return Answer(
        runtime=runtime,
        fleet=fleet,
        asked=asked,
        headers=headers,
        facts=facts,
        source=source,
        choice=choice,
        decision=decision,
        edges=edges,
        lease=leased,
        cache=cache,
        marks=marks,
    )


async def _load(runtime: Runtime, asset: str) -> SourceManifest:
    try:
        return await runtime.source.load(asset)
    except NoSuchAssetError as error:
        raise problems.no_such_asset(f"there is no asset {asset!r}") from error
    except OriginTimeoutError as error:
        metrics.SOURCE_ERRORS.inc()
        raise problems.origin_timeout(str(error)) from error
    except OriginError as error:
        metrics.SOURCE_ERRORS.inc()
        raise problems.bad_origin(str(error)) from error
    except BadSourceError as error:
        metrics.SOURCE_ERRORS.inc()
        raise problems.bad_source(str(error)) from error


def _body(gateway: Gateway, answer: Answer) -> Body:
    """The finished playlist, from memory or written now."""
    playlist = answer.source.playlist
    wanted = {name: answer.asked.by_name.get(name) for name in playlist.query_parameters}
    edge = answer.edges[0]
    # Many decisions make the same bytes: what is written and where it leads tells them apart.
    source, edit = answer.source, answer.decision.edit
    key = (source.path, source.version, edit, edge.url, tuple(wanted.values()))
    body = gateway.bodies.get(key)
    if body is None:
        body = gateway.bodies.put(key, _write(answer, edge))
    return body


def _write(answer: Answer, edge: Edge) -> bytes:
    source = answer.source
    try:
        return write(
            source.playlist,
            answer.decision.edit,
            rebaser(source.path, edge.url, source.base_urls),
            answer.asked.by_name,
        )
    except QueryParameterError as error:
        raise problems.bad_parameter(error.parameter, str(error)) from error


def _finish(answer: Answer, body: Body, media_type: str, start: float) -> Response:
    """The answer with its headers, or 304 when the player has it already."""
    coding = negotiate(answer.headers.get("accept-encoding") or "")
    if len(body.identity) < answer.runtime.settings.server.compress_min_bytes:
        coding = "identity"
    etag = body.etag(coding)
    headers = {
        "Cache-Control": f"private, max-age={answer.runtime.settings.server.manifest_max_age_s}",
        "ETag": etag,
        "Vary": VARY,
        "Accept-CH": ACCEPT_CH,
        "Timing-Allow-Origin": "*",
        "Gateway-Decision": gateway_decision(
            answer.facts, answer.decision, answer.edges[0], answer.cache
        ),
        "Server-Timing": server_timing(answer.marks, start),
    }
    if_none_match = answer.headers.get("if-none-match")
    if if_none_match is not None and matches(if_none_match, etag):
        return Response(None, 304, headers)
    if coding != "identity":
        headers["Content-Encoding"] = coding
    return Response(body.coded(coding), 200, headers, media_type)


def _json(request: Request, answer: Answer, start: float) -> Response:
    """The decision as JSON, whole or the members that ``?fields=`` names."""
    wanted = answer.asked.fields
    unknown = [name for name in wanted or () if name not in FIELDS]
    if unknown:
        detail = f"fields: {unknown[0]!r} is not a member; allowed: {', '.join(FIELDS)}"
        raise problems.bad_parameter("fields", detail)
    members = _members(request, answer)
    chosen = {name: members[name] for name in wanted or FIELDS}
    answer.marks.append(("write", time.perf_counter()))
    body = Body(json.dumps(chosen, ensure_ascii=False).encode())
    return _finish(answer, body, "application/json", start)


def _members(request: Request, answer: Answer) -> dict[str, Any]:
    facts, profile = answer.facts, answer.choice.profile
    speed = facts.throughput
    policy, fleet, choice = answer.runtime.policy, answer.fleet, answer.choice
    reasons = answer.source.reasons
    reasons += reasons_of(policy, fleet, facts, choice, answer.decision, answer.edges)
    if answer.lease is not None:
        reasons += reasons_of_lease(answer.lease, fleet)
    return {
        "asset": facts.asset,
        "manifest_url": _manifest_url(request, answer),
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


def _manifest_url(request: Request, answer: Answer) -> str:
    """Where this very decision's playlist is: the request's own parameters go with it.

    The base is the configured public URL, else the host that the client itself named.
    """
    base = answer.runtime.settings.server.public_url or str(request.base_url)
    url = f"{base.rstrip('/')}{_PLAY}{answer.facts.asset}{_HLS}"
    query = _query_without_fields(request.scope["query_string"])
    return f"{url}?{query}" if query else url


def _query_without_fields(query: bytes) -> str:
    """The query as it came, so that it will be read as it was; escaped where it must be."""
    pairs = [pair for pair in query.split(b"&") if unquote(pair.partition(b"=")[0]) != "fields"]
    return quote_from_bytes(b"&".join(pairs), safe=_QUERY_CHARACTERS)
