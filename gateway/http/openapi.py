"""The OpenAPI 3.1 documents of the HTTP interface, one for each listener."""

import json
from importlib.metadata import version
from typing import Any, get_args

from gateway.client.estimate import SampleSource
from gateway.client.facts import DeviceKind, SpeedSource
from gateway.http.batch import MAX_ASSETS
from gateway.http.operator_openapi import SECURITY_SCHEMES, operator_paths
from gateway.listener import OPERATORS, PLAYERS, Listener
from gateway.play.reports import MEDIA_TYPES
from gateway.play.sessions import USUAL_PAGE
from gateway.steering.decide import MOVE_REASONS, STAY_REASONS
from gateway.store.events.event import EventKind
from gateway.store.events.log import MAX_PAGE
from manifests.format import ManifestFormat

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
    ("token", {"type": "string"}, "The playback token, if it is in no header."),
    ("CTA-Common-Access-Token", {"type": "string"}, "The same."),
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

_DECISION: dict[str, Any] = {
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
                "speed_source": {"enum": [*get_args(SpeedSource), None]},
            },
        },
        "ladder": {
            "type": "array",
            "description": "Empty only while a live MPD has no Representation yet.",
            "items": {
                "type": "object",
                "description": "A DASH Representation has an id as well, and its uri is null.",
                "properties": {
                    "height": {"type": ["integer", "null"]},
                    "bandwidth": {"type": "integer", "description": "Peak, in bit/s."},
                    "codecs": {"type": ["string", "null"]},
                    "uri": {"type": ["string", "null"], "format": "uri"},
                },
            },
        },
        "edges": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "reasons": {"type": "array", "items": {"type": "string"}},
    },
}


def openapi_json(
    listener: Listener, *, with_batch: bool, with_reasons: bool, with_probe: bool
) -> bytes:
    """The document of one listener, with ``POST /v1/decisions``, ``/v1/probe`` and the ``reasons``
    of decisions where the config has them."""
    decision = dict(_DECISION)
    if not with_reasons:
        shown = {name: each for name, each in _DECISION["properties"].items() if name != "reasons"}
        decision["properties"] = shown
    paths = _for_players(decision) if listener == PLAYERS else _for_operators(decision)
    if with_probe and listener == PLAYERS:
        paths["/v1/probe"] = _probe()
    if with_batch:
        paths["/v1/decisions"] = {
            "parameters": [*_QUERY, _FORMAT, _FIELDS],
            "post": _batch(decision),
        }
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "Streaming gateway",
            "summary": f"The listener for {listener}",
            "version": version("streaming-gateway"),
        },
        "paths": paths,
        "components": {"schemas": {"Problem": _PROBLEM}},
    }
    if listener == OPERATORS:
        document["components"]["securitySchemes"] = SECURITY_SCHEMES
        document["security"] = [{}, *({name: []} for name in SECURITY_SCHEMES)]
    return json.dumps(document).encode()


_QUERY = [
    {"name": name, "in": "query", "schema": schema, "description": text}
    for name, schema, text in _PARAMETERS
]
_SESSION = next(each for each in _QUERY if each["name"] == "session")
_ASSET = {
    "name": "asset",
    "in": "path",
    "required": True,
    "description": "The asset's id; it may hold slashes.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._~/-]{1,512}$"},
}
_CLASS = {
    "name": "key",
    "in": "path",
    "required": True,
    "description": "The class, signed; Location of a live MPD has it.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]+[.][A-Za-z0-9_-]+$"},
}
_STEERING = [
    {"name": name, "in": "query", "schema": {"type": "string"}, "description": text}
    for name, text in (
        ("state", "The state of the session; RELOAD-URI has it."),
        ("_HLS_pathway", "The pathway that the player uses."),
        ("_HLS_throughput", "Its throughput, in bit/s."),
        ("_DASH_pathway", "The pathways that the player uses, in a comma list."),
        ("_DASH_throughput", "Their throughputs, in bit/s."),
    )
]
_FIELDS = {
    "name": "fields",
    "in": "query",
    "schema": {"type": "string"},
    "description": "Comma list of top-level members to answer with.",
}
_FORMAT = {
    "name": "format",
    "in": "query",
    "schema": {"enum": [*ManifestFormat]},
    "description": "The format that the decision is about; by default HLS if the asset has it.",
}
_REFRESH = {
    "name": "state",
    "in": "query",
    "schema": {"type": "string"},
    "description": "What the first answer has fixed, as Location repeats it.",
}


