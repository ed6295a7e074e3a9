"""Content steering: what playlists offer, and the answers to ``/v1/steering``, for HLS and DASH.

All that an answer needs is in the request and in this worker's memory: the signed state, the edges'
conditions, the client's address. No store is asked. A request with no state, or one that cannot be
trusted, gets the answer of a new session: a session that lives is never answered with an error
(rule C4.2).
"""

import secrets
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b
from itertools import chain
from typing import Literal, NamedTuple

from gateway.client.limits import ParameterError, parse_parameters
from gateway.client.session import asset_name
from gateway.client.throughput import Measurement, steering_kbps
from gateway.decision import remembered_tiers
from gateway.edge.edge import Edge
from gateway.edge.fleet import Fleet
from gateway.edge.override import diversion_of
from gateway.edge.rank import PreferenceOrder, admits, spread_point_of
from gateway.edge.signed_root import SignedRoot, signed_root
from gateway.ladder.expected import expected_kbps
from gateway.ladder.rung import Rung
from gateway.observe import metrics
from gateway.play.bodies import Body
from gateway.play.carrying import PLACEHOLDER as GRANT_PLACEHOLDER
from gateway.play.clients import Sender
from gateway.play.decide import Decided, valid_asset
from gateway.play.edge_cookies import cookie_headers
from gateway.play.facts import cmcd_of, has_cmcd
from gateway.play.network_view import RequestView
from gateway.play.pathway_event import queue_pathway_event
from gateway.play.reply import RawHeaders, Reply
from gateway.play.request import Headers
from gateway.play.runtime import Gateway, Runtime
from gateway.play.session_use import Caller
from gateway.play.steering_pace import pace_s
from gateway.play.tokens import carried_on, seen_playing
from gateway.steering.decide import Situation, Steered, steer
from gateway.steering.naming import longest_renewed_s
from gateway.steering.pathways import edge_at, id_by_host, is_declared, unlike
from gateway.steering.query import (
    GRANT,
    SESSION,
    SESSION_BYTES,
    STATE,
    SteeringQuery,
    read_query,
)
from gateway.steering.signatures import tag_at
from gateway.steering.state import (
    MAX_CLONES,
    MAX_KBPS,
    Clone,
    PlaylistReference,
    SteeringState,
)
from gateway.store.connection.keys import session_name
from gateway.trust.keys import Purpose
from manifests.steering import (
    MEDIA_TYPE,
    PathwayClone,
    SteeringTags,
    inline_uri,
    render_steering_manifest,
)

PATH = "/v1/steering/"
RANKED = 16
"""How many edges are considered for one session."""
MAX_NAMED_WEIGHT = 16 * 1024
"""A longer playlist does not name its session: compressing it for each one would take too long."""
_BASE64_BYTES = 3
"""This many bytes become four characters of base64."""
PAGES = {
    *("Chrome", "Edge", "Firefox", "Opera", "Safari", "Samsung Internet"),
    *("hls.js", "Shaka Player", "Video.js"),
}
"""Players that run in web pages, as the User-Agent names them or their browser."""
READS_INLINE = {*PAGES, "AVPlayer", "QuickTime"}
"""The players that read a ``data:`` URI: those of browsers, and those of Apple, by its own draft.
media3 adds its parameters to the URI, which loses all that is in it, and asks again in five minutes
for the same: with an inline manifest it would not be steered at all."""
USUAL_KBPS = 3000
"""What a session is expected to take up when its state does not say."""
DRAWS = 256
"""The most keys that are drawn for a session: nearly always enough to find one that stays. Sessions
for which none is found (all, where the share of an override is 100 %) leave in their turn."""

_HEADERS: RawHeaders = (
    (b"content-type", MEDIA_TYPE.encode("ascii")),
    (b"cache-control", b"no-store"),  # C2.5
)

StateOutcome = Literal["none", "new", "known", "refused"]


@dataclass(slots=True)
class SteeringRequest:
    """One request for a steering manifest. ``peer`` is the remote address of the connection."""

    method: str
    asset: str
    query: bytes
    headers: Headers
    peer: str | None


