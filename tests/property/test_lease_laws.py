"""Laws of leases: a process's lease table and Redis give the same answers; no capacity is exceeded
while there is room; shares follow the weights."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from gateway.edge.capacity import (
    CandidateEdge,
    EdgeLease,
    LeaseTable,
    Placement,
    choose_edge,
    full_edges,
    share_kbps,
)
from gateway.edge.edge import Edge
from gateway.edge.fleet import Fleet
from gateway.edge.rank import EdgeTier, ordered_edges
from gateway.store.connection.keys import LEASE_ENDS, LEASES
from gateway.store.coordination.lease_scripts import scripts
from tests.unit.store.servers import Valkey, valkey

law = settings(deadline=None)
TTL_S = 10
# What TIME answers, from a key that a test sets instead of from the server's clock.
CLOCK = b"local clock = {redis.call('GET', 'clock'), '0'}\n"
PLACE, LOADS, RESTORE = scripts(CLOCK)

edges = st.sampled_from(["a", "b", "c", "d"])
capacities = st.none() | st.sampled_from([0, 3, 10, 25, 1000])
lines = st.lists(edges, min_size=1, max_size=4, unique=True).flatmap(
    lambda ids: st.tuples(
        *(st.builds(CandidateEdge, st.just(one), capacities, st.booleans()) for one in ids)
    )
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """One Valkey for all examples; each starts without leases."""
    directory: Path = tmp_path_factory.mktemp("leases")
    with valkey(directory) as running:
        yield running


class Books:
    """The leases in Redis, used by the gateway's scripts on the test's clock."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        client.flushall()
        self.sets = {
            script.name: client.register_script(script.text) for script in (PLACE, LOADS, RESTORE)
        }

    def run(self, name: str, *words: bytes | str | int) -> Any:
        """Run a script at the clock's time."""
        return self.sets[name](keys=[LEASES, LEASE_ENDS], args=list(words))

    def place(
        self,
        lease_id: bytes,
        asset: bytes,
        kbps: int,
        line: tuple[CandidateEdge, ...],
        held: int | None,
        take: bool,
    ) -> Placement:
        """The steps of ``LeaseTable.place``, in Lua."""
        told = " ".join(
            f"{one.edge} {'-' if one.capacity_kbps is None else one.capacity_kbps} "
            f"{one.takes_new:d}"
            for one in line
        )
        words = (lease_id, asset, kbps, TTL_S * 1000, int(take), 0 if held is None else held + 1)
        _, index, outcome, loads = self.run("lease", *words, told, "")
        return Placement(index - 1, outcome.decode(), tuple(loads))

    def load(self, edge: str) -> int:
        """What is leased on the edge, from the hash in Redis."""
        return int(self.client.hget(LEASES, f"e{edge}") or 0)


class TwoLedgers(RuleBasedStateMachine):
    """Any operations on a lease table and on Redis; both must give the same answers."""

    client: redis.Redis

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000
        self.books = Books(self.client)
        self.client.set("clock", self.now)
        self.table = LeaseTable(TTL_S)

    @rule(seconds=st.integers(1, TTL_S + 1))
    def time_passes(self, seconds: int) -> None:
        """Time passes."""
        self.now += seconds
        self.client.set("clock", self.now)

    @rule(
        session=st.sampled_from([b"s1", b"s2", b"s3", b"s4", b"s5"]),
        asset=st.sampled_from([b"aa", b"bb"]),
        kbps=st.integers(1, 12),
        line=lines,
        held=st.none() | st.integers(0, 3),
        take=st.booleans(),
    )
    def place(
        self,
        session: bytes,
        asset: bytes,
        kbps: int,
        line: tuple[CandidateEdge, ...],
        held: int | None,
        take: bool,
    ) -> None:
        """A session is placed, or its placement is looked up without a lease."""
        held = None if held is None or held >= len(line) else held
        mine = self.table.place(session, asset, kbps, line, held, self.now, take=take)
        assert mine == self.books.place(session, asset, kbps, line, held, take)

    @rule()
    def look(self) -> None:
        """Ended leases are removed, and no others."""
        ended = self.table.expire(self.now, 500)
        _, gone, loads = self.books.run("lease_loads", TTL_S * 1000, 500, "a", "b", "c", "d")
        assert (ended, [self.table.load(one) for one in "abcd"]) == (gone, loads)

    @invariant()
    def the_books_agree(self) -> None:
        """Both have the same leases, and the same sum on each edge."""
        own: dict[str, int] = defaultdict(int)
        for lease_id in self.table.ids():
            lease = self.table.get(lease_id)
            assert lease is not None
            own[lease.edge] += lease.kbps
            text = self.client.hget(LEASES, b"l" + lease_id)
            assert f"{lease.kbps} {lease.asset.decode()} {lease.edge}".encode() == text
            assert lease.ends_at * 1000 == self.client.zscore(LEASE_ENDS, lease_id)
        assert len(self.table) == self.client.zcard(LEASE_ENDS)
        for edge in "abcd":
            assert own[edge] == self.table.load(edge) == self.books.load(edge)


