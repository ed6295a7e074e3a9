"""Which pathway next? One row for each branch, and the laws that hold for all sessions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from gateway.edge.edge import Edge
from gateway.edge.fleet import EdgeCondition, Fleet
from gateway.edge.override import WHOLE, Override
from gateway.edge.rank import admits, ordered_by_key, ranked_tiers
from gateway.steering.decide import MOVE_REASONS, STAY_REASONS, Situation, Steered, steer
from gateway.steering.leaving import Leaving, leaving_since
from gateway.steering.query import PathwayReport
from gateway.steering.state import (
    CLOCK_SKEW_S,
    MAX_CLONES,
    Clone,
    PathwayRecord,
    SteeringState,
)
from gateway.steering.steering_config import SteeringConfig
from geodata.place import Place

NOW = 1_800_000_000
CLOCK = 5000.0
"""Unix time, and what the monotonic clock shows then."""
CONFIG = SteeringConfig(ttl_s=30, dwell_s=60, leave_s=120, max_pathways=3)
UNKNOWN = Place("unknown")

A, B, C = (Edge(name, f"https://{name}.example/v/", fallback=True) for name in "abc")
PORT = Edge("port", "https://port.example:8443/v/", fallback=True)
PORT_2 = Edge("port2", "https://port2.example:8443/v/", fallback=True)
PORT_3 = Edge("port3", "https://port3.example:8443/v/", fallback=True)
PATH = Edge("path", "https://path.example/w/", fallback=True)
ELSEWHERE_B = replace(B, url="https://new-b.example/w/")
SAME = Edge("same", "https://a.example/v/", fallback=True)
SIX = Edge("six", "https://[2001:db8::1]/v/", fallback=True)

DOWN = EdgeCondition("down", 0.0)
DRAINS = EdgeCondition("draining", 0.0)
HALF = EdgeCondition("degraded", 0.5)
FULL = EdgeCondition(full=True)


@dataclass(frozen=True)
class Case:
    """One session and what surrounds it. ``seen`` are its records by edge id.
    ``left`` is the room of edges with a limit. ``viewer`` 1 prefers a, then b, then c."""

    edges: Sequence[Edge] = (A, B, C)
    conditions: Mapping[str, EdgeCondition] = field(default_factory=dict)
    told: Edge = A
    base: Edge = A
    told_ago: int = 1000
    leaving_for: float = 0.0
    reports: Sequence[tuple[str, int | None]] = (("a", 9_000_000),)
    seen: Sequence[tuple[str, int, int]] = ()
    estimate: int = 0
    need: int = 6000
    left: Mapping[str, int] = field(default_factory=dict)
    overrides: Sequence[Override] = ()
    clones: Sequence[Edge] = (B, C)
    base_host: int = 0
    never_moved: bool = False
    first_request: bool = False
    declared: int = 0
    others: Mapping[str, int] = field(default_factory=dict)
    prior: int | None = None
    probed: int | None = None
    unstated: bool = False
    reported: Edge | None = None


@dataclass(frozen=True)
class View:
    """What other viewers measure, by edge id, and the network's prior."""

    others: Mapping[str, int]
    prior: int | None
    probed: int | None
    reported: Edge | None

    def kbps_on(self, edge: int) -> int | None:
        """By the edge's key."""
        return {Edge(name, A.url).key: kbps for name, kbps in self.others.items()}.get(edge)

    def prior_kbps(self) -> int | None:
        """The prior."""
        return self.prior

    def probed_kbps(self) -> int | None:
        """What the page has measured."""
        return self.probed

    def reported_edge(self, since_s: int) -> int | None:
        """The edge in reports, if they came after ``since_s``."""
        return None if self.reported is None or since_s > NOW else self.reported.key


def override(source: str, target: str, ago_s: int = 120, high: int = WHOLE) -> Override:
    """One that is in force since ``ago_s`` seconds; all that leave at ``ago_s = leave_s``."""
    return Override("0" * 8, source, target, 0, high, NOW - ago_s, NOW + 600, "me@here", "")


def state_of(case: Case) -> SteeringState:
    """The state that comes back with the request."""
    return SteeringState(
        asset=b"12345678",
        viewer=VIEWER,
        spread_point=0,
        base=case.base.id,
        shape=case.base.shape,
        need_kbps=case.need,
        expected_kbps=1000,
        told=case.told.key,
        told_s=0 if case.never_moved else NOW - case.told_ago,
        issued_s=0 if case.first_request else NOW - 30,
        estimate_kbps=case.estimate,
        base_host=case.base_host,
        clones=tuple(Clone(edge.tag, edge.host_tag) for edge in case.clones),
        declared=case.declared,
        unstated=case.unstated,
        records=tuple(PathwayRecord(Edge(i, A.url).key, kbps, NOW - s) for i, kbps, s in case.seen),
    )


def answer(
    case: Case,
    state: SteeringState | None = None,
    config: SteeringConfig = CONFIG,
    at_s: float = NOW,
) -> Steered:
    """The answer for a case."""
    fleet = Fleet.of(case.edges, case.conditions, overrides=case.overrides)
    given = state or state_of(case)
    order = ordered_by_key(fleet, ranked_tiers(fleet, UNKNOWN, 0), given.viewer, 16)
    leaving = leaving_since(fleet, {}, CLOCK - case.leaving_for, CONFIG.leave_s)
    reports = [PathwayReport(*one) for one in case.reports]
    view = View(case.others, case.prior, case.probed, case.reported)
    return steer(
        Situation(config, fleet, leaving, CLOCK, at_s), given, order, reports, case.left.get, view
    )


