"""Signatures of each vendor's scheme, byte for byte.

The expected values come from the vendors' documentation and reference implementations where there
are any; otherwise from their documented formula, computed here without the modules under test.
"""

import hashlib
import hmac
import json
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.edge.signing import SignedCookie, Validity
from gateway.trust.edge_signing.akamai import AkamaiSigner
from gateway.trust.edge_signing.bunny import BunnySigner
from gateway.trust.edge_signing.cat import CatSigner
from gateway.trust.edge_signing.cloudfront import COOKIES, CloudFrontSigner
from gateway.trust.edge_signing.media_cdn import MediaCdnSigner
from gateway.trust.edge_signing.private_key import RsaHash
from gateway.trust.edge_signing.scheme import SecretKey, key_in_base64
from gateway.trust.edge_signing.template import (
    FASTLY_MESSAGE,
    FASTLY_PATH,
    Algorithm,
    TemplateSigner,
)
from tests.unit.trust.edge_signing.keys import ed25519_pem, rsa_pem

TIMES = Validity(1_700_000_000, 1_700_086_400)
AKAMAI_KEY = SecretKey("k", bytes.fromhex("52a152a152a152a152a152a152a152a1"))


@pytest.mark.parametrize(
    ("signer", "edge_url", "folder", "token"),
    [
        (
            AkamaiSigner(AKAMAI_KEY),
            "https://e.example/videos/",
            "show/",
            (
                "st=1700000000~exp=1700086400~acl=/videos/show/*"
                "~hmac=4b4012b483804b0820fcbcdb7b10d22f5289f780a81cdc5c2ff41cb823bdfe5e"
            ),
        ),
        (
            AkamaiSigner(AKAMAI_KEY, salt="s@lt", data="hdntl"),
            "https://e.example/",
            "",
            (
                "st=1700000000~exp=1700086400~acl=/*~data=hdntl"
                "~hmac=660140305e0c9875c0e01c1004ed09a2d6b2790642086130dff202b7515f9971"
            ),
        ),
    ],
)
def test_akamai(signer: AkamaiSigner, edge_url: str, folder: str, token: str) -> None:
    """Made with Akamai's own generator: the package akamai-edgeauth 0.3.2, ``generate_acl_token``
    with the same key, times and access control list."""
    path = edge_url.removeprefix("https://e.example") + folder
    assert f"https://e.example/hdnts={token}{path}" == signer.signed_base(edge_url, folder, TIMES)


def test_akamai_in_a_cookie() -> None:
    """The same token as a cookie; the URL stays as it is."""
    signer = AkamaiSigner(AKAMAI_KEY, token_name="hdntl", cookie_domain="example")
    assert "https://e.example/videos/a/" == signer.signed_base(
        "https://e.example/videos/", "a/", TIMES
    )
    (cookie,) = signer.cookies("https://e.example/videos/", "a/", TIMES)
    assert ("hdntl", "example", "/videos/a/") == (cookie.name, cookie.domain, cookie.path)
    assert cookie.value.startswith("st=1700000000~exp=1700086400~acl=/videos/a/*~hmac=")


def test_akamai_separators_in_a_folder() -> None:
    """What separates fields becomes a wildcard: not a ``?`` in the path, where that begins the
    query."""
    signer = AkamaiSigner(AKAMAI_KEY)
    base = signer.signed_base("https://e.example/", "a~b!c/", TIMES)
    assert "~acl=/a*b*c/*~hmac=" in base
    assert base.endswith("/a~b!c/")
    assert signer.refusal(f"{base}1.ts", {}, TIMES.starts_s) is None
    in_cookie = AkamaiSigner(AKAMAI_KEY, cookie_domain="example")
    (cookie,) = in_cookie.cookies("https://e.example/", "a~b!c/", TIMES)
    assert "~acl=/a?b?c/*~hmac=" in cookie.value
    given = {"hdnts": cookie.value}
    assert in_cookie.refusal("https://e.example/a~b!c/1.ts", given, TIMES.starts_s) is None
    assert in_cookie.refusal("https://e.example/a~~b!c/1.ts", given, TIMES.starts_s) is not None


@pytest.mark.parametrize(
    ("token_path", "expected"),
    [
        ("/abc", "HS256-uVZvT3SbEoVKYJyDJgbcsDmSFf73cv-uNUVaJiKWpbQ"),
    ],
)
def test_bunny(token_path: str, expected: str) -> None:
    """``test_directory_and_path_allowed`` of BunnyWay/BunnyCDN.TokenAuthentication (python3): key
    ``SecurityKey``, ``/abc``, expiry 1598024587. Its path has no slash at its end, so the token
    alone is compared."""
    signer = BunnySigner(SecretKey("k", b"SecurityKey"))
    assert expected == signer.token(token_path, 1_598_024_587)


