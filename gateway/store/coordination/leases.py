"""Which edge has room for a session, as all workers together see it?

Redis keeps the leases of all workers (:mod:`gateway.store.coordination.lease_scripts`) and answers
in one round trip. Each worker mirrors its own leases. While Redis cannot be asked, a worker uses
its mirror and its share of each edge: what it had leased, plus its part of what was free. When
Redis is back, each worker writes the leases that Redis lacks, and keeps to its share for
``SETTLE_S`` more seconds, until all workers have done so: a Redis that starts empty must not fill
the edges twice.
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import monotonic

from gateway.client.session import asset_name
from gateway.edge.capacity import (
    FULL_AT,
    MAX_LEASE_KBPS,
    PLACEMENT_OUTCOMES,
    CandidateEdge,
    EdgeLease,
    Leased,
    LeaseTable,
    Placement,
    share_kbps,
)
from gateway.edge.edge import Edge
from gateway.edge.fleet import Fleet
from gateway.observe import metrics
from gateway.store.connection.keys import LEASE_ENDS, LEASES, session_name
from gateway.store.connection.protocol import (
    Commands,
    RedisReply,
    Store,
    StoreUnavailable,
    Trouble,
)
from gateway.store.coordination.lease_scripts import LEASED, LOADS, PLACE, RESTORE
from gateway.store.garbage import found_garbage

SETTLE_S = 3.0
"""Seconds; longer than any worker takes to notice that Redis is back and to write its leases."""
EXPIRED_PER_READ = 500
MAX_READS = 20
RESTORED_PER_STEP = 100
STEP_PAUSE_S = 0.005
LEASE_ID_BYTES = 16
RENEW_SHARE = 0.25
"""A player that stays renews its lease when this share of its time has passed."""

_KEYS = (LEASES, LEASE_ENDS)
_OUTCOMES = {outcome.encode(): outcome for outcome in PLACEMENT_OUTCOMES}


@dataclass(frozen=True, slots=True)
class Loads:
    """The leased rate of each edge that has a capacity, and its bound, in kbit/s: of all workers
    together, or of this worker when ``alone``."""

    leased: Mapping[str, int]
    bounds: Mapping[str, int]
    alone: bool


class Leases:
    """The leases of this worker, and its access to those of all workers."""

    def __init__(
        self,
        store: Store,
        ttl_s: float,
        workers: Callable[[], int],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """A lease ends after ``ttl_s`` seconds unless it is renewed. ``workers`` gives the number
        of live workers, as far as known; ``clock`` gives monotonic seconds."""
        self._store = store
        self._ttl_s = ttl_s
        self._workers = workers
        self._clock = clock
        self._ledger = LeaseTable(ttl_s)
        self._fleet = Fleet.of(())
        self._candidates: dict[str, tuple[CandidateEdge, bytes]] = {}
        self._capacities: dict[str, int] = {}
        self._shares: dict[str, tuple[int, int]] = {}
        """This worker's share of each edge at the last look, and the edge's capacity then."""
        self._unshared: dict[bytes, None] = {}
        self._generation: bytes | None = None
        self._cut_off = False
        self._alone_until = float("-inf")
        self._look_now = asyncio.Event()

    @property
    def active(self) -> bool:
        """Whether any edge has a capacity; without one nothing is leased."""
        return bool(self._capacities)

    def use(self, fleet: Fleet) -> None:
        """Use this fleet from now on."""
        self._capacities = {
            edge.id: edge.capacity_kbps for edge in fleet.edges if edge.capacity_kbps is not None
        }
        self._fleet, self._candidates = fleet, {}

    async def place(
        self,
        session: str | None,
        asset: str,
        kbps: int,
        preferred: Sequence[Edge],
        held: int | None,
        *,
        take: bool,
        ask: bool = True,
    ) -> Leased:
        """Choose one of the ``preferred`` edges for a session of ``kbps``, and lease it if
        ``take``. Never fails.

        Without a session the lease cannot be renewed: it ends by itself. ``held`` is the position
        of the edge that the session plays ``asset`` from. Redis is asked only if ``ask``. More
        than ``MAX_LEASE_KBPS`` counts as that.
        """
        kbps = min(kbps, MAX_LEASE_KBPS)
        known = [self._candidates.get(edge.id) or self._candidate(edge) for edge in preferred]
        candidates = [candidate for candidate, _ in known]
        lease_id = _lease_id(session)
        name = asset_name(asset)
        now_s = self._clock()
        redis = self._store.redis
        whole = self._store.state == "up" and not self._cut_off and now_s >= self._alone_until
        if ask and redis is not None and whole:
            candidate_words = b" ".join(words for _, words in known)
            placement = await self._ask(
                redis, lease_id, name, kbps, candidate_words, len(known), held, take=take
            )
            if placement is not None:
                if take:
                    chosen = candidates[placement.index].edge
                    self._mirror(
                        lease_id, EdgeLease(chosen, kbps, name, now_s + self._ttl_s), now_s
                    )
                    metrics.PLACEMENTS.labels(placement.outcome).inc()
                return Leased(placement, tuple(one.capacity_kbps for one in candidates), False)
        shares = [
            one if one.capacity_kbps is None else replace(one, capacity_kbps=self._share(one.edge))
            for one in candidates
        ]
        now_s = self._clock()
        placement = self._ledger.place(lease_id, name, kbps, shares, held, now_s, take=take)
        if take:
            metrics.PLACEMENTS.labels(placement.outcome).inc()
            if redis is not None:
                self._unshared[lease_id] = None
        return Leased(placement, tuple(one.capacity_kbps for one in shares), True)

    def room_kbps(self, edge: str) -> int | None:
        """How much this worker may still move to an edge, in kbit/s; None without a capacity.

        It is this worker's part of what was free at the last look, up to the load at which the edge
        counts as full.
        """
        capacity = self._capacities.get(edge)
        if capacity is None:
            return None
        reserve = (1 - FULL_AT) * capacity / max(1, self._workers())
        return round(self._share(edge) - self._ledger.load(edge) - reserve)

    def follow(self, session: str | bytes, asset: str, kbps: int, edge: str) -> None:
        """Move the lease of a session to the edge that it was seen to play from, or renew it there.
        Redis gets it at the next look.

        ``kbps``, up to ``MAX_LEASE_KBPS``, counts where this worker does not know what the lease is
        for. A lease that was written lately is left alone.
        """
        if not self.active:
            return
        kbps = min(kbps, MAX_LEASE_KBPS)
        lease_id, name, now_s = _lease_id(session), asset_name(asset), self._clock()
        known = self._ledger.get(lease_id)
        if known is not None and known.asset == name and known.ends_at > now_s:
            kbps = known.kbps
            left_s = known.ends_at - now_s
            if known.edge == edge and left_s > (1 - RENEW_SHARE) * self._ttl_s:
                return
        self._mirror(lease_id, EdgeLease(edge, kbps, name, now_s + self._ttl_s), now_s)
        if self._store.redis is not None:
            self._unshared[lease_id] = None

    def has(self, session: str | bytes) -> bool:
        """Whether this worker knows a lease of the session that has not ended."""
        known = self._ledger.get(_lease_id(session))
        return known is not None and known.ends_at > self._clock()

    async def look(self) -> Loads:
        """The current loads; for a background task, about once a second. Never fails.

        Removes leases that have ended, and writes leases that Redis lacks.
        """
        now_s = self._clock()
        self._look_now.clear()
        self._clear(now_s)
        redis = self._store.redis
        if redis is not None and self._store.state == "up":
            try:
                leased = await self._look(redis, now_s)
            except StoreUnavailable:
                self._cut_off = True
            else:
                if leased is not None and self._clock() >= self._alone_until:
                    self._shares = {
                        edge: (self._fair_share(edge, capacity, leased.get(edge, 0)), capacity)
                        for edge, capacity in self._capacities.items()
                    }
                    return Loads(leased, dict(self._capacities), alone=False)
        elif redis is not None:
            self._cut_off = True
        own = {edge: self._ledger.load(edge) for edge in self._capacities}
        return Loads(own, {edge: self._share(edge) for edge in self._capacities}, alone=True)

    async def wait(self, seconds: float) -> None:
        """Wait ``seconds`` until the next look, or less if Redis has lost leases."""
        try:
            async with asyncio.timeout(seconds):
                await self._look_now.wait()
        except TimeoutError:
            return

    async def _ask(
        self,
        redis: Commands,
        lease_id: bytes,
        asset: bytes,
        kbps: int,
        candidate_words: bytes,
        count: int,
        held: int | None,
        *,
        take: bool,
    ) -> Placement | None:
        """Redis's placement; None when Redis cannot be asked, has lost the leases, or sends a
        malformed reply."""
        words = (
            lease_id,
            asset.hex().encode(),
            b"%d" % kbps,
            b"%d" % round(self._ttl_s * 1000),
            b"1" if take else b"0",
            b"0" if held is None else b"%d" % (held + 1),
            candidate_words,
            self._generation or b"",
        )
        try:
            reply = await redis.run(PLACE, _KEYS, words)
        except StoreUnavailable:
            metrics.LEASE_ERRORS.inc()
            return None
        match reply:
            case [bytes(), 0, b"", []]:
                self._look_now.set()
                return None
            case [bytes(), int(index), bytes(outcome), [*loads]] if (
                outcome in _OUTCOMES and 0 < index <= count == len(loads)
            ):
                return Placement(index - 1, _OUTCOMES[outcome], tuple(map(_number, loads)))
            case _:
                found_garbage("leases", "an unexpected reply")
                return None

    async def _look(self, redis: Commands, now_s: float) -> dict[str, int] | None:
        """The loads of all workers, after Redis has all our leases. Raises StoreUnavailable."""
        edges = list(self._capacities)
        bounds = (b"%d" % round(self._ttl_s * 1000), b"%d" % EXPIRED_PER_READ)
        words = (*bounds, *(edge.encode() for edge in edges))
        reply = await redis.run(LOADS, _KEYS, words)
        for _ in range(MAX_READS):
            match reply:
                case [_, int(ended), _] if ended >= EXPIRED_PER_READ:
                    reply = await redis.run(LOADS, _KEYS, words)
                case _:
                    break
        match reply:
            case [bytes(generation), int(), [*found]] if len(found) == len(edges):
                loads = dict(zip(edges, map(_number, found), strict=True))
            case _:
                found_garbage("leases", "an unexpected reply")
                return None
        lost = self._generation is not None and generation != self._generation
        if lost:
            self._unshared = dict.fromkeys(self._ledger.ids())
        if lost or self._cut_off:
            self._alone_until = now_s + SETTLE_S
        self._generation, self._cut_off = generation, False
        await self._share_leases(redis)
        return loads

    async def _share_leases(self, redis: Commands) -> None:
        """Write the leases that Redis lacks, in steps that are too short to block Redis. Raises
        StoreUnavailable; what Redis may not have got is then written at the next look.

        A lease that moves while its older form is being written stands in line again.
        """
        while self._unshared:
            step = list(self._unshared)[:RESTORED_PER_STEP]
            now_s = self._clock()
            words = [b"%d" % round(self._ttl_s * 1000)]
            for lease_id in step:
                del self._unshared[lease_id]
                lease = self._ledger.get(lease_id)
                if lease is not None and lease.ends_at > now_s:
                    left_ms = b"%d" % ((lease.ends_at - now_s) * 1000)
                    asset, edge = lease.asset.hex().encode(), lease.edge.encode()
                    words += (lease_id, asset, b"%d" % lease.kbps, edge, left_ms)
            try:
                await redis.run(RESTORE, _KEYS, words)
            except StoreUnavailable:
                self._unshared |= dict.fromkeys(step)
                raise
            await asyncio.sleep(STEP_PAUSE_S)

    def _mirror(self, lease_id: bytes, lease: EdgeLease, now_s: float) -> None:
        self._ledger.expire(now_s)
        self._ledger.put(lease_id, lease)

    def _clear(self, now_s: float) -> None:
        for _ in range(MAX_READS):
            if self._ledger.expire(now_s, EXPIRED_PER_READ) < EXPIRED_PER_READ:
                break
        self._unshared = {one: None for one in self._unshared if self._ledger.get(one) is not None}

    def _share(self, edge: str) -> int:
        """How much of an edge this worker may lease by itself, in kbit/s."""
        share, of = self._shares.get(edge, (0, 0))
        capacity = self._capacities.get(edge, of)
        if not of:
            return capacity // max(1, self._workers())
        return share * capacity // of  # all shares together stay within a capacity that has changed

    def _candidate(self, edge: Edge) -> tuple[CandidateEdge, bytes]:
        """The edge as a candidate, computed once for each fleet."""
        at = self._fleet.positions.get(edge.id)
        if at is None:  # the edge was removed after the ranking
            return _known(edge, takes=True)
        found = _known(self._fleet.edges[at], takes=self._fleet.open(at))
        self._candidates[edge.id] = found
        return found

    def _fair_share(self, edge: str, capacity: int, leased: int) -> int:
        return share_kbps(capacity, leased, self._ledger.load(edge), max(1, self._workers()))


async def loads_of(commands: Commands, edges: Sequence[Edge]) -> Loads:
    """What all workers have leased on those of ``edges`` that have a capacity. Writes nothing.
    Raises StoreUnavailable."""
    bounds = {edge.id: edge.capacity_kbps for edge in edges if edge.capacity_kbps is not None}
    if not bounds:
        return Loads({}, bounds, alone=False)
    reply = await commands.run(LEASED, _KEYS, [edge.encode() for edge in bounds])
    if not isinstance(reply, list) or len(reply) != len(bounds):
        raise StoreUnavailable(Trouble.REJECTED, f"unexpected reply: {reply!r}")
    return Loads(dict(zip(bounds, map(_number, reply), strict=True)), bounds, alone=False)


def _lease_id(session: str | bytes | None) -> bytes:
    """16 bytes: a hash of the session (its id or its ``session_name``), or random ones without a
    session."""
    if session is None:
        return secrets.token_bytes(LEASE_ID_BYTES)
    name = session_name(session) if isinstance(session, str) else session
    return name[:LEASE_ID_BYTES]


def _known(edge: Edge, *, takes: bool) -> tuple[CandidateEdge, bytes]:
    """An edge as a candidate, and as an argument of the script."""
    capacity = "-" if edge.capacity_kbps is None else edge.capacity_kbps
    words = f"{edge.id} {capacity} {takes:d}".encode()
    return CandidateEdge(edge.id, edge.capacity_kbps, takes), words


def _number(reply: RedisReply) -> int:
    return reply if isinstance(reply, int) else 0