def preferring(*edges: Edge) -> int:
    """A viewer that prefers edges in this order."""
    fleet = Fleet.of((A, B, C))
    tiers = ranked_tiers(fleet, UNKNOWN, 0)
    wanted = tuple(fleet.positions[edge.id] for edge in edges)
    return next(key for key in range(1, 10**6) if ordered_by_key(fleet, tiers, key) == wanted)


VIEWER = preferring(A, B, C)

CASES: list[tuple[str, Case, str, list[str]]] = [
    ("all is well", Case(), "fine", ["a", "b", "c"]),
    ("the player says nothing", Case(reports=()), "fine", ["a", "b", "c"]),
    ("a pathway that nobody knows", Case(reports=[("x", 1)]), "fine", ["a", "b", "c"]),
    (
        "a base that was left keeps its place",
        Case(told=B, reports=[("b", None)]),
        "fine",
        ["b", "a", "c"],
    ),
    ("an edge of another shape is no pathway", Case(edges=(A, PORT, PATH, SIX)), "fine", ["a"]),
    ("nor one with the same host", Case(edges=(A, SAME, B)), "fine", ["a", "b"]),
    ("an MPD's pathways", Case(declared=3), "fine", ["a", "b", "c"]),
    (
        "an edge that an MPD does not declare is a clone",
        Case(declared=2, clones=[B], conditions={"a": DOWN, "b": DRAINS}),
        "down",
        ["c", "a"],
    ),
    (
        "but not on another port than the scheme's",
        Case(
            edges=(PORT, PORT_2, PORT_3),
            base=PORT,
            told=PORT,
            declared=2,
            clones=[PORT_2],
            reports=[("port", None)],
        ),
        "fine",
        ["port", "port2"],
    ),
    (
        "a playlist's clones keep their port",
        Case(
            edges=(PORT, PORT_2, PORT_3),
            base=PORT,
            told=PORT,
            clones=[],
            reports=[("port", None)],
        ),
        "fine",
        ["port", "port2", "port3"],
    ),
    (
        "a list of pathways with the one that it was told",
        Case(declared=3, told=B, reports=[("a", 9_000_000), ("b", None)]),
        "fine",
        ["b", "a", "c"],
    ),
    (
        "a list without it",
        Case(declared=3, told=B, reports=[("c", 9_000_000), ("a", 5_000_000)]),
        "failed",
        ["c", "a"],
    ),
    ("its edge is down", Case(conditions={"a": DOWN}), "down", ["b", "c", "a"]),
    ("and it moved just now", Case(conditions={"a": DOWN}, told_ago=1), "down", ["b", "c", "a"]),
    ("its edge was removed", Case(edges=(B, C)), "gone", ["b", "c"]),
    (
        "its edge, a clone, was removed",
        Case(edges=(A, C), told=B, reports=[("b", None)]),
        "gone",
        ["a", "c"],
    ),
    (
        "all edges are down",
        Case(conditions=dict.fromkeys("abc", DOWN)),
        "fine",
        ["a", "b", "c"],
    ),
    (
        "all edges are down, and the player left the first by itself",
        Case(conditions=dict.fromkeys("abc", DOWN), reports=[("b", 5_000_000)]),
        "failed",
        ["b", "c", "a"],
    ),
    (
        "all edges are down, and one has failed for the player",
        Case(conditions=dict.fromkeys("abc", DOWN), seen=[("b", 0, 300)]),
        "fine",
        ["a", "c"],
    ),
    ("its edge drains, not its turn yet", Case(conditions={"a": DRAINS}), "fine", ["a", "b", "c"]),
    ("its turn", Case(conditions={"a": DRAINS}, leaving_for=120), "leaving", ["b", "c", "a"]),
    (
        "its turn, but it moved just now",
        Case(conditions={"a": DRAINS}, leaving_for=120, told_ago=59),
        "dwell",
        ["a", "b", "c"],
    ),
    (
        "and after the dwell",
        Case(conditions={"a": DRAINS}, leaving_for=120, told_ago=60),
        "leaving",
        ["b", "c", "a"],
    ),
    ("a full edge keeps its sessions", Case(conditions={"a": FULL}), "fine", ["a", "b", "c"]),
    ("a full edge is no target", Case(conditions={"a": DOWN, "b": FULL}), "down", ["c", "a"]),
    (
        "nor is one without room",
        Case(conditions={"a": DOWN}, left={"b": 999}),
        "down",
        ["c", "b", "a"],
    ),
    (
        "room to the last kbit/s",
        Case(conditions={"a": DOWN}, left={"b": 1000}),
        "down",
        ["b", "c", "a"],
    ),
    (
        "no room anywhere, its edge drains",
        Case(conditions={"a": DRAINS}, leaving_for=120, left={"b": 0, "c": 0}),
        "nowhere",
        ["a", "b", "c"],
    ),
    (
        "no room anywhere, its edge is down",
        Case(conditions={"a": DOWN}, left={"b": 0, "c": 0}),
        "down",
        ["b", "c", "a"],
    ),
    (
        "room on a full edge, its edge is down",
        Case(conditions={"a": DOWN, "b": FULL}, left={"b": 5000, "c": 0}),
        "down",
        ["b", "c", "a"],
    ),
    (
        "no room on the edge that is up, and an MPD declares one that is down",
        Case(conditions={"a": DOWN, "c": DOWN}, declared=3, left={"b": 0}),
        "down",
        ["b", "a"],
    ),
    (
        "nor is a full one passed over for one that is down",
        Case(conditions={"a": DOWN, "b": FULL, "c": DOWN}, declared=3, left={"b": 0}),
        "down",
        ["b", "a"],
    ),
    (
        "all that an MPD declares is down, and no other edge can be a clone",
        Case(edges=(A, B, PORT), conditions={"a": DOWN, "b": DOWN}, clones=[B], declared=2),
        "nowhere",
        ["a"],
    ),
    ("down, and no other edge", Case(edges=(A, PORT), conditions={"a": DOWN}), "nowhere", ["a"]),
    (
        "its edge has another path, and all others are down",
        Case(
            edges=(A, ELSEWHERE_B, C),
            conditions={"a": DOWN, "c": DOWN},
            told=B,
            reports=[("b", 9_000_000)],
        ),
        "nowhere",
        ["a"],
    ),
    (
        "and there are no others",
        Case(edges=(ELSEWHERE_B,), told=B, reports=[("b", 9_000_000)]),
        "nowhere",
        [],
    ),
    ("slow", Case(reports=[("a", 1_000_000)], estimate=9000), "slow", ["b", "c", "a"]),
    (
        "slow, and it moved just now",
        Case(reports=[("a", 1_000_000)], estimate=9000, told_ago=10),
        "dwell",
        ["a", "b", "c"],
    ),
    (
        "fast enough for its ladder",
        Case(reports=[("a", 1_000_000)], estimate=9000, need=1000),
        "fine",
        ["a", "b", "c"],
    ),
    (
        "not much slower than its network",
        Case(reports=[("a", 4_600_000)], estimate=9000),
        "fine",
        ["a", "b", "c"],
    ),
    ("its network was never faster", Case(reports=[("a", 1_000_000)]), "fine", ["a", "b", "c"]),
    (
        "it was faster elsewhere",
        Case(told=B, reports=[("b", 1_000_000)], seen=[("a", 9000, 100)]),
        "slow",
        ["a", "c"],
    ),
    (
        "elsewhere is as slow",
        Case(
            told=B,
            reports=[("b", 1_000_000)],
            seen=[("a", 1200, 100), ("c", 1200, 100)],
            estimate=9000,
        ),
        "nowhere",
        ["b", "a"],
    ),
    (
        "better by the hysteresis",
        Case(
            told=B,
            reports=[("b", 1_000_000)],
            seen=[("a", 1200, 100), ("c", 1250, 100)],
            estimate=9000,
        ),
        "slow",
        ["c", "a"],
    ),
    (
        "forgotten after a while",
        Case(
            told=B,
            reports=[("b", 1_000_000)],
            seen=[("a", 1200, 600), ("c", 1200, 100)],
            estimate=9000,
        ),
        "slow",
        ["a"],
    ),
    ("the player left by itself", Case(reports=[("b", 5_000_000)]), "failed", ["b", "c", "a"]),
    ("it has not moved yet", Case(told=B, told_ago=30), "fine", ["b", "a", "c"]),
    ("it does not obey", Case(told=B, told_ago=60), "failed", ["a", "c"]),
    (
        "it has loaded nothing since its last report: it is paused",
        Case(told=B, told_ago=600, seen=[("a", 9000, 30)]),
        "fine",
        ["b", "a", "c"],
    ),
    (
        "it has loaded something since, and not from where it was told",
        Case(told=B, told_ago=600, seen=[("a", 8999, 30)]),
        "failed",
        ["a", "c"],
    ),
    (
        "paused on an edge that drains",
        Case(conditions={"a": DRAINS}, told=B, told_ago=600, seen=[("a", 9000, 30)]),
        "fine",
        ["b", "c", "a"],
    ),
    (
        "paused, and told an edge that has died since",
        Case(conditions={"b": DOWN}, told=B, told_ago=600, seen=[("a", 9000, 30)]),
        "down",
        ["a", "c"],
    ),
    (
        "it uses two pathways, and is loading from one of them",
        Case(
            told=B,
            told_ago=600,
            reports=[("a", 9_000_000), ("c", 5_000_000)],
            seen=[("a", 9000, 30), ("c", 4000, 30)],
        ),
        "failed",
        ["a", "c"],
    ),
    (
        "what failed is no target",
        Case(conditions={"a": DOWN}, seen=[("b", 0, 300)]),
        "down",
        ["c", "a"],
    ),
    (
        "unless all did",
        Case(conditions={"a": DOWN}, seen=[("b", 0, 300), ("c", 0, 300)]),
        "down",
        ["b", "a"],
    ),
    (
        "it was tried again after a while",
        Case(conditions={"a": DOWN}, seen=[("b", 0, 600)]),
        "down",
        ["b", "c", "a"],
    ),
    (
        "an operator sends it elsewhere",
        Case(overrides=[override("a", "c")]),
        "override",
        ["c", "a", "b"],
    ),
    (
        "its turn has not come",
        Case(overrides=[override("a", "c", ago_s=0)]),
        "fine",
        ["a", "c", "b"],
    ),
    (
        "it moved just now",
        Case(overrides=[override("a", "c")], told_ago=59),
        "dwell",
        ["a", "c", "b"],
    ),
    (
        "the operator's edge is down",
        Case(overrides=[override("a", "c")], conditions={"c": DOWN}),
        "nowhere",
        ["a", "b"],
    ),
    (
        "the operator's edge is full",
        Case(overrides=[override("a", "c")], conditions={"c": FULL}),
        "nowhere",
        ["a", "b"],
    ),
    (
        "the operator's edge has no room",
        Case(overrides=[override("a", "c")], left={"c": 999}),
        "nowhere",
        ["a", "c", "b"],
    ),
    (
        "the operator's edge failed for this viewer",
        Case(overrides=[override("a", "c")], seen=[("c", 0, 100)]),
        "nowhere",
        ["a", "b"],
    ),
    (
        "the operator's edge is of another shape",
        Case(edges=(A, B, PORT), overrides=[override("a", "port")]),
        "nowhere",
        ["a", "b"],
    ),
    (
        "the operator's edge is not there",
        Case(overrides=[override("a", "x")]),
        "fine",
        ["a", "b", "c"],
    ),
    (
        "two operators send it in circles",
        Case(overrides=[override("a", "b"), override("b", "c"), override("c", "a")]),
        "fine",
        ["a", "b", "c"],
    ),
    (
        "one after the other",
        Case(overrides=[override("a", "b"), override("b", "c")]),
        "override",
        ["b", "c", "a"],
    ),
    (
        "its edge is down, and an operator relieves the next",
        Case(conditions={"a": DOWN}, overrides=[override("b", "c")]),
        "down",
        ["c", "b", "a"],
    ),
    (
        "it was sent, and the override has ended",
        Case(told=C, reports=[("c", None)]),
        "fine",
        ["c", "a", "b"],
    ),
    (
        "slow for it, and for others of its network, who are faster elsewhere",
        Case(reports=[("a", 1_000_000)], others={"a": 900, "b": 8000}),
        "slow",
        ["b", "c", "a"],
    ),
    (
        "and the next edge is slow for them, too",
        Case(reports=[("a", 1_000_000)], others={"a": 900, "b": 1000, "c": 8000}),
        "slow",
        ["c", "b", "a"],
    ),
    (
        "slow for it alone: its own line is slow",
        Case(reports=[("a", 1_000_000)], others={"a": 8000, "b": 8000}),
        "fine",
        ["a", "b", "c"],
    ),
    (
        "slow for others, not for it",
        Case(reports=[("a", 5_000_000)], others={"a": 900, "b": 8000}),
        "fine",
        ["a", "b", "c"],
    ),
    (
        "the whole network is slow",
        Case(reports=[("a", 1_000_000)], others={"a": 900, "b": 1000, "c": 1100}),
        "fine",
        ["a", "b", "c"],
    ),
    (
        "others leave the edge by themselves",
        Case(reports=[("a", 1_000_000)], others={"a": 0, "b": 8000}),
        "slow",
        ["b", "c", "a"],
    ),
    (
        "enough for its ladder",
        Case(reports=[("a", 1_000_000)], need=1000, others={"a": 900, "b": 8000}),
        "fine",
        ["a", "b", "c"],
    ),
    (
        "much less than nearly all of its network have",
        Case(reports=[("a", 1_000_000)], never_moved=True, prior=2001),
        "slow",
        ["b", "c", "a"],
    ),
    (
        "much less than its page has measured",
        Case(reports=[("a", 1_000_000)], never_moved=True, probed=2001),
        "slow",
        ["b", "c", "a"],
    ),
    (
        "as the page has measured",
        Case(reports=[("a", 1_000_000)], never_moved=True, probed=1500),
        "fine",
        ["a", "b", "c"],
    ),
    (
        "not much less",
        Case(reports=[("a", 1_000_000)], never_moved=True, prior=2000),
        "fine",
        ["a", "b", "c"],
    ),
    (
        "it has moved, so that it could compare",
        Case(reports=[("a", 1_000_000)], prior=8000),
        "fine",
        ["a", "b", "c"],
    ),
    (
        "others are as fast there as they should be",
        Case(reports=[("a", 1_000_000)], never_moved=True, prior=8000, others={"a": 8000}),
        "fine",
        ["a", "b", "c"],
    ),
    (
        "others are as slow there, and nothing is known of other edges",
        Case(reports=[("a", 1_000_000)], never_moved=True, prior=8000, others={"a": 900}),
        "slow",
        ["b", "c", "a"],
    ),
    (
        "what a player says at first, it has not measured",
        Case(
            reports=[("a", 500_000)],
            never_moved=True,
            first_request=True,
            prior=8000,
            others={"a": 500, "b": 8000},
        ),
        "fine",
        ["a", "b", "c"],
    ),
    (
        "its edge is down, and the next is slow for others",
        Case(conditions={"a": DOWN}, others={"b": 1000, "c": 8000}),
        "down",
        ["c", "b", "a"],
    ),
    (
        "its edge is down, and others leave the next by themselves",
        Case(conditions={"a": DOWN}, others={"b": 0}),
        "down",
        ["c", "b", "a"],
    ),
    (
        "its edge is down, and others leave all by themselves",
        Case(conditions={"a": DOWN}, others={"b": 0, "c": 0}),
        "down",
        ["b", "c", "a"],
    ),
    (
        "a lie: an edge that it cannot have",
        Case(edges=(A, B, C, PORT), reports=[("port", 1_000)]),
        "fine",
        ["a", "b", "c"],
    ),
    (
        "a lie: an edge that it was not offered",
        Case(
            edges=(A, B, C, Edge("d", "https://d.example/v/")),
            reports=[("d", 100_000)],
            estimate=9000,
        ),
        "fine",
        ["a", "b", "c"],
    ),
    (
        "a lie: an edge that is down",
        Case(conditions={"b": DOWN}, reports=[("b", 100_000)], estimate=9000),
        "fine",
        ["a", "c"],
    ),
    (
        "the base, which is down, is not left yet",
        Case(told=B, conditions={"a": DOWN}, reports=[("a", 100_000)], estimate=9000),
        "fine",
        ["b", "c", "a"],
    ),
    (
        "the base, which was removed, is not left yet",
        Case(edges=(B, C), told=B, reports=[("a", 100_000)], estimate=9000),
        "fine",
        ["b", "c"],
    ),
    (
        "DASH: of several, the one that it was told",
        Case(reports=[("b", None), ("a", 9_000_000)]),
        "fine",
        ["a", "b", "c"],
    ),
]


