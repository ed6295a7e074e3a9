"""How do operators reach the gateway, and who may do what?"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from gateway.config.fields import (
    RESTART,
    Allowed,
    Connections,
    Flag,
    Host,
    HostName,
    Port,
    Secret,
    Text,
    TimeToLive,
)
from gateway.config.key_settings import SecretFile, SigningSecret, check_one_secret
from gateway.config.section import Section, fault
from gateway.config.tls_settings import TlsSettings
from gateway.config.token_settings import JwksUrl
from gateway.trust.operators.api_key import PREFIX, KeyState
from gateway.trust.operators.message_signature import MAX_WINDOW_S
from gateway.trust.operators.operator import Role, Scope

_CALLBACK: Final = "/v1/sign-in/callback"
_HASH: Final = re.compile("sha256:[0-9a-f]{64}")


def _moment(text: str) -> str:
    moment_s(text)
    return text


def moment_s(text: str) -> float:
    """The Unix time of a time with its zone (RFC 3339). Raises ValueError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("is not a time") from None
    if moment.tzinfo is None:
        raise ValueError("has no zone")
    return moment.timestamp()


def _key_hash(given: SecretStr) -> SecretStr:
    text = given.get_secret_value()
    if text.startswith(PREFIX):
        raise ValueError("is an API key, which must not be in the config")
    if not _HASH.fullmatch(text):
        raise ValueError("does not have the allowed form")
    return given


OperatorKeyId = Annotated[
    str,
    Field(pattern=r"^[a-z0-9-]{1,32}$"),
    Allowed("1 to 32 lower-case letters, digits or hyphens"),
]
OperatorKeyHash = Annotated[  # hidden: it may be the key itself, by mistake
    SecretStr,
    AfterValidator(_key_hash),
    Allowed("sha256: and 64 hexadecimal digits, as gateway operator key prints it"),
]
MomentText = Annotated[
    str,
    AfterValidator(_moment),
    Allowed("a time with its zone, such as 2027-02-28T00:00:00Z"),
]
AuditEntries = Annotated[
    int, Field(strict=True, ge=100, le=1_000_000), Allowed("a whole number from 100 to 1000000")
]
SignatureWindow = Annotated[
    int,
    Field(strict=True, ge=1, le=MAX_WINDOW_S),
    Allowed(f"whole seconds from 1 to {MAX_WINDOW_S}"),
]
Scopes = Annotated[frozenset[Scope], Field(min_length=1)]


class OperatorKeySettings(Section):
    """An API key of an operator or a program. `gateway operator key` makes one."""

    id: OperatorKeyId = Field(examples=["ci"])
    """Unique name of the key. It is part of the key, and stands in the audit log."""
    hash: OperatorKeyHash = Field(examples=["sha256:…"])
    """The SHA-256 of the key. The key itself cannot be computed from it."""
    role: Role = Field(examples=["operator"])
    """What its owner may do: `viewer` reads, `operator` also drains, purges, steers and revokes,
    `admin` also configures (`docs/operators.md`)."""
    scopes: Scopes | None = Field(None, examples=[["metrics"]])
    """Parts of the interface to which the key is restricted. Without any, it may use all that its
    role may."""
    expires: MomentText | None = Field(None, examples=["2027-02-28T00:00:00Z"])
    """When the key expires. Without it, it does not."""
    status: KeyState = "active"
    """`revoked` refuses the key, which then still has its name in the audit log."""


class ServiceSettings(Section):
    """A service that signs its requests (RFC 9421, `hmac-sha256`)."""

    id: OperatorKeyId = Field(examples=["packager"])
    """Unique name of the service, the `keyid` of its signatures."""
    secret: SigningSecret | None = Field(None, examples=["…"])
    """The secret that it shares with the gateway. `openssl rand -base64 48` makes a good one."""
    secret_file: SecretFile | None = Field(None, examples=["/run/secrets/packager-key"])
    """A file that holds the secret, instead of `secret`. It is read when the configuration is."""
    role: Role = Field(examples=["operator"])
    """What the service may do, as in `[[admin.keys]]`."""
    scopes: Scopes | None = Field(None, examples=[["purge"]])
    """Parts of the interface to which the service is restricted."""
    status: KeyState = "active"
    """`revoked` refuses its signatures."""

    @model_validator(mode="after")
    def _has_one_secret(self) -> Self:
        check_one_secret(self.secret, self.secret_file)
        return self

    @property
    def secret_bytes(self) -> bytes:
        """The secret itself."""
        given = self.secret or self.secret_file
        return b"" if given is None else given.get_secret_value().encode("ascii")