class Unfinished(NamedTuple):
    """An answer whose clones have URIs of their own. ``state`` is that of the request, ``url``
    where the player asks next, ``now_s`` is Unix time, and ``renews``: it may be signed anew."""

    answer: Steered
    state: SteeringState
    url: str
    now_s: float
    renews: bool


def decide_steering(gateway: Gateway, request: SteeringRequest) -> Reply | Unfinished:
    """The answer to a request, unless the source of the session's playlist is needed for it. Raises
    a 404 problem when its path is no asset id."""
    asset = valid_asset(request.asset)
    runtime, fleet = gateway.runtime, gateway.fleet
    query = read_query(request.query)
    now_s, clock_s = time.time(), time.monotonic()
    sender = runtime.clients.sender(request.peer, request.headers)
    session, caller = _session_of(gateway, request, query, sender)
    grant, admission = seen_playing(gateway, query.grant, asset, session, sender.prefix)
    state, outcome = _state(gateway, request, query, sender, now_s)
    if state is not None and session is None and runtime.settings.dash.class_manifests:
        session = drawn_name(state.viewer)
    viewer = _any_viewer() if state is None else state.viewer
    spread_point = (
        spread_point_of(sender.place, sender.prefix) if state is None else state.spread_point
    )
    tiers = remembered_tiers(fleet, sender.place, spread_point, gateway.decisions.memo)
    order = PreferenceOrder(fleet, tiers, viewer, runtime.steering.max_pathways + 1, RANKED, asset)
    metrics.steering_states(outcome).inc()
    least_s = pace_s(gateway, viewer if outcome == "known" else None, sender.client, admission)
    renews, grant = carried_on(gateway, asset, session, grant, sender, request.headers, now_s)
    if state is None:
        if request.method == "GET":  # nothing tells what the player said before
            _measured(gateway, session, query.best_bps, now_s, caller)
        state = _default_state(fleet, query, asset, viewer, spread_point)
    if state is None:
        first = [fleet.edges[at].id for at in order[: runtime.steering.max_pathways]]
        ttl_s = max(runtime.steering.ttl_s, least_s)
        url = _reload_url(runtime, asset, "", session, grant)
        return steering_reply(render_steering_manifest(ttl_s, url, first))
    leaving = gateway.steering.leaving_in(fleet, clock_s)
    signs = state.playlist is None or renews
    situation = Situation(runtime.steering, fleet, leaving, clock_s, now_s, asset, signs)
    budget, kbps = gateway.steering.budget, state.expected_kbps
    view = RequestView(gateway, sender, request.headers, session, clock_s)
    answer = steer(
        situation, state, order, query.reports, lambda edge: budget.left_kbps(edge, clock_s), view
    )
    if request.method == "GET":
        _count(answer)
        may_begin = partial(gateway.session_access.may_begin, sender.client)
        may_tell = may_begin if caller is None else caller.may_tell
        country = sender.place.country
        queue_pathway_event(gateway, asset, country, session, state, answer, may_tell)
        if state.issued_s and not answer.idle:
            view.learn(answer)
        _measured(gateway, session, answer.measured_kbps * 1000, now_s, caller)
        if answer.moved:
            budget.promise(answer.priority[0].id, kbps, clock_s)
        _follow(gateway, asset, session, state, answer, caller, may_begin)
    signed = gateway.keys.sign(Purpose.STEERING_STATE, answer.state.to_bytes())
    url = _reload_url(runtime, asset, signed, session, grant)
    if state.playlist is not None:  # its URLs are signed anew in time, whatever it asks
        return Unfinished(answer, state, url, now_s, renews)
    body = _manifest(answer, state.base, url, max(answer.ttl_s, least_s))
    trusted = fleet.index.needs_cookies and outcome in ("new", "known")
    cookies = cookies_of(gateway, answer, asset, now_s) if trusted and renews else ()
    return steering_reply(body, cookies)


def cookies_of(gateway: Gateway, answer: Steered, asset: str, now_s: float) -> RawHeaders:
    """The cookies for the edges of an answer. A state does not tell its format, so they are for the
    folders of both."""
    if not answer.priority:
        return ()
    source = gateway.runtime.settings.source
    paths = [template.replace("{asset}", asset) for template in (source.hls, source.dash)]
    found = [cookie_headers(answer.priority, path, now_s) for path in paths]
    return tuple(dict.fromkeys(chain.from_iterable(found)))


