"""Is a text a valid playback token, and what does it allow?

What was verified once is remembered by the digest of the text; whether it is valid *now* is checked
each time. Texts that are refused are remembered for a short time, in a cache of their own: garbage
evicts no good token.
"""

from collections.abc import Callable
from hashlib import blake2b
from typing import Final, NamedTuple

from gateway.cache import REFUSED_TOKENS, TOKENS, Cache
from gateway.trust.tokens.cat import read_cat
from gateway.trust.tokens.cat_claims import unsupported
from gateway.trust.tokens.claims import verified_token
from gateway.trust.tokens.jwt import read_jwt
from gateway.trust.tokens.key import TokenKey
from gateway.trust.tokens.key_set import TokenKeys
from gateway.trust.tokens.refusal import RefusalCode, Refused, TokenError, malformed
from gateway.trust.tokens.rules import TokenRules
from gateway.trust.tokens.unverified import Origin
from gateway.trust.tokens.verified import VerifiedToken

REFUSED_S: Final = 30.0
"""How long a refusal is remembered. A key may come that verifies the text; then there is a new
verifier."""


class _Verified(NamedTuple):
    """``keys``: the one that verified the token, and the one that made it."""

    token: VerifiedToken
    keys: tuple[TokenKey, TokenKey]


class _Remembered(NamedTuple):
    refused: Refused
    at_s: float


class Verifier:
    """Verifies tokens with ``keys``. When keys or rules change, a new one takes its place, and
    nothing is remembered."""

    def __init__(
        self,
        keys: TokenKeys,
        rules: TokenRules,
        unknown_key: Callable[[], None] = lambda: None,
    ) -> None:
        """``unknown_key``, which must not block, is called for a token that names a key which is
        not there: it may be new."""
        self.keys = keys
        self.rules = rules
        self.unknown_key = unknown_key
        self.sets_read_s: float | None = None
        """When the set was read that was not read for longest (Unix seconds): a key that was known
        before, and is in no set now, was removed. None while there is a set that was never read."""
        self._verified: Cache[bytes, _Verified] = Cache(TOKENS)
        self._refused: Cache[bytes, _Remembered] = Cache(REFUSED_TOKENS)

    def verify(
        self, text: str, now_s: float, *, checks_request: bool = False
    ) -> VerifiedToken | Refused:
        """What the token ``text`` allows at ``now_s`` (Unix seconds), or why it is refused.

        ``checks_request``: the caller checks the request with :meth:`VerifiedToken.allows_request`.
        Otherwise, a token with a claim about the URI or the header fields is refused.
        """
        if len(text) > self.rules.max_chars:
            why = f"The token is longer than {self.rules.max_chars} characters."
            return Refused(RefusalCode.TOO_LONG, why)
        digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=32).digest()
        known = self._verified.get(digest)
        if known is None:
            remembered = self._refused.get(digest)
            if remembered is not None and 0 <= now_s - remembered.at_s < REFUSED_S:
                return remembered.refused
        try:
            if known is None:
                known = self._checked(text, digest, now_s)
                self._verified.put(digest, known)
            self._check_times(known, now_s)
            if not checks_request and (known.token.uri or known.token.headers):
                raise unsupported("a claim about the request (catu, cath)")
        except TokenError as error:
            if known is None:
                self._refused.put(digest, _Remembered(error.refused, now_s))
                if error.refused.code is RefusalCode.UNKNOWN_KEY:
                    self.unknown_key()
            return error.refused
        return known.token

    def _checked(self, text: str, digest: bytes, now_s: float) -> _Verified:
        """All checks that do not depend on the time, but for the keys in force."""
        if not text:
            raise malformed("The token is empty.")
        unverified = read_jwt(text) if "." in text else read_cat(text)
        keys = self.keys.candidates(
            unverified.kid, unverified.claims.get("iss"), unverified.accepts, now_s
        )
        key = next((each for each in keys if unverified.verified_by(each)), None)
        if key is None:
            raise TokenError(RefusalCode.SIGNATURE, "The signature of the token is not valid.")
        maker = self._maker(unverified.origin, key)
        token = verified_token(unverified, key, maker, digest)
        if token.audiences and token.audiences.isdisjoint(self.rules.audiences):
            raise TokenError(RefusalCode.AUDIENCE, "The token is for another audience.")
        if token.expires_s is None and self.rules.require_expiry:
            raise TokenError(RefusalCode.CLAIM, "The token has no end (exp).")
        return _Verified(token, (key, maker))

    def _maker(self, origin: Origin | None, key: TokenKey) -> TokenKey:
        """The key that made a token which ``key`` verified: of a renewed one, that of the first."""
        if origin is None:
            return key
        if not key.use.renews:
            text = "The key of the token does not renew tokens of other keys."
            raise TokenError(RefusalCode.HEADER, text)
        maker = self.keys.by_tag.get(origin.key_tag)
        if maker is None:
            text = "No key is that of the token which was renewed."
            raise TokenError(RefusalCode.UNKNOWN_KEY, text)
        return maker

    def _check_times(self, verified: _Verified, now_s: float) -> None:
        token, leeway_s = verified.token, self.rules.leeway_s
        if not all(key.use.in_force(now_s) for key in verified.keys):
            raise TokenError(RefusalCode.KEY_TIME, "The key of the token is not in force now.")
        if token.expires_s is not None and now_s >= token.expires_s + leeway_s:
            raise TokenError(RefusalCode.EXPIRED, "The token has expired.")
        for starts_s in (token.starts_s, token.issued_s):
            if starts_s is not None and now_s < starts_s - leeway_s:
                raise TokenError(RefusalCode.NOT_YET, "The token is not valid yet.")
        most_s = self.rules.max_lifetime_s
        if most_s is not None and token.expires_s is not None:
            begins_s = now_s + leeway_s if token.issued_s is None else token.issued_s
            if token.expires_s - begins_s > most_s:
                why = f"The token is valid for longer than {most_s:.0f} s."
                raise TokenError(RefusalCode.LIFETIME, why)
