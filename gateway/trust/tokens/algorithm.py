"""Which algorithms verify tokens, and what does a token call them?

The algorithm always comes from the key. What a token says of its algorithm is compared with it, and
selects nothing (RFC 8725, 3.1).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

Algorithm = Literal[
    "HS256",
    "HS384",
    "HS512",
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
]
"""Names of JSON Web Algorithms (RFC 7518, 3.1; RFC 8037, 3.1)."""

COSE_NUMBERS: Final[Mapping[Algorithm, int]] = MappingProxyType(
    {
        "HS256": 5,
        "HS384": 6,
        "HS512": 7,
        "RS256": -257,
        "RS384": -258,
        "RS512": -259,
        "PS256": -37,
        "PS384": -38,
        "PS512": -39,
        "ES256": -7,
        "ES384": -35,
        "ES512": -36,
        "EdDSA": -8,
    }
)
"""The numbers of the algorithms in COSE (RFC 9053; RFC 8812)."""

CURVES: Final[Mapping[str, str]] = MappingProxyType(
    {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "EdDSA": "Ed25519"}
)
"""The only curve of each algorithm."""

MIN_SECRET_BYTES: Final = 32
"""A secret is as long as the shortest hash, 256 bits (RFC 7518, 3.2)."""
MIN_RSA_BITS: Final = 2048
"""RFC 7518, 3.3."""


def is_mac(algorithm: Algorithm) -> bool:
    """Whether a secret verifies, and not a public key."""
    return algorithm.startswith("HS")


def jose_names(algorithm: Algorithm) -> tuple[str, ...]:
    """What a JWT may call it. RFC 9864 names the curve of EdDSA."""
    return ("EdDSA", "Ed25519") if algorithm == "EdDSA" else (algorithm,)
