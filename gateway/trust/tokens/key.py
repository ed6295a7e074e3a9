"""A key that verifies tokens: for which tokens, and with which algorithm.

``joserfc`` and ``cwt`` are imported with the first key, which takes some 0.4 s: a gateway without
keys for tokens does without them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b, sha256
from typing import Any, Final, Literal

from gateway.trust.tokens.algorithm import (
    CURVES,
    MIN_RSA_BITS,
    MIN_SECRET_BYTES,
    Algorithm,
    is_mac,
    jose_names,
)

SubjectIs = Literal["viewer", "asset"]
TAG_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class KeyUse:
    """For which tokens a key is.

    ``id`` is the ``kid`` of its tokens; None for a key of a set that has no id. ``issuer`` None is
    any. ``subject_is`` is what ``sub`` names. The key is in force from ``not_before_s`` to
    ``not_after_s`` (Unix seconds); None is no bound. ``of_set``: it is of a set (JWKS), not of the
    config. ``renews``: it signs renewed tokens, also those of other keys.
    """

    id: str | None
    algorithm: Algorithm
    issuer: str | None = None
    subject_is: SubjectIs = "viewer"
    not_before_s: float | None = None
    not_after_s: float | None = None
    of_set: bool = False
    renews: bool = False

    def in_force(self, now_s: float) -> bool:
        """Whether the key verifies anything at ``now_s``."""
        too_early = self.not_before_s is not None and now_s < self.not_before_s
        return not too_early and (self.not_after_s is None or now_s < self.not_after_s)


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A key. Two keys are equal when their use and their ``fingerprint`` are."""

    use: KeyUse
    fingerprint: bytes = field(repr=False)
    _jose: Any = field(repr=False, compare=False)
    _jose_algorithm: Any = field(repr=False, compare=False)
    cose: Any = field(repr=False, compare=False)
    """The same key for ``cwt``."""

    @property
    def name(self) -> str:
        """The id of the key, or the start of its fingerprint."""
        return self.use.id if self.use.id is not None else self.fingerprint[:6].hex()

    @property
    def tag(self) -> bytes:
        """What stands for the key: 8 bytes. That of another key, or of the same key for other
        tokens, differs; when the key is in force, and whether it renews, does not count."""
        use = self.use
        told = (use.id, use.algorithm, use.issuer, use.subject_is, self.fingerprint.hex())
        return blake2b(repr(told).encode(), digest_size=TAG_BYTES, person=b"token key").digest()

    def verifies(self, signed: bytes, signature: bytes) -> bool:
        """Whether ``signature`` is that of ``signed`` (RFC 7515, 5.2)."""
        return bool(self._jose_algorithm.verify(signed, signature, self._jose))


def secret_key(use: KeyUse, secret: bytes) -> TokenKey:
    """A key that verifies macs. Raises ValueError, which says why, for a secret that is too
    short."""
    if not is_mac(use.algorithm):
        raise ValueError(f"is a secret, and {use.algorithm} needs a public key")
    if len(secret) < MIN_SECRET_BYTES:
        raise ValueError(f"has {len(secret)} bytes; at least {MIN_SECRET_BYTES} are needed")
    from cwt import COSEKey  # noqa: PLC0415
    from joserfc.jwk import OctKey  # noqa: PLC0415

    cose = COSEKey.from_symmetric_key(secret, alg=use.algorithm, kid=_kid(use))
    return _made(use, sha256(b"secret:" + secret).digest(), OctKey.import_key(secret), cose)


def public_key(use: KeyUse, text: str) -> TokenKey:
    """A key that verifies signatures, from PEM or a JSON Web Key (RFC 7517, 4).

    Raises ValueError, which says why without any of the text, when it is no such key.
    """
    if is_mac(use.algorithm):
        raise ValueError(f"is a public key, and {use.algorithm} needs a secret")
    if not text.lstrip().startswith("{"):
        if "PRIVATE KEY" in text:
            raise ValueError("is a private key; the gateway needs the public one alone")
        return _imported(use, text)
    try:
        jwk = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("is neither PEM nor a JSON Web Key") from None
    return jwk_key(use, jwk)


def public_half(use: KeyUse, text: str) -> TokenKey:
    """The public key of a private key in PEM, without a passphrase. Raises ValueError as
    :func:`public_key` does."""
    if "PRIVATE KEY" not in text:
        raise ValueError("is no private key in PEM")
    return _imported(use, text)


_PUBLIC: Final = ("kty", "crv", "n", "e", "x", "y")


def jwk_key(use: KeyUse, jwk: Mapping[str, Any]) -> TokenKey:
    """A public key from the members of a JSON Web Key. Raises ValueError as :func:`public_key`
    does."""
    if "d" in jwk or jwk.get("kty") == "oct":
        raise ValueError("is a private or secret key; the gateway needs the public one alone")
    return _imported(use, {name: jwk[name] for name in _PUBLIC if name in jwk})


def _imported(use: KeyUse, given: str | dict[str, Any]) -> TokenKey:
    from cwt import COSEKey  # noqa: PLC0415
    from joserfc.jwk import ECKey, OKPKey, RSAKey  # noqa: PLC0415

    kinds: dict[str, Any] = {"ES": ECKey, "Ed": OKPKey, "RS": RSAKey, "PS": RSAKey}
    kind = kinds[use.algorithm[:2]]
    try:
        key = kind.import_key(given)
        public: dict[str, Any] = key.as_dict(private=False)
    except Exception:  # noqa: BLE001  # of several libraries, for what anybody may have written
        raise ValueError(f"is no public key for {use.algorithm}") from None
    curve = CURVES.get(use.algorithm)
    if curve is not None and public.get("crv") != curve:
        raise ValueError(f"has another curve than {curve}, that of {use.algorithm}")
    if kind is RSAKey and key.public_key.key_size < MIN_RSA_BITS:
        raise ValueError(f"has {key.public_key.key_size} bits; at least {MIN_RSA_BITS} are needed")
    members: dict[str, Any] = {name: public[name] for name in _PUBLIC if name in public}
    cose = COSEKey.from_jwk({**members, "alg": use.algorithm, "kid": _kid(use).decode()})
    return _made(use, sha256(json.dumps(members, sort_keys=True).encode()).digest(), key, cose)


def _made(use: KeyUse, fingerprint: bytes, jose: Any, cose: Any) -> TokenKey:  # noqa: ANN401
    from joserfc.jws import JWSRegistry  # noqa: PLC0415

    algorithm = JWSRegistry.algorithms[jose_names(use.algorithm)[-1]]
    return TokenKey(use, fingerprint, jose, algorithm, cose)


def _kid(use: KeyUse) -> bytes:
    return (use.id or "").encode()
