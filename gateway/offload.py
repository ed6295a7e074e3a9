"""Run large computations in a thread, so that they do not block the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

INLINE_BYTES = 65_536
"""Inputs up to this size are computed on the event loop, where a thread would cost more; 2 MB would
block the loop for 5 ms and longer."""
EXPANSION = 8
"""Assumed ratio of decoded to coded size."""
THREADS = 2
"""Threads for large computations. Each that computes takes its turn with the event loop, so more
would only make players wait."""

_P = ParamSpec("_P")
_T = TypeVar("_T")
_executor = ThreadPoolExecutor(THREADS, thread_name_prefix="offload")


async def offload_if_large(
    size: int, function: Callable[_P, _T], *args: _P.args, **named: _P.kwargs
) -> _T:
    """Call ``function``, in a thread when ``size`` (bytes) is large; returns or raises what it
    does."""
    if size <= INLINE_BYTES:
        return function(*args, **named)
    return await offload(function, *args, **named)


async def offload(function: Callable[_P, _T], *args: _P.args, **named: _P.kwargs) -> _T:
    """Call ``function`` in a thread; returns or raises what it does."""
    call = partial(copy_context().run, function, *args, **named)
    return await asyncio.get_running_loop().run_in_executor(_executor, call)
