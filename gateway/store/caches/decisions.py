"""What does the store know of a decision? Its two halves, which all workers share.

Which rungs stay follows from the client class and the source; which edges serve follows from the
fleet and the place. Either half is the same for very many decisions, while the two together hardly
ever come again. So the halves are what is stored, and a request whose halves this process has in
its memo asks nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gateway.decision import Inquiry, Memo, choice_of
from gateway.observe.metrics import STORE_GARBAGE
from gateway.store.caches.decision_wire import (
    ladder_from_bytes,
    ladder_to_bytes,
    tiers_from_bytes,
    tiers_to_bytes,
)
from gateway.store.connection.protocol import Store, StoreUnavailable

CacheStatus = Literal["local", "hit", "miss", "off"]
"""Where a decision came from, as ``Gateway-Decision`` says it. ``local``: both halves were in this
process. ``hit``: the store had what was lacking. ``miss``: it did not. ``off``: it could not be
asked."""


@dataclass(slots=True)
class Lookup:
    """The halves of one inquiry that are lacking, by the names that the store has for them; None
    for a half that is known."""

    inquiry: Inquiry
    ladder: str | None
    ranking: str | None
    status: CacheStatus = "local"

    def names(self) -> list[str]:
        """The names of the lacking halves."""
        return [name for name in (self.ladder, self.ranking) if name is not None]


class DecisionCache:
    """The memo of this process, filled from the store and shared through it.

    Names say everything that a half follows from, so nothing here is ever out of date; what bounds
    it is its size, and in the store a time to live.
    """

    def __init__(self, store: Store, ttl_s: float) -> None:
        """``ttl_s`` is how long the store keeps either half, in seconds."""
        self.memo = Memo()
        self._store = store
        self._ttl_s = ttl_s

    async def recall(self, inquiries: Sequence[Inquiry]) -> list[Lookup]:
        """Put into the memo what the store has of ``inquiries``, asking it once for all of them.

        Never fails: a store that cannot be asked, or that holds garbage, costs fresh halves.
        """
        lookups = [self._lookup(inquiry) for inquiry in inquiries]
        lacking = [lookup for lookup in lookups if lookup.ladder or lookup.ranking]
        names = list(dict.fromkeys(name for lookup in lacking for name in lookup.names()))
        stored = await self._stored(names) if names else {}
        for lookup in lacking:
            self._take(lookup, stored)
        return lookups

    def share(self, lookups: Sequence[Lookup]) -> None:
        """Store the halves that were made because the store did not have them, each once."""
        shared: set[str] = set()
        for lookup in lookups:
            name = lookup.ladder
            if name is not None and name not in shared:
                shared.add(name)
                ladder = self.memo.ladders.get(lookup.inquiry.ladder_key)
                if ladder is not None:
                    self._store.put_decision_later(name, ladder_to_bytes(ladder), self._ttl_s)
            name = lookup.ranking
            if name is not None and name not in shared:
                shared.add(name)
                tiers = self.memo.rankings.get(lookup.inquiry.ranking_key)
                if tiers is not None:
                    self._store.put_decision_later(name, tiers_to_bytes(tiers), self._ttl_s)

    def _lookup(self, inquiry: Inquiry) -> Lookup:
        ladder = ranking = None
        if self.memo.ladders.get(inquiry.ladder_key) is None:
            ladder = ladder_name(inquiry)
        if self.memo.rankings.get(inquiry.ranking_key) is None:
            ranking = ranking_name(inquiry)
        return Lookup(inquiry, ladder, ranking)

    async def _stored(self, names: Sequence[str]) -> dict[str, bytes | None] | None:
        """What the store has under those names; None when it cannot be asked."""
        try:
            if len(names) == 1:
                return {names[0]: await self._store.get_decision(names[0])}
            return dict(zip(names, await self._store.get_decisions(names), strict=True))
        except StoreUnavailable:
            return None

    def _take(self, lookup: Lookup, stored: dict[str, bytes | None] | None) -> None:
        """Take over what the store gave for one inquiry. What it gave is no longer lacking."""
        if stored is None:
            lookup.status = "off"
            return
        inquiry = lookup.inquiry
        if lookup.ladder is not None and (data := stored[lookup.ladder]) is not None:
            fitted = ladder_from_bytes(data, choice_of(inquiry), inquiry.ladder)
            if fitted is not None:
                self.memo.ladders.put(inquiry.ladder_key, fitted)
                lookup.ladder = None
            else:
                STORE_GARBAGE.inc()
        if lookup.ranking is not None and (data := stored[lookup.ranking]) is not None:
            tiers = tiers_from_bytes(data, inquiry.fleet)
            if tiers is not None:
                self.memo.rankings.put(inquiry.ranking_key, tiers)
                lookup.ranking = None
            else:
                STORE_GARBAGE.inc()
        lookup.status = "hit" if lookup.ladder is None and lookup.ranking is None else "miss"


def ladder_name(inquiry: Inquiry) -> str:
    """The store's name of the half that says which rungs stay."""
    choice, asset = choice_of(inquiry), inquiry.facts.asset
    return f"ladder\0{inquiry.policy.version}\0{asset}\0{inquiry.ladder.version}\0{choice.name}"


def ranking_name(inquiry: Inquiry) -> str:
    """The store's name of the half that says which edges serve."""
    epoch, cell, spot = inquiry.ranking_key
    return f"edges\0{epoch}\0{cell}\0{spot}"
