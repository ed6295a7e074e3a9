"""How are playback tokens configured: which assets want one, and which keys verify them?"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from gateway.config import validators
from gateway.config.fields import (
    Allowed,
    CertificateFile,
    ConfigFile,
    Country,
    Flag,
    FolderUrl,
    Milliseconds,
    Seconds,
    Text,
    TimeToLive,
)
from gateway.config.key_settings import RingKeyId, SecretFile, SigningSecret
from gateway.config.section import Section, fault
from gateway.trust.tokens.algorithm import Algorithm
from gateway.trust.tokens.base64url import decoded
from gateway.trust.tokens.key import KeyUse, public_key, secret_key
from gateway.trust.tokens.key_set import SetUse, keys_of_set
from gateway.trust.tokens.protection import RequiredClaim
from gateway.trust.tokens.renewal import RenewalKey, private_renewal_key

TokenKeyId = Annotated[
    str,
    Field(pattern=r"^[!-~]{1,128}$"),
    Allowed("1 to 128 printable ASCII characters, without spaces"),
]
TokenPrefix = Annotated[
    str,
    Field(pattern=r"^(?:[A-Za-z0-9._~-][A-Za-z0-9._~/-]{0,511})?$"),
    AfterValidator(validators.asset_prefix),
    Allowed('the start of an asset id, such as kids/, or "" for all'),
]
TokenChars = Annotated[
    int, Field(strict=True, ge=256, le=16_384), Allowed("a whole number from 256 to 16384")
]
Leeway = Annotated[int, Field(strict=True, ge=0, le=600), Allowed("whole seconds from 0 to 600")]
SomeOf = Field(min_length=1)
PublicKey = Annotated[  # hidden: it may be a private one, by mistake
    SecretStr,
    Field(min_length=1, max_length=16_384),
    Allowed("a public key in PEM, or a JSON Web Key"),
]
JwksUrl = Annotated[
    str,
    AfterValidator(validators.jwks_url),
    Allowed("an https URL, or an http URL of this machine, without user, query, or fragment"),
]
Instant = Annotated[
    str,
    AfterValidator(validators.instant),
    Allowed("a time in UTC, such as 2026-11-01T00:00:00Z"),
]
CookieName = Annotated[
    str,
    Field(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$"),
    Allowed("a name of a cookie, 1 to 64 characters"),
]
SecretEncoding = Literal["text", "base64url", "hex"]


_MAX_FILE_CHARS = 131_072
_SECRETS: tuple[str, ...] = ("secret", "secret_file", "ring_key")
_PUBLIC_KEYS: tuple[str, ...] = ("public_key", "public_key_file")


class TokenKeySettings(Section):
    """One key that verifies tokens."""

    id: TokenKeyId = Field(examples=["backend-2026"])
    """Unique name of the key, which tokens name as their `kid`."""
    algorithm: Algorithm = Field(examples=["ES256"])
    """The only algorithm that this key verifies. What a token says of its algorithm selects
    nothing."""
    status: Literal["active", "retired"] = "active"
    """`active` verifies, `retired` is refused at once."""
    issuer: Text | None = Field(None, examples=["https://login.example.com"])
    """The key verifies only tokens with this `iss`."""
    not_before: Instant | None = Field(None, examples=["2026-11-01T00:00:00Z"])
    """The key verifies nothing before this time."""
    not_after: Instant | None = Field(None, examples=["2027-11-01T00:00:00Z"])
    """The key verifies nothing after this time."""
    subject_is: Literal["viewer", "asset"] = "viewer"
    """What the claim `sub` of its JWTs names. Mux and Cloudflare Stream name the asset."""
    secret: SigningSecret | None = Field(None, examples=["…"])
    """The secret, for the HS algorithms. `openssl rand -base64 48` makes a good one."""
    secret_file: SecretFile | None = Field(None, examples=["/run/secrets/token-key"])
    """A file that holds the secret, instead of `secret`."""
    secret_encoding: SecretEncoding = "text"  # noqa: S105  # no secret
    """What the secret's characters stand for: themselves, or at least 32 bytes in base64url or
    hexadecimal digits."""
    ring_key: RingKeyId | None = Field(None, examples=["2026-11"])
    """Take the secret from this key of `[[keys.ring]]`, derived for tokens (`docs/tokens.md`)."""
    public_key: PublicKey | None = Field(None, examples=["-----BEGIN PUBLIC KEY-----…"])
    """The public key, for all other algorithms: PEM or a JSON Web Key."""
    public_key_file: ConfigFile | None = Field(None, examples=["token-key.pem"])
    """A file that holds the public key, instead of `public_key`. It is read again when it
    changes."""

    @model_validator(mode="after")
    def _has_one_key(self) -> Self:
        """An HS algorithm has a secret, any other a public key: what verifies is never both."""
        right, wrong = _SECRETS, _PUBLIC_KEYS
        if not self.algorithm.startswith("HS"):
            right, wrong = _PUBLIC_KEYS, (*_SECRETS, "secret_encoding")
        allowed = f"{', '.join(right)}: one of them"
        for name in wrong:
            if name in self.model_fields_set:
                raise fault(name, f"does not belong to a key for {self.algorithm}", allowed)
        given = [name for name in right if getattr(self, name) is not None]
        if len(given) != 1:
            problem = f"cannot be combined with {given[0]}" if given else "is missing"
            raise fault(given[1] if given else right[-1], problem, allowed)
        self._check_key(given[0])
        return self

    @model_validator(mode="after")
    def _is_in_force_at_some_time(self) -> Self:
        use = self.use
        begins, ends = use.not_before_s, use.not_after_s
        if begins is not None and ends is not None and ends <= begins:
            allowed = f"a time after {self.not_before}"
            raise fault("not_after", "is not after not_before", allowed)
        return self

    def _check_key(self, name: str) -> None:
        """Make the key once, to see that it can be used."""
        try:
            match name:
                case "public_key":
                    public_key(self.use, self.public_key_text)
                case "public_key_file":
                    public_key(self.use, text_of(self.public_key_file))
                case "secret" | "secret_file":
                    secret_key(self.use, self.secret_bytes)
                case _:
                    pass
        except ValueError as error:
            raise fault(name, str(error), f"a key for {self.algorithm}") from None

    @property
    def use(self) -> KeyUse:
        """For which tokens the key is."""
        return KeyUse(
            self.id,
            self.algorithm,
            self.issuer,
            self.subject_is,
            None if self.not_before is None else validators.parse_instant(self.not_before),
            None if self.not_after is None else validators.parse_instant(self.not_after),
        )

    @property
    def public_key_text(self) -> str:
        """The text of ``public_key``; empty without one."""
        return "" if self.public_key is None else self.public_key.get_secret_value()

    @property
    def secret_bytes(self) -> bytes:
        """The secret itself. Raises ValueError when its text is not in ``secret_encoding``."""
        given = self.secret or self.secret_file
        text = "" if given is None else given.get_secret_value()
        data: bytes | None = text.encode("ascii")
        try:
            if self.secret_encoding == "hex":  # noqa: S105  # no secret
                data = bytes.fromhex(text)
            elif self.secret_encoding == "base64url":  # noqa: S105
                data = decoded(text)
        except ValueError:
            data = None
        if data is None:
            raise ValueError(f"is not in the encoding {self.secret_encoding}")
        return data


class TokenJwksSettings(Section):
    """A set of keys (JSON Web Key Set, RFC 7517) of one issuer."""

    issuer: Text = Field(examples=["https://login.example.com"])
    """The keys verify only tokens with this `iss`."""
    file: ConfigFile | None = Field(None, examples=["jwks.json"])
    """A file that holds the set. It is read again when it changes."""
    url: JwksUrl | None = Field(None, examples=["https://login.example.com/.well-known/jwks.json"])
    """The URL of the set, instead of `file`. It is fetched again in time."""
    rsa_algorithm: Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"] = "RS256"
    """The algorithm of RSA keys whose `alg` the set does not say."""
    subject_is: Literal["viewer", "asset"] = "viewer"
    """What the claim `sub` of its JWTs names."""

    @model_validator(mode="after")
    def _has_one_place(self) -> Self:
        if (self.file is None) is (self.url is None):
            problem = "is missing" if self.url is None else "cannot be combined with file"
            raise fault("url", problem, "file or url, one of them")
        if self.file is not None:
            try:
                keys, skipped = keys_of_set(self.file.read_bytes(), SetUse(self.issuer))
                if not keys:
                    raise ValueError("; ".join(("has no key that can be used", *skipped[:1])))  # noqa: TRY301
            except (OSError, ValueError) as error:
                raise fault("file", str(error), "a JSON Web Key Set (RFC 7517)") from None
        return self


def text_of(path: Path | None) -> str:
    """The text of a file with a key. Raises ValueError when it cannot be read."""
    if path is None:
        return ""
    try:
        return path.read_text("utf-8", "replace")[:_MAX_FILE_CHARS]
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from None


class TokenProtectSettings(Section):
    """What opens the assets whose ids begin with a prefix. The longest prefix decides alone."""

    asset_prefix: TokenPrefix = Field(examples=["premium/"])
    """Prefix of the ids of the assets, letter by letter; `""` is all assets."""
    access: Literal["token", "open"] = "token"
    """`token` wants a token; `open` wants none, for example for trailers below another prefix."""
    issuers: Annotated[frozenset[Text], SomeOf] | None = Field(
        None, examples=[["https://login.example.com"]]
    )
    """The `iss` of the tokens that open them."""
    keys: Annotated[frozenset[TokenKeyId], SomeOf] | None = Field(None, examples=[["backend-2026"]])
    """The ids of the keys whose tokens open them."""
    audiences: Annotated[frozenset[Text], SomeOf] | None = Field(None, examples=[["vod"]])
    """The token's `aud` must have one of these."""
    required_claims: frozenset[RequiredClaim] = frozenset()
    """What a token must have to open them; `countries` wants every token to say where it may be
    used."""
    countries: Annotated[frozenset[Country], SomeOf] | None = Field(None, examples=[["NO", "SE"]])
    """The countries in which they are licensed, ISO 3166-1 alpha-2, whatever the token says, and
    also when they are `open`. Viewers elsewhere get 451."""
    refuse_anonymous: Flag = False
    """Refuse viewers behind VPNs, proxies and hosting networks, also when they are `open`. Needs
    `geo.anonymous_ip_database`."""

    @model_validator(mode="after")
    def _open_asks_for_no_token(self) -> Self:
        for name in ("issuers", "keys", "audiences", "required_claims"):
            if self.access == "open" and getattr(self, name):
                raise fault(name, 'is not used with access = "open"', 'none, or access = "token"')
        return self


