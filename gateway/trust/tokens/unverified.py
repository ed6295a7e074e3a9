"""What does a text say before anybody has verified it?"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.trust.tokens.algorithm import Algorithm
from gateway.trust.tokens.key import TokenKey
from gateway.trust.tokens.verified import TokenForm


@dataclass(frozen=True, slots=True)
class UnverifiedToken:
    """A token that was taken apart. Nothing in it is trusted but to find its key.

    ``kid`` is the id of the key that it names. ``accepts`` are the algorithms that fit what it says
    of its own. ``claims`` have the names that JWTs use. ``verified_by`` says whether a key made it.
    """

    form: TokenForm
    kid: str | None
    accepts: tuple[Algorithm, ...]
    claims: Mapping[str, Any]
    verified_by: Callable[[TokenKey], bool]
