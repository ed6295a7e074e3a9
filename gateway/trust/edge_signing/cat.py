"""Common Access Tokens (CTA-5007) for edges that check them.

The token is a CWT (RFC 8392) in a COSE_Mac0 with HMAC-SHA-256 (RFC 9052, section 6.2). Its claims
are ``exp``, ``nbf``, ``iss`` where there is an issuer, ``catv`` 1, and ``catu`` with a prefix of
the path. It is a cookie, or the first segment of the path, which the edge takes out before it
compares the path with ``catu``::

    https://edge.example/CAT=0YRDoQ…/videos/show/720p/1.ts

``cwt`` is imported when an edge uses this scheme.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from gateway.edge.signing import Validity
from gateway.trust.edge_signing.scheme import (
    NO_MATCH,
    NO_SIGNATURE,
    OUTSIDE,
    SchemeError,
    SecretKey,
    TokenFirst,
    base64url,
    check_times,
    from_base64url,
    split,
)

if TYPE_CHECKING:
    from cwt import COSEKey

COOKIE: Final = "CTA-Common-Access-Token"
SEGMENT: Final = "CAT"
_KEY_BYTES: Final = 32
_ISS, _EXP, _NBF, _CATV, _CATU = 1, 4, 5, 310, 312
"""Claim keys: IANA, CBOR Web Token Claims."""
_PATH, _PREFIX = 3, 1
"""Of ``catu``: the part of the URI, and how it is matched."""
_HS256, _ALG, _KID = 5, 1, 4
"""COSE: the algorithm, and the labels of header parameters."""


@dataclass(frozen=True, slots=True)
class CatSigner(TokenFirst):
    """``key`` is a secret of 32 bytes or more, and its id the ``kid``. Raises SchemeError for a
    shorter one. ``cookie_domain`` is None where the token is in the path."""

    key: SecretKey
    issuer: str = ""
    cookie_domain: str | None = None
    token_name: str = ""
    scheme: Literal["cat"] = field(default="cat", init=False)
    _cose: "COSEKey" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make the COSE key, and fill in the usual name of the token."""
        if len(self.key.secret) < _KEY_BYTES:
            problem = f'"{self.key.id}" has a secret of {len(self.key.secret)} bytes'
            allowed = f"at least {_KEY_BYTES} bytes, in hexadecimal digits"
            raise SchemeError("keys", problem, allowed)
        from cwt import COSEKey  # noqa: PLC0415

        kid = self.key.id.encode("ascii")
        made = COSEKey.from_symmetric_key(self.key.secret, alg="HS256", kid=kid)
        object.__setattr__(self, "_cose", made)
        name = self.token_name or (SEGMENT if self.cookie_domain is None else COOKIE)
        object.__setattr__(self, "token_name", name)

    @property
    def key_id(self) -> str:
        """The ``kid``."""
        return self.key.id

    def refusal(self, url: str, cookies: Mapping[str, str], now_s: float) -> str | None:
        """As an edge judges: the mac, ``nbf`` and ``exp``, ``iss``, and ``catu``."""
        path = split(url)[1]
        text = cookies.get(self.token_name, "")
        if self.cookie_domain is None:
            found = re.match(rf"/{re.escape(self.token_name)}=([A-Za-z0-9_-]+)(?=/)", path)
            text, path = (found[1], path[found.end() :]) if found is not None else ("", path)
        token = from_base64url(text)
        if not token:
            return NO_SIGNATURE
        claims = self._claims(token)
        if claims is None or claims.get(_ISS, "") != self.issuer:
            return NO_MATCH
        late = check_times(claims[_NBF], claims[_EXP], now_s)
        inside = path.startswith(claims[_CATU][_PATH][_PREFIX])
        return late or (None if inside else OUTSIDE)

    def _token(self, path: str, validity: Validity) -> str:
        from cbor2 import dumps  # noqa: PLC0415
        from cwt import COSE  # noqa: PLC0415

        claims: dict[int, object] = {_ISS: self.issuer} if self.issuer else {}
        claims |= {_EXP: validity.expires_s, _NBF: validity.starts_s, _CATV: 1}
        claims[_CATU] = {_PATH: {_PREFIX: path}}
        kid = self.key.id.encode("ascii")
        token = COSE.new().encode(
            dumps(claims), self._cose, protected={_ALG: _HS256}, unprotected={_KID: kid}
        )
        return base64url(token)

    def _claims(self, token: bytes) -> dict[int, Any] | None:
        """The claims of a token with a mac of this key; None for anything else."""
        from cbor2 import loads  # noqa: PLC0415
        from cwt import COSE  # noqa: PLC0415

        try:
            claims = loads(COSE.new().decode(token, self._cose))
        except Exception:  # noqa: BLE001  # a mac that is no bytes is a TypeError of hmac
            return None
        return claims if isinstance(claims, dict) else None
