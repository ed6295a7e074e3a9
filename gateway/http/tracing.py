"""What does the trace of a request say? Attributes by OpenTelemetry's semantic conventions.

No address, token, query or path is among them: the route stands for the path.
"""

from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from starlette.types import Scope

from gateway.http.routes import Route
from gateway.listener import Listener
from gateway.play.reply import Reply
from gateway.play.runtime import Gateway

if TYPE_CHECKING:
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


def trace_answer(
    tracer: "RequestTracer",
    gateway: Gateway,
    listener: Listener,
    scope: Scope,
    route: Route | None,
    reply: Reply | None,
    identity: str,
    start: float,
) -> str | None:
    """Record a request that has ended. Returns its trace id if it is sampled."""
    status = 500 if reply is None else reply.status
    method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
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
    return tracer.record(name, start, status, attributes, stages, _parent(gateway, scope))


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
