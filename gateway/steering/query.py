"""What does a player report with a request for a steering manifest?

``_HLS_pathway="a"&_HLS_throughput=5140000`` (RFC 8216bis, section 7.4), quoted or not, or
``_DASH_pathway="a,b"&_DASH_throughput=5140000,`` (ETSI TS 103 998), where values may be missing
(rule C3.1). Nothing that a player sends is an error here: what cannot be read is passed over, and
the last of repeated parameters counts. hls.js sends a throughput as a signed number of 32 bits:
from 2.1 Gbit/s on it is negative, which is passed over, too.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import unquote

MAX_PATHWAYS = 8
"""The most pathways that are read from one request."""
MIN_BPS, MAX_BPS = 8_000, 20_000_000_000
"""A throughput outside of this range, in bit/s, is no measurement."""
MAX_QUERY_BYTES = 8192
STATE = "state"
"""The parameter of the RELOAD-URI that carries the state."""
SESSION = "session_name"
"""The parameter that carries the session's name, a hash in hexadecimal digits. It is not signed: a
player names its session in every request as it likes."""
SESSION_BYTES = 20
GRANT = "grant"
"""The parameter that carries the admission of a viewer with a playback token, signed."""

_PATHWAY = re.compile(r"[A-Za-z0-9._-]{1,69}")
_SESSION = re.compile(rf"[0-9a-f]{{{2 * SESSION_BYTES}}}")
_USUAL = re.compile(
    rb"state=([A-Za-z0-9._-]{1,2048})"
    rb"(?:&session_name=([0-9a-f]{40}))?"
    rb"(?:&{1,3}grant=([A-Za-z0-9._-]{1,2048}))?"
    rb"&_HLS_pathway=(?:%22)?([A-Za-z0-9._-]{1,64})(?:%22)?"
    rb"&_HLS_throughput=([1-9][0-9]{0,10})"
)
"""What HLS players send, from their second request on. It is read in a third of the time."""
_BPS = re.compile(r"0{0,8}([1-9][0-9]{0,10})(?:\.[0-9]{0,20})?")


class PathwayReport(NamedTuple):
    """A pathway that the player uses, and its throughput in bit/s; None when unknown."""

    pathway: str
    bps: int | None


class SteeringQuery(NamedTuple):
    """What a request brings: the signed state as text, empty without one, reports, the name of
    the session (``session_name``), None when the playlist was requested without a session, the
    best throughput that it reports in bit/s, None without any, and the signed admission as text,
    empty without one."""

    state: str
    reports: tuple[PathwayReport, ...]
    session: bytes | None
    best_bps: int | None
    grant: str = ""


def read_query(query: bytes) -> SteeringQuery:
    """Read a percent-encoded query string. Never fails."""
    usual = _USUAL.fullmatch(query)
    if usual is not None:
        state, session, grant, pathway, digits = usual.groups()
        bps = int(digits)
        best = bps if MIN_BPS <= bps <= MAX_BPS else None
        return SteeringQuery(
            state.decode("ascii"),
            (PathwayReport(pathway.decode("ascii"), best),),
            None if session is None else bytes.fromhex(session.decode("ascii")),
            best,
            "" if grant is None else grant.decode("ascii"),
        )
    return _read_any(query)


def _read_any(query: bytes) -> SteeringQuery:
    """:func:`read_query` for any query."""
    found: dict[str, str] = {}
    for pair in query[:MAX_QUERY_BYTES].decode("ascii", "replace").split("&"):
        name, _, value = pair.partition("=")
        if name in _NAMES:
            found[name] = value
    names = found.get("_HLS_pathway"), found.get("_DASH_pathway")
    values = found.get("_HLS_throughput"), found.get("_DASH_throughput")
    hls = names[0] is not None or (names[1] is None and values[0] is not None)
    protocol = 0 if hls else 1
    numbers = _plain(values[protocol] or "").split(",")[:MAX_PATHWAYS]
    throughputs = [_number(text.strip(' "')) for text in numbers]
    return SteeringQuery(
        found.get(STATE, ""),
        _reports(names[protocol] or "", throughputs),
        _session(found.get(SESSION)),
        max([bps for bps in throughputs if bps is not None], default=None),
        found.get(GRANT, ""),
    )


_NAMES = {
    STATE,
    SESSION,
    GRANT,
    "_HLS_pathway",
    "_HLS_throughput",
    "_DASH_pathway",
    "_DASH_throughput",
}


def _reports(pathways: str, throughputs: Sequence[int | None]) -> tuple[PathwayReport, ...]:
    listed = _plain(pathways).split(",")[:MAX_PATHWAYS]
    reports: dict[str, PathwayReport] = {}
    for at, given in enumerate(listed):
        pathway = given.strip(' "')
        if _PATHWAY.fullmatch(pathway) and pathway not in reports:
            bps = throughputs[at] if at < len(throughputs) else None
            reports[pathway] = PathwayReport(pathway, bps)
    return tuple(reports.values())


def _session(text: str | None) -> bytes | None:
    if text is None or not _SESSION.fullmatch(text):
        return None
    return bytes.fromhex(text)


def _plain(value: str) -> str:
    return unquote(value) if "%" in value else value


def _number(text: str) -> int | None:
    found = _BPS.fullmatch(text)
    bps = 0 if found is None else int(found[1])
    return bps if MIN_BPS <= bps <= MAX_BPS else None
