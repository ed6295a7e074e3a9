"""Signed texts: what verifies, and what does not."""

import hmac
from base64 import urlsafe_b64encode

import pytest

from gateway.trust.keys import (
    MAC_BYTES,
    MAX_SIGNED_CHARS,
    KeyRing,
    Purpose,
    SigningKey,
    generated_key,
)

OLD = SigningKey("old", b"o" * 32, "verify-only")
NEW = SigningKey("new", b"n" * 32)
RING = KeyRing(NEW, [OLD])
STATE = Purpose.STEERING_STATE


def test_the_form_is_the_documented_one() -> None:
    """Key id, dot, base64url of payload and the first 128 bits of HMAC-SHA-256."""
    derived = hmac.digest(b"n" * 32, b"streaming-gateway key 1: steering-state", "sha256")
    mac = hmac.digest(derived, b"payload", "sha256")[:16]
    expected = "new." + urlsafe_b64encode(b"payload" + mac).decode().rstrip("=")
    assert (expected, 16) == (RING.sign(STATE, b"payload"), MAC_BYTES)


@pytest.mark.parametrize("payload", [b"", b"x", bytes(range(256)), b"p" * 1000])
def test_what_a_ring_signs_it_verifies(payload: bytes) -> None:
    assert payload == RING.verify(STATE, RING.sign(STATE, payload))


def test_keys_that_only_verify_do_so_and_others_do_not() -> None:
    """Rotation: the new key signs, what the old one signed is accepted until it leaves the ring."""
    text = KeyRing(OLD).sign(STATE, b"before")
    assert b"before" == RING.verify(STATE, text)
    assert KeyRing(NEW).verify(STATE, text) is None
    assert RING.sign(STATE, b"x").startswith("new.")


def test_a_key_id_does_not_stand_for_another_secret() -> None:
    """Another gateway's key with the same id."""
    assert KeyRing(SigningKey("new", b"m" * 32)).verify(STATE, RING.sign(STATE, b"x")) is None


def test_each_purpose_has_a_key_of_its_own() -> None:
    """The text of one purpose must not be signed with the key of another, nor with the secret."""
    derived = set(NEW.derived.values())
    assert len(Purpose) == len(derived)
    assert NEW.secret not in derived
    for key in (NEW.secret, hmac.digest(NEW.secret, b"streaming-gateway key 1: other", "sha256")):
        mac = hmac.digest(key, b"payload", "sha256")[:16]
        forged = "new." + urlsafe_b64encode(b"payload" + mac).decode().rstrip("=")
        assert RING.verify(STATE, forged) is None


def test_every_changed_character_is_noticed() -> None:
    """In the id, the payload and the mac; the last one may hold bits that decode to nothing."""
    text = RING.sign(STATE, b"payload12")
    assert (9 + MAC_BYTES) % 3 != 0  # so the last character has such bits
    changed = [
        text[:at] + other + text[at + 1 :]
        for at, char in enumerate(text[:-1])
        for other in "Aa0_-"
        if other != char
    ]
    assert [] == [one for one in changed if RING.verify(STATE, one) is not None]


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "new",
        "new.",
        "new.AAAA",
        "new.A",
        "new.\u00e9\u00e9\u00e9\u00e9",
        "new.AAA=",
        "none." + "A" * 40,
        " " + RING.sign(STATE, b"x"),
        RING.sign(STATE, b"x") + "\n",
        RING.sign(STATE, b"x") + "=",
        RING.sign(STATE, b"x").replace(".", ".."),
        RING.sign(STATE, b"p" * MAX_SIGNED_CHARS),
        "new." + "A" * 1_000_000,
        "\ud800.AAAA",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    """Hostile text is neither accepted nor an error."""
    assert RING.verify(STATE, text) is None


def test_secrets_are_not_shown() -> None:
    assert "nnnn" not in repr(NEW)
    assert {"old", "new"} == RING.ids


def test_generated_keys_have_the_same_id_everywhere() -> None:
    """Workers that share the secret accept each other's texts."""
    one, other = KeyRing(generated_key(b"s" * 32)), KeyRing(generated_key(b"s" * 32))
    assert b"x" == one.verify(STATE, other.sign(STATE, b"x"))
    assert one.active.id != generated_key(b"t" * 32).id
    assert one.active.id.startswith("auto-")