class OidcSettings(Section):
    """An OpenID provider by which people sign in, and whose tokens are accepted."""

    issuer: JwksUrl = Field(examples=["https://login.example.com/realms/video"])
    """The issuer. Its endpoints and keys are found below it
    (`/.well-known/openid-configuration`)."""
    client_id: Text = Field(examples=["streaming-gateway"])
    """The gateway's name at the provider. Tokens have it as their audience."""
    client_secret: Secret | None = Field(None, examples=["…"])
    """The gateway's secret at the provider. A public client has none."""
    client_secret_file: SecretFile | None = Field(None, examples=["/run/secrets/oidc-client"])
    """A file that holds the secret, of at least 32 characters, instead of `client_secret`. It is
    read when the configuration is."""
    audiences: frozenset[Text] = frozenset()
    """Other audiences of tokens that are accepted, besides `client_id`."""
    role_claim: Text = "roles"
    """The claim that says which role somebody has, or its path, such as `realm_access.roles`: text,
    or a list of texts."""
    roles: Annotated[Mapping[Text, Role], Field(min_length=1)] = Field(
        examples=[{"gateway-admins": "admin"}]
    )
    """The role of each value of the claim. Of several, the highest counts; others have none."""
    redirect_url: JwksUrl | None = Field(
        None, examples=["https://gateway.example.com:8090/v1/sign-in/callback"]
    )
    """The URL of `/v1/sign-in/callback` as browsers reach it, which the provider has to know.
    Without it, only bearer tokens are accepted."""
    session_s: TimeToLive = 28_800
    """How long the session of a browser lasts, in seconds."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.client_secret is not None and self.client_secret_file is not None:
            problem = "cannot be combined with client_secret"
            raise fault("client_secret_file", problem, "one of them")
        if self.redirect_url is not None and not self.redirect_url.endswith(_CALLBACK):
            raise fault("redirect_url", f"does not end with {_CALLBACK}", f"a URL with {_CALLBACK}")
        return self

    @property
    def secret_text(self) -> str | None:
        """The client's secret; None for a public client."""
        given = self.client_secret or self.client_secret_file
        return None if given is None else given.get_secret_value()


class AdminSettings(Section):
    """Where the gateway listens for operators: metrics, readiness in detail, decisions with their
    reasons, and actions (`docs/operators.md`)."""

    enabled: Annotated[Flag, RESTART]
    """`false` opens no port for operators."""
    host: Annotated[Host, RESTART]
    """Address to listen on; `0.0.0.0` is every IPv4 interface, `::` every interface."""
    port: Annotated[Port, RESTART]
    """TCP port to listen on, another one than `server.port`; 0 takes any free one."""
    max_connections: Annotated[Connections, RESTART]
    """Most connections of operators that each worker has open at once. They do not count towards
    `limits.max_connections`."""
    allowed_hosts: tuple[HostName, ...]
    """Names in the Host header under which operators may ask, besides `localhost`, IP addresses and
    `host`. `*` is any name, which lets web pages reach the port by DNS rebinding."""
    tls: Annotated[TlsSettings | None, RESTART] = None
    """HTTPS instead of HTTP for operators."""
    sign_in: Flag
    """Whether operators have to sign in. If not, everybody who reaches the address may read all but
    the configuration and the audit log, and nobody may act over HTTP."""
    audit_entries: AuditEntries
    """About the most entries of the audit log that Redis keeps."""
    signature_window_s: SignatureWindow
    """How far the time of a signature (`created`) may be from now, in seconds. The clocks of
    services may differ that much."""
    keys: tuple[OperatorKeySettings, ...] = ()
    """API keys of operators and programs, sent as `Authorization: Bearer`."""
    services: tuple[ServiceSettings, ...] = ()
    """Services that sign their requests."""
    oidc: OidcSettings | None = None
    """An OpenID provider by which people sign in."""