@pytest.mark.parametrize(
    ("case", "reason", "priority"), [row[1:] for row in CASES], ids=[r[0] for r in CASES]
)
def test_decisions(case: Case, reason: str, priority: list[str]) -> None:
    """Why, and the pathways in order."""
    found = answer(case)
    assert (reason, priority) == (found.reason, [edge.id for edge in found.priority])
    assert found.moved is (found.state.told != case.told.key and reason != "failed")
    told_now = found.moved or reason == "failed"
    before = 0 if case.never_moved else NOW - case.told_ago
    assert (NOW if told_now else before) == found.state.told_s
    assert NOW == found.state.issued_s


def test_every_reason_has_a_row() -> None:
    assert {*MOVE_REASONS, *STAY_REASONS} == {row[2] for row in CASES}


def test_the_best_that_was_seen_decays() -> None:
    """Half after 300 s; a new report counts at once, and nothing is forgotten of a busy session."""
    calm = Case(reports=(), estimate=8000)
    assert 4000 == answer(calm, replace(state_of(calm), issued_s=NOW - 300)).state.estimate_kbps
    assert 8000 == answer(calm, replace(state_of(calm), issued_s=NOW)).state.estimate_kbps
    assert 9000 == answer(Case(estimate=8000)).state.estimate_kbps


