"""Sign-in by an OpenID provider: bearer tokens, and the authorization code flow of browsers.

The flow has PKCE (RFC 7636). Its state, nonce and verifier are in a signed cookie, so that only the
browser that began it can end it.
"""

import hmac
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256

from gateway.operators.oidc_provider import CodeRefusedError, OidcProvider
from gateway.trust.keys import KeyRing
from gateway.trust.operators.browser import (
    FLOW_S,
    Flow,
    read_flow,
    read_session,
    signed_flow,
    signed_session,
)
from gateway.trust.operators.oidc import OidcRules, key_id_of, verify_token
from gateway.trust.operators.operator import Operator, SignInRefusal


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie to set: its name, its value and its lifetime in seconds."""

    name: str
    value: str
    max_age_s: int


@dataclass(frozen=True, slots=True)
class OidcSignIn:
    """The sign-in of one configuration. Sessions of browsers last ``session_s`` seconds."""

    rules: OidcRules
    provider: OidcProvider
    session_s: int

    @property
    def has_flow(self) -> bool:
        """Whether browsers can sign in."""
        return self.provider.client.redirect_url is not None

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach the gateway over TLS."""
        return (self.provider.client.redirect_url or "").startswith("https://")

    @property
    def session_cookie(self) -> str:
        """The name of the cookie of a session. ``__Host-`` keeps other hosts of the domain from
        setting it (RFC 6265bis); it needs TLS."""
        return "__Host-gateway-session" if self.is_secure else "gateway-session"

    @property
    def flow_cookie(self) -> str:
        """The name of the cookie of a flow."""
        return "__Host-gateway-sign-in" if self.is_secure else "gateway-sign-in"

    async def bearer(self, token: str, now_s: float) -> Operator | SignInRefusal:
        """Who has a token. Raises ProviderError when no key of the provider is known."""
        keys = await self.provider.keys(key_id_of(token))
        return verify_token(token, keys, self.rules, now_s)

    def session(self, keys: KeyRing, text: str, now_s: float) -> Operator | None:
        """Who has the session of a cookie; None for one that is not valid."""
        return read_session(keys, text, self.rules, now_s)

    async def begin(self, keys: KeyRing, return_to: str, now_s: float) -> tuple[str, Cookie]:
        """The URL at which a browser signs in, and the cookie of the flow. Raises ProviderError."""
        flow = Flow(
            state=secrets.token_urlsafe(24),
            nonce=secrets.token_urlsafe(24),
            verifier=secrets.token_urlsafe(32),
            return_to=return_to,
            until_s=int(now_s) + FLOW_S,
        )
        challenge = urlsafe_b64encode(sha256(flow.verifier.encode()).digest()).rstrip(b"=")
        url = await self.provider.authorization_url(
            {
                "response_type": "code",
                "client_id": self.provider.client.client_id,
                "redirect_uri": self.provider.client.redirect_url or "",
                "scope": "openid",
                "state": flow.state,
                "nonce": flow.nonce,
                "code_challenge": challenge.decode("ascii"),
                "code_challenge_method": "S256",
            }
        )
        return url, Cookie(self.flow_cookie, signed_flow(keys, flow), FLOW_S)

    def flow(self, keys: KeyRing, text: str, state: str, now_s: float) -> Flow | None:
        """The flow of a cookie, if the provider has sent back its ``state``."""
        found = read_flow(keys, text, now_s)
        if found is None or not hmac.compare_digest(found.state.encode(), state.encode()):
            return None
        return found

    async def finish(
        self, flow: Flow, code: str, issuer: str | None, now_s: float
    ) -> Operator | SignInRefusal:
        """Who has signed in, by the code with which the provider has sent the browser back, and the
        ``issuer`` that it has named, if any. Raises ProviderError."""
        if not await self.provider.may_be_from(issuer):
            return SignInRefusal("other-issuer", "another provider has sent this browser back")
        try:
            token = await self.provider.id_token(code, flow.verifier)
        except CodeRefusedError:
            text = "the provider does not accept the code: begin again"
            return SignInRefusal("bad-code", text)
        keys = await self.provider.keys(key_id_of(token))
        return verify_token(token, keys, self.rules, now_s, flow.nonce)

    def begun(self, keys: KeyRing, operator: Operator, now_s: float) -> Cookie:
        """The cookie of a session that begins."""
        until_s = int(now_s) + self.session_s
        value = signed_session(keys, operator, self.rules, until_s)
        return Cookie(self.session_cookie, value, self.session_s)