def test_the_ledger_and_redis_take_the_same_steps(server: Valkey) -> None:
    """Any sequence of operations gives the same answers and the same leases."""
    with server.client() as client:
        TwoLedgers.client = client
        run_state_machine_as_test(
            TwoLedgers,
            settings=settings(
                max_examples=30,
                stateful_step_count=30,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )


tight = st.builds(CandidateEdge, edges, st.sampled_from([10, 10, 20]), st.booleans())


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    st.lists(tight, min_size=2, max_size=4, unique_by=lambda one: one.edge),
    st.lists(st.sampled_from([4, 9, 18]), min_size=4, max_size=4),
    st.integers(1, 12),
)
def test_ties_and_overfull_edges_are_chosen_alike(
    server: Valkey, line: list[CandidateEdge], loads: list[int], kbps: int
) -> None:
    """Redis and the lease table also agree on edges that are full or equally used."""
    with server.client() as client:
        books = Books(client)
        client.set("clock", 1000)
        for one, load in zip(line, loads, strict=False):
            books.place(one.edge.encode(), b"aa", load, (one,), None, True)
        index, outcome = choose_edge(line, loads, kbps, None)
        found = books.place(b"new", b"aa", kbps, tuple(line), None, False)
        assert (index, outcome) == (found.index, found.outcome)


@law
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 9), lines), max_size=80),
)
def test_no_bound_is_exceeded_while_somebody_has_room(
    sessions: list[tuple[int, int, tuple[CandidateEdge, ...]]],
) -> None:
    """A capacity is only exceeded when no edge has room; the outcome is then ``over``."""
    table = LeaseTable(TTL_S)
    for number, kbps, line in sessions:
        lease_id = b"%d" % number
        own = table.get(lease_id)
        before = {one.edge: table.load(one.edge) for one in line}
        if own is not None and own.edge in before:
            before[own.edge] -= own.kbps
        found = table.place(lease_id, b"a", kbps, line, None, 0, take=True)
        chosen = line[found.index]
        assert found.loads[found.index] == table.load(chosen.edge)
        taking = [one for one in line if one.takes_new] or line
        roomy = [
            one
            for one in taking
            if one.capacity_kbps is None or before[one.edge] + kbps <= one.capacity_kbps
        ]
        if found.outcome == "kept":
            assert own is not None
            assert own.edge == chosen.edge
        elif found.outcome == "over":
            assert [] == roomy
        else:
            assert chosen == roomy[0]


@law
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 110)), max_size=60))
def test_an_edge_is_full_by_hysteresis(steps: list[tuple[int, int]]) -> None:
    """Full from 97 %, open again below 90 %, and unchanged between."""
    names = ["a", "b", "c", "d"]
    loads = dict.fromkeys(names, 0)
    full: frozenset[str] = frozenset()
    for at, load in steps:
        loads[names[at]] = load
        before, full = full, full_edges(loads, dict.fromkeys(names, 100), full)
        for edge in names:
            expected = loads[edge] >= 97 or (loads[edge] >= 90 and edge in before)
            assert expected == (edge in full)


@law
@given(st.integers(0, 10**6), st.lists(st.integers(0, 10**5), min_size=1, max_size=8))
def test_shares_of_all_workers_stay_within_the_capacity(capacity: int, own: list[int]) -> None:
    """Cut off from each other, workers may together lease no more than there is (or than was
    leased already)."""
    leased = sum(own)
    shares = [share_kbps(capacity, leased, one, len(own)) for one in own]
    assert sum(shares) <= max(capacity, leased)
    assert all(share >= one for share, one in zip(shares, own, strict=True))


