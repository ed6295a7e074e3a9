"""Has this been decided before? What this process knows, in front of the store.

A decision has two halves. What stays of the ladder follows from the choice and the source; which
edges serve follows from the fleet and the place. Either half is the same for very many requests,
so this process keeps the halves, and asks the store for a whole decision only where it lacks one.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from gateway.client.facts import Facts
from gateway.decision import (
    Choice,
    Decision,
    Fitted,
    Policy,
    Where,
    decision_of,
    fitted,
    ranked,
    where_of,
)
from gateway.decision_wire import from_bytes, to_bytes
from gateway.edge.fleet import Fleet
from gateway.edge.rank import Tier
from gateway.ladder.fit import NothingToPlayError
from gateway.ladder.hls import rungs_of
from gateway.ladder.rung import Rung
from gateway.observe.metrics import STORE_GARBAGE
from gateway.recent import Recent
from gateway.store.protocol import Store, StoreUnavailable
from manifests.hls.multivariant import MultivariantPlaylist

Cache = Literal["local", "hit", "miss", "off"]
"""Where a decision came from, as ``Gateway-Decision`` says it."""

LADDERS, RANKINGS, SOURCES = 16_384, 16_384, 1_024
"""So many of each are remembered."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be decided; ``key`` gives the name under which the store has it."""

    policy: Policy
    fleet: Fleet
    facts: Facts
    choice: Choice
    source_version: str
    playlist: MultivariantPlaylist
    key: Callable[[], str]


class DecisionCache:
    """Decisions. Keys name all that a half follows from, so nothing here is ever stale; what
    bounds it is its size, and in the store a time to live."""

    def __init__(self, store: Store, ttl_s: float) -> None:
        """``ttl_s`` is how long the store keeps a decision, in seconds."""
        self._store = store
        self._ttl_s = ttl_s
        self._ladders: Recent[tuple[str, str], Fitted] = Recent(LADDERS)
        self._rankings: Recent[tuple[str, Where], tuple[Tier, ...]] = Recent(RANKINGS)
        self._rungs: Recent[str, tuple[Rung, ...]] = Recent(SOURCES)

    async def get(self, wanted: Wanted) -> tuple[Decision, Cache]:
        """The decision, made now where nobody has it.

        A store that cannot be asked, or holds garbage, costs a fresh decision and nothing else.
        Raises :class:`gateway.ladder.fit.NothingToPlayError`.
        """
        known = self._known(wanted)
        if known is not None:
            return known, "local"
        key = wanted.key()
        try:
            data = await self._store.get_decision(key)
        except StoreUnavailable:
            return self._made(wanted, key), "off"
        return self._read(wanted, key, data)

    async def get_many(
        self, wanted: Sequence[Wanted]
    ) -> list[tuple[Decision, Cache] | NothingToPlayError]:
        """Like ``get`` for each, asking the store once. What making one raises stands in its
        place."""
        asked = [one.key() for one in wanted if self._known(one) is None]
        stored: dict[str, bytes | None] = {}
        reachable = True
        if asked:
            try:
                stored = dict(zip(asked, await self._store.get_decisions(asked), strict=True))
            except StoreUnavailable:
                reachable = False
        found: list[tuple[Decision, Cache] | NothingToPlayError] = []
        for one in wanted:
            known = self._known(one)
            try:
                if known is not None:
                    found.append((known, "local"))
                elif reachable:
                    key = one.key()
                    found.append(self._read(one, key, stored.get(key)))
                else:
                    found.append((self._made(one, one.key()), "off"))
            except NothingToPlayError as error:
                found.append(error)
            if known is None:
                await asyncio.sleep(0)  # others' requests are not to wait for all of these
        return found

    def _known(self, wanted: Wanted) -> Decision | None:
        """The decision, where this process has both halves."""
        ladder = self._ladders.get((wanted.source_version, wanted.choice.name))
        if ladder is None:
            return None
        tiers = self._rankings.get((wanted.fleet.epoch, where_of(wanted.facts)))
        return None if tiers is None else decision_of(wanted.choice, ladder, tiers)

    def _read(self, wanted: Wanted, key: str, data: bytes | None) -> tuple[Decision, Cache]:
        """What the store has given, or a fresh one."""
        if data is not None:
            found = from_bytes(data, wanted.policy, wanted.fleet, wanted.playlist)
            if found is not None:
                self._remember(wanted, Fitted(found.edit, found.reasons), found.tiers)
                return found, "hit"
            STORE_GARBAGE.inc()
        return self._made(wanted, key), "miss"

    def _made(self, wanted: Wanted, key: str) -> Decision:
        """Both halves, those made now that are not known."""
        version, choice = wanted.source_version, wanted.choice
        ladder = self._ladders.get((version, choice.name))
        if ladder is None:
            rungs = self._rungs.get(version)
            if rungs is None:
                rungs = rungs_of(wanted.playlist)
                self._rungs.put(version, rungs)
            ladder = fitted(choice, rungs, wanted.playlist)
        tiers = self._rankings.get((wanted.fleet.epoch, where_of(wanted.facts)))
        if tiers is None:
            tiers = ranked(wanted.fleet, wanted.facts)
        self._remember(wanted, ladder, tiers)
        decision = decision_of(choice, ladder, tiers)
        self._store.put_decision_later(key, to_bytes(decision), self._ttl_s)
        return decision

    def _remember(self, wanted: Wanted, ladder: Fitted, tiers: tuple[Tier, ...]) -> None:
        self._ladders.put((wanted.source_version, wanted.choice.name), ladder)
        self._rankings.put((wanted.fleet.epoch, where_of(wanted.facts)), tiers)
