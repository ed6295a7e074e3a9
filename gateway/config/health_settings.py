"""What may be configured of edge probes?"""

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
    """How edges are probed (`docs/health.md`). Only edges that say what to ask for are: those with
    `health_url` or `health_playlist`, and all others when there is a `path` here."""

    path: ProbeUrl | None = Field(None, examples=["healthz"])
    """What edges are asked for that name nothing themselves, relative to their `url`; without it
    those are not probed, and count as up."""
    interval_ms: ProbeInterval
    """Time between two probes of an edge, in milliseconds, a tenth more or less. With more than
    some 200 edges it grows: one worker starts at most 400 probes a second."""
    timeout_ms: Milliseconds
    """The longest that a probe may take, from connecting to the last byte, in milliseconds."""
    fall: ProbeCount
    """So many failed probes in a row, the second one at once after the first, make an edge down."""
    rise: ProbeCount
    """So many good probes in a row bring it back; more each time that it falls again soon."""
    slow_ms: Milliseconds
    """An edge whose answers take longer, in milliseconds, is degraded: half of its new viewers go
    elsewhere."""
    slow_start_s: Seconds
    """How long an edge that comes back takes a growing share of new viewers, in seconds; 0 sends
    everyone back at once."""
    live_stale_factor: StaleFactor
    """A live playlist without a new segment for so many target durations is stale: its edge is
    down."""
