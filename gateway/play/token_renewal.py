"""How does a player get a renewed token (CTA-5007: ``catr``)? In a header field or a cookie of the
answer for which the old one was accepted.

Nothing is kept: neither the old token nor the new one is stored, logged or counted by name. What
the URLs of an answer carry (:mod:`gateway.play.carrying`) is renewed as well, for players that do
not read their answers' header fields.
"""

import time
from collections.abc import Iterable
from typing import Final

from gateway.observe import metrics
from gateway.play.presented import HEADER, Place
from gateway.play.problems import Problem
from gateway.play.reply import RawHeaders
from gateway.play.runtime import Runtime
from gateway.play.tokens import Presented
from gateway.trust.admission import Admission
from gateway.trust.tokens.renewal import terms_of
from gateway.trust.tokens.verified import Renewal, VerifiedToken

_COOKIE: Final = ("Path=/", "HttpOnly", "SameSite=None")
"""The attributes of a cookie for which the token names none."""
VARY_COOKIE: Final = (b"vary", b"Cookie")


def token_headers(
    runtime: Runtime, presented: Presented | None, admitted: Iterable[Admission | Problem]
) -> RawHeaders:
    """The header fields with the renewed token of a request, if it is time to renew it and one of
    the assets was ``admitted`` on it; and ``Vary`` when the token was in a cookie."""
    if presented is None or presented.source is None:
        return ()
    place = presented.source.place
    vary = (VARY_COOKIE,) if place == "cookie" else ()
    token = presented.token
    if runtime.renewal is None or not isinstance(token, VerifiedToken) or token.renewal is None:
        return vary
    if not any(isinstance(each, Admission) and each.is_of(token) for each in admitted):
        return vary
    return (*_renewed(runtime, presented.source.text, place, token, token.renewal), *vary)


def _renewed(
    runtime: Runtime, text: str, place: Place, token: VerifiedToken, renewal: Renewal
) -> RawHeaders:
    rules, terms, now_s = runtime.renewal, terms_of(token), time.time()
    if rules is None or terms is None or token.expires_s is None:
        return ()
    end_s = rules.later_end(terms, token.expires_s, now_s)
    if end_s is None:
        return ()
    way = _way(renewal, place, runtime.settings.tokens.cookies)
    new = None if way == "unsupported" else rules.key.renewed(text, token, end_s, now_s)
    if new is not None and len(new) > runtime.settings.tokens.max_chars:
        way, new = "unsupported", None
    metrics.TOKEN_RENEWALS.labels(way).inc()
    if new is None:
        return ()
    if way == "header":
        value = "; ".join((new, *renewal.header_parameters))
        return ((HEADER.lower().encode("ascii"), value.encode("ascii")),)
    attributes = list(renewal.cookie_parameters or _COOKIE)
    if "secure" not in map(str.lower, attributes):
        attributes.append("Secure")
    value = "; ".join((f"{renewal.cookie_name or HEADER}={new}", *attributes))
    return ((b"set-cookie", value.encode("ascii")),)


def _way(renewal: Renewal, place: Place, cookies: Iterable[str]) -> str:
    """Where the answer has the renewed token. What players would send in a way that the gateway
    does not read is not supported, and nor are redirects: a token would be in their URL."""
    kind = renewal.kind
    if kind == "automatic":
        kind = "redirect" if place == "query" else place
    if kind == "header" and (renewal.header_name or HEADER).lower() == HEADER.lower():
        return "header"
    if kind == "cookie" and (renewal.cookie_name or HEADER) in cookies:
        return "cookie"
    return "unsupported"
