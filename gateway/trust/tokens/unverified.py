"""What does a text say before anybody has verified it?"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from gateway.trust.tokens.algorithm import Algorithm
from gateway.trust.tokens.key import TokenKey
from gateway.trust.tokens.verified import TokenForm


class Origin(NamedTuple):
    """What a renewed token says of the first one: the tag of the key that made it, and its
    issuer."""

    key_tag: bytes
    issuer: str | None


@dataclass(frozen=True, slots=True)
class UnverifiedToken:
    """A token that was taken apart. Nothing in it is trusted but to find its key.

    ``kid`` is the id of the key that it names. ``accepts`` are the algorithms that fit what it says
    of its own. ``claims`` have the names that JWTs use. ``verified_by`` says whether a key made it.
    ``origin`` is that of a renewed token of another key.
    """

    form: TokenForm
    kid: str | None
    accepts: tuple[Algorithm, ...]
    claims: Mapping[str, Any]
    verified_by: Callable[[TokenKey], bool]
    origin: Origin | None = None
