"""Who sends a request to the operators' listener? Finds the credential and has it verified."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.config.operator_build import api_keys_of, oidc_rules_of, service_keys_of
from gateway.config.schema import Settings
from gateway.operators.nonces import NonceMemory
from gateway.operators.oidc_provider import Client, OidcProvider
from gateway.operators.oidc_sign_in import OidcSignIn
from gateway.store.connection.protocol import Commands
from gateway.trust.keys import KeyRing
from gateway.trust.operators.api_key import PREFIX, ApiKeys
from gateway.trust.operators.message_signature import ServiceKeys, SignedMessage
from gateway.trust.operators.oidc import looks_like_jwt
from gateway.trust.operators.operator import Operator, SignInRefusal


@dataclass(frozen=True, slots=True)
class Asked:
    """A request with its credential."""

    message: SignedMessage

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers by their lower-case names."""
        return self.message.headers


@dataclass(frozen=True, slots=True)
class _Ways:
    """The ways to sign in, of one configuration."""

    on: bool
    keys: ApiKeys
    services: ServiceKeys
    oidc: OidcSignIn | None


class SignIn:
    """Verifies credentials by the current configuration. ``clock`` gives Unix time in seconds."""

    def __init__(
        self,
        settings: Settings,
        keys: Callable[[], KeyRing],
        redis: Commands | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``keys`` gives the ring that signs the cookies of browsers. ``redis`` remembers nonces
        for all workers."""
        self._keys = keys
        self._clock = clock
        self._nonces = NonceMemory(redis)
        self._ways = _ways_of(settings, None)

    @property
    def on(self) -> bool:
        """Whether operators have to sign in."""
        return self._ways.on

    def configure(self, settings: Settings) -> None:
        """Use the credentials of a new configuration."""
        self._ways = _ways_of(settings, self._ways.oidc)

    @property
    def oidc(self) -> OidcSignIn | None:
        """The sign-in by an OpenID provider; None where there is none, or nobody signs in."""
        return self._ways.oidc if self.on else None

    def session(self, cookies: Mapping[str, str]) -> Operator | None:
        """Whose session the cookies of a browser have; None when they have none that is valid."""
        oidc = self.oidc
        text = None if oidc is None else cookies.get(oidc.session_cookie)
        return (
            None
            if oidc is None or text is None
            else oidc.session(self._keys(), text, self._clock())
        )

    def has_credential(self, asked: Asked) -> bool:
        """Whether a request has anything to verify."""
        return "authorization" in asked.headers or self.is_signed(asked.headers)

    def is_signed(self, headers: Mapping[str, str]) -> bool:
        """Whether a request is signed, so that its body is needed."""
        return "authorization" not in headers and "signature-input" in headers

    async def who(self, asked: Asked) -> Operator | SignInRefusal | None:
        """Who has sent a request; None when it has no credential. Raises ProviderError when that
        cannot be found out."""
        authorization = asked.headers.get("authorization")
        if authorization is not None:
            return await self._bearer(authorization)
        if self.is_signed(asked.headers):
            return await self._signer(asked.message)
        return None

    async def _signer(self, message: SignedMessage) -> Operator | SignInRefusal:
        now_s = self._clock()
        found = self._ways.services.verify(message, now_s)
        if isinstance(found, SignInRefusal):
            return found
        if not await self._nonces.first_use(found, now_s):
            text = "the nonce of the signature was used before, or there are too many to remember"
            return SignInRefusal("replayed", text, found.operator.id)
        return found.operator

    async def _bearer(self, authorization: str) -> Operator | SignInRefusal:
        scheme, _, credential = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return SignInRefusal("other-scheme", "the scheme of Authorization is not Bearer")
        text, oidc = credential.strip(" "), self._ways.oidc
        if oidc is not None and not text.startswith(PREFIX) and looks_like_jwt(text):
            return await oidc.bearer(text, self._clock())
        return self._ways.keys.verify(text, self._clock())


def _ways_of(settings: Settings, before: OidcSignIn | None) -> _Ways:
    """The ways of a configuration. A provider that has not changed keeps what it has said."""
    admin = settings.admin
    oidc = None
    if admin.oidc is not None:
        given = admin.oidc
        client = Client(given.issuer, given.client_id, given.secret_text, given.redirect_url)
        same = before is not None and before.provider.client == client
        provider = before.provider if before is not None and same else OidcProvider(client)
        oidc = OidcSignIn(oidc_rules_of(given), provider, given.session_s)
    return _Ways(
        on=admin.sign_in, keys=api_keys_of(admin), services=service_keys_of(admin), oidc=oidc
    )
