"""Which store does a config's ``url`` mean?"""

from gateway.store.connection.address import shown_url
from gateway.store.connection.embedded import EmbeddedServer
from gateway.store.connection.memory import MemoryStore
from gateway.store.connection.protocol import Store, StoreError, StoreObserver
from gateway.store.connection.redis import RedisStore

REDIS_SCHEMES = ("redis", "rediss", "unix")
ALLOWED = 'redis://, rediss://, unix://, "embedded", "memory"'

CONTROL_TIMEOUT_S = 1.0
"""The deadline of what no player waits for: a slow Redis still carries it."""


def connect(url: str, *, timeout_ms: int = 20, observer: StoreObserver | None = None) -> Store:
    """The store at ``url``, not started yet; ``timeout_ms`` bounds each operation.

    Raises StoreError, which names what is allowed, when the URL means none.
    """
    timeout_s = timeout_ms / 1000
    if url == "memory":
        return MemoryStore(observer=observer)
    if url == "embedded":
        server = EmbeddedServer()
        return RedisStore(server.url, timeout_s=timeout_s, observer=observer, server=server)
    if url.partition("://")[0] not in REDIS_SCHEMES:
        raise StoreError(f"store url {shown_url(url)!r} is not known; allowed: {ALLOWED}")
    return RedisStore(url, timeout_s=timeout_s, observer=observer)


def control_store(store: Store) -> Store:
    """The same store for what no player waits for: a connection of its own, so that neither holds
    up the other, and a longer deadline. To be started after ``store`` and closed before it."""
    return store.beside(CONTROL_TIMEOUT_S) if isinstance(store, RedisStore) else store
