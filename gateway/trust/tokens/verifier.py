"""Is a text a valid playback token, and what does it allow?"""

from gateway.trust.tokens.grant import Grant
from gateway.trust.tokens.refusal import RefusalCode, Refused
from gateway.trust.tokens.rules import TokenRules


class Verifier:
    """Verifies tokens. A new one takes its place when keys or settings change."""

    def __init__(self, rules: TokenRules) -> None:
        """``rules``: what every token must fulfil."""
        self._rules = rules

    def verify(self, text: str, now_s: float) -> Grant | Refused:  # noqa: ARG002
        """What the token ``text`` allows at ``now_s`` (Unix seconds), or why it is refused."""
        return Refused(RefusalCode.UNKNOWN_KEY, "No key is configured that verifies the token.")
