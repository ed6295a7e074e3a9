"""Which headers does a manifest answer carry?"""

import random
import re

from gateway.client.facts import Facts
from gateway.decision import Decision
from gateway.edge.edge import Edge

MANIFEST_TYPE = "application/vnd.apple.mpegurl"
"""Rule A1.6; without a charset parameter, since the format is UTF-8 by itself."""

VARY = (
    "Accept-Encoding, User-Agent, Sec-CH-UA, Sec-CH-UA-Mobile, Sec-CH-UA-Platform, "
    "Sec-CH-UA-Platform-Version, Sec-CH-UA-Model, Sec-CH-UA-Form-Factors, Save-Data, ECT, "
    "CMCD-Object, CMCD-Request, CMCD-Session, CMCD-Status"
)
"""Every request header that may change a manifest (F4), but for ``Downlink``, which browsers jitter
(F2), and the address, which no header names: hence ``Cache-Control: private``."""

ACCEPT_CH = (
    "Sec-CH-UA-Model, Sec-CH-UA-Platform-Version, Sec-CH-UA-Form-Factors, Downlink, ECT, RTT"
)
EXPOSED = "Gateway-Decision, Server-Timing, ETag, Date, X-Request-ID, Retry-After"
ALLOWED = (
    "CMCD-Object, CMCD-Request, CMCD-Session, CMCD-Status, Range, If-None-Match, Content-Type, "
    "X-Request-ID, Save-Data, Downlink, ECT, RTT"
)

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._~+/=@:-]{1,128}")


def request_id(given: bytes | None) -> bytes:
    """The caller's own id when it is one, else a new one. It tells requests apart and keeps no
    secret, so the system is not asked for it."""
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given
    return b"%016x" % random.getrandbits(64)


def gateway_decision(facts: Facts, decision: Decision, edge: Edge, cache: str) -> str:
    """``Gateway-Decision``: an RFC 9651 dictionary (docs/http.md).

    A profile's name is a token and an edge's id needs no escaping: the config sees to that.
    """
    members = [f"profile={decision.profile}", f"device={facts.device.kind}"]
    if facts.place.country is not None:
        members.append(f'country="{facts.place.country}"')
    if facts.throughput is not None:
        members.append(f"speed={round(facts.throughput.kbps)};src={facts.throughput.source}")
    members += [
        f'edge="{edge.id}"',
        f"rungs={len(decision.edit.variants)}",
        f"cache={cache}",
    ]
    return ", ".join(members)


def server_timing(marks: list[tuple[str, float]], start: float) -> str:
    """``Server-Timing`` from moments (seconds) at which named stages ended."""
    entries = []
    for name, moment in marks:
        entries.append(f"{name};dur={(moment - start) * 1000:.2f}")
        start = moment
    return ", ".join(entries)
