"""Where is something worked out: at once, or in a thread, so that other players need not wait?"""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

HERE_BYTES = 65_536
"""What a thread costs is worth it for more: 2 MB hold the event loop up for 5 ms and longer."""
EXPANDS = 8
"""How many times larger coded text becomes, about."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


async def computed(size: int, function: Callable[_P, _T], *args: _P.args, **named: _P.kwargs) -> _T:
    """What ``function`` returns or raises; done in a thread when ``size``, in bytes, is large."""
    if size <= HERE_BYTES:
        return function(*args, **named)
    return await asyncio.to_thread(function, *args, **named)
