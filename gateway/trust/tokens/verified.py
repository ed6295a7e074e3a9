"""What does a verified playback token allow?"""

from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Literal

from gateway.client.facts import DeviceKind, Limits
from gateway.trust.tokens.matching import HeaderRules, UriRules

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

TokenForm = Literal["jwt", "cat"]
"""JSON Web Token (RFC 7519), or Common Access Token (CTA-5007)."""


RenewalKind = Literal["automatic", "cookie", "header", "redirect"]
"""How a player gets a renewed token (CTA-5007, ``catr``). Automatic: as it has sent the old one."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """How the issuer wants the token to be renewed (CAT ``catr``).

    ``expires_add_s`` is the lifetime of a renewed token. It is made in the last ``deadline_s``
    before the end of the old one; None leaves it to the recipient. The names are those of the
    cookie and the header field, None for the usual ones; what follows the token there are the
    parameters.
    """

    kind: RenewalKind
    expires_add_s: int
    deadline_s: int | None = None
    cookie_name: str | None = None
    header_name: str | None = None
    cookie_parameters: tuple[str, ...] = ()
    header_parameters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """What a verified playback token allows. None: the token does not limit it.

    ``key`` is the id of the key that made it, ``key_tag`` its tag, and ``key_of_set`` says whether
    it is of a set; ``issuer`` is who made it. Of a renewed token, they are those of the first one,
    and ``renewal_key_tag`` is the tag of the key that verified it. ``digest`` is that of the
    token's text, and names the token without showing it. Times are Unix seconds. ``networks`` and
    ``asns`` belong together: the viewer is in one of the networks, or in one of the autonomous
    systems. ``methods``, ``uri`` and ``headers`` are about the request.
    Nothing that the token says is in ``repr``.
    """

    key: str
    digest: bytes = field(repr=False)
    form: TokenForm = "jwt"
    issuer: str | None = field(default=None, repr=False)
    audiences: frozenset[str] = field(default=frozenset(), repr=False)
    issued_s: float | None = field(default=None, repr=False)
    starts_s: float | None = field(default=None, repr=False)
    expires_s: float | None = field(default=None, repr=False)
    assets: frozenset[str] | None = field(default=None, repr=False)
    prefixes: tuple[str, ...] | None = field(default=None, repr=False)
    token_id: str | None = field(default=None, repr=False)
    subject: str | None = field(default=None, repr=False)
    session: str | None = field(default=None, repr=False)
    countries: frozenset[str] | None = field(default=None, repr=False)
    refuse_anonymous: bool = field(default=False, repr=False)
    networks: tuple[Network, ...] | None = field(default=None, repr=False)
    asns: frozenset[int] | None = field(default=None, repr=False)
    devices: frozenset[DeviceKind] | None = field(default=None, repr=False)
    methods: frozenset[str] | None = field(default=None, repr=False)
    uri: UriRules | None = field(default=None, repr=False)
    headers: HeaderRules | None = field(default=None, repr=False)
    limits: Limits = field(default=Limits(), repr=False)
    max_sessions: int | None = field(default=None, repr=False)
    renewal: Renewal | None = field(default=None, repr=False)
    key_tag: bytes = field(default=bytes(8), repr=False)
    key_of_set: bool = field(default=False, repr=False)
    renewal_key_tag: bytes | None = field(default=None, repr=False)

    def allows_asset(self, asset: str) -> bool:
        """Whether the token is for this asset: by its id, or by a prefix of it, letter by
        letter."""
        if self.assets is None and self.prefixes is None:
            return True
        return asset in (self.assets or ()) or asset.startswith(self.prefixes or ())

    def allows_address(self, address: Address | None, asn: int | None) -> bool:
        """Whether the token may be used from this address, in the autonomous system ``asn``. What
        is not known is in none."""
        if self.networks is None and self.asns is None:
            return True
        if asn is not None and asn in (self.asns or ()):
            return True
        return address is not None and any(address in network for network in self.networks or ())

    def allows_request(
        self, method: str, uri: str, header: Callable[[str], str | None]
    ) -> str | None:
        """The name of the claim that the request does not fulfil; None when it fulfils all.

        ``uri`` is the absolute URI that ``catu`` is about. ``header`` gives the value of a header
        field by its name in lower case. HEAD is allowed where GET is (RFC 9110, 9.3.2).
        """
        methods = self.methods
        if methods is not None and ("GET" if method == "HEAD" else method) not in methods:
            return "catm"
        if self.uri is not None and not self.uri.match(uri):
            return "catu"
        if self.headers is not None and not self.headers.match(header):
            return "cath"
        return None
