"""Browsers sign in: ``GET /v1/sign-in`` leads to the OpenID provider, which leads back to
``/v1/sign-in/callback``; ``POST /v1/sign-out`` ends the session."""

import time
from typing import Final
from urllib.parse import parse_qs

from starlette.types import Receive, Scope

from gateway.http.authorise import (
    OPERATOR,
    actor_of,
    charge_failure,
    check_failures,
    operator_of,
    record_refused,
)
from gateway.operators.oidc_provider import ProviderError
from gateway.operators.oidc_sign_in import Cookie, OidcSignIn
from gateway.play import operator_problems, problems
from gateway.play.cookies import cookies_of
from gateway.play.operator_actions import Act, record
from gateway.play.reply import Reply
from gateway.play.request import Headers
from gateway.play.runtime import Gateway
from gateway.trust.operators.browser import is_local_path
from gateway.trust.operators.operator import Operator, Role, SignInRefusal

SIGN_IN: Final = "/v1/sign-in"
CALLBACK: Final = "/v1/sign-in/callback"
SIGN_OUT: Final = "/v1/sign-out"
_NO_STORE: Final = {"Cache-Control": "no-store"}


async def sign_in(gateway: Gateway, scope: Scope, headers: Headers, receive: Receive) -> Reply:  # noqa: ARG001
    """``GET /v1/sign-in``; ``return_to`` is the path to which the browser returns."""
    oidc = _oidc(gateway)
    return_to = _query(scope).get("return_to", "/")
    if not is_local_path(return_to):
        raise problems.bad_parameter("return_to", "is no path of this listener, such as /console")
    try:
        url, cookie = await oidc.begin(gateway.keys, return_to, time.time())
    except ProviderError as error:
        raise operator_problems.provider_unavailable(str(error)) from error
    return _redirect(url, (cookie,), secure=oidc.is_secure)


async def callback(gateway: Gateway, scope: Scope, headers: Headers, receive: Receive) -> Reply:  # noqa: ARG001
    """``GET /v1/sign-in/callback``: the provider has sent the browser back with a code."""
    oidc, query, now_s = _oidc(gateway), _query(scope), time.time()
    check_failures(gateway, scope, headers)
    text = cookies_of(headers.get("cookie") or "").get(oidc.flow_cookie, "")
    flow = oidc.flow(gateway.keys, text, query.get("state", ""), now_s)
    found: Operator | SignInRefusal
    if flow is None:
        found = SignInRefusal("no-flow", "this browser has not begun to sign in, or too long ago")
    elif "code" not in query:
        said = query.get("error", "no code")[:100]
        found = SignInRefusal("not-granted", f"the provider has not let you in: {said!a}")
    else:
        try:
            found = await oidc.finish(flow, query["code"], query.get("iss"), now_s)
        except ProviderError as error:
            charge_failure(gateway, scope, headers)
            raise operator_problems.provider_unavailable(str(error)) from error
    if isinstance(found, SignInRefusal) or flow is None:
        refusal = found if isinstance(found, SignInRefusal) else SignInRefusal("no-flow", "")
        charge_failure(gateway, scope, headers)
        claimed = Operator("nobody", refusal.id or "", Role.VIEWER)
        record_refused(gateway, scope, headers, claimed, refusal.code)
        raise operator_problems.refused(refusal)
    scope[OPERATOR] = found
    act = Act(actor_of(gateway, scope, headers), int(now_s * 1000))
    record(gateway, act, "sign-in", oidc.rules.issuer, "done")
    cookies = (oidc.begun(gateway.keys, found, now_s), Cookie(oidc.flow_cookie, "", 0))
    return _redirect(flow.return_to, cookies, secure=oidc.is_secure)


async def sign_out(gateway: Gateway, scope: Scope, headers: Headers, receive: Receive) -> Reply:  # noqa: ARG001
    """``POST /v1/sign-out``: the browser forgets its session."""
    oidc = _oidc(gateway)
    if operator_of(scope) is not None:
        act = Act(actor_of(gateway, scope, headers), int(time.time() * 1000))
        record(gateway, act, "sign-out", oidc.rules.issuer, "done")
    reply = Reply.of(204, headers=_NO_STORE)
    gone = Cookie(oidc.session_cookie, "", 0)
    return _with_cookies(reply, (gone,), secure=oidc.is_secure)


def _oidc(gateway: Gateway) -> OidcSignIn:
    oidc = gateway.sign_in.oidc
    if oidc is None or not oidc.has_flow:
        raise problems.switched_off("admin.oidc.redirect_url", "is not set, or nobody signs in")
    return oidc


def _query(scope: Scope) -> dict[str, str]:
    try:
        found = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=20)
    except ValueError:
        return {}
    return {name: values[0] for name, values in found.items()}


def _redirect(url: str, cookies: tuple[Cookie, ...], *, secure: bool) -> Reply:
    headers = {**_NO_STORE, "Location": url, "Content-Length": "0"}
    return _with_cookies(Reply.of(302, headers=headers), cookies, secure=secure)


def _with_cookies(reply: Reply, cookies: tuple[Cookie, ...], *, secure: bool) -> Reply:
    lines = []
    for each in cookies:
        text = f"{each.name}={each.value}; Path=/; Max-Age={each.max_age_s}; HttpOnly"
        text += "; SameSite=Lax" + ("; Secure" if secure else "")
        lines.append((b"set-cookie", text.encode("ascii")))
    reply.headers = (*reply.headers, *lines)
    return reply
