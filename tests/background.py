"""Work that has no end of its own, such as a gateway's background tasks, within a test."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any


@contextlib.asynccontextmanager
async def in_background(
    *work: Coroutine[Any, Any, None],
) -> AsyncIterator[Sequence[asyncio.Task[None]]]:
    """Run it until the end of the block. Raises what it raised."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, Exception):  # to be cancelled is none
                raise ended
