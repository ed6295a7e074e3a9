"""How are the URLs of an edge signed?"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, model_validator

from gateway.config import validators
from gateway.config.fields import Allowed, TimeToLive
from gateway.config.key_settings import SigningSecret
from gateway.config.section import Section, fault
from gateway.edge.signing import Covers

EdgeKeyId = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9_-]{1,64}$"),
    Allowed("1 to 64 letters, digits, or any of _ -"),
]
Segments = Annotated[int, Field(strict=True, ge=1, le=16), Allowed("a whole number from 1 to 16")]


def _read(path: SecretStr, info: ValidationInfo) -> SecretStr:
    return validators.secret_file(Path(path.get_secret_value()), info)


SecretFile = Annotated[
    SecretStr,
    AfterValidator(_read),
    Allowed("a file that holds such a secret, with or without a line end"),
]


class EdgeKeySettings(Section):
    """A key that the edge knows as well. The first one that is active signs."""

    id: EdgeKeyId = Field(examples=["2026-11"])
    """Name of the key. Where a scheme names keys in URLs, it is the name that the edge knows."""
    secret: SigningSecret | None = Field(None, examples=["…"])
    """The secret that the edge has, too."""
    secret_file: SecretFile | None = Field(None, examples=["/run/secrets/edge-key"])
    """A file that holds the secret, instead of `secret`. It is read when the configuration is."""
    status: Literal["active", "standby"] = "active"
    """`standby` signs nothing, but is checked as if it did, so that switching to it is safe."""

    @model_validator(mode="after")
    def _has_one_secret(self) -> Self:
        if (self.secret is None) is (self.secret_file is None):
            problem = "is missing" if self.secret is None else "cannot be combined with secret"
            raise fault("secret_file", problem, "secret or secret_file, one of them")
        return self

    @property
    def secret_text(self) -> str:
        """The secret itself."""
        given = self.secret or self.secret_file
        if given is None:
            raise AssertionError("the check of the table requires one of them")
        return given.get_secret_value()


class EdgeSigningSettings(Section):
    """Signs the URLs of the edge, for edges that serve nothing without a signature
    (`docs/edge-signing.md`)."""

    scheme: Literal["nginx"] = Field(examples=["nginx"])
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
    covers: Covers = "asset"
    """What one signature covers: `asset` is the folder of the manifest and all below it, `edge`
    is all below the edge's `url`, and `segments` is a folder of the first `segments` path segments
    below it."""
    segments: Segments | None = Field(None, examples=[1])
    """The number of path segments of the covered folder, where `covers` is `segments`."""

    @model_validator(mode="after")
    def _has_an_active_key(self) -> Self:
        if all(key.status != "active" for key in self.keys):
            raise fault("keys", "have no key whose status is active", "at least one active key")
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
