"""Private keys in PEM. ``cryptography`` is known here alone, and imported when one is read: an edge
that needs none must not cost its import."""

from typing import TYPE_CHECKING, Literal

from gateway.trust.edge_signing.scheme import SchemeError, SecretKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

RsaHash = Literal["sha256", "sha1"]

MIN_RSA_BITS = 2048
"""CloudFront accepts no other size."""


def rsa_key(key: SecretKey) -> "RSAPrivateKey":
    """An RSA key of :data:`MIN_RSA_BITS` bits. Raises SchemeError."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415

    found = _loaded(key)
    allowed = f"an RSA key of {MIN_RSA_BITS} bits: openssl genrsa -out key.pem {MIN_RSA_BITS}"
    if not isinstance(found, RSAPrivateKey):
        raise SchemeError("keys", f'"{key.id}" {_is(found)}, not an RSA key', allowed)
    if found.key_size != MIN_RSA_BITS:
        raise SchemeError("keys", f'"{key.id}" is an RSA key of {found.key_size} bits', allowed)
    return found


def ed25519_key(key: SecretKey) -> "Ed25519PrivateKey":
    """An Ed25519 key. Raises SchemeError."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
        Ed25519PrivateKey,
    )

    found = _loaded(key)
    if not isinstance(found, Ed25519PrivateKey):
        allowed = "an Ed25519 key: openssl genpkey -algorithm ed25519 -out key.pem"
        raise SchemeError("keys", f'"{key.id}" {_is(found)}, not an Ed25519 key', allowed)
    return found


def sign_rsa(key: "RSAPrivateKey", text: bytes, algorithm: RsaHash) -> bytes:
    """RSASSA-PKCS1-v1_5 (RFC 8017, section 8.2), which gives the same signature each time."""
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415

    chosen = hashes.SHA256() if algorithm == "sha256" else hashes.SHA1()  # noqa: S303
    return key.sign(text, PKCS1v15(), chosen)


def verify_rsa(key: "RSAPrivateKey", text: bytes, signature: bytes, algorithm: RsaHash) -> bool:
    """Whether :func:`sign_rsa` made the signature. It gives the same one each time."""
    return sign_rsa(key, text, algorithm) == signature


def _loaded(key: SecretKey) -> "PrivateKeyTypes":
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    allowed = "a file with one private key in PEM, without a passphrase"
    try:
        return load_pem_private_key(key.secret, password=None)
    except TypeError:
        problem = f'"{key.id}" is a private key with a passphrase'
        raise SchemeError("keys", problem, allowed) from None
    except (ValueError, UnsupportedAlgorithm):
        problem = f'"{key.id}" is no private key that can be read'
        raise SchemeError("keys", problem, allowed) from None


def _is(found: object) -> str:
    kind = type(found).__name__.removesuffix("PrivateKey").strip("_")
    return f"is a private key of another kind ({kind})"
