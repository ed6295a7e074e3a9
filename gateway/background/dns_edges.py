"""Which edges does DNS know of now? Every name is asked for again when its records have expired.

A server that does not answer, or cannot tell, changes nothing: the last good answer stays, and is
asked for again soon. The questions of many workers and gateways are spread by chance.
"""

import asyncio
from collections.abc import Sequence
from random import SystemRandom
from typing import TYPE_CHECKING

import structlog

from gateway.background.fleet import FleetKeeper
from gateway.config.discovery_settings import DnsSettings
from gateway.config.validators import parse_resolver
from gateway.edge.resolved import DnsQuestion, EdgeTemplate, KnownRecords, after_answer, edges_of
from gateway.observe import metrics

if TYPE_CHECKING:
    from gateway.background.names import Found, Outcome

FIRST_BACKOFF_S = 1.0
MAX_BACKOFF_S = 30.0
JITTER = 0.1

log = structlog.get_logger()
_random = SystemRandom()


class DnsEdges:
    """Finds the edges of ``templates``, and tells the keeper."""

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
        self._tell()

    def use(self, templates: Sequence[EdgeTemplate], settings: DnsSettings) -> None:
        """Another config is in force. What is known of names stays."""
        if settings != self._settings:
            for task in self._asking.values():
                task.cancel()
            self._asking.clear()
        self._templates, self._settings = tuple(templates), settings
        self._tell()
        self._changed.set()

    async def run(self) -> None:
        """Ask until cancelled."""
        try:
            while True:
                self._changed.clear()
                self._start_and_stop()
                await self._changed.wait()
        finally:
            asking = list(self._asking.values())
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)

    async def first_answers(self, limit_s: float) -> None:
        """Wait until every name was asked for once, but no longer than ``limit_s``."""
        try:
            async with asyncio.timeout(limit_s):
                while any(question not in self._known for question in self._questions()):
                    self._answered.clear()
                    await self._answered.wait()
        except TimeoutError:
            waiting = [q.name for q in self._questions() if q not in self._known]
            log.warning("dns_is_late", names=waiting)

    def _questions(self) -> set[DnsQuestion]:
        return {template.question for template in self._templates}

    def _start_and_stop(self) -> None:
        wanted = self._questions()
        for question in set(self._asking) - wanted:
            self._asking.pop(question).cancel()
            self._known.pop(question, None)
        for question in wanted - set(self._asking):
            self._asking[question] = asyncio.create_task(self._follow(question))

    async def _follow(self, question: DnsQuestion) -> None:
        failures = 0
        told: Outcome | None = None
        while True:
            found, outcome, detail = await self._ask(question)
            if outcome != told:
                _tell_outcome(question, outcome, detail, had=told)
                told = outcome
            self._hear(question, found)
            failures = 0 if outcome == "ok" else failures + 1
            await asyncio.sleep(self._pause_s(found, failures))

    async def _ask(self, question: DnsQuestion) -> "tuple[Found | None, Outcome, str]":
        """None with the outcome's details when nothing was learnt."""
        # A tenth of a second to import, for the few who have edges in DNS.
        from gateway.background.names import NotAnsweredError, look_up  # noqa: PLC0415

        resolvers = [parse_resolver(text) for text in self._settings.resolvers]
        found: Found | None = None
        outcome: Outcome
        detail = ""
        try:
            found = await look_up(question, resolvers, self._settings.timeout_ms / 1000)
            outcome = "ok" if found.records else "empty"
            metrics.DNS_UNUSABLE.inc(found.unusable)
        except NotAnsweredError as error:
            outcome, detail = error.outcome, str(error)
        metrics.DNS_REFRESHES.labels(outcome).inc()
        return found, outcome, detail

    def _hear(self, question: DnsQuestion, found: "Found | None") -> None:
        known = self._known.get(question, KnownRecords())
        if found is not None:
            now_s = asyncio.get_running_loop().time()
            known = after_answer(known, found.records, now_s, self._settings.keep_empty_s)
        self._known[question] = known
        self._answered.set()
        self._tell()

    def _pause_s(self, found: "Found | None", failures: int) -> float:
        """Until the records expire; after a failure, longer each time."""
        least_s, most_s = self._settings.min_refresh_s, self._settings.max_refresh_s
        if failures and found is not None:
            pause_s = float(least_s)
        elif failures:
            pause_s = min(FIRST_BACKOFF_S * 2 ** min(failures - 1, 10), MAX_BACKOFF_S, most_s)
        else:
            pause_s = min(max(found.ttl_s if found is not None else 0.0, least_s), most_s)
        return pause_s * _random.uniform(1.0, 1.0 + JITTER)

    def _tell(self) -> None:
        edges = [
            edge
            for template in self._templates
            for edge in edges_of(template, self._known.get(template.question, KnownRecords()))
        ]
        self._keeper.found("dns", edges)


def _tell_outcome(
    question: DnsQuestion, outcome: "Outcome", detail: str, had: "Outcome | None"
) -> None:
    """Log a change for the worse, and the end of it."""
    if outcome != "ok":
        log.warning(
            "dns_failed",
            name=question.name,
            type=question.type,
            outcome=outcome,
            detail=detail[:200],
        )
    elif had is not None:
        log.info("dns_answers_again", name=question.name, type=question.type)
