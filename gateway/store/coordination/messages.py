"""The messages between workers: small JSON objects, one kind for each event.

Redis may hold anything, and workers of several versions may share it. Whatever is not exactly a
message of this version decodes to None, and readers skip it.
"""

import json
import re
from dataclasses import dataclass

from gateway.client.asset import AssetError, asset_id, is_asset_prefix
from gateway.store.coordination.bus import MAX_MESSAGE_BYTES
from gateway.untrusted import json_of

VERSION = 1
MAX_WORD_CHARS = 128

_TOKEN = re.compile(r"[0-9a-f]{1,64}\Z")


@dataclass(frozen=True, slots=True)
class PolicyReloaded:
    """``policy``: a worker uses another policy version; our file may have changed, too."""

    version: str


@dataclass(frozen=True, slots=True)
class EdgesChanged:
    """``edges``: check them again. ``what`` happened (``drain``, ``register``, ``state``) to the
    edge with the id ``edge``; both are for people: any printable text of bounded length."""

    what: str
    edge: str


@dataclass(frozen=True, slots=True)
class Purge:
    """``assets``: forget one asset's manifests, or those of all assets whose ids begin with
    ``prefix``. Workers acknowledge it under ``token``."""

    asset: str | None
    prefix: str | None
    token: str


@dataclass(frozen=True, slots=True)
class RevocationsChanged:
    """``revocations``: read them again."""


ControlMessage = PolicyReloaded | EdgesChanged | Purge | RevocationsChanged


def encode_message(message: ControlMessage) -> bytes:
    """Serialise a message."""
    match message:
        case PolicyReloaded(version):
            return _written(kind="policy-reloaded", version=version)
        case EdgesChanged(what, edge):
            return _written(kind="edges-changed", what=what, edge=edge)
        case RevocationsChanged():
            return _written(kind="revocations-changed")
        case Purge(str(asset), _, token):
            return _written(kind="purge", asset=asset, token=token)
        case Purge(_, prefix, token):
            return _written(kind="purge", prefix=prefix or "", token=token)


def decode_message(body: bytes) -> ControlMessage | None:
    """Parse a message; None when this version does not know it. Never raises."""
    match _read(body):
        case {"kind": "policy-reloaded", "version": version, **rest} if not rest:
            return PolicyReloaded(version) if _is_word(version) else None
        case {"kind": "edges-changed", "what": what, "edge": edge, **rest} if not rest:
            return EdgesChanged(what, edge) if _is_word(what) and _is_word(edge) else None
        case {"kind": "revocations-changed", **rest} if not rest:
            return RevocationsChanged()
        case {"kind": "purge", "asset": asset, "token": token, **rest} if not rest:
            return Purge(asset, None, token) if _is_asset(asset) and _is_token(token) else None
        case {"kind": "purge", "prefix": prefix, "token": token, **rest} if not rest:
            is_good = is_asset_prefix(prefix) and _is_token(token)
            return Purge(None, prefix, token) if is_good else None
        case _:
            return None


def _written(**fields: str) -> bytes:
    return json.dumps({"v": VERSION, **fields}).encode()


def _read(body: bytes) -> dict[str, str]:
    """The fields without the version; empty when it is no message of this version."""
    try:
        fields = json_of(body, MAX_MESSAGE_BYTES)
    except ValueError:
        return {}
    if not isinstance(fields, dict) or fields.pop("v", None) != VERSION:
        return {}
    return fields if all(isinstance(value, str) for value in fields.values()) else {}


def _is_asset(text: str) -> bool:
    try:
        asset_id(text)
    except AssetError:
        return False
    return True


def _is_token(text: str) -> bool:
    return _TOKEN.match(text) is not None


def _is_word(text: str) -> bool:
    return 0 < len(text) <= MAX_WORD_CHARS and text.isprintable()