FIGURES: list[tuple[str, list[int], list[str]]] = [
    ("a slow line, and a faster built-in figure", [1000, *[400] * 5], ["fine"] * 6),
    ("a slow line from the start", [400] * 6, ["fine"] * 6),
    ("an edge that becomes slow", [500, 9000, 1000], ["fine", "fine", "slow"]),
    ("after a while on a steady line", [500, *[9000] * 30, 1000], ["fine"] * 31 + ["slow"]),
    ("after a rest, its network may be another", [500, *[9000] * 15, 1600], ["fine"] * 17),
]


@pytest.mark.parametrize(
    ("figures", "reasons"), [row[1:] for row in FIGURES], ids=[row[0] for row in FIGURES]
)
def test_what_a_player_measures_over_time(figures: list[int], reasons: list[str]) -> None:
    """Every 30 s, in kbit/s: neither what it is built with nor what it repeats is a measurement."""
    case = Case(never_moved=True, first_request=True)
    state, seen = state_of(case), []
    for number, kbps in enumerate(figures):
        told = replace(case, reports=[("a", kbps * 1000)])
        found = answer(told, state, at_s=NOW + 30 * number)
        state = found.state
        seen.append(found.reason)
    assert reasons == seen


def test_a_repeated_figure_is_a_measurement_once_in_a_while() -> None:
    """A player that is paused is told from one whose edge failed for as long as it is paused."""
    case = Case(told=B, told_ago=600, seen=[("a", 9000, 30)])
    state, measured = state_of(case), []
    for number in range(60):
        found = answer(case, state, at_s=NOW + 30 * number)
        state = found.state
        assert (True, "fine") == (found.idle, found.reason)
        if found.measured_kbps:
            measured.append(30 * number)
    assert [570, 1170, 1770] == measured
    resumed = answer(replace(case, reports=[("a", 8_999_000)]), state, at_s=NOW + 1800)
    assert (False, 8999, "failed") == (resumed.idle, resumed.measured_kbps, resumed.reason)


