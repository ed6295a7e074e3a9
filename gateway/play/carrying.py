"""How is a viewer admitted when the token is not repeated?

A manifest that was given for a token names URLs at which its player asks again: the ``Location`` of
a live MPD, and that of steering. They carry the admission, signed, instead of the token. What all
viewers of a class share has a place for it, so no cache holds the admission of anybody.
"""

import secrets
from typing import Final

from gateway.play.runtime import Gateway, Runtime
from gateway.steering.query import GRANT
from gateway.trust.admission import Admission, key_name
from gateway.trust.keys import Purpose

PLACE: Final = f"{GRANT}={secrets.token_hex(16)}"
"""Takes the place of an admission in a manifest. No source has it."""


def carried(gateway: Gateway, admission: Admission, asset: str) -> str:
    """The parameter that carries an admission to an asset."""
    return f"{GRANT}={signed_admission(gateway, admission, asset)}"


def signed_admission(gateway: Gateway, admission: Admission, asset: str) -> str:
    """The value of this parameter."""
    return gateway.keys.sign(Purpose.ADMISSION, admission.to_bytes(asset))


def read_admission(gateway: Gateway, runtime: Runtime, text: str, asset: str) -> Admission | None:
    """The admission that a request carries for ``asset``. None for anything but what a gateway
    with the same keys has issued, and for that of a token whose key has been retired or removed.

    A key of a set (``[[tokens.jwks]]``) that is gone may be one that was not fetched yet.
    """
    payload = gateway.keys.verify(Purpose.ADMISSION, text) if text else None
    found = None if payload is None else Admission.from_bytes(payload, asset)
    if found is None:
        return None
    tokens = runtime.settings.tokens
    status = {key_name(key.id): key.status for key in tokens.keys}
    otherwise = "active" if tokens.jwks else "removed"
    return found if status.get(found.key, otherwise) == "active" else None
