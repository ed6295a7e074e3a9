"""Tokens that others made: the examples of RFCs, and CATs of public projects."""

import json

import pytest

from gateway.trust.tokens.base64url import decoded, encoded
from gateway.trust.tokens.key import KeyUse, TokenKey, public_key, secret_key
from gateway.trust.tokens.key_set import TokenKeys
from gateway.trust.tokens.refusal import RefusalCode, Refused
from gateway.trust.tokens.rules import TokenRules
from gateway.trust.tokens.verified import VerifiedToken
from gateway.trust.tokens.verifier import Verifier

PAYLOAD = (
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
)
OCT = decoded(
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
)
RSA = {
    "kty": "RSA",
    "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt"
    "0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5"
    "z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aG"
    "hyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
    "e": "AQAB",
}
EC = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
ED25519 = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}

JWTS = [
    (
        "RFC 7515, A.1 (RFC 7519, 3.1): HMAC SHA-256",
        secret_key(KeyUse(None, "HS256"), OCT or b""),
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9",
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    ),
    (
        "RFC 7515, A.2: RSASSA-PKCS1-v1_5 SHA-256",
        public_key(KeyUse(None, "RS256"), json.dumps(RSA)),
        "eyJhbGciOiJSUzI1NiJ9",
        (
            "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5"
            "jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb"
            "1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QO"
            "YEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
        ),
    ),
    (
        "RFC 7515, A.3: ECDSA P-256 SHA-256",
        public_key(KeyUse(None, "ES256"), json.dumps(EC)),
        "eyJhbGciOiJFUzI1NiJ9",
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    ),
]


@pytest.mark.parametrize(("key", "header", "signature"), [row[1:] for row in JWTS])
def test_the_examples_of_rfc_7515(key: TokenKey, header: str, signature: str) -> None:
    """Each verifies, and expired in 2011."""
    verifier = Verifier(TokenKeys([key]), TokenRules())
    token = f"{header}.{PAYLOAD}.{signature}"
    found = verifier.verify(token, 1300819379.0)
    assert isinstance(found, VerifiedToken)
    assert ("joe", 1300819380.0) == (found.issuer, found.expires_s)
    later = verifier.verify(token, 1300819380.0 + 60)
    assert Refused(RefusalCode.EXPIRED, "The token has expired.") == later


def test_the_example_of_rfc_8037() -> None:
    """Ed25519 (appendix A.4). Its payload is a text, so that it is no JWT."""
    key = public_key(KeyUse(None, "EdDSA"), json.dumps(ED25519))
    signed = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
    signature = decoded(
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    )
    assert signature is not None
    assert key.verifies(signed, signature)
    assert not key.verifies(signed + b".", signature)
    assert not key.verifies(signed, b"short")


