"""Has this been decided before? A bounded cache in this process, in front of the store."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from cachetools import LRUCache

from gateway.decision import Decision, Policy
from gateway.decision_wire import from_bytes, to_bytes
from gateway.edge.fleet import Fleet
from gateway.ladder.fit import NothingToPlayError
from gateway.observe.metrics import STORE_GARBAGE
from gateway.store.protocol import Store, StoreUnavailable
from manifests.hls.multivariant import MultivariantPlaylist

Cache = Literal["local", "hit", "miss", "off"]
"""Where a decision came from, as ``Gateway-Decision`` says it."""

REMEMBERED = 16_384


@dataclass(frozen=True, slots=True)
class Wanted:
    """A decision by its key; what a stored one must fit; and ``decide``, which makes it afresh and
    may raise :class:`gateway.ladder.fit.NothingToPlayError`."""

    key: str
    policy: Policy
    fleet: Fleet
    playlist: MultivariantPlaylist
    decide: Callable[[], Decision]


class DecisionCache:
    """Decisions by key. A key names policy, fleet and source version, so an entry is never stale;
    what bounds the cache is its size, and in the store a time to live."""

    def __init__(self, store: Store, ttl_s: float) -> None:
        """``ttl_s`` is how long the store keeps a decision, in seconds."""
        self._store = store
        self._ttl_s = ttl_s
        self._known: LRUCache[str, Decision] = LRUCache(REMEMBERED)

    async def get(self, wanted: Wanted) -> tuple[Decision, Cache]:
        """The decision, made now where nobody has it; then what making it raises is raised.

        A store that cannot be asked, or holds garbage, costs a fresh decision and nothing else.
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
        asked = [one.key for one in wanted if one.key not in self._known]
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
                self._known[wanted.key] = found
                return found, "hit"
            STORE_GARBAGE.inc()
        return self._made(wanted), "miss"

    def _made(self, wanted: Wanted) -> Decision:
        decision = wanted.decide()
        self._known[wanted.key] = decision
        self._store.put_decision_later(wanted.key, to_bytes(decision), self._ttl_s)
        return decision
