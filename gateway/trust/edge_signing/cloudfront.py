"""Amazon CloudFront: signed cookies with a custom policy.

CloudFront takes a signature from the query or from cookies, never from the path, and media
playlists inherit cookies only. A canned policy names one file, so folders need a custom one. The
policy is JSON without spaces::

    {"Statement":[{"Resource":"https://cdn.example.com/videos/show/*","Condition":{…}}]}

It is signed with RSASSA-PKCS1-v1_5. Cookies are base64, in which ``+ = /`` are ``- _ ~``.
"""

import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from json import dumps, loads
from typing import TYPE_CHECKING, Final, Literal

from gateway.cache import EDGE_COOKIES, Cache
from gateway.edge.signing import SignedCookie, Validity
from gateway.trust.edge_signing import private_key
from gateway.trust.edge_signing.private_key import RsaHash
from gateway.trust.edge_signing.scheme import (
    NO_MATCH,
    NO_SIGNATURE,
    OUTSIDE,
    SecretKey,
    check_times,
    normal_origin,
    split,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

COOKIES: Final = (
    *("CloudFront-Policy", "CloudFront-Signature", "CloudFront-Key-Pair-Id"),
    "CloudFront-Hash-Algorithm",
)
"""The names of all cookies; the last one is not set for SHA-1."""
_TO_COOKIE: Final = bytes.maketrans(b"+=/", b"-_~")
_FROM_COOKIE: Final = bytes.maketrans(b"-_~", b"+=/")
_VALUE: Final = re.compile(r"[A-Za-z0-9~_-]+")


@dataclass(frozen=True, slots=True)
class CloudFrontSigner:
    """``key`` is the private key of a key pair, and its id the id of the public key in CloudFront.
    Raises SchemeError for a key that is no RSA key of 2048 bits."""

    key: SecretKey
    cookie_domain: str
    algorithm: RsaHash = "sha256"
    scheme: Literal["cloudfront"] = field(default="cloudfront", init=False)
    carrier: Literal["cookie"] = field(default="cookie", init=False)
    _private: "RSAPrivateKey" = field(init=False, repr=False, compare=False)
    _made: Cache[tuple[str, Validity], tuple[SignedCookie, ...]] = field(
        default_factory=lambda: Cache(EDGE_COOKIES), init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        """Read the key."""
        object.__setattr__(self, "_private", private_key.rsa_key(self.key))

    @property
    def key_id(self) -> str:
        """The key pair id."""
        return self.key.id

    def signed_base(self, edge_url: str, folder: str, validity: Validity) -> str:  # noqa: ARG002
        """The URL as it is: the signature is in cookies."""
        return f"{edge_url}{folder}"

    def cookies(self, edge_url: str, folder: str, validity: Validity) -> tuple[SignedCookie, ...]:
        """Policy, signature, key pair id, and the hash where it is not SHA-1."""
        url = f"{edge_url}{folder}"
        made = self._made.get((url, validity))
        if made is None:
            made = self._sign(url, validity)
            self._made.put((url, validity), made)
        return made

    def _sign(self, url: str, validity: Validity) -> tuple[SignedCookie, ...]:
        path = split(url)[1]
        policy = _policy(f"{normal_origin(url)}{path}*", validity)
        signature = private_key.sign_rsa(self._private, policy, self.algorithm)
        values = {
            "CloudFront-Policy": _encoded(policy),
            "CloudFront-Signature": _encoded(signature),
            "CloudFront-Key-Pair-Id": self.key.id,
        }
        if self.algorithm == "sha256":
            values["CloudFront-Hash-Algorithm"] = "SHA256"
        return tuple(
            [SignedCookie(name, value, self.cookie_domain, path) for name, value in values.items()]
        )

    def refusal(self, url: str, cookies: Mapping[str, str], now_s: float) -> str | None:
        """As CloudFront judges: the signature, the times, and the resource."""
        policy = _decoded(cookies.get("CloudFront-Policy", ""))
        signature = _decoded(cookies.get("CloudFront-Signature", ""))
        if not policy or not signature or "CloudFront-Key-Pair-Id" not in cookies:
            return NO_SIGNATURE
        named = cookies.get("CloudFront-Hash-Algorithm", "SHA1")
        if cookies["CloudFront-Key-Pair-Id"] != self.key.id or named != self.algorithm.upper():
            return NO_MATCH
        if not private_key.verify_rsa(self._private, policy, signature, self.algorithm):
            return NO_MATCH
        (statement,) = loads(policy)["Statement"]
        times = statement["Condition"]
        starts_s, expires_s = (
            times[name]["AWS:EpochTime"] for name in ("DateGreaterThan", "DateLessThan")
        )
        asked = normal_origin(url) + split(url)[1]
        inside = asked.startswith(statement["Resource"].removesuffix("*"))
        return check_times(starts_s, expires_s, now_s) or (None if inside else OUTSIDE)


def _policy(resource: str, validity: Validity) -> bytes:
    condition = {
        "DateLessThan": {"AWS:EpochTime": validity.expires_s},
        "DateGreaterThan": {"AWS:EpochTime": validity.starts_s},
    }
    statement = {"Resource": resource, "Condition": condition}
    return dumps({"Statement": [statement]}, separators=(",", ":")).encode()


def _encoded(data: bytes) -> str:
    return b2a_base64(data, newline=False).translate(_TO_COOKIE).decode("ascii")


def _decoded(text: str) -> bytes:
    """The bytes of a cookie; none when it is not one of ours."""
    if not _VALUE.fullmatch(text) or len(text) % 4:
        return b""
    return a2b_base64(text.encode("ascii").translate(_FROM_COOKIE))
