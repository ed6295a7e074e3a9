"""``/v1/play``: a player asks for a manifest, or for the decision behind it.

The request's straight way: intake, facts, profile, ladder, edges, decision, bytes, response.
"""

import json
import time

from starlette.requests import Request
from starlette.responses import Response

from gateway.edge.edge import Edge
from gateway.http import problems
from gateway.http.answer import Answer, answer, valid_asset
from gateway.http.bodies import Body, matches
from gateway.http.compression import negotiate
from gateway.http.decision_json import check_fields, members
from gateway.http.events import tell_placed
from gateway.http.headers import (
    ACCEPT_CH,
    MANIFEST_TYPE,
    VARY,
    gateway_decision,
    server_timing,
)
from gateway.http.runtime import Gateway
from manifests.hls.multivariant import QueryParameterError, write
from manifests.hls.rebase import rebaser

_PLAY, _HLS, _DASH = "/v1/play/", ".m3u8", ".mpd"


async def play(request: Request) -> Response:
    """``GET|HEAD /v1/play/{asset}``, with ``.m3u8``, ``.mpd`` or nothing after it."""
    start = time.perf_counter()
    gateway: Gateway = request.app.gateway
    path = request.scope["path"].removeprefix(_PLAY)  # not the router's: it drops a last newline
    if path.endswith(_DASH):
        valid_asset(path.removesuffix(_DASH))
        raise problems.not_available_yet("DASH")
    if not path.endswith(_HLS):
        return _json(request, await answer(gateway, request, valid_asset(path), take=False), start)
    take = request.method == "GET"
    found = await answer(gateway, request, valid_asset(path.removesuffix(_HLS)), take=take)
    body = _body(gateway, found)
    found.marks.append(("write", time.perf_counter()))
    return tell_placed(gateway, request, found, _finish(found, body, MANIFEST_TYPE, start))


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
    wanted = check_fields(answer.asked.fields)
    found = members(answer, str(request.base_url), request.scope["query_string"])
    answer.marks.append(("write", time.perf_counter()))
    data = json.dumps({name: found[name] for name in wanted}, ensure_ascii=False)
    return _finish(answer, Body(data.encode()), "application/json", start)
