"""Has this been decided before? What this process knows, in front of the store.

A decision has two halves. What stays of the ladder follows from the choice and the source; which
edges serve follows from the fleet and the place. Either half is the same for very many decisions,
so where neither this process nor the store has one, it is mostly put together from known halves.
"""

import asyncio
from collections.abc import Sequence
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

DECISIONS, LADDERS, RANKINGS, SOURCES = 8_192, 4_096, 4_096, 1_024
"""So many of each are remembered."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be decided, and the name under which it is kept."""

    key: str
    policy: Policy
    fleet: Fleet
    facts: Facts
    choice: Choice
    source_version: str
    playlist: MultivariantPlaylist


class DecisionCache:
    """Decisions. Keys name all that a half follows from, so nothing here is ever stale; what
    bounds it is its size, and in the store a time to live."""

    def __init__(self, store: Store, ttl_s: float) -> None:
        """``ttl_s`` is how long the store keeps a decision, in seconds."""
        self._store = store
        self._ttl_s = ttl_s
        self._known: Recent[str, Decision] = Recent(DECISIONS)
        self._ladders: Recent[tuple[str, str], Fitted] = Recent(LADDERS)
        self._rankings: Recent[tuple[str, Where], tuple[Tier, ...]] = Recent(RANKINGS)
        self._rungs: Recent[str, tuple[Rung, ...]] = Recent(SOURCES)

    async def get(self, wanted: Wanted) -> tuple[Decision, Cache]:
        """The decision, made now where nobody has it.

        A store that cannot be asked, or holds garbage, costs a fresh decision and nothing else.
        Raises :class:`gateway.ladder.fit.NothingToPlayError`.
        """
        known = self._known.get(wanted.key)
        if known is not None:
            return known, "local"
        try:
            data = await self._store.get_decision(wanted.key)
        except StoreUnavailable:
            return self._made(wanted), "off"
        return self._read(wanted, data)

    async def get_many(
        self, wanted: Sequence[Wanted]
    ) -> list[tuple[Decision, Cache] | NothingToPlayError]:
        """Like ``get`` for each, asking the store once. What making one raises stands in its
        place."""
        asked = [one.key for one in wanted if self._known.get(one.key) is None]
        stored: dict[str, bytes | None] = {}
        reachable = True
        if asked:
            try:
                stored = dict(zip(asked, await self._store.get_decisions(asked), strict=True))
            except StoreUnavailable:
                reachable = False
        found: list[tuple[Decision, Cache] | NothingToPlayError] = []
        for one in wanted:
            known = self._known.get(one.key)
            try:
                if known is not None:
                    found.append((known, "local"))
                elif reachable:
                    found.append(self._read(one, stored.get(one.key)))
                else:
                    found.append((self._made(one), "off"))
            except NothingToPlayError as error:
                found.append(error)
            if known is None:
                await asyncio.sleep(0)  # others' requests are not to wait for all of these
        return found

    def _read(self, wanted: Wanted, data: bytes | None) -> tuple[Decision, Cache]:
        """What the store has given, or a fresh one."""
        if data is not None:
            found = from_bytes(data, wanted.policy, wanted.fleet, wanted.playlist)
            if found is not None:
                self._known.put(wanted.key, found)
                return found, "hit"
            STORE_GARBAGE.inc()
        return self._made(wanted), "miss"

    def _made(self, wanted: Wanted) -> Decision:
        """A fresh decision, kept and shared."""
        decision = decision_of(wanted.choice, self._ladder(wanted), self._ranking(wanted))
        self._known.put(wanted.key, decision)
        self._store.put_decision_later(wanted.key, to_bytes(decision), self._ttl_s)
        return decision

    def _ladder(self, wanted: Wanted) -> Fitted:
        version, choice = wanted.source_version, wanted.choice
        found = self._ladders.get((version, choice.name))
        if found is None:
            rungs = self._rungs.get(version)
            if rungs is None:
                rungs = rungs_of(wanted.playlist)
                self._rungs.put(version, rungs)
            found = fitted(choice, rungs, wanted.playlist)
            self._ladders.put((version, choice.name), found)
        return found

    def _ranking(self, wanted: Wanted) -> tuple[Tier, ...]:
        key = wanted.fleet.epoch, where_of(wanted.facts)
        found = self._rankings.get(key)
        if found is None:
            found = ranked(wanted.fleet, wanted.facts)
            self._rankings.put(key, found)
        return found
