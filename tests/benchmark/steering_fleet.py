"""Do sessions leave failing edges without filling their neighbours, and without wandering?

Simulates players of five regions that ask for steering manifests while edges fail: one is killed,
one is degraded, one is drained. With ``--slow``, one more is up, but slow for one of the two
networks of its region from the start; with ``--share``, an operator sends that share of another
one's sessions elsewhere for a minute. One viewer in ten has a slow line of its own. Players obey at
once, and leave a dead edge by themselves for the next pathway of their list, as all steering
players do. The gateway learns of a move with the player's next request, as in reality.

``python -m tests.benchmark.steering_fleet`` prints the table of docs/steering.md.
"""

import argparse
import heapq
import itertools
import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.edge.capacity import FULL_AT, CandidateEdge, choose_edge, full_edges
from gateway.edge.edge import Edge
from gateway.edge.fleet import EdgeCondition, Fleet, worst
from gateway.edge.override import WHOLE, Override
from gateway.edge.rank import EdgeTier, ordered_by_key, ranked_tiers, viewer_key
from gateway.steering.budget import MoveBudget
from gateway.steering.decide import Situation, steer
from gateway.steering.leaving import Leaving, leaving_since
from gateway.steering.networks import NetworkSpeeds
from gateway.steering.query import PathwayReport
from gateway.steering.state import SteeringState
from gateway.steering.steering_config import SteeringConfig
from geodata.place import Place

REGIONS = ((40.0, -75.0), (50.0, 8.0), (1.0, 104.0), (-23.0, -46.0), (-33.0, 151.0))
RATES_KBPS = (1500, 3000, 3000, 6000)
TRANSITION_S = 8.0
"""A player notices a dead edge within this time: when it needs its next segment."""
ASSET = b"\x00" * 8
START_S = 1_800_000_000.0
"""Unix time at which the simulation begins."""
FAILURES: Mapping[str, tuple[int, EdgeCondition]] = {
    "killed": (0, EdgeCondition("down", 0.0)),
    "degraded": (1, EdgeCondition("degraded", 0.5)),
    "drained": (2, EdgeCondition("draining", 0.0)),
}
"""What happens to which edge of its region. All three are in one region when ``together``."""
SLOW, STEERED = 3, 4
"""The edge of the last region that is slow for a network, and the one whose sessions an operator
steers to the next."""
FAST_KBPS, OWN_LINE_KBPS, SLOW_EDGE_KBPS = 9000, 1500, 1000
"""What viewers measure: most of them, those with slow lines, and anybody on the slow edge."""


@dataclass(slots=True)
class Player:
    """One viewer: where it is, what it plays from, and when it moved."""

    region: int
    network: str
    viewer: int
    line_kbps: int
    state: SteeringState
    playing: int
    leased: int
    priority: tuple[Edge, ...] = ()
    moves: list[float] = field(default_factory=list)
    reason: str = ""
    tiers: tuple[EdgeTier, ...] = ()
    order: tuple[int, ...] = ()
    """Its edges in order, as ``tiers`` rank them."""


@dataclass(slots=True)
class Result:
    """What the simulation showed. Loads are shares of an edge's capacity."""

    sessions: int
    highest_before: float
    highest: float
    moves: int
    twice: int
    left: dict[str, int]
    reasons: Counter[str]
    answers: int
    seconds: float
    slow: dict[str, int]
    steered: int
    could_be_steered: int


class _View:
    """What a player's network knows."""

    def __init__(self, speeds: NetworkSpeeds, network: str, now: float) -> None:
        self._speeds, self._network, self._now = speeds, network, now

    def kbps_on(self, edge: int) -> int | None:
        return self._speeds.kbps_on(self._network, edge, self._now)

    def prior_kbps(self) -> int | None:
        return None

    def probed_kbps(self) -> int | None:
        return None

    def reported_edge(self, since_s: int) -> int | None:  # noqa: ARG002
        return None


