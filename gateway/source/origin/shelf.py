"""What does this worker know of assets, and what do the others? Copies, and what went wrong last.

Copies are held within a bound and shared over the store; 404s and failures are remembered briefly,
here alone. Whatever was purged no longer counts, wherever it comes from.
"""

import asyncio
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from cachetools import LRUCache, TTLCache

from gateway.observe import metrics
from gateway.source.origin.client import SILENT, Trouble
from gateway.source.origin.copies import Held, SharedCopies, to_bytes
from gateway.source.origin.freshness import State
from gateway.source.origin.purges import Purges, matches
from gateway.source.origin.reading import Gone, Reader
from gateway.source.origin.terms import Terms
from gateway.source.source import BadSourceError, OriginError, OriginTimeoutError

REMEMBERED = 10_000
"""Assets whose 404s, and whose failures, are remembered."""
PURGES_KNOWN_S = 60.0
MARK_EVERY_S = 60.0
_MARK = "."
"""Stands for an asset where it is noted that copies are shared at all; no asset's id is a dot."""
_GONE, _GONE_S = b"gone", 1.0
"""Replaces the shared copy of an asset that is no more, and goes away itself."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer; remembered for a moment."""

    trouble: Trouble
    text: str

    def error(self) -> BadSourceError:
        """To be raised, a fresh one for every player."""
        if self.trouble is Trouble.UNPLAYABLE:
            return BadSourceError(self.text)
        if self.trouble in SILENT:
            return OriginTimeoutError(self.text)
        return OriginError(self.text)


