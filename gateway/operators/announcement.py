"""Announces to all gateways that edges have changed."""

from gateway.store.connection.protocol import Commands
from gateway.store.coordination.messages import EdgesChanged, encode_message
from gateway.store.coordination.redis_bus import publish


async def announce(commands: Commands, what: str, edge_id: str) -> None:
    """Make every worker read the edges at once. A worker that misses the message reads them within
    about a second."""
    await publish(commands, "edges", encode_message(EdgesChanged(what, edge_id)))
