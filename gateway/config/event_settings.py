"""What may be configured of decision events?"""

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
    """Decisions that are told to other programs over a Redis Stream (`docs/events.md`)."""

    enabled: Flag
    """Write an event for each playlist that a player got. Needs a store that is a Redis."""
    sample: Share
    """Share of the sessions that are written; all events of a session, or none."""
    stream_max_length: EventStreamLength
    """About so many events stay in the stream, some 700 bytes each; the oldest leave."""
    batch_size: EventBatch
    """The most events that are written to Redis in one step."""
    flush_interval_ms: Milliseconds
    """The longest that an event waits for others to be written with, in milliseconds."""
    queue_length: EventQueueLength
    """Events that each worker keeps while Redis cannot take them; then the oldest are dropped."""
