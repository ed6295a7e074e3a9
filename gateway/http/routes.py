"""The whole URL map, on one page: every path, and the listeners that answer it."""

from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass

from starlette.types import Receive, Scope

from gateway.config.schema import Settings
from gateway.http.asgi import (
    read_public_request,
    read_report_request,
    read_request,
    read_steering_request,
)
from gateway.http.batch import decide_batch
from gateway.http.body import read_body
from gateway.http.openapi import openapi_json
from gateway.http.operations import as_a_player_asks, livez, prometheus, readyz, readyz_in_detail
from gateway.http.operator_actions import (
    EDGES,
    REVOCATIONS,
    STEER,
    audit,
    config,
    edge_action,
    edges,
    one_revoked,
    one_steer,
    purge,
    reload,
    revoked,
    steer,
)
from gateway.http.sign_in import CALLBACK, SIGN_IN, SIGN_OUT, callback, sign_in, sign_out
from gateway.listener import OPERATORS, PLAYERS, Listener
from gateway.play.activity import PATH as ACTIVITY
from gateway.play.activity import answer_activity
from gateway.play.dash.class_answer import answer_class
from gateway.play.dash.class_draft import PATH as CLASS
from gateway.play.play import play, show_decision
from gateway.play.probe import MAX_RESULT_BYTES, answer_probe, record_probe
from gateway.play.reply import Reply
from gateway.play.reports import MAX_BODY_BYTES, check_media_type, take_reports
from gateway.play.request import Headers, read_query
from gateway.play.runtime import Gateway
from gateway.play.sessions import PATH as SESSIONS
from gateway.play.sessions import list_sessions, show_session
from gateway.play.steering import PATH as STEERING
from gateway.play.steering_answer import answer_steering
from gateway.trust.operators.operator import Access, Role
from gateway.trust.operators.operator import Scope as OperatorScope

Handler = Callable[[Gateway, Scope, Headers, Receive], Awaitable[Reply]]
Label = Callable[[str], str]
Switch = Callable[[Settings], Collection[Listener]]


@dataclass(frozen=True, slots=True)
class Route:
    """A path and its handler on some listeners. A path that ends with ``/`` matches all paths below
    it.

    ``label`` gives the route's name in metrics, which is always one of a fixed set. ``switch``
    gives the listeners for which the config has the route on; without one it is always on.
    ``access`` is what operators need for it where they have to sign in; None is open to everybody.
    """

    path: str
    methods: tuple[str, ...]
    handler: Handler
    label: Label
    listeners: tuple[Listener, ...]
    switch: Switch | None = None
    access: Access | None = None


def _named(label: str) -> Label:
    return lambda _: label


def _play_label(path: str) -> str:
    if path.endswith(".m3u8"):
        return "play_hls"
    return "play_dash" if path.endswith(".mpd") else "play_json"


async def _play(gateway: Gateway, scope: Scope, headers: Headers, receive: Receive) -> Reply:  # noqa: ARG001
    return await play(gateway, read_request(scope, headers), scope["path"].removeprefix(_PLAY))


async def _class(gateway: Gateway, scope: Scope, headers: Headers, receive: Receive) -> Reply:  # noqa: ARG001
    return await answer_class(gateway, read_public_request(scope, headers))


async def _show(gateway: Gateway, scope: Scope, headers: Headers, receive: Receive) -> Reply:  # noqa: ARG001
    request = as_a_player_asks(gateway, read_request(scope, headers))
    return await show_decision(gateway, request, scope["path"].removeprefix(_PLAY))


async def _steering(gateway: Gateway, scope: Scope, headers: Headers, receive: Receive) -> Reply:  # noqa: ARG001
    return await answer_steering(gateway, read_steering_request(scope, headers))


async def _reports(gateway: Gateway, scope: Scope, headers: Headers, receive: Receive) -> Reply:
    request = read_report_request(scope, headers)
    check_media_type(request.headers)
    return take_reports(gateway, request, await read_body(receive, MAX_BODY_BYTES))


