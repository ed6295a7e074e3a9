"""Google Media CDN: Ed25519 signatures in the path, or in a cookie.

The path component stands behind the folder that it covers, and everything before it is signed::

    https://media.example.com/videos/show/edge-cache-token=Expires=…&KeyName=…&Signature=…/1.ts

The cookie names the signed prefix itself. Both sign scheme and host, as players send them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from gateway.edge.signing import Carrier, SignedCookie, Validity
from gateway.trust.edge_signing import private_key
from gateway.trust.edge_signing.scheme import (
    NO_MATCH,
    NO_SIGNATURE,
    OUTSIDE,
    SecretKey,
    base64url,
    check_times,
    from_base64url,
    normal_origin,
    split,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

COOKIE: Final = "Edge-Cache-Cookie"
_FIELDS: Final = r"Expires=(?P<expires>[0-9]{1,12})%sKeyName=(?P<key>[A-Za-z0-9_-]+)"
_SIGNATURE: Final = r"Signature=(?P<mac>[A-Za-z0-9_-]{86})"
_IN_PATH: Final = re.compile(rf"/(?:.*?/)?edge-cache-token={_FIELDS % '&'}&{_SIGNATURE}/.*")
_IN_COOKIE: Final = re.compile(
    rf"URLPrefix=(?P<prefix>[A-Za-z0-9_-]+):{_FIELDS % ':'}:{_SIGNATURE}"
)


@dataclass(frozen=True, slots=True)
class MediaCdnSigner:
    """``key`` is an Ed25519 key whose id is the name of the public key in the keyset. Raises
    SchemeError for another key. ``cookie_domain`` is None where the signature is in the path."""

    key: SecretKey
    cookie_domain: str | None = None
    scheme: Literal["media-cdn"] = field(default="media-cdn", init=False)
    _private: "Ed25519PrivateKey" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Read the key."""
        object.__setattr__(self, "_private", private_key.ed25519_key(self.key))

    @property
    def key_id(self) -> str:
        """The name of the key."""
        return self.key.id

    @property
    def carrier(self) -> Carrier:
        """The path, or a cookie where there is a domain for it."""
        return "path" if self.cookie_domain is None else "cookie"

    def signed_base(self, edge_url: str, folder: str, validity: Validity) -> str:
        """``{edge_url}{folder}edge-cache-token=…/``."""
        url = f"{edge_url}{folder}"
        if self.cookie_domain is not None:
            return url
        token = f"edge-cache-token=Expires={validity.expires_s}&KeyName={self.key.id}"
        signature = self._signature(f"{_normal(url)}{token}")
        return f"{url}{token}&Signature={signature}/"

    def cookies(self, edge_url: str, folder: str, validity: Validity) -> tuple[SignedCookie, ...]:
        """``Edge-Cache-Cookie``."""
        if self.cookie_domain is None:
            return ()
        url = _normal(f"{edge_url}{folder}")
        fields = (
            f"URLPrefix={base64url(url.encode())}:Expires={validity.expires_s}"
            f":KeyName={self.key.id}"
        )
        value = f"{fields}:Signature={self._signature(fields)}"
        return (SignedCookie(COOKIE, value, self.cookie_domain, split(url)[1]),)

    def refusal(self, url: str, cookies: Mapping[str, str], now_s: float) -> str | None:
        """As Media CDN judges: the signature, the time, and the prefix."""
        if self.cookie_domain is None:
            found = _IN_PATH.fullmatch(split(url)[1])
            signed = "" if found is None else split(url)[1][: found.start("mac")]
            text = normal_origin(url) + signed.removesuffix("&Signature=")
        else:
            cookie = cookies.get(COOKIE, "")
            found = _IN_COOKIE.fullmatch(cookie)
            text = cookie.partition(":Signature=")[0]
        if found is None:
            return NO_SIGNATURE
        if found["key"] != self.key.id or found["mac"] != self._signature(text):
            return NO_MATCH
        late = check_times(0, int(found["expires"]), now_s)
        if late is not None or self.cookie_domain is None:
            return late
        prefix = from_base64url(found["prefix"])
        inside = prefix is not None and _normal(url).encode().startswith(prefix)
        return None if inside else OUTSIDE

    def _signature(self, text: str) -> str:
        """Ed25519 gives the same signature each time, so it is also verified with this."""
        return base64url(self._private.sign(text.encode()))


def _normal(url: str) -> str:
    return normal_origin(url) + split(url)[1]
