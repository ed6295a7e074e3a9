"""Edges that announce themselves, for tests: a key, and the config that accepts it."""

import json
import time
from typing import Any

from gateway.config.registration import facts_of
from gateway.trust.keys import SigningKey
from gateway.trust.registrations import signed

SECRET = "a-secret-of-edges-that-has-enough-characters"
KEY = SigningKey("edges", SECRET.encode())
KEYS = [{"id": KEY.id, "secret": SECRET}]

SIGNING = {"GATEWAY_REGISTRY__KEYS": json.dumps(KEYS)}
"""The environment of what announces edges."""

ACCEPTING = {
    **SIGNING,
    "GATEWAY_REGISTRY__ENABLED": "true",
    "GATEWAY_REGISTRY__URLS": '["http://*:*/", "https://*.example/"]',
}
"""The environment of a gateway that uses them."""


def facts(edge_id: str, ttl_s: float = 6.0, owner: str = "me", **table: Any) -> bytes:
    """The facts of an edge's registration."""
    return facts_of({"id": edge_id, "url": f"http://{edge_id}.example/"} | table, ttl_s, owner)


def announced(edge_id: str, given: bytes, key: SigningKey = KEY, after_s: float = 0.0) -> bytes:
    """An announcement of these facts; ``after_s`` seconds from now."""
    return signed(key, edge_id, given, round((time.time() + after_s) * 1000))


def entry(edge_id: str, ttl_s: float = 6.0, owner: str = "me", **table: Any) -> bytes:
    """An edge's announcement, made now."""
    return announced(edge_id, facts(edge_id, ttl_s, owner, **table))
