"""How are the URLs of an edge signed?"""

from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationInfo,
    model_validator,
)

from gateway.config import validators
from gateway.config.fields import Allowed, DnsName, Seconds, TimeToLive
from gateway.config.key_settings import SigningSecret
from gateway.config.section import Section, fault
from gateway.edge.signing import Covers
from gateway.trust.edge_signing.template import has_start

Scheme = Literal["template", "fastly", "nginx", "akamai", "cloudfront", "media-cdn", "bunny", "cat"]

EdgeKeyId = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9_-]{1,64}$"),
    Allowed("1 to 64 letters, digits, or any of _ -"),
]
Segments = Annotated[int, Field(strict=True, ge=1, le=16), Allowed("a whole number from 1 to 16")]
SigningTemplate = Annotated[
    str, Field(min_length=1, max_length=200), Allowed("text of 1 to 200 characters with {fields}")
]
TokenName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9_-]{1,64}$"),
    Allowed("1 to 64 letters, digits, or any of _ -"),
]
TokenData = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9._,:-]{1,100}$"),
    Allowed("1 to 100 letters, digits, or any of . _ , : -"),
]
Issuer = Annotated[
    str,
    Field(pattern=r"^[!-~]{1,200}$"),
    Allowed("1 to 200 printable ASCII characters, without spaces"),
]
Salt = Annotated[
    SecretStr,
    AfterValidator(validators.secret),
    Allowed("1 to 4096 printable ASCII characters, without spaces"),
]


def _inherited(carrier: object) -> object:
    if carrier == "query":
        raise ValueError(
            "is not inherited: segments are named by media playlists and DASH templates, whose"
            " relative URIs do not take over a query"
        )
    return carrier


SignatureCarrier = Annotated[
    Literal["path", "cookie"], BeforeValidator(_inherited), Allowed("path, cookie")
]


def _secret(path: SecretStr, info: ValidationInfo) -> SecretStr:
    return validators.secret_file(Path(path.get_secret_value()), info)


def _private_key(path: SecretStr, info: ValidationInfo) -> SecretStr:
    return validators.private_key_file(Path(path.get_secret_value()), info)


SecretFile = Annotated[
    SecretStr,
    AfterValidator(_secret),
    Allowed("a file that holds such a secret, with or without a line end"),
]
PrivateKeyFile = Annotated[
    SecretStr, AfterValidator(_private_key), Allowed("a file with one private key in PEM")
]

_PRIVATE_KEYS: Final = ("cloudfront", "media-cdn")
_COOKIES_ONLY: Final = ("cloudfront",)
_EITHER: Final = ("akamai", "media-cdn", "cat")
_KEYS_OF: Final[dict[str, tuple[str, ...]]] = {
    "path": ("template",),
    "message": ("template",),
    "algorithm": ("template", "fastly", "cloudfront"),
    "encoding": ("template",),
    "carrier": ("template", "fastly", "nginx", "akamai", "cloudfront", "media-cdn", "bunny", "cat"),
    "cookie_domain": (*_COOKIES_ONLY, *_EITHER),
    "token_name": ("akamai", "cat"),
    "salt": ("akamai",),
    "data": ("akamai",),
    "issuer": ("cat",),
}
"""The schemes that use a key of the table which not all of them use."""
_WITH_START: Final = ("akamai", "cloudfront", "cat")


class EdgeKeySettings(Section):
    """A key that the edge knows as well. The first one that is active signs."""

    id: EdgeKeyId = Field(examples=["2026-11"])
    """Name of the key. Where a scheme names the key in what it signs, it is the edge's name for
    it, such as the key pair id of CloudFront."""
    secret: SigningSecret | None = Field(None, examples=["…"])
    """The secret that the edge has, too: hexadecimal digits for `akamai` and `cat`, base64 for
    `fastly`."""
    secret_file: SecretFile | None = Field(None, examples=["/run/secrets/edge-key"])
    """A file that holds the secret, instead of `secret`. It is read when the configuration is."""
    private_key_file: PrivateKeyFile | None = Field(None, examples=["/run/secrets/edge.pem"])
    """A file with a private key, for `cloudfront` (RSA) and `media-cdn` (Ed25519)."""
    status: Literal["active", "standby"] = "active"
    """A `standby` key signs nothing, but is checked as if it did, so that it can be switched to."""

    @model_validator(mode="after")
    def _has_one_secret(self) -> Self:
        names = ("secret", "secret_file", "private_key_file")
        given = [name for name in names if getattr(self, name) is not None]
        allowed = "secret, secret_file or private_key_file, one of them"
        if not given:
            raise fault("secret_file", "is missing", allowed)
        if len(given) > 1:
            raise fault(given[1], f"cannot be combined with {given[0]}", allowed)
        return self

    @property
    def secret_text(self) -> str:
        """The secret or the private key itself."""
        given = self.secret or self.secret_file or self.private_key_file
        if given is None:
            raise AssertionError("the check of the table requires one of them")
        return given.get_secret_value()