def test_bunny_directory() -> None:
    """The order of the parts as in the vectors of BunnyWay/BunnyCDN.TokenAuthentication; the HMAC
    by its documented formula: path, expiry, and the parameters in alphabetical order."""
    signer = BunnySigner(SecretKey("k", b"SecurityKey"))
    text = b"/videos/show/1598024587token_path=/videos/show/"
    mac = urlsafe_b64encode(hmac.digest(b"SecurityKey", text, "sha256")).decode().rstrip("=")
    assert (
        f"https://e.b-cdn.net/bcdn_token=HS256-{mac}&token_path=%2Fvideos%2Fshow%2F"
        "&expires=1598024587/videos/show/"
    ) == signer.signed_base("https://e.b-cdn.net/videos/", "show/", Validity(0, 1_598_024_587))


GOOGLE_KEY = SecretKey(
    "my-key", ed25519_pem(urlsafe_b64decode("BxwXXNjeGaoWqjr7GHEymRJkP4SaOC12dTGixk7Yr8I="))
)


def test_media_cdn_cookie() -> None:
    """``test_sign_cookie`` of GoogleCloudPlatform/python-docs-samples (media_cdn)."""
    signer = MediaCdnSigner(GOOGLE_KEY, "example.com")
    assert (
        SignedCookie(
            "Edge-Cache-Cookie",
            "URLPrefix=aHR0cDovL3d3dy5leGFtcGxlLmNvbS9mb28v:Expires=1650848400:KeyName=my-key:"
            "Signature=I0BnupL1tKbXklf1rK50nlC9JMh4HBLogTKByatOFRvALofT159BegB26Z2WmrI-"
            "ZAgAp8Q-1__bWtFdMAqCAA",
            "example.com",
            "/foo/",
        ),
    ) == signer.cookies("http://www.example.com/", "foo/", Validity(0, 1_650_848_400))


def test_media_cdn_path() -> None:
    """The documented path component. Google publishes no vector of it, so the signature is checked
    with the public key over the documented text. Scheme and host are signed as players send
    them."""
    base = MediaCdnSigner(GOOGLE_KEY).signed_base(
        "https://Media.Example.com:443/video/", "a/", Validity(0, 1_650_848_400)
    )
    start, _, signature = base.removesuffix("/").partition("&Signature=")
    token = "edge-cache-token=Expires=1650848400&KeyName=my-key"
    assert f"https://Media.Example.com:443/video/a/{token}" == start
    public = load_pem_private_key(GOOGLE_KEY.secret, None).public_key()
    signed = f"https://media.example.com/video/a/{token}".encode()
    public.verify(urlsafe_b64decode(signature + "=="), signed)  # type: ignore[call-arg, union-attr]


