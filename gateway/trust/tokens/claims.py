"""What do the claims of a token allow (docs/tokens.md)?

A claim that the gateway knows and cannot read refuses the token. JWT claims that it does not know
are ignored (RFC 7519, 4), except for those that restrict the token by their definition.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any, Final

from gateway.client.facts import DeviceKind, Limits
from gateway.client.limits import HEIGHTS, session_id
from gateway.trust.tokens.cat_claims import LABELS, unsupported
from gateway.trust.tokens.key import TokenKey
from gateway.trust.tokens.refusal import RefusalCode, TokenError
from gateway.trust.tokens.unverified import UnverifiedToken
from gateway.trust.tokens.verified import Network, VerifiedToken
from manifests.codecs import CodecFamily

MAX_CLAIMS: Final = 64
MAX_VALUES: Final = 256
"""Of one claim that is a list."""
MAX_TEXT_CHARS: Final = 1024

_RESTRICTING: Final = frozenset(
    {name for name in LABELS.values() if name.startswith(("cat", "geo", "cnf"))} | {"accessRules"}
)
"""Claims that restrict a token, and that a JWT of this gateway does not have: those of CATs, proof
of possession (RFC 7800), and the rules of Cloudflare Stream."""

_COUNTRY: Final = re.compile(r"[A-Za-z]{2}")
_MAX_PIXELS: Final = 65_535
_MAX_KBPS: Final = 10_000_000
_MAX_ASN: Final = 2**32 - 1
_MAX_SESSIONS: Final = 100_000
_KINDS: Final = {kind.value: kind for kind in DeviceKind}
_FAMILIES: Final = {family.value: family for family in CodecFamily}


def verified_token(
    token: UnverifiedToken, key: TokenKey, maker: TokenKey, digest: bytes
) -> VerifiedToken:
    """What the claims of a token allow that ``key`` verified; ``maker`` made it, or the one that it
    renews. Raises TokenError."""
    read = _Claims(token.claims)
    if len(token.claims) > MAX_CLAIMS:
        raise TokenError(RefusalCode.CLAIM, f"The token has more than {MAX_CLAIMS} claims.")
    if token.form == "jwt":
        for name in token.claims.keys() & _RESTRICTING:
            raise unsupported(f"the claim {name}")
    subject = read.text("sub")
    of_asset = maker.use.subject_is == "asset"
    assets = read.texts("asset")
    if of_asset and subject is not None:
        assets = (assets or frozenset()) | {subject}
    prefixes = read.texts("asset_prefix")
    networks, asns = read.networks(), read.numbers("asn", _MAX_ASN)
    from_cat = token.claims if token.form == "cat" else {}
    return VerifiedToken(
        key=maker.name,
        digest=digest,
        form=token.form,
        issuer=read.text("iss") if token.origin is None else token.origin.issuer,
        audiences=read.texts("aud") or frozenset(),
        issued_s=read.time("iat"),
        starts_s=read.time("nbf"),
        expires_s=read.time("exp"),
        assets=assets,
        prefixes=None if prefixes is None else tuple(sorted(prefixes)),
        token_id=read.text("jti"),
        subject=None if of_asset else subject,
        session=read.session(),
        countries=read.countries(),
        refuse_anonymous=read.flag("refuse_anonymous"),
        networks=networks,
        asns=asns,
        devices=read.members("devices", _KINDS),
        methods=from_cat.get("methods"),
        uri=from_cat.get("uri"),
        headers=from_cat.get("headers"),
        limits=Limits(
            max_height=read.height(),
            max_bitrate_kbps=read.number("max_bitrate", _MAX_KBPS),
            codecs=read.members("codecs", _FAMILIES),
        ),
        max_sessions=read.number("max_sessions", _MAX_SESSIONS),
        renewal=from_cat.get("renewal"),
        key_tag=maker.tag,
        key_of_set=maker.use.of_set,
        renewal_key_tag=None if token.origin is None else key.tag,
    )


@dataclass(frozen=True, slots=True)
class _Claims:
    """Reads single claims: None when there is none, TokenError when it does not have its form."""

    claims: Mapping[str, Any]

    def text(self, name: str) -> str | None:
        value = self.claims.get(name)
        if value is None and name not in self.claims:
            return None
        if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT_CHARS:
            raise _bad(name, f"is no text of 1 to {MAX_TEXT_CHARS} characters")
        return value

    def texts(self, name: str) -> frozenset[str] | None:
        """A text, or a list of texts."""
        if name not in self.claims:
            return None
        given = self.claims[name]
        values = [given] if isinstance(given, str) else given
        if not isinstance(values, list | tuple) or not 0 < len(values) <= MAX_VALUES:
            raise _bad(name, f"is no text, and no list of 1 to {MAX_VALUES} texts")
        for value in values:
            if not isinstance(value, str) or len(value) > MAX_TEXT_CHARS:
                raise _bad(name, "has something that is no text")
        return frozenset(values)

    def number(self, name: str, most: int) -> int | None:
        if name not in self.claims:
            return None
        value = self.claims[name]
        if type(value) is not int or not 0 < value <= most:
            raise _bad(name, f"is no whole number from 1 to {most}")
        return value

    def numbers(self, name: str, most: int) -> frozenset[int] | None:
        """A number, or a list of numbers."""
        if name not in self.claims:
            return None
        given = self.claims[name]
        values = [given] if isinstance(given, int) else given
        if not isinstance(values, list | frozenset) or len(values) > MAX_VALUES:
            raise _bad(name, f"is no number, and no list of at most {MAX_VALUES} numbers")
        if any(type(value) is not int or not 0 < value <= most for value in values):
            raise _bad(name, f"has something that is no whole number from 1 to {most}")
        return frozenset(values)

    def time(self, name: str) -> float | None:
        """A NumericDate (RFC 7519, 2)."""
        if name not in self.claims:
            return None
        value = self.claims[name]
        if type(value) not in {int, float} or not math.isfinite(value) or not 0 <= value < 2**40:
            raise _bad(name, "is no time in seconds since 1970")
        return float(value)

    def flag(self, name: str) -> bool:
        value = self.claims.get(name, False)
        if not isinstance(value, bool):
            raise _bad(name, "is neither true nor false")
        return value

    def members(self, name: str, known: Mapping[str, Any]) -> frozenset[Any] | None:
        """Names of a fixed set: a list, or a text with commas."""
        if name not in self.claims:
            return None
        value = self.claims[name]
        texts = self.texts(name) if not isinstance(value, str) else frozenset(value.split(","))
        found = {known.get(text.strip(" ").lower()) for text in texts or ()}
        if None in found:
            raise _bad(name, f"has another name than {', '.join(known)}")
        return frozenset(found)

    def session(self) -> str | None:
        value = self.text("session")
        if value is not None and not session_id(value):
            raise _bad("session", "is no id of a session: up to 64 printable characters")
        return value

    def countries(self) -> frozenset[str] | None:
        texts = self.texts("countries")
        if texts is not None and not all(map(_COUNTRY.fullmatch, texts)):
            raise _bad("countries", "has something that is no ISO 3166-1 alpha-2 code")
        return None if texts is None else frozenset(text.upper() for text in texts)

    def networks(self) -> tuple[Network, ...] | None:
        given = self.claims.get("networks")
        if isinstance(given, tuple):  # of a CAT
            return given
        texts = self.texts("networks")
        try:
            return None if texts is None else tuple(map(ip_network, sorted(texts)))
        except ValueError:
            raise _bad("networks", "has something that is no network") from None

    def height(self) -> int | None:
        """A name such as 1080p, or a number of pixels."""
        value = self.claims.get("max_resolution")
        if isinstance(value, str):
            if value not in HEIGHTS:
                raise _bad("max_resolution", f"is none of {', '.join(HEIGHTS)}")
            return HEIGHTS[value]
        return self.number("max_resolution", _MAX_PIXELS)


def _bad(claim: str, why: str) -> TokenError:
    return TokenError(RefusalCode.CLAIM, f"The claim {claim} {why}.")
