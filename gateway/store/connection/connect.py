"""Which store does ``store.url`` name?"""

from gateway.store.connection.embedded import EmbeddedServer
from gateway.store.connection.memory import MemoryStore
from gateway.store.connection.protocol import Store, StoreObserver
from gateway.store.connection.redis import RedisStore

CONTROL_TIMEOUT_S = 1.0
"""Deadline in seconds for work that no player waits for; a slow Redis still serves it."""


def connect(url: str, *, timeout_ms: int = 20, observer: StoreObserver | None = None) -> Store:
    """The store at ``url``, not started yet; ``timeout_ms`` bounds each operation.

    Raises StoreError, which says what is wrong and shows no part of the URL.
    """
    timeout_s = timeout_ms / 1000
    if url == "memory":
        return MemoryStore(observer=observer)
    if url == "embedded":
        server = EmbeddedServer()
        return RedisStore(server.url, timeout_s=timeout_s, observer=observer, server=server)
    return RedisStore(url, timeout_s=timeout_s, observer=observer)


def control_store(store: Store) -> Store:
    """The same store for work that no player waits for. It has a connection of its own, so that
    neither delays the other, and a longer deadline. Start it after ``store`` and close it before.
    """
    return store.beside(CONTROL_TIMEOUT_S) if isinstance(store, RedisStore) else store