SESSIONS = 50_000
WEIGHTS = {
    "even": [100, 100, 100],
    "a small one": [100, 100, 50],
    "twice and thrice": [100, 200, 300],
    "two": [70, 30],
}


@dataclass
class Town:
    """Equal edges with weights, and the sessions placed on them."""

    weights: list[int]
    capacities: list[int | None]
    table: LeaseTable = field(default_factory=lambda: LeaseTable(1e9, SESSIONS + 1))
    placed: Counter[int] = field(default_factory=Counter)
    highest: Counter[int] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """The edges of the fleet."""
        self.edges = [
            Edge(f"edge-{at}", f"https://{at}.example/", weight=weight)
            for at, weight in enumerate(self.weights)
        ]
        self.fleet = Fleet.of(self.edges)
        self.tiers = (EdgeTier(tuple(range(len(self.edges))), "any", None),)

    def come(self, number: int, kbps: int = 1, lease: bool = True) -> int:
        """Place one session as the gateway does."""
        line = ordered_edges(self.fleet, self.tiers, f"film-{number % 500}", f"session-{number}")
        index = line[0]
        if lease:
            candidates = [CandidateEdge(self.edges[at].id, self.capacities[at]) for at in line]
            found = self.table.place(b"%d" % number, b"", kbps, candidates, None, 0, take=True)
            index = line[found.index]
            self.outcomes[found.outcome] += 1
            load = self.table.load(self.edges[index].id)
            self.highest[index] = max(self.highest[index], load)
        self.placed[index] += 1
        return index


@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)
def test_weighted_shares_hold(weights: list[int]) -> None:
    """100,000 sessions are divided by weight, each share within 2 %."""
    town = Town(weights, [None] * len(weights))
    for number in range(SESSIONS):
        town.come(number, lease=False)
    for at, weight in enumerate(weights):
        share = SESSIONS * weight / sum(weights)
        assert abs(town.placed[at] - share) <= 0.02 * share, dict(town.placed)


def test_weighted_shares_hold_with_churn() -> None:
    """100,000 sessions start and end; the final leases are divided by weight."""
    weights = WEIGHTS["twice and thrice"]
    town = Town(weights, [None] * len(weights))
    town.table = LeaseTable(1, SESSIONS)
    alive = 40_000
    for number in range(SESSIONS):
        line = ordered_edges(town.fleet, town.tiers, "film", f"session-{number}")
        candidates = [CandidateEdge(town.edges[at].id, 10**6) for at in line]
        now = number / alive
        found = town.table.place(b"%d" % number, b"", 1, candidates, None, now, take=True)
        assert "first" == found.outcome
    assert alive == len(town.table)
    for at, weight in enumerate(weights):
        share = alive * weight / sum(weights)
        assert abs(town.table.load(town.edges[at].id) - share) <= 0.02 * share


def test_what_spills_goes_by_the_weights_of_the_others() -> None:
    """An edge that holds half of what it should passes the rest on, by weight, and stays within
    its bound throughout."""
    weights = [300, 100, 200]
    bound = SESSIONS // 4
    town = Town(weights, [bound, None, None])
    for number in range(SESSIONS):
        town.come(number)
    assert bound == town.placed[0] == town.highest[0]
    rest = SESSIONS - bound
    for at in (1, 2):
        share = rest * weights[at] / 300
        assert abs(town.placed[at] - share) <= 0.02 * share, dict(town.placed)
    assert 0 == town.outcomes["over"]


def test_nobody_is_above_a_bound_that_all_share() -> None:
    """With 5 % spare capacity all sessions find room, and no edge exceeds its capacity."""
    weights = [100, 100, 100, 100]
    bound = round(SESSIONS / 5 * 1.05 / 4)
    town = Town(weights, [bound] * 4)
    for number in range(SESSIONS // 5):
        town.come(number)
    assert all(town.highest[at] <= bound for at in range(4))
    assert 0 == town.outcomes["over"]


def test_a_ledger_is_bounded() -> None:
    """Beyond ``max_leases``, the leases that end first are removed, with their load."""
    table = LeaseTable(TTL_S, max_leases=3)
    for number in range(5):
        table.put(b"%d" % number, EdgeLease("a", 10, b"", number))
    assert ([b"2", b"3", b"4"], 30) == (table.ids(), table.load("a"))