OTHER_A, OTHER_B = (replace(edge, url=f"https://new-{edge.id}.example/v/") for edge in (A, B))
NEW_A, NEW_B = (f"{edge.id}.{edge.host_tag:04x}" for edge in (OTHER_A, OTHER_B))
KNOWN = A.host_tag
"""The base's host in the playlist."""

MOVED_HOSTS: list[tuple[str, Case, str, list[str]]] = [
    ("nothing has changed", Case(base_host=KNOWN), "fine", ["a", "b", "c"]),
    (
        "an edge is new to the player",
        Case(edges=(A, OTHER_B, C), base_host=KNOWN, clones=[C]),
        "fine",
        ["a", "b", "c"],
    ),
    (
        "a clone that it knows is on another host",
        Case(edges=(A, OTHER_B, C), base_host=KNOWN),
        "fine",
        ["a", NEW_B, "c"],
    ),
    (
        "a clone is on the first host again",
        Case(base_host=KNOWN, clones=[B, C, OTHER_B]),
        "fine",
        ["a", "b", "c"],
    ),
    (
        "the clone that it was told is on another host",
        Case(edges=(A, OTHER_B, C), told=B, reports=[("b", 9_000_000)], base_host=KNOWN),
        "gone",
        ["a", NEW_B, "c"],
    ),
    (
        "it uses the new one",
        Case(
            edges=(A, OTHER_B, C),
            told=B,
            reports=[(NEW_B, 9_000_000)],
            base_host=KNOWN,
            clones=[B, C, OTHER_B],
        ),
        "fine",
        [NEW_B, "a", "c"],
    ),
    (
        "the base is on another host: that is a clone of the old one",
        Case(edges=(OTHER_A, B, C), base_host=KNOWN),
        "gone",
        [NEW_A, "b", "c"],
    ),
    (
        "it says that it uses the old one",
        Case(edges=(OTHER_A, B, C), base_host=KNOWN, clones=[B, C, OTHER_A]),
        "fine",
        [NEW_A, "b", "c"],
    ),
    (
        "a lie: an id that nobody gave it",
        Case(reports=[("b.ffff", 100_000)], base_host=KNOWN, estimate=9000),
        "fine",
        ["a", "b", "c"],
    ),
]


