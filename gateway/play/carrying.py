"""How is a viewer admitted when the token is not repeated?

A manifest that was given for a token names URLs at which its player asks again: the ``Location`` of
a live MPD, and that of steering. They carry the admission, signed, instead of the token. What all
viewers of a class share has a place for it, so no cache holds the admission of anybody.
"""

import secrets
import time
from typing import Final

from gateway.play.runtime import Gateway, Runtime
from gateway.steering.query import GRANT
from gateway.trust.admission import Admission
from gateway.trust.keys import Purpose

PLACEHOLDER: Final = f"{GRANT}={secrets.token_hex(16)}"
"""Takes the place of an admission in a manifest. No source has it."""


def carried(gateway: Gateway, admission: Admission, asset: str) -> str:
    """The parameter that carries an admission to an asset."""
    return f"{GRANT}={signed_admission(gateway, admission, asset)}"


def signed_admission(gateway: Gateway, admission: Admission, asset: str) -> str:
    """The value of this parameter."""
    return gateway.keys.sign(Purpose.ADMISSION, admission.to_bytes(asset))


def read_admission(gateway: Gateway, runtime: Runtime, text: str, asset: str) -> Admission | None:
    """The admission that a request carries for ``asset``. None for anything but what a gateway
    with the same keys has issued, and for one whose token would now be refused to anybody:
    its key, or the one that renewed it, was changed, retired, removed or is not in force, or the
    config asks for more.
    """
    payload = gateway.keys.verify(Purpose.ADMISSION, text) if text else None
    found = None if payload is None else Admission.from_bytes(payload, asset)
    if found is None:
        return None
    now_s, keys = time.time(), gateway.tokens.keys
    if found.renewal_key is not None and not keys.renews(found.renewal_key, now_s):
        return None
    key = keys.by_tag.get(found.key)
    if key is None and not _fetch_if_new(gateway, found):
        return None
    protection = runtime.protections.over(asset)
    if protection is None:
        return found
    return found if found.still_opens(key, protection, gateway.tokens.rules, now_s) else None


def _fetch_if_new(gateway: Gateway, found: Admission) -> bool:
    """Whether an unknown key may be a new one of a key set that another worker has already
    read. If so, has the sets fetched soon; a key that is still unknown then was removed."""
    read_s = gateway.tokens.sets_read_s
    if not found.key_of_set or (read_s is not None and read_s >= found.given_s):
        return False
    gateway.tokens.unknown_key()
    return True
