"""When is which edge probed? Each edge has a task of its own, so that a slow one delays no other.

Start times are spread, intervals are jittered, and probes per second and in parallel are bounded:
with many edges the interval grows. When a probe fails or does not respond soon, further probes
start beside it, up to ``fall`` of them: an edge that hangs is detected in little more than one
timeout, however long that is for distant edges.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from random import SystemRandom

from gateway.background.probe import ProbeLimits, Prober, ProbeResult, ProbeTarget, SeenPlaylist
from gateway.clock import Clock
from gateway.config.health_settings import HealthSettings
from gateway.edge.health import NEVER_PROBED, HealthRecord, HealthThresholds, after_probe
from gateway.edge.live import LivePosition
from gateway.observe import metrics
from gateway.observe.tasks import supervise

MAX_PER_S = 400
CONCURRENCY = 256
RECHECK_S = 0.25
JITTER = 0.1
KEPT_CONNECTIONS = 256
"""With more edges than this, probes close their connections."""

_random = SystemRandom()


@dataclass(slots=True)
class WatchedEdge:
    """An edge that is probed, and its health. ``seen`` is its last playlist, or only the live head
    that another worker read."""

    target: ProbeTarget
    health: HealthRecord = NEVER_PROBED
    seen: SeenPlaylist | LivePosition | None = None


def rules_of(settings: HealthSettings) -> HealthThresholds:
    """The thresholds of a config."""
    return HealthThresholds(
        fall=settings.fall,
        rise=settings.rise,
        slow_s=settings.slow_ms / 1000,
        slow_start_s=settings.slow_start_s,
    )


class ProbeScheduler:
    """Probes edges from :meth:`start` to :meth:`stop`, and updates their health."""

    def __init__(self, settings: HealthSettings, changed: Callable[[], None], clock: Clock) -> None:
        """``changed`` is called when an edge enters another state."""
        self.settings = settings
        self._clock = clock
        self._changed = changed
        self._prober: Prober | None = None
        self._limit = asyncio.Semaphore(CONCURRENCY)
        self._tasks: dict[str, tuple[WatchedEdge, asyncio.Task[None]]] = {}

    @property
    def running(self) -> bool:
        """Whether probes are running."""
        return self._prober is not None

    def start(self, edges: Mapping[str, WatchedEdge]) -> None:
        """Probe exactly these edges; probes of edges that stay are not disturbed."""
        if self._prober is None:
            self._prober = Prober(CONCURRENCY)
        for edge_id, (watched, task) in list(self._tasks.items()):
            if edges.get(edge_id) is not watched:
                task.cancel()
                del self._tasks[edge_id]
        for edge_id, watched in edges.items():
            if edge_id not in self._tasks:
                watch = partial(self._watch, edge_id, watched, self._prober)
                self._tasks[edge_id] = watched, supervise("probe", watch)

    async def stop(self) -> None:
        """Stop all probes."""
        tasks = [task for _, task in self._tasks.values()]
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        prober, self._prober = self._prober, None
        if prober is not None:
            await prober.close()

    async def _watch(self, edge_id: str, watched: WatchedEdge, prober: Prober) -> None:
        await asyncio.sleep(_random.uniform(0, self._interval_s()))
        while True:
            await self._ask(edge_id, watched, prober)
            await asyncio.sleep(self._interval_s() * _random.uniform(1 - JITTER, 1 + JITTER))

    def _interval_s(self) -> float:
        return max(self.settings.interval_ms / 1000, len(self._tasks) / MAX_PER_S)

    async def _ask(self, edge_id: str, watched: WatchedEdge, prober: Prober) -> None:
        """Probe; while there is no good response, start further probes until the edge counts as
        down."""
        loop = asyncio.get_running_loop()
        attempts = 1 if watched.health.state == "down" else self.settings.fall
        async with asyncio.TaskGroup() as probes:
            for attempt in range(attempts):
                started = loop.time()
                probe = probes.create_task(self._probe(edge_id, watched, prober))
                if attempt == attempts - 1:
                    return
                await asyncio.wait({probe}, timeout=RECHECK_S)
                if probe.done() and not probe.result().outcome.failure:
                    return
                await asyncio.sleep(max(0.0, started + RECHECK_S - loop.time()))

    async def _probe(self, edge_id: str, watched: WatchedEdge, prober: Prober) -> ProbeResult:
        settings = self.settings
        bounds = ProbeLimits(
            settings.timeout_ms / 1000,
            settings.live_stale_factor,
            keep=len(self._tasks) <= KEPT_CONNECTIONS,
        )
        async with self._limit:
            target = watched.target.at(self._clock.unix())
            found = await prober.probe(target, watched.seen, bounds, self._clock.now())
        metrics.PROBES.labels(edge_id, found.kind).inc()
        metrics.PROBE_SECONDS.labels(edge_id).observe(found.outcome.latency_s)
        before = watched.health
        watched.health = after_probe(before, found.outcome, rules_of(settings), self._clock.now())
        watched.seen = found.seen or watched.seen
        if watched.health.state != before.state:
            metrics.EDGE_CHANGES.labels(edge_id, watched.health.state).inc()
            self._changed()
        return found
