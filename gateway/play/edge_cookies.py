"""Which cookies does an answer set, for edges whose signatures are cookies?

A page gets them only with credentials (``withCredentials``), over https, and from a gateway below
the cookies' domain; the check of the configuration asks for the latter two.
"""

from collections.abc import Iterable

from gateway.edge.edge import Edge
from gateway.edge.signing import SignedCookie
from gateway.play.reply import RawHeaders


def cookie_headers(edges: Iterable[Edge], path: str, now_s: float) -> RawHeaders:
    """``Set-Cookie`` for the manifest at ``path`` and what lies in its folder, signed at ``now_s``
    (Unix time). Of two cookies that would replace each other, that of the first edge counts."""
    cookies: dict[tuple[str, str, str], SignedCookie] = {}
    for edge in edges:
        signing = edge.signing
        if signing is None or signing.signer.carrier != "cookie":
            continue
        for cookie in signing.cookies(edge.url, signing.folder_of(path), now_s):
            cookies.setdefault((cookie.name, cookie.domain, cookie.path), cookie)
    return tuple([(b"set-cookie", _header(cookie)) for cookie in cookies.values()])


def _header(cookie: SignedCookie) -> bytes:
    """RFC 6265, section 4.1. It has no end: the signature has one, and browsers forget it sooner.
    ``SameSite=None`` since pages may be on another site than the edge."""
    attributes = f"Domain={cookie.domain}; Path={cookie.path}; Secure; HttpOnly; SameSite=None"
    return f"{cookie.name}={cookie.value}; {attributes}".encode("ascii")