def _reload_url(runtime: Runtime, asset: str, state: str, session: bytes | None, grant: str) -> str:
    """Where the player asks next, with what it carries: ``state`` and ``grant`` are empty without
    one."""
    url, name = _url(runtime, asset), "" if session is None else session.hex()
    parameters = ((STATE, state), (SESSION, name), (GRANT, grant))
    carried = "&".join([f"{key}={value}" for key, value in parameters if value])
    return f"{url}?{carried}" if carried else url


def drawn_name(viewer: int) -> bytes:
    """The name of a session that has none, in the form of ``session_name``. Its viewer was drawn at
    random for the first answer, so the name is as random. A class manifest is the same for all, so
    no session is named in it."""
    return blake2b(
        viewer.to_bytes(8), digest_size=SESSION_BYTES, person=b"steered-session"
    ).digest()


def _follow(
    gateway: Gateway,
    asset: str,
    session: bytes | None,
    state: SteeringState,
    answer: Steered,
    caller: Caller | None,
    may_begin: Callable[[], bool],
) -> None:
    """Let the session's record and lease follow its player, in the background."""
    edge, kbps = answer.playing, state.expected_kbps
    if edge is None or not answer.believed:
        return
    if session is not None and session != drawn_name(state.viewer):
        gateway.whereabouts.seen(session, asset, kbps, edge, caller)
    elif gateway.leases.active:
        age_s = answer.state.issued_s - answer.state.began_s
        young = age_s < gateway.runtime.settings.capacity.lease_s
        at_first = young and edge.id == state.base
        gateway.whereabouts.seen_unnamed(
            answer.state.viewer, asset, kbps, edge, at_first=at_first, may_begin=may_begin
        )


def _session_of(
    gateway: Gateway, request: SteeringRequest, query: SteeringQuery, sender: Sender
) -> tuple[bytes | None, Caller | None]:
    """The name of the session that a request names, and who names it. None when it is that of
    another, as far as this worker knows."""
    session = query.session or _session_asked(request)
    if session is None:
        return None, None
    caller = Caller(gateway.session_access, session, request.headers, sender)
    record = gateway.sessions.fresh(session)
    if record is not None and not record.is_new and caller.use_of(record) != "own":
        return None, None
    return session, caller


def _session_asked(request: SteeringRequest) -> bytes | None:
    """The session that a request names itself, as requests for playlists do. What is malformed is
    no error here."""
    query = request.query
    if b"session=" not in query and b"CMCD=" not in query and not has_cmcd(request.headers):
        return None
    try:
        asked = parse_parameters(query)
    except ParameterError:
        return None
    session = asked.session or cmcd_of(request.headers, asked.cmcd).sid
    return None if session is None else session_name(session)


def _measured(
    gateway: Gateway, session: bytes | None, bps: int | None, now_s: float, caller: Caller | None
) -> None:
    """Add what a player has measured to the estimate of its session, if that has a name, in the
    background."""
    kbps = steering_kbps(bps or 0)
    if session is not None and kbps is not None:
        estimator = gateway.runtime.estimator
        gateway.measurements.add(session, Measurement("steering", kbps), now_s, estimator, caller)


def _state(
    gateway: Gateway, request: SteeringRequest, query: SteeringQuery, sender: Sender, now_s: float
) -> tuple[SteeringState | None, StateOutcome]:
    """The state that a request brings, if it can be trusted; of a session that begins, with its
    viewer."""
    if not query.state:
        return None, "none"
    signed = gateway.keys.verify(Purpose.STEERING_STATE, query.state)
    name = asset_name(request.asset)
    state = None if signed is None else SteeringState.from_bytes(signed, name, now_s)
    if state is None:
        return None, "refused"
    if state.viewer:
        return state, "known"
    begun = replace(
        state,
        viewer=_new_viewer(gateway.fleet, state.base, request.asset),
        spread_point=spread_point_of(sender.place, sender.prefix),
        unstated=not query.reports and _may_repeat(gateway.runtime, request),
    )
    return begun, "new"


