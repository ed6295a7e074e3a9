"""How is content steering configured?"""

from typing import Annotated, Self

from pydantic import Field, model_validator

from gateway.config.fields import Allowed, Flag, Seconds, Share, TimeToLive
from gateway.config.section import Section, fault
from gateway.steering.steering_config import Copies

Jitter = Annotated[
    float, Field(strict=True, ge=0, le=0.5), Allowed("a share from 0 to 0.5, such as 0.1")
]
Hysteresis = Annotated[
    float, Field(strict=True, ge=0, le=10), Allowed("a share from 0 to 10, such as 0.25")
]
Pathways = Annotated[int, Field(strict=True, ge=1, le=8), Allowed("a whole number from 1 to 8")]
Viewers = Annotated[int, Field(strict=True, ge=1, le=16), Allowed("a whole number from 1 to 16")]


class SteeringSettings(Section):
    """Moves running sessions from edge to edge (`docs/steering.md`)."""

    enabled: Flag
    """Playlists tell players where to ask. Sessions that were told before are answered in any
    case."""
    inline: Flag
    """Playlists hold the first steering manifest as a `data:` URI, for players that are known to
    read it. Needs `server.public_url`."""
    copies: Copies
    """Playlists list the ladder once for each of up to `max_pathways` edges, for players that are
    known to steer: `needed` where the URLs of edges differ in more than the host, or the player
    is known not to clone pathways; `always`; or `never`."""
    ttl_s: TimeToLive
    """How often a player asks which pathway to use, in seconds."""
    max_ttl_s: TimeToLive
    """The longest time that a player is told to wait before it asks again, in seconds: if it
    asks far more often than it was told, or its client network begins very many sessions. At
    least `ttl_s`."""
    ttl_jitter: Jitter
    """Share by which that time varies, so that players that started together do not ask
    together."""
    dwell_s: Seconds
    """A session moves at most once in this time, in seconds, unless its edge is down."""
    leave_s: Seconds
    """The time over which sessions leave an edge that drains or is degraded, in seconds."""
    slow_share: Share
    """An edge is too slow for a viewer who measures less than the highest rung needs, and less than
    this share of what its network has shown."""
    slow_viewers: Viewers
    """What other viewers of a network measure on an edge counts when at least so many have measured
    there lately."""
    hysteresis: Hysteresis
    """An edge on which the viewer has measured must be better by this share to be moved to."""
    forget_s: Seconds
    """How long what a viewer has measured on an edge counts, and that an edge has failed for it, in
    seconds."""
    max_pathways: Pathways
    """The most pathways that an answer names."""

    @model_validator(mode="after")
    def _has_a_usual_ttl_within_the_longest(self) -> Self:
        if self.ttl_s > self.max_ttl_s:
            allowed = f"at most max_ttl_s, {self.max_ttl_s}"
            raise fault("ttl_s", "is longer than max_ttl_s", allowed)
        return self
