"""The OpenAPI 3.1 document of the HTTP interface."""

from functools import cache
from importlib.metadata import version
from typing import Any

from gateway.client.facts import DeviceKind
from gateway.http.batch import MAX_ASSETS

_PARAMETERS: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("speed", {"type": "number"}, "The player's own measurement of its network, in kbit/s."),
    ("session", {"type": "string", "maxLength": 64}, "Names the viewer's session."),
    ("CMCD", {"type": "string"}, "CTA-5004 common media client data, version 1 or 2."),
    (
        "max_resolution",
        {"enum": ["270p", "360p", "480p", "540p", "720p", "1080p", "1440p", "2160p"]},
        "The tallest picture wanted.",
    ),
    (
        "min_resolution",
        {"enum": ["270p", "360p", "480p", "540p", "720p", "1080p", "1440p", "2160p"]},
        "The smallest picture wanted; given up when the ladder does not reach it.",
    ),
    ("max_bitrate", {"type": "integer", "minimum": 1}, "The highest peak bit rate, in kbit/s."),
    ("codecs", {"type": "string"}, "Comma list of avc, hevc, av1, vp9, dolby-vision."),
    ("clientBandwidthHint", {"type": "number"}, "The network's speed in Mbit/s."),
)

_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
    },
}

_DECISION = {
    "type": "object",
    "properties": {
        "asset": {"type": "string"},
        "manifest_url": {"type": "string", "format": "uri"},
        "adaptive_streaming": {"type": "boolean"},
        "quality_profile": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "max_bitrate_kbps": {"type": ["integer", "null"]},
                "max_height": {"type": ["integer", "null"]},
            },
        },
        "cdn_endpoint": {"type": "string"},
        "client": {
            "type": "object",
            "properties": {
                "device": {"enum": [kind.value for kind in DeviceKind]},
                "os": {"type": ["string", "null"]},
                "country": {"type": ["string", "null"]},
                "continent": {"type": ["string", "null"]},
                "speed_kbps": {"type": ["integer", "null"]},
                "speed_source": {"enum": ["query", "cmcd", "session", "hints", "prior", None]},
            },
        },
        "ladder": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "properties": {
                    "height": {"type": ["integer", "null"]},
                    "bandwidth": {"type": "integer", "description": "Peak, in bit/s."},
                    "codecs": {"type": ["string", "null"]},
                    "uri": {"type": "string", "format": "uri"},
                },
            },
        },
        "edges": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "reasons": {"type": "array", "items": {"type": "string"}},
    },
}


@cache
def openapi_document() -> dict[str, Any]:
    """The document; the same for every config."""
    parameters = [
        {"name": name, "in": "query", "schema": schema, "description": text}
        for name, schema, text in _PARAMETERS
    ]
    asset = {
        "name": "asset",
        "in": "path",
        "required": True,
        "description": "The asset's id; it may hold slashes.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._~/-]{1,512}$"},
    }
    fields = {
        "name": "fields",
        "in": "query",
        "schema": {"type": "string"},
        "description": "Comma list of top-level members to answer with.",
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Streaming gateway", "version": version("streaming-gateway")},
        "paths": {
            "/v1/play/{asset}.m3u8": {
                "parameters": [asset, *parameters],
                "get": _operation("The personalised HLS multivariant playlist", _playlist()),
                "head": _operation("Its headers", _playlist()),
            },
            "/v1/play/{asset}": {
                "parameters": [asset, *parameters, fields],
                "get": _operation(
                    "The decision and its reasons", {"application/json": {"schema": _DECISION}}
                ),
            },
            "/v1/decisions": {
                "parameters": [*parameters, fields],
                "post": _batch(),
            },
            "/v1/play/{asset}.mpd": {
                "parameters": [asset],
                "get": _reserved("The personalised MPD"),
            },
            "/v1/steering/{asset}": {
                "parameters": [asset],
                "get": _reserved("The steering manifest"),
            },
            "/v1/cmcd": {"post": _reserved("CMCD event reports")},
            "/v1/probe": {
                "get": _reserved("Bytes to time"),
                "post": _reserved("The result of a timing"),
            },
            "/livez": {"get": _operation("The process is up", _text())},
            "/readyz": {
                "get": _operation("Whether to send players here", {"application/json": {}})
            },
            "/metrics": {"get": _operation("Prometheus metrics", _text())},
            "/openapi.json": {"get": _operation("This document", {"application/json": {}})},
        },
        "components": {"schemas": {"Problem": _PROBLEM}},
    }


def _operation(summary: str, content: dict[str, Any]) -> dict[str, Any]:
    return {
        "summary": summary,
        "responses": {
            "200": {"description": summary, "content": content},
            "default": _problem("A problem (RFC 9457)"),
        },
    }


def _batch() -> dict[str, Any]:
    assets = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": MAX_ASSETS}
    asked = {"type": "object", "required": ["assets"], "properties": {"assets": assets}}
    refused = {
        "type": "object",
        "required": ["asset", "problem"],
        "properties": {"asset": {"type": "string"}, "problem": {"type": "object"}},
    }
    each = {"type": "array", "items": {"anyOf": [_DECISION, refused]}}
    answered = {"type": "object", "properties": {"decisions": each}}
    found = _operation(
        "The decisions for several assets, in the order asked",
        {"application/json": {"schema": answered}},
    )
    return {**found, "requestBody": {"content": {"application/json": {"schema": asked}}}}


def _reserved(summary: str) -> dict[str, Any]:
    """Part of the interface that this version answers with a 404 problem."""
    return {"summary": summary, "responses": {"404": _problem("Not available yet")}}


def _problem(description: str) -> dict[str, Any]:
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {"description": description, "content": {"application/problem+json": schema}}


def _playlist() -> dict[str, Any]:
    return {"application/vnd.apple.mpegurl": {"schema": {"type": "string"}}}


def _text() -> dict[str, Any]:
    return {"text/plain": {"schema": {"type": "string"}}}
