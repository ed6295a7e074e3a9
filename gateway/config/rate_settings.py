"""How much may one client network, session or token ask for?"""

from typing import Annotated

from pydantic import Field, Strict

from gateway.config.fields import Allowed, Network
from gateway.config.section import Section

Rate = Annotated[
    int,
    Strict(),
    Field(ge=0, le=1_000_000),
    Allowed("a whole number from 0 (no limit) to 1000000"),
]
Burst = Annotated[
    int, Strict(), Field(ge=1, le=10_000_000), Allowed("a whole number from 1 to 10000000")
]
Ipv4Bits = Annotated[int, Strict(), Field(ge=8, le=32), Allowed("a whole number from 8 to 32")]
Ipv6Bits = Annotated[int, Strict(), Field(ge=32, le=128), Allowed("a whole number from 32 to 128")]


class RateSettings(Section):
    """How much one client network, session or token may ask for, from all workers together
    (`docs/limits.md`). The budgets of reports and probes are in `[cmcd]` and `[probe]`."""

    exempt: tuple[Network, ...]
    """Networks without limits, besides the addresses of `server.trusted_proxies`: those of a CDN
    that asks for class manifests, or of a load test."""
    ipv4_prefix: Ipv4Bits
    """Length of the IPv4 prefix that counts as one client network, in bits."""
    ipv6_prefix: Ipv6Bits
    """Length of the IPv6 prefix that counts as one client network, in bits."""
    manifests_per_s: Rate
    """Manifests and single decisions that a client network may ask for in a second, on average."""
    manifests_burst: Burst
    """The same for a moment, after a pause."""
    decisions_per_s: Rate
    """Assets that a client network may name in `POST /v1/decisions` in a second, on average."""
    decisions_burst: Burst
    """The same for a moment, after a pause."""
    other_per_s: Rate
    """Requests for any other path that a client network may send to the players' listener in a
    second, on average. `/v1/steering`, `/v1/cmcd`, `/v1/probe`, `/livez` and `/readyz` are never
    refused by this section."""
    other_burst: Burst
    """The same for a moment, after a pause."""
    new_sessions_per_min: Rate
    """Sessions that a client network may begin in a minute; a request without a session is one.
    Beyond that, answers are as usual, but take no lease, and nothing is kept of the session."""
    session_per_s: Rate
    """Manifests, single decisions and assets of batches that one session may ask for in a second,
    on average."""
    session_burst: Burst
    """The same for a moment, after a pause."""
    token_per_s: Rate
    """Manifests, single decisions and assets of batches that all viewers with one playback token
    may ask for in a second, on average. A token that names nobody (without `jti`, `sub` and
    `session`) is for everybody, and has no limit."""
    token_burst: Burst
    """The same for a moment, after a pause."""
