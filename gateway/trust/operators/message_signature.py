"""Has a service signed this request? HTTP Message Signatures (RFC 9421) with HMAC-SHA-256.

The signature covers at least the method, what is asked for, and the body: ``@method``,
``@target-uri`` or ``@path`` (and ``@query`` where there is one), and ``content-digest`` (RFC 9530)
where there is a body. ``created``, ``keyid`` and ``nonce`` are parameters. A signature is accepted
for a window around ``created``; who calls sees to it that no nonce is accepted twice.
"""

import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256, sha512
from typing import Any, Final

import http_sf

from gateway.trust.operators.operator import Operator, Role, Scope, SignInRefusal

ALGORITHM: Final = "hmac-sha256"
MAX_FIELD_CHARS: Final = 4096
"""A longer Signature-Input, Signature or Content-Digest is refused unread."""
MAX_COMPONENTS: Final = 32
MAX_WINDOW_S: Final = 3600
"""How far ``created`` may be from now at most, whatever the config says."""
MAX_NONCE_CHARS: Final = 128

_FIELD: Final = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,64}")
_DIGESTS: Final = {"sha-256": sha256, "sha-512": sha512}


@dataclass(frozen=True, slots=True)
class SignedMessage:
    """A request as it was sent: ``path`` and ``query`` (without ``?``) percent-encoded, ``headers``
    by lower-case names, lines with one name as one list."""

    method: str
    scheme: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class ServiceKey:
    """A service that signs, with its secret."""

    id: str
    secret: bytes = field(repr=False)
    role: Role
    scopes: frozenset[Scope] | None = None
    state: str = "active"


@dataclass(frozen=True, slots=True)
class Signed:
    """Who has signed, and the nonce, which must not be accepted again before ``until_s``, or
    before ``longest_s`` if the window becomes longer meanwhile (Unix times)."""

    operator: Operator
    nonce: str
    until_s: float
    longest_s: float


class _BadSignatureError(Exception):
    """The message says why, for who sent it."""


class ServiceKeys:
    """The keys in use. Immutable. ``window_s`` is how far ``created`` may be from now."""

    def __init__(self, keys: Iterable[ServiceKey], window_s: float) -> None:
        self._keys = {key.id: key for key in keys}
        self._window_s = window_s

    def verify(self, message: SignedMessage, now_s: float) -> Signed | SignInRefusal:
        """Who has signed ``message``; ``now_s`` is Unix time."""
        try:
            components, parameters, signature = _read(message.headers)
            self._check_parameters(parameters, now_s)
            _check_covered(components, message)
            base = signature_base(components, parameters, message)
        except _BadSignatureError as error:
            return SignInRefusal("bad-signature", str(error))
        key = self._keys.get(parameters["keyid"])
        secret = b"" if key is None else key.secret
        same = hmac.compare_digest(hmac.digest(secret, base, "sha256"), signature)
        named = parameters["keyid"][:MAX_NONCE_CHARS]
        if key is None or not same:
            return SignInRefusal(
                "wrong-signature", "the signature is not one of a known key", named
            )
        if key.state != "active":
            return SignInRefusal("revoked-key", "the key of the signature is revoked", named)
        digest = message.headers.get("content-digest")
        if digest is not None and not matches_digest(digest, message.body):
            text = "Content-Digest has no sha-256 or sha-512 of the body"
            return SignInRefusal("wrong-digest", text, named)
        operator = Operator("service", key.id, key.role, key.scopes)
        until_s, longest_s = (
            parameters["created"] + window_s + 1 for window_s in (self._window_s, MAX_WINDOW_S)
        )
        return Signed(operator, f"{key.id} {parameters['nonce']}", until_s, longest_s)

    def _check_parameters(self, parameters: Mapping[str, Any], now_s: float) -> None:
        for name, kind in (("created", int), ("keyid", str), ("nonce", str)):
            if type(parameters.get(name)) is not kind:
                raise _BadSignatureError(f"the signature has no parameter {name}")
        if not 0 < len(parameters["nonce"]) <= MAX_NONCE_CHARS:
            raise _BadSignatureError(f"the nonce has not 1 to {MAX_NONCE_CHARS} characters")
        if parameters.get("alg", ALGORITHM) != ALGORITHM:
            raise _BadSignatureError(f"the algorithm is not {ALGORITHM}")
        if abs(now_s - parameters["created"]) > self._window_s:
            raise _BadSignatureError(
                f"created is more than {self._window_s:g} s from now; is a clock wrong?"
            )
        expires = parameters.get("expires")
        if expires is not None and (type(expires) is not int or now_s >= expires):
            raise _BadSignatureError("the signature has expired")


