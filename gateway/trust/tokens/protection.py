"""Which assets want a token, and what must it have to open them?"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from gateway.policy.prefixes import Prefixes
from gateway.trust.tokens.verified import VerifiedToken


class RequiredClaim(StrEnum):
    """What the configuration can require of a token."""

    ASSET = "asset"
    COUNTRIES = "countries"
    DEVICES = "devices"
    ID = "id"
    MAX_SESSIONS = "max_sessions"
    NETWORKS = "networks"
    SESSION = "session"
    SUBJECT = "subject"

    def is_in(self, token: VerifiedToken) -> bool:
        """Whether the token has it."""
        match self:
            case RequiredClaim.ASSET:
                return token.assets is not None or token.prefixes is not None
            case RequiredClaim.NETWORKS:
                return token.networks is not None or token.asns is not None
            case RequiredClaim.ID:
                return token.token_id is not None
            case _:
                return getattr(token, self.value) is not None


@dataclass(frozen=True, slots=True)
class Protection:
    """What opens the assets whose ids begin with ``asset_prefix``. None is any.

    ``is_open``: they need no token. A token must be of one of the ``issuers``, made with one of the
    ``keys`` (of a renewed one, the first token counts), and for one of the ``audiences``; it must
    have the ``required`` claims.
    ``refuse_anonymous``: viewers behind VPNs and proxies are refused, whatever the token says, and
    ``countries``: where the assets are licensed (ISO 3166-1 alpha-2); both also when they are open.
    """

    asset_prefix: str = ""
    is_open: bool = False
    issuers: frozenset[str] | None = None
    keys: frozenset[str] | None = None
    audiences: frozenset[str] | None = None
    required: tuple[RequiredClaim, ...] = ()
    refuse_anonymous: bool = False
    countries: frozenset[str] | None = None

    def is_licensed(self, country: str | None, *, unknown: bool) -> bool:
        """Whether the assets are licensed in ``country``; ``unknown`` is the answer for None, a
        country that is not known."""
        if self.countries is None:
            return True
        return unknown if country is None else country in self.countries

    def mismatch(self, token: VerifiedToken) -> str | None:
        """Why a valid token opens nothing here, in a sentence without any of its text; None when
        it may."""
        if self.keys is not None and token.key not in self.keys:
            return "The key of the token does not open this asset."
        if self.issuers is not None and token.issuer not in self.issuers:
            return "The issuer of the token does not open this asset."
        if self.audiences is not None and self.audiences.isdisjoint(token.audiences):
            return "The token is for another audience."
        for claim in self.required:
            if not claim.is_in(token):
                return f"This asset needs a token with the claim {claim}."
        return None


class Protections:
    """Finds the protection of an asset: that with the longest prefix of its id, letter by letter.
    Immutable."""

    def __init__(self, protections: Iterable[Protection] = ()) -> None:
        self._by_prefix = {each.asset_prefix: each for each in protections}
        self._prefixes = Prefixes(self._by_prefix)

    def __bool__(self) -> bool:
        """Whether any asset wants a token."""
        return any(not each.is_open for each in self._by_prefix.values())

    def of(self, asset: str) -> Protection | None:
        """What opens ``asset``; None when it needs no token."""
        found = self.over(asset)
        return None if found is None or found.is_open else found

    def over(self, asset: str) -> Protection | None:
        """What the configuration says of ``asset``, also when it is open."""
        prefix = next(self._prefixes.of(asset), None)
        return None if prefix is None else self._by_prefix[prefix]

    def is_public(self, asset: str) -> bool:
        """Whether ``asset`` needs no token and is for viewers everywhere."""
        found = self.over(asset)
        return found is None or (
            found.is_open and found.countries is None and not found.refuse_anonymous
        )
