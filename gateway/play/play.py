"""``/v1/play``: a player asks for a manifest, or for the decision behind it.

The request's straight way: intake, facts, profile, ladder, edges, decision, bytes, response.
"""

import json
import time
from collections.abc import Sequence
from functools import lru_cache

from starlette.requests import Request
from starlette.types import Receive, Scope

from gateway.client.session import asset_name
from gateway.edge.edge import Edge
from gateway.observe import metrics
from gateway.play import problems
from gateway.play.answer import Answer, answer, edge_counter, valid_asset
from gateway.play.bodies import Body, matches
from gateway.play.compression import negotiate
from gateway.play.decision_event import tell_placed
from gateway.play.decision_json import check_fields, members
from gateway.play.headers import (
    ACCEPT_CH,
    MANIFEST_TYPE,
    VARY,
    gateway_decision,
    server_timing,
)
from gateway.play.known import OfSession, key_of
from gateway.play.reply import HeaderLines, Reply
from gateway.play.runtime import Gateway
from gateway.store.caches.decisions import Cache
from manifests.hls.multivariant import QueryParameterError, write
from manifests.hls.rebase import rebaser

PLAY, _HLS, _DASH = "/v1/play/", ".m3u8", ".mpd"
_METHODS = ("GET", "HEAD")
_OK = 200
Timed = tuple[Reply, bytes]
"""An answer, and its ``Server-Timing``."""


async def play(scope: Scope, receive: Receive, key: bytes | None) -> Timed:
    """``GET|HEAD /v1/play/{asset}``, with ``.m3u8``, ``.mpd`` or nothing after it. ``key`` is the
    request's :func:`known_key`. Raises :class:`gateway.play.problems.Problem`."""
    if scope["method"] not in _METHODS:
        raise problems.method_not_allowed(scope["method"], ", ".join(_METHODS))
    start = time.perf_counter()
    path: str = scope["path"].removeprefix(PLAY)
    if path.endswith(_HLS):
        return await _playlist(scope, path.removesuffix(_HLS), key, start)
    if path.endswith(_DASH):
        valid_asset(path.removesuffix(_DASH))
        raise problems.not_available_yet("DASH")
    return await _json(Request(scope, receive), path, start)


def known_reply(gateway: Gateway, key: bytes | None, start: float) -> Timed | None:
    """The playlist as it was given a moment ago, if it was, and is still right.

    ``key`` is the request's :func:`known_key`; ``start`` is when it came, of
    ``time.perf_counter``.
    """
    known = None if key is None else gateway.known.find(gateway, key)
    if known is None:
        return None
    for counter in known.counters:
        counter.inc()
    return known.reply, b"known;dur=%.3f" % ((time.perf_counter() - start) * 1000)


def known_key(gateway: Gateway, scope: Scope, read: Sequence[bytes]) -> bytes | None:
    """The name of the request (:func:`gateway.play.known.key_of`); None when its answer counts by
    itself."""
    runtime = gateway.runtime
    if gateway.leases.active or runtime.settings.events.enabled:
        return None
    return key_of(scope, read, int(time.time() // 60) if runtime.timed else 0)


async def _playlist(scope: Scope, path: str, key: bytes | None, start: float) -> Timed:
    """The playlist, written now."""
    gateway: Gateway = scope["app"].gateway
    runtime = gateway.runtime
    take = scope["method"] == "GET"
    found = await answer(gateway, scope, valid_asset(path), take=take)
    body = _body(gateway, found)
    found.marks.append(("write", time.perf_counter()))
    reply = _finish(found, body, MANIFEST_TYPE)
    unchanged = runtime is gateway.runtime and found.fleet is gateway.fleet
    if key is not None and unchanged and gateway.known.asked_again(key):
        _keep(gateway, key, _explained(reply, found, "local"), found)
    if take and reply.status == _OK:
        tell_placed(gateway, found)
    timing = server_timing(found.marks, start).encode("ascii")
    return _explained(reply, found, found.cache), timing


def _explained(reply: Reply, found: Answer, cache: Cache) -> Reply:
    """With the decision in a line; it came from ``cache``."""
    decision = gateway_decision(found.facts, found.decision, found.edges[0], cache)
    line = HeaderLines((b"gateway-decision", decision.encode("ascii")))
    return Reply(reply.status, reply.headers + line, reply.body)


def _keep(gateway: Gateway, key: bytes, reply: Reply, found: Answer) -> None:
    """Keep a playlist for those who ask the very same."""
    facts, edge, session = found.facts, found.edges[0].id, None
    if facts.session is not None:
        record = gateway.sessions.fresh(facts.session)
        if record is None:  # the store could not be asked: it may know more
            return
        speed = facts.throughput
        source = None if speed is None else speed.source
        session = OfSession(
            name=facts.session,
            asset=asset_name(facts.asset),
            # Whoever was placed afresh gets the same edge again when that is forgotten.
            edges=(edge,) if facts.placed_on is not None else (edge, None),
            estimate=record.estimate if source == "session" else None,
            measured_kbps=speed.kbps if speed and source in ("query", "cmcd") else None,
        )
    counters = (
        metrics.decisions(found.decision.profile, facts.device.kind, "local"),
        edge_counter(found.edges[0]),
    )
    gateway.known.keep(gateway, key, reply, found.source, facts.asset, session, counters)


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


def _finish(answer: Answer, body: Body, media_type: str) -> Reply:
    """The answer with its headers, or 304 when the player has it already."""
    server = answer.runtime.settings.server
    coding = negotiate(answer.headers.get("accept-encoding") or "")
    if len(body.identity) < server.compress_min_bytes:
        coding = "identity"
    etag = body.etag(coding)
    always = _always(server.manifest_max_age_s)
    tag = (b"etag", etag.encode("ascii"))
    if_none_match = answer.headers.get("if-none-match")
    if if_none_match is not None and matches(if_none_match, etag):
        return Reply(304, always + HeaderLines(tag), b"")
    data = body.coded(coding)
    coded = () if coding == "identity" else ((b"content-encoding", coding.encode("ascii")),)
    kind = (b"content-type", media_type.encode("ascii"))
    length = (b"content-length", b"%d" % len(data))
    return Reply(_OK, always + HeaderLines(tag, *coded, kind, length), data)


@lru_cache(8)
def _always(max_age_s: int) -> HeaderLines:
    """What every answer of this kind has."""
    return HeaderLines(
        (b"cache-control", b"private, max-age=%d" % max_age_s),
        (b"vary", VARY.encode("ascii")),
        (b"accept-ch", ACCEPT_CH.encode("ascii")),
        (b"timing-allow-origin", b"*"),
    )


async def _json(request: Request, path: str, start: float) -> Timed:
    """The decision as JSON, whole or the members that ``?fields=`` names."""
    gateway: Gateway = request.app.gateway
    found = await answer(gateway, request.scope, valid_asset(path), take=False)
    wanted = check_fields(found.asked.fields)
    every = members(found, str(request.base_url), request.scope["query_string"])
    found.marks.append(("write", time.perf_counter()))
    data = json.dumps({name: every[name] for name in wanted}, ensure_ascii=False)
    reply = _finish(found, Body(data.encode()), "application/json")
    timing = server_timing(found.marks, start).encode("ascii")
    return _explained(reply, found, found.cache), timing
