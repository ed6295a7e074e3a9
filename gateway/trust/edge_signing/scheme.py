"""What do the schemes share? Their keys, the errors of a configuration, and paths of URLs.

Each scheme is a module of this package with one class, which implements
:class:`gateway.edge.signing.EdgeSigner`.
"""

import re
from binascii import b2a_base64
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import unquote_to_bytes, urlsplit

from gateway.edge.signing import SignedCookie, Validity

_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_DOT_SEGMENT: Final = re.compile(r"/(?:\.|%2e){1,2}/", re.IGNORECASE)


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
    """A shared secret, as it is configured, with its id."""

    id: str
    secret: str = field(repr=False)


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


def base64url(data: bytes) -> str:
    """RFC 4648, section 5, without padding."""
    return b2a_base64(data, newline=False).translate(_TO_URL).rstrip(b"=").decode("ascii")


def split(url: str) -> tuple[str, str]:
    """Scheme with host and port, and path: ``https://cdn.example``, ``/videos/``."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}", parts.path or "/"


def decoded(path: str) -> bytes:
    """A path without percent-encoding, as servers see it that decode first."""
    return unquote_to_bytes(path)


def check_path(edge_url: str) -> None:
    """Raise SchemeError for a path that a player or an edge may write in another way before the
    signature is checked: with an empty segment, a dot segment, or an encoded slash."""
    path = split(edge_url)[1]
    if "//" in path or _DOT_SEGMENT.search(path) or "%2f" in path.lower():
        problem = "has a path that players and edges normalise, so no signature would match"
        raise SchemeError("url", problem, "a path without //, /./, /../ and %2F")