@pytest.mark.parametrize(
    ("case", "reason", "pathways"),
    [row[1:] for row in MOVED_HOSTS],
    ids=[row[0] for row in MOVED_HOSTS],
)
def test_edges_with_other_hosts(case: Case, reason: str, pathways: list[str]) -> None:
    """A clone that leads to another host than before has an id that the player does not know."""
    found = answer(case)
    assert (reason, pathways) == (found.reason, list(found.pathways))
    again = steer_again(case, found.state, pathways[0])
    assert ("fine", pathways) == (again.reason, list(again.pathways))


def steer_again(case: Case, state: SteeringState, playing: str) -> Steered:
    """The answer to a player that obeyed."""
    return answer(replace(case, reports=[(playing, 9_000_000)]), state)


def test_the_clones_that_are_remembered_are_bounded() -> None:
    """Those that the player learned of last."""
    known = [Edge(f"x{number}", f"https://x{number}.example/v/") for number in range(MAX_CLONES)]
    found = answer(Case(clones=known)).state.clones
    assert [*(Clone(edge.tag, edge.host_tag) for edge in known[2:]), *map(clone, (B, C))] == list(
        found
    )


def test_edges_that_refreshes_declare_are_bounded() -> None:
    """As many as a state can hold; clones make room for them."""
    edges = [A, *(Edge(f"e{n}", f"https://e{n}.example/v/", fallback=True) for n in range(12))]
    case = Case(edges=edges, clones=edges[1:9], declared=2)
    state = replace(state_of(case), live=True)
    for edge in edges:
        state = answer(replace(case, reports=[(edge.id, 9_000_000)]), state).state
        assert len(state.clones) <= MAX_CLONES
        assert state == SteeringState.from_bytes(state.to_bytes(), state.asset, NOW)
    assert MAX_CLONES + 1 == state.declared
    assert edges[1].tag == state.clones[0][0]


@pytest.mark.parametrize(
    ("conditions", "declared"), [({"c": DOWN}, 2), ({}, 3), (dict.fromkeys("abc", DOWN), 3)]
)
def test_an_edge_that_is_down_is_not_declared(
    conditions: Mapping[str, EdgeCondition], declared: int
) -> None:
    """Nobody plays there, so no refresh has brought it. While all are down, it may be up."""
    case = Case(conditions=conditions, clones=[B], declared=2, reports=[("c", 9_000_000)])
    state = replace(state_of(case), live=True)
    assert declared == answer(case, state).state.declared


def test_pathways_of_an_mpd_are_never_forgotten() -> None:
    """Of the others, those that the player learned of last are remembered."""
    known = [Edge(f"x{number}", f"https://x{number}.example/v/") for number in range(MAX_CLONES)]
    found = answer(Case(clones=known, declared=3)).state
    kept = [Clone(edge.tag, edge.host_tag) for edge in (*known[:2], *known[4:])]
    assert [*kept, *map(clone, (B, C))] == list(found.clones)
    assert 3 == found.declared


def clone(edge: Edge) -> Clone:
    """How the state has it."""
    return Clone(edge.tag, edge.host_tag)


def test_obeying_is_told() -> None:
    found = answer(Case(told=B, told_ago=30))
    assert (A, False) == (found.playing, found.obeyed)
    found = answer(Case())
    assert (A, True) == (found.playing, found.obeyed)


