"""How are decision events configured?"""

from gateway.config.fields import (
    EventBatch,
    EventQueueLength,
    EventStreamLength,
    Flag,
    Milliseconds,
    Share,
)
from gateway.config.section import Section


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
    queue_length: EventQueueLength
    """Events that each worker keeps while Redis is not available. Beyond it, the oldest are
    dropped."""
