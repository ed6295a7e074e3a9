"""Why is a playback token not accepted?"""

from dataclasses import dataclass
from enum import StrEnum


class RefusalCode(StrEnum):
    """Why a text is no valid token. The gateway answers 401 for each of them."""

    TOO_LONG = "token-too-long"
    MALFORMED = "token-malformed"
    HEADER = "token-header"
    ALGORITHM = "token-algorithm"
    UNKNOWN_KEY = "token-unknown-key"
    KEY_TIME = "token-key-not-in-force"
    SIGNATURE = "token-signature"
    ISSUER = "token-issuer"
    AUDIENCE = "token-audience"
    CLAIM = "token-claim"
    UNSUPPORTED = "token-unsupported-claim"
    EXPIRED = "token-expired"
    NOT_YET = "token-not-yet-valid"
    LIFETIME = "token-lifetime"


@dataclass(frozen=True, slots=True)
class Refused:
    """A token that is not accepted: a stable code, and a sentence that has none of its text."""

    code: RefusalCode
    sentence: str


class TokenError(ValueError):
    """A token is not accepted; ``refused`` says why."""

    def __init__(self, code: RefusalCode, sentence: str) -> None:
        self.refused = Refused(code, sentence)
        super().__init__(sentence)


def malformed(sentence: str) -> TokenError:
    """The error for a text that is no token at all."""
    return TokenError(RefusalCode.MALFORMED, sentence)
