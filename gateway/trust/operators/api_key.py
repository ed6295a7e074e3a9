"""Which operator has this API key?

A key is ``gwk_<id>_<52 characters>``: the fixed start lets secret scanners find leaked keys, the id
names the key in logs, and the rest are 256 random bits in Base32 (RFC 4648, 6). The configuration
has only the SHA-256 of the whole text. A slow hash such as scrypt protects secrets that can be
guessed; 256 random bits cannot, and a fast hash keeps the check from being a way to load the
gateway.
"""

import hmac
import re
from base64 import b32encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Literal

from gateway.trust.operators.operator import Operator, Role, Scope, SignInRefusal

PREFIX: Final = "gwk_"
RANDOM_BYTES: Final = 32
HASH_PREFIX: Final = "sha256:"

KeyState = Literal["active", "revoked"]

_KEY: Final = re.compile(r"gwk_(?P<id>[a-z0-9-]{1,32})_[a-z2-7]{52}")
_NOBODYS_DIGEST: Final = bytes(32)

_UNKNOWN: Final = "the API key is not one of this gateway"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as the configuration has it. ``digest`` is the SHA-256 of its text, ``expires_s`` Unix
    time."""

    id: str
    digest: bytes = field(repr=False)
    role: Role
    scopes: frozenset[Scope] | None = None
    expires_s: float | None = None
    state: KeyState = "active"


def key_text(key_id: str, random: bytes) -> str:
    """The text of a new key. ``random`` are ``RANDOM_BYTES`` bytes."""
    return f"{PREFIX}{key_id}_{b32encode(random).decode('ascii').rstrip('=').lower()}"


def key_hash(text: str) -> str:
    """What the configuration has of a key: ``sha256:<64 hexadecimal digits>``."""
    return HASH_PREFIX + _digest(text).hex()


def digest_of(key_hash: str) -> bytes:
    """The bytes of :func:`key_hash`."""
    return bytes.fromhex(key_hash.removeprefix(HASH_PREFIX))


class ApiKeys:
    """The keys in use. Immutable."""

    def __init__(self, keys: Iterable[ApiKey]) -> None:
        self._keys = {key.id: key for key in keys}

    def verify(self, text: str, now_s: float) -> Operator | SignInRefusal:
        """Who has the key ``text``; ``now_s`` is Unix time.

        A key whose id is unknown takes as long as one that is wrong, and gets the same answer.
        """
        found = _KEY.fullmatch(text)
        named = None if found is None else found["id"]
        key = None if named is None else self._keys.get(named)
        expected = _NOBODYS_DIGEST if key is None else key.digest
        same = hmac.compare_digest(_digest(text), expected)
        if key is None or not same:
            return SignInRefusal("unknown-key", _UNKNOWN, named)
        if key.state == "revoked":
            return SignInRefusal("revoked-key", "the API key is revoked", key.id)
        if key.expires_s is not None and now_s >= key.expires_s:
            return SignInRefusal("expired-key", "the API key has expired", key.id)
        return Operator("key", key.id, key.role, key.scopes)


def _digest(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogatepass")).digest()
