"""Telling the gateways that edges have changed."""

from gateway.store.connection.protocol import Commands
from gateway.store.coordination.messages import EdgesChanged, encode_message
from gateway.store.coordination.redis_bus import publish


async def announce(commands: Commands, what: str, edge_id: str) -> None:
    """Tell every worker to look at once. One that misses the message looks within about a
    second."""
    await publish(commands, "edges", encode_message(EdgesChanged(what, edge_id)))
