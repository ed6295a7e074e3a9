"""Has this been decided before? A bounded cache in this process, in front of the store."""

from collections.abc import Callable
from typing import Literal

from cachetools import LRUCache

from gateway.decision import Decision, Policy
from gateway.decision_wire import from_bytes, to_bytes
from gateway.edge.fleet import Fleet
from gateway.observe.metrics import STORE_GARBAGE
from gateway.store.protocol import Store, StoreUnavailable
from manifests.hls.multivariant import MultivariantPlaylist

Cache = Literal["local", "hit", "miss", "off"]
"""Where a decision came from, as ``Gateway-Decision`` says it."""

REMEMBERED = 16_384


class DecisionCache:
    """Decisions by key. A key names policy, fleet and source version, so an entry is never stale;
    what bounds the cache is its size, and in the store a time to live."""

    def __init__(self, store: Store, ttl_s: float) -> None:
        """``ttl_s`` is how long the store keeps a decision, in seconds."""
        self._store = store
        self._ttl_s = ttl_s
        self._known: LRUCache[str, Decision] = LRUCache(REMEMBERED)

    async def get(
        self,
        key: str,
        policy: Policy,
        fleet: Fleet,
        playlist: MultivariantPlaylist,
        decide: Callable[[], Decision],
    ) -> tuple[Decision, Cache]:
        """The decision for ``key``, made by ``decide`` where nobody has one.

        A store that cannot be asked, or holds garbage, costs a fresh decision and nothing else.
        """
        known = self._known.get(key)
        if known is not None:
            return known, "local"
        cache: Cache = "miss"
        try:
            data = await self._store.get_decision(key)
        except StoreUnavailable:
            data, cache = None, "off"
        if data is not None:
            found = from_bytes(data, policy, fleet, playlist)
            if found is not None:
                self._known[key] = found
                return found, "hit"
            STORE_GARBAGE.inc()
        decision = decide()
        self._known[key] = decision
        self._store.put_decision_later(key, to_bytes(decision), self._ttl_s)
        return decision, cache
