"""Redis and its twins: what the gateway remembers between requests, shared by its workers."""

from gateway.store.connection.connect import connect
from gateway.store.connection.embedded import EmbeddedServer
from gateway.store.connection.protocol import (
    State,
    Store,
    StoreError,
    StoreObserver,
    StoreUnavailable,
    Trouble,
)

__all__ = [
    "EmbeddedServer",
    "State",
    "Store",
    "StoreError",
    "StoreObserver",
    "StoreUnavailable",
    "Trouble",
    "connect",
]
