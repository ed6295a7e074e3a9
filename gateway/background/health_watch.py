"""Which edges can serve? One elected worker probes them, and all workers use its findings.

The holder of a lease in Redis probes and shares its findings; the others read them about twice a
second, and at once when a message announces news. Of an edge that the holder does not have, as its
config or its DNS servers differ, it shares nothing: who has it probes it. While Redis cannot be
reached, every worker probes by itself, starting from the findings that were last shared; afterwards
one is elected again.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Mapping
from random import SystemRandom
from typing import Literal

import structlog

from gateway.background.fleet import FleetKeeper
from gateway.background.probe import SeenPlaylist, load_client, target_of
from gateway.background.probe_scheduler import ProbeScheduler, WatchedEdge, rules_of
from gateway.clock import Clock
from gateway.config.health_settings import HealthSettings
from gateway.edge.edge import Edge
from gateway.edge.fleet import UP, Fleet
from gateway.edge.health import NEVER_PROBED, condition, is_default
from gateway.edge.live import LivePosition
from gateway.observe import metrics
from gateway.offload import offload_if_large
from gateway.store.connection.protocol import Store, StoreUnavailable
from gateway.store.coordination.bus import Bus
from gateway.store.coordination.health_board import (
    DEADLINE_S,
    Finding,
    HealthBoard,
    decode_findings,
    encode_findings,
)

LOOK_S = 0.5
"""Seconds between reads of the lease and the findings, before jitter."""
REPEAT_S = 10.0
"""Seconds after which unchanged findings are written again, as they expire."""
REST_S = 0.02
"""The shortest pause between two reads, in seconds."""
RESTS = 5
"""The pause is at least this many times as long as the last read took."""

ENTRY_BYTES = 150
"""About the size of one shared finding."""

ProbeRole = Literal["idle", "prober", "follower", "alone"]
"""``alone``: the worker probes for itself, because Redis cannot be reached."""

log = structlog.get_logger()
_random = SystemRandom()


class HealthWatch:
    """Reports the health of edges to the keeper. ``role`` is this worker's current part."""

    def __init__(
        self,
        store: Store,
        keeper: FleetKeeper,
        settings: HealthSettings,
        bus: Bus | None,
        clock: Clock | None = None,
    ) -> None:
        """``bus`` announces news; without one it is found by polling. ``clock`` judges ages."""
        commands = store.redis
        self._board = HealthBoard(commands, secrets.token_hex(8)) if commands is not None else None
        self._bus = bus
        self._keeper = keeper
        self._settings = settings
        self._clock = clock or Clock()
        self._edges: dict[str, WatchedEdge] = {}
        self.role: ProbeRole = "idle"
        self._news = asyncio.Event()
        self._scheduler = ProbeScheduler(settings, self._news.set, self._clock)
        self._own: dict[str, WatchedEdge] = {}
        """The edges that a follower probes by itself, since the prober does not."""
        self._covers: frozenset[int] = frozenset()
        self._covers_at = 0.0
        self._read: bytes | None = None
        self._written = b""
        self._written_at = 0.0
        self._reported: Mapping[str, str] = {}
        self._announced: Mapping[str, str] = {}
        self._watched_edges: tuple[Edge, ...] = ()
        self._follow_fleet(keeper.fleet)
        keeper.on_change(self._follow_fleet)

    def configure(self, settings: HealthSettings) -> None:
        """Use another config."""
        self._settings = self._scheduler.settings = settings
        self._watched_edges = ()
        self._follow_fleet(self._keeper.fleet)
        self._news.set()

    async def first_look(self) -> None:
        """Load the findings of other workers before the first player asks."""
        if self._board is not None and self._edges:
            try:
                _, states = await self._board.campaign(stand=False)
            except StoreUnavailable:
                return  # ``run`` will handle it
            await self._adopt(states)
            self._judge()

    async def run(self) -> None:
        """Probe or follow until cancelled, then release the lease."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen())
                while True:
                    started = loop.time()
                    await self._round()
                    look_s = LOOK_S * _random.uniform(0.8, 1.2)
                    # Thousands of edges that fail one by one must not starve this worker's players.
                    rest_s = min(max(REST_S, RESTS * (loop.time() - started)), look_s)
                    await asyncio.sleep(rest_s)
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(look_s - rest_s):
                            await self._news.wait()
                    self._news.clear()
        finally:
            await self._scheduler.stop()
            await self._release()

    async def _round(self) -> None:
        """One round: elect, probe or follow, report, share."""
        await self._take_role(await self._elect())
        self._judge()
        if self.role == "prober":
            await self._share()

    async def _elect(self) -> ProbeRole:
        """Take part in the election; returns this worker's role."""
        if not self._edges:
            await self._release()
            self._own = {}
            return "idle"
        if self._board is None:
            return "alone"
        try:
            held, states = await self._board.campaign(stand=True)
            if not held:
                self._take_uncovered(await self._board.covered())
        except StoreUnavailable:
            return "alone"
        if not held:
            await self._adopt(states)
            return "follower"
        if self.role in {"idle", "follower"}:
            await self._adopt(states)
        self._own = {}
        return "prober"

    def _take_uncovered(self, covered: frozenset[int] | None) -> None:
        """Probe here what the prober does not; nothing where it does not say what it probes."""
        own = {
            edge_id: watched
            for edge_id, watched in self._edges.items()
            if covered is not None and watched.target.mark not in covered
        }
        if own.keys() != self._own.keys():
            self._read = None  # the last findings may cover an edge that was probed here
        self._own = own

    async def _take_role(self, role: ProbeRole) -> None:
        probed = self._edges if role in {"prober", "alone"} else self._own
        if probed:
            if not self._scheduler.running:
                await load_client()
            self._scheduler.start(probed)
        elif self._scheduler.running:
            await self._scheduler.stop()
        if role == self.role:
            return
        self.role = role
        self._read = None  # own probes may have replaced the last findings
        self._written, self._covers = b"", frozenset()  # a new prober first shares what it knows
        metrics.IS_PROBER.set(role in {"prober", "alone"})
        log.info("health_role", role=role, edges=len(self._edges))

    def _follow_fleet(self, fleet: Fleet) -> None:
        """Watch the edges of this fleet; the health of edges that stay is kept."""
        if fleet.edges == self._watched_edges:
            return
        self._watched_edges = fleet.edges
        found: dict[str, WatchedEdge] = {}
        for edge in fleet.edges:
            target = target_of(edge, self._settings.path)
            if target is None:
                continue
            known = self._edges.get(edge.id)
            if known is not None and known.target.mark == target.mark:
                known.target = target  # perhaps with another key
                found[edge.id] = known
            else:
                found[edge.id] = WatchedEdge(target)
        if found.keys() != self._edges.keys() or any(
            self._edges[edge_id] is not watched for edge_id, watched in found.items()
        ):
            self._edges = found
            metrics.EDGES_TO_PROBE.set(len(found))
            self._read = None  # the last findings may cover an edge that is new here
            self._news.set()

    async def _adopt(self, states: bytes | None) -> None:
        """Use the prober's findings; None keeps what is known here. So does an entry that cannot be
        read, for its edge."""
        if states is None or states == self._read:
            return
        found = await offload_if_large(len(states), decode_findings, states, self._clock)
        self._read = states
        faults = 1 if found is None else found.faults
        if faults:
            metrics.STORE_GARBAGE.inc(faults)
            log.warning("health_findings_unreadable", entries="all" if found is None else faults)
        if found is None:
            return
        for edge_id, watched in self._edges.items():
            finding = found.by_edge.get(edge_id)
            if edge_id in self._own:
                continue
            if finding is None and edge_id in found.unreadable:
                continue
            if finding is None or finding.target != watched.target.mark:
                watched.health, watched.seen = NEVER_PROBED, None
            else:
                watched.health, watched.seen = finding.health, finding.head

    def _judge(self) -> None:
        """Report conditions to the keeper, and set the metrics."""
        rules, now_s = rules_of(self._settings), self._clock.now()
        ahead_s = self._clock.unix_ahead_s()
        conditions = {
            edge_id: condition(watched.health, rules, now_s, ahead_s)
            for edge_id, watched in self._edges.items()
        }
        states = {edge_id: one.state for edge_id, one in conditions.items()}
        if states != self._reported:
            for edge_id in self._reported.keys() | states.keys():
                value = _STATE_VALUES[states.get(edge_id, "up")]
                metrics.EDGE_STATE.labels(edge_id).set(value)
            self._reported = states
        self._keeper.judged("health", {name: one for name, one in conditions.items() if one != UP})

    async def _share(self) -> None:
        """Share the findings when they have changed or are about to expire, and announce news."""
        if self._board is None:
            return
        now = asyncio.get_running_loop().time()
        covers = frozenset(watched.target.mark for watched in self._edges.values())
        if covers != self._covers or now - self._covers_at >= REPEAT_S:
            try:
                await self._board.cover(covers)
            except StoreUnavailable:
                return  # the next round tries again
            self._covers, self._covers_at = covers, now
        findings = self._findings()
        size = ENTRY_BYTES * len(findings)
        value = await offload_if_large(size, encode_findings, findings, self._clock)
        now = asyncio.get_running_loop().time()
        if value == self._written and now - self._written_at < REPEAT_S:
            return
        try:
            accepted = await self._board.publish(value)
        except StoreUnavailable:
            return  # the next round tries again
        if not accepted:
            return
        self._written, self._written_at, self._read = value, now, value
        if self._reported != self._announced and self._bus is not None:
            self._announced = self._reported
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DEADLINE_S):
                    await self._bus.publish("edges", b"health")

    def _findings(self) -> Mapping[str, Finding]:
        rules, now_s = rules_of(self._settings), self._clock.now()
        return {
            edge_id: Finding(watched.target.mark, watched.health, _head(watched.seen))
            for edge_id, watched in self._edges.items()
            if not is_default(watched.health, rules, now_s)
        }

    async def _listen(self) -> None:
        """Look at once when a message says that edges changed."""
        if self._bus is None:
            return
        subscription = self._bus.subscribe("edges")
        try:
            async for _ in subscription:
                self._news.set()
        finally:
            subscription.close()

    async def _release(self) -> None:
        if self._board is None or self.role != "prober":
            return
        try:
            await self._board.release()
        except StoreUnavailable:
            return  # the lease expires by itself


_STATE_VALUES: Mapping[str, float] = {"up": 1.0, "degraded": 0.5, "down": 0.0}


def _head(seen: SeenPlaylist | LivePosition | None) -> LivePosition | None:
    return seen.head if isinstance(seen, SeenPlaylist) else seen
