"""The part of the OpenAPI document by which operators act."""

from typing import Any, get_args

from gateway.edge.fleet import EdgeState
from gateway.store.coordination.revocations import Revocable
from gateway.store.events.audit_stream import MAX_PAGE

SECURITY_SCHEMES: dict[str, Any] = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, where admin.sign_in asks for one.",
    },
    "token": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "An ID token or access token of the OpenID provider.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "__Host-gateway-session",
        "description": "The session of a browser; requests that act need X-Gateway-Csrf as well.",
    },
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": "Signature",
        "description": "HTTP Message Signatures (RFC 9421), with Signature-Input.",
    },
}

_TEXT = {"type": "string"}
_FLAG = {"type": "boolean"}
_TEXT_OR_NULL = {"type": ["string", "null"]}
_OBJECT = {"type": "object"}
_EDGE_ID: dict[str, Any] = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "The edge's id.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"},
}
_RETURN_TO: dict[str, Any] = {
    "name": "return_to",
    "in": "query",
    "description": "The path of this listener to which the browser returns.",
    "schema": {"type": "string", "pattern": "^/", "maxLength": 500},
}
_OVERRIDE_ID: dict[str, Any] = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "The override's id.",
    "schema": {"type": "string", "pattern": "^[0-9a-f]{8}$"},
}
_IDEMPOTENCY: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Requests of an operator with the same key begin one override.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
_PAGE: list[dict[str, Any]] = [
    {
        "name": "limit",
        "in": "query",
        "description": "The most entries to answer with.",
        "schema": {"type": "integer", "minimum": 1, "maximum": MAX_PAGE},
    },
    {
        "name": "cursor",
        "in": "query",
        "description": "Where to begin: the value of next in the page before.",
        "schema": {"type": "string", "pattern": "^[0-9]{1,20}-[0-9]{1,20}$"},
    },
]
_OVERRIDE = {
    "id": _TEXT,
    "from": _TEXT,
    "to": _TEXT,
    "share": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
    "asset_prefix": _TEXT_OR_NULL,
    "since": _TEXT,
    "until": _TEXT,
    "who": _TEXT,
    "why": _TEXT,
    "cancelled_by": _TEXT_OR_NULL,
}
_STEER = {
    **{name: _OVERRIDE[name] for name in ("from", "to", "share", "why")},
    "until": {
        "type": "string",
        "description": "A duration such as 90m, or a time such as 2026-11-28T23:00Z.",
    },
    "asset_prefix": _TEXT,
    "force": _FLAG,
}
_EDGE = {
    "id": _TEXT,
    "url": _TEXT,
    "state": {"enum": [*get_args(EdgeState)]},
    "full": _FLAG,
    "why": _TEXT_OR_NULL,
}
_REVOKED: dict[str, Any] = {
    "kind": {"enum": [*Revocable]},
    "hash": _TEXT,
    "since": _TEXT,
    "until": _TEXT,
    "who": _TEXT,
}
_CONFIG = {
    "version": _TEXT,
    "file": _TEXT_OR_NULL,
    "loaded": _TEXT,
    "waits_for_restart": {"type": "array", "items": _TEXT},
    "refused": {"type": ["array", "null"], "items": _TEXT},
    "set_by": _OBJECT,
    "settings": _OBJECT,
}
_ENTRY = {
    "id": _TEXT,
    "time": {"type": "integer", "description": "Unix time in ms."},
    **dict.fromkeys(("who", "kind", "action", "target"), _TEXT),
    **dict.fromkeys(("role", "address", "request_id", "reason"), _TEXT_OR_NULL),
    "outcome": {"enum": ["done", "refused", "failed"]},
    "before": {"type": ["object", "null"]},
    "after": {"type": ["object", "null"]},
}


