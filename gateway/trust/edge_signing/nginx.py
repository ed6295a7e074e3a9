"""nginx's own check: ``ngx_http_secure_link_module``.

The signature is a path segment behind the folder that it covers, so that nginx needs no other
marker to know where the folder ends::

    https://edge.example/videos/show/~1800000000~Sfv3kMXCn_5jyAjUa2yjdA/720p/1.ts

It is the MD5 hash, in base64url, of ``{expires}{folder} {secret}``. nginx matches locations against
the decoded path, so the folder is hashed decoded. ``docs/edge-signing.md`` has the block of nginx.

The module knows no other hash. The secret stands at the end of the text, so a signature cannot be
extended to a longer text, and the known collisions of MD5 need a choice of the folders that the
gateway signs.
"""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import md5
from typing import Final, Literal
from urllib.parse import unquote_to_bytes

from gateway.edge.signing import Validity
from gateway.trust.edge_signing.scheme import (
    EXPIRED,
    NO_MATCH,
    NO_SIGNATURE,
    InPath,
    SecretKey,
    base64url,
    split,
)

_SIGNED: Final = re.compile(
    r"(?P<folder>/(?:.*?/)?)~(?P<expires>[0-9]{1,12})~(?P<mac>[A-Za-z0-9_-]{22})/.*"
)


@dataclass(frozen=True, slots=True)
class NginxSigner(InPath):
    """Signs for ``secure_link_md5 "$expires$folder secret"``."""

    key: SecretKey
    scheme: Literal["nginx"] = field(default="nginx", init=False)

    @property
    def key_id(self) -> str:
        """The id of the key that signs; it is not in the URL."""
        return self.key.id

    def signed_base(self, edge_url: str, folder: str, validity: Validity) -> str:
        """``{edge_url}{folder}~{expires}~{mac}/``."""
        url = f"{edge_url}{folder}"
        mac = self._mac(split(url)[1], validity.expires_s)
        return f"{url}~{validity.expires_s}~{mac}/"

    def refusal(self, url: str, cookies: Mapping[str, str], now_s: float) -> str | None:  # noqa: ARG002
        """As the block of nginx judges: the hash first (403), then the time (410). nginx serves a
        URL in the very second in which it expires."""
        found = _SIGNED.fullmatch(split(url)[1])
        if found is None:
            return NO_SIGNATURE
        if not hmac.compare_digest(found["mac"], self._mac(found["folder"], int(found["expires"]))):
            return NO_MATCH
        return EXPIRED if int(found["expires"]) < int(now_s) else None

    def _mac(self, folder: str, expires_s: int) -> str:
        text = b"%d%s %s" % (expires_s, unquote_to_bytes(folder), self.key.secret)
        return base64url(md5(text, usedforsecurity=False).digest())
