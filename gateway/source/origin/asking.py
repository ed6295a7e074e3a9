"""Which origin is asked, how often, and for how long? One round goes through the origins in order;
rounds are repeated with a pause that grows (exponential backoff with full jitter), as far as the
retry budget and the player's deadline go."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from random import Random, SystemRandom
from typing import TypeVar

import structlog

from gateway.observe import metrics
from gateway.source.origin.breaker import Breaker, BreakerState
from gateway.source.origin.budget import RetryBudget
from gateway.source.origin.client import NOT_MODIFIED, Answer, OriginClient, Trouble, Unanswered
from gateway.source.origin.terms import OriginServer, Terms

FIRST_PAUSE_S = 0.1
MAX_PAUSE_S = 2.0
MAX_HONOURED_S = 10.0
"""The longest that one 429 keeps everybody from asking, whatever its Retry-After says."""

_T = TypeVar("_T")
log = structlog.get_logger()


class Origin:
    """One origin and what is known of its health."""

    def __init__(self, server: OriginServer, terms: Terms) -> None:
        self.server = server
        self.breaker = Breaker(
            terms.breaker_failures, terms.breaker_open_s, terms.breaker_max_open_s, self._changed
        )
        self.reached: bool | None = None
        """Whether it answered the last time that it was asked; None before that."""
        self.good_path: str | None = None
        """The last path that it answered well for."""
        self.last_trouble = ""
        self.quiet_until = 0.0
        """Until when it has asked for a pause (429), the loop's time."""
        self._told_down = False
        self.phase = 0
        """Grows with each change of the breaker's state."""
        metrics.ORIGIN_BREAKER.labels(server.url).set(0)

    def _changed(self, state: BreakerState) -> None:
        self.phase += 1
        open_share = {BreakerState.CLOSED: 0.0, BreakerState.HALF_OPEN: 0.5, BreakerState.OPEN: 1.0}
        metrics.ORIGIN_BREAKER.labels(self.server.url).set(open_share[state])
        metrics.ORIGIN_BREAKER_CHANGES.labels(self.server.url, state).inc()
        if state is BreakerState.CLOSED:
            self._told_down = False
            log.info("origin_up", origin=self.server.url)
        elif not self._told_down:  # a probe that fails changes nothing
            self._told_down = True
            log.warning("origin_down", origin=self.server.url, reason=self.last_trouble)


