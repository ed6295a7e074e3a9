"""Which edges does DNS name now? Each name is resolved again when its records expire.

When a server times out or fails, the last good answer stays in use and the name is resolved again
soon. Random jitter spreads the queries of many workers and gateways.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from random import SystemRandom
from typing import TYPE_CHECKING

import structlog

from gateway.background.fleet import FleetKeeper
from gateway.config.discovery_settings import DnsSettings
from gateway.config.validators import parse_resolver
from gateway.edge.resolved import DnsQuestion, EdgeTemplate, KnownRecords, after_answer, edges_of
from gateway.observe import metrics
from gateway.observe.tasks import supervise

if TYPE_CHECKING:
    from gateway.background.dns_lookup import DnsOutcome, Resolution

FIRST_BACKOFF_S = 1.0
MAX_BACKOFF_S = 30.0
JITTER = 0.1

log = structlog.get_logger()
_random = SystemRandom()


class DnsEdges:
    """Resolves the names of ``templates`` and reports their edges to the keeper."""

    def __init__(
        self, keeper: FleetKeeper, templates: Sequence[EdgeTemplate], settings: DnsSettings
    ) -> None:
        self._keeper = keeper
        self._templates = tuple(templates)
        self._settings = settings
        self._known: dict[DnsQuestion, KnownRecords] = {}
        self._asking: dict[DnsQuestion, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        self._answered = asyncio.Event()
        self._report()

    def use(self, templates: Sequence[EdgeTemplate], settings: DnsSettings) -> None:
        """Use another config. Known answers stay."""
        if settings != self._settings:
            for task in self._asking.values():
                task.cancel()
            self._asking.clear()
        self._templates, self._settings = tuple(templates), settings
        self._report()
        self._changed.set()

    async def run(self) -> None:
        """Resolve until cancelled."""
        try:
            while True:
                self._changed.clear()
                self._start_and_stop()
                await self._changed.wait()
        finally:
            asking = list(self._asking.values())
            self._asking.clear()
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)

    async def first_answers(self, limit_s: float) -> None:
        """Wait until every name was queried once, but no longer than ``limit_s``."""
        try:
            async with asyncio.timeout(limit_s):
                while any(question not in self._known for question in self._questions()):
                    self._answered.clear()
                    await self._answered.wait()
        except TimeoutError:
            waiting = [q.name for q in self._questions() if q not in self._known]
            log.warning("dns_not_resolved_yet", names=waiting)

    def unresolved(self) -> list[EdgeTemplate]:
        """The templates whose names got no answer yet: the table itself is an edge until then."""
        return [each for each in self._templates if self._known_of(each).records is None]

    def _known_of(self, template: EdgeTemplate) -> KnownRecords:
        return self._known.get(template.question, KnownRecords())

    def _questions(self) -> set[DnsQuestion]:
        return {template.question for template in self._templates}

    def _start_and_stop(self) -> None:
        wanted = self._questions()
        for question in set(self._asking) - wanted:
            self._asking.pop(question).cancel()
            self._known.pop(question, None)
        for question in wanted - set(self._asking):
            self._asking[question] = supervise("dns_lookup", partial(self._follow, question))

    async def _follow(self, question: DnsQuestion) -> None:
        failures = 0
        logged: DnsOutcome | None = None
        while True:
            found, outcome, detail = await self._ask(question)
            if outcome != logged:
                _log_outcome(question, outcome, detail, previous=logged)
                logged = outcome
            self._update(question, found)
            failures = 0 if outcome == "ok" else failures + 1
            await asyncio.sleep(self._pause_s(found, failures))

    async def _ask(self, question: DnsQuestion) -> "tuple[Resolution | None, DnsOutcome, str]":
        """Query once; no resolution when the query failed."""
        # Takes 0.1 s to import, which only gateways with edges in DNS should pay.
        from gateway.background.dns_lookup import ResolutionError, look_up  # noqa: PLC0415

        resolvers = [parse_resolver(text) for text in self._settings.resolvers]
        found: Resolution | None = None
        outcome: DnsOutcome
        detail = ""
        try:
            found = await look_up(question, resolvers, self._settings.timeout_ms / 1000)
            outcome = "ok" if found.records else "empty"
            metrics.DNS_UNUSABLE.inc(found.unusable)
        except ResolutionError as error:
            outcome, detail = error.outcome, str(error)
            metrics.DNS_UNUSABLE.inc(error.unusable)
        metrics.DNS_REFRESHES.labels(outcome).inc()
        return found, outcome, detail

    def _update(self, question: DnsQuestion, found: "Resolution | None") -> None:
        known = self._known.get(question, KnownRecords())
        if found is not None:
            now_s = asyncio.get_running_loop().time()
            known = after_answer(known, found.records, now_s, self._settings.keep_empty_s)
        self._known[question] = known
        self._answered.set()
        self._report()

    def _pause_s(self, found: "Resolution | None", failures: int) -> float:
        """Seconds until the records expire; after failures, a growing pause."""
        least_s, most_s = self._settings.min_refresh_s, self._settings.max_refresh_s
        if failures and found is not None:
            pause_s = float(least_s)
        elif failures:
            pause_s = min(FIRST_BACKOFF_S * 2 ** min(failures - 1, 10), MAX_BACKOFF_S, most_s)
        else:
            pause_s = min(max(found.ttl_s if found is not None else 0.0, least_s), most_s)
        return pause_s * _random.uniform(1.0, 1.0 + JITTER)

    def _report(self) -> None:
        edges = [
            edge
            for template in self._templates
            for edge in edges_of(template, self._known_of(template))
        ]
        self._keeper.found("dns", edges)


def _log_outcome(
    question: DnsQuestion, outcome: "DnsOutcome", detail: str, previous: "DnsOutcome | None"
) -> None:
    """Log a failure that is new, and its end."""
    if outcome != "ok":
        log.warning(
            "dns_failed",
            name=question.name,
            type=question.type,
            outcome=outcome,
            detail=detail[:200],
        )
    elif previous is not None:
        log.info("dns_recovered", name=question.name, type=question.type)
