"""What does the trace of a request say? Attributes by OpenTelemetry's semantic conventions.

No address, token, query or path is among them: the route stands for the path.
"""

from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, NamedTuple

from starlette.types import Scope

from gateway.http.routes import Route
from gateway.listener import Listener
from gateway.observe.request_id import set_traceparent
from gateway.play.reply import Reply
from gateway.play.runtime import Gateway

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from gateway.observe.traces import RequestTracer

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
_PLACEHOLDERS: Final = {
    "/v1/play/": "{asset}",
    "/v1/steering/": "{asset}",
    "/v1/class/": "{key}/{asset}",
}
_TRACEPARENT: Final = b"traceparent"
_TRACEPARENT_CHARS: Final = 55
"""Of version 00; later versions may add to it, which is not read."""


class Trace(NamedTuple):
    """The span of a request that began at ``start`` (``time.perf_counter``), and its tracer."""

    tracer: "RequestTracer"
    span: "Span"
    start: float


def begin_trace(tracer: "RequestTracer", gateway: Gateway, scope: Scope, start: float) -> Trace:
    """Begin the span of a request, of which origins are told."""
    span = tracer.begin(_method(scope), start, _parent(gateway, scope))
    set_traceparent(tracer.traceparent(span))
    return Trace(tracer, span, start)


def end_trace(
    trace: Trace,
    listener: Listener,
    scope: Scope,
    route: Route | None,
    reply: Reply | None,
    identity: str,
) -> str | None:
    """End the span of a request. Returns its trace id if it is sampled."""
    status = 500 if reply is None else reply.status
    method = _method(scope)
    attributes: dict[str, str | int] = {
        "http.request.method": method,
        "http.response.status_code": status,
        "url.scheme": scope.get("scheme", "http"),
        "gateway.listener": listener,
        "gateway.request_id": identity,
    }
    name = method
    if route is not None:
        below = _PLACEHOLDERS.get(route.path, "{id}") if route.path.endswith("/") else ""
        attributes["http.route"] = route.path + below
        name = f"{method} {route.path}{below}"
    decision = None if reply is None else reply.decision
    if reply is not None and decision is not None:
        attributes["gateway.profile"] = decision.choice.profile.name
        attributes["gateway.edge"] = decision.edge.id
        attributes["gateway.device"] = decision.facts.device.kind.value
        attributes["gateway.cache"] = reply.cache or ""
    stages = None if reply is None else reply.stages
    return trace.tracer.end(trace.span, trace.start, name, status, attributes, stages)


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in _METHODS else "_OTHER"


def _parent(gateway: Gateway, scope: Scope) -> str | None:
    """The ``traceparent`` of a request, if it comes from a trusted proxy: otherwise anybody could
    have every request of theirs traced."""
    found = [value for name, value in scope["headers"] if name == _TRACEPARENT]
    client = scope.get("client")
    if len(found) != 1 or len(found[0]) != _TRACEPARENT_CHARS or not client:
        return None
    try:
        peer = ip_address(client[0])
    except ValueError:
        return None
    return found[0].decode("latin-1") if gateway.runtime.clients.trusts(peer) else None
