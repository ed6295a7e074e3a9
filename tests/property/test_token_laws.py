"""Laws of playback tokens: no text but the issuer's verifies, and none makes the verifier fail."""

from functools import cache
from typing import Any

import pytest
from cbor2 import CBORTag, dumps
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.trust.tokens.algorithm import Algorithm
from gateway.trust.tokens.base64url import decoded, encoded
from gateway.trust.tokens.cbor import cbor_of
from gateway.trust.tokens.key import TokenKey
from gateway.trust.tokens.refusal import Refused
from gateway.trust.tokens.verified import VerifiedToken
from tests.unit.trust.tokens.making import CLAIMS, NOW_S, cat, jwt, token_key, verifier

ALGORITHMS: tuple[Algorithm, ...] = ("HS256", "ES256", "EdDSA")
MADE = {
    **{f"JWT {name}": (jwt(CLAIMS | {"sub": "a"}, name), name) for name in ALGORITHMS},
    **{f"CAT {name}": (cat({2: "a"}, name), name) for name in ALGORITHMS},
}
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=9,
)
LABELS = st.sampled_from([*range(1, 9), *range(308, 324), "asset", "devices", "codecs"])
ANY_CBOR = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9) | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(LABELS | st.integers(-3, 9), inner, max_size=4)
        | inner.map(lambda value: CBORTag(52, value))
    ),
    max_leaves=9,
)
NAMES = st.sampled_from(
    [
        *("iss", "sub", "aud", "exp", "nbf", "jti", "asset", "asset_prefix", "session", "asn"),
        *("countries", "networks", "devices", "max_resolution", "max_bitrate", "codecs"),
    ]
)


@cache
def key_of(algorithm: Algorithm) -> TokenKey:
    """The key that verifies an algorithm."""
    return token_key(algorithm)


@pytest.mark.parametrize("name", MADE)
@given(data=st.data())
@settings(max_examples=25)
def test_no_changed_byte_verifies(name: str, data: st.DataObject) -> None:
    """Nor one that is left out, added, or moved, in the text and in what it encodes."""
    text, algorithm = MADE[name]
    strict = verifier(key_of(algorithm))
    assert isinstance(strict.verify(text, NOW_S), VerifiedToken)
    at = data.draw(st.integers(0, len(text) - 1))
    character = data.draw(st.characters(codec="ascii"))
    changed = data.draw(
        st.sampled_from(
            [
                text[:at] + character + text[at + 1 :],
                text[:at] + text[at + 1 :],
                text[:at] + character + text[at:],
                text[at:] + text[:at],
            ]
        )
    )
    if changed != text:
        assert isinstance(strict.verify(changed, NOW_S), Refused)
    parts = text.split(".")
    part = data.draw(st.integers(0, len(parts) - 1))
    raw = bytearray(decoded(parts[part]) or b"")
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    parts[part] = encoded(bytes(raw))
    assert isinstance(strict.verify(".".join(parts), NOW_S), Refused)


@settings(max_examples=40)
@given(text=st.text(max_size=100) | st.binary(max_size=300).map(encoded))
def test_any_text_is_refused(text: str) -> None:
    """Without an error, with a sentence that does not have it."""
    found = verifier(key_of("HS256")).verify(text, NOW_S)
    assert isinstance(found, Refused)
    assert len(text) < 30 or text not in found.sentence


@settings(max_examples=40)
@given(claims=st.dictionaries(NAMES | st.text(max_size=9), ANY_JSON, max_size=6))
def test_any_claims_of_a_jwt_are_read_or_refused(claims: dict[str, Any]) -> None:
    """An issuer may write anything."""
    found = verifier(key_of("HS256")).verify(jwt(claims), NOW_S)
    assert isinstance(found, VerifiedToken | Refused)


@settings(max_examples=40)
@given(claims=st.dictionaries(LABELS | st.integers() | st.text(max_size=9), ANY_CBOR, max_size=6))
def test_any_claims_of_a_cat_are_read_or_refused(claims: dict[Any, Any]) -> None:
    """An issuer may write anything."""
    found = verifier(key_of("HS256")).verify(cat(claims), NOW_S)
    assert isinstance(found, VerifiedToken | Refused)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(signature=st.binary(max_size=80))
@settings(max_examples=30)
def test_any_signature_is_refused(algorithm: Algorithm, signature: bytes) -> None:
    """Of any length, without an error."""
    signed = jwt(algorithm=algorithm).rpartition(".")[0]
    found = verifier(key_of(algorithm)).verify(f"{signed}.{encoded(signature)}", NOW_S)
    assert isinstance(found, Refused)


@given(value=ANY_CBOR | st.binary(max_size=200))
def test_cbor_is_read_as_the_library_writes_it(value: object) -> None:
    """What is within the bounds is read, and anything else is a ValueError."""
    data = value if isinstance(value, bytes) else dumps(value)
    try:
        read = cbor_of(data, frozenset({52}))
    except ValueError:
        return
    assert dumps(read) == dumps(read)


@given(data=st.binary(max_size=99))
def test_base64url_has_one_form(data: bytes) -> None:
    """What is encoded is decoded, and nothing else is the same."""
    assert data == decoded(encoded(data))


@given(text=st.text("AZaz09-_", max_size=40))
def test_base64url_is_decoded_in_its_only_form(text: str) -> None:
    """A text is either refused, or exactly what its bytes are encoded as."""
    data = decoded(text)
    assert data is None or encoded(data) == text
