"""Was this nonce used before? Redis remembers nonces for all workers, and each worker its own."""

from collections import OrderedDict
from typing import Final

import structlog

from gateway.store.connection.keys import nonce_key
from gateway.store.connection.protocol import Commands, StoreUnavailable

MAX_NONCES: Final = 10_000
"""The most that a worker remembers by itself. Only who has a valid signature adds one."""

log = structlog.get_logger()


class NonceMemory:
    """Remembers nonces until they are of no use."""

    def __init__(self, redis: Commands | None) -> None:
        """``redis`` is None when the store has none: then each worker knows its own alone."""
        self._redis = redis
        self._until: OrderedDict[str, float] = OrderedDict()

    async def first_use(self, nonce: str, until_s: float, now_s: float) -> bool:
        """Whether ``nonce`` was not used before; it counts as used until ``until_s`` from now on
        (Unix time).

        While Redis does not answer, a nonce that another worker knows is not recognised. False also
        when this worker remembers as many as it may.
        """
        while self._until and next(iter(self._until.values())) <= now_s:
            self._until.popitem(last=False)
        if nonce in self._until or len(self._until) >= MAX_NONCES:
            return False
        self._until[nonce] = until_s
        if self._redis is None:
            return True
        ttl_ms = max(1, int((until_s - now_s) * 1000))
        words = (b"SET", nonce_key(nonce), b"1", b"NX", b"PX", b"%d" % ttl_ms)
        try:
            return await self._redis.ask("put_nonce", *words) is not None
        except StoreUnavailable as error:
            log.warning("nonce_not_shared", reason=error.trouble)
            return True