class TokenRenewalSettings(Section):
    """Renews Common Access Tokens whose claim `catr` allows it (`docs/tokens.md`). Without this
    table no token is renewed."""

    key: TokenKeyId = Field(examples=["gateway-2026"])
    """The `id` of the key of `[[tokens.keys]]` that signs renewed tokens: a secret, or the public
    key of `private_key_file`. If it has an `issuer`, that becomes their `iss`."""
    other_keys: frozenset[TokenKeyId] = Field(frozenset(), examples=[["gateway-2025"]])
    """The `id`s of other keys of `[[tokens.keys]]` whose renewed tokens are accepted as well, while
    `key` is replaced."""
    private_key_file: ConfigFile | None = Field(None, examples=["/run/secrets/renewal-key.pem"])
    """The private key (PEM) of a public key. It is read when the configuration is."""
    total_lifetime_s: TimeToLive = 43_200
    """The longest lifetime of a token with all its renewals, from its `iat`, in seconds. Of a token
    without `iat`, from its first `exp`, or from the first renewal if that is sooner."""


class TokenSettings(Section):
    """Playback tokens: which assets want one, and which keys verify them (`docs/tokens.md`)."""

    enabled: Flag
    """Whether the assets of `[[tokens.protect]]` want a token."""
    max_chars: TokenChars
    """The longest token, in characters. A longer one is refused unread."""
    leeway_s: Leeway
    """How far the clocks of issuers may be off, in seconds."""
    require_expiry: Flag
    """Refuse tokens without `exp`."""
    max_lifetime_s: Seconds
    """The longest lifetime of a token, from `iat` (without it, from now) to `exp`, in seconds; 0 is
    any. A value of your own does not go with `require_expiry = false`."""
    audiences: frozenset[Text]
    """The names under which tokens address this gateway. A token with an `aud` must have one of
    them, or one of `[[tokens.protect]]`."""
    cookies: tuple[CookieName, ...] = ()
    """The names of cookies that hold a token, besides the header fields and the query."""
    catu_base: FolderUrl | None = Field(None, examples=["https://cdn.example.com/videos/"])
    """Match the URI claim of CATs (`catu`) with the URL of the source manifest below this URL.
    A decision for which no `format` is asked matches by the playlist. Without it, with the URL at
    which the player asks."""
    unknown_country: Literal["refuse", "allow"]
    """What becomes of a viewer whose country is not known, when its token is for some countries, or
    the asset is licensed in some."""
    session_ends_after_s: TimeToLive
    """A session no longer counts towards the sessions of its subject when it has sent nothing for
    this long, in seconds: no request for a manifest or steering, and no CMCD report."""
    class_manifests: Flag
    """Also give class manifests of assets that want a token, are licensed in some countries, or
    have `refuse_anonymous`. Only for a CDN in front that enforces all this itself: whoever has the
    URL of a class manifest gets it."""
    jwks_min_refresh_s: TimeToLive
    """The shortest time between two fetches of a set of keys, whatever its `Cache-Control` says, in
    seconds."""
    jwks_max_refresh_s: TimeToLive
    """The longest time between two fetches of a set of keys, in seconds."""
    jwks_unknown_key_s: TimeToLive
    """A token with an unknown `kid` has the sets of keys fetched at once, but at most once in this
    time, in seconds."""
    jwks_keep_s: Seconds
    """How long the keys of a set are used while it cannot be fetched, in seconds."""
    jwks_timeout_ms: Milliseconds
    """The longest time for fetching a set of keys, in milliseconds."""
    ca_file: CertificateFile | None = Field(None, examples=["login-ca.pem"])
    """CA certificates (PEM) that are trusted for the URLs of sets instead of the system's."""
    keys: tuple[TokenKeySettings, ...] = ()
    """The keys."""
    jwks: tuple[TokenJwksSettings, ...] = ()
    """The sets of keys."""
    protect: tuple[TokenProtectSettings, ...] = ()
    """Which assets want a token."""
    renewal: TokenRenewalSettings | None = None
    """How Common Access Tokens are renewed."""

    @model_validator(mode="after")
    def _can_renew(self) -> Self:
        """Make the key once, to see that it can be used. That of `ring_key` is in another
        section."""
        given = self.renewal
        if given is None:
            return self
        listed = {key.id: key for key in self.keys if key.status == "active"}
        key = listed.get(given.key)
        if key is None:
            problem, allowed = "is no active key of [[tokens.keys]]", ", ".join(listed)
            raise fault("renewal.key", problem, allowed or "the id of a key of [[tokens.keys]]")
        if key.algorithm.startswith("HS") is (given.private_key_file is None):
            self._check_private_key(key)
            return self
        is_left_out = given.private_key_file is None
        problem = "is missing" if is_left_out else f"does not belong to a key for {key.algorithm}"
        allowed = "the private key of a public key, and none for a secret"
        raise fault("renewal.private_key_file", problem, allowed)

    def _check_private_key(self, key: TokenKeySettings) -> None:
        try:
            self.private_renewal_key(key)
        except ValueError as error:
            allowed = f"the private key of {key.id}"
            raise fault("renewal.private_key_file", str(error), allowed) from None

    def private_renewal_key(self, key: TokenKeySettings) -> RenewalKey | None:
        """The key that signs renewed tokens, for the public key ``key``; None where renewal needs
        no private key. Raises ValueError."""
        path = None if self.renewal is None else self.renewal.private_key_file
        if path is None:
            return None
        public = public_key(key.use, key.public_key_text or text_of(key.public_key_file))
        return private_renewal_key(public, text_of(path))
