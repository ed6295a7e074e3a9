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
    edge id. Every URI must lead below the URL of the edge that ``Gateway-Decision`` names. A
    playlist that is steered may have copies of its variants: those of a pathway must lead below the
    URL of its edge, and the first pathway's edge is the one that is named."""
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
    uris = _uris_of(answer.body)
    return uris if isinstance(uris, str) else _astray(asset, edges, edge, uris)


def _astray(
    asset: str, edges: Mapping[str, str], edge: str, uris: tuple[tuple[str, str], ...]
) -> str:
    """The first URI that leads elsewhere; empty when there is none."""
    first = uris[0][0] or edge
    if first != edge:
        return f"the first pathway is {first}, not {edge}"
    for pathway, uri in uris:
        if pathway and pathway not in edges:
            return f"names a pathway that is no edge of ours: {pathway!r}"
        below = f"{edges[pathway or edge]}{asset}/"
        if not uri.startswith(below):
            return f"{uri} is not below {below}"
    return ""


@lru_cache(4096)
def _uris_of(body: bytes) -> str | tuple[tuple[str, str], ...]:
    """Each URI with its pathway, empty where it has none; or what is wrong with the playlist."""
    if not body.startswith(b"#EXTM3U"):
        return "not a playlist"
    try:
        playlist = m3u8.loads(body.decode())
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        return f"not a playlist: {error!r}"
    if not playlist.is_variant or not playlist.playlists:
        return "no variants"
    variants = [(each.stream_info.pathway_id or "", each.uri) for each in playlist.playlists]
    return (*variants, *(("", each.uri) for each in playlist.media if each.uri))