def _for_players(decision: dict[str, Any]) -> dict[str, Any]:
    """The paths of the players' listener, but for the batch."""
    return {
        "/v1/play/{asset}.m3u8": {
            "parameters": [_ASSET, *_QUERY],
            "get": _operation("The personalised HLS multivariant playlist", _playlist()),
            "head": _operation("Its headers", _playlist()),
        },
        "/v1/play/{asset}.mpd": {
            "parameters": [_ASSET, *_QUERY, _REFRESH],
            "get": _operation("The personalised MPD", _mpd()),
            "head": _operation("Its headers", _mpd()),
        },
        "/v1/class/{key}/{asset}.mpd": {
            "parameters": [_CLASS, _ASSET],
            "get": _operation("The MPD of a class of viewers, for every cache", _mpd()),
            "head": _operation("Its headers", _mpd()),
        },
        "/v1/play/{asset}": _json_decision("The decision behind it", decision),
        "/v1/steering/{asset}": {
            "parameters": [_ASSET, *_STEERING],
            "get": _operation("The steering manifest, for HLS and DASH", _steering_list()),
            "head": _operation("Its headers", _steering_list()),
        },
        "/v1/cmcd": {"parameters": [_SESSION], "post": _reports()},
        "/livez": {"get": _operation("The process is up", _text())},
        "/readyz": {"get": _operation("Whether to send players here, by the status alone", {})},
        "/openapi.json": {"get": _operation("This document", {"application/json": {}})},
    }


def _for_operators(decision: dict[str, Any]) -> dict[str, Any]:
    """The paths of the operators' listener, but for the batch."""
    return {
        "/v1/play/{asset}": _json_decision("The decision and its reasons", decision),
        "/v1/activity": {
            "parameters": _WANTED,
            "get": _operation(
                "Events as they come", {"text/event-stream": {"schema": {"type": "string"}}}
            ),
        },
        "/v1/sessions": {
            "parameters": [*_PAGE, _FIELDS],
            "get": _operation("Sessions, those with the latest events first", _json_of(_SESSIONS)),
        },
        "/v1/sessions/{session}": {
            "parameters": [_NAMED_SESSION, _FIELDS],
            "get": _operation("What happened to a session", _json_of(_STORY)),
        },
        **operator_paths(),
        "/livez": {"get": _operation("The process is up", _text())},
        "/readyz": {"get": _operation("Whether to send players here", {"application/json": {}})},
        "/metrics": {"get": _operation("Prometheus metrics", _text())},
        "/openapi.json": {"get": _operation("This document", {"application/json": {}})},
    }


_WANTED: list[dict[str, Any]] = [
    {"name": name, "in": place, "schema": {"type": "string"}, "description": text}
    for name, place, text in (
        ("session", "query", "Only events of this session, by its name or its hash."),
        ("asset", "query", "Only events of this asset."),
        ("edge", "query", "Only events of this edge, and of sessions that leave it."),
        ("country", "query", "Only events of viewers in this country (ISO 3166-1 alpha-2)."),
        ("Last-Event-ID", "header", "Begin behind the event with this id."),
    )
]
_PAGE = [
    {"name": name, "in": "query", "schema": schema, "description": text}
    for name, schema, text in (
        (
            "limit",
            {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": USUAL_PAGE},
            "The most sessions to answer with.",
        ),
        ("cursor", {"type": "string"}, "Where to begin: the value of next in the page before."),
    )
]
_NAMED_SESSION: dict[str, Any] = {
    "name": "session",
    "in": "path",
    "required": True,
    "description": "The session's name as its player sends it, or its hash.",
    "schema": {"type": "string"},
}
_TIME = {"type": "integer", "description": "Unix time in ms."}
_NAME_OR_NULL = {"type": ["string", "null"]}
_NAMES = {"type": "array", "items": {"type": "string"}}
_PATHWAY: dict[str, Any] = {
    "type": "object",
    "properties": {
        "time": _TIME,
        "asset": {"type": "string"},
        "country": _NAME_OR_NULL,
        "edge": {"type": "string"},
        "before": _NAME_OR_NULL,
        "priority": _NAMES,
        "reason": {"enum": [*MOVE_REASONS, *STAY_REASONS]},
        "moved": {"type": "boolean"},
        "playing": _NAME_OR_NULL,
        "obeyed": {"type": ["boolean", "null"]},
    },
}
_ESTIMATE: dict[str, Any] = {
    "type": ["object", "null"],
    "properties": {
        "speed_kbps": {"type": "integer"},
        "source": {"enum": [*get_args(SampleSource)]},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        "age_s": {"type": "integer"},
    },
}
_SAMPLE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "time": _TIME,
        "source": {"enum": [*get_args(SampleSource)]},
        "speed_kbps": {"type": "integer"},
    },
}
_PLAYBACK: dict[str, Any] = {
    "type": ["object", "null"],
    "properties": {
        "time": _TIME,
        "state": _NAME_OR_NULL,
        "cdn": _NAME_OR_NULL,
        "stalls": {"type": "integer"},
        "errors": {"type": "integer"},
        "error_codes": {"type": "array", "items": {"type": "string"}},
        "start_delay_ms": {"type": ["integer", "null"]},
    },
}
_STORY: dict[str, Any] = {
    "type": "object",
    "properties": {
        "session": {"type": "string", "pattern": "^[0-9a-f]{16}$"},
        "estimate": _ESTIMATE,
        "samples": {"type": "array", "items": _SAMPLE},
        "playback": _PLAYBACK,
        "decisions": {"type": "array", "items": {"type": "object"}},
        "pathways": {"type": "array", "items": _PATHWAY},
    },
}
_SESSIONS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "sessions": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "session": {"type": "string", "pattern": "^[0-9a-f]{16}$"},
                    "time": _TIME,
                    "events": {"type": "integer"},
                    "kind": {"enum": [*get_args(EventKind)]},
                    "asset": {"type": "string"},
                    "edge": {"type": "string"},
                    "country": _NAME_OR_NULL,
                },
            },
        },
        "next": _NAME_OR_NULL,
    },
}


