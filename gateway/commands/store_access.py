"""How does a command reach the Redis that the gateways share?"""

import contextlib
from collections.abc import AsyncIterator

from gateway.config.load import Loaded
from gateway.operators.action_error import ActionError
from gateway.store.connection.address import shown_url
from gateway.store.connection.connect import CONTROL_TIMEOUT_S, connect
from gateway.store.connection.protocol import Commands, Store, StoreError, StoreUnavailable


class CommandError(Exception):
    """The command failed; the message says why and what to do."""


def shared_url(loaded: Loaded) -> str:
    """The URL of the configured store. Raises CommandError when that is private to one gateway."""
    url = loaded.settings.store.url.get_secret_value()
    if url in {"embedded", "memory"}:
        raise CommandError(
            f'store.url is "{url}", which no other process can reach; set a Redis that the gateway '
            'uses, too, such as store.url = "redis://localhost:6379"'
        )
    return url


def shared_store(loaded: Loaded) -> Store:
    """The configured store, not started yet. Raises CommandError when that is private to one
    gateway."""
    url = shared_url(loaded)
    try:
        return connect(url, timeout_ms=round(CONTROL_TIMEOUT_S * 1000))
    except StoreError as error:
        raise CommandError(str(error)) from error


@contextlib.asynccontextmanager
async def open_store(loaded: Loaded) -> AsyncIterator[tuple[Store, Commands]]:
    """Start the configured store, and close it afterwards.

    Raises CommandError when Redis cannot be reached, or stops responding, and for an action that is
    refused.
    """
    shown = shown_url(loaded.settings.store.url.get_secret_value())
    store = shared_store(loaded)
    await store.start()
    try:
        if store.redis is None or store.state == "down":
            raise CommandError(f"cannot reach the store at {shown}: {store.trouble}")
        yield store, store.redis
    except ActionError as error:
        raise CommandError(error.as_option()) from error
    except StoreUnavailable as error:
        raise CommandError(f"the store at {shown} gave no answer: {error}") from error
    finally:
        await store.close()
