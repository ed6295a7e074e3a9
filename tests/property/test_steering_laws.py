"""Laws of content steering: whatever a session has seen, and whatever its edges are like."""

import json
import time

from hypothesis import given
from hypothesis import strategies as st

from gateway.client.session import asset_name
from gateway.edge.edge import Edge
from gateway.edge.fleet import EdgeCondition, Fleet
from gateway.edge.rank import PreferenceOrder, admits, ordered_by_key, ranked_tiers
from gateway.http.asgi import read_steering_request
from gateway.play.reply import Reply
from gateway.play.request import NO_HEADERS
from gateway.play.steering import decide_steering
from gateway.steering.decide import Situation, Steered, steer
from gateway.steering.leaving import leaving_since
from gateway.steering.query import PathwayReport
from gateway.steering.signatures import tag_at
from gateway.steering.state import (
    MAX_RECORDS,
    Clone,
    PathwayRecord,
    PlaylistReference,
    SteeringState,
)
from gateway.steering.steering_config import SteeringConfig
from gateway.trust.keys import Purpose
from geodata.place import Place
from manifests.steering import PathwayClone, write_steering_manifest
from tests.integration.in_process import application
from tests.signed_urls import signing

NOW, CLOCK = 1_800_000_000, 10_000.0
ASSET = asset_name("film")
HOSTS = tuple(f"https://e{number}.example/v/" for number in range(5))
EDGES = (
    *(Edge(f"e{n}", url) for n, url in enumerate(HOSTS)),
    Edge("port", "https://p.example:1/v/"),
)
IDS = [edge.id for edge in EDGES]

CONDITIONS = st.builds(
    EdgeCondition,
    st.sampled_from(["up", "degraded", "draining", "down"]),
    st.sampled_from([0.0, 0.3, 1.0]),
    st.booleans(),
)
RECORDS = st.lists(
    st.builds(
        PathwayRecord,
        st.sampled_from([edge.key for edge in EDGES]) | st.integers(0, 2**64 - 1),
        st.integers(0, 20_000_000),
        st.integers(NOW - 2000, NOW),
    ),
    max_size=MAX_RECORDS,
    unique_by=lambda record: record.edge,
)
STATES = st.builds(
    SteeringState,
    asset=st.just(ASSET),
    viewer=st.integers(0, 2**64 - 1),
    spread_point=st.integers(0, 32),
    base=st.sampled_from([*IDS, "gone"]),
    shape=st.sampled_from([EDGES[0].shape, EDGES[-1].shape, 7]),
    need_kbps=st.integers(0, 20_000_000),
    expected_kbps=st.integers(0, 20_000_000),
    told=st.sampled_from([edge.key for edge in EDGES]) | st.integers(0, 2**64 - 1),
    told_s=st.integers(NOW - 3000, NOW - 1000),
    issued_s=st.integers(NOW - 1000, NOW),
    estimate_kbps=st.integers(0, 20_000_000),
    records=RECORDS.map(tuple),
)
REPORTS = st.lists(
    st.builds(
        PathwayReport,
        st.sampled_from([*IDS, "gone", ".", "x"]),
        st.none() | st.integers(8000, 20_000_000_000),
    ),
    max_size=3,
)
FLEETS = st.builds(
    Fleet.of,
    st.lists(st.sampled_from(EDGES), min_size=1, unique_by=lambda edge: edge.id),
    st.dictionaries(st.sampled_from(IDS), CONDITIONS),
)
LEFT = st.dictionaries(st.sampled_from(IDS), st.integers(-1000, 30_000_000))


def answered(
    fleet: Fleet,
    state: SteeringState,
    reports: list[PathwayReport],
    left: dict[str, int],
    *,
    renews: bool = True,
) -> Steered:
    """The answer of a gateway with these edges."""
    order = ordered_by_key(fleet, ranked_tiers(fleet, Place("unknown"), 0), state.viewer, 16)
    leaving = leaving_since(fleet, {}, CLOCK - 60, 60.0)
    situation = Situation(SteeringConfig(), fleet, leaving, CLOCK, NOW, renews=renews)
    return steer(situation, state, order, reports, left.get)


@given(FLEETS, st.integers(0, 2**64 - 1), st.integers(1, 7), st.integers(0, 2))
def test_an_order_begins_as_it_goes_on(fleet: Fleet, key: int, few: int, at: int) -> None:
    """However many are found first, all of them come in the same order."""
    tiers = ranked_tiers(fleet, Place("unknown"), 0)
    expected = ordered_by_key(fleet, tiers, key, 16)
    assert expected == tuple(PreferenceOrder(fleet, tiers, key, few, 16))
    order = PreferenceOrder(fleet, tiers, key, few, 16)
    assert next(iter(order), None) == next(iter(expected), None)
    assert (len(expected), expected[:at], expected) == (len(order), order[:at], tuple(order))
    assert [one == order[position] for position, one in enumerate(expected)].count(False) == 0


