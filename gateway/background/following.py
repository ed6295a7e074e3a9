"""Reads again what several gateways share, on a message that it has changed, or after a while."""

import asyncio
from collections.abc import Awaitable, Callable

from gateway.store.coordination.bus import Subscription


async def follow(
    changes: Subscription, read: Callable[[], Awaitable[None]], pause_s: Callable[[], float]
) -> None:
    """Call ``read`` at once, with each message of ``changes``, and after ``pause_s`` seconds
    without one, until cancelled. What ``read`` raises ends it, in an ExceptionGroup."""
    changed = asyncio.Event()

    async def listen() -> None:
        async for _ in changes:
            changed.set()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(listen())
        while True:
            changed.clear()
            await read()
            try:
                async with asyncio.timeout(pause_s()):
                    await changed.wait()
            except TimeoutError:
                continue  # no message: read all the same
