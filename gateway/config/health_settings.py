"""How are the probes of edges configured?"""

from pydantic import Field

from gateway.config.fields import (
    Milliseconds,
    ProbeCount,
    ProbeInterval,
    ProbeUrl,
    Seconds,
    StaleFactor,
)
from gateway.config.section import Section


class HealthSettings(Section):
    """How edges are probed (`docs/health.md`). Edges with `health_url` or `health_playlist` are
    probed; with `path`, all others are as well."""

    path: ProbeUrl | None = Field(None, examples=["healthz"])
    """What probes request from edges without `health_url` and `health_playlist`, relative to their
    `url`. Without it, such edges are not probed and count as up."""
    interval_ms: ProbeInterval
    """Time between two probes of an edge, in milliseconds, varied by 10 %. With more than about 200
    edges it is longer, because one worker starts at most 400 probes per second."""
    timeout_ms: Milliseconds
    """The longest time for a probe, from connecting to the last byte, in milliseconds."""
    fall: ProbeCount
    """An edge is down after this many failed probes in a row. After the first failure, the others
    follow at once."""
    rise: ProbeCount
    """An edge is up again after this many good probes in a row. An edge that soon goes down again
    needs more each time."""
    slow_ms: Milliseconds
    """An edge whose answers take longer than this, in milliseconds, is degraded: half of its new
    viewers go to other edges."""
    slow_start_s: Seconds
    """How long an edge that is up again takes only a growing share of its new viewers, in seconds.
    With 0 it takes all at once."""
    live_stale_factor: StaleFactor
    """A live playlist is stale when it has no new segment for this many target durations. Its edge
    is then down."""