@given(FLEETS, STATES, REPORTS, LEFT)
def test_every_answer_can_be_followed(
    fleet: Fleet, state: SteeringState, reports: list[PathwayReport], left: dict[str, int]
) -> None:
    """Distinct edges of the fleet that the player has or can clone, at most three; the one that
    the session was told is first."""
    found = answered(fleet, state, reports, left)
    assert len(found.priority) == len({edge.id for edge in found.priority}) <= 3
    assert {edge.id for edge in found.priority} <= set(fleet.positions)
    for edge in found.priority:
        known = edge.id == state.base or edge.key == state.told
        assert known or (edge.host is not None and edge.shape == state.shape)
    if found.state.told in fleet.index.by_key:
        assert found.state.told == found.priority[0].key
    assert SteeringState.from_bytes(found.state.to_bytes(), ASSET, NOW) == found.state


@given(FLEETS, STATES, REPORTS, LEFT)
def test_a_session_moves_only_where_it_may(
    fleet: Fleet, state: SteeringState, reports: list[PathwayReport], left: dict[str, int]
) -> None:
    """To an edge that takes this viewer and has room, unless its own is gone or down; and not
    twice within the dwell."""
    found = answered(fleet, state, reports, left)
    if not found.moved:
        return
    to = found.priority[0]
    if found.reason in {"leaving", "slow"}:
        assert admits(fleet, fleet.positions[to.id], state.viewer)
        assert left.get(to.id, state.expected_kbps) >= state.expected_kbps
    again = answered(fleet, found.state, [PathwayReport(to.id, 8000)], left)
    assert not again.moved or again.reason in {"gone", "down"}


SIGNING = (
    *(Edge(f"e{n}", url, signing=signing("ab"[n % 2])) for n, url in enumerate(HOSTS)),
    EDGES[-1],
)
SIGNING_FLEETS = st.builds(
    Fleet.of,
    st.lists(st.sampled_from(SIGNING), min_size=1, unique_by=lambda edge: edge.id),
    st.dictionaries(st.sampled_from(IDS), CONDITIONS),
)
AGES_S = st.sampled_from([0, 300, 900])
CLONES = st.lists(
    st.builds(
        lambda edge, age_s: Clone(edge.tag, tag_at(edge, NOW - age_s)),
        st.sampled_from(SIGNING),
        AGES_S,
    ),
    max_size=4,
)


@given(SIGNING_FLEETS, STATES, CLONES, st.integers(0, 5), AGES_S, REPORTS, LEFT)
def test_a_session_that_gets_no_new_signatures_is_told_what_it_has(
    fleet: Fleet,
    state: SteeringState,
    clones: list[Clone],
    declared: int,
    age_s: int,
    reports: list[PathwayReport],
    left: dict[str, int],
) -> None:
    """If it moves, then to the edge that the answer puts first; else it was told nothing new."""
    base = next((edge for edge in SIGNING if edge.id == state.base), SIGNING[0])
    state.playlist, state.clones = PlaylistReference(b"abcd", b"\1"), tuple(clones)
    state.base_host, state.declared = tag_at(base, NOW - age_s), min(declared, len(clones) + 1)
    found = answered(fleet, state, reports, left, renews=False)
    known = {edge_tag for edge_tag, _ in state.clones}
    for edge, is_sibling in zip(found.priority, found.naming.siblings, strict=True):
        assert is_sibling or edge.id == state.base or edge.tag in known
    if found.moved:
        assert found.state.told == found.priority[0].key
    elif found.reason != "failed":
        assert (state.told, state.told_s) == (found.state.told, found.state.told_s)


@given(FLEETS, STATES, REPORTS, LEFT)
def test_the_same_question_has_the_same_answer(
    fleet: Fleet, state: SteeringState, reports: list[PathwayReport], left: dict[str, int]
) -> None:
    """Any worker gives it."""
    assert answered(fleet, state, reports, left) == answered(fleet, state, reports, left)


APP = application()


@given(STATES, REPORTS, st.binary(max_size=30))
def test_any_signed_state_is_answered(
    state: SteeringState, reports: list[PathwayReport], noise: bytes
) -> None:
    """Such as that of another version, or of a gateway with other edges."""
    state.told_s, state.issued_s, state.records = 1, int(time.time()), ()
    text = APP.gateway.keys.sign(Purpose.STEERING_STATE, state.to_bytes())
    names = ",".join(report.pathway for report in reports)
    query = f"state={text}&_DASH_pathway={names}&".encode() + noise
    scope = {
        "method": "GET",
        "path": "/v1/steering/film",
        "query_string": query,
        "client": ("203.0.113.9", 1),
    }
    reply = decide_steering(APP.gateway, read_steering_request(scope, NO_HEADERS))
    assert isinstance(reply, Reply)
    body = json.loads(reply.body)
    assert (200, 1) == (reply.status, body["VERSION"])
    clones = [
        PathwayClone(one["BASE-ID"], one["ID"], one["URI-REPLACEMENT"]["HOST"])
        for one in body.get("PATHWAY-CLONES", [])
    ]
    url, ids = body["RELOAD-URI"], body["PATHWAY-PRIORITY"]
    assert reply.body == write_steering_manifest(body["TTL"], url, ids, clones)  # which checks it
