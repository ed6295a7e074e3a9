"""How do workers share decisions? Through the two halves of each decision, kept in the store.

Which rungs stay depends on the client class and the source. Which edges serve depends on the fleet
and the place. Each half is common to very many decisions, but the same combination of both rarely
recurs. So the halves are stored separately, and a request whose halves are both in this process's
memo does not read the store.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from gateway.decision import Inquiry, Memo, choice_of
from gateway.store.caches.decision_wire import (
    ladder_from_bytes,
    ladder_to_bytes,
    tiers_from_bytes,
    tiers_to_bytes,
)
from gateway.store.connection.protocol import Store, StoreUnavailable
from gateway.store.garbage import found_garbage

MAX_SHARED_RUNGS = 1000
"""Longer ladders are not shared: reading one would take as long as fitting it."""

CacheStatus = Literal["local", "hit", "miss", "off"]
"""Where a decision came from, as in ``Gateway-Decision``. ``local``: both halves were in this
process. ``hit``: the store had the missing ones. ``miss``: it did not. ``off``: it could not be
read."""


@dataclass(slots=True)
class Lookup:
    """The halves that one inquiry lacks, by their names in the store; None for a half that it has,
    or that the store had. ``status`` says whether the store had all of them."""

    inquiry: Inquiry
    ladder: str | None
    ranking: str | None
    status: CacheStatus = "miss"

    def names(self) -> list[str]:
        """The store's names of the missing halves."""
        return [name for name in (self.ladder, self.ranking) if name is not None]


class DecisionCache:
    """The memo of this process, filled from the store and shared through it.

    A name holds every input of its half, so no entry is ever stale. The memo is bounded by its
    size, and the store's entries by a time to live.
    """

    def __init__(self, store: Store, ttl_s: float) -> None:
        """``ttl_s`` is how long the store keeps either half, in seconds."""
        self.memo = Memo()
        self._store = store
        self._ttl_s = ttl_s

    async def recall(self, inquiries: Mapping[int, Inquiry]) -> dict[int, Lookup]:
        """Look up the halves that ``inquiries`` lack, in one read of the store.

        What the store has is put into the inquiries and into the memo. Returns the lookups under
        the keys of their inquiries; an inquiry whose halves are both known needs none. Never fails:
        halves that cannot be read, or are garbage, are computed again.
        """
        lookups = {
            at: Lookup(
                inquiry,
                ladder_name(inquiry) if inquiry.fitted is None else None,
                ranking_name(inquiry) if inquiry.tiers is None else None,
            )
            for at, inquiry in inquiries.items()
            if not inquiry.is_known
        }
        if lookups:
            found = lookups.values()
            names = list(dict.fromkeys(name for lookup in found for name in lookup.names()))
            stored = await self._stored(names)
            for lookup in found:
                self._take(lookup, stored)
        return lookups

    def share(self, lookups: Iterable[Lookup]) -> None:
        """Write the halves that the store did not have, each once."""
        shared: set[str] = set()
        for lookup in lookups:
            name = lookup.ladder
            if name is not None and name not in shared:
                shared.add(name)
                ladder = self.memo.ladders.get(lookup.inquiry.ladder_key)
                if ladder is not None and len(ladder.kept) <= MAX_SHARED_RUNGS:
                    self._store.put_decision_later(name, ladder_to_bytes(ladder), self._ttl_s)
            name = lookup.ranking
            if name is not None and name not in shared:
                shared.add(name)
                tiers = self.memo.rankings.get(lookup.inquiry.ranking_key)
                if tiers is not None:
                    self._store.put_decision_later(name, tiers_to_bytes(tiers), self._ttl_s)

    async def _stored(self, names: Sequence[str]) -> dict[str, bytes | None] | None:
        """The store's values under these names; None when it cannot be read."""
        try:
            if len(names) == 1:
                return {names[0]: await self._store.get_decision(names[0])}
            return dict(zip(names, await self._store.get_decisions(names), strict=True))
        except StoreUnavailable:
            return None

    def _take(self, lookup: Lookup, stored: dict[str, bytes | None] | None) -> None:
        """Move the stored halves of one inquiry into the memo, and set the lookup's status."""
        if stored is None:
            lookup.status = "off"
            return
        inquiry = lookup.inquiry
        if lookup.ladder is not None and (data := stored[lookup.ladder]) is not None:
            fitted = ladder_from_bytes(data, choice_of(inquiry), inquiry.ladder)
            if fitted is not None:
                inquiry.fitted = fitted
                self.memo.ladders.put(inquiry.ladder_key, fitted)
                lookup.ladder = None
            else:
                found_garbage("decision", "not a half of this decision")
        if lookup.ranking is not None and (data := stored[lookup.ranking]) is not None:
            tiers = tiers_from_bytes(data, inquiry.fleet)
            if tiers is not None:
                inquiry.tiers = tiers
                self.memo.rankings.put(inquiry.ranking_key, tiers)
                lookup.ranking = None
            else:
                found_garbage("decision", "not a half of this decision")
        lookup.status = "hit" if lookup.ladder is None and lookup.ranking is None else "miss"


def ladder_name(inquiry: Inquiry) -> str:
    """The store's name of a fitted ladder."""
    choice, asset = choice_of(inquiry), inquiry.facts.asset
    return f"ladder\0{inquiry.policy.version}\0{asset}\0{inquiry.ladder.version}\0{choice.name}"


def ranking_name(inquiry: Inquiry) -> str:
    """The store's name of a ranking."""
    epoch, cell, spread_point = inquiry.ranking_key
    return f"edges\0{epoch}\0{cell}\0{spread_point}"
