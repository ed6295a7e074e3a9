"""May the sender of this request do what it asks for? For the operators' listener alone.

Without sign-in everybody who reaches the listener may read, and nobody may write.
"""

import math
import time
from ipaddress import IPv6Address
from urllib.parse import quote

from starlette.types import Message, Receive, Scope

from gateway.client.address import Address
from gateway.http.body import read_body
from gateway.observe import metrics
from gateway.observe.request_id import request_id
from gateway.operators.audit_entry import Actor, AuditEntry
from gateway.operators.oidc_provider import ProviderError
from gateway.operators.sign_in import Asked
from gateway.play import operator_problems as problems
from gateway.play.cookies import cookies_of
from gateway.play.request import Headers
from gateway.play.runtime import Gateway
from gateway.trust.operators.message_signature import SignedMessage
from gateway.trust.operators.operator import READING, Access, Operator, Role, SignInRefusal

FAILURES_PER_S = 0.2
FAILURES_BURST_S = 50.0
"""Ten refused credentials of an address at once, and one every five seconds."""

REFUSALS_PER_S = 2.0
REFUSALS_BURST_S = 50.0
"""A hundred refused attempts at once are recorded by each worker, and two a second."""

MAX_SIGNED_BODY_BYTES = 128 * 1024
"""The largest body of a signed request, which is read before it is known who has sent it."""

NOBODY = Operator("nobody", "", Role.VIEWER)
"""Who reaches a listener where nobody has to sign in."""

_NAMES_SOMEBODY = "/v1/revocations/"
"""A path below it has the name of a token or a subject, which the audit log does not keep."""
OPERATOR = "gateway.operator"
"""The key under which an ASGI scope holds the operator who sends the request."""
CSRF_HEADER = "x-gateway-csrf"
"""What requests that act with the cookie of a browser have; its value does not matter."""


async def authorise(
    gateway: Gateway,
    access: Access | None,
    scope: Scope,
    headers: Headers,
    receive: Receive,
) -> Receive:
    """Find out who asks, and refuse what that person may not do. ``access`` is None for what is
    open to everybody: then only a credential that is there is verified.

    Returns the ASGI ``receive`` from which to read the body. Raises a 401, 403 or 429 problem.
    """
    if not gateway.sign_in.on:
        if access is not None and not _is_open(access, scope["method"]):
            _count("off")
            record_refused(gateway, scope, headers, NOBODY, "sign-in-off")
            raise problems.sign_in_is_off()
        scope[OPERATOR] = NOBODY
        return receive
    message, receive = await _message(gateway, scope, receive)
    found = await _who(gateway, scope, headers, message)
    if access is None:
        scope[OPERATOR] = found
        return receive
    if found is None:
        _count("anonymous")
        if access.writes_by(scope["method"]):
            record_refused(gateway, scope, headers, NOBODY, "not-signed-in")
        raise problems.not_signed_in()
    needed = access.role_for(scope["method"])
    if not found.may(needed, access.scope):
        _count("forbidden")
        record_refused(gateway, scope, headers, found, "forbidden")
        raise problems.forbidden(needed, access.scope, _has(found))
    _count("allowed")
    scope[OPERATOR] = found
    return receive


def operator_of(scope: Scope) -> Operator | None:
    """Who sends a request that :func:`authorise` has let through; None for somebody who has not
    signed in where that is needed."""
    found: Operator | None = scope[OPERATOR]
    return found


def _is_open(access: Access, method: str) -> bool:
    """Whether anybody may do this where nobody has to sign in."""
    return not access.writes_by(method) and NOBODY.may(access.role_for(method), access.scope)


def record_refused(
    gateway: Gateway, scope: Scope, headers: Headers, who: Operator, reason: str
) -> None:
    """Record an attempt that was refused. How many are recorded is bounded; the others are
    counted."""
    bounds = (REFUSALS_PER_S, time.monotonic(), REFUSALS_BURST_S)
    if not gateway.sign_ins_left.take("audit of refusals", 1, *bounds):
        metrics.AUDIT_ENTRIES.labels("skipped").inc()
        return
    path: str = scope["path"]
    if path.startswith(_NAMES_SOMEBODY):
        path = _NAMES_SOMEBODY + "…"
    entry = AuditEntry(
        time_ms=int(time.time() * 1000),
        actor=_actor(gateway, scope, headers, who),
        action="request",
        target=f"{scope['method']} {path}",
        outcome="refused",
        reason=reason,
    )
    gateway.audit.add(entry)


def actor_of(gateway: Gateway, scope: Scope, headers: Headers) -> Actor:
    """Who acts, for the audit log."""
    return _actor(gateway, scope, headers, operator_of(scope) or NOBODY)


def _actor(gateway: Gateway, scope: Scope, headers: Headers, who: Operator) -> Actor:
    address = address_of(gateway, scope, headers)
    return Actor(
        kind=who.kind,
        id=who.id,
        role=None if who.kind == "nobody" else who.role.value,
        address=None if address is None else str(address),
        request_id=request_id(),
    )