class Shelf:
    """Copies by asset. ``name_of`` gives the name under which an asset's copy is shared, ``wall``
    the Unix time."""

    def __init__(
        self,
        terms: Terms,
        shared: SharedCopies,
        reader: Reader,
        name_of: Callable[[str], str],
        wall: Callable[[], float],
    ) -> None:
        self._terms = terms
        self._shared = shared
        self._reader = reader
        self._name_of = name_of
        self._wall = wall
        self._held: LRUCache[str, Held] = LRUCache(
            terms.memory_bytes, getsizeof=lambda held: held.size
        )
        self._gone: TTLCache[str, bool] = TTLCache(REMEMBERED, terms.not_found_s)
        self._failed: TTLCache[str, Failure] = TTLCache(REMEMBERED, terms.failure_s)
        self._recalls: dict[str, asyncio.Task[None]] = {}
        self._purges = Purges()
        self._purges_known_until = 0.0
        self._doubted_until = -1.0
        self._mark_at = 0.0

    def __len__(self) -> int:
        """How many copies are held."""
        return len(self._held)

    def get(self, asset: str) -> Held | None:
        """The copy of ``asset`` that is held here."""
        return self._held.get(asset)

    def is_gone(self, asset: str) -> bool:
        """Whether the origin said a moment ago that there is no such asset."""
        return asset in self._gone

    def failure(self, asset: str) -> Failure | None:
        """Why there was nothing a moment ago, where there is no copy either."""
        return self._failed.get(asset)

    def state(self, held: Held) -> State:
        """What a copy may be used for now."""
        state = held.copy.lifetime.state(self._wall())
        if state in {State.FRESH, State.STALE} and held.copy.asked_at <= self._doubted_until:
            return State.LAST_RESORT
        return state

    def doubt(self) -> None:
        """What is held now is a last resort from now on."""
        self._doubted_until = self._wall()

    async def purge(self, pattern: str) -> None:
        """Forget what ``pattern`` (:class:`Purges`) names; what is on its way does not count."""
        now = self._wall()
        self._purges.note(pattern, now)
        forgetful: tuple[MutableMapping[str, Any], ...]
        forgetful = (self._held, self._gone, self._failed, self._recalls)
        for known in forgetful:
            for asset in [each for each in known if matches(pattern, each)]:
                known.pop(asset, None)
        await self._shared.note_purge(pattern, now, self._longest_s)

    def remember(self, asset: str, outcome: Held | Gone, asked_at: float) -> None:
        """What the origin answered when it was asked at ``asked_at``, Unix time."""
        if self._purges.covers(asset, asked_at):
            return
        self._failed.pop(asset, None)
        if isinstance(outcome, Gone):
            self._gone[asset] = True
            if self._held.pop(asset, None) is not None:
                self._shared.put(self._name_of(asset), _GONE, _GONE_S)
            return
        self._gone.pop(asset, None)
        self._keep(asset, outcome)
        self._share(asset, outcome)

    def remember_failure(self, asset: str, asked_with: Held | None, failure: Failure) -> None:
        """The origin failed, when it was asked to confirm ``asked_with``."""
        held = self._held.get(asset)
        if held is None or self.state(held) is State.EXPIRED:
            self._failed[asset] = failure
        elif asked_with is not None and held.copy is asked_with.copy:
            again_at = asyncio.get_running_loop().time() + self._terms.failure_s
            self._keep(asset, held.after_failure(failure.text, again_at))

    async def recall(self, asset: str) -> None:
        """Hold what others have shared of ``asset``; one look for all who ask."""
        task = self._recalls.get(asset)
        if task is None:
            task = asyncio.create_task(self._recall(asset))
            self._recalls[asset] = task
        await asyncio.wait((task,))  # not the task itself: who goes away must not end it
        if self._recalls.get(asset) is task:
            del self._recalls[asset]
        task.result()

    async def newer(self, asset: str, held: Held) -> Held:
        """What another worker has fetched since, else ``held``."""
        found = await self._shared_copy(asset, held)
        if found is None or found.copy.lifetime.answered_at <= held.copy.lifetime.answered_at:
            return held
        self._keep(asset, found)
        return found

    async def others_hold_some(self) -> bool:
        """Whether anything at all is shared."""
        return await self._shared.get(self._name_of(_MARK)) is not None

    async def close(self) -> None:
        """End what is under way."""
        tasks = list(self._recalls.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _keep(self, asset: str, held: Held) -> None:
        purged = self._purges.covers(asset, held.copy.asked_at)  # while it was read
        if not purged and held.size <= self._terms.memory_bytes:
            self._held[asset] = held

    def _share(self, asset: str, held: Held) -> None:
        life = held.copy.lifetime
        if not life.shareable:
            return
        ttl_s = max(1.0, life.kept_s)
        self._shared.put(self._name_of(asset), to_bytes(held.copy), ttl_s)
        now = asyncio.get_running_loop().time()
        if now >= self._mark_at:
            self._mark_at = now + MARK_EVERY_S
            self._shared.put(self._name_of(_MARK), b"1", ttl_s)

    async def _recall(self, asset: str) -> None:
        held = await self._shared_copy(asset, None)
        if held is not None and asset not in self._held:
            self._keep(asset, held)

    async def _shared_copy(self, asset: str, known: Held | None) -> Held | None:
        """The copy in the store, if it is whole, usable and not purged."""
        now = asyncio.get_running_loop().time()
        if now >= self._purges_known_until:
            noted = await self._shared.purges()
            if noted is None:
                return None
            self._purges.merge(noted)
            self._purges_known_until = now + PURGES_KNOWN_S
        data = await self._shared.get(self._name_of(asset))
        if data is None or data == _GONE:
            return None
        held = await self._reader.shared(data, self._wall(), known)
        if held is None:
            metrics.STORE_GARBAGE.inc()
            return None
        purged = self._purges.covers(asset, held.copy.asked_at)
        return None if purged or self.state(held) is State.EXPIRED else held

    @property
    def _longest_s(self) -> float:
        """How long any copy may be of use."""
        bounds = self._terms.freshness
        stale_s = max(bounds.max_stale_if_error_s, bounds.max_stale_while_revalidate_s)
        return max(bounds.max_fresh_s, bounds.min_fresh_s) + stale_s
