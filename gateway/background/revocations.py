"""Which tokens, subjects and sessions are revoked? Read from Redis, and reported to the gateway.

They are read about once a second, whenever a message says that they have changed, and when the next
one ends. While Redis cannot be read, those that are known stay in force until they end. After Redis
has restarted empty, gateways write them back.
"""

from collections.abc import Callable, Mapping
from functools import partial
from random import SystemRandom
from time import monotonic

import structlog

from gateway.background.following import follow
from gateway.observe import metrics
from gateway.store.connection.protocol import Commands, StoreUnavailable
from gateway.store.coordination import revocations
from gateway.store.coordination.bus import Subscription
from gateway.store.coordination.revocations import MAX_REVOCATIONS, Revocation, read_entry
from gateway.store.garbage import found_garbage

POLL_S = 0.8
"""Seconds between reads without a message, before jitter: less than one in any case."""
REST_S = 0.01
RESTORED_AT_ONCE = 500
WHOLE_S = 30.0
"""Seconds after which everything is read again, whatever the version is."""

log = structlog.get_logger()
_random = SystemRandom()


class RevocationWatch:
    """Reads revocations and reports the names of those in force."""

    def __init__(
        self,
        use: Callable[[frozenset[bytes]], None],
        commands: Commands | None,
        changes: Subscription,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """``use`` gets the names of what is revoked. ``commands`` is None without Redis: then
        nothing is. ``changes`` triggers an immediate read. ``clock`` gives monotonic seconds."""
        self._use = use
        self._commands = commands
        self._changes = changes
        self._clock = clock
        self._ahead_s = 0.0
        self._version = b""
        self._whole_at = clock()
        self._known: dict[bytes, tuple[bytes, Revocation]] = {}
        self._in_force: frozenset[bytes] = frozenset()
        self._next_end_s = float("inf")
        self._too_many = False

    async def run(self) -> None:
        """Follow until cancelled."""
        if self._commands is not None:
            await follow(self._changes, partial(self.read, self._commands), self._pause_s)

    async def first_look(self) -> None:
        """Read once before the first request is answered."""
        if self._commands is not None:
            await self.read(self._commands)

    def _pause_s(self) -> float:
        """Less than a second, or until the next revocation ends."""
        left_s = self._next_end_s - self._redis_s() + REST_S
        return max(REST_S, min(POLL_S * _random.uniform(0.8, 1.2), left_s))

    def _redis_s(self) -> float:
        """Unix time by Redis's clock, which decides what has ended, as of the last read."""
        return self._clock() + self._ahead_s

    async def read(self, commands: Commands) -> None:
        """Read once and report. Survives a Redis that cannot be read."""
        if self._clock() - self._whole_at >= WHOLE_S:
            self._version, self._whole_at = b"", self._clock()
        try:
            contents = await revocations.read(commands, self._version)
        except StoreUnavailable as error:
            log.debug("revocations_not_read", reason=str(error))
            self._report()
            return
        self._ahead_s = contents.now_s - self._clock()
        lost: Mapping[bytes, bytes] = {}
        unreadable: list[bytes] = []
        if contents.entries is not None:
            lost, unreadable = self._take(contents.entries)
        elif contents.too_many and not self._too_many:
            log.error("revocations_not_read", reason=f"more than {2 * MAX_REVOCATIONS} entries")
        self._too_many = contents.too_many
        if contents.garbage or unreadable:
            found_garbage("revocations", "not a revocation, or a key of another type")
        self._report()
        repaired = True
        if contents.garbage or unreadable or lost:
            repaired = await _repair(commands, lost, unreadable)
        # What could not be repaired is read again.
        self._version = contents.version if repaired else b""

    def _take(self, entries: Mapping[bytes, bytes]) -> tuple[Mapping[bytes, bytes], list[bytes]]:
        """Take over what was read. Returns the revocations that Redis has lost (they were there,
        and now there is not even an entry that undoes them), and the names of unreadable
        entries."""
        now_s = self._redis_s()
        found: dict[bytes, tuple[bytes, Revocation]] = {}
        unreadable: list[bytes] = []
        for name, data in entries.items():
            known = self._known.get(name)
            if known is not None and known[0] == data:
                found[name] = known
                continue
            try:
                found[name] = data, read_entry(name, data, now_s)
            except ValueError:
                unreadable.append(name)
        lost = {
            name: known
            for name, known in self._known.items()
            if name not in found and known[1].until_s > now_s
        }
        self._known = {**lost, **found}
        self._next_end_s = 0.0  # count again
        return {name: data for name, (data, _) in lost.items()}, unreadable

    def _report(self) -> None:
        """Report what is in force now, if that has changed."""
        now_s = self._redis_s()
        if now_s < self._next_end_s and self._next_end_s:
            return
        active = [one for _, one in self._known.values() if one.in_force(now_s)]
        self._next_end_s = min((one.until_s for one in active), default=float("inf"))
        names = frozenset(one.name for one in active)
        if names == self._in_force:
            return
        began, ended = len(names - self._in_force), len(self._in_force - names)
        log.info("revocations_changed", in_force=len(names), began=began, ended=ended)
        self._in_force = names
        metrics.REVOCATIONS.set(len(names))
        self._use(names)


async def _repair(commands: Commands, lost: Mapping[bytes, bytes], unreadable: list[bytes]) -> bool:
    """Write back what Redis has lost, and remove what is not ours. Returns whether that was
    done."""
    try:
        if unreadable or not lost:
            await revocations.write(commands, dict.fromkeys(unreadable[:RESTORED_AT_ONCE], b""))
        names = list(lost)
        for at in range(0, len(names), RESTORED_AT_ONCE):
            part = {name: lost[name] for name in names[at : at + RESTORED_AT_ONCE]}
            await revocations.write(commands, part, only_missing=True)
    except StoreUnavailable as error:
        log.debug("revocations_not_repaired", reason=str(error))
        return False
    if lost:
        log.warning("revocations_restored", count=len(lost))
    return not unreadable[RESTORED_AT_ONCE:]
