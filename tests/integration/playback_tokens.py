"""Playback tokens as a backend signs them, and the config that opens titles for them."""

import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

from cbor2 import CBORTag, dumps

SECRET = "0123456789abcdef0123456789abcdef"
TOKENS = f"""
[tokens]
enabled = true
[[tokens.keys]]
id = "k"
algorithm = "HS256"
secret = "{SECRET}"
"""
PROTECT = TOKENS + '[[tokens.protect]]\nasset_prefix = "paid/"\n'


def token(asset_prefix: str | None = "paid/", secret: str = SECRET, **claims: Any) -> str:
    """A JWT that is valid for an hour unless ``claims`` has ``exp``."""
    payload: dict[str, Any] = {"exp": int(time.time()) + 3600, **claims}
    if asset_prefix is not None:
        payload["asset_prefix"] = asset_prefix
    head = {"alg": "HS256", "typ": "JWT", "kid": "k"}
    signed = f"{_part(json.dumps(head).encode())}.{_part(json.dumps(payload).encode())}"
    return f"{signed}.{_part(hmac.digest(secret.encode(), signed.encode(), 'sha256'))}"


def cat(claims: Mapping[int | str, Any]) -> str:
    """A CAT for titles below ``paid/``, valid for an hour unless ``claims`` says otherwise."""
    payload = dumps({4: int(time.time()) + 3600, "asset_prefix": "paid/"} | dict(claims))
    header = dumps({1: 5})
    signed = dumps(["MAC0", header, b"", payload])
    mac = hmac.digest(SECRET.encode(), signed, "sha256")
    return _part(dumps(CBORTag(61, CBORTag(17, [header, {4: b"k"}, payload, mac]))))


def bearer(text: str) -> dict[str, str]:
    """The header with a token."""
    return {"Authorization": f"Bearer {text}"}


def _part(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