def _json_of(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _steering_list() -> dict[str, Any]:
    return {"application/vnd.apple.steering-list": {"schema": {"type": "object"}}}


def _json_decision(summary: str, decision: dict[str, Any]) -> dict[str, Any]:
    content = {"application/json": {"schema": decision}}
    parameters = [_ASSET, *_QUERY, _FORMAT, _FIELDS]
    return {"parameters": parameters, "get": _operation(summary, content)}


def _operation(summary: str, content: dict[str, Any]) -> dict[str, Any]:
    return {
        "summary": summary,
        "responses": {
            "200": {"description": summary, "content": content},
            "default": _problem("A problem (RFC 9457)"),
        },
    }


def _batch(decision: dict[str, Any]) -> dict[str, Any]:
    assets = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": MAX_ASSETS}
    asked = {"type": "object", "required": ["assets"], "properties": {"assets": assets}}
    refused = {
        "type": "object",
        "required": ["asset", "problem"],
        "properties": {"asset": {"type": "string"}, "problem": {"type": "object"}},
    }
    each = {"type": "array", "items": {"anyOf": [decision, refused]}}
    answered = {"type": "object", "properties": {"decisions": each}}
    found = _operation(
        "The decisions for several assets, in the order asked",
        {"application/json": {"schema": answered}},
    )
    return {**found, "requestBody": {"content": {"application/json": {"schema": asked}}}}


def _reports() -> dict[str, Any]:
    return {
        "summary": "CMCD event reports, one on each line",
        "requestBody": {"content": {kind: {"schema": {"type": "string"}} for kind in MEDIA_TYPES}},
        "responses": {
            "204": {"description": "Taken, or dropped and counted"},
            "default": _problem("A problem (RFC 9457)"),
        },
    }


def _probe() -> dict[str, Any]:
    content = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    number = {"type": "number", "exclusiveMinimum": 0}
    result = {
        "type": "object",
        "required": ["session", "bytes", "duration_ms"],
        "properties": {
            "session": {"type": "string", "minLength": 1, "maxLength": 64},
            "bytes": {"type": "integer", "minimum": 1},
            "duration_ms": number,
        },
    }
    answer = {
        "type": "object",
        "required": ["accepted", "speed_kbps"],
        "properties": {
            "accepted": {"type": "boolean"},
            "speed_kbps": {"type": ["integer", "null"]},
            "reason": {"type": "string"},
        },
    }
    size = {
        "name": "bytes",
        "in": "query",
        "description": "How many bytes; the config bounds it.",
        "schema": {"type": "integer", "minimum": 1},
    }
    recorded = _operation("The result of a download", {"application/json": {"schema": answer}})
    return {
        "get": {**_operation("Bytes to time", content), "parameters": [size]},
        "head": {**_operation("Its headers", content), "parameters": [size]},
        "post": {**recorded, "requestBody": {"content": {"application/json": {"schema": result}}}},
    }


def _problem(description: str) -> dict[str, Any]:
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {"description": description, "content": {"application/problem+json": schema}}


def _playlist() -> dict[str, Any]:
    return {"application/vnd.apple.mpegurl": {"schema": {"type": "string"}}}


def _mpd() -> dict[str, Any]:
    return {"application/dash+xml": {"schema": {"type": "string"}}}


def _text() -> dict[str, Any]:
    return {"text/plain": {"schema": {"type": "string"}}}
