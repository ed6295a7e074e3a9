"""``/v1/play``: answers with a manifest, or with the decision behind it.

Each request is decided, placed on an edge, and written, in this order.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import replace

from gateway.edge.edge import Edge
from gateway.edge.rank import MIN_RANKED
from gateway.offload import offload_if_large
from gateway.play import problems
from gateway.play.bodies import Body, max_answer_bytes
from gateway.play.cmsd import cmsd_headers
from gateway.play.decide import Decided, Earlier, Timeline, decide_one, valid_asset
from gateway.play.decision_event import queue_event
from gateway.play.decision_json import check_fields, members, wanted_format
from gateway.play.edge_cookies import cookie_headers
from gateway.play.formats import FORMATS
from gateway.play.manifest_reply import body_of, reply_with
from gateway.play.placement import lease, record_edge
from gateway.play.reply import RawHeaders, Reply
from gateway.play.request import ACCEPT_CH, VARY, Request
from gateway.play.runtime import Gateway
from gateway.play.tokens import count_session
from manifests.format import ManifestFormat

_SUFFIXES = tuple(form.suffix for form in FORMATS.values())
_OK = 200


async def play(gateway: Gateway, request: Request, name: str) -> Reply:
    """Answer ``GET|HEAD /v1/play/{name}``, where ``name`` is an asset id with ``.m3u8``, ``.mpd``
    or nothing after it. Raises :class:`gateway.play.problems.Problem`."""
    for wanted, form in FORMATS.items():
        if name.endswith(form.suffix):
            asset = valid_asset(name.removesuffix(form.suffix))
            return await _manifest(gateway, request, asset, wanted)
    with_reasons = gateway.runtime.settings.server.show_reasons
    return await _json(gateway, request, valid_asset(name), with_reasons=with_reasons)


async def show_decision(gateway: Gateway, request: Request, name: str) -> Reply:
    """Answer an operator with the decision for asset ``name`` and its reasons. Manifests are for
    players alone. Raises :class:`gateway.play.problems.Problem`."""
    if name.endswith(_SUFFIXES):
        raise problems.for_players_alone()
    return await _json(gateway, request, valid_asset(name), with_reasons=True)


async def _manifest(
    gateway: Gateway, request: Request, asset: str, wanted: ManifestFormat
) -> Reply:
    """Answer with the manifest. A GET places its session on the edge; a HEAD does not."""
    form, timeline = FORMATS[wanted], Timeline()
    earlier = form.earlier(gateway, request, asset)
    places = request.method == "GET" and not gateway.only_looks
    found = await _placed(gateway, request, asset, timeline, wanted, earlier, take=places)
    if places:
        record_edge(gateway, found.decision)
    draft = form.draft(gateway, found, request)
    body = draft.for_session(await body_of(gateway, draft, found.source.manifest.weight))
    timeline.end("write")
    reply = await _reply(found, draft.edges, request, body, form.media_type, timeline)
    kept = found.decision.facts.kept
    if places and kept and reply.status == _OK and not _is_as_before(found, earlier):
        queue_event(gateway, found)
    return reply


def _is_as_before(found: Decided, earlier: Earlier | None) -> bool:
    """Whether a player that asks again gets what it has been given before: that is no event."""
    return (
        earlier is not None
        and earlier.pinned is not None
        and earlier.edge == found.decision.edge.key
    )


async def _json(gateway: Gateway, request: Request, asset: str, *, with_reasons: bool) -> Reply:
    """Answer with the decision as JSON: all members, or those in ``?fields=``. Places no
    session."""
    timeline = Timeline()
    fields = check_fields(request.parameters.fields, with_reasons=with_reasons)
    wanted = wanted_format(request.parameters.by_name)
    found = await _placed(gateway, request, asset, timeline, wanted, take=False)
    body = await offload_if_large(found.source.manifest.weight, _shown, found, request, fields)
    timeline.end("write")
    edges = found.decision.edges
    return await _reply(found, edges, request, body, "application/json", timeline)


def _shown(found: Decided, request: Request, fields: tuple[str, ...]) -> Body:
    """The members ``fields`` of a decision, as JSON. Raises :class:`Problem`."""
    data = json.dumps(members(found, request, fields), ensure_ascii=False).encode()
    most = max_answer_bytes(found.runtime.settings)
    if len(data) > most:
        raise problems.answer_too_large(most)
    return Body(data)


async def _placed(
    gateway: Gateway,
    request: Request,
    asset: str,
    timeline: Timeline,
    wanted: ManifestFormat | None,
    earlier: Earlier | None = None,
    *,
    take: bool,
) -> Decided:
    """The decision for ``asset``, with the first edge that has room in front. Counts it in
    metrics."""
    # One edge is enough to serve. Leases, events, inline manifests and the JSON decision read more.
    runtime = gateway.runtime
    more = gateway.leases.active or runtime.settings.events.enabled or runtime.steering.inline
    one = take and not more
    count = 1 if one else MIN_RANKED
    found = await decide_one(gateway, request, asset, timeline, count, wanted, earlier)
    await count_session(gateway, found.admission, found.decision.facts, take=take)
    # A refresh without a session cannot renew the lease that its first request took.
    facts = found.decision.facts
    take = take and (earlier is None or facts.session is not None)
    counts = gateway.leases.active or runtime.settings.events.enabled
    if take and counts and facts.kept and facts.session is None:
        client = runtime.clients.address(request.peer, request.headers)
        facts.kept = gateway.session_access.may_begin(client)
    take = take and facts.kept
    decision = await lease(gateway, found.decision, take=take, ask=found.cache != "off")
    if decision is not found.decision:
        found = replace(found, decision=decision)
        timeline.end("lease")
    found.count()
    return found


async def _reply(
    found: Decided,
    edges: Sequence[Edge],
    request: Request,
    body: Body,
    media_type: str,
    timeline: Timeline,
) -> Reply:
    """The answer, which names ``edges``, with its headers; 304 when the player already has it."""
    runtime = found.runtime
    most_s = runtime.settings.server.manifest_max_age_s
    headers = (
        _cache_control(
            found, _max_age_s(most_s, found.source.manifest.update_s, found.decision.edge)
        ),
        *_CONSTANT,
        *found.token_headers,
        (b"gateway-decision", _gateway_decision(found).encode("ascii")),
        (b"server-timing", timeline.header()),
        *cmsd_headers(runtime.settings.cmcd.cmsd_name, found.decision),
    )
    if found.decision.inquiry.fleet.index.needs_cookies and not request.by_operator:
        cookies = cookie_headers(edges, found.source.path, time.time())
        headers = (*headers, *cookies)
    reply = await reply_with(runtime, request, body, found.player.coding, media_type, headers)
    reply.decision, reply.cache = found.decision, found.cache
    reply.stages = timeline.start, timeline.ends
    return reply


def _max_age_s(most_s: int, update_s: float | None, edge: Edge) -> int:
    """How long a player may keep an answer: at most half of the update period, and no longer
    than new answers have the same signature. So URLs from a kept answer are valid for at least
    ``lifetime_s``."""
    if update_s is not None:
        most_s = min(most_s, int(update_s / 2))
    if edge.signing is not None:
        most_s = min(most_s, edge.signing.unchanged_s(time.time()))
    return most_s


def _cache_control(found: Decided, max_age_s: int) -> tuple[bytes, bytes]:
    """An answer with a renewed token is not cached: a cached copy would bring back an old token."""
    if any(name != b"vary" for name, _ in found.token_headers):
        return (b"cache-control", b"private, no-store")
    return (b"cache-control", b"private, max-age=%d" % max_age_s)


_CONSTANT: RawHeaders = (
    (b"vary", VARY.encode("ascii")),
    (b"accept-ch", ACCEPT_CH.encode("ascii")),
)


def _gateway_decision(found: Decided) -> str:
    """``Gateway-Decision``: an RFC 9651 dictionary (docs/http.md).

    The config check ensures that a profile's name is a token and that an edge's id needs no
    escaping.
    """
    decision, facts = found.decision, found.decision.facts
    parts = [f"profile={decision.choice.profile.name}, device={facts.device.kind}"]
    if facts.place.country is not None:
        parts.append(f'country="{facts.place.country}"')
    if facts.throughput is not None:
        parts.append(f"speed={round(facts.throughput.kbps)};src={facts.throughput.source}")
    parts.append(f'edge="{decision.edge.id}", rungs={decision.rungs}, cache={found.cache}')
    return ", ".join(parts)
