"""How does a command reach the Redis that the gateways share?"""

import contextlib
from collections.abc import AsyncIterator

from gateway.config.load import Loaded
from gateway.store.connection.address import shown_url
from gateway.store.connection.connect import CONTROL_TIMEOUT_S, connect
from gateway.store.connection.protocol import Commands, Store, StoreError, StoreUnavailable
from gateway.store.coordination.messages import EdgesChanged, encode
from gateway.store.coordination.redis_bus import publish


class RosterError(Exception):
    """The command could not be done; the message says why and what to do."""


def shared_store(loaded: Loaded) -> Store:
    """The configured store, not started yet. Raises RosterError where gateways share none."""
    url = loaded.settings.store.url.get_secret_value()
    if url in {"embedded", "memory"}:
        raise RosterError(
            f'store.url is "{url}", which no other process can reach; set a Redis that the gateway '
            'uses, too, such as store.url = "redis://localhost:6379"'
        )
    try:
        return connect(url, timeout_ms=round(CONTROL_TIMEOUT_S * 1000))
    except StoreError as error:
        raise RosterError(str(error)) from error


@contextlib.asynccontextmanager
async def reached(loaded: Loaded) -> AsyncIterator[tuple[Store, Commands]]:
    """The configured store, and the Redis in it.

    Raises RosterError when it cannot be reached, or stops answering.
    """
    shown = shown_url(loaded.settings.store.url.get_secret_value())
    store = shared_store(loaded)
    await store.start()
    try:
        if store.redis is None or store.state == "down":
            raise RosterError(f"cannot reach the store at {shown}: {store.trouble}")
        yield store, store.redis
    except StoreUnavailable as error:
        raise RosterError(f"the store at {shown} gave no answer: {error}") from error
    finally:
        await store.close()


async def announce(commands: Commands, what: str, edge_id: str) -> None:
    """Have every worker look at once. Who misses it looks for itself within about a second."""
    await publish(commands, "edges", encode(EdgesChanged(what, edge_id)))
