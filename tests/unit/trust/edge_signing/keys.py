"""Private keys for tests, made once."""

from functools import cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


def pem_of(key: RSAPrivateKey | Ed25519PrivateKey) -> bytes:
    """A private key as PEM."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@cache
def rsa_pem(bits: int = 2048, *, other: bool = False) -> bytes:
    """An RSA key as PEM: the same each time; ``other`` is another one."""
    return pem_of(generate_private_key(65537, bits))


def ed25519_pem(seed: bytes = b"\1" * 32) -> bytes:
    """The Ed25519 key of a seed as PEM."""
    return pem_of(Ed25519PrivateKey.from_private_bytes(seed))