ON_B = (("b", 9_000_000),)
CLAIMS = [
    ("nothing contradicts it", Case(told=B, reports=ON_B), B, True),
    ("it has repeated what it was told", Case(told=B, reports=ON_B, unstated=True), A, False),
    ("it names another", Case(told=B, reports=(("c", 1),), unstated=True), C, False),
    ("it is on the base", Case(reports=(("a", 1),), unstated=True), A, True),
    (
        "a pathway of its manifest",
        Case(told=B, reports=ON_B, unstated=True, declared=3),
        B,
        True,
    ),
    ("its reports name the base", Case(told=B, reports=ON_B, reported=A), A, False),
    ("its reports name a third", Case(told=B, reports=ON_B, reported=C), C, False),
    ("its reports confirm it", Case(told=B, reports=ON_B, unstated=True, reported=B), B, True),
    (
        "its reports name what it does not have",
        Case(told=B, reports=ON_B, reported=C, clones=(B,)),
        B,
        True,
    ),
    (
        "it had no time to move",
        Case(told=B, told_ago=20, reports=ON_B, reported=A),
        B,
        True,
    ),
]


@pytest.mark.parametrize(
    ("case", "playing", "obeyed"), [row[1:] for row in CLAIMS], ids=[row[0] for row in CLAIMS]
)
def test_evidence_counts_more_than_a_claim(case: Case, playing: Edge, obeyed: bool) -> None:
    """Whoever repeats what it was told has not moved. It is told the same again, and that is no
    failure of the edge; what it measures, it measures where it plays."""
    found = answer(case)
    assert (playing, obeyed) == (found.playing, found.obeyed)
    if case.reports == ON_B and not obeyed:
        assert (B, False) == (found.priority[0], found.moved)
        assert [(playing.key, 9000)] == [(one.edge, one.kbps) for one in found.state.records]


def test_what_was_said_before_is_no_news() -> None:
    """The state has it, so that any worker knows."""
    alone = Case(edges=(A,), conditions={"a": DRAINS}, leaving_for=120.0, clones=())
    found = answer(alone)
    assert ("nowhere", False) == (found.reason, found.moved)
    assert found.state.said != 0
    again = answer(alone, replace(state_of(alone), said=found.state.said))
    assert found.state.said == again.state.said
    assert 0 == answer(Case()).state.said
    assert 0 != answer(Case(told=B, told_ago=30)).state.said


LIES = [row for row in CASES if row[0].startswith(("a lie", "the base, which"))]


@pytest.mark.parametrize("case", [row[1] for row in LIES], ids=[row[0] for row in LIES])
def test_what_changes_nothing(case: Case) -> None:
    """Nothing is recorded, and the answer is the one without a report; who was asked about it is
    told."""
    found, silent = answer(case), answer(replace(case, reports=()))
    assert silent.state == found.state
    assert silent.priority == found.priority
    name = case.reports[0][0]
    has = name in "ab"
    assert (not has, not has) == (found.passed_over, found.obeyed)
    shown = next((edge for edge in case.edges if has and edge.id == name), None)
    assert shown == found.playing


def test_the_ttl_varies_around_its_value() -> None:
    """Within the jitter, for every session in another way; never 0."""
    ttls = [answer(Case(), replace(state_of(Case()), viewer=number)).ttl_s for number in range(500)]
    assert (27, 33) == (min(ttls), max(ttls))
    assert 29 < sum(ttls) / len(ttls) < 31
    tiny = SteeringConfig(ttl_s=1, ttl_jitter=0.9)
    assert 1 == min(
        answer(Case(), replace(state_of(Case()), viewer=n), tiny).ttl_s for n in range(100)
    )


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
@pytest.mark.no_cover  # thousands of viewers through the same few lines
def test_sessions_leave_a_draining_edge_over_the_period(share: float) -> None:
    """After a part of the period, that part has left, to both neighbours alike."""
    viewers = range(1, 2001)
    case = Case(conditions={"a": DRAINS}, leaving_for=CONFIG.leave_s * share)
    answers = [answer(case, replace(state_of(case), viewer=number << 40)) for number in viewers]
    moved = [found.priority[0].id for found in answers if found.moved]
    assert share - 0.04 < len(moved) / len(viewers) < share + 0.04
    assert 0.44 < moved.count("b") / len(moved) < 0.56


@pytest.mark.no_cover  # thousands of viewers through the same few lines
def test_a_degraded_edge_keeps_the_share_that_it_admits() -> None:
    case = Case(conditions={"a": HALF}, leaving_for=CONFIG.leave_s)
    viewers = range(1, 2001)
    answers = [answer(case, replace(state_of(case), viewer=number << 40)) for number in viewers]
    assert 0.45 < sum(found.moved for found in answers) / len(viewers) < 0.55


def test_without_room_an_edge_that_takes_viewers_is_the_last_resort() -> None:
    """Whatever the order of the edges, and although it has failed for this viewer."""
    case = Case(conditions={"a": DOWN, "b": FULL}, seen=[("c", 0, 300)])
    fleet = Fleet.of(case.edges, case.conditions)
    reports = [PathwayReport("a", 9_000_000)]
    situation = Situation(CONFIG, fleet, {}, CLOCK, NOW)
    order = [fleet.positions[name] for name in "bc"]
    found = steer(situation, state_of(case), order, reports, {"b": 0, "c": 0}.get)
    assert ("down", C) == (found.reason, found.priority[0])


