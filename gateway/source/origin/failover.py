"""Which origin is asked, how often, and for how long?

One round tries the origins in order. Rounds are repeated after a growing pause (exponential backoff
with full jitter) until the retry budget or the player's deadline ends.

Players choose ids freely, and an origin may fail for some ids alone: those that it does not have,
or that make it slow. So the circuit breaker counts failures of assets that the gateway knows to be
good, and failures to connect. The failure of an *unknown* id only raises the suspicion that the
origin fails as a whole. :meth:`Origins.verify` settles it with files that the origin has sent
before.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from itertools import islice
from random import Random, SystemRandom
from typing import TypeVar

import structlog

from gateway.observe import metrics
from gateway.source.origin.breaker import Breaker, BreakerState
from gateway.source.origin.budget import RetryBudget
from gateway.source.origin.client import (
    NOT_FOUND_STATUSES,
    NOT_MODIFIED,
    AttemptError,
    FailureKind,
    OriginClient,
    OriginFile,
    OriginResponse,
)
from gateway.source.origin.origin_config import OriginConfig, OriginServer
from gateway.source.origin.slots import Slots, Ticket

FIRST_PAUSE_S = 0.1
MAX_PAUSE_S = 2.0
MAX_RETRY_AFTER_S = 10.0
"""Upper bound on the pause that one 429 can impose, whatever its Retry-After says."""

_VERIFY_S = 0.25
"""When one good file is not answered in this time, in seconds, others are tried beside it."""
_OURSELVES = "the gateway"
MAX_GOOD_FILES = 1000

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
        self._good_files: OrderedDict[OriginFile, None] = OrderedDict()
        self.suspicion = asyncio.Event()
        """Unknown ids have failed since the origin was last found to be well."""
        self.last_failure = ""
        self.paused_until = 0.0
        """Loop time until which the origin asked for no requests (429)."""
        self._paused_unnamed_until = 0.0
        self._logged_down = False
        self.phase = 0
        """Incremented at each state change of the breaker."""
        metrics.ORIGIN_BREAKER.labels(server.url).set(0)

    def has_sent(self, file: OriginFile) -> bool:
        """Whether a good response for ``file`` is remembered."""
        return file in self._good_files

    @property
    def has_sent_any(self) -> bool:
        """Whether any good response is remembered."""
        return bool(self._good_files)

    def sent(self, file: OriginFile) -> None:
        """There was a good response for ``file``."""
        self._good_files[file] = None
        self._good_files.move_to_end(file)
        if len(self._good_files) > MAX_GOOD_FILES:
            self._good_files.popitem(last=False)

    def lost(self, file: OriginFile) -> None:
        """There is no such file any more."""
        self._good_files.pop(file, None)

    def files_to_try(self, count: int) -> list[OriginFile]:
        """Files whose response shows whether the origin is well, at most ``count``: those of good
        responses, each time others. Empty while there was none."""
        files = list(islice(reversed(self._good_files), count))
        if files:
            self._good_files.move_to_end(files[0], last=False)
        return files

    def pause(self, ticket: Ticket, until: float) -> None:
        """Send nothing until then (loop time), for any asset, when ``ticket`` is for a known one. A
        429 to an unknown id says nothing about other ids; where no client is known, unknown ids are
        paused together."""
        if ticket.known:
            self.paused_until = until
        elif not ticket.client:
            self._paused_unnamed_until = until

    def is_paused(self, ticket: Ticket, now: float) -> bool:
        """Whether a 429 forbids a request for ``ticket`` now."""
        if ticket.known or ticket.client:
            return now < self.paused_until
        return now < max(self.paused_until, self._paused_unnamed_until)

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
        self._budgets = {known: RetryBudget(config.retry_budget) for known in (True, False)}
        self._slots = Slots(config.request.max_connections)

    def for_asset(self, asset: str) -> tuple[Origin, ...]:
        """The origins of ``asset``, in the order in which they are tried: those with the longest
        matching prefix, as listed in the config. Empty when no prefix matches."""
        fitting = [each for each in self.all if asset.startswith(each.server.asset_prefix)]
        longest = max((len(each.server.asset_prefix) for each in fitting), default=0)
        return tuple(each for each in fitting if len(each.server.asset_prefix) == longest)

    def join(self, ticket: Ticket, client: str) -> None:
        """Another client asks for the asset of ``ticket``."""
        self._slots.join(ticket, client)

    async def ask(
        self,
        ticket: Ticket,
        origins: Sequence[Origin],
        file: OriginFile,
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
        budget = self._budgets[ticket.known]
        budget.earn()
        attempt = 0
        earlier: AttemptError | None = None
        while True:
            try:
                return await self._round(ticket, origins, file, validators, deadline, read)
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
                    or not budget.spend()
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
        ticket: Ticket,
        origins: Sequence[Origin],
        file: OriginFile,
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
                reading = partial(read, origin)
                return await self._attempt(ticket, origin, file, given, deadline, reading)
            except AttemptError as error:
                failures.append(error)
                if error.kind is FailureKind.STATUS and not error.again:
                    break  # a definite refusal (such as 403) is not retried elsewhere
        raise next((each for each in failures if each.again), failures[0])

    async def probe(self, origin: Origin, file: OriginFile) -> bool:
        """Ask for a file that the origin has sent before, or for its URL (an empty path); whether
        it responds."""
        limits = self._config.request
        now = asyncio.get_running_loop().time()
        deadline = now + limits.connect_timeout_s + limits.read_timeout_s
        # How an origin answers its bare URL says as little about its files as a made-up id does.
        ticket = Ticket(known=bool(file.path), client=_OURSELVES)
        try:
            await self._attempt(ticket, origin, file, {}, deadline, _nothing)
        except AttemptError as error:
            return not (error.down or error.kind in {FailureKind.BREAKER_OPEN, FailureKind.BUSY})
        return True

    async def verify(self, origin: Origin) -> None:
        """Unknown ids have failed: find out whether the origin fails for good files, too. If it
        does for all that are tried, its breaker opens."""
        origin.suspicion.clear()
        if not origin.has_sent_any:
            return  # its URL shows nothing: an origin may answer it as it likes
        first, *others = origin.files_to_try(self._config.breaker_failures)
        async with asyncio.TaskGroup() as group:
            probes = [group.create_task(self.probe(origin, first))]
            done, _ = await asyncio.wait(probes, timeout=_VERIFY_S)
            if done and probes[0].result():
                return
            probes += [group.create_task(self.probe(origin, file)) for file in others]
        if not any(probe.result() for probe in probes):
            origin.breaker.trip(asyncio.get_running_loop().time())

    async def _attempt(
        self,
        ticket: Ticket,
        origin: Origin,
        file: OriginFile,
        validators: Mapping[str, str],
        deadline: float,
        read: Callable[[OriginResponse], Awaitable[_T]],
    ) -> _T:
        """Ask one origin once, if its breaker admits the request. Raises :class:`AttemptError`."""
        clock = asyncio.get_running_loop().time
        url = origin.server.url
        try:
            await self._slots.take(ticket, deadline)
        except TimeoutError:
            text = f"{url}: too many requests are in progress"
            raise AttemptError(FailureKind.BUSY, text) from None
        try:
            now = clock()
            if origin.is_paused(ticket, now) or not self._admits(ticket, origin, validators, now):
                metrics.ORIGIN_REQUESTS.labels(url, FailureKind.BREAKER_OPEN).inc()
                text = f"{url}: not asked, it has been failing ({origin.last_failure})"
                raise AttemptError(FailureKind.BREAKER_OPEN, text)
            return await self._ask(ticket, origin, file, validators, deadline, read)
        finally:
            self._slots.give_back(ticket)

    @staticmethod
    def _admits(ticket: Ticket, origin: Origin, validators: Mapping[str, str], now: float) -> bool:
        """Whether the breaker admits the request. While it is not closed, an unknown id shows
        nothing about the origin, unless nothing is known yet."""
        if origin.breaker.state is not BreakerState.CLOSED and not ticket.known:
            return not origin.has_sent_any and origin.breaker.admits(now)
        return origin.breaker.admits(now, conditional=bool(validators))

    async def _ask(
        self,
        ticket: Ticket,
        origin: Origin,
        file: OriginFile,
        validators: Mapping[str, str],
        deadline: float,
        read: Callable[[OriginResponse], Awaitable[_T]],
    ) -> _T:
        clock = asyncio.get_running_loop().time
        started = clock()
        phase = origin.phase
        outcome = "cancelled"
        try:
            answer = await self._client.get(origin.server, file, validators, deadline)
        except AttemptError as error:
            outcome = error.kind
            had_its_time = deadline - started >= self._config.request.read_timeout_s
            late = origin.phase != phase
            self._count(ticket, origin, file.path, error, had_its_time=had_its_time, late=late)
            raise
        except BaseException:
            origin.breaker.abandoned()
            raise
        else:
            outcome = str(answer.status)
            origin.reached = True
            if answer.status == NOT_MODIFIED and validators:
                origin.breaker.confirmed()
            elif answer.status == NOT_MODIFIED:  # nobody has asked whether a copy is valid
                origin.breaker.abandoned()
            else:
                is_good = answer.status not in NOT_FOUND_STATUSES
                self._count_up(ticket, origin, is_good=is_good)
        finally:
            metrics.ORIGIN_REQUESTS.labels(origin.server.url, outcome).inc()
            metrics.ORIGIN_SECONDS.labels(origin.server.url).observe(clock() - started)
        found = await read(answer)
        if answer.status in NOT_FOUND_STATUSES:
            origin.lost(file)
        elif file.path:
            origin.sent(file)
        return found

    def _count(
        self,
        ticket: Ticket,
        origin: Origin,
        path: str,
        error: AttemptError,
        *,
        had_its_time: bool,
        late: bool,
    ) -> None:
        """Record a failed attempt in the origin's health. ``late``: the breaker has changed its
        state since the attempt began, so the failure may predate a recovery."""
        now = asyncio.get_running_loop().time()
        if not error.down:
            origin.reached = True  # it responds, though not with a playlist
            self._count_up(ticket, origin, is_good=False)
        elif late:
            pass
        elif error.kind is FailureKind.TIMEOUT and not had_its_time and not error.any_path:
            origin.breaker.abandoned()  # the player's deadline ended first
        else:
            self._count_down(ticket, origin, path, error, now)
        if error.pauses_origin and error.wait_s is not None:
            origin.pause(ticket, now + min(error.wait_s, MAX_RETRY_AFTER_S))

    @staticmethod
    def _count_up(ticket: Ticket, origin: Origin, *, is_good: bool) -> None:
        """Record a response. One to an unknown id that is not good shows only that the origin
        responds, which counts while nothing is known of it."""
        if is_good or ticket.known or not origin.has_sent_any:
            origin.breaker.succeeded()
        else:
            origin.breaker.abandoned()

    @staticmethod
    def _count_down(
        ticket: Ticket, origin: Origin, path: str, error: AttemptError, now: float
    ) -> None:
        """Record a failure of the origin, or of a file."""
        if not (ticket.known or error.any_path):
            origin.suspicion.set()
            if origin.has_sent_any:
                origin.breaker.abandoned()
                return
        origin.last_failure = str(error)
        if ticket.known or error.any_path:
            origin.reached = not error.whole
            origin.breaker.failed(now, None if error.whole else path)
        else:  # nothing is known to be good: what many clients ask for decides
            origin.breaker.failed(now, f"client {ticket.client}" if ticket.client else path)


async def _nothing(answer: OriginResponse) -> None:
    """Ignore the response of a probe."""