async def _batch(gateway: Gateway, scope: Scope, headers: Headers, receive: Receive) -> Reply:
    with_reasons = gateway.runtime.settings.server.show_reasons
    return await decide_batch(
        gateway, read_request(scope, headers), receive, with_reasons=with_reasons
    )


async def _show_batch(gateway: Gateway, scope: Scope, headers: Headers, receive: Receive) -> Reply:
    request = as_a_player_asks(gateway, read_request(scope, headers))
    return await decide_batch(gateway, request, receive, with_reasons=True)


async def _probe(gateway: Gateway, scope: Scope, headers: Headers, receive: Receive) -> Reply:
    client = scope.get("client")
    peer = client[0] if client else None
    if scope["method"] == "POST":
        body = await read_body(receive, MAX_RESULT_BYTES)
        return await record_probe(gateway, body, headers, peer)
    return answer_probe(gateway, scope["method"], scope["query_string"], headers, peer)


async def _sessions(gateway: Gateway, scope: Scope, headers: Headers, receive: Receive) -> Reply:  # noqa: ARG001
    asked = read_query(scope["query_string"])
    by_name = asked.by_name
    return await list_sessions(gateway, by_name.get("cursor"), by_name.get("limit"), asked.fields)


async def _session(gateway: Gateway, scope: Scope, headers: Headers, receive: Receive) -> Reply:  # noqa: ARG001
    fields = read_query(scope["query_string"]).fields
    return await show_session(gateway, scope["path"].removeprefix(SESSIONS), fields)


async def _activity(gateway: Gateway, scope: Scope, headers: Headers, receive: Receive) -> Reply:  # noqa: ARG001
    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    by_name = read_query(scope["query_string"]).by_name
    last_event_id = dict(scope["headers"]).get(b"last-event-id")
    return await answer_activity(gateway, by_name, last_event_id, gone)


def _openapi(listener: Listener) -> Handler:
    async def openapi(gateway: Gateway, scope: Scope, headers: Headers, receive: Receive) -> Reply:  # noqa: ARG001
        server = gateway.runtime.settings.server
        with_probe = gateway.runtime.settings.probe.enabled
        with_reasons = listener == OPERATORS or server.show_reasons
        document = openapi_json(
            listener,
            with_batch=listener in server.decisions_on,
            with_reasons=with_reasons,
            with_probe=with_probe,
        )
        return Reply.of(200, document, "application/json")

    return openapi


def _decisions_on(settings: Settings) -> Collection[Listener]:
    return settings.server.decisions_on


def _probe_on(settings: Settings) -> Collection[Listener]:
    return _PLAYERS if settings.probe.enabled else ()


_PLAY = "/v1/play/"
_DECISIONS = "/v1/decisions"
_READ, _ALL = ("GET", "HEAD"), ("GET", "HEAD", "POST")
_PLAYERS: tuple[Listener, ...] = (PLAYERS,)
_OPERATORS: tuple[Listener, ...] = (OPERATORS,)
_BOTH = _PLAYERS + _OPERATORS


def _operators(
    path: str,
    methods: tuple[str, ...],
    handler: Handler,
    label: Label,
    access: Access,
    switch: Switch | None = None,
) -> Route:
    """A route of the operators' listener alone."""
    return Route(path, methods, handler, label, _OPERATORS, switch, access)


def _sees(scope: OperatorScope) -> Access:
    """What viewers may read."""
    return Access(Role.VIEWER, scope=scope)


def _acts(scope: OperatorScope) -> Access:
    """What viewers may read, and operators may do."""
    return Access(Role.VIEWER, Role.OPERATOR, scope)


def _configures(scope: OperatorScope) -> Access:
    """What admins alone may read and do."""
    return Access(Role.ADMIN, Role.ADMIN, scope)


