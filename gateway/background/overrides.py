"""Which overrides of steering are in force? Read from Redis, and reported to the fleet.

They are read about once a second, whenever a message says that edges have changed, and when the
next one ends. While Redis cannot be read, those that are known stay in force until they end. After
Redis has restarted empty, gateways write them back.
"""

from collections.abc import Callable, Mapping
from functools import partial
from random import SystemRandom
from time import monotonic

import structlog

from gateway.background.fleet import FleetKeeper
from gateway.background.following import follow
from gateway.edge.override import Override
from gateway.observe import metrics
from gateway.store.connection.protocol import Commands, StoreUnavailable
from gateway.store.coordination import overrides
from gateway.store.coordination.bus import Subscription
from gateway.store.coordination.overrides import OverrideEntry, read_entry
from gateway.store.garbage import found_garbage

POLL_S = 1.0
REST_S = 0.01

log = structlog.get_logger()
_random = SystemRandom()


class OverrideWatch:
    """Reads overrides and reports to the keeper."""

    def __init__(
        self,
        keeper: FleetKeeper,
        commands: Commands | None,
        changes: Subscription,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """``commands`` is None without Redis: then there are no overrides. ``changes`` triggers an
        immediate read. ``clock`` gives monotonic seconds."""
        self._keeper = keeper
        self._commands = commands
        self._changes = changes
        self._clock = clock
        self._ahead_s = 0.0
        self._known: dict[bytes, tuple[bytes, OverrideEntry]] = {}
        self._in_force: tuple[Override, ...] = ()
        self._too_many = False

    async def run(self) -> None:
        """Follow until cancelled."""
        if self._commands is not None:
            await follow(self._changes, partial(self.read, self._commands), self._pause_s)

    def _pause_s(self) -> float:
        """About a second, or until the next override ends."""
        ends = (one.until_s - self._redis_s() + REST_S for one in self._in_force)
        return max(REST_S, min(POLL_S * _random.uniform(0.8, 1.2), *ends, POLL_S * 2))

    def _redis_s(self) -> float:
        """Unix time by Redis's clock, which decides what has ended, as of the last read."""
        return self._clock() + self._ahead_s

    async def read(self, commands: Commands, *, repairs: bool = True) -> None:
        """Read once and report to the keeper. Survives a Redis that cannot be read. Without
        ``repairs`` nothing is written."""
        lost: Mapping[bytes, bytes] = {}
        unreadable: list[bytes] = []
        garbage = 0
        try:
            contents = await overrides.read(commands)
        except StoreUnavailable as error:
            log.debug("overrides_not_read", reason=str(error))
        else:
            self._ahead_s = contents.now_s - self._clock()
            garbage = contents.garbage
            if contents.entries is not None:
                lost, unreadable = self._use(contents.entries)
            elif not self._too_many:
                reason = f"more than {2 * overrides.MAX_OVERRIDES} entries"
                log.error("overrides_not_read", reason=reason)
            self._too_many = contents.entries is None
        if garbage or unreadable:
            found_garbage("overrides", "not an override, or a key of another type")
        self._report()
        if repairs and (garbage or unreadable or lost):
            await _repair(commands, lost, unreadable)

    def _use(self, entries: Mapping[bytes, bytes]) -> tuple[Mapping[bytes, bytes], list[bytes]]:
        """Take over what was read. Returns the overrides that Redis has lost (they were there, and
        now there is not even an entry that cancels them), and the ids of unreadable entries."""
        now_s = self._redis_s()
        found: dict[bytes, tuple[bytes, OverrideEntry]] = {}
        unreadable: list[bytes] = []
        for key, data in entries.items():
            known = self._known.get(key)
            if known is not None and known[0] == data:
                found[key] = known
                continue
            try:
                found[key] = data, read_entry(key, data, now_s)
            except ValueError:
                unreadable.append(key)
        lost = {
            key: known
            for key, known in self._known.items()
            if key not in found and known[1].override.until_s > now_s
        }
        self._known = {**lost, **found}
        return {key: data for key, (data, _) in lost.items()}, unreadable

    def _report(self) -> None:
        """Report what is in force now, in the order of the beginnings."""
        now_s = self._redis_s()
        active = [entry.override for _, entry in self._known.values() if entry.in_force(now_s)]
        active.sort(key=lambda one: (one.since_s, one.id))
        before, self._in_force = self._in_force, tuple(active)
        for one in (one for one in active if one not in before):
            log.info("override_began", **_described(one))
        for one in (one for one in before if one not in active):
            log.info("override_ended", **_described(one))
        metrics.STEERING_OVERRIDES.set(len(active))
        self._keeper.overridden(active)


def _described(one: Override) -> dict[str, str]:
    return {
        "override": one.id,
        "source": one.source,
        "target": one.target,
        "share": one.percent,
        **({"asset_prefix": one.asset_prefix} if one.asset_prefix else {}),
        "who": one.who,
        "why": one.why,
    }


async def _repair(commands: Commands, lost: Mapping[bytes, bytes], unreadable: list[bytes]) -> None:
    """Write back what Redis has lost, and remove what is not ours. If that fails, the next read
    tries again."""
    try:
        if unreadable or not lost:
            await overrides.write(commands, dict.fromkeys(unreadable, b""))
        if lost:
            await overrides.write(commands, lost, only_missing=True)
    except StoreUnavailable as error:
        log.debug("overrides_not_repaired", reason=str(error))
    else:
        if lost:
            log.warning("overrides_restored", overrides=sorted(key.decode() for key in lost))
