"""How are the keys configured that sign what the gateway hands out?"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, model_validator

from gateway.config import validators
from gateway.config.fields import Allowed, Seconds
from gateway.config.section import Section, fault

RingKeyId = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9_-]{1,32}$"),
    Allowed("1 to 32 letters, digits, or any of _ -"),
]
SigningSecret = Annotated[
    SecretStr,
    AfterValidator(validators.signing_secret),
    Allowed("a secret of 32 to 4096 printable ASCII characters, without spaces"),
]


def _read(path: SecretStr, info: ValidationInfo) -> SecretStr:
    return validators.secret_file(Path(path.get_secret_value()), info)


SecretFile = Annotated[
    SecretStr,
    AfterValidator(_read),
    Allowed("a file that holds such a secret, with or without a line end"),
]


def check_one_secret(secret: SecretStr | None, secret_file: SecretStr | None) -> None:
    """Raises the fault of a table that has neither ``secret`` nor ``secret_file``, or both."""
    if (secret is None) is (secret_file is None):
        problem = "is missing" if secret is None else "cannot be combined with secret"
        raise fault("secret_file", problem, "secret or secret_file, one of them")


class RingKeySettings(Section):
    """One key. Exactly one is active."""

    id: RingKeyId = Field(examples=["2026-11"])
    """Unique name of the key. It stands in front of everything that the key signs."""
    secret: SigningSecret | None = Field(None, examples=["…"])
    """The secret. `openssl rand -base64 48` makes a good one."""
    secret_file: SecretFile | None = Field(None, examples=["/run/secrets/gateway-key"])
    """A file that holds the secret, instead of `secret`. It is read when the configuration is."""
    status: Literal["active", "verify-only", "retired"] = "active"
    """`active` signs and verifies, `verify-only` only verifies, `retired` is refused at once."""

    @model_validator(mode="after")
    def _has_one_secret(self) -> Self:
        check_one_secret(self.secret, self.secret_file)
        return self

    @property
    def secret_text(self) -> str:
        """The secret itself."""
        given = self.secret or self.secret_file
        if given is None:
            raise AssertionError("the check of the table requires one of them")
        return given.get_secret_value()


class KeySettings(Section):
    """The keys that sign what the gateway hands out and gets back, such as the state of content
    steering (`docs/keys.md`)."""

    overlap_s: Seconds
    """How long a key that was removed from the list is still accepted, in seconds. It does not
    apply to keys with the status `retired`."""
    ring: tuple[RingKeySettings, ...] = ()
    """The keys. Without any, workers that share a Redis share a random key."""
