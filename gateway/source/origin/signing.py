"""How does an origin know that a request is from the gateway? HTTP Message Signatures (RFC 9421).

``hmac-sha256`` over ``@method``, ``@path``, ``date`` and ``x-request-id``, in that order, with
``created``, ``keyid`` and ``alg`` as parameters. The signed text is the signature base of section
2.5::

    "@method": GET
    "@path": /vod/film/master.m3u8
    "date": Tue, 20 Apr 2021 02:07:55 GMT
    "x-request-id": 5f1c…
    "@signature-params": ("@method" "@path" "date" "x-request-id");created=…;keyid="…";alg="…"
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from email.utils import formatdate
from hashlib import sha256
from hmac import digest

LABEL = "gateway"


def signed_headers(
    *, path: str, request_id: str, now: float, key: str, key_id: str
) -> dict[str, str]:
    """The headers that sign a GET of ``path``: ``Date``, ``Signature-Input``, ``Signature``."""
    date = formatdate(now, usegmt=True)
    components = [("@method", "GET"), ("@path", path), ("date", date), ("x-request-id", request_id)]
    parameters = {"created": str(int(now)), "keyid": f'"{key_id}"', "alg": '"hmac-sha256"'}
    described, base = signature_base(components, parameters)
    signature = b64encode(digest(key.encode(), base.encode(), sha256)).decode()
    return {
        "Date": date,
        "Signature-Input": f"{LABEL}={described}",
        "Signature": f"{LABEL}=:{signature}:",
    }


def signature_base(
    components: Sequence[tuple[str, str]], parameters: Mapping[str, str]
) -> tuple[str, str]:
    """The signature parameters, and the signature base (section 2.5)."""
    names = " ".join(f'"{name}"' for name, _ in components)
    described = f"({names})" + "".join(f";{name}={value}" for name, value in parameters.items())
    lines = [f'"{name}": {value}' for name, value in components]
    return described, "\n".join([*lines, f'"@signature-params": {described}'])
