"""Was this nonce used before? Redis remembers nonces for all workers, and each worker its own."""

from collections import OrderedDict
from typing import Final

import structlog

from gateway.store.connection.keys import nonce_key
from gateway.store.connection.protocol import Commands, StoreUnavailable
from gateway.trust.operators.message_signature import Signed

MAX_NONCES: Final = 10_000
"""The most that a worker remembers by itself. Only who has a valid signature adds one."""

log = structlog.get_logger()


class NonceMemory:
    """Remembers nonces until they are of no use."""

    def __init__(self, redis: Commands | None) -> None:
        """``redis`` is None when the store has none: then each worker knows its own alone."""
        self._redis = redis
        self._used: OrderedDict[str, Signed] = OrderedDict()

    async def first_use(self, signed: Signed, now_s: float) -> bool:
        """Whether the nonce of a signature was not used before ``now_s`` (Unix time); it counts as
        used from now on.

        It is remembered for the longest window, so that a reload that makes the window longer opens
        none again; in this worker only as long as there is room. While Redis does not answer, a
        nonce that another worker knows is not recognised. False also when this worker remembers as
        many as it may.
        """
        while self._used and self._is_over(next(iter(self._used.values())), signed, now_s):
            self._used.popitem(last=False)
        if signed.nonce in self._used or len(self._used) >= MAX_NONCES:
            return False
        self._used[signed.nonce] = signed
        if self._redis is None:
            return True
        ttl_ms = max(1, int((signed.longest_s - now_s) * 1000))
        words = (b"SET", nonce_key(signed.nonce), b"1", b"NX", b"PX", b"%d" % ttl_ms)
        try:
            return await self._redis.ask("put_nonce", *words) is not None
        except StoreUnavailable as error:
            log.warning("nonce_not_shared", reason=error.trouble)
            return True

    def _is_over(self, used: Signed, signed: Signed, now_s: float) -> bool:
        """Whether a nonce is of no use any more. In a full memory the window in force counts, which
        is that of the request that was ``signed`` last."""
        is_full = len(self._used) >= MAX_NONCES
        sooner_s = signed.longest_s - signed.until_s if is_full else 0
        return now_s >= used.longest_s - sooner_s
