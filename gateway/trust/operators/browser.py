"""What does a browser keep of a sign-in? Two signed cookies: of the flow while it runs, and of the
session that it begins.

Both are signed with the key ring for a purpose of their own. They can be read, but not changed.
"""

import json
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from gateway.trust.keys import KeyRing, Purpose
from gateway.trust.operators.oidc import OidcRules
from gateway.trust.operators.operator import Operator, Role
from gateway.untrusted import json_of

MAX_PAYLOAD_BYTES: Final = 1400
FLOW_S: Final = 600
"""Seconds that somebody has for signing in at the provider."""


@dataclass(frozen=True, slots=True)
class Flow:
    """A sign-in that runs: what the provider has to send back (``state``), what the token has to
    have (``nonce``), what proves that the code is ours (``verifier``, RFC 7636), and the path to
    which the browser returns. ``until_s`` is Unix time."""

    state: str
    nonce: str
    verifier: str
    return_to: str
    until_s: int


def signed_flow(keys: KeyRing, flow: Flow) -> str:
    """The cookie of a flow."""
    members = [flow.state, flow.nonce, flow.verifier, flow.return_to, flow.until_s]
    return keys.sign(Purpose.OPERATOR_SIGN_IN, json.dumps(members).encode())


def read_flow(keys: KeyRing, text: str, now_s: float) -> Flow | None:
    """The flow of a cookie; None for one that is forged, or too old."""
    match _payload(keys, Purpose.OPERATOR_SIGN_IN, text):
        case [str(state), str(nonce), str(verifier), str(return_to), int(until_s)] if (
            now_s < until_s
        ):
            return Flow(state, nonce, verifier, return_to, until_s)
        case _:
            return None


def signed_session(keys: KeyRing, operator: Operator, rules: OidcRules, until_s: int) -> str:
    """The cookie of a session that ends at ``until_s`` (Unix time)."""
    members = [operator.id, operator.role.value, until_s, _digest(rules)]
    return keys.sign(Purpose.OPERATOR_SESSION, json.dumps(members).encode())


def read_session(keys: KeyRing, text: str, rules: OidcRules, now_s: float) -> Operator | None:
    """Who has the session of a cookie; None for one that is forged, has ended, or began under
    other rules."""
    match _payload(keys, Purpose.OPERATOR_SESSION, text):
        case [str(subject), str(role), int(until_s), str(digest)] if (
            now_s < until_s and digest == _digest(rules) and role in set(Role)
        ):
            return Operator("oidc", subject, Role(role), by_cookie=True)
        case _:
            return None


def is_local_path(text: str) -> bool:
    """Whether a browser stays on this listener when it goes there: a path, and nothing that a
    browser reads as another host."""
    return (
        text.startswith("/")
        and not text.startswith("//")
        and len(text) <= 500  # noqa: PLR2004
        and text.isascii()
        and text.isprintable()
        and "\\" not in text
    )


def _payload(keys: KeyRing, purpose: Purpose, text: str) -> Any:  # noqa: ANN401
    data = keys.verify(purpose, text)
    if data is None:
        return None
    try:
        return json_of(data, MAX_PAYLOAD_BYTES)
    except ValueError:
        return None


def _digest(rules: OidcRules) -> str:
    """Stands for the rules by which somebody has signed in: when these change, sessions end."""
    parts = [rules.issuer, rules.client_id, rules.role_claim]
    parts += [f"{value}={role}" for value, role in sorted(rules.roles.items())]
    return blake2b("\n".join(parts).encode(), digest_size=6).hexdigest()