def operator_paths() -> dict[str, Any]:
    """The paths."""
    redirect = {"302": {"description": "The browser is led on"}}
    return {
        "/v1/sign-in": {
            "parameters": [_RETURN_TO],
            "get": {"summary": "Leads a browser to the OpenID provider", "responses": redirect},
        },
        "/v1/sign-in/callback": {
            "get": {"summary": "The browser comes back with a code", "responses": redirect},
        },
        "/v1/sign-out": {
            "post": {
                "summary": "The browser forgets its session",
                "responses": {"204": {"description": "The cookie is deleted"}},
            },
        },
        "/v1/edges": {"get": _operation("Every edge with its state", _list_of("edges", _EDGE))},
        "/v1/edges/{id}/drain": {
            "parameters": [_EDGE_ID],
            "post": _operation(
                "Sends new sessions elsewhere, and steers those that play away",
                _members({"id": _TEXT, "drained": _FLAG, "why": _TEXT}),
                _members({"why": _TEXT, "force": _FLAG}),
            ),
        },
        "/v1/edges/{id}/undrain": {
            "parameters": [_EDGE_ID],
            "post": _operation(
                "Ends a drain", _members({"id": _TEXT, "drained": _FLAG, "was_drained": _FLAG})
            ),
        },
        "/v1/purge": {
            "post": _operation(
                "All workers forget the manifests of an asset, or of all with a prefix",
                _members(
                    {
                        "acknowledged": {"type": "integer"},
                        "silent": {"type": "array", "items": _OBJECT},
                        "seconds": {"type": "number"},
                    }
                ),
                _members({"asset": _TEXT, "prefix": _TEXT}),
            ),
        },
        "/v1/steer": {
            "get": _operation("The overrides in force", _list_of("overrides", _OVERRIDE)),
            "post": {
                **_operation(
                    "Sends a share of an edge's sessions to another one for a while",
                    _members({**_OVERRIDE, "warnings": {"type": "array", "items": _TEXT}}),
                    _members(_STEER, "from", "to", "share", "until"),
                    status="201",
                ),
                "parameters": [_IDEMPOTENCY],
            },
        },
        "/v1/steer/{id}": {
            "parameters": [_OVERRIDE_ID],
            "delete": _operation("Ends an override", _members(_OVERRIDE)),
        },
        "/v1/revocations": {
            "get": _operation("What is revoked, by its hash", _list_of("revocations", _REVOKED)),
            "post": _operation(
                "Refuses a token, a subject or a session on every gateway",
                _members(_REVOKED),
                _members({"kind": _REVOKED["kind"], "name": _TEXT, "for": _TEXT}, "kind", "name"),
                status="201",
            ),
        },
        "/v1/revocations/{kind}/{name}": {
            "parameters": [
                {"name": name, "in": "path", "required": True, "schema": schema}
                for name, schema in (("kind", _REVOKED["kind"]), ("name", _TEXT))
            ],
            "delete": _operation("Ends a revocation", _members(_REVOKED)),
        },
        "/v1/config": {"get": _operation("The configuration in force", _members(_CONFIG))},
        "/v1/config/reload": {
            "post": _operation(
                "Reads the configuration file again",
                _members(
                    {
                        "version": _TEXT,
                        "before": _TEXT,
                        "changed": _OBJECT,
                        "waits_for_restart": {"type": "array", "items": _TEXT},
                    }
                ),
            ),
        },
        "/v1/audit": {
            "parameters": _PAGE,
            "get": _operation(
                "The audit log, the newest entry first",
                _members(
                    {
                        "entries": {"type": "array", "items": _members(_ENTRY)},
                        "next": _TEXT_OR_NULL,
                    }
                ),
            ),
        },
    }


def _members(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "object", "properties": properties}
    return {**found, "required": list(required)} if required else found


def _list_of(name: str, properties: dict[str, Any]) -> dict[str, Any]:
    return _members({name: {"type": "array", "items": _members(properties)}})


def _operation(
    summary: str,
    answer: dict[str, Any],
    body: dict[str, Any] | None = None,
    status: str = "200",
) -> dict[str, Any]:
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    found: dict[str, Any] = {
        "summary": summary,
        "responses": {
            status: {"description": summary, "content": {"application/json": {"schema": answer}}},
            "default": {
                "description": "A problem (RFC 9457)",
                "content": {"application/problem+json": problem},
            },
        },
    }
    if body is not None:
        found["requestBody"] = {"content": {"application/json": {"schema": body}}}
    return found
