"""Is this answer right? What every player may rely on, checked on each answer under load."""

import json
import re
from collections.abc import Mapping

EDGES = {"us-east-1", "eu-west-1", "ap-southeast-1", "sa-east-1", "ap-southeast-2", "global"}
"""The edges that ship."""

MANIFEST_TYPE = "application/vnd.apple.mpegurl"
_EDGE = re.compile(r'(?:^|, )edge="([^"]+)"')
_RUNGS = re.compile(r"(?:^|, )rungs=(\d+)")


class WrongAnswerError(Exception):
    """The answer is not what docs/http.md promises; the message says how."""


def edge_of(headers: Mapping[str, str]) -> str:
    """The edge that ``Gateway-Decision`` names. Raises :class:`WrongAnswerError`."""
    return _member(headers, _EDGE, "edge")


def check_headers(headers: Mapping[str, str]) -> None:
    """The headers of a manifest answer of any status. Raises :class:`WrongAnswerError`."""
    edge_of(headers)
    for name in ("ETag", "Cache-Control", "Vary", "X-Request-ID"):
        if not headers.get(name):
            raise WrongAnswerError(f"no {name}")


def check_playlist(headers: Mapping[str, str], body: bytes) -> None:
    """A multivariant playlist from the shipped edges, as many rungs as the decision says.

    Raises :class:`WrongAnswerError`.
    """
    check_headers(headers)
    if headers.get("Content-Type") != MANIFEST_TYPE:
        raise WrongAnswerError(f"Content-Type is {headers.get('Content-Type')!r}")
    if not body.startswith(b"#EXTM3U\n"):
        raise WrongAnswerError("does not start with #EXTM3U")
    lines = body.decode().splitlines()
    uris = [line for line in lines if line and not line.startswith("#")]
    variants = sum(line.startswith("#EXT-X-STREAM-INF:") for line in lines)
    rungs = int(_member(headers, _RUNGS, "rungs"))
    if not 1 <= variants == rungs == len(uris):
        raise WrongAnswerError(f"{variants} variants, {len(uris)} URIs, rungs={rungs}")
    base = f"https://{edge_of(headers)}.cdn.example.com/"
    for uri in uris:
        if not uri.startswith(base):
            raise WrongAnswerError(f"{uri} is not at {base}")


def check_decision(headers: Mapping[str, str], body: bytes) -> None:
    """The decision as JSON, in agreement with its header. Raises :class:`WrongAnswerError`."""
    check_headers(headers)
    try:
        decision = json.loads(body)
        rungs, edges = len(decision["ladder"]), decision["edges"]
    except (ValueError, TypeError, KeyError) as error:
        raise WrongAnswerError(f"not a decision: {error!r}") from error
    if rungs < 1:
        raise WrongAnswerError("an empty ladder")
    if edges[:1] != [edge_of(headers)]:
        raise WrongAnswerError(f"edges {edges}, but the header says otherwise")


def _member(headers: Mapping[str, str], pattern: re.Pattern[str], name: str) -> str:
    decision = headers.get("Gateway-Decision")
    if decision is None:
        raise WrongAnswerError("no Gateway-Decision")
    found = pattern.search(decision)
    if found is None:
        raise WrongAnswerError(f"Gateway-Decision names no {name}")
    return found[1]
