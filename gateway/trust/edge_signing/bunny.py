"""bunny.net's token authentication, with a directory token in the path.

::

    https://zone.b-cdn.net/bcdn_token=HS256-…&token_path=%2Fvideos%2F&expires=1800000000/videos/1.ts

The token is an HMAC-SHA-256, in base64url, over the path, the expiry and ``token_path={path}``.
"""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import quote, unquote

from gateway.edge.signing import Validity
from gateway.trust.edge_signing.scheme import (
    NO_MATCH,
    NO_SIGNATURE,
    OUTSIDE,
    InPath,
    SecretKey,
    base64url,
    check_times,
    split,
)

_SIGNED: Final = re.compile(
    r"/bcdn_token=(?P<mac>HS256-[A-Za-z0-9_-]{43})&token_path=(?P<folder>[^&/]+)"
    r"&expires=(?P<expires>[0-9]{1,12})(?P<path>/.*)"
)


@dataclass(frozen=True, slots=True)
class BunnySigner(InPath):
    """Signs with the token authentication key of a pull zone."""

    key: SecretKey
    scheme: Literal["bunny"] = field(default="bunny", init=False)

    @property
    def key_id(self) -> str:
        """The id of the key that signs; it is not in the URL."""
        return self.key.id

    def signed_base(self, edge_url: str, folder: str, validity: Validity) -> str:
        """``https://host/bcdn_token=…&token_path=…&expires=…{path}``."""
        origin, path = split(f"{edge_url}{folder}")
        mac, scope = self.token(path, validity.expires_s), quote(path, safe="")
        return f"{origin}/bcdn_token={mac}&token_path={scope}&expires={validity.expires_s}{path}"

    def refusal(self, url: str, cookies: Mapping[str, str], now_s: float) -> str | None:  # noqa: ARG002
        """As the edge judges: the HMAC, the time, and the folder."""
        found = _SIGNED.fullmatch(split(url)[1])
        if found is None:
            return NO_SIGNATURE
        folder = unquote(found["folder"])
        if not hmac.compare_digest(found["mac"], self.token(folder, int(found["expires"]))):
            return NO_MATCH
        late = check_times(0, int(found["expires"]), now_s)
        inside = found["path"].startswith(folder)
        return late or (None if inside else OUTSIDE)

    def token(self, folder: str, expires_s: int) -> str:
        """The token of everything whose path starts with ``folder``."""
        text = f"{folder}{expires_s}token_path={folder}"
        return "HS256-" + base64url(hmac.digest(self.key.secret, text.encode(), "sha256"))
