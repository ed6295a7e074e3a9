"""What does an asset's manifest look like, as its origin has it, or had it when it last answered?

One request for an asset at a time goes to the origin, however many players wait for it, and none
of them can end it by going away. What comes back is held here, within ``memory_bytes``, and shared
over the store; a copy that cannot be read never replaces one that can.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, replace
from functools import partial
from random import SystemRandom
from typing import Any, Literal

import structlog
from cachetools import LRUCache, TTLCache

from gateway.ladder.hls import bandwidths_of
from gateway.observe import metrics
from gateway.source.origin.asking import Origin, Origins
from gateway.source.origin.breaker import BreakerState
from gateway.source.origin.client import (
    GONE,
    NOT_MODIFIED,
    SILENT,
    Answer,
    OriginClient,
    Trouble,
    Unanswered,
)
from gateway.source.origin.copies import (
    Copy,
    Held,
    SharedCopies,
    digest_of,
    from_bytes,
    is_clean_path,
    packed,
    to_bytes,
    validator,
)
from gateway.source.origin.freshness import State, lifetime_of
from gateway.source.origin.purges import ONE, Purges, matches
from gateway.source.origin.terms import Terms
from gateway.source.source import (
    BadSourceError,
    NoSuchAssetError,
    OriginError,
    OriginTimeoutError,
    SourceManifest,
    SourceState,
)
from manifests.hls.fault import ManifestError
from manifests.hls.multivariant import MultivariantPlaylist, parse

log = structlog.get_logger()

REMEMBERED_ABSENT = 10_000
MOST_FLIGHTS = 1000
"""Assets that are fetched at a time; who comes then is told at once."""
PARSED_HERE_BYTES = 65_536
"""Larger playlists are parsed in a thread: 2 MB hold the event loop up for 5 ms."""
COST_PER_BYTE = 12
OVERHEAD_BYTES = 2000
"""What a parsed playlist takes in memory: so much for each byte of its text, and so much more."""
LOOK_S = 0.5
PURGES_KNOWN_S = 60.0
MARK_EVERY_S = 60.0
SHARED_MARK = "."
"""Stands for an asset where it is noted that copies are shared at all; no asset's id is a dot."""
GONE_MARK, GONE_MARK_S = b"gone", 1.0
"""Replaces the shared copy of an asset that is no more, and goes away itself."""

_random = SystemRandom()


@dataclass(frozen=True, slots=True)
class _Failure:
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


@dataclass(frozen=True, slots=True)
class _Gone:
    """The origin says that there is no such asset."""


