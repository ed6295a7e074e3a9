"""What must a token fulfil, whatever it opens?"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TokenRules:
    """The configuration of a verifier. Times are in seconds.

    ``leeway_s`` is how far the clocks of issuers may be off. ``max_lifetime_s`` None is any.
    ``audiences`` are the names under which tokens address this gateway (RFC 7519, 4.1.3).
    """

    max_chars: int = 4096
    leeway_s: float = 60
    require_expiry: bool = True
    max_lifetime_s: float | None = None
    audiences: frozenset[str] = frozenset()
