"""Which keys are in use now? Those of the config, or a random one that the workers share.

- With a configured ring, its active key signs. Every key but the retired ones verifies.
- Without one, a random key signs. Workers that share a Redis agree on it; a worker that cannot ask
  Redis uses its own until it can.
- A key that is no longer used, because the config lost it or the workers agreed on another, still
  verifies for ``overlap_s``. What it signed is then renewed in time. A key that the config retires
  is refused at once.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from random import SystemRandom

import structlog

from gateway.store.connection.protocol import Commands
from gateway.store.coordination.shared_key import SECRET_BYTES, agree
from gateway.trust.keys import KeyRing, SigningKey, generated_key

FIRST_INTERVAL_S = 1.0
"""Between two attempts to agree with the other workers for the first time."""
INTERVAL_S = 30.0
"""Between two looks at the shared key later."""

log = structlog.get_logger()
_random = SystemRandom()


class KeyKeeper:
    """Makes the ring, and replaces it when keys change."""

    def __init__(
        self,
        configured: Sequence[SigningKey],
        overlap_s: float,
        redis: Commands | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``redis`` is None when the store has no Redis. ``clock`` gives monotonic seconds."""
        self._redis = redis
        self._clock = clock
        self._configured = tuple(configured)
        self._overlap_s = overlap_s
        self._random_key = generated_key(secrets.token_bytes(SECRET_BYTES))
        self._former: dict[str, tuple[SigningKey, float]] = {}
        self._agreed = redis is None
        self._listeners: list[Callable[[KeyRing], None]] = []
        self.ring = self._made()

    def on_change(self, listener: Callable[[KeyRing], None]) -> None:
        """Call ``listener``, which must not block, with every new ring."""
        self._listeners.append(listener)

    def configure(self, configured: Sequence[SigningKey], overlap_s: float) -> None:
        """Use the keys of a new config."""
        before = self._current()
        self._configured, self._overlap_s = tuple(configured), overlap_s
        self._replaced(before)

    async def first_look(self, timeout_s: float) -> None:
        """Agree with the other workers, for at most ``timeout_s`` seconds."""
        try:
            async with asyncio.timeout(timeout_s):
                await self.look()
        except TimeoutError:
            log.warning("signing_key_not_shared_yet", after_s=timeout_s)

    async def run(self) -> None:
        """Follow the shared key, and drop former keys in time, until cancelled."""
        while True:
            interval_s = INTERVAL_S if self._agreed else FIRST_INTERVAL_S
            await asyncio.sleep(interval_s * _random.uniform(0.8, 1.2))
            await self.look()

    async def look(self) -> None:
        """Look at the shared key once, if a random key signs; drop former keys in time."""
        if self._redis is not None and not self._configured:
            shared = await agree(self._redis, self._random_key.secret)
            self._agreed = shared is not None
            if shared is not None and shared != self._random_key.secret:
                before = self._current()
                self._random_key = generated_key(shared)
                self._replaced(before)
        now_s = self._clock()
        if any(until <= now_s for _, until in self._former.values()):
            self._replaced(())

    def _current(self) -> tuple[SigningKey, ...]:
        """The keys that verify without a limit in time, the active one first."""
        if not self._configured:
            return (self._random_key,)
        usable = [key for key in self._configured if key.status != "retired"]
        return tuple(sorted(usable, key=lambda key: key.status != "active"))

    def _replaced(self, before: Sequence[SigningKey]) -> None:
        """Keep ``before`` for the overlap, and use the new ring."""
        now_s = self._clock()
        until_s = now_s + self._overlap_s
        former = self._former | {key.id: (key, until_s) for key in before}
        named = {key.id for key in (*self._configured, *self._current())}
        self._former = {
            name: (key, until)
            for name, (key, until) in former.items()
            if name not in named and until > now_s
        }
        signed_by = self.ring.active.id
        self.ring = self._made()
        if self.ring.active.id != signed_by:
            log.info("signing_key_changed", key=self.ring.active.id, before=signed_by)
        for listener in self._listeners:
            listener(self.ring)

    def _made(self) -> KeyRing:
        active, *others = self._current()
        return KeyRing(active, (*others, *(key for key, _ in self._former.values())))