def test_an_edge_begins_to_be_left_once() -> None:
    """Other changes of the fleet do not begin the period again."""
    draining = Fleet.of((A, B), {"a": DRAINS})
    first = leaving_since(draining, {}, 100.0, CONFIG.leave_s)
    assert {A.key: Leaving("draining", 0.0, 100.0)} == first
    both = leaving_since(Fleet.of((A, B), {"a": DRAINS, "b": HALF}), first, 200.0, CONFIG.leave_s)
    expected = {A.key: first[A.key], B.key: Leaving("degraded", 0.5, 200.0)}
    assert expected == both
    full = EdgeCondition("draining", 1.0, full=True, why="another reason")
    assert expected == leaving_since(
        Fleet.of((A, B), {"a": full, "b": HALF}), both, 250.0, CONFIG.leave_s
    )
    assert {} == leaving_since(Fleet.of((A, B), {"a": DOWN}), both, 300.0, CONFIG.leave_s)


LEFT_AGAIN = [
    ("a degraded edge is drained", HALF, DRAINS, 200.0),
    ("one that drained is only degraded", DRAINS, HALF, 200.0),
    ("it admits fewer viewers", HALF, EdgeCondition("degraded", 0.3), 200.0),
    ("it admits none, as it is full", HALF, EdgeCondition("degraded", 0.5, full=True), 200.0),
    ("it admits more", HALF, EdgeCondition("degraded", 0.7), 100.0),
]


@pytest.mark.parametrize(
    ("before", "after", "since_s"),
    [row[1:] for row in LEFT_AGAIN],
    ids=[row[0] for row in LEFT_AGAIN],
)
def test_sessions_that_stayed_have_a_period_of_their_own(
    before: EdgeCondition, after: EdgeCondition, since_s: float
) -> None:
    """When more sessions are to leave an edge than before, its period begins again."""
    first = leaving_since(Fleet.of((A, B), {"a": before}), {}, 100.0, 60.0)
    found = leaving_since(Fleet.of((A, B), {"a": after}), first, 200.0, 60.0)
    share = after.admits if after.open else 0.0
    assert {A.key: Leaving(after.state, share, since_s)} == found


def test_a_share_that_falls_again_after_it_rose_begins_the_period_again() -> None:
    """Those that came in the meantime leave over the period as well."""
    found: Mapping[int, Leaving] = {}
    for clock_s, share in ((100.0, 0.5), (200.0, 0.7), (300.0, 0.5)):
        fleet = Fleet.of((A, B), {"a": EdgeCondition("degraded", share)})
        found = leaving_since(fleet, found, clock_s, 60.0)
    assert {A.key: Leaving("degraded", 0.5, 300.0)} == found


def test_a_share_that_goes_up_and_down_does_not_keep_sessions() -> None:
    """As that of an edge which is full every other moment: a period that runs goes on."""
    found: Mapping[int, Leaving] = {}
    for clock_s in range(100, 160):
        full = EdgeCondition("degraded", 0.5, full=clock_s % 2 == 0)
        found = leaving_since(Fleet.of((A, B), {"a": full}), found, float(clock_s), 60.0)
    assert 100.0 == found[A.key].since_s


@pytest.mark.no_cover  # thousands of viewers through the same few lines
def test_draining_a_degraded_edge_does_not_move_all_at_once() -> None:
    """The half that stayed on it leaves over the period, too."""
    case = Case(conditions={"a": DRAINS})
    degraded = Fleet.of(case.edges, {"a": HALF})
    fleet = Fleet.of(case.edges, case.conditions)
    first = leaving_since(degraded, {}, CLOCK - 600, CONFIG.leave_s)
    leaving = leaving_since(fleet, first, CLOCK - CONFIG.leave_s / 4, CONFIG.leave_s)
    situation = Situation(CONFIG, fleet, leaving, CLOCK, NOW)
    viewers = [number << 40 for number in range(1, 2001)]
    stayed = [viewer for viewer in viewers if admits(degraded, 0, viewer)]
    reports = [PathwayReport("a", 9_000_000)]
    states = [replace(state_of(case), viewer=viewer) for viewer in stayed]
    moved = [steer(situation, one, [1, 2], reports, case.left.get).moved for one in states]
    assert 0.2 < sum(moved) / len(moved) < 0.3


@pytest.mark.parametrize("ahead_s", [0, 1, CLOCK_SKEW_S])
def test_what_a_clock_that_is_ahead_has_issued_goes_on(ahead_s: int) -> None:
    """The next answer is readable, whichever host gives it: a state never ends before it begins."""
    case = Case(never_moved=True, first_request=True)
    began = answer(case, at_s=NOW + ahead_s)
    read = SteeringState.from_bytes(began.state.to_bytes(), began.state.asset, NOW)
    assert read == began.state
    again = answer(replace(case, conditions={"a": DOWN}), read)
    assert again.moved
    assert NOW + ahead_s == again.state.told_s
    assert again.state == SteeringState.from_bytes(again.state.to_bytes(), read.asset, NOW)
    later = answer(case, again.state, at_s=NOW + 100)
    assert (NOW + ahead_s, NOW + 100) == (later.state.told_s, later.state.issued_s)


def test_the_latest_records_stay() -> None:
    """Those of the four edges that were measured last."""
    seen = [(f"e{number}", 1000, 100 + number) for number in range(4)]
    found = answer(Case(seen=seen)).state.records
    assert [A.key, *(Edge(f"e{number}", A.url).key for number in range(3))] == [
        one.edge for one in found
    ]