class Simulation:
    """All players and edges."""

    def __init__(
        self,
        sessions: int,
        edges: int,
        headroom: float,
        config: SteeringConfig,
        *,
        together: bool = False,
        slow: bool = False,
        share: float = 0.0,
        seed: int = 1,
    ) -> None:
        """``headroom``: the capacity of an edge as a multiple of its even share of the load.
        ``slow`` and ``share``: see the module."""
        self._config = config
        self._random = random.Random(seed)
        per_region = edges // len(REGIONS)
        mean = sum(RATES_KBPS) / len(RATES_KBPS)
        capacity = int(sessions * mean / edges * headroom)
        self._edges = [
            Edge(
                f"e{region}-{number}",
                f"https://e{region}-{number}.example/v/",
                latitude=latitude,
                longitude=longitude,
                capacity_kbps=capacity,
            )
            for region, (latitude, longitude) in enumerate(REGIONS)
            for number in range(per_region)
        ]
        self._capacity = {edge.id: capacity for edge in self._edges}
        self._actual = dict.fromkeys(self._capacity, 0)
        self._leased = dict.fromkeys(self._capacity, 0)
        self._failed: dict[str, EdgeCondition] = {}
        self._full: frozenset[str] = frozenset()
        self._tiers: dict[int, tuple[EdgeTier, ...]] = {}
        self._leaving: Mapping[int, Leaving] = {}
        self.fleet = Fleet.of(self._edges)
        last = len(REGIONS) - 1
        self._slow = f"e{last}-{SLOW}" if slow else None
        self._steered = f"e{last}-{STEERED}"
        self._share = share
        self._overrides: tuple[Override, ...] = ()
        self._speeds = NetworkSpeeds(config)
        self._ids = {edge.key: edge.id for edge in self._edges}
        self._budget = MoveBudget(
            lambda edge: int(FULL_AT * self._capacity[edge]) - self._leased[edge],
            config.ttl_s * (1 + config.ttl_jitter),
        )
        self._spread = 0 if together else 1
        self.reasons: Counter[str] = Counter()
        self.answers = 0
        self._players = [self._player(number, sessions) for number in range(sessions)]

    def run(self, seconds: float) -> Result:
        """Let players ask for ``seconds``; the edges fail after the first TTL."""
        started = time.perf_counter()
        ttl_s, fail_at = self._config.ttl_s, float(self._config.ttl_s)
        queue = [(self._random.uniform(0, ttl_s), at) for at in range(len(self._players))]
        heapq.heapify(queue)
        before = highest = self._highest()
        next_second, failed = 0.0, False
        left: dict[str, int] = {}
        slow = Counter(player.line_kbps for player in self._on(self._slow))
        could_be = sum(self._ids[player.playing] == self._steered for player in self._players)
        while queue[0][0] < seconds:
            now, at = heapq.heappop(queue)
            while next_second <= now:
                if not failed and next_second >= fail_at:
                    failed, before = True, highest
                    left = self._fail()
                    for one, player in enumerate(self._players):
                        if self._failed.get(self._ids[player.playing]) is FAILURES["killed"][1]:
                            heapq.heappush(
                                queue, (now + self._random.uniform(0, TRANSITION_S), ~one)
                            )
                self._look(next_second)
                highest = max(highest, self._highest())
                next_second += 1.0
            if at < 0:
                self._error(self._players[~at], now)
            else:
                heapq.heappush(queue, (now + self._ask(self._players[at], now), at))
        moved = [player.moves for player in self._players if player.moves]
        still = Counter(self._ids[player.playing] for player in self._players)
        return Result(
            sessions=len(self._players),
            highest_before=before,
            highest=highest,
            moves=sum(map(len, moved)),
            twice=sum(
                any(later - one < ttl_s for one, later in itertools.pairwise(times))
                for times in moved
            ),
            left={f"{edge} had": count for edge, count in left.items()}
            | {f"{edge} has": still[edge] for edge in left},
            reasons=self.reasons,
            answers=self.answers,
            seconds=time.perf_counter() - started,
            steered=self.reasons["override"],
            could_be_steered=could_be,
            slow={
                "victims": slow[FAST_KBPS],
                "victims left": self._victims(),
                "slow lines that moved": sum(
                    player.line_kbps == OWN_LINE_KBPS and player.reason == "slow"
                    for player in self._players
                ),
            },
        )

    def _on(self, edge: str | None) -> list[Player]:
        """The players of the network for which ``edge`` is slow, on that edge."""
        return [
            player
            for player in self._players
            if self._ids[player.playing] == edge and player.network.endswith("0")
        ]

    def _victims(self) -> int:
        """The sessions that an edge makes slow."""
        return sum(player.line_kbps == FAST_KBPS for player in self._on(self._slow))

    def _kbps(self, player: Player) -> int:
        """What a player measures."""
        hit = self._ids[player.playing] == self._slow and player.network.endswith("0")
        return SLOW_EDGE_KBPS if hit else player.line_kbps

    def _player(self, number: int, sessions: int) -> Player:
        region = number * len(REGIONS) // sessions
        kbps = self._random.choice(RATES_KBPS)
        viewer = viewer_key("film", f"v{number}")
        order = ordered_by_key(self.fleet, self._tiers_of(region), viewer, 16)
        known = [CandidateEdge(self._edges[at].id, self._edges[at].capacity_kbps) for at in order]
        loads = [self._actual[one.edge] for one in known]
        edge = self._edges[order[choose_edge(known, loads, kbps, None)[0]]]
        self._actual[edge.id] += kbps
        self._leased[edge.id] += kbps
        state = SteeringState(ASSET, viewer, 0, edge.id, edge.shape, 8000, kbps, edge.key)
        line = OWN_LINE_KBPS if number % 10 == 0 else FAST_KBPS
        network = f"{region}-{number // 10 % 2}"
        return Player(region, network, number, line, state, edge.key, edge.key, (edge,))

    def _tiers_of(self, region: int) -> tuple[EdgeTier, ...]:
        tiers = self._tiers.get(region)
        if tiers is None:
            latitude, longitude = REGIONS[region]
            place = Place("found", latitude=latitude, longitude=longitude, accuracy_km=1.0)
            tiers = self._tiers[region] = ranked_tiers(self.fleet, place, 0)
        return tiers

    def _fail(self) -> dict[str, int]:
        """Make three edges fail; the number of sessions that each of them has."""
        for number, (what, (region, condition)) in enumerate(FAILURES.items()):
            edge = f"e{region * self._spread}-{number}"
            self._failed[edge] = FAILURES[what][1]
            assert self._failed[edge] is condition
        return Counter(
            edge for player in self._players if (edge := self._ids[player.playing]) in self._failed
        )

    def _look(self, now: float) -> None:
        """What the gateway does every second: judge which edges are full."""
        self._full = full_edges(self._leased, self._capacity, self._full)
        conditions = {
            edge: worst([self._failed.get(edge, EdgeCondition()), EdgeCondition(full=full)])
            for edge in self._capacity
            if (full := edge in self._full) or edge in self._failed
        }
        if self._share and self._failed and not self._overrides:
            target = f"{self._steered[:-1]}{STEERED + 1}"
            high, since = round(self._share * WHOLE), int(START_S + now)
            one = Override("0" * 8, self._steered, target, 0, high, since, since + 60, "me", "")
            self._overrides = (one,)
        active = [one for one in self._overrides if START_S + now < one.until_s]
        fleet = Fleet.of(self._edges, conditions, self.fleet, active)
        if fleet != self.fleet:
            self.fleet, self._tiers = fleet, {}
            self._leaving = leaving_since(fleet, self._leaving, now, self._config.leave_s)

    def _ask(self, player: Player, now: float) -> float:
        """One request for a steering manifest; the seconds until the next."""
        playing = self._ids[player.playing]
        if player.leased != player.playing:
            self._leased[self._ids[player.leased]] -= player.state.expected_kbps
            self._leased[playing] += player.state.expected_kbps
            player.leased = player.playing
        situation = Situation(self._config, self.fleet, self._leaving, now, START_S + now)
        tiers = self._tiers_of(player.region)
        if tiers is not player.tiers:
            player.tiers = tiers
            player.order = ordered_by_key(self.fleet, tiers, player.state.viewer, 16)
        report = (PathwayReport(playing, self._kbps(player) * 1000),)
        answer = steer(
            situation,
            player.state,
            player.order,
            report,
            lambda edge: self._budget.left_kbps(edge, now),
            _View(self._speeds, player.network, now),
        )
        if player.state.issued_s and not answer.idle:
            for one in answer.state.records:
                if one.at_s == answer.state.issued_s and one.kbps is not None:
                    self._speeds.add(player.network, player.viewer, one.edge, one.kbps, now)
        self.answers += 1
        self.reasons[answer.reason] += 1
        player.state, player.priority = answer.state, answer.priority
        if answer.moved:
            player.reason = answer.reason
            self._budget.promise(answer.priority[0].id, player.state.expected_kbps, now)
        self._move(player, self._first_alive(player), now)
        return answer.ttl_s

    def _error(self, player: Player, now: float) -> None:
        """The player cannot load its next segment."""
        self._move(player, self._first_alive(player), now)

    def _first_alive(self, player: Player) -> int:
        dead = [edge for edge, one in self._failed.items() if one.state == "down"]
        alive = (edge.key for edge in player.priority if edge.id not in dead)
        return next(alive, player.playing)

    def _move(self, player: Player, edge: int, now: float) -> None:
        if edge != player.playing:
            self._actual[self._ids[player.playing]] -= player.state.expected_kbps
            self._actual[self._ids[edge]] += player.state.expected_kbps
            player.playing = edge
            player.moves.append(now)

    def _highest(self) -> float:
        return max(self._actual[edge] / self._capacity[edge] for edge in self._capacity)


def main() -> None:
    """Print what the full simulation shows."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sessions", type=int, default=100_000)
    parser.add_argument("--edges", type=int, default=50)
    parser.add_argument("--headroom", type=float, default=1.3)
    parser.add_argument("--ttls", type=float, default=5.0)
    parser.add_argument("--together", action="store_true")
    parser.add_argument("--slow", action="store_true")
    parser.add_argument("--share", type=float, default=0.0)
    given = parser.parse_args()
    config = SteeringConfig()
    made = Simulation(
        given.sessions,
        given.edges,
        given.headroom,
        config,
        together=given.together,
        slow=given.slow,
        share=given.share,
    )
    found = made.run(given.ttls * config.ttl_s)
    print(f"highest load of an edge: {found.highest:.1%} ({found.highest_before:.1%} before)")
    print(f"{found.sessions} sessions, {found.moves} moves, {found.twice} moved twice in a TTL")
    print(f"left: {found.left}")
    if given.slow:
        print(f"slow: {found.slow}")
    if given.share:
        print(f"steered by an operator: {found.steered} of {found.could_be_steered}")
    print(f"reasons: {dict(found.reasons)}")
    print(f"{found.answers} answers in {found.seconds:.1f} s")


if __name__ == "__main__":
    main()
