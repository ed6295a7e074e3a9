"""What cannot sign is refused, with the key of the table and what is allowed."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from gateway.trust.edge_signing.cat import CatSigner
from gateway.trust.edge_signing.private_key import ed25519_key, rsa_key
from gateway.trust.edge_signing.scheme import (
    SchemeError,
    SecretKey,
    from_base64url,
    key_in_base64,
    key_in_hex,
    normal_origin,
)
from gateway.trust.edge_signing.template import TemplateSigner, has_start
from tests.unit.trust.edge_signing.keys import ed25519_pem, rsa_pem
from tests.unit.trust.edge_signing.signers import SHARED

KEY = "{prefix}~{expires}~{mac}/"
TEXT = "{expires}{prefix}"


@pytest.mark.parametrize(
    ("path", "message", "key", "words"),
    [
        ("{prefix}~{expires}~{mac}/{x}", TEXT, "path", "not known"),
        ("{prefix}~{expires}~{mac}/{}", TEXT, "path", "not known"),
        ("{prefix}~{expires}~{expires}~{mac}/", TEXT, "path", "twice"),
        ("{prefix}~{expires}~{mac} /", TEXT, "path", "not allowed in a path"),
        ("{prefix}~{expires}~{mac}?/", TEXT, "path", "not allowed in a path"),
        ("{prefix}~{expires}~{mac}}/", TEXT, "path", "not allowed in a path"),
        ("{prefix}~{expires}~{mac}", TEXT, "path", "path of a folder"),
        ("x{prefix}~{expires}~{mac}/", TEXT, "path", "path of a folder"),
        ("{prefix}{expires}~{mac}/", TEXT, "path", "nothing between"),
        ("{prefix}~{expires}{mac}/", TEXT, "path", "nothing between"),
        ("{prefix}~{mac}/", TEXT, "path", r"no \{expires\}"),
        ("{prefix}~{expires}/", TEXT, "path", r"no \{mac\}"),
        ("/{expires}~{mac}/", TEXT, "path", r"no \{prefix\}"),
        (KEY, "{prefix}", "message", r"no \{expires\}"),
        (KEY, "{expires}", "message", r"no \{prefix\}"),
        (KEY, "{expires}{prefix}{mac}", "message", "not known"),
        (KEY, "{expires}{prefix}{starts}", "path", r"no \{starts\}"),
        ("{prefix}~{key}~{expires}~{mac}/", TEXT, "message", r"no \{key\}"),
    ],
)
def test_templates(path: str, message: str, key: str, words: str) -> None:
    """Each field once, with something between two of them, and all that is needed."""
    with pytest.raises(SchemeError, match=words) as caught:
        TemplateSigner(SHARED, path, message)
    assert key == caught.value.key
    assert caught.value.allowed


def test_templates_with_a_start() -> None:
    """Only ``{starts}`` makes a start."""
    assert has_start("{prefix}{starts}")
    assert not has_start(KEY)


def _ec_pem() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _locked_pem() -> bytes:
    key = load_pem_private_key(ed25519_pem(), None)
    locked = BestAvailableEncryption(b"hush")
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked)


@pytest.mark.parametrize(
    ("read", "pem", "words"),
    [
        (rsa_key, ed25519_pem(), r'"k" is a private key of another kind \(Ed25519\)'),
        (rsa_key, _ec_pem(), r'"k" is a private key of another kind \(EC\)'),
        (rsa_key, rsa_pem(1024), '"k" is an RSA key of 1024 bits'),
        (rsa_key, _locked_pem(), '"k" is a private key with a passphrase'),
        (rsa_key, b"hush", '"k" is no private key that can be read'),
        (rsa_key, rsa_pem()[:300], '"k" is no private key that can be read'),
        (ed25519_key, rsa_pem(), r'"k" is a private key of another kind \(RSA\)'),
    ],
)
def test_private_keys(read: object, pem: bytes, words: str) -> None:
    """A key of another kind or size, a locked one, and what is none."""
    assert callable(read)
    with pytest.raises(SchemeError, match=words) as caught:
        read(SecretKey("k", pem))
    assert "keys" == caught.value.key
    assert "hush" not in f"{caught.value}{caught.value.allowed}"


def test_encoded_secrets() -> None:
    """Hexadecimal digits and base64 are decoded; other text is refused and not shown."""
    assert b"\1\xff" == key_in_hex("k", "01fF").secret
    assert b"\1\xff" == key_in_base64("k", "Af8=").secret
    for read, secret in ((key_in_hex, "abc"), (key_in_hex, "hush"), (key_in_base64, "hu-h")):
        with pytest.raises(SchemeError) as caught:
            read("k", secret)
        assert secret not in str(caught.value)


def test_a_short_secret_of_cat() -> None:
    """HMAC-SHA-256 wants a key as long as its hash."""
    with pytest.raises(SchemeError, match="a secret of 31 bytes"):
        CatSigner(SecretKey("k", b"x" * 31))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://A.Example/x/", "https://a.example"),
        ("https://a.example:443/x/", "https://a.example"),
        ("http://a.example:443/x/", "http://a.example:443"),
        ("http://[2001:DB8::1]:80/", "http://[2001:db8::1]"),
        ("http://[2001:db8::1]:81/", "http://[2001:db8::1]:81"),
    ],
)
def test_origins_as_players_send_them(url: str, expected: str) -> None:
    """In lower case, without a default port."""
    assert expected == normal_origin(url)


def test_base64url() -> None:
    """Other text has no bytes."""
    assert b"\xfb\xff" == from_base64url("-_8")
    for text in ("-_8=x", "é", "a", "a b"):
        assert from_base64url(text) is None
