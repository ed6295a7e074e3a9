"""Which origin is asked, how often, and for how long?

One round tries the origins in order. Rounds are repeated after a growing pause (exponential backoff
with full jitter) until the retry budget or the player's deadline ends.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from random import Random, SystemRandom
from typing import TypeVar

import structlog

from gateway.observe import metrics
from gateway.source.origin.breaker import Breaker, BreakerState
from gateway.source.origin.budget import RetryBudget
from gateway.source.origin.client import (
    NOT_MODIFIED,
    AttemptError,
    FailureKind,
    OriginClient,
    OriginResponse,
)
from gateway.source.origin.origin_config import OriginConfig, OriginServer

FIRST_PAUSE_S = 0.1
MAX_PAUSE_S = 2.0
MAX_RETRY_AFTER_S = 10.0
"""Upper bound on the pause that one 429 can impose, whatever its Retry-After says."""

_T = TypeVar("_T")
log = structlog.get_logger()


class Origin:
    """One origin: its settings, its circuit breaker, and its recent health."""

    def __init__(self, server: OriginServer, config: OriginConfig) -> None:
        self.server = server
        self.breaker = Breaker(
            config.breaker_failures, config.breaker_open_s, config.breaker_max_open_s, self._changed
        )
        self.reached: bool | None = None
        """Whether the last request was answered; None before the first one."""
        self.last_good_path: str | None = None
        """The path of the last good response."""
        self.last_failure = ""
        self.paused_until = 0.0
        """Loop time until which the origin asked for no requests (429)."""
        self._logged_down = False
        self.phase = 0
        """Incremented at each state change of the breaker."""
        metrics.ORIGIN_BREAKER.labels(server.url).set(0)

    def _changed(self, state: BreakerState) -> None:
        self.phase += 1
        open_share = {BreakerState.CLOSED: 0.0, BreakerState.HALF_OPEN: 0.5, BreakerState.OPEN: 1.0}
        metrics.ORIGIN_BREAKER.labels(self.server.url).set(open_share[state])
        metrics.ORIGIN_BREAKER_CHANGES.labels(self.server.url, state).inc()
        if state is BreakerState.CLOSED:
            self._logged_down = False
            log.info("origin_up", origin=self.server.url)
        elif not self._logged_down:  # a failed probe only reopens the breaker: nothing new to log
            self._logged_down = True
            log.warning("origin_down", origin=self.server.url, reason=self.last_failure)


class Origins:
    """All configured origins, asked in order with retries."""

    def __init__(
        self,
        config: OriginConfig,
        client: OriginClient,
        random: Random | SystemRandom | None = None,
    ) -> None:
        """``random`` draws the jitter."""
        self.all = tuple(Origin(server, config) for server in config.origins)
        self._config = config
        self._client = client
        self._random = random or SystemRandom()
        self._budget = RetryBudget(config.retry_budget)
        self._slots = asyncio.Semaphore(config.request.max_connections)

    def for_asset(self, asset: str) -> tuple[Origin, ...]:
        """The origins of ``asset``, in the order in which they are tried: those with the longest
        matching prefix, as listed in the config. Empty when no prefix matches."""
        fitting = [each for each in self.all if asset.startswith(each.server.asset_prefix)]
        longest = max((len(each.server.asset_prefix) for each in fitting), default=0)
        return tuple(each for each in fitting if len(each.server.asset_prefix) == longest)

    async def ask(
        self,
        origins: Sequence[Origin],
        path: str,
        validators: Mapping[str, Mapping[str, str]],
        deadline: float,
        read: Callable[[Origin, OriginResponse], Awaitable[_T]],
    ) -> _T:
        """Return what ``read`` makes of the first usable response.

        ``validators`` are those of the cached copy, by the URL of the origin that it came from.
        ``read`` raises :class:`AttemptError` for a response that cannot be used; then the next
        origin is tried. Raises :class:`AttemptError` when no origin gave a usable response before
        ``deadline`` (loop time).
        """
        clock = asyncio.get_running_loop().time
        self._budget.earn()
        attempt = 0
        earlier: AttemptError | None = None
        while True:
            try:
                return await self._round(origins, path, validators, deadline, read)
            except AttemptError as error:
                if earlier is not None and error.kind is FailureKind.TIMEOUT:
                    raise earlier from error  # it says more than "timed out"
                earlier = error
                pause_s = self._pause(attempt, error.wait_s)
                attempt += 1
                if (
                    not error.again
                    or attempt > self._config.retries
                    or clock() + pause_s >= deadline
                    or not self._budget.spend()
                ):
                    raise
            metrics.ORIGIN_RETRIES.inc()
            await asyncio.sleep(pause_s)

    def _pause(self, attempt: int, asked_s: float | None) -> float:
        """Full jitter up to a bound that doubles with each attempt, plus what Retry-After asked
        for."""
        bound_s = min(MAX_PAUSE_S, FIRST_PAUSE_S * 2**attempt)
        return self._random.uniform(0, bound_s) + (asked_s or 0.0)

    async def _round(
        self,
        origins: Sequence[Origin],
        path: str,
        validators: Mapping[str, Mapping[str, str]],
        deadline: float,
        read: Callable[[Origin, OriginResponse], Awaitable[_T]],
    ) -> _T:
        """Try every origin once, in order. Raises the first failure that may be retried, else the
        first failure."""
        failures: list[AttemptError] = []
        for origin in origins:
            given = validators.get(origin.server.url, {})
            try:
                return await self.attempt(origin, path, given, deadline, partial(read, origin))
            except AttemptError as error:
                failures.append(error)
                if error.kind is FailureKind.STATUS and not error.again:
                    break  # a definite refusal (such as 403) is not retried elsewhere
        raise next((each for each in failures if each.again), failures[0])

    async def attempt(
        self,
        origin: Origin,
        path: str,
        validators: Mapping[str, str],
        deadline: float,
        read: Callable[[OriginResponse], Awaitable[_T]],
    ) -> _T:
        """Ask one origin once, if its breaker admits the request. Raises :class:`AttemptError`."""
        clock = asyncio.get_running_loop().time
        url = origin.server.url
        try:
            async with asyncio.timeout_at(deadline):
                await self._slots.acquire()
        except TimeoutError:
            text = f"{url}: too many requests are in progress"
            raise AttemptError(FailureKind.BUSY, text) from None
        try:
            now = clock()
            if now < origin.paused_until or not origin.breaker.admits(
                now, conditional=bool(validators)
            ):
                metrics.ORIGIN_REQUESTS.labels(url, FailureKind.BREAKER_OPEN).inc()
                text = f"{url}: not asked, it has been failing ({origin.last_failure})"
                raise AttemptError(FailureKind.BREAKER_OPEN, text)
            return await self._ask(origin, path, validators, deadline, read)
        finally:
            self._slots.release()

    async def _ask(
        self,
        origin: Origin,
        path: str,
        validators: Mapping[str, str],
        deadline: float,
        read: Callable[[OriginResponse], Awaitable[_T]],
    ) -> _T:
        clock = asyncio.get_running_loop().time
        started = clock()
        phase = origin.phase
        outcome = "cancelled"
        try:
            answer = await self._client.get(origin.server, path, validators, deadline)
        except AttemptError as error:
            outcome = error.kind
            had_its_time = deadline - started >= self._config.request.read_timeout_s
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
        origin.last_good_path = path
        return found

    def _count(
        self, origin: Origin, path: str, error: AttemptError, *, had_its_time: bool, late: bool
    ) -> None:
        """Record a failed attempt in the origin's health. ``late``: the breaker has changed its
        state since the attempt began, so the failure may predate a recovery."""
        now = asyncio.get_running_loop().time()
        if not error.down:
            origin.reached = True  # it responds, though not with a playlist
            origin.breaker.succeeded()
        elif late:
            pass
        elif error.kind is FailureKind.TIMEOUT and not had_its_time:
            origin.breaker.abandoned()  # the player's deadline ended first
        else:
            origin.reached = not error.whole
            origin.last_failure = str(error)
            origin.breaker.failed(now, None if error.whole else path)
        if error.pauses_origin and error.wait_s is not None:
            origin.paused_until = now + min(error.wait_s, MAX_RETRY_AFTER_S)
