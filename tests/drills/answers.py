"""What is wrong with an answer? Looked at with ``m3u8``, which shares no code with the gateway."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import m3u8

MANIFEST_TYPE = "application/vnd.apple.mpegurl"
PROBLEM_TYPE = "application/problem+json"
REFUSALS = (502, 504)
"""What a title that nobody knows yet may get while its origin is in trouble."""

_ASSET = re.compile(rb"^## (\S+) version ", re.MULTILINE)
"""How the playlists of our origins say whose they are (``tests.integration.origins.playlist``)."""
_EDGE = re.compile(r'\bedge="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it came; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def edge_of(decision: str) -> str:
    """The edge that a ``Gateway-Decision`` names; empty when it names none."""
    found = _EDGE.search(decision)
    return found[1] if found else ""


def member(decision: str, name: str) -> str:
    """Another member of a ``Gateway-Decision``, as it is written there; empty when it is absent."""
    found = re.search(rf"\b{name}=([^,;]*)", decision)
    return found[1].strip('"') if found else ""


def is_refusal(answer: Answer) -> bool:
    """Whether it says honestly that the manifest cannot be had now."""
    return answer.status in REFUSALS and answer.headers.get("content-type") == PROBLEM_TYPE


def fault(asset: str, edges: Mapping[str, str], answer: Answer) -> str:
    """Why it is not the multivariant playlist of ``asset``; empty when it is. ``edges`` are URLs by
    edge id. Every URI must lead below the URL of the edge that ``Gateway-Decision`` names."""
    if answer.status != 200:
        return f"status {answer.status}"
    if answer.headers.get("content-type") != MANIFEST_TYPE:
        return f"content type {answer.headers.get('content-type')}"
    edge = edge_of(answer.headers.get("gateway-decision", ""))
    if edge not in edges:
        return f"names no edge of ours: {edge!r}"
    told = _ASSET.search(answer.body)
    if told is not None and told[1] != asset.encode():
        return f"the playlist of {told[1].decode()}"
    return _fault_of_body(f"{edges[edge]}{asset}/", answer.body)


@lru_cache(4096)
def _fault_of_body(below: str, body: bytes) -> str:
    if not body.startswith(b"#EXTM3U"):
        return "not a playlist"
    try:
        playlist = m3u8.loads(body.decode())
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        return f"not a playlist: {error!r}"
    if not playlist.is_variant or not playlist.playlists:
        return "no variants"
    uris = [entry.uri for entry in (*playlist.playlists, *playlist.media) if entry.uri]
    astray = [uri for uri in uris if not uri.startswith(below)]
    return f"{astray[0]} is not below {below}" if astray else ""