def signature_base(
    components: Iterable[str], parameters: Mapping[str, Any], message: SignedMessage
) -> bytes:
    """What is signed (RFC 9421, 2.5). Raises for a component that the request does not have."""
    names = list(components)
    lines = [f'"{name}": {_value(name, message)}' for name in names]
    inner: Any = ([(name, {}) for name in names], dict(parameters))
    described = http_sf.ser({"s": inner}).removeprefix("s=")
    return "\n".join([*lines, f'"@signature-params": {described}']).encode("latin-1", "replace")


def matches_digest(content_digest: str, body: bytes) -> bool:
    """Whether a Content-Digest (RFC 9530, 2) is of ``body``: it has a digest that is known, and all
    that are known are right."""
    try:
        found = http_sf.parse(content_digest.encode("latin-1"), tltype="dictionary")
    except (ValueError, http_sf.StructuredFieldError):
        return False
    known = [(name, each[0]) for name, each in _items(found) if name in _DIGESTS]
    return bool(known) and all(
        isinstance(value, bytes) and hmac.compare_digest(_DIGESTS[name](body).digest(), value)
        for name, value in known
    )


def _items(found: Any) -> list[tuple[str, Any]]:  # noqa: ANN401
    return list(found.items()) if isinstance(found, dict) else []


def _read(headers: Mapping[str, str]) -> tuple[list[str], dict[str, Any], bytes]:
    """The covered components, the parameters and the signature, of the only label."""
    inputs = _dictionary(headers, "signature-input")
    signatures = _dictionary(headers, "signature")
    if len(inputs) != 1 or inputs.keys() != signatures.keys():
        raise _BadSignatureError("Signature-Input and Signature have not one and the same label")
    [(covered, parameters)] = inputs.values()
    [(signature, _)] = signatures.values()
    if not isinstance(covered, list) or not isinstance(signature, bytes):
        raise _BadSignatureError("Signature-Input is no list of components, or Signature no bytes")
    if len(covered) > MAX_COMPONENTS:
        raise _BadSignatureError(f"more than {MAX_COMPONENTS} components are signed")
    names = [name for name, options in covered if isinstance(name, str) and not options]
    if len(names) != len(covered) or len(set(names)) != len(names):
        raise _BadSignatureError("a component has parameters, or is there twice")
    return names, parameters, signature


def _dictionary(headers: Mapping[str, str], name: str) -> dict[str, Any]:
    text = headers.get(name, "")
    if len(text) > MAX_FIELD_CHARS:
        raise _BadSignatureError(f"{name} is longer than {MAX_FIELD_CHARS} characters")
    try:
        found = http_sf.parse(text.encode("latin-1", "replace"), tltype="dictionary")
    except (ValueError, http_sf.StructuredFieldError):
        raise _BadSignatureError(f"{name} is no dictionary (RFC 9651, 3.2)") from None
    return dict(_items(found))


def _check_covered(components: list[str], message: SignedMessage) -> None:
    covered = set(components)
    whole = "@target-uri" in covered
    if "@method" not in covered:
        raise _BadSignatureError("@method is not signed")
    if not whole and "@path" not in covered:
        raise _BadSignatureError("neither @target-uri nor @path is signed")
    if not whole and message.query and "@query" not in covered:
        raise _BadSignatureError("@query is not signed")
    if message.body and "content-digest" not in covered:
        raise _BadSignatureError("content-digest is not signed, and there is a body")


def _value(name: str, message: SignedMessage) -> str:
    """The value of a component (RFC 9421, 2.1 and 2.2)."""
    authority = message.headers.get("host", "").lower()
    query = f"?{message.query}" if message.query else ""
    derived = {
        "@method": message.method,
        "@scheme": message.scheme,
        "@authority": authority,
        "@path": message.path,
        "@query": query or "?",
        "@request-target": message.path + query,
        "@target-uri": f"{message.scheme}://{authority}{message.path}{query}",
    }
    if name in derived:
        return derived[name]
    if _FIELD.fullmatch(name) and name in message.headers:
        return message.headers[name]
    raise _BadSignatureError(f"the request has no component {name[:64]!a}")
