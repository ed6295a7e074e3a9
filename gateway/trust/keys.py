"""Which key signs what the gateway hands out, and is what it gets back signed by one of its keys?

A signed text is ``<key id>.<base64url(payload + mac)>`` without padding. The mac is the first
``MAC_BYTES`` of HMAC-SHA-256. Each purpose has its own key, derived from the secret with HMAC, so a
text that was signed for one purpose is refused for every other.

One key of a ring is active and signs. Keys that only verify are for rotation: what they signed is
still accepted. Retired keys are refused at once.
"""

import hmac
import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b
from typing import Final, Literal

MAC_BYTES: Final = 16
"""The length of a mac: 128 bits (RFC 2104, section 5, allows at least 80 and half of the hash)."""
MAX_SIGNED_CHARS: Final = 2048
"""A longer text is refused unread."""

KeyStatus = Literal["active", "verify-only", "retired"]

_SIGNED = re.compile(r"([A-Za-z0-9_-]{1,32})\.([A-Za-z0-9_-]+)")
_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")
"""base64url (RFC 4648, 5). :mod:`base64` does the same with more calls."""
_DERIVATION = b"streaming-gateway key 1: "
_GENERATED_PREFIX = "auto-"


class Purpose(StrEnum):
    """What a text is signed for."""

    STEERING_STATE = "steering-state"
    REFRESH_STATE = "refresh-state"
    CLIENT_CLASS = "client-class"
    OPERATOR_SIGN_IN = "operator-sign-in"
    OPERATOR_SESSION = "operator-session"
    ADMISSION = "admission"
    CLIENT_NETWORK = "client-network"
    EDGE_REGISTRATION = "edge-registration"
    PLAYBACK_TOKEN = "playback-token"  # noqa: S105  # no secret
    """Others sign these, with HMAC and the whole of the derived key (docs/tokens.md)."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A secret with its id (``A-Z a-z 0-9 _ -``, at most 32 characters) and status."""

    id: str
    secret: bytes = field(repr=False)
    status: KeyStatus = "active"
    derived: Mapping[Purpose, bytes] = field(init=False, repr=False, compare=False)
    _started: Mapping[Purpose, hmac.HMAC] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Derive the key of each purpose, and begin its macs: a copy of one that has begun takes
        half the time of a new one."""
        derived = {
            purpose: hmac.digest(self.secret, _DERIVATION + purpose.encode(), "sha256")
            for purpose in Purpose
        }
        started = {purpose: hmac.new(key, digestmod="sha256") for purpose, key in derived.items()}
        object.__setattr__(self, "derived", derived)
        object.__setattr__(self, "_started", started)

    def mac(self, purpose: Purpose, payload: bytes) -> bytes:
        """The mac of a payload, ``MAC_BYTES`` long."""
        begun = self._started[purpose].copy()
        begun.update(payload)
        return begun.digest()[:MAC_BYTES]


def generated_key(secret: bytes) -> SigningKey:
    """An active key from random bytes. Its id is a hash of them, the same in every process."""
    return SigningKey(_GENERATED_PREFIX + blake2b(secret, digest_size=6).hexdigest(), secret)


class KeyRing:
    """The keys in use. Immutable."""

    def __init__(self, active: SigningKey, accepted: Iterable[SigningKey] = ()) -> None:
        """``active`` signs; it and ``accepted`` verify. Of two keys with one id, ``active`` counts,
        then the first of ``accepted``."""
        self.active = active
        self._keys = {key.id: key for key in reversed((active, *accepted))}
        self._prefix = active.id + "."

    @property
    def ids(self) -> frozenset[str]:
        """The ids of the keys that verify."""
        return frozenset(self._keys)

    def sign(self, purpose: Purpose, payload: bytes) -> str:
        """The payload, signed with the active key. It is readable: it is not encrypted."""
        signed = payload + self.active.mac(purpose, payload)
        encoded = b2a_base64(signed, newline=False).translate(_TO_URL).rstrip(b"=")
        return self._prefix + encoded.decode("ascii")

    def verify(self, purpose: Purpose, text: str) -> bytes | None:
        """The payload of a text that :meth:`sign` made for ``purpose`` with a key of this ring;
        None for anything else."""
        if len(text) > MAX_SIGNED_CHARS:
            return None
        found = _SIGNED.fullmatch(text)
        key = None if found is None else self._keys.get(found[1])
        if found is None or key is None:
            return None
        encoded = found[2]
        if len(encoded) % 4 == 1:  # no number of bytes has this length
            return None
        padding = b"=" * (-len(encoded) % 4)
        signed = a2b_base64(encoded.encode("ascii").translate(_FROM_URL) + padding)
        payload, mac = signed[:-MAC_BYTES], signed[-MAC_BYTES:]
        return payload if hmac.compare_digest(mac, key.mac(purpose, payload)) else None
