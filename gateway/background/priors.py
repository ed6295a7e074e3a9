"""Keeps the priors of networks current: writes what this worker counted, reads what all share."""

import asyncio
import time
from random import SystemRandom
from typing import Final

from gateway.store.connection.protocol import StoreUnavailable
from gateway.store.coordination.priors import Priors

INTERVAL_S: Final = 30.0

_random = SystemRandom()


async def follow(priors: Priors, interval_s: float = INTERVAL_S) -> None:
    """Write and read every ``interval_s`` seconds, until cancelled. While the store does not
    answer, the known priors stay in use."""
    while True:
        try:
            now_s = time.time()
            await priors.flush(now_s)
            await priors.look(now_s)
        except StoreUnavailable:
            pass  # counted by the store; tried again
        await asyncio.sleep(interval_s * _random.uniform(0.8, 1.2))
