"""Shares the counts of client networks, sessions and tokens that ask for much with the other
workers, through Redis."""

import asyncio
import time
from typing import Final

from gateway.play.rate_limits import Watched
from gateway.play.runtime import Gateway
from gateway.store.connection.protocol import StoreUnavailable
from gateway.store.coordination.rates import Taken, count
from gateway.trust.keys import Purpose

SHARE_S: Final = 0.1
"""Seconds between two rounds."""
AT_ONCE: Final = 256
"""The most that one round counts; Redis takes some 2 µs for each."""


async def follow(gateway: Gateway) -> None:
    """Share counts until cancelled."""
    while True:
        await asyncio.sleep(SHARE_S)
        await share(gateway)


async def share(gateway: Gateway) -> None:
    """One round: count what was taken since the last one, and learn what others have counted. While
    Redis does not answer, each worker keeps to its share."""
    redis, watched = gateway.store.redis, gateway.rates.watched(AT_ONCE)
    if redis is None or not watched:
        return
    sent = [one.pending_s for one in watched]
    taken = [
        Taken(_name(gateway, one), took_s, gateway.rates.most_owed_s(one.which))
        for one, took_s in zip(watched, sent, strict=True)
    ]
    try:
        owed = await count(redis, taken)
    except StoreUnavailable:
        return
    if owed is not None:
        gateway.rates.told(watched, sent, owed, time.monotonic())


def _name(gateway: Gateway, one: Watched) -> bytes:
    """What stands for it in Redis: a mac by the key that workers share."""
    return gateway.keys.active.mac(Purpose.CLIENT_NETWORK, one.name)
