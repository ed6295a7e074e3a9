"""How are decision events configured?"""

from typing import Annotated

from pydantic import Field

from gateway.config.fields import (
    Allowed,
    EventBatch,
    EventQueueLength,
    EventStreamLength,
    Flag,
    Milliseconds,
    Share,
)
from gateway.config.section import Section

Listeners = Annotated[
    int, Field(strict=True, ge=1, le=1000), Allowed("a whole number from 1 to 1000")
]


class EventSettings(Section):
    """Decisions written to a Redis Stream for other programs (`docs/events.md`)."""

    enabled: Flag
    """Write an event for each playlist that is served. The store must be `embedded` or a Redis."""
    sample: Share
    """Share of the sessions whose events are written. Of a session, all events are written or
    none."""
    stream_max_length: EventStreamLength
    """Approximate number of events kept in the stream, about 700 bytes each. The oldest are
    removed."""
    batch_size: EventBatch
    """The most events written to Redis at once, also of sessions."""
    flush_interval_ms: Milliseconds
    """The longest time that an event waits to be written together with others, in milliseconds."""
    max_listeners: Listeners
    """The most operators that each worker tells of events as they come (`GET /v1/activity`)."""
    queue_length: EventQueueLength
    """Events that each worker keeps while Redis is not available. Beyond it, the oldest are
    dropped."""
