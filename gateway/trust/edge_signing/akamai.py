"""Akamai's Auth Token 2.0 (EdgeAuth), with an access control list.

The token is a list of fields, the last of which is an HMAC-SHA-256 over the others in hexadecimal::

    st=1799990000~exp=1800000000~acl=/videos/show/*~hmac=…

It is the first segment of the path (``/hdnts=st=…/videos/show/720p/1.ts``), or a cookie. As in
Akamai's own generators, the access control list is not escaped, and ``salt`` is part of the HMAC
but not of the token. ``~`` and ``!`` separate fields and lists. Where a folder has one of them, the
list has a wildcard: ``?``, which stands for any one character, in a cookie, and ``*``, for any
characters, in the path, where ``?`` would begin the query.
"""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from gateway.edge.signing import Validity
from gateway.trust.edge_signing.scheme import (
    NO_MATCH,
    NO_SIGNATURE,
    OUTSIDE,
    SecretKey,
    TokenFirst,
    check_times,
    split,
)

TOKEN_NAME: Final = "hdnts"  # noqa: S105
"""The usual name of the token."""
_RESERVED: Final = re.compile(r"[~!]")
_TOKEN: Final = re.compile(
    r"st=(?P<starts>[0-9]{1,12})~exp=(?P<expires>[0-9]{1,12})~acl=(?P<acl>[^~]+)"
    r"(?:~data=(?P<data>[^~]+))?~hmac=(?P<mac>[0-9a-f]{64})"
)


@dataclass(frozen=True, slots=True)
class AkamaiSigner(TokenFirst):
    """``token_name`` is the name of the cookie, or what stands before ``=`` in the path. ``data``
    is text in the token that logs show. ``cookie_domain`` is None where the token is in the
    path."""

    key: SecretKey
    token_name: str = TOKEN_NAME
    salt: str = field(default="", repr=False)
    data: str = ""
    cookie_domain: str | None = None
    scheme: Literal["akamai"] = field(default="akamai", init=False)

    @property
    def key_id(self) -> str:
        """The id of the key that signs; it is not in the token."""
        return self.key.id

    def refusal(self, url: str, cookies: Mapping[str, str], now_s: float) -> str | None:
        """As the edge judges: the HMAC, the times, and the list."""
        path = split(url)[1]
        text = cookies.get(self.token_name, "")
        if self.cookie_domain is None:
            found = re.match(rf"/{re.escape(self.token_name)}=(.*?~hmac=[0-9a-f]{{64}})(?=/)", path)
            text, path = (found[1], path[found.end() :]) if found is not None else ("", path)
        token = _TOKEN.fullmatch(text)
        if token is None:
            return NO_SIGNATURE
        fields = text.rpartition("~hmac=")[0]
        if not hmac.compare_digest(token["mac"], self._mac(fields)):
            return NO_MATCH
        late = check_times(int(token["starts"]), int(token["expires"]), now_s)
        form = re.escape(token["acl"]).replace(r"\*", ".*").replace(r"\?", ".")
        return late or (None if re.fullmatch(form, path) else OUTSIDE)

    def _token(self, path: str, validity: Validity) -> str:
        acl = _RESERVED.sub("*" if self.cookie_domain is None else "?", path)
        fields = f"st={validity.starts_s}~exp={validity.expires_s}~acl={acl}*"
        if self.data:
            fields += f"~data={self.data}"
        return f"{fields}~hmac={self._mac(fields)}"

    def _mac(self, fields: str) -> str:
        text = f"{fields}~salt={self.salt}" if self.salt else fields
        return hmac.digest(self.key.secret, text.encode(), "sha256").hex()