@pytest.mark.parametrize(
    ("algorithm", "chosen"),
    [("sha256", SHA256()), ("sha1", SHA1())],  # noqa: S303
)
def test_cloudfront(algorithm: RsaHash, chosen: SHA256 | SHA1) -> None:
    """The policy is that of botocore 1.44.8 (``CloudFrontSigner.build_policy``), and its encoding.
    RSASSA-PKCS1-v1_5 is deterministic: the signature is made here with the key itself."""
    key = load_pem_private_key(rsa_pem(), None)
    assert isinstance(key, RSAPrivateKey)
    signer = CloudFrontSigner(SecretKey("K2JCJMDEHXQW5F", rsa_pem()), "cloudfront.net", algorithm)
    cookies = signer.cookies("https://D111111abcdef8.cloudfront.net/videos/", "show/", TIMES)
    values = {cookie.name: cookie.value for cookie in cookies}
    policy = (
        '{"Statement":[{"Resource":"https://d111111abcdef8.cloudfront.net/videos/show/*",'
        '"Condition":{"DateLessThan":{"AWS:EpochTime":1700086400},'
        '"DateGreaterThan":{"AWS:EpochTime":1700000000}}}]}'
    )
    assert (
        "eyJTdGF0ZW1lbnQiOlt7IlJlc291cmNlIjoiaHR0cHM6Ly9kMTExMTExYWJjZGVmOC5jbG91ZGZyb250Lm5ldC92"
        "aWRlb3Mvc2hvdy8qIiwiQ29uZGl0aW9uIjp7IkRhdGVMZXNzVGhhbiI6eyJBV1M6RXBvY2hUaW1lIjoxNzAwMDg2"
        "NDAwfSwiRGF0ZUdyZWF0ZXJUaGFuIjp7IkFXUzpFcG9jaFRpbWUiOjE3MDAwMDAwMDB9fX1dfQ__"
    ) == values["CloudFront-Policy"]
    signature = values["CloudFront-Signature"].translate(str.maketrans("-_~", "+=/"))
    assert key.sign(policy.encode(), PKCS1v15(), chosen) == b64decode(signature, validate=True)
    assert set(values) == set(COOKIES if algorithm == "sha256" else COOKIES[:-1])
    assert "K2JCJMDEHXQW5F" == values["CloudFront-Key-Pair-Id"]
    assert ("SHA256" if algorithm == "sha256" else None) == values.get("CloudFront-Hash-Algorithm")
    assert {("cloudfront.net", "/videos/show/")} == {(one.domain, one.path) for one in cookies}
    assert json.loads(policy)["Statement"][0]["Resource"].endswith("/videos/show/*")


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_fastly(algorithm: Algorithm) -> None:
    """``{expires}_{hmac}`` over path and expiry, with a key in base64: the formula of
    fastly/token-functions, with its example key. Its README has no token of that key, so it is
    computed here."""
    text = "iqFPeN2u+Z0Lm5IrsKaOFKRqEU5Gw8ePtaEkHZWuD24="
    signer = TemplateSigner(
        key_in_base64("k", text), FASTLY_PATH, FASTLY_MESSAGE, algorithm, scheme="fastly"
    )
    mac = hmac.new(b64decode(text), b"/foo/bar/1536399430", algorithm).hexdigest()
    assert f"https://e.example/foo/bar/~1536399430_{mac}/" == signer.signed_base(
        "https://e.example/foo/", "bar/", Validity(0, 1_536_399_430)
    )


@pytest.mark.parametrize(
    ("path", "message", "signed", "shown"),
    [
        (
            "{prefix}~{expires}~{mac}/",
            "{expires}{prefix}",
            "1700086400/my%20v/a/",
            "/my%20v/a/~1700086400~MAC/",
        ),
        (
            "/{expires}/{mac}{prefix}",
            "{prefix}{expires}",
            "/my%20v/a/1700086400",
            "/1700086400/MAC/my%20v/a/",
        ),
        (
            "/s{prefix}~/{starts}.{expires}.{key}.{mac}/",
            "{host}|{key}|{starts}|{expires}|{prefix}".replace("|", ":"),
            "e.example:8443:key-1:1700000000:1700086400:/my%20v/a/",
            "/s/my%20v/a/~/1700000000.1700086400.key-1.MAC/",
        ),
    ],
)
def test_template(path: str, message: str, signed: str, shown: str) -> None:
    """The fields are filled in as they are in the URL; the HMAC is made here with hashlib."""
    signer = TemplateSigner(SecretKey("key-1", b"secret"), path, message, encoding="base64url")
    mac = hmac.new(b"secret", signed.encode(), hashlib.sha256).digest()
    text = urlsafe_b64encode(mac).decode().rstrip("=")
    base = signer.signed_base("https://E.example:8443/my%20v/", "a/", TIMES)
    assert f"https://E.example:8443{shown.replace('MAC', text)}" == base


@pytest.mark.parametrize("issuer", ["", "https://play.example"])
def test_cat(issuer: str) -> None:
    """A COSE_Mac0 with a CWT, built here with cbor2 and hmac alone (RFC 9052, section 6.3;
    CTA-5007: ``catu`` is 312, the path in it 3, and its prefix 1)."""
    secret = bytes(range(32))
    claims: dict[int, object] = {1: issuer} if issuer else {}
    claims |= {4: TIMES.expires_s, 5: TIMES.starts_s, 310: 1, 312: {3: {1: "/v/a/"}}}
    protected, payload = cbor2.dumps({1: 5}), cbor2.dumps(claims)
    mac = hmac.digest(secret, cbor2.dumps(["MAC0", protected, b"", payload]), "sha256")
    token = cbor2.dumps(cbor2.CBORTag(17, [protected, {4: b"key-1"}, payload, mac]))
    text = urlsafe_b64encode(token).decode().rstrip("=")
    signer = CatSigner(SecretKey("key-1", secret), issuer)
    assert f"https://e.example/CAT={text}/v/a/" == signer.signed_base(
        "https://e.example/v/", "a/", TIMES
    )
    in_cookie = CatSigner(SecretKey("key-1", secret), issuer, "example")
    assert (SignedCookie("CTA-Common-Access-Token", text, "example", "/v/a/"),) == (
        in_cookie.cookies("https://e.example/v/", "a/", TIMES)
    )