ROUTES = (
    Route(_PLAY, _READ, _play, _play_label, _PLAYERS),
    Route(CLASS, _READ, _class, _named("class"), _PLAYERS),
    Route(STEERING, _READ, _steering, _named("steering"), _PLAYERS),
    Route("/v1/cmcd", ("POST",), _reports, _named("cmcd"), _PLAYERS),
    Route("/v1/probe", _ALL, _probe, _named("probe"), _PLAYERS, _probe_on),
    Route(_DECISIONS, ("POST",), _batch, _named("decisions"), _PLAYERS, _decisions_on),
    Route("/readyz", _READ, readyz, _named("readyz"), _PLAYERS),
    Route("/openapi.json", _READ, _openapi(PLAYERS), _named("openapi"), _PLAYERS),
    Route("/livez", _READ, livez, _named("livez"), _BOTH),
    Route("/readyz", _READ, readyz_in_detail, _named("readyz"), _OPERATORS),
    _operators("/metrics", _READ, prometheus, _named("metrics"), _sees("metrics")),
    _operators(_PLAY, _READ, _show, _play_label, _sees("decisions")),
    _operators(
        _DECISIONS, ("POST",), _show_batch, _named("decisions"), _sees("decisions"), _decisions_on
    ),
    _operators(SESSIONS.rstrip("/"), _READ, _sessions, _named("sessions"), _sees("sessions")),
    _operators(ACTIVITY, ("GET",), _activity, _named("activity"), _sees("activity")),
    _operators(SESSIONS, _READ, _session, _named("session"), _sees("sessions")),
    _operators("/v1/edges", _READ, edges, _named("edges"), _sees("edges")),
    _operators(EDGES, ("POST",), edge_action, _named("edge_action"), _acts("edges")),
    _operators("/v1/purge", ("POST",), purge, _named("purge"), _acts("purge")),
    _operators(STEER.rstrip("/"), _ALL, steer, _named("steer"), _acts("steering")),
    _operators(STEER, ("DELETE",), one_steer, _named("steer"), _acts("steering")),
    _operators(REVOCATIONS.rstrip("/"), _ALL, revoked, _named("revocations"), _acts("revocations")),
    _operators(REVOCATIONS, ("DELETE",), one_revoked, _named("revocations"), _acts("revocations")),
    _operators("/v1/config", _READ, config, _named("config"), _configures("config")),
    _operators("/v1/config/reload", ("POST",), reload, _named("reload"), _configures("config")),
    _operators("/v1/audit", _READ, audit, _named("audit"), _configures("audit")),
    Route(SIGN_IN, ("GET",), sign_in, _named("sign_in"), _OPERATORS),
    Route(CALLBACK, ("GET",), callback, _named("sign_in"), _OPERATORS),
    Route(SIGN_OUT, ("POST",), sign_out, _named("sign_in"), _OPERATORS),
    _operators("/openapi.json", _READ, _openapi(OPERATORS), _named("openapi"), Access(Role.VIEWER)),
)
"""Every route of the gateway, and the role that operators need for it."""

_SEGMENTS = 3
"""The number of ``/`` in each path that ends with one."""


class RouteTable:
    """The routes of one listener, by path."""

    def __init__(self, routes: Iterable[Route], listener: Listener) -> None:
        mine = [route for route in routes if listener in route.listeners]
        self._exact = {route.path: route for route in mine if not route.path.endswith("/")}
        self._below = {route.path: route for route in mine if route.path.endswith("/")}

    def find(self, path: str) -> Route | None:
        """The route of a path; None when there is none.

        Takes two dict lookups at most. Starlette's router would take as long as answering a bare
        request.
        """
        found = self._exact.get(path)
        if found is not None:
            return found
        parts = path.split("/", _SEGMENTS)
        if len(parts) <= _SEGMENTS:
            return None
        return self._below.get("/".join(parts[:_SEGMENTS]) + "/")


TABLES: dict[Listener, RouteTable] = {listener: RouteTable(ROUTES, listener) for listener in _BOTH}


def label_of(route: Route | None, path: str) -> str:
    """The metric label of a request for ``path`` that ``route`` handles."""
    return "other" if route is None else route.label(path)