class OriginSource:
    """Source manifests below one or several origins. ``wall`` gives Unix time."""

    def __init__(
        self,
        terms: Terms,
        shared: SharedCopies,
        *,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._terms = terms
        self._shared = shared
        self._wall = wall
        self._client = OriginClient(terms.asking, wall)
        self._origins = Origins(terms, self._client)
        self._urls = tuple(each.server.url for each in self._origins.all)
        self._held: LRUCache[str, Held] = LRUCache(
            terms.memory_bytes, getsizeof=lambda held: held.size
        )
        self._absent: TTLCache[str, bool] = TTLCache(REMEMBERED_ABSENT, terms.not_found_s)
        self._failed: TTLCache[str, _Failure] = TTLCache(REMEMBERED_ABSENT, terms.failure_s)
        self._flights: dict[str, _Flight] = {}
        self._recalls: dict[str, asyncio.Task[None]] = {}
        self._purges = Purges()
        self._doubted_until = -1.0
        self._purges_known_until = 0.0
        self._shared_hold_some = False
        self._mark_at = 0.0

    async def load(self, asset: str) -> SourceManifest:
        """The manifest of ``asset``: fresh, or the last good copy while it may stand in.

        Raises :class:`NoSuchAssetError`, :class:`BadSourceError` when it cannot be played,
        :class:`OriginError` when the origin answers otherwise than with a manifest, and
        :class:`OriginTimeoutError` when it does not answer.
        """
        held = self._held.get(asset)
        if held is None:
            self._raise_what_is_known(asset)
            await self._recall(asset)
            held = self._held.get(asset)
        state = State.EXPIRED if held is None else self._state(held)
        if held is None or state is State.EXPIRED:
            return await self._wait_for_origin(asset)
        if state is not State.FRESH:
            await self._refresh(asset, held, state)
            self._raise_if_gone(asset)
            held = self._held.get(asset, held)
        return self._served(held)

    async def _wait_for_origin(self, asset: str) -> SourceManifest:
        """There is nothing else to serve."""
        self._raise_what_is_known(asset)
        flight = self._flight(asset)
        if flight is None:
            raise OriginTimeoutError(f"{asset}: too many requests to the origin are under way")
        await asyncio.wait((flight.task,))  # not the task itself: who goes away must not end it
        outcome = flight.task.result()
        if isinstance(outcome, _Gone):
            raise _no_such(asset)
        if isinstance(outcome, _Failure):
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

    def _raise_what_is_known(self, asset: str) -> None:
        """Raise what was found out a moment ago, if anything."""
        self._raise_if_gone(asset)
        failure = self._failed.get(asset)
        if failure is not None:
            raise failure.error()

    def _raise_if_gone(self, asset: str) -> None:
        if asset in self._absent:
            raise _no_such(asset)

    def ready(self) -> str | None:
        """None when some origin answers, or there are copies to serve from."""
        if self._held or self._shared_hold_some:
            return None
        return self._trouble() if self._all_down() else None

    def degraded(self) -> str | None:
        """Which origins do not answer; None when all do."""
        return self._trouble() if any(_is_down(each) for each in self._origins.all) else None

    async def watch(self) -> None:
        """Ask origins that do not answer, now and then, so that players need not try; until
        cancelled."""
        while True:
            waiting = [each for each in self._origins.all if _is_down(each)]
            await asyncio.gather(*map(self._look, waiting))
            if self._all_down() and not self._held:
                mark = await self._shared.get(self._name(SHARED_MARK))
                self._shared_hold_some = mark is not None
            await asyncio.sleep(LOOK_S * _random.uniform(0.8, 1.2))

    async def close(self) -> None:
        """End what is under way and close the connections."""
        tasks: list[asyncio.Task[Any]] = [flight.task for flight in self._flights.values()]
        tasks += self._recalls.values()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.close()

    async def purge(self, asset: str) -> None:
        """Forget ``asset``, here and in the store; what is under way for it does not count."""
        await self._purge(ONE + asset)

    async def purge_prefix(self, prefix: str) -> None:
        """Forget every asset whose id starts with ``prefix``; ``""`` is all of them."""
        await self._purge(prefix)

    async def doubt(self) -> None:
        """Ask the origin before what is held now is used again; it stands in where that fails."""
        self._doubted_until = self._wall()

    def _state(self, held: Held) -> State:
        """What a copy may be used for now."""
        state = held.copy.lifetime.state(self._wall())
        if state in {State.FRESH, State.STALE} and held.copy.asked_at <= self._doubted_until:
            return State.LAST_RESORT
        return state

    async def _purge(self, pattern: str) -> None:
        now = self._wall()
        self._purges.note(pattern, now)
        forgetful: tuple[MutableMapping[str, Any], ...]
        forgetful = (self._held, self._absent, self._failed, self._flights, self._recalls)
        for known in forgetful:
            for asset in [each for each in known if matches(pattern, each)]:
                known.pop(asset, None)
        await self._shared.note_purge(pattern, now, self._longest_s)

    def _flight(self, asset: str) -> "_Flight | None":
        """The request for ``asset`` that is under way, or a new one; None when there are too
        many."""
        flight = self._flights.get(asset)
        if flight is None and len(self._flights) < MOST_FLIGHTS:
            now = asyncio.get_running_loop().time()
            flight = _Flight(asyncio.create_task(self._fly(asset)), now)
            self._flights[asset] = flight
            flight.task.add_done_callback(partial(self._landed, asset, flight))
        return flight

    def _landed(self, asset: str, flight: "_Flight", task: "asyncio.Task[_Outcome]") -> None:
        if self._flights.get(asset) is flight:  # else it was purged, and another one is under way
            del self._flights[asset]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("source_failed", asset=asset, exc_info=error)

    async def _fly(self, asset: str) -> "_Outcome":
        """Ask for ``asset``, and remember what came of it."""
        asked_at = self._wall()
        deadline = asyncio.get_running_loop().time() + self._terms.total_timeout_s
        held = self._held.get(asset)
        if held is not None:  # else the store was asked a moment ago
            held = await self._newer(asset, held)
            if self._state(held) is State.FRESH:
                return held
        origins = self._origins.for_asset(asset)
        if not origins:
            return _Gone()
        validators = {} if held is None else {held.copy.origin: held.copy.validators}
        try:
            outcome = await self._origins.ask(
                origins, self._path(asset), validators, deadline, partial(self._read, asset, held)
            )
        except Unanswered as error:
            failure = _Failure(error.trouble, str(error))
            self._failed_again(asset, held, failure)
            return failure
        if not self._purges.covers(asset, asked_at):
            self._remember(asset, outcome)
        return outcome

    async def _read(
        self, asset: str, held: Held | None, origin: Origin, answer: Answer
    ) -> "Held | _Gone":
        """What an answer means. Raises :class:`Unanswered` when it is of no use."""
        if answer.status in GONE:
            return _Gone()
        if answer.status == NOT_MODIFIED:
            if held is None or held.copy.origin != origin.server.url:
                text = f"{answer.url}: answered 304 without having been asked"
                raise Unanswered(Trouble.GARBAGE, text)
            return _revalidated(held, answer, self._terms)
        copy = Copy(
            path=self._path_of(answer.url, asset),
            origin=origin.server.url,
            etag=validator(answer.headers.get("etag")),
            last_modified=validator(answer.headers.get("last-modified")),
            asked_at=answer.asked_at,
            lifetime=lifetime_of(
                answer.headers, answer.asked_at, answer.answered_at, self._terms.freshness
            ),
            digest=digest_of(answer.body),
            packed=packed(answer.body),
        )
        return await self._hold(copy, answer.body, held)

    async def _hold(self, copy: Copy, body: bytes, known: Held | None) -> Held:
        """The copy with its manifest; parsed only when it is not the one that is known.

        Raises :class:`Unanswered`.
        """
        if known is not None and (known.copy.digest, known.copy.path) == (copy.digest, copy.path):
            manifest = replace(known.manifest, base_urls=self._bases(copy.origin))
            return Held(copy, manifest, known.size)
        try:
            playlist = await _parsed(body, copy.path)
        except ManifestError as error:
            raise Unanswered(Trouble.UNPLAYABLE, f"{copy.origin}{error}") from error
        for fault in playlist.faults:
            metrics.PLAYLIST_FAULTS.labels(fault.rule).inc()
        manifest = SourceManifest(
            copy.path, playlist, copy.digest, bandwidths_of(playlist), self._bases(copy.origin)
        )
        return Held(copy, manifest, OVERHEAD_BYTES + COST_PER_BYTE * len(body) + len(copy.packed))

    def _remember(self, asset: str, outcome: "Held | _Gone") -> None:
        self._failed.pop(asset, None)
        name = self._name(asset)
        if isinstance(outcome, _Gone):
            self._absent[asset] = True
            if self._held.pop(asset, None) is not None:
                self._shared.put(name, GONE_MARK, GONE_MARK_S)
            return
        self._absent.pop(asset, None)
        self._keep(asset, outcome)
        copy = outcome.copy
        if not copy.lifetime.shareable:
            return
        self._shared.put(name, to_bytes(copy), max(1.0, copy.lifetime.kept_s))
        now = asyncio.get_running_loop().time()
        if now >= self._mark_at:
            self._mark_at = now + MARK_EVERY_S
            self._shared.put(self._name(SHARED_MARK), b"1", max(1.0, copy.lifetime.kept_s))

    def _keep(self, asset: str, held: Held) -> None:
        purged = self._purges.covers(asset, held.copy.asked_at)  # while it was read
        if not purged and held.size <= self._terms.memory_bytes:
            self._held[asset] = held

    def _failed_again(self, asset: str, held: Held | None, failure: _Failure) -> None:
        current = self._held.get(asset)
        if current is None or current.copy.lifetime.state(self._wall()) is State.EXPIRED:
            self._failed[asset] = failure
        elif held is not None and current.copy is held.copy:
            again_at = asyncio.get_running_loop().time() + self._terms.failure_s
            self._keep(asset, current.after_failure(failure.text, again_at))

    async def _recall(self, asset: str) -> None:
        """Have this worker know what others have shared of ``asset``; one look for all who ask."""
        task = self._recalls.get(asset)
        if task is None:
            task = asyncio.create_task(self._recall_now(asset))
            self._recalls[asset] = task
        await asyncio.wait((task,))
        if self._recalls.get(asset) is task:
            del self._recalls[asset]
        task.result()

    async def _recall_now(self, asset: str) -> None:
        held = await self._shared_copy(asset, None)
        if held is not None and asset not in self._held:
            self._keep(asset, held)

    async def _newer(self, asset: str, held: Held) -> Held:
        """What another worker has fetched since, else ``held``."""
        found = await self._shared_copy(asset, held)
        if found is None or found.copy.lifetime.answered_at <= held.copy.lifetime.answered_at:
            return held
        self._keep(asset, found)
        return found

    async def _shared_copy(self, asset: str, known: Held | None) -> Held | None:
        """The copy in the store, if it is whole, usable and not purged."""
        now = asyncio.get_running_loop().time()
        if now >= self._purges_known_until:
            noted = await self._shared.purges()
            if noted is None:
                return None
            self._purges.merge(noted)
            self._purges_known_until = now + PURGES_KNOWN_S
        data = await self._shared.get(self._name(asset))
        if data is None or data == GONE_MARK:
            return None
        terms = self._terms
        wall = self._wall()
        found = from_bytes(data, self._urls, wall, terms.freshness, terms.asking.max_bytes)
        if found is None:
            metrics.STORE_GARBAGE.inc()
            return None
        copy, body = found
        expired = copy.lifetime.state(wall) is State.EXPIRED
        if expired or self._purges.covers(asset, copy.asked_at):
            return None
        try:
            return await self._hold(copy, body, known)
        except Unanswered:  # written by a version that could read it
            metrics.STORE_GARBAGE.inc()
            return None

    def _served(self, held: Held) -> SourceManifest:
        life, now = held.copy.lifetime, self._wall()
        stale_s = life.stale_for(now)
        status: Literal["fresh", "revalidated", "stale"] = "stale"
        if stale_s < 0:
            status = "revalidated" if held.revalidated else "fresh"
        metrics.ORIGIN_COPIES.labels(status).inc()
        state = SourceState(held.copy.origin, status, life.age(now), -stale_s, held.why)
        return replace(held.manifest, state=state)

    async def _look(self, origin: Origin) -> None:
        """See whether an origin answers again."""
        now = asyncio.get_running_loop().time()
        if origin.breaker.wait_s(now) > 0:
            return
        asking = self._terms.asking
        deadline = now + asking.connect_timeout_s + asking.read_timeout_s
        with contextlib.suppress(Unanswered):  # it is counted where it is found out
            await self._origins.attempt(origin, origin.good_path or "", {}, deadline, _nothing)

    def _all_down(self) -> bool:
        return all(map(_is_down, self._origins.all))

    def _trouble(self) -> str:
        """What is wrong, in a sentence."""
        return "; ".join(
            each.last_trouble or f"{each.server.url}: has not answered yet"
            for each in self._origins.all
            if _is_down(each)
        )

    @property
    def _longest_s(self) -> float:
        """How long any copy may be of use."""
        bounds = self._terms.freshness
        stale_s = max(bounds.max_stale_if_error_s, bounds.max_stale_while_revalidate_s)
        return max(bounds.max_fresh_s, bounds.min_fresh_s) + stale_s

    def _path(self, asset: str) -> str:
        return self._terms.template.replace("{asset}", asset)

    def _path_of(self, url: str, asset: str) -> str:
        """Where relative URIs start: after a redirect below an origin's URL, where that led."""
        plain = url.partition("?")[0]
        for base in self._urls:
            below = plain.removeprefix(base)
            if below != plain and is_clean_path(below):
                return below
        return self._path(asset)

    def _bases(self, origin: str) -> tuple[str, ...]:
        """The URLs that absolute URIs are moved from: its own origin's, then the longest first."""
        others = sorted(set(self._urls) - {origin}, key=lambda url: (-len(url), url))
        return (origin, *others)

    def _name(self, asset: str) -> str:
        """The name of a shared copy: other origins' copies of the same path are others."""
        urls = " ".join(each.server.url for each in self._origins.for_asset(asset))
        return f"{urls} {self._path(asset)}"


_Outcome = Held | _Gone | _Failure


@dataclass(frozen=True, slots=True, eq=False)
class _Flight:
    """A request under way, and when it started (the loop's time)."""

    task: asyncio.Task[_Outcome]
    started: float


def _no_such(asset: str) -> NoSuchAssetError:
    return NoSuchAssetError(f"{asset}: the origin has no such asset")


def _is_down(origin: Origin) -> bool:
    return origin.reached is not True or origin.breaker.state is not BreakerState.CLOSED


async def _nothing(answer: Answer) -> None:
    """A probe's answer is not looked at."""


async def _parsed(body: bytes, name: str) -> MultivariantPlaylist:
    """Raises :class:`ManifestError`."""
    if len(body) <= PARSED_HERE_BYTES:
        return parse(body, name)
    return await asyncio.to_thread(parse, body, name)


def _revalidated(held: Held, answer: Answer, terms: Terms) -> Held:
    """The copy, good for longer: what the 304 does not say stays as it was (RFC 9111, 3.2)."""
    said = lifetime_of(answer.headers, answer.asked_at, answer.answered_at, terms.freshness)
    if "cache-control" not in answer.headers and "expires" not in answer.headers:
        said = replace(held.copy.lifetime, answered_at=said.answered_at, age_s=said.age_s)
    copy = replace(
        held.copy,
        lifetime=said,
        asked_at=answer.asked_at,
        etag=validator(answer.headers.get("etag")) or held.copy.etag,
        last_modified=validator(answer.headers.get("last-modified")) or held.copy.last_modified,
    )
    return replace(held, copy=copy, revalidated=True, why=None, again_at=0.0)