class EdgeSigningSettings(Section):
    """Signs the URLs of the edge, for edges that serve nothing without a signature
    (`docs/edge-signing.md`)."""

    scheme: Scheme = Field(examples=["nginx"])
    """How the edge checks signatures."""
    keys: tuple[EdgeKeySettings, ...] = Field(
        min_length=1, examples=[[{"id": "2026-11", "secret_file": "/run/secrets/edge-key"}]]
    )
    """The keys. The first one that is active signs."""
    lifetime_s: TimeToLive = 43_200
    """How long a signed URL is good for at least, in seconds: longer than anybody plays a title
    without a new manifest, pauses included."""
    step_s: TimeToLive = 3600
    """Signatures change on multiples of this many seconds. All viewers get the same URLs in
    between, which live up to this much longer than `lifetime_s`."""
    skew_s: Seconds | None = Field(None, examples=[60])
    """How far the clock of the edge may be behind, in seconds, for schemes whose signatures have a
    start: `akamai`, `cloudfront`, `cat`, and `template` with `{starts}`. 60 if it is left out."""
    covers: Covers = "asset"
    """What one signature covers: `asset` is the folder of the manifest and all below it, `edge`
    is all below the edge's `url`, and `segments` is a folder of the first `segments` path segments
    below it."""
    segments: Segments | None = Field(None, examples=[1])
    """The number of path segments of the covered folder, where `covers` is `segments`."""
    carrier: SignatureCarrier | None = Field(None, examples=["path"])
    """Where the signature is: in the `path`, or in a `cookie`. The path if it is left out, except
    for `cloudfront`, which takes cookies only."""
    cookie_domain: DnsName | None = Field(None, examples=["example.com"])
    """The domain of cookies: a parent of the hosts of the edge and of the gateway."""
    path: SigningTemplate | None = Field(None, examples=["{prefix}~{expires}~{mac}/"])
    """`template`: the form of the signed folder in the URL. Fields: `{prefix}`, `{expires}`,
    `{starts}`, `{key}`, `{mac}`."""
    message: SigningTemplate | None = Field(None, examples=["{expires}{prefix}"])
    """`template`: the text of the HMAC. Fields: `{prefix}`, `{expires}`, `{starts}`, `{key}`,
    `{host}`."""
    algorithm: Literal["sha256", "sha1"] = "sha256"
    """The hash of the HMAC (`template`, `fastly`), or of the RSA signature (`cloudfront`)."""
    encoding: Literal["hex", "base64url"] = "hex"
    """`template`: how the HMAC is written."""
    token_name: TokenName | None = Field(None, examples=["hdnts"])
    """Name of the cookie, or what stands before `=` in the path. `akamai`: `hdnts` if it is left
    out. `cat`: `CAT` in the path, `CTA-Common-Access-Token` as a cookie."""
    salt: Salt | None = Field(None, examples=["…"])
    """`akamai`: the salt of the property."""
    data: TokenData | None = Field(None, examples=["vod"])
    """`akamai`: text in the token that the edge logs."""
    issuer: Issuer | None = Field(None, examples=["https://play.example.com"])
    """`cat`: the issuer (`iss`) that the edge expects."""

    @property
    def signs_in(self) -> Literal["path", "cookie"]:
        """Where the signature is."""
        return self.carrier or ("cookie" if self.scheme in _COOKIES_ONLY else "path")

    @property
    def has_start(self) -> bool:
        """Whether signatures have a time from which they are good."""
        return self.scheme in _WITH_START or has_start(self.path or "")

    @model_validator(mode="after")
    def _uses_its_keys(self) -> Self:
        for key, schemes in _KEYS_OF.items():
            if key in self.model_fields_set and self.scheme not in schemes:
                problem = f'is not used by scheme "{self.scheme}"'
                raise fault(key, problem, f"only with scheme {', '.join(schemes)}")
        if self.skew_s is not None and not self.has_start:
            problem = f'is not used; signatures of scheme "{self.scheme}" have no start'
            raise fault("skew_s", problem, f"only with scheme {', '.join(_WITH_START)}")
        return self

    @model_validator(mode="after")
    def _has_keys_that_sign(self) -> Self:
        private = self.scheme in _PRIVATE_KEYS
        for key in self.keys:
            if (key.private_key_file is not None) is not private:
                wanted = "private_key_file" if private else "secret or secret_file"
                problem = f'"{key.id}" cannot sign by scheme "{self.scheme}"'
                raise fault("keys", problem, f"keys with {wanted}")
        if all(key.status != "active" for key in self.keys):
            raise fault("keys", "have no key whose status is active", "at least one active key")
        if len({key.id for key in self.keys}) < len(self.keys):
            raise fault("keys", "have an id twice", "keys with different ids")
        return self

    @model_validator(mode="after")
    def _steps_within_a_lifetime(self) -> Self:
        if self.step_s > self.lifetime_s:
            raise fault("step_s", "is above lifetime_s", f"at most {self.lifetime_s}")
        return self

    @model_validator(mode="after")
    def _counts_segments(self) -> Self:
        if (self.covers == "segments") is (self.segments is None):
            problem = 'is not used; covers is not "segments"' if self.segments else "is missing"
            raise fault("segments", problem, 'a number with covers = "segments", none otherwise')
        return self

    @model_validator(mode="after")
    def _signs_where_the_scheme_can(self) -> Self:
        only = None if self.scheme in _EITHER else "path"
        only = "cookie" if self.scheme in _COOKIES_ONLY else only
        if only is not None and self.signs_in != only:
            problem = f'is not possible with scheme "{self.scheme}"'
            raise fault("carrier", problem, only)
        if (self.signs_in == "cookie") is (self.cookie_domain is None):
            given = self.cookie_domain is not None
            problem = "is not used; the signature is in the path" if given else "is missing"
            allowed = "a parent domain of edge and gateway where the signature is in a cookie"
            raise fault("cookie_domain", problem, allowed)
        return self
