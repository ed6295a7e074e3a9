"""What do the schemes share? Their keys, the errors of a configuration, and paths of URLs.

Each scheme is a module of this package with one class, which implements
:class:`gateway.edge.signing.EdgeSigner`. An edge judges what a player sends, so what is signed is
the URL as it is written in a manifest, unless the edge is known to decode it first.
"""

import re
from binascii import Error, a2b_base64, b2a_base64
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import urlsplit

from gateway.edge.signing import Carrier, SignedCookie, Validity

NO_SIGNATURE: Final = "has no signature"
NO_MATCH: Final = "has a signature that does not match"
EXPIRED: Final = "has expired"
EARLY: Final = "is not valid yet"
OUTSIDE: Final = "is outside of the signed folder"
"""Why an edge refuses a URL: the second half of a sentence that starts with the URL."""

_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_FROM_URL: Final = bytes.maketrans(b"-_", b"+/")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_DOT_SEGMENT: Final = re.compile(r"/\.{1,2}/")
# RFC 3986, section 6.2.2: hexadecimal digits are capitals, and A-Z a-z 0-9 - . _ ~ are not encoded.
_NOT_NORMAL: Final = re.compile(
    r"%(?![0-9A-F]{2})|%(?:2D|2E|2F|3[0-9]|4[1-9A-F]|5[0-9AF]|6|7[0-9AE])"
)


class SchemeError(ValueError):
    """What is configured cannot sign. ``key`` is the key of the table, ``allowed`` what it may be.
    No text has a secret in it."""

    def __init__(self, key: str, problem: str, allowed: str) -> None:
        super().__init__(problem)
        self.key = key
        self.problem = problem
        self.allowed = allowed


@dataclass(frozen=True, slots=True)
class SecretKey:
    """A secret with its id, as the edge knows them: a shared secret as bytes, or a private key in
    PEM."""

    id: str
    secret: bytes = field(repr=False)


class InPath:
    """A scheme whose signature is in the path: it sets no cookies."""

    __slots__ = ()

    @property
    def carrier(self) -> Literal["path"]:
        """The path."""
        return "path"

    def cookies(
        self,
        edge_url: str,  # noqa: ARG002
        folder: str,  # noqa: ARG002
        validity: Validity,  # noqa: ARG002
    ) -> tuple[SignedCookie, ...]:
        """None."""
        return ()


class TokenFirst:
    """A scheme whose token is the first segment of the path, or a cookie where there is a domain
    for it."""

    __slots__ = ()
    token_name: str
    cookie_domain: str | None

    @property
    def carrier(self) -> Carrier:
        """The path, or a cookie where there is a domain for it."""
        return "path" if self.cookie_domain is None else "cookie"

    def signed_base(self, edge_url: str, folder: str, validity: Validity) -> str:
        """``https://host/{token_name}={token}{path}``."""
        url = f"{edge_url}{folder}"
        if self.cookie_domain is not None:
            return url
        origin, path = split(url)
        return f"{origin}/{self.token_name}={self._token(path, validity)}{path}"

    def cookies(self, edge_url: str, folder: str, validity: Validity) -> tuple[SignedCookie, ...]:
        """One cookie with the token."""
        if self.cookie_domain is None:
            return ()
        path = split(f"{edge_url}{folder}")[1]
        token = self._token(path, validity)
        return (SignedCookie(self.token_name, token, self.cookie_domain, path),)

    def _token(self, path: str, validity: Validity) -> str:
        """The token for a path and all below it."""
        raise NotImplementedError


def base64url(data: bytes) -> str:
    """RFC 4648, section 5, without padding."""
    return b2a_base64(data, newline=False).translate(_TO_URL).rstrip(b"=").decode("ascii")


def from_base64url(text: str) -> bytes | None:
    """The bytes of :func:`base64url`; None for other text."""
    try:
        data = text.encode("ascii").translate(_FROM_URL)
        return a2b_base64(data + b"=" * (-len(data) % 4), strict_mode=True)
    except (Error, UnicodeEncodeError):
        return None


def key_in_hex(key_id: str, secret: str) -> SecretKey:
    """A key that is configured in hexadecimal digits. Raises SchemeError."""
    try:
        return SecretKey(key_id, bytes.fromhex(secret))
    except ValueError:
        problem = f'"{key_id}" has a secret that is not hexadecimal'
        raise SchemeError("keys", problem, "an even number of hexadecimal digits") from None


def key_in_base64(key_id: str, secret: str) -> SecretKey:
    """A key that is configured in base64, without a zero byte: digest.base64_decode of Fastly's VCL
    ends a text there. Raises SchemeError."""
    allowed = "base64 of bytes that are not 0, as openssl rand -hex 32 | openssl base64 -A makes it"
    try:
        key = a2b_base64(secret.encode("ascii"), strict_mode=True)
    except Error:
        raise SchemeError("keys", f'"{key_id}" has a secret that is not base64', allowed) from None
    if 0 in key:
        problem = f'"{key_id}" has a secret with a zero byte, at which Fastly ends the key'
        raise SchemeError("keys", problem, allowed)
    return SecretKey(key_id, key)


def split(url: str) -> tuple[str, str]:
    """Scheme with host and port, and path: ``https://cdn.example``, ``/videos/``. Any query is left
    out: no scheme signs it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}", parts.path or "/"


def normal_origin(url: str) -> str:
    """Scheme, host and port as players send them: in lower case, without a default port."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    shown = f"[{host}]" if ":" in host else host
    port = parts.port
    usual = port is None or port == _DEFAULT_PORTS.get(parts.scheme)
    return f"{parts.scheme}://{shown}" if usual else f"{parts.scheme}://{shown}:{port}"


def check_path(edge_url: str) -> None:
    """Raise SchemeError for a path that a player or an edge may write in another way before the
    signature is checked."""
    path = split(edge_url)[1]
    if "//" in path or _DOT_SEGMENT.search(path) or _NOT_NORMAL.search(path):
        problem = "has a path that players and edges may normalise; no signature would match"
        allowed = (
            "a path without empty and dot segments, in which % stands before two digits or capitals"
            " A to F, and letters, digits, / - . _ ~ are not encoded"
        )
        raise SchemeError("url", problem, allowed)


def check_times(starts_s: int, expires_s: int, now_s: float) -> str | None:
    """Why a signature with these times is refused now; None when it is not."""
    if now_s < starts_s:
        return EARLY
    return EXPIRED if now_s >= expires_s else None
