"""How much is kept of what happened to a session?"""

from typing import Annotated

from pydantic import Field

from gateway.config.fields import Allowed, Flag, TimeToLive
from gateway.config.section import Section

SessionEvents = Annotated[
    int, Field(strict=True, ge=1, le=200), Allowed("a whole number from 1 to 200")
]
Sessions = Annotated[
    int, Field(strict=True, ge=1, le=1_000_000), Allowed("a whole number from 1 to 1000000")
]


class SessionSettings(Section):
    """The last events of each session, for `GET /v1/sessions` (`docs/sessions.md`)."""

    enabled: Flag
    """Keep the last decisions and pathways of sessions in the store."""
    events: SessionEvents
    """The most events kept of a session, about 600 bytes each. The oldest are removed."""
    expire_s: TimeToLive
    """How long a session's events are kept after the last of them, in seconds."""
    max_sessions: Sessions
    """The most sessions of which events are kept; those without events for the longest time are
    removed."""