def _may_repeat(runtime: Runtime, request: SteeringRequest) -> bool:
    """Whether a player whose first request names no pathway may say later that it uses what it was
    told, whatever it uses. Shaka does; hls.js and video.js name their pathway from the first
    request on."""
    return runtime.clients.player(request.headers).device.player in PAGES


def _any_viewer() -> int:
    """The key of a new session for rendezvous hashing."""
    return secrets.randbits(64) | 1


def _new_viewer(fleet: Fleet, base: str, asset: str) -> int:
    """The key of a session of ``asset`` that begins on the edge ``base``.

    Its playlist would have led elsewhere if that edge had not admitted it, or an override of the
    edge had covered it. So it gets a key that the edge admits and no override covers; otherwise it
    would be chosen again, and more sessions than the share would move. A session that began before
    the edge admitted fewer gets such a key as well, and stays.
    """
    viewer, at = _any_viewer(), fleet.positions.get(base)
    if at is None:
        return viewer
    for _ in range(DRAWS):
        admitted = admits(fleet, at, viewer) or not fleet.conditions[at].open
        if admitted and diversion_of(fleet.diversions, fleet.edges, at, viewer, asset) is None:
            break
        viewer = _any_viewer()
    return viewer


def _default_state(
    fleet: Fleet, query: SteeringQuery, asset: str, viewer: int, spread_point: int
) -> SteeringState | None:
    """The state of a session of which only its pathways are known; None when not even one is.

    The player has the pathways that it reports, whether its manifest declares them or they are
    clones. So clones may refer to the first, and the others, which may be declared, must not be
    cloned (C2.2): they count as declared. One with the id of a host is a clone, and known while its
    edge has that host.
    """
    reported = [(pathway, edge_at(fleet, pathway)) for pathway, _ in query.reports]
    found = [(pathway, fleet.edges[at]) for pathway, at in reported if at is not None]
    known = [(pathway, edge) for pathway, edge in found if pathway in (edge.id, id_by_host(edge))]
    if not known:
        return None
    (first, base), *others = known
    cloned = [edge for pathway, edge in known if pathway != edge.id]  # two entries for each
    room = MAX_CLONES - 2 * (first != base.id)
    named = [edge for pathway, edge in others if pathway == edge.id][:room]
    declared = [Clone(edge.tag, edge.host_tag) for edge in named]
    cloned = cloned[: (MAX_CLONES - len(declared)) // 2]
    clones = [
        *declared,
        *chain.from_iterable((unlike(edge), Clone(edge.tag, edge.host_tag)) for edge in cloned),
    ]
    return SteeringState(
        asset=asset_name(asset),
        viewer=viewer,
        spread_point=spread_point,
        base=first,
        shape=base.shape,
        need_kbps=MAX_KBPS,
        expected_kbps=USUAL_KBPS,
        told=base.key,
        base_host=base.host_tag if first == base.id else 0,
        clones=tuple(clones),
        declared=len(declared) + 1 if declared else 0,
    )


def _manifest(answer: Steered, base: str, url: str, ttl_s: int) -> bytes:
    """The body. A player that cannot use any edge any more keeps the pathway that it has."""
    clones = [
        PathwayClone(base, pathway, edge.host)
        for pathway, edge in zip(answer.pathways, answer.priority, strict=True)
        if pathway != base and edge.host is not None and not is_declared(answer.state, edge)
    ]
    priority = answer.pathways or [base]
    return render_steering_manifest(ttl_s, url, priority, clones)


def _url(runtime: Runtime, asset: str) -> str:
    """Where the player asks next: below ``server.public_url``, or on the same host. The path is
    absolute, since Shaka resolves it against the playlist's URL, and others against this one's."""
    public = runtime.settings.server.public_url
    return f"{'' if public is None else public.rstrip('/')}{PATH}{asset}"


def steering_reply(body: bytes, cookies: RawHeaders = ()) -> Reply:
    """The answer with a steering manifest."""
    return Reply(200, (*_HEADERS, (b"content-length", b"%d" % len(body)), *cookies), body)


def _count(answer: Steered) -> None:
    metrics.steering_answers(answer.reason).inc()
    if answer.playing is not None:
        metrics.steering_obeyed("yes" if answer.obeyed else "no").inc()
    elif answer.passed_over:
        metrics.steering_obeyed("unknown").inc()
    if answer.moved:
        metrics.STEERING_MOVES.labels(_label(answer.priority[0])).inc()


def _label(edge: Edge) -> str:
    """Edges of one DNS name share a label."""
    return edge.template or edge.id


class Offer(NamedTuple):
    """What the SERVER-URI of a playlist depends on, besides the rungs that stay and the edge's URL.
    It names no session, so that all viewers of a class share what is written; the first answer
    makes a session of it.

    ``key`` is the id of the key that signs, ``edge`` that of the edge, and ``public_url`` is
    ``server.public_url``. ``named``: the URI has a place for the session's name, ``admitted``: one
    for the viewer's admission. ``inline`` is the TTL of a manifest in the playlist, and the ids and
    hosts of its other edges; None without one.
    ``copies`` are the ids and URLs of the edges for which the ladder is listed once more, and what
    signs these URLs; ``root`` signs those of ``edge``. ``renewed``: URLs are signed anew while a
    session plays.
    """

    key: str
    asset: str
    edge: str
    public_url: str | None
    named: bool
    admitted: bool = False
    inline: tuple[int, tuple[tuple[str, str], ...]] | None = None
    copies: tuple[tuple[str, str, SignedRoot | None], ...] = ()
    root: SignedRoot | None = None
    renewed: bool = False


def offer_for(
    gateway: Gateway,
    found: Decided,
    copies: Sequence[Edge],
    now_s: float = 0.0,
    *,
    renewed: bool = False,
) -> Offer:
    """What a playlist offers that lists its ladder once more for each of ``copies``. URLs are
    signed at ``now_s`` (Unix time), and anew while a session plays if ``renewed``."""
    decision, runtime = found.decision, found.runtime
    edge = decision.edge
    public_url = runtime.settings.server.public_url
    facts = decision.facts
    admitted = found.admission is not None
    is_short = found.source.manifest.weight <= MAX_NAMED_WEIGHT
    named = facts.session is not None and (is_short or admitted)
    inline = None
    if runtime.steering.inline and found.player.device.player in READS_INLINE:
        clones = [] if copies else _first_clones(found)
        ttl_s = runtime.steering.ttl_s
        if decision.inquiry.fleet.index.signs:
            ttl_s = min(ttl_s, longest_renewed_s((edge, *copies)))
        inline = ttl_s, tuple([(one.id, one.host or "") for one in clones])
    path = found.source.path
    copied = tuple([(other.id, other.url, signed_root(other, path, now_s)) for other in copies])
    key, signs = gateway.keys.active.id, decision.inquiry.fleet.index.signs
    root = signed_root(edge, path, now_s) if signs else None
    return Offer(
        key, facts.asset, edge.id, public_url, named, admitted, inline, copied, root, renewed
    )


def _first_clones(found: Decided) -> list[Edge]:
    """The edges to which a session may go before it first asks: those that its viewer prefers next,
    that can be clones, and that take everybody."""
    decision = found.decision
    base, fleet = decision.edge, decision.inquiry.fleet
    clones = [
        edge
        for edge in decision.edges[1:]
        if edge.host is not None
        and (edge.shape, edge.host != base.host) == (base.shape, True)
        and fleet.conditions[fleet.positions[edge.id]].state == "up"
    ]
    return clones[: found.runtime.steering.max_pathways - 1]


def named(body: Body, session: str | None, grant: str | None) -> Body:
    """A playlist with places for a name and an admission, for this session and viewer. Its steering
    requests then tell whose they are. Compressing it anew takes some 10 µs, as it is short."""
    text = body.identity
    for place, filling in (
        (_PLACEHOLDER, None if session is None else _name(session_name(session))),
        (_GRANT_PLACEHOLDER, None if grant is None else _grant(grant)),
    ):
        if filling is None:
            continue
        if b";base64," in text:
            text = text.replace(b64encode(place), b64encode(filling), 1)
        text = text.replace(place, filling, 1)
    return Body(text)


def _name(session: bytes) -> bytes:
    """The parameter with a session's name. Its length is a multiple of three, so that it can be
    found in base64."""
    return f"&{SESSION}={session.hex()}".encode("ascii")


def _grant(parameter: str) -> bytes:
    """The parameter with an admission, as long as :func:`_name` asks for: empty parameters fill
    it."""
    filling = "&" * (1 + (-len(parameter) - 1) % _BASE64_BYTES)
    return f"{filling}{parameter}".encode("ascii")


_PLACEHOLDER = _name(bytes(SESSION_BYTES))
_GRANT_PLACEHOLDER = _grant(GRANT_PLACEHOLDER)


def tags_of(
    gateway: Gateway, found: Decided, offer: Offer, playlist: PlaylistReference | None = None
) -> SteeringTags:
    """The tags of an offer: the SERVER-URI with the signed state of a session that is yet to
    begin, and the pathway to start on, which the first answer puts first (C2.6). ``playlist`` is
    what the state has of the playlist when the offer is ``renewed``."""
    decision = found.decision
    asset, edge, fleet = decision.facts.asset, decision.edge, decision.inquiry.fleet
    copies = [fleet.edges[fleet.positions[pathway]] for pathway, _, _ in offer.copies]
    clones = [] if offer.inline is None or copies else _first_clones(found)
    rungs = decision.kept_rungs
    if copies:  # their pathways are all that there are
        state = first_state(asset, rungs, edge, copies, declared=1 + len(copies), shape=0)
    else:
        state = first_state(asset, rungs, edge, clones, declared=0, shape=edge.shape)
    if playlist is not None:
        at_s = 0 if offer.root is None else offer.root.at_s
        steps = {pathway: at_s if root is None else root.at_s for pathway, _, root in offer.copies}
        others = [(other, steps.get(other.id, at_s)) for other in (*copies, *clones)]
        state.base_host = tag_at(edge, at_s)
        state.clones = tuple([Clone(other.tag, tag_at(other, its_s)) for other, its_s in others])
        state.playlist = playlist
    signed = gateway.keys.sign(Purpose.STEERING_STATE, state.to_bytes())
    uri = f"{_url(found.runtime, asset)}?{STATE}={signed}"
    if offer.named:
        uri += _PLACEHOLDER.decode("ascii")
    if offer.admitted:
        uri += _GRANT_PLACEHOLDER.decode("ascii")
    if offer.inline is not None:
        uri = inline_uri(_first_manifest(offer.inline[0], uri, edge, copies, clones)) or uri
    return SteeringTags(uri, edge.id, offer.copies, offer.renewed)


def first_state(
    asset: str,
    rungs: Sequence[Rung],
    edge: Edge,
    others: Sequence[Edge],
    *,
    declared: int,
    shape: int,
    live: bool = False,
) -> SteeringState:
    """The state of a session of ``asset`` that is yet to begin on ``edge``, with these rungs.
    ``others`` are the edges that its manifest tells the player of, ``declared``, ``shape`` and
    ``live`` are as in :class:`SteeringState`."""
    need_kbps = max([rung.bandwidth for rung in rungs], default=0) // 1000
    return SteeringState(
        asset=asset_name(asset),
        viewer=0,
        spread_point=0,
        base=edge.id,
        shape=shape,
        need_kbps=min(need_kbps, MAX_KBPS),
        expected_kbps=expected_kbps(rungs, None, 1.0),
        told=edge.key,
        base_host=edge.host_tag,
        clones=tuple([Clone(other.tag, other.host_tag) for other in others]),
        declared=declared,
        live=live,
    )


def _first_manifest(
    ttl_s: int, url: str, base: Edge, copies: Sequence[Edge], clones: Sequence[Edge]
) -> bytes:
    """The manifest that a playlist holds, with the place for a name where base64 can replace it."""
    written = render_steering_manifest(
        ttl_s,
        url,
        [base.id, *(other.id for other in (*copies, *clones))],
        [PathwayClone(base.id, clone.id, clone.host or "") for clone in clones],
    )
    at = written.find(_PLACEHOLDER)
    at = written.find(_GRANT_PLACEHOLDER) if at < 0 else at
    return b"{" + b" " * (-at % _BASE64_BYTES) + written[1:]
