"""Has this been decided before? What this process knows, in front of the store.

A decision has two halves. What stays of the ladder follows from the choice and the source; which
edges serve follows from the fleet and the place. Either half is the same for very many decisions,
while the two together hardly ever come again: so the halves are what is kept, here and in the
store, and whoever knows both asks nobody.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

from gateway.cache import Recent
from gateway.client.facts import Facts
from gateway.decision import Choice, Decision, Fitted, decision_of, fitted, ranked
from gateway.edge.fleet import Fleet
from gateway.edge.rank import EdgeTier
from gateway.ladder.fit import NothingToPlayError
from gateway.ladder.hls import rungs_of
from gateway.ladder.rung import Rung
from gateway.observe.metrics import STORE_GARBAGE
from gateway.store.caches.decision_wire import (
    ladder_from_bytes,
    ladder_to_bytes,
    tiers_from_bytes,
    tiers_to_bytes,
)
from gateway.store.connection.protocol import Store, StoreUnavailable
from manifests.hls.multivariant import MultivariantPlaylist

Cache = Literal["local", "hit", "miss", "off"]
"""Where a decision came from, as ``Gateway-Decision`` says it: both halves from this process; what
it lacked from the store; not all of that there; the store could not be asked."""

LADDERS, FITTED, RANKINGS, SOURCES = 8_192, 4_096, 4_096, 1_024
"""So many of each are remembered."""


@dataclass(slots=True)
class Wanted:
    """What is to be decided, and the names under which the halves are kept."""

    ladder_key: str
    edges_key: str
    fleet: Fleet
    facts: Facts
    choice: Choice
    source_version: str
    playlist: MultivariantPlaylist


class DecisionCache:
    """Decisions. Keys name all that a half follows from, so nothing here is ever stale; what
    bounds it is its size, and in the store a time to live."""

    def __init__(self, store: Store, ttl_s: float) -> None:
        """``ttl_s`` is how long the store keeps either half, in seconds."""
        self._store = store
        self._ttl_s = ttl_s
        self._ladders: Recent[str, Fitted] = Recent(LADDERS)
        self._rankings: Recent[str, tuple[EdgeTier, ...]] = Recent(RANKINGS)
        # One film under many names: what was fitted for one of them is right for all.
        self._fitted: Recent[tuple[str, str], tuple[Fitted, bytes]] = Recent(FITTED)
        self._rungs: Recent[str, tuple[Rung, ...]] = Recent(SOURCES)

    async def get(self, wanted: Wanted) -> tuple[Decision, Cache]:
        """The decision, made now where nobody has it.

        A store that cannot be asked, or holds garbage, costs a fresh half and nothing else.
        Raises :class:`gateway.ladder.fit.NothingToPlayError`.
        """
        unknown = self._unknown(wanted)
        stored = await self._stored(unknown) if unknown else {}
        return self._found(wanted, unknown, stored)

    async def get_many(
        self, wanted: Sequence[Wanted]
    ) -> list[tuple[Decision, Cache] | NothingToPlayError]:
        """Like ``get`` for each, asking the store once. What making one raises stands in its
        place."""
        unknown = [self._unknown(one) for one in wanted]
        asked = list(dict.fromkeys(chain.from_iterable(unknown)))
        stored = await self._stored(asked) if asked else {}
        found: list[tuple[Decision, Cache] | NothingToPlayError] = []
        for one, keys in zip(wanted, unknown, strict=True):
            try:
                found.append(self._found(one, keys, stored))
            except NothingToPlayError as error:
                found.append(error)
            if keys:
                await asyncio.sleep(0)  # others' requests are not to wait for all of these
        return found

    def _unknown(self, wanted: Wanted) -> list[str]:
        """The names of the halves that this process does not know."""
        unknown = []
        if self._ladders.get(wanted.ladder_key) is None:
            unknown.append(wanted.ladder_key)
        if self._rankings.get(wanted.edges_key) is None:
            unknown.append(wanted.edges_key)
        return unknown

    async def _stored(self, keys: Sequence[str]) -> dict[str, bytes | None] | None:
        """What the store has under those names; None when it cannot be asked."""
        try:
            if len(keys) == 1:
                return {keys[0]: await self._store.get_decision(keys[0])}
            return dict(zip(keys, await self._store.get_decisions(keys), strict=True))
        except StoreUnavailable:
            return None

    def _found(
        self, wanted: Wanted, unknown: Sequence[str], stored: Mapping[str, bytes | None] | None
    ) -> tuple[Decision, Cache]:
        """The halves put together: those known before, what was ``stored``, and the rest afresh."""
        cache: Cache = "local"
        if unknown:
            cache = "off"
            if stored is not None:
                cache = "hit" if self._read(wanted, unknown, stored) else "miss"
        return decision_of(wanted.choice, self._ladder(wanted), self._tiers(wanted)), cache

    def _read(
        self, wanted: Wanted, unknown: Sequence[str], stored: Mapping[str, bytes | None]
    ) -> bool:
        """Remember what the store has given. Whether it had everything."""
        for key in unknown:
            data = stored.get(key)
            if data is None:
                continue
            if key == wanted.ladder_key:
                ladder = ladder_from_bytes(data, wanted.playlist)
                if ladder is not None:
                    self._ladders.put(key, ladder)
                    continue
            else:
                tiers = tiers_from_bytes(data, wanted.fleet)
                if tiers is not None:
                    self._rankings.put(key, tiers)
                    continue
            STORE_GARBAGE.inc()
        return not self._unknown(wanted)

    def _ladder(self, wanted: Wanted) -> Fitted:
        """What stays of the ladder; kept and shared when it is made."""
        found = self._ladders.get(wanted.ladder_key)
        if found is None:
            found, data = self._fit(wanted)
            self._ladders.put(wanted.ladder_key, found)
            self._store.put_decision_later(wanted.ladder_key, data, self._ttl_s)
        return found

    def _fit(self, wanted: Wanted) -> tuple[Fitted, bytes]:
        """What stays of the ladder, and the same as bytes."""
        version, choice = wanted.source_version, wanted.choice
        known = self._fitted.get((version, choice.name))
        if known is None:
            rungs = self._rungs.get(version)
            if rungs is None:
                rungs = rungs_of(wanted.playlist)
                self._rungs.put(version, rungs)
            found = fitted(choice, rungs, wanted.playlist)
            known = found, ladder_to_bytes(found)
            self._fitted.put((version, choice.name), known)
        return known

    def _tiers(self, wanted: Wanted) -> tuple[EdgeTier, ...]:
        """Which edges serve; kept and shared when it is made."""
        found = self._rankings.get(wanted.edges_key)
        if found is None:
            found = ranked(wanted.fleet, wanted.facts)
            self._rankings.put(wanted.edges_key, found)
            self._store.put_decision_later(wanted.edges_key, tiers_to_bytes(found), self._ttl_s)
        return found
