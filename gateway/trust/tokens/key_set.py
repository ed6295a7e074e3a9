"""Which keys may verify a token, and what is in a JSON Web Key Set?"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast, get_args

from gateway.trust.tokens.algorithm import Algorithm, is_mac
from gateway.trust.tokens.key import KeyUse, SubjectIs, TokenKey, jwk_key
from gateway.trust.tokens.refusal import RefusalCode, TokenError
from gateway.untrusted import json_of

MAX_SET_BYTES: Final = 131_072
MAX_SET_KEYS: Final = 100
"""Of a set; more are an error."""
MAX_TRIED: Final = 8
"""The most keys that a token without a ``kid`` is tried with."""
MAX_KID_CHARS: Final = 128

_BY_CURVE: Final[Mapping[Any, Algorithm]] = {
    "P-256": "ES256",
    "P-384": "ES384",
    "P-521": "ES512",
    "Ed25519": "EdDSA",
}


class TokenKeys:
    """The keys in use. Immutable."""

    def __init__(self, keys: Iterable[TokenKey] = ()) -> None:
        self.keys: tuple[TokenKey, ...] = tuple(dict.fromkeys(keys))
        self._by_id: dict[str, list[TokenKey]] = {}
        for key in self.keys:
            if key.use.id is not None:
                self._by_id.setdefault(key.use.id, []).append(key)
        self.by_tag = {key.tag: key for key in self.keys}
        """The keys by their tags."""

    def __eq__(self, other: object) -> bool:
        """Whether the same keys are in use, in the same order."""
        return isinstance(other, TokenKeys) and self.keys == other.keys

    __hash__ = None  # type: ignore[assignment]

    def renews(self, tag: bytes, now_s: float) -> bool:
        """Whether the key with this tag renews tokens, also those of other keys, at ``now_s``."""
        key = self.by_tag.get(tag)
        return key is not None and key.use.renews and key.use.in_force(now_s)

    def candidates(
        self, kid: str | None, issuer: object, accepts: Sequence[Algorithm], now_s: float
    ) -> list[TokenKey]:
        """The keys that may have signed a token that names the key ``kid`` and ``issuer`` (of any
        type), and whose algorithm is one of ``accepts``; at least one.

        Raises TokenError.
        """
        named = self.keys if kid is None else self._by_id.get(kid, ())
        if not named:
            raise TokenError(RefusalCode.UNKNOWN_KEY, "No key has the id that the token names.")
        of_issuer = [key for key in named if key.use.issuer is None or key.use.issuer == issuer]
        if not of_issuer:
            raise TokenError(RefusalCode.ISSUER, "The issuer of the token is not that of its key.")
        fitting = [key for key in of_issuer if key.use.algorithm in accepts]
        if not fitting:
            text = "The algorithm of the token is not that of its key."
            raise TokenError(RefusalCode.ALGORITHM, text)
        in_force = [key for key in fitting if key.use.in_force(now_s)]
        if not in_force:
            raise TokenError(RefusalCode.KEY_TIME, "The key of the token is not in force now.")
        if len(in_force) > MAX_TRIED:
            text = f"The token names no key, and more than {MAX_TRIED} could have signed it."
            raise TokenError(RefusalCode.UNKNOWN_KEY, text)
        return in_force


@dataclass(frozen=True, slots=True)
class SetUse:
    """For which tokens the keys of a set are. ``rsa_algorithm`` is that of RSA keys which do not
    name theirs."""

    issuer: str | None
    rsa_algorithm: Algorithm = "RS256"
    subject_is: SubjectIs = "viewer"


def keys_of_set(data: bytes, use: SetUse) -> tuple[tuple[TokenKey, ...], tuple[str, ...]]:
    """The keys of a JSON Web Key Set (RFC 7517, 5), and why others of it are not used, each in a
    sentence that starts with the key's position.

    Raises ValueError, which says why, when ``data`` is no set.
    """
    match json_of(data, MAX_SET_BYTES):
        case {"keys": list(listed)}:
            pass
        case _:
            raise ValueError("is no JSON Web Key Set")
    if len(listed) > MAX_SET_KEYS:
        raise ValueError(f"has {len(listed)} keys, more than {MAX_SET_KEYS}")
    found, skipped = [], []
    for position, each in enumerate(listed):
        try:
            found.append(_key_of(each, use))
        except ValueError as error:
            skipped.append(f"key {position} {error}")
    return tuple(found), tuple(skipped)


def _key_of(jwk: object, use: SetUse) -> TokenKey:
    if not isinstance(jwk, dict):
        raise ValueError("is no object")  # noqa: TRY004  # of the set, not of the caller
    operations = jwk.get("key_ops")
    if jwk.get("use", "sig") != "sig" or (
        isinstance(operations, list) and "verify" not in operations
    ):
        raise ValueError("is not for signatures")
    kid = jwk.get("kid")
    if kid is not None and not (isinstance(kid, str) and 0 < len(kid) <= MAX_KID_CHARS):
        raise ValueError(f"has no kid of 1 to {MAX_KID_CHARS} characters")
    algorithm = _algorithm_of(jwk, use)
    return jwk_key(KeyUse(kid, algorithm, use.issuer, use.subject_is, of_set=True), jwk)


def _algorithm_of(jwk: Mapping[str, Any], use: SetUse) -> Algorithm:
    default = use.rsa_algorithm if jwk.get("kty") == "RSA" else _by_curve(jwk.get("crv"))
    named = jwk.get("alg", default)
    algorithm = "EdDSA" if named == "Ed25519" else named
    if algorithm not in get_args(Algorithm) or is_mac(cast("Algorithm", algorithm)):
        raise ValueError("has an algorithm that is not supported")
    return cast("Algorithm", algorithm)


def _by_curve(curve: object) -> Algorithm | None:
    return _BY_CURVE.get(curve) if isinstance(curve, str) else None
