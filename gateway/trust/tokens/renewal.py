"""When may a token be renewed, and what is the renewed token (CTA-5007: ``catr``)?

A renewed token is the old one with a later end: it keeps ``cti`` and ``iat``. So what revokes the
old one revokes it as well, and its lifetime is counted from when the first one was made, however
often it is renewed. It names the key and the issuer of the first one, and opens what that one did.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from gateway.trust.tokens.algorithm import COSE_NUMBERS
from gateway.trust.tokens.base64url import encoded
from gateway.trust.tokens.cat import ORIGIN, claims_of
from gateway.trust.tokens.key import TokenKey, public_half
from gateway.trust.tokens.unverified import Origin
from gateway.trust.tokens.verified import VerifiedToken

if TYPE_CHECKING:
    from cwt.cose_key_interface import COSEKeyInterface

WINDOW_S: Final = 60
"""How long before its end a token may be renewed that does not say it, as other implementations
do."""
_ISS, _EXP, _IAT = 1, 4, 6
_ALG, _KID = 1, 4
_CWT: Final = 61
_MOST_S: Final = 0xFFFF_FFFF


class RenewalTerms(NamedTuple):
    """How far the end of a token may be moved, whoever carries it. Times are in seconds.

    It may be moved to ``lifetime_s`` from now, in the last ``window_s`` before it. ``since_s`` is
    the Unix time from which the longest lifetime counts: ``iat``, or the first end without it. One
    in the future counts as now.
    """

    lifetime_s: int
    window_s: int
    since_s: int

    def later_end(self, expires_s: float, now_s: float, most_s: int) -> int | None:
        """The new end (Unix time) of what ends at ``expires_s``; None when it cannot be renewed at
        ``now_s``. At most ``most_s`` after ``since_s``."""
        if now_s < expires_s - self.window_s:
            return None
        now = int(now_s)
        end_s = min(now + self.lifetime_s, min(self.since_s, now) + most_s)
        return end_s if end_s > expires_s else None


def terms_of(token: VerifiedToken) -> RenewalTerms | None:
    """How a token may be renewed; None for one that may not. A token without ``cti`` could not be
    revoked by it, so its lifetime is not extended."""
    renewal, expires_s = token.renewal, token.expires_s
    if renewal is None or expires_s is None or token.token_id is None:
        return None
    window_s = WINDOW_S if renewal.deadline_s is None else renewal.deadline_s
    since_s = expires_s if token.issued_s is None else token.issued_s
    return RenewalTerms(
        min(renewal.expires_add_s, _MOST_S), min(window_s, _MOST_S), min(int(since_s), _MOST_S)
    )


@dataclass(frozen=True, slots=True)
class RenewalKey:
    """The key that signs renewed tokens, and ``verifies``, which verifies them. If that has an
    issuer, it becomes their ``iss``."""

    verifies: TokenKey
    _cose: "COSEKeyInterface" = field(repr=False, compare=False)

    def renewed(self, text: str, token: VerifiedToken, end_s: int, now_s: float) -> str:
        """The token ``text``, verified as ``token``, with the end ``end_s`` (Unix time), signed
        with this key. Raises TokenError for what is no CAT."""
        from cbor2 import CBORTag, dumps, loads  # noqa: PLC0415
        from cwt import COSE  # noqa: PLC0415

        use = self.verifies.use
        claims, has_cwt_tag = claims_of(text)
        claims[_EXP] = end_s
        claims.setdefault(_IAT, int(now_s))
        claims[_ISS] = token.issuer if use.issuer is None else use.issuer
        if claims[_ISS] is None:
            del claims[_ISS]
        protected: dict[int, Any] = {_ALG: COSE_NUMBERS[use.algorithm]}
        if token.key_tag != self.verifies.tag:
            protected[ORIGIN] = [*Origin(token.key_tag, token.issuer)]
        message = COSE.new().encode(
            dumps(claims),
            self._cose,
            protected=protected,
            unprotected={_KID: self.verifies.name.encode("ascii")},
        )
        if has_cwt_tag:
            message = dumps(CBORTag(_CWT, loads(message)))
        return encoded(message)


class RenewalRules(NamedTuple):
    """``most_s`` is the longest lifetime of a token with all its renewals, in seconds."""

    key: RenewalKey
    most_s: int

    def later_end(self, terms: RenewalTerms, expires_s: float, now_s: float) -> int | None:
        """The new end (Unix time) of what ends at ``expires_s``; None when it cannot be renewed at
        ``now_s``. Nothing is renewed while the key is not in force, nor beyond that time: a token
        that nobody accepts would take the place of a good one."""
        use = self.key.verifies.use
        end_s = terms.later_end(expires_s, now_s, self.most_s) if use.in_force(now_s) else None
        if end_s is not None and use.not_after_s is not None:
            end_s = min(end_s, int(use.not_after_s))
        return end_s if end_s is not None and end_s > expires_s else None


def secret_renewal_key(key: TokenKey) -> RenewalKey:
    """The key that signs what ``key``, a secret, verifies."""
    return RenewalKey(key, key.cose)


def private_renewal_key(key: TokenKey, private: str) -> RenewalKey:
    """The key that signs what the public key ``key`` verifies, from its private key in PEM. Raises
    ValueError, which says why without any of the text, when they are no pair."""
    from cwt import COSEKey  # noqa: PLC0415

    if public_half(key.use, private).fingerprint != key.fingerprint:
        raise ValueError("is not the private key of this key")
    cose = COSEKey.from_pem(private, alg=key.use.algorithm, kid=key.name)
    return RenewalKey(key, cose)
