"""What do the claims of a Common Access Token mean (CTA-5007)?

A recipient that does not support a claim of a CAT refuses the token: whoever issued it relies on
the claim. Renewal (``catr``) restricts nothing: who cannot renew a token may ignore it.
"""

import re
from collections.abc import Callable, Mapping
from ipaddress import IPv4Network, IPv6Network
from types import MappingProxyType
from typing import Any, Final

from gateway.trust.tokens.matching import HeaderRules, UriRules, header_rules, uri_rules
from gateway.trust.tokens.refusal import RefusalCode, TokenError
from gateway.trust.tokens.verified import Network, Renewal, RenewalKind

LABELS: Final[Mapping[int, str]] = MappingProxyType(
    {
        1: "iss",
        2: "sub",
        3: "aud",
        4: "exp",
        5: "nbf",
        6: "iat",
        7: "cti",
        8: "cnf",
        282: "geohash",
        308: "catreplay",
        309: "catpor",
        310: "catv",
        311: "catnip",
        312: "catu",
        313: "catm",
        314: "catalpn",
        315: "cath",
        316: "catgeoiso3166",
        317: "catgeocoord",
        318: "catgeoalt",
        319: "cattpk",
        320: "catifdata",
        321: "catdpop",
        322: "catif",
        323: "catr",
        324: "cattprint",
    }
)
"""The claims by their labels (RFC 8392, 4; IANA registry of CWT claims)."""

OWN: Final = frozenset(
    {"asset", "asset_prefix", "session", "devices", "max_resolution", "max_bitrate", "codecs"}
    | {"max_sessions", "refuse_anonymous"}
)
"""Claims of this gateway, whose labels are texts (RFC 8392, 1.1)."""

_PLAIN: Final = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat"})
_FAMILIES: Final[Mapping[Any, tuple[int, type[IPv4Network] | type[IPv6Network]]]] = {
    52: (4, IPv4Network),
    54: (16, IPv6Network),
}
"""The bytes of an address by its tag (RFC 9164)."""
_KINDS: Final[tuple[RenewalKind, ...]] = ("automatic", "cookie", "header", "redirect")
_COOKIE_NAME, _HEADER_NAME, _COOKIE_PARAMS, _HEADER_PARAMS = 3, 4, 5, 6
"""Of ``catr``, behind the kind, the lifetime and the deadline. 7 is the status of a redirect."""
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
"""A token (RFC 9110, 5.6.2), as the names of cookies and header fields are."""
_PARAMETER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}(?:=[ -:<-~]{0,256})?")
"""An attribute of a cookie (RFC 6265, 4.1.1), or a parameter of a header field."""
_MAX_PARAMETERS: Final = 16
_MAX_ASN: Final = 2**32 - 1


def named_claims(payload: Mapping[Any, Any]) -> dict[str, Any]:
    """The claims under the names that JWTs use. Raises TokenError."""
    named: dict[str, Any] = {}
    for label, value in payload.items():
        name = LABELS.get(label) if type(label) is int else label if label in OWN else None
        if name is None:
            which = f"with the label {label}" if type(label) is int else "with another label"
            raise unsupported(f"a claim {which}")
        if name in _PLAIN or name in OWN:
            named[name] = value
        elif name in _READ:
            named.update(_READ[name](value))
        else:
            raise unsupported(f"the claim {name}")
    return named


def unsupported(what: str) -> TokenError:
    """The error for a claim that is not supported and may not be ignored."""
    return TokenError(RefusalCode.UNSUPPORTED, f"The token has {what}, which is not supported.")


def _bad(claim: str, why: str) -> TokenError:
    return TokenError(RefusalCode.CLAIM, f"The claim {claim} {why}.")


def _cti(value: object) -> dict[str, Any]:
    if not isinstance(value, bytes):
        raise _bad("cti", "is no byte string")
    return {"jti": value.hex()}


def _catv(value: object) -> dict[str, Any]:
    if type(value) is not int or value != 1:
        raise unsupported("a version (catv) other than 1")
    return {}