class Origins:
    """All configured origins."""

    def __init__(
        self, terms: Terms, client: OriginClient, random: Random | SystemRandom | None = None
    ) -> None:
        """``random`` makes the jitter."""
        self.all = tuple(Origin(server, terms) for server in terms.origins)
        self._terms = terms
        self._client = client
        self._random = random or SystemRandom()
        self._budget = RetryBudget(terms.retry_budget)
        self._slots = asyncio.Semaphore(terms.asking.max_connections)

    def for_asset(self, asset: str) -> tuple[Origin, ...]:
        """The origins of ``asset`` in the order in which they are asked: those of its longest
        prefix, as they are listed. Empty when no prefix is its."""
        fitting = [each for each in self.all if asset.startswith(each.server.asset_prefix)]
        longest = max((len(each.server.asset_prefix) for each in fitting), default=0)
        return tuple(each for each in fitting if len(each.server.asset_prefix) == longest)

    async def ask(
        self,
        origins: Sequence[Origin],
        path: str,
        validators: Mapping[str, Mapping[str, str]],
        deadline: float,
        read: Callable[[Origin, Answer], Awaitable[_T]],
    ) -> _T:
        """What ``read`` makes of the first answer that it can use.

        ``validators`` are those of a copy, under the URL of the origin that it is from. ``read``
        raises :class:`Unanswered` for an answer that is of no use: then the next origin is asked.
        Raises :class:`Unanswered` when none has one, before ``deadline`` (the loop's time).
        """
        clock = asyncio.get_running_loop().time
        self._budget.earn()
        attempt = 0
        earlier: Unanswered | None = None
        while True:
            try:
                return await self._round(origins, path, validators, deadline, read)
            except Unanswered as error:
                if earlier is not None and error.trouble is Trouble.TIMEOUT:
                    raise earlier from error  # it says more than that time was up
                earlier = error
                pause_s = self._pause(attempt, error.wait_s)
                attempt += 1
                if (
                    not error.again
                    or attempt > self._terms.retries
                    or clock() + pause_s >= deadline
                    or not self._budget.spend()
                ):
                    raise
            metrics.ORIGIN_RETRIES.inc()
            await asyncio.sleep(pause_s)

    def _pause(self, attempt: int, asked_s: float | None) -> float:
        """Full jitter up to a bound that doubles; what Retry-After asks for comes on top."""
        bound_s = min(MAX_PAUSE_S, FIRST_PAUSE_S * 2**attempt)
        return self._random.uniform(0, bound_s) + (asked_s or 0.0)

    async def _round(
        self,
        origins: Sequence[Origin],
        path: str,
        validators: Mapping[str, Mapping[str, str]],
        deadline: float,
        read: Callable[[Origin, Answer], Awaitable[_T]],
    ) -> _T:
        """Every origin once, in order. What is raised is the first one's trouble that can be
        tried again, else the first one's."""
        troubles: list[Unanswered] = []
        for origin in origins:
            given = validators.get(origin.server.url, {})
            try:
                return await self.attempt(origin, path, given, deadline, partial(read, origin))
            except Unanswered as error:
                troubles.append(error)
                if error.trouble is Trouble.STATUS and not error.again:
                    break  # a plain no is an answer
        raise next((each for each in troubles if each.again), troubles[0])

    async def attempt(
        self,
        origin: Origin,
        path: str,
        validators: Mapping[str, str],
        deadline: float,
        read: Callable[[Answer], Awaitable[_T]],
    ) -> _T:
        """Ask one origin once, if its breaker lets through. Raises :class:`Unanswered`."""
        clock = asyncio.get_running_loop().time
        url = origin.server.url
        try:
            async with asyncio.timeout_at(deadline):
                await self._slots.acquire()
        except TimeoutError:
            text = f"{url}: too many requests are under way"
            raise Unanswered(Trouble.BUSY, text) from None
        try:
            now = clock()
            if now < origin.quiet_until or not origin.breaker.admits(
                now, conditional=bool(validators)
            ):
                metrics.ORIGIN_REQUESTS.labels(url, Trouble.BREAKER_OPEN).inc()
                text = f"{url}: not asked, it has been failing ({origin.last_trouble})"
                raise Unanswered(Trouble.BREAKER_OPEN, text)
            return await self._ask(origin, path, validators, deadline, read)
        finally:
            self._slots.release()

    async def _ask(
        self,
        origin: Origin,
        path: str,
        validators: Mapping[str, str],
        deadline: float,
        read: Callable[[Answer], Awaitable[_T]],
    ) -> _T:
        clock = asyncio.get_running_loop().time
        started = clock()
        phase = origin.phase
        outcome = "cancelled"
        try:
            answer = await self._client.get(origin.server, path, validators, deadline)
        except Unanswered as error:
            outcome = error.trouble
            had_its_time = deadline - started >= self._terms.asking.read_timeout_s
            late = origin.phase != phase
            self._count(origin, path, error, had_its_time=had_its_time, late=late)
            raise
        except BaseException:
            origin.breaker.abandoned()
            raise
        else:
            outcome = str(answer.status)
            origin.reached = True
            if answer.status == NOT_MODIFIED:
                origin.breaker.confirmed()
            else:
                origin.breaker.succeeded()
        finally:
            metrics.ORIGIN_REQUESTS.labels(origin.server.url, outcome).inc()
            metrics.ORIGIN_SECONDS.labels(origin.server.url).observe(clock() - started)
        found = await read(answer)
        origin.good_path = path
        return found

    def _count(
        self, origin: Origin, path: str, error: Unanswered, *, had_its_time: bool, late: bool
    ) -> None:
        """What a useless answer says of the origin's health. ``late``: it began before the breaker
        was last told otherwise, and so before an origin that is back now was back."""
        now = asyncio.get_running_loop().time()
        if not error.down:
            origin.reached = True  # it answers, though not what is wanted
            origin.breaker.succeeded()
        elif late:
            pass
        elif error.trouble is Trouble.TIMEOUT and not had_its_time:
            origin.breaker.abandoned()  # the player's patience ended first
        else:
            origin.reached = not error.whole
            origin.last_trouble = str(error)
            origin.breaker.failed(now, None if error.whole else path)
        if error.pauses_all and error.wait_s is not None:
            origin.quiet_until = now + min(error.wait_s, MAX_HONOURED_S)
