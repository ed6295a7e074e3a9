"""How is the speed probe configured?"""

from typing import Annotated, Self

from pydantic import Field, Strict, model_validator

from gateway.config.fields import Allowed, Connections, Flag
from gateway.config.section import Section, fault

ProbeBytes = Annotated[
    int, Strict(), Field(ge=1, le=2**27), Allowed("a whole number of bytes from 1 to 134217728")
]
ByteBudget = Annotated[
    int, Strict(), Field(ge=1, le=2**40), Allowed("a whole number of bytes from 1 to 2^40")
]
ProbeRate = Annotated[
    int, Strict(), Field(ge=1, le=1_000_000), Allowed("a whole number from 1 to 1000000")
]


class ProbeSettings(Section):
    """Downloads that players time to measure their network (`docs/throughput.md`). A client network
    is an IPv4 /24 or an IPv6 /56. Each worker counts for itself."""

    enabled: Flag
    """Whether `/v1/probe` exists."""
    default_bytes: ProbeBytes
    """Size of a probe that names none, in bytes; at most `max_bytes`."""
    max_bytes: ProbeBytes
    """Largest probe, in bytes. A request for more gets this many."""
    network_bytes_per_min: ByteBudget
    """Bytes that each worker sends as probes to one client network in a minute."""
    network_requests_per_min: ProbeRate
    """Probes and results that each worker takes from one client network in a minute."""
    network_streams: Connections
    """Probes that each worker sends to one client network at once."""
    worker_bytes_per_min: ByteBudget
    """Bytes that each worker sends as probes in a minute."""
    worker_streams: Connections
    """Probes that each worker sends at once."""

    @model_validator(mode="after")
    def _has_a_usual_probe_within_the_largest(self) -> Self:
        if self.default_bytes > self.max_bytes:
            allowed = f"at most max_bytes, {self.max_bytes}"
            raise fault("default_bytes", "is larger than max_bytes", allowed)
        return self
