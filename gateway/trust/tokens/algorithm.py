"""Which algorithms verify tokens? Names of JSON Web Algorithms (RFC 7518, 3.1; RFC 8037)."""

from typing import Literal

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