def _catreplay(value: object) -> dict[str, Any]:
    if type(value) is not int or value != 0:
        raise unsupported("the claim catreplay with a value other than 0")
    return {}


def _catm(value: object) -> dict[str, frozenset[str]]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise _bad("catm", "is no list of methods")
    return {"methods": frozenset(value)}


def _catgeoiso3166(value: object) -> dict[str, Any]:
    if isinstance(value, list) and any(isinstance(each, str) and "-" in each for each in value):
        raise unsupported("subdivisions of countries in the claim catgeoiso3166")
    return {"countries": value}


def _catnip(value: object) -> dict[str, Any]:
    """AS numbers, and addresses and prefixes with the tags of RFC 9164."""
    if not isinstance(value, list) or not value:
        raise _bad("catnip", "is no list of networks")
    numbers = {each for each in value if type(each) is int}
    if not all(0 < number <= _MAX_ASN for number in numbers):
        raise _bad("catnip", "has a number that is no AS number")
    networks = [_network(each) for each in value if type(each) is not int]
    if None in networks:
        raise _bad("catnip", "has something that is no network")
    return {"networks": tuple(networks), "asn": frozenset(numbers)}


def _network(tagged: Any) -> Network | None:  # noqa: ANN401
    """An address, or a prefix as ``[length, bytes]`` (RFC 9164, 3.1); None for anything else."""
    tag, value = getattr(tagged, "tag", None), getattr(tagged, "value", None)
    if tag not in _FAMILIES:
        return None
    size, kind = _FAMILIES[tag]
    match value:
        case bytes(address) if len(address) == size:
            return kind(address)
        case [int(length), bytes(address)] if len(address) <= size and 0 <= length <= size * 8:
            return kind((address.ljust(size, b"\0"), length), strict=False)
        case _:
            return None


def _catu(value: object) -> dict[str, UriRules]:
    return {"uri": uri_rules(value)}


def _cath(value: object) -> dict[str, HeaderRules]:
    return {"headers": header_rules(value)}


def _catr(value: object) -> dict[str, Renewal]:
    """What is written into an answer later is checked here: names and parameters."""
    given = value if isinstance(value, dict) else {}
    kind, lifetime_s, deadline_s = given.get(0), given.get(1), given.get(2)
    if type(kind) is not int or not 0 <= kind < len(_KINDS):
        raise _bad("catr", "has no kind of renewal")
    if type(lifetime_s) is not int or lifetime_s <= 0:
        raise _bad("catr", "has no lifetime")
    if deadline_s is not None and (type(deadline_s) is not int or deadline_s < 0):
        raise _bad("catr", "has a deadline that is no number of seconds")
    renewal = Renewal(
        _KINDS[kind],
        lifetime_s,
        deadline_s,
        _name(given.get(_COOKIE_NAME)),
        _name(given.get(_HEADER_NAME)),
        _parameters(given.get(_COOKIE_PARAMS)),
        _parameters(given.get(_HEADER_PARAMS)),
    )
    return {"renewal": renewal}


def _name(value: object) -> str | None:
    if value is None or (isinstance(value, str) and _NAME.fullmatch(value)):
        return value
    raise _bad("catr", "has a name that is none of a cookie or header field")


def _parameters(value: object) -> tuple[str, ...]:
    """What follows a token in a cookie or header field: a text, or a list of texts, with ``;``
    between them."""
    texts = [value] if isinstance(value, str) else value or []
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise _bad("catr", "has parameters that are no texts")
    found = tuple(part for text in texts for each in text.split(";") if (part := each.strip(" ")))
    if len(found) > _MAX_PARAMETERS or not all(map(_PARAMETER.fullmatch, found)):
        raise _bad("catr", "has a parameter that is none of a cookie or header field")
    return found


_READ: Final[Mapping[str, Callable[[Any], dict[str, Any]]]] = {
    "cti": _cti,
    "catv": _catv,
    "catreplay": _catreplay,
    "catm": _catm,
    "catgeoiso3166": _catgeoiso3166,
    "catnip": _catnip,
    "catu": _catu,
    "cath": _cath,
    "catr": _catr,
}
