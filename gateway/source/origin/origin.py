"""What does an asset's manifest look like, as its origin has it, or had it when it last answered?

One request for an asset at a time goes to the origin, however many players wait for it, and none
of them can end it by going away. A copy that cannot be read never replaces one that can.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from random import SystemRandom
from typing import Literal

import structlog

from gateway.observe import metrics
from gateway.source.origin.asking import Origin, Origins
from gateway.source.origin.breaker import BreakerState
from gateway.source.origin.client import Answer, OriginClient, Unanswered
from gateway.source.origin.copies import Held, SharedCopies
from gateway.source.origin.freshness import State
from gateway.source.origin.purges import ONE, matches
from gateway.source.origin.reading import Gone, Reader
from gateway.source.origin.shelf import Failure, Shelf
from gateway.source.origin.terms import Terms
from gateway.source.source import (
    NoSuchAssetError,
    OriginTimeoutError,
    ReadManifest,
    SourceManifest,
    SourceState,
)

log = structlog.get_logger()

MOST_FLIGHTS = 1000
"""Assets that are fetched at a time; who comes then is told at once."""
LOOK_S = 0.5

_Outcome = Held | Gone | Failure
_random = SystemRandom()


@dataclass(frozen=True, slots=True, eq=False)
class _Flight:
    """A request under way, and when it started (the loop's time)."""

    task: asyncio.Task[_Outcome]
    started: float


class OriginSource:
    """Source manifests below one or several origins. ``wall`` gives Unix time."""

    def __init__(
        self,
        terms: Terms,
        shared: SharedCopies,
        read: ReadManifest,
        *,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._terms = terms
        self._wall = wall
        self._client = OriginClient(terms.asking, wall)
        self._origins = Origins(terms, self._client)
        self._reader = Reader(terms, read)
        self._shelf = Shelf(terms, shared, self._reader, self._name, wall)
        self._flights: dict[str, _Flight] = {}
        self._others_hold_some = False

    async def load(self, asset: str) -> SourceManifest:
        """The manifest of ``asset``: fresh, or the last good copy while it may stand in.

        Raises :class:`NoSuchAssetError`, :class:`BadSourceError` when it cannot be played,
        :class:`OriginError` when the origin answers otherwise than with a manifest, and
        :class:`OriginTimeoutError` when it does not answer.
        """
        shelf = self._shelf
        held = shelf.get(asset)
        if held is None:
            self._raise_what_is_known(asset)
            await shelf.recall(asset)
            held = shelf.get(asset)
        state = State.EXPIRED if held is None else shelf.state(held)
        if held is None or state is State.EXPIRED:
            return await self._wait_for_origin(asset)
        if state is not State.FRESH:
            await self._refresh(asset, held, state)
            if shelf.is_gone(asset):
                raise _no_such(asset)
            held = shelf.get(asset) or held
        return self._served(held)

    def ready(self) -> str | None:
        """None when some origin answers, or there are copies to serve from."""
        if len(self._shelf) > 0 or self._others_hold_some:
            return None
        return self._trouble() if self._all_down() else None

    def degraded(self) -> str | None:
        """Which origins do not answer; None when all do."""
        return self._trouble() if any(map(_is_down, self._origins.all)) else None

    async def watch(self) -> None:
        """Ask origins that do not answer, now and then, so that players need not try; until
        cancelled."""
        await asyncio.gather(*map(self._watch, self._origins.all))

    async def close(self) -> None:
        """End what is under way and close the connections."""
        tasks = [flight.task for flight in self._flights.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._shelf.close()
        await self._client.close()

    async def purge(self, asset: str) -> None:
        """Forget ``asset``, here and in the store; what is under way for it does not count."""
        await self._purge(ONE + asset)

    async def purge_prefix(self, prefix: str) -> None:
        """Forget every asset whose id starts with ``prefix``; ``""`` is all of them."""
        await self._purge(prefix)

    async def doubt(self) -> None:
        """Ask the origin before what is held now is used again; it stands in where that fails."""
        self._shelf.doubt()

    async def _purge(self, pattern: str) -> None:
        for asset in [each for each in self._flights if matches(pattern, each)]:
            del self._flights[asset]
        await self._shelf.purge(pattern)

    def _raise_what_is_known(self, asset: str) -> None:
        """Raise what was found out a moment ago, if anything."""
        if self._shelf.is_gone(asset):
            raise _no_such(asset)
        failure = self._shelf.failure(asset)
        if failure is not None:
            raise failure.error()

    async def _wait_for_origin(self, asset: str) -> SourceManifest:
        """There is nothing else to serve."""
        self._raise_what_is_known(asset)
        flight = self._flight(asset)
        if flight is None:
            raise OriginTimeoutError(f"{asset}: too many requests to the origin are under way")
        await asyncio.wait((flight.task,))  # not the task itself: who goes away must not end it
        outcome = flight.task.result()
        if isinstance(outcome, Gone):
            raise _no_such(asset)
        if isinstance(outcome, Failure):
            raise outcome.error()
        return self._served(outcome)

    async def _refresh(self, asset: str, held: Held, state: State) -> None:
        """Have a stale copy replaced. Only where it is a last resort, and nobody knows yet that the
        origin fails, does a player wait for that, and not for long."""
        now = asyncio.get_running_loop().time()
        if now < held.again_at:
            return
        flight = self._flight(asset)
        if flight is None or state is State.STALE or held.why is not None:
            return
        patience_s = flight.started + self._terms.patience_s - now
        if patience_s > 0:
            await asyncio.wait((flight.task,), timeout=patience_s)

    def _flight(self, asset: str) -> _Flight | None:
        """The request for ``asset`` that is under way, or a new one; None when there are too
        many."""
        flight = self._flights.get(asset)
        if flight is None and len(self._flights) < MOST_FLIGHTS:
            now = asyncio.get_running_loop().time()
            flight = _Flight(asyncio.create_task(self._fly(asset)), now)
            self._flights[asset] = flight
            flight.task.add_done_callback(partial(self._landed, asset, flight))
        return flight

    def _landed(self, asset: str, flight: _Flight, task: asyncio.Task[_Outcome]) -> None:
        if self._flights.get(asset) is flight:  # else it was purged, and another one is under way
            del self._flights[asset]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("source_failed", asset=asset, exc_info=error)

    async def _fly(self, asset: str) -> _Outcome:
        """Ask for ``asset``, and remember what came of it."""
        asked_at = self._wall()
        deadline = asyncio.get_running_loop().time() + self._terms.total_timeout_s
        held = self._shelf.get(asset)
        if held is not None:  # else the store was asked a moment ago
            held = await self._shelf.newer(asset, held)
            if self._shelf.state(held) is State.FRESH:
                return held
        origins = self._origins.for_asset(asset)
        if not origins:
            return Gone()
        path = self._path(asset)

        async def read(origin: Origin, answer: Answer) -> Held | Gone:
            return await self._reader.answer(origin.server.url, path, held, answer)

        validators = {} if held is None else {held.copy.origin: held.copy.validators}
        try:
            outcome = await self._origins.ask(origins, path, validators, deadline, read)
        except Unanswered as error:
            failure = Failure(error.trouble, str(error))
            self._shelf.remember_failure(asset, held, failure)
            return failure
        self._shelf.remember(asset, outcome, asked_at)
        return outcome

    def _served(self, held: Held) -> SourceManifest:
        life, now = held.copy.lifetime, self._wall()
        stale_s = life.stale_for(now)
        status: Literal["fresh", "revalidated", "stale"] = "stale"
        if stale_s < 0:
            status = "revalidated" if held.revalidated else "fresh"
        metrics.ORIGIN_COPIES.labels(status).inc()
        state = SourceState(held.copy.origin, status, life.age(now), -stale_s, held.why)
        return replace(held.manifest, state=state)

    async def _watch(self, origin: Origin) -> None:
        while True:
            try:
                if _is_down(origin):
                    await self._look(origin)
            except Exception:  # whatever it is, it must not end the watch
                log.exception("origin_look_failed", origin=origin.server.url)
            await asyncio.sleep(LOOK_S * _random.uniform(0.8, 1.2))

    async def _look(self, origin: Origin) -> None:
        """See whether an origin answers again, and whether others could help out."""
        now = asyncio.get_running_loop().time()
        if origin.breaker.wait_s(now) <= 0:
            asking = self._terms.asking
            deadline = now + asking.connect_timeout_s + asking.read_timeout_s
            with contextlib.suppress(Unanswered):  # it is counted where it is found out
                await self._origins.attempt(origin, origin.good_path or "", {}, deadline, _nothing)
        if self._all_down() and len(self._shelf) == 0:
            self._others_hold_some = await self._shelf.others_hold_some()

    def _all_down(self) -> bool:
        return all(map(_is_down, self._origins.all))

    def _trouble(self) -> str:
        """What is wrong, in a sentence."""
        return "; ".join(
            each.last_trouble or f"{each.server.url}: has not answered yet"
            for each in self._origins.all
            if _is_down(each)
        )

    def _path(self, asset: str) -> str:
        return self._terms.template.replace("{asset}", asset)

    def _name(self, asset: str) -> str:
        """The name of a shared copy: other origins' copies of the same path are others."""
        urls = " ".join(each.server.url for each in self._origins.for_asset(asset))
        return f"{urls} {self._path(asset)}"


def _no_such(asset: str) -> NoSuchAssetError:
    return NoSuchAssetError(f"{asset}: the origin has no such asset")


def _is_down(origin: Origin) -> bool:
    return origin.reached is not True or origin.breaker.state is not BreakerState.CLOSED


async def _nothing(answer: Answer) -> None:
    """A probe's answer is not looked at."""
