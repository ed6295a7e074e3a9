"""Keys that sign tokens, and tokens that they sign."""

import hmac
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from cbor2 import CBORTag, dumps
from joserfc.jwk import ECKey, OctKey, OKPKey
from joserfc.jws import JWSRegistry

from gateway.trust.tokens.algorithm import COSE_NUMBERS, Algorithm
from gateway.trust.tokens.base64url import encoded
from gateway.trust.tokens.key import KeyUse, TokenKey, public_key, secret_key
from gateway.trust.tokens.key_set import TokenKeys
from gateway.trust.tokens.refusal import RefusalCode
from gateway.trust.tokens.rules import TokenRules
from gateway.trust.tokens.verified import VerifiedToken
from gateway.trust.tokens.verifier import Verifier

NOW_S = 1_800_000_000.0
SECRET = b"0123456789abcdef0123456789abcdef"
CLAIMS = {"exp": NOW_S + 600}


@cache
def private(algorithm: Algorithm) -> Any:
    """The private key for an algorithm, always the same in one process."""
    match algorithm:
        case "EdDSA":
            return OKPKey.generate_key("Ed25519")
        case "ES256":
            return ECKey.generate_key("P-256")
        case _:
            return OctKey.import_key(SECRET)


def token_key(algorithm: Algorithm = "HS256", kid: str | None = "k", **use: Any) -> TokenKey:
    """The key that verifies what :func:`private` signs."""
    named = KeyUse(kid, algorithm, **use)
    if algorithm.startswith("HS"):
        return secret_key(named, SECRET)
    return public_key(named, private(algorithm).as_pem(private=False).decode())


def verifier(*keys: TokenKey, **rules: Any) -> Verifier:
    """A verifier with ``keys``, by default that of HS256."""
    return Verifier(TokenKeys(keys or (token_key(),)), TokenRules(**rules))


def jwt(
    claims: Mapping[str, Any] | bytes = CLAIMS,
    algorithm: Algorithm = "HS256",
    secret: bytes | None = None,
    **header: Any,
) -> str:
    """A JWT. ``header`` replaces its members; None removes one.
    ``secret`` signs instead, with HMAC SHA-256."""
    named = {"alg": algorithm, "typ": "JWT", "kid": "k"} | header
    kept = {name: value for name, value in named.items() if value is not None}
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    signed = f"{encoded(json.dumps(kept).encode())}.{encoded(payload)}"
    if secret is not None:
        return f"{signed}.{encoded(hmac.digest(secret, signed.encode(), 'sha256'))}"
    return f"{signed}.{encoded(signature(algorithm, signed.encode()))}"


def cat(
    claims: Mapping[Any, Any] | bytes | None = None,
    algorithm: Algorithm = "HS256",
    *,
    kid: Any = b"k",
    tagged: bool = True,
    protected: Mapping[int, Any] | None = None,
    unprotected: Mapping[int, Any] | None = None,
) -> str:
    """A CAT, with the claim exp unless ``claims`` has it."""
    payload = (
        claims if isinstance(claims, bytes) else dumps({4: int(NOW_S) + 600} | dict(claims or {}))
    )
    is_mac = algorithm.startswith("HS")
    header = dumps({1: COSE_NUMBERS[algorithm]} | dict(protected or {}))
    signed = dumps(["MAC0" if is_mac else "Signature1", header, b"", payload])
    open_header = ({} if kid is None else {4: kid}) | dict(unprotected or {})
    parts = [header, open_header, payload, signature(algorithm, signed)]
    message = CBORTag(17 if is_mac else 18, parts)
    return encoded(dumps(CBORTag(61, message) if tagged else parts))


def signature(algorithm: Algorithm, signed: bytes) -> bytes:
    """The signature or mac of :func:`private`; JWS and COSE have the same."""
    made = JWSRegistry.algorithms["Ed25519" if algorithm == "EdDSA" else algorithm]
    return made.sign(signed, private(algorithm))


def granted(found: object) -> VerifiedToken:
    """The grant, when it is one."""
    assert isinstance(found, VerifiedToken), found
    return found


def refused(found: object) -> RefusalCode:
    """The code of the refusal, when it is one."""
    assert not isinstance(found, VerifiedToken)
    code: RefusalCode = found.code  # type: ignore[attr-defined]
    return code
