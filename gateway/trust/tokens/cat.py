"""Takes a Common Access Token apart: a CWT in COSE_Mac0 or COSE_Sign1 (CTA-5007; RFC 8392; RFC
9052, 4.2 and 6.2), in base64url.

The tags of CWT (61) and of COSE (17, 18) may be left out, as issuers do; without the tag of COSE,
the algorithm says which of both it is.
"""

from collections.abc import Mapping
from typing import Any, Final

from gateway.trust.tokens.algorithm import COSE_NUMBERS, Algorithm, is_mac
from gateway.trust.tokens.base64url import decoded
from gateway.trust.tokens.cat_claims import named_claims
from gateway.trust.tokens.cbor import cbor_of
from gateway.trust.tokens.key import TokenKey
from gateway.trust.tokens.key_set import MAX_KID_CHARS
from gateway.trust.tokens.refusal import RefusalCode, TokenError, malformed
from gateway.trust.tokens.unverified import Origin, UnverifiedToken

_CWT, _MAC0, _SIGN1 = 61, 17, 18
_COSE_TAGS: Final = frozenset({_CWT, _MAC0, _SIGN1})
_ADDRESS_TAGS: Final = frozenset({52, 54})
"""Of IPv4 and IPv6 (RFC 9164)."""

_ALG, _KID = 1, 4
ORIGIN: Final = -65_601
"""The parameter with the :class:`Origin` of a renewed token. Its label is for private use, and who
does not know it ignores it (RFC 9052, 3.1); an unknown claim would refuse the token."""
_PROTECTED: Final = frozenset({_ALG, 3, _KID, 16, ORIGIN})
"""alg, content type, kid, typ and that one: any other could bring a key, or must be understood
(crit)."""

_BY_NUMBER: Final[Mapping[Any, Algorithm]] = {
    number: algorithm for algorithm, number in COSE_NUMBERS.items()
}


def read_cat(text: str) -> UnverifiedToken:
    """The parts of ``text``. Raises TokenError."""
    kind, parts, _ = _message(text)
    protected, unprotected, payload, _ = parts
    header = _map(protected, "protected header") if protected else {}
    algorithm = _algorithm(header)
    implied = _MAC0 if is_mac(algorithm) else _SIGN1
    if kind not in {None, implied}:
        raise TokenError(RefusalCode.ALGORITHM, "The algorithm is not one of this kind of message.")
    kid = _kid(header, unprotected)
    claims = named_claims(_map(payload, "payload"))
    return UnverifiedToken(
        "cat",
        kid,
        (algorithm,),
        claims,
        lambda key: _verified(implied, parts, key),
        _origin(header),
    )


def claims_of(text: str) -> tuple[dict[Any, Any], bool]:
    """The claims of a CAT by their labels, and whether it has the tag of CWT. Raises TokenError."""
    _, parts, has_cwt_tag = _message(text)
    return _map(parts[2], "payload"), has_cwt_tag


def _message(text: str) -> tuple[int | None, list[Any], bool]:
    """The tag of the COSE message, None without one, its four parts, and whether it has the tag of
    CWT."""
    from cbor2 import CBORTag  # noqa: PLC0415

    data = decoded(text)
    if data is None:
        raise malformed("The token is neither a JWT nor base64url without padding.")
    try:
        value = cbor_of(data, _COSE_TAGS)
    except ValueError as error:
        raise malformed(f"The token is no CBOR that is accepted: it {error}.") from None
    has_cwt_tag = isinstance(value, CBORTag) and value.tag == _CWT
    if has_cwt_tag:
        value = value.value
    kind = None
    if isinstance(value, CBORTag):
        kind, value = value.tag, value.value
    match value:
        case [bytes(), dict(), bytes(), bytes()]:
            return kind, value, has_cwt_tag
        case _:
            raise malformed("The token is no COSE_Mac0 or COSE_Sign1 message.")


def _map(data: bytes, part: str) -> dict[Any, Any]:
    try:
        value = cbor_of(data, _ADDRESS_TAGS)
    except ValueError as error:
        raise malformed(
            f"The {part} of the token is no CBOR that is accepted: it {error}."
        ) from None
    if not isinstance(value, dict):
        raise malformed(f"The {part} of the token is no map.")
    return value


def _algorithm(header: Mapping[Any, Any]) -> Algorithm:
    if not header.keys() <= _PROTECTED:
        text = "The protected header has a parameter that is not accepted."
        raise TokenError(RefusalCode.HEADER, text)
    number = header.get(_ALG)
    algorithm = _BY_NUMBER.get(number) if type(number) is int else None
    if algorithm is None:
        text = "The protected header of the token names no algorithm that is accepted."
        raise TokenError(RefusalCode.ALGORITHM, text)
    return algorithm


def _kid(protected: Mapping[Any, Any], unprotected: Mapping[Any, Any]) -> str | None:
    if not unprotected.keys() <= {_KID} or (_KID in unprotected and _KID in protected):
        text = "The unprotected header has a parameter that is not accepted."
        raise TokenError(RefusalCode.HEADER, text)
    kid = (unprotected or protected).get(_KID)
    if kid is None:
        return None
    if isinstance(kid, bytes) and 0 < len(kid) <= MAX_KID_CHARS and kid.isascii():
        return kid.decode("ascii")
    raise TokenError(RefusalCode.HEADER, "The kid of the token is no id of a key.")


def _origin(protected: Mapping[Any, Any]) -> Origin | None:
    match protected.get(ORIGIN):
        case None:
            return None
        case [bytes(tag), (None | str()) as issuer]:
            return Origin(tag, issuer)
        case _:
            text = "The protected header does not say of which token a renewed one is."
            raise TokenError(RefusalCode.HEADER, text)


def _verified(kind: int, parts: list[Any], key: TokenKey) -> bool:
    from cbor2 import CBORTag  # noqa: PLC0415
    from cwt import COSE, CWTError  # noqa: PLC0415

    try:
        COSE.new().decode(CBORTag(kind, parts), [key.cose])
    except (CWTError, ValueError):
        return False
    return True