SYMMETRIC = "403697de87af64611c1d32a05dab0fe1fcb715a86ab435f1ec99192d79569388"
ECDSA = {
    "kty": "EC",
    "crv": "P-256",
    "x": "143329cce7868e416927599cf65a34f3ce2ffda55a7eca69ed8919a394d42f0f",
    "y": "60f7f1a780d8a783bfb7a2dd6b2796e8128dbbcef9d3d168db9529971a36e7b9",
}
CWT_KEYS = TokenKeys(
    [
        *(
            secret_key(KeyUse(kid, "HS256"), bytes.fromhex(SYMMETRIC))
            for kid in ("akamai_key_hs256", "Symmetric256")
        ),
        public_key(
            KeyUse("AsymmetricECDSA256", "ES256"),
            json.dumps(ECDSA | {n: encoded(bytes.fromhex(ECDSA[n])) for n in ("x", "y")}),
        ),
    ]
)
SIGNED_CWT = (
    "d28443a10126a104524173796d6d657472696345434453413235365850a70175636f61703a2f2f61732e6578616d706c"
    "652e636f6d02656572696b77037818636f61703a2f2f6c696768742e6578616d706c652e636f6d041a5612aeb0051a56"
    "10d9f0061a5610d9f007420b7158405427c1ff28d23fbad1f29c4c7c6a555e601d6fa29f9179bc3d7438bacaca5acd08"
    "c8d4d4f96131680c429a01f85951ecee743a52b9b63632c57209120e1c9e30"
)
SHORT_MAC_CWT = (
    "d18443a10104a1044c53796d6d65747269633235365850a70175636f61703a2f2f61732e6578616d706c652e636f6d02"
    "656572696b77037818636f61703a2f2f6c696768742e6578616d706c652e636f6d041a5612aeb0051a5610d9f0061a56"
    "10d9f007420b7148093101ef6d789200"
)
AT = 1_741_990_000.0
CATS = [
    (
        "issuer and times, with the tags of CWT and COSE_Mac0",
        (
            "2D3RhEOhAQWhBFBha2FtYWlfa2V5X2hzMjU2WCijAXgYY29hcDovL2pvbmFzLmV4YW1wbGUuY29tBhpn1JipBRpn1JipWC"
            "CX4nQb8SYQoa0SFLxE2Rh35DdTjoA9TzOSy1IP9O1BGQ"
        ),
        ("coap://jonas.example.com", None, frozenset()),
    ),
    (
        "an end",
        (
            "2D3RhEOhAQWhBFBha2FtYWlfa2V5X2hzMjU2U6MEGnUCOrsGGmfXRKwFGmfXRKxYIOM6yRx830uqAamWFv1amFYRa5vaV2"
            "z5lIQTqFEvFh8z"
        ),
        (None, 1963080379.0, frozenset()),
    ),
    (
        "two audiences",
        (
            "2D3RhEOhAQWhBFBha2FtYWlfa2V5X2hzMjU2V6MDgmNvbmVjdHdvBhpn12R8BRpn12R8WCAdnSbUN4KbIvaHLn-q4f4YRp"
            "fq6ERYotByjbIyZ-EkfQ"
        ),
        (None, None, frozenset({"one", "two"})),
    ),
]


@pytest.mark.parametrize(("token", "expected"), [row[1:] for row in CATS])
def test_cats_of_another_project(
    token: str, expected: tuple[str | None, float | None, frozenset[str]]
) -> None:
    """The tokens that the tests of Eyevinn's node-cat have, made by Akamai's tools."""
    rules = TokenRules(require_expiry=False, audiences=frozenset({"one", "three"}))
    found = Verifier(CWT_KEYS, rules).verify(token, AT + 86_400 * 30)
    assert isinstance(found, VerifiedToken), found
    assert expected == (found.issuer, found.expires_s, found.audiences)
    assert ("cat", "akamai_key_hs256") == (found.form, found.key)


def test_a_cat_of_another_project_that_has_expired() -> None:
    """It verifies, and is refused by its time."""
    token = (
        "2D3RhEOhAQWhBFBha2FtYWlfa2V5X2hzMjU2U6MEGmfXP_YGGmfXQAsFGmfXQAtYINTT_KlOyhaV6NaSxFXkqJWfBagS"
        "kPkem10dysoA-C0w"
    )
    found = Verifier(CWT_KEYS, TokenRules()).verify(token, 1742160000.0)
    assert Refused(RefusalCode.EXPIRED, "The token has expired.") == found


def test_the_signed_example_of_rfc_8392() -> None:
    """COSE_Sign1 with ES256 (appendix A.3)."""
    rules = TokenRules(audiences=frozenset({"coap://light.example.com"}))
    found = Verifier(CWT_KEYS, rules).verify(encoded(bytes.fromhex(SIGNED_CWT)), 1443944944.0)
    assert isinstance(found, VerifiedToken), found
    assert ("coap://as.example.com", "erikw", "0b71", 1444064944.0) == (
        found.issuer,
        found.subject,
        found.token_id,
        found.expires_s,
    )


def test_the_maced_example_of_rfc_8392() -> None:
    """A mac of 64 bits (HMAC 256/64, appendix A.4) is too short to be accepted."""
    found = Verifier(CWT_KEYS, TokenRules()).verify(
        encoded(bytes.fromhex(SHORT_MAC_CWT)), 1443944944.0
    )
    assert isinstance(found, Refused)
    assert RefusalCode.ALGORITHM == found.code
