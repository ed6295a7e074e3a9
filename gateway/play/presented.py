"""Which playback token does a request bring? (RFC 6750, 2; CTA-5007)

A token may stand in one of these places, in this order:

1. ``Authorization: Bearer …``
2. ``CTA-Common-Access-Token: …``
3. ``?token=…``
4. ``?CTA-Common-Access-Token=…``

A request with two different tokens is refused (RFC 6750, 3.1: ``invalid_request``): which of them
counts must not depend on which part of a chain of servers reads it. The same token twice is one.

A token may also stand in a cookie that the configuration names. Players send cookies unasked, so
one counts only without another token, or when that has expired.
"""

from collections.abc import Iterable, Iterator
from typing import Final, Literal, NamedTuple
from urllib.parse import unquote

from gateway.play import token_problems as problems
from gateway.play.cookies import cookies_of
from gateway.play.request import Request

HEADER: Final = "CTA-Common-Access-Token"
QUERY_NAMES: Final = ("token", HEADER)
"""The query parameters that hold a token."""
_HEADER: Final = HEADER.lower()
_BEARER: Final = "bearer"
_TO_URL: Final = str.maketrans("+ /", "--_", "=")
"""To base64url without padding (RFC 4648, 5). A space was a plus sign."""
_DECODED: Final = 2
"""Players may encode a query that is encoded already."""


Place = Literal["header", "query", "cookie"]


class PlacedToken(NamedTuple):
    """A token in its canonical form, and where it is in the request."""

    text: str
    place: Place


def presented_token(request: Request) -> PlacedToken | None:
    """The token in the header fields or the query of a request; None without one. Raises a 400
    problem for two different ones."""
    found: dict[str, Place] = {}
    for place, text in _texts(request):
        token = canonical(text)
        if token:
            found.setdefault(token, place)
    if len(found) > 1:
        raise problems.several_tokens()
    return PlacedToken(*found.popitem()) if found else None


def cookie_token(request: Request, names: Iterable[str]) -> PlacedToken | None:
    """The token in the first of the cookies ``names``; None without one. Operators sign in with
    cookies, so theirs hold none."""
    header = None if request.by_operator else request.headers.get("cookie")
    if header is None:
        return None
    cookies = cookies_of(header)
    token = next((token for name in names if (token := canonical(cookies.get(name, "")))), None)
    return None if token is None else PlacedToken(token, "cookie")


def canonical(text: str) -> str:
    """A token as its issuer has written it, whatever was done to it in a query: percent-encoding,
    ``+`` and ``/`` instead of ``-`` and ``_``, padding."""
    for _ in range(_DECODED):
        if "%" not in text:
            break
        text = unquote(text)
    return text.strip(" \t").translate(_TO_URL)


def _texts(request: Request) -> Iterator[tuple[Place, str]]:
    """The texts in all places, in their order."""
    headers = request.headers
    credentials = None if request.by_operator else headers.get("authorization")
    if credentials is not None:
        for each in credentials.split(","):
            scheme, _, token = each.strip(" \t").partition(" ")
            if scheme.lower() == _BEARER:
                yield "header", token
    listed = headers.get(_HEADER)
    if listed is not None:
        for each in listed.split(","):
            yield "header", each
    by_name = request.parameters.by_name
    for name in QUERY_NAMES:
        if name in by_name:
            for value in _values(request.query, name):
                yield "query", value


def _values(query: bytes, wanted: str) -> Iterator[str]:
    """Every value of a parameter, percent-encoded. Of other repeated ones the last counts."""
    for pair in query.decode("utf-8", "replace").split("&"):
        name, _, value = pair.partition("=")
        if unquote(name) == wanted:
            yield value
