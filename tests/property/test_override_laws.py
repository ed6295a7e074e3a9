"""Laws of overrides: the share, who is in it, and that nobody goes to and fro at its edges."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.client.session import asset_name
from gateway.edge.edge import Edge
from gateway.edge.fleet import EdgeCondition, Fleet
from gateway.edge.override import WHOLE, Override, diversion_of, point_of
from gateway.edge.rank import admits, ordered_by_key, ranked_tiers
from gateway.steering.decide import Situation, Steered, steer
from gateway.steering.query import PathwayReport
from gateway.steering.state import SteeringState
from gateway.steering.steering_config import SteeringConfig
from geodata.place import Place

START, CLOCK = 1_800_000_000, 5000.0
CONFIG = SteeringConfig()
EDGES = tuple(Edge(f"e{n}", f"https://e{n}.example/v/", fallback=True) for n in range(4))
IDS = [edge.id for edge in EDGES]
VIEWERS = st.integers(1, 2**64 - 1)
SHARES = st.integers(1, WHOLE)
CONDITIONS = st.builds(
    EdgeCondition,
    st.sampled_from(["up", "degraded", "draining", "down"]),
    st.sampled_from([0.0, 0.3, 1.0]),
    st.booleans(),
)


def override(source: str, target: str, low: int, high: int) -> Override:
    """One that begins at ``START`` and ends an hour later."""
    return Override("0" * 8, source, target, low, high, START, START + 3600, "me@here", "")


OVERRIDES = st.lists(
    st.builds(
        lambda pair, bounds: override(*pair, *bounds),
        st.permutations(IDS).map(lambda ids: ids[:2]),
        st.tuples(st.integers(0, WHOLE - 1), SHARES).map(
            lambda one: (one[0], min(WHOLE, one[0] + one[1]))
        ),
    ),
    min_size=1,
    max_size=4,
)


@given(st.lists(VIEWERS, min_size=1, max_size=30), SHARES, SHARES)
def test_a_larger_share_has_all_sessions_of_a_smaller(
    viewers: Sequence[int], one: int, other: int
) -> None:
    small, large = sorted((one, other))
    narrow, wide = (
        Fleet.of(EDGES, overrides=[override("e0", "e1", 0, share)]) for share in (small, large)
    )
    for viewer in viewers:
        if diversion_of(narrow.diversions, EDGES, 0, viewer) is not None:
            assert diversion_of(wide.diversions, EDGES, 0, viewer) is not None


@given(st.integers(0, 2**60), st.integers(500, WHOLE - 500))
def test_the_share_is_kept(seed: int, share: int) -> None:
    """Of any sessions: within four standard deviations and a half."""
    fleet = Fleet.of(EDGES, overrides=[override("e0", "e1", 0, share)])
    count, part = 2000, share / WHOLE
    hit = sum(
        diversion_of(fleet.diversions, EDGES, 0, point_of(seed, number)) is not None
        for number in range(count)
    )
    assert abs(hit - count * part) <= 4.5 * (count * part * (1 - part)) ** 0.5


@given(
    OVERRIDES,
    st.dictionaries(st.sampled_from(IDS), CONDITIONS),
    VIEWERS,
    st.sampled_from(EDGES),
    st.dictionaries(st.sampled_from(IDS), st.integers(-1000, 10_000)),
)
def test_nobody_is_sent_where_there_is_no_place(
    overrides: Sequence[Override],
    conditions: dict[str, EdgeCondition],
    viewer: int,
    told: Edge,
    left: dict[str, int],
) -> None:
    """An override moves a session only to an edge that takes this viewer and has room."""
    fleet = Fleet.of(EDGES, conditions, overrides=overrides)
    session = Session(viewer, told, left)
    found = session.ask(fleet, START + 1800)
    if found.reason == "override":
        to = found.priority[0]
        assert admits(fleet, fleet.positions[to.id], viewer)
        assert left.get(to.id, 1000) >= 1000
        assert to.id in {one.target for one in overrides if one.source == told.id}
    order = session.order(fleet)
    plain = session.order(Fleet.of(EDGES, conditions))
    assert set(order) == set(plain)
    if order[0] != plain[0]:
        assert admits(fleet, order[0], viewer)


@given(OVERRIDES, VIEWERS, st.sampled_from(EDGES))
def test_nobody_goes_to_and_fro(overrides: Sequence[Override], viewer: int, told: Edge) -> None:
    """Through the beginning, the hour and the end of overrides, a session moves along them, never
    to an edge where it was; and nothing moves it back when they end."""
    session = Session(viewer, told)
    quiet, steered = Fleet.of(EDGES), Fleet.of(EDGES, overrides=overrides)
    been = [told.key]
    for now in range(START - 300, START + 5400, 30):
        found = session.ask(steered if START <= now < START + 3600 else quiet, now)
        if found.moved:
            assert found.reason == "override"
            assert START <= now < START + 3600
            assert found.state.told not in been
            been.append(found.state.told)
    assert len(been) <= len(EDGES)


@given(VIEWERS, st.integers(0, WHOLE // 2), SHARES)
def test_everybody_of_the_share_moves_in_the_period(viewer: int, low: int, share: int) -> None:
    """And nobody else; all within ``leave_s`` and the time between two requests."""
    high = min(WHOLE, low + share)
    fleet = Fleet.of(EDGES, overrides=[override("e0", "e1", low, high)])
    chosen = low / WHOLE <= point_of(EDGES[0].key, viewer) / 2**64 < high / WHOLE
    session = Session(viewer, EDGES[0])
    moved = [session.ask(fleet, START + at).moved for at in range(0, int(CONFIG.leave_s) + 31, 30)]
    assert chosen is (sum(moved) == 1)
    assert any(moved) is chosen


@given(VIEWERS, SHARES)
def test_as_many_move_early_as_late(viewer: int, share: int) -> None:
    """The turn of a session does not depend on its place in the share."""
    assume(share >= 2)
    halves = [
        Fleet.of(EDGES, overrides=[override("e0", "e1", *bounds)])
        for bounds in ((0, share // 2), (share // 2, share))
    ]
    sessions = [viewer + number * 0x9E3779B97F4A7C15 & 2**64 - 1 for number in range(400)]
    middle = START + int(CONFIG.leave_s) // 2
    for fleet in halves:
        chosen = [
            one for one in sessions if diversion_of(fleet.diversions, EDGES, 0, one) is not None
        ]
        early = sum(Session(one or 1, EDGES[0]).ask(fleet, middle).moved for one in chosen)
        assert abs(early - len(chosen) / 2) <= 4.5 * (len(chosen) / 4) ** 0.5 + 1


@dataclass
class Session:
    """A player that obeys at once."""

    viewer: int
    told: Edge
    left: dict[str, int] | None = None

    def __post_init__(self) -> None:
        self.state = SteeringState(
            asset=asset_name("film"),
            viewer=self.viewer,
            spread_point=0,
            base=self.told.id,
            shape=self.told.shape,
            need_kbps=6000,
            expected_kbps=1000,
            told=self.told.key,
        )

    def order(self, fleet: Fleet) -> tuple[int, ...]:
        """The edges in this session's order."""
        tiers = ranked_tiers(Fleet.of(EDGES), Place("unknown"), 0)
        return ordered_by_key(fleet, tiers, self.viewer, 16)

    def ask(self, fleet: Fleet, now: int) -> Steered:
        """One request; the player plays what it was told."""
        playing = next(edge.id for edge in EDGES if edge.key == self.state.told)
        found = steer(
            Situation(CONFIG, fleet, {}, CLOCK, now),
            self.state,
            self.order(fleet),
            [PathwayReport(playing, 9_000_000)],
            (self.left or {}).get,
        )
        self.state = replace(found.state)
        return found
