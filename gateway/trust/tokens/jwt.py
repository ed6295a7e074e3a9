"""Takes a JSON Web Token apart: a JWS in compact serialization (RFC 7519; RFC 7515, 7.1)."""

from collections.abc import Mapping
from typing import Any, Final, get_args

from gateway.trust.tokens.algorithm import Algorithm, jose_names
from gateway.trust.tokens.base64url import decoded
from gateway.trust.tokens.key_set import MAX_KID_CHARS
from gateway.trust.tokens.refusal import RefusalCode, TokenError, malformed
from gateway.trust.tokens.unverified import UnverifiedToken
from gateway.untrusted import json_of

_PARTS: Final = 3
_REFUSED_HEADERS: Final = ("crit", "b64", "jwk", "jku", "x5u", "x5c", "enc", "zip", "cty")
"""Header parameters that bring a key, name where one is, or change how the token is read."""

_ACCEPTS: Final[Mapping[str, tuple[Algorithm, ...]]] = {
    name: (algorithm,) for algorithm in get_args(Algorithm) for name in jose_names(algorithm)
}


def read_jwt(text: str) -> UnverifiedToken:
    """The parts of ``text``. Raises TokenError."""
    parts = text.split(".")
    if len(parts) != _PARTS:
        raise malformed("The token does not have the three parts of a signed JWT.")
    header, payload, signature = (decoded(part) for part in parts)
    if header is None or payload is None or signature is None:
        raise malformed("A part of the token is not base64url without padding.")
    named = _object(header, "header")
    for name in _REFUSED_HEADERS:
        if name in named:
            raise TokenError(RefusalCode.HEADER, f"The header parameter {name} is not accepted.")
    algorithm = named.get("alg")
    if not isinstance(algorithm, str) or algorithm not in _ACCEPTS:
        text = "The header of the token names no algorithm that is accepted."
        raise TokenError(RefusalCode.ALGORITHM, text)
    signed = f"{parts[0]}.{parts[1]}".encode("ascii")
    return UnverifiedToken(
        "jwt",
        _kid(named),
        _ACCEPTS[algorithm],
        _object(payload, "payload"),
        lambda key: key.verifies(signed, signature),
    )


def _object(data: bytes, part: str) -> dict[str, Any]:
    try:
        value = json_of(data, len(data))
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise malformed(f"The {part} of the token is no JSON object.")
    return value


def _kid(header: Mapping[str, Any]) -> str | None:
    kid = header.get("kid")
    if kid is None or (isinstance(kid, str) and 0 < len(kid) <= MAX_KID_CHARS):
        return kid
    raise TokenError(RefusalCode.HEADER, "The kid of the token is no id of a key.")
