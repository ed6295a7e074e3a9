"""Where is room for a session, as all workers together see it?

Redis keeps the leases of everybody (:mod:`gateway.store.coordination.lease_scripts`) and answers in
one round trip. Each worker mirrors its own leases. While Redis cannot be asked, a worker goes by
its mirror and keeps to its share of each edge: what it had leased, and its part of what was free.
When Redis is back, each worker brings it the leases that it does not know, and goes on by its share
for ``SETTLE_S`` seconds, until all have: a Redis that starts empty does not fill the edges twice.
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from time import monotonic

from gateway.client.session import asset_name
from gateway.edge.capacity import (
    OUTCOMES,
    Candidate,
    Lease,
    Leased,
    Ledger,
    Placement,
    share_kbps,
)
from gateway.edge.edge import Edge
from gateway.edge.fleet import Fleet
from gateway.observe import metrics
from gateway.store.connection.keys import LEASE_ENDS, LEASES
from gateway.store.connection.protocol import Commands, Reply, Store, StoreUnavailable
from gateway.store.coordination.lease_scripts import LOADS, PLACE, RESTORE

SETTLE_S = 3.0
"""Longer than any worker takes to notice that Redis is back and to bring its leases."""
EXPIRED_PER_LOOK = 500
LOOKS_IN_A_ROW = 20
RESTORED_PER_STEP = 100
STEP_PAUSE_S = 0.005

_KEYS = (LEASES, LEASE_ENDS)
_OUTCOMES = {outcome.encode(): outcome for outcome in OUTCOMES}


@dataclass(frozen=True, slots=True)
class Loads:
    """What is leased on each edge that has a capacity, and how much may be, in kbit/s: by
    everybody, or by this worker when ``alone``."""

    leased: Mapping[str, int]
    bounds: Mapping[str, int]
    alone: bool


class Leases:
    """The leases of this worker, and its way to everybody's."""

    def __init__(
        self,
        store: Store,
        ttl_s: float,
        workers: Callable[[], int],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """A lease ends after ``ttl_s`` seconds unless it is renewed. ``workers`` is how many there
        are, as far as is known; ``clock`` gives seconds that never go back."""
        self._store = store
        self._ttl_s = ttl_s
        self._workers = workers
        self._clock = clock
        self._ledger = Ledger(ttl_s)
        self._fleet = Fleet.of(())
        self._candidates: dict[str, tuple[Candidate, bytes]] = {}
        self._capacities: dict[str, int] = {}
        self._shares: dict[str, int] = {}
        self._unshared: dict[bytes, None] = {}
        self._books: bytes | None = None
        self._cut_off = False
        self._alone_until = float("-inf")
        self._hurry = asyncio.Event()

    @property
    def active(self) -> bool:
        """Whether any edge has a capacity; else there is nothing to lease."""
        return bool(self._capacities)

    def use(self, fleet: Fleet) -> None:
        """Go by this fleet from now on."""
        self._capacities = {
            edge.id: edge.capacity_kbps for edge in fleet.edges if edge.capacity_kbps is not None
        }
        self._fleet, self._candidates = fleet, {}

    async def place(
        self,
        session: str | None,
        asset: str,
        kbps: int,
        line: Sequence[Edge],
        held: int | None,
        *,
        take: bool,
        ask: bool = True,
    ) -> Leased:
        """Choose an edge of ``line`` for a session of ``kbps``, and lease it if ``take``. Never
        fails.

        Without a session the lease cannot be renewed: it ends by itself. ``held`` is the edge (its
        position) that the session plays ``asset`` from. Unless ``ask``, Redis is not asked.
        """
        known = [self._candidates.get(edge.id) or self._candidate(edge) for edge in line]
        candidates = [candidate for candidate, _ in known]
        lease_id = _lease_id(session)
        name = asset_name(asset)
        now_s = self._clock()
        redis = self._store.redis
        whole = self._store.state == "up" and not self._cut_off and now_s >= self._alone_until
        if ask and redis is not None and whole:
            told = b" ".join(words for _, words in known)
            placement = await self._ask(
                redis, lease_id, name, kbps, told, len(known), held, take=take
            )
            if placement is not None:
                if take:
                    chosen = candidates[placement.index].edge
                    self._mirror(lease_id, Lease(chosen, kbps, name, now_s + self._ttl_s), now_s)
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

    async def look(self) -> Loads:
        """What is leased now; for a background task, about once a second. Never fails.

        Clears away what has ended, and brings Redis the leases that it does not know.
        """
        now_s = self._clock()
        self._hurry.clear()
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
                        edge: self._fair_share(edge, capacity, leased.get(edge, 0))
                        for edge, capacity in self._capacities.items()
                    }
                    return Loads(leased, dict(self._capacities), alone=False)
        elif redis is not None:
            self._cut_off = True
        own = {edge: self._ledger.load(edge) for edge in self._capacities}
        return Loads(own, {edge: self._share(edge) for edge in self._capacities}, alone=True)

    async def wait(self, seconds: float) -> None:
        """Wait until it is time for another look: ``seconds``, or less if Redis has lost leases."""
        try:
            await asyncio.wait_for(self._hurry.wait(), seconds)
        except TimeoutError:
            return

    async def _ask(
        self,
        redis: Commands,
        lease_id: bytes,
        asset: bytes,
        kbps: int,
        told: bytes,
        count: int,
        held: int | None,
        *,
        take: bool,
    ) -> Placement | None:
        """What Redis says; None when it cannot be asked, has lost what everybody had leased, or
        answers what makes no sense."""
        words = (
            lease_id,
            asset.hex().encode(),
            b"%d" % kbps,
            b"%d" % round(self._ttl_s * 1000),
            b"1" if take else b"0",
            b"0" if held is None else b"%d" % (held + 1),
            told,
            self._books or b"",
        )
        try:
            reply = await redis.run(PLACE, _KEYS, words)
        except StoreUnavailable:
            metrics.LEASE_ERRORS.inc()
            return None
        match reply:
            case [bytes(), 0, b"", []]:
                self._hurry.set()
                return None
            case [bytes(), int(index), bytes(outcome), [*loads]] if (
                outcome in _OUTCOMES and 0 < index <= count == len(loads)
            ):
                return Placement(index - 1, _OUTCOMES[outcome], tuple(map(_number, loads)))
            case _:
                metrics.STORE_GARBAGE.inc()
                return None

    async def _look(self, redis: Commands, now_s: float) -> dict[str, int] | None:
        """What everybody has leased, after Redis knows what we have. Raises StoreUnavailable."""
        edges = list(self._capacities)
        bounds = (b"%d" % round(self._ttl_s * 1000), b"%d" % EXPIRED_PER_LOOK)
        words = (*bounds, *(edge.encode() for edge in edges))
        reply = await redis.run(LOADS, _KEYS, words)
        for _ in range(LOOKS_IN_A_ROW):
            match reply:
                case [_, int(ended), _] if ended >= EXPIRED_PER_LOOK:
                    reply = await redis.run(LOADS, _KEYS, words)
                case _:
                    break
        match reply:
            case [bytes(books), int(), [*found]] if len(found) == len(edges):
                loads = dict(zip(edges, map(_number, found), strict=True))
            case _:
                metrics.STORE_GARBAGE.inc()
                return None
        lost = self._books is not None and books != self._books
        if lost:
            self._unshared = dict.fromkeys(self._ledger.ids())
        if lost or self._cut_off:
            self._alone_until = now_s + SETTLE_S
        self._books, self._cut_off = books, False
        await self._share_leases(redis)
        return loads

    async def _share_leases(self, redis: Commands) -> None:
        """Bring Redis the leases that it does not know, in steps that hold nobody up. Raises
        StoreUnavailable."""
        while self._unshared:
            step = list(self._unshared)[:RESTORED_PER_STEP]
            now_s = self._clock()
            words = [b"%d" % round(self._ttl_s * 1000)]
            for lease_id in step:
                lease = self._ledger.get(lease_id)
                if lease is not None and lease.ends_at > now_s:
                    left_ms = b"%d" % ((lease.ends_at - now_s) * 1000)
                    asset, edge = lease.asset.hex().encode(), lease.edge.encode()
                    words += (lease_id, asset, b"%d" % lease.kbps, edge, left_ms)
            await redis.run(RESTORE, _KEYS, words)
            for lease_id in step:
                self._unshared.pop(lease_id, None)
            await asyncio.sleep(STEP_PAUSE_S)

    def _mirror(self, lease_id: bytes, lease: Lease, now_s: float) -> None:
        self._ledger.expire(now_s)
        self._ledger.put(lease_id, lease)

    def _clear(self, now_s: float) -> None:
        for _ in range(LOOKS_IN_A_ROW):
            if self._ledger.expire(now_s, EXPIRED_PER_LOOK) < EXPIRED_PER_LOOK:
                break
        self._unshared = {one: None for one in self._unshared if self._ledger.get(one) is not None}

    def _share(self, edge: str) -> int:
        """How much of an edge this worker may lease by itself, in kbit/s."""
        known = self._shares.get(edge)
        if known is not None:
            return known
        return self._capacities.get(edge, 0) // max(1, self._workers())

    def _candidate(self, edge: Edge) -> tuple[Candidate, bytes]:
        """The edge as the fleet has it now; made once for as long as the fleet is the same."""
        at = self._fleet.positions.get(edge.id)
        if at is None:  # it has gone since it was ranked
            return _known(edge, takes=True)
        found = _known(self._fleet.edges[at], takes=self._fleet.open(at))
        self._candidates[edge.id] = found
        return found

    def _fair_share(self, edge: str, capacity: int, leased: int) -> int:
        return share_kbps(capacity, leased, self._ledger.load(edge), max(1, self._workers()))


def _lease_id(session: str | None) -> bytes:
    """16 bytes: a session's own, or new ones."""
    if session is None:
        return secrets.token_bytes(16)
    return blake2b(session.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _known(edge: Edge, *, takes: bool) -> tuple[Candidate, bytes]:
    """An edge as a candidate, and as the words that tell Redis of it."""
    capacity = "-" if edge.capacity_kbps is None else edge.capacity_kbps
    words = f"{edge.id} {capacity} {takes:d}".encode()
    return Candidate(edge.id, edge.capacity_kbps, takes), words


def _number(reply: Reply) -> int:
    return reply if isinstance(reply, int) else 0
