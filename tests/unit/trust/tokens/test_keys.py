"""Which keys can verify tokens, and what is used of a JSON Web Key Set?"""

import json
from typing import Any

import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey

from gateway.trust.tokens.algorithm import COSE_NUMBERS, Algorithm
from gateway.trust.tokens.base64url import encoded
from gateway.trust.tokens.key import KeyUse, public_key, secret_key
from gateway.trust.tokens.key_set import MAX_SET_KEYS, SetUse, TokenKeys, keys_of_set
from tests.unit.trust.tokens.making import SECRET, private, token_key

EC: dict[str, Any] = private("ES256").as_dict(private=False)
ED: dict[str, Any] = private("EdDSA").as_dict(private=False)
RSA: dict[str, Any] = RSAKey.generate_key(2048).as_dict(private=False)
SMALL_RSA = {"kty": "RSA", "e": "AQAB", "n": encoded((2**1023 + 1).to_bytes(128))}
P384 = ECKey.generate_key("P-384").as_pem(private=False).decode()
ED448 = OKPKey.generate_key("Ed448").as_pem(private=False).decode()
PRIVATE_JWK = json.dumps(private("ES256").as_dict(private=True))

BAD_KEYS: list[tuple[str, Algorithm, str, str]] = [
    ("no key", "ES256", "hello", "is no public key for ES256"),
    ("a secret's algorithm", "HS256", json.dumps(EC), "is a public key, and HS256 needs a secret"),
    ("broken JSON", "ES256", "{", "is neither PEM nor a JSON Web Key"),
    ("deep JSON", "ES256", '{"a":' * 100_000, "is neither PEM nor a JSON Web Key"),
    ("another kind", "RS256", json.dumps(EC), "is no public key for RS256"),
    ("another curve", "ES256", P384, "has another curve than P-256, that of ES256"),
    ("Ed448", "EdDSA", ED448, "has another curve than Ed25519, that of EdDSA"),
    ("few bits", "RS256", json.dumps(SMALL_RSA), "has 1024 bits; at least 2048 are needed"),
    ("a private JWK", "ES256", PRIVATE_JWK, "is a private or secret key"),
    ("a secret JWK", "ES256", '{"kty": "oct", "k": "AAAA"}', "is a private or secret key"),
    ("a point that is on no curve", "ES256", json.dumps(EC | {"x": EC["y"]}), "is no public key"),
    (
        "an encrypted private key",
        "RS256",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----",
        "is a private key",
    ),
]


@pytest.mark.filterwarnings("default")  # the library warns of short keys as well
@pytest.mark.parametrize(
    ("algorithm", "text", "reason"), [row[1:] for row in BAD_KEYS], ids=[row[0] for row in BAD_KEYS]
)
def test_what_is_no_public_key(algorithm: Algorithm, text: str, reason: str) -> None:
    """The reason has nothing of the text."""
    with pytest.raises(ValueError, match=f"^{reason}"):
        public_key(KeyUse("k", algorithm), text)


def test_what_is_no_secret() -> None:
    """Too short, for another algorithm, or a public key by mistake."""
    with pytest.raises(ValueError, match="has 31 bytes; at least 32 are needed"):
        secret_key(KeyUse("k", "HS256"), SECRET[:31])
    with pytest.raises(ValueError, match="is a secret, and ES256 needs a public key"):
        secret_key(KeyUse("k", "ES256"), SECRET)
    with pytest.raises(ValueError, match="must not be used"):
        secret_key(KeyUse("k", "HS256"), private("ES256").as_pem(private=False))


def test_keys_show_no_secret_and_are_compared_by_their_material() -> None:
    """PEM and JWK of one key are the same key."""
    one, same = token_key(), token_key()
    assert one == same
    assert one != secret_key(KeyUse("k", "HS256"), SECRET + b"x")
    assert SECRET.decode() not in repr(one)
    assert public_key(KeyUse("k", "ES256"), json.dumps(EC)) == token_key("ES256")
    assert TokenKeys([one, same]) == TokenKeys([one])
    assert TokenKeys([one]) != [one]
    assert ("k", 12) == (one.name, len(token_key(kid=None).name))


@pytest.mark.parametrize(
    "algorithm", ["HS256", "HS384", "HS512", "ES256", "EdDSA", "RS256", "PS512"]
)
def test_both_libraries_verify_the_same_algorithm(algorithm: Algorithm) -> None:
    """The key for COSE has the number of the algorithm (RFC 9053; RFC 8812)."""
    use = KeyUse("k", algorithm)
    key = token_key(algorithm) if algorithm[0] in "HE" else public_key(use, json.dumps(RSA))
    assert COSE_NUMBERS[algorithm] == key.cose.alg


KEYS: list[tuple[str, Any, str | None]] = [
    ("EC", EC | {"kid": "a"}, "ES256"),
    ("Ed25519", ED | {"use": "sig"}, "EdDSA"),
    ("Ed25519 by its new name", ED | {"alg": "Ed25519"}, "EdDSA"),
    ("RSA without alg", RSA, "PS256"),
    ("RSA with alg", RSA | {"alg": "RS512", "key_ops": ["verify"]}, "RS512"),
    ("for encryption", RSA | {"use": "enc"}, None),
    ("for other operations", RSA | {"key_ops": ["encrypt"]}, None),
    ("a secret", {"kty": "oct", "k": encoded(SECRET), "alg": "HS256"}, None),
    ("a secret without alg", {"kty": "oct", "k": encoded(SECRET)}, None),
    ("an unknown curve", {"kty": "OKP", "crv": "X25519", "x": ED["x"]}, None),
    ("a curve that is a list", {"kty": "EC", "crv": ["P-256"]}, None),
    ("an unknown alg", EC | {"alg": "none"}, None),
    ("an alg that is a list", EC | {"alg": ["ES256"]}, None),
    ("an alg of another kind", EC | {"alg": "RS256"}, None),
    ("a private key", private("ES256").as_dict(private=True), None),
    ("an empty kid", EC | {"kid": ""}, None),
    ("a kid that is a number", EC | {"kid": 1}, None),
    ("no object", 7, None),
]


@pytest.mark.parametrize(("jwk", "algorithm"), [r[1:] for r in KEYS], ids=[r[0] for r in KEYS])
def test_what_is_used_of_a_set(jwk: Any, algorithm: str | None) -> None:
    """A key that cannot be used costs itself alone."""
    data = json.dumps({"keys": [jwk, EC | {"kid": "other"}]}).encode()
    keys, skipped = keys_of_set(data, SetUse("https://a.example", "PS256", "asset"))
    *mine, other = keys
    assert ("other", "https://a.example", "asset") == (
        other.use.id,
        other.use.issuer,
        other.use.subject_is,
    )
    assert ([algorithm] if algorithm else []) == [key.use.algorithm for key in mine]
    assert (0 if algorithm else 1) == len(skipped)
    assert all(text.startswith("key 0 ") for text in skipped)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "Expecting value"),
        (b"[]", "is no JSON Web Key Set"),
        (b'{"keys": {}}', "is no JSON Web Key Set"),
        (b" " * 200_000, "has 200000 bytes"),
        (b"[" * 100_000, "is nested too deeply"),
        (json.dumps({"keys": [1] * (MAX_SET_KEYS + 1)}).encode(), "has 101 keys, more than 100"),
    ],
)
def test_what_is_no_set(data: bytes, reason: str) -> None:
    """Nothing of it is used."""
    with pytest.raises(ValueError, match=reason):
        keys_of_set(data, SetUse(None))