def address_of(gateway: Gateway, scope: Scope, headers: Headers) -> Address | None:
    """The address from which a request comes."""
    client = scope.get("client")
    return gateway.runtime.clients.address(client[0] if client else None, headers)


def _group(address: Address | None) -> str:
    """The addresses whose failures count together: one of IPv4, or a /64 of IPv6, which one client
    usually has."""
    if isinstance(address, IPv6Address):
        return str(int(address) >> 64)
    return str(address)


async def _message(
    gateway: Gateway, scope: Scope, receive: Receive
) -> tuple[SignedMessage, Receive]:
    """The request as it was sent. The body is read where the request is signed; it can be received
    again. Raises a 400 or 413 problem."""
    given = _all_headers(scope)
    body = b""
    if gateway.sign_in.is_signed(given):
        body = await read_body(receive, MAX_SIGNED_BODY_BYTES)
        receive = _again(body, receive)
    path: bytes = scope.get("raw_path") or quote(scope["path"]).encode("ascii")
    query: bytes = scope["query_string"]
    message = SignedMessage(
        method=scope["method"],
        scheme=scope.get("scheme", "http"),
        path=path.decode("latin-1"),
        query=query.decode("latin-1"),
        headers=given,
        body=body,
    )
    return message, receive


def _again(body: bytes, receive: Receive) -> Receive:
    """An ASGI ``receive`` that returns a body that was already read, then what follows it."""
    left = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Message:
        return left.pop() if left else await receive()

    return received


async def _who(
    gateway: Gateway, scope: Scope, headers: Headers, message: SignedMessage
) -> Operator | None:
    """Who has signed in; None when the request has no credential. Raises a 401 or 429 problem."""
    asked = Asked(message)
    cookies = headers.get("cookie")
    if cookies is not None and "authorization" not in message.headers:
        found = gateway.sign_in.session(cookies_of(cookies))
        if found is not None:
            if _may_be_forged(scope, message):
                _count("forbidden")
                record_refused(gateway, scope, headers, found, "no-csrf-header")
                raise problems.no_csrf_header(CSRF_HEADER)
            return found
    if not gateway.sign_in.has_credential(asked):
        return None
    check_failures(gateway, scope, headers)
    try:
        answer = await gateway.sign_in.who(asked)
    except ProviderError as error:
        _count("unavailable")
        raise problems.provider_unavailable(str(error)) from error
    if not isinstance(answer, SignInRefusal):
        return answer
    charge_failure(gateway, scope, headers)
    _count("refused")
    claimed = Operator("nobody", answer.id or "", Role.VIEWER)
    record_refused(gateway, scope, headers, claimed, answer.code)
    raise problems.refused(answer)


def check_failures(gateway: Gateway, scope: Scope, headers: Headers) -> None:
    """Raises a 429 problem when too many credentials from this address were refused."""
    name, bounds = _failures(gateway, scope, headers)
    wait_s = gateway.sign_ins_left.wait_s(name, 1, *bounds)
    if wait_s > 0:
        _count("limited")
        raise problems.too_many_failures(math.ceil(wait_s))


def charge_failure(gateway: Gateway, scope: Scope, headers: Headers) -> None:
    """Count a credential that was refused towards the bound of its address."""
    name, bounds = _failures(gateway, scope, headers)
    gateway.sign_ins_left.take(name, 1, *bounds)


def _failures(
    gateway: Gateway, scope: Scope, headers: Headers
) -> tuple[str, tuple[float, float, float]]:
    name = f"sign-in {_group(address_of(gateway, scope, headers))}"
    return name, (FAILURES_PER_S, time.monotonic(), FAILURES_BURST_S)


def _may_be_forged(scope: Scope, message: SignedMessage) -> bool:
    """Whether this is a write with a cookie alone: a page of another site can have a browser send
    that, but not a header of its own."""
    return scope["method"] not in READING and CSRF_HEADER not in message.headers


def _all_headers(scope: Scope) -> dict[str, str]:
    """Every header by its name, of which a credential may be made. Lines with one name are one
    list (RFC 9110, 5.3)."""
    found: dict[str, str] = {}
    for raw, value in scope["headers"]:
        name, text = raw.decode("latin-1"), value.decode("latin-1").strip(" \t")
        found[name] = f"{found[name]}, {text}" if name in found else text
    return found


def _has(operator: Operator) -> str:
    """What somebody has, in words."""
    text = f'{operator.kind} {operator.id!a} has the role "{operator.role}"'
    if operator.scopes is None:
        return text
    return f"{text} and the scopes {', '.join(sorted(operator.scopes))}"


def _count(outcome: str) -> None:
    metrics.OPERATOR_REQUESTS.labels(outcome).inc()
