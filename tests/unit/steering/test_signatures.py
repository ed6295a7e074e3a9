"""Which signature does a session have, and how is the next one named?"""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from gateway.edge.edge import Edge
from gateway.edge.fleet import EdgeCondition, Fleet
from gateway.steering.decide import MOVE_REASONS, Situation, Steered, steer
from gateway.steering.naming import longest_renewed_s, signed_names
from gateway.steering.pathways import last_pathway, named, with_clones
from gateway.steering.query import PathwayReport
from gateway.steering.signatures import outlives, sibling_tag, signed_at, tag_at
from gateway.steering.state import Clone, PlaylistReference, SteeringState
from gateway.steering.steering_config import SteeringConfig
from tests.signed_urls import signing

NOW = 1_800_000_000
LIFETIME_S, STEP_S = 600, 60
A = Edge("a", "https://a.example/v/", signing=signing())
B = Edge("b", "https://b.example/v/", signing=signing())
C = Edge("c", "https://c.example/v/", signing=signing("c"))
PLAIN = Edge("p", "https://p.example/v/")
STATE = SteeringState(
    asset=b"12345678",
    viewer=1,
    spread_point=0,
    base="a",
    shape=A.shape,
    need_kbps=1,
    expected_kbps=1,
    told=A.key,
    base_host=tag_at(A, NOW),
    playlist=PlaylistReference(b"abcd", b"\1"),
)


def test_shapes_say_which_edges_accept_each_others_signatures() -> None:
    assert A.shape == B.shape
    assert len({A.shape, C.shape, PLAIN.shape}) == 3
    assert tag_at(B, NOW) == sibling_tag(A, tag_at(A, NOW), B)
    assert 0 == sibling_tag(A, tag_at(A, NOW), C)
    assert 0 == sibling_tag(A, 0, B)
    other = Edge("q", "https://q.example/v/")
    assert PLAIN.host_tag == sibling_tag(other, other.host_tag, PLAIN)


@pytest.mark.parametrize("age_s", [-STEP_S, 0, 59, 60, LIFETIME_S])
def test_a_tag_tells_when_it_was_signed(age_s: int) -> None:
    """Also that of a host whose clock is ahead."""
    tag = tag_at(A, NOW - age_s)
    assert (NOW - age_s) // STEP_S * STEP_S == signed_at(A, tag, NOW)


def test_the_tag_of_what_has_ended_or_of_another_key_tells_nothing() -> None:
    assert signed_at(A, tag_at(A, NOW - LIFETIME_S - STEP_S), NOW) is None
    assert signed_at(A, tag_at(replace(A, signing=signing("n")), NOW), NOW) is None
    assert signed_at(PLAIN, PLAIN.host_tag, NOW) is None


def test_an_edge_without_a_name_is_not_told() -> None:
    """A session that gets no new signatures keeps those that it has: that of A, which B accepts and
    C does not. One that gets them may go to C too, and asks before the shortest signature ends."""
    fleet = Fleet.of((A, B, C))
    kept = signed_names(STATE, fleet, (A, B, C), 900, NOW, None)
    assert ((A, B), ("a", "b"), 200) == (kept.priority, kept.pathways, kept.ttl_s)
    assert ((STATE.base_host, sibling_tag(A, STATE.base_host, B)), (False, True)) == (
        kept.tags,
        kept.siblings,
    )
    renewed = signed_names(STATE, fleet, (A, B, C), 900, NOW, SteeringConfig())
    assert ((A, B, C), 200) == (renewed.priority, renewed.ttl_s)
    assert 30 == signed_names(STATE, fleet, (A, B, C), 30, NOW, SteeringConfig()).ttl_s


DOWN = EdgeCondition("down", 0.0)
KEPT = [
    ("the base is down, and the other key's edge is unknown", (A, C), (), 0, "nowhere", ["a"]),
    ("it is known", (A, C), ((C, 0),), 0, "down", ["c", "a"]),
    ("what is known of it has ended", (A, C), ((C, 0),), 9000, "nowhere", ["a"]),
    (
        "its key was replaced",
        (A, replace(C, signing=signing("n"))),
        ((C, 0),),
        0,
        "nowhere",
        ["a"],
    ),
    ("another host accepts the base's signature", (A, B), (), 0, "down", ["b", "a"]),
    ("which has ended", (A, B), (), 9000, "nowhere", ["a"]),
    ("the base was removed", (B, C), (), 0, "nowhere", []),
    ("and another edge is known", (B, C), ((C, 0),), 0, "gone", ["c"]),
]


@pytest.mark.parametrize(
    ("edges", "clones", "age_s", "reason", "priority"),
    [row[1:] for row in KEPT],
    ids=[row[0] for row in KEPT],
)
def test_a_session_that_gets_no_new_signatures_moves_where_it_can(
    edges: Sequence[Edge],
    clones: Sequence[tuple[Edge, int]],
    age_s: int,
    reason: str,
    priority: list[str],
) -> None:
    """To edges that an answer can name, and whose URLs are still good."""
    known = tuple([Clone(edge.tag, tag_at(edge, NOW - ago_s)) for edge, ago_s in clones])
    state = replace(STATE, clones=known)
    found = kept_answer(Fleet.of(edges, {"a": DOWN}), state, NOW + age_s)
    assert (reason, priority) == (found.reason, [edge.id for edge in found.priority])
    assert found.moved is (reason in MOVE_REASONS)
    told = found.priority[0].key if found.moved else STATE.told
    assert (told, NOW + age_s if found.moved else 0) == (found.state.told, found.state.told_s)


def kept_answer(fleet: Fleet, state: SteeringState, now_s: int) -> Steered:
    """The answer to a session on its base that gets no new signatures."""
    situation = Situation(SteeringConfig(), fleet, {}, 0.0, now_s, renews=False)
    return steer(situation, state, range(len(fleet.edges)), [PathwayReport("a", 9_000_000)], no)


def no(edge: str) -> int | None:
    """No limit."""
    return None


def test_what_is_left_without_any_edge() -> None:
    """The pathway that the player got last for its base: the first one's signature may end."""
    assert "a" == last_pathway(STATE)
    clones = (Clone(C.tag, 7), Clone(A.tag, 0xAB))
    assert "a.00ab" == last_pathway(replace(STATE, clones=clones))


def test_tags_differ_for_as_long_as_a_film_lasts() -> None:
    """A player ignores a clone whose id it knows."""
    assert 65_535 == len({tag_at(A, STEP_S * step) for step in range(65_535)})


def test_until_when_a_signature_is_good() -> None:
    ends_s = NOW + STEP_S + LIFETIME_S
    assert outlives(A, tag_at(A, NOW), NOW, ends_s - 1)
    assert not outlives(A, tag_at(A, NOW), NOW, ends_s)
    assert outlives(PLAIN, PLAIN.host_tag, NOW, ends_s * 2)
    assert not outlives(PLAIN, PLAIN.host_tag + 1, NOW, NOW)


@pytest.mark.parametrize(
    ("edge", "age_s", "until_s", "pathway", "is_sibling"),
    [
        pytest.param(A, 0, 100, "a", False, id="what the playlist has is good"),
        pytest.param(A, 600, 100, f"a.{tag_at(A, NOW + 600):04x}", False, id="it ends"),
        pytest.param(B, 0, 100, "b", True, id="the base's signature is good for another host"),
        pytest.param(B, 600, 100, f"b.{tag_at(B, NOW + 600):04x}", False, id="it ends too"),
        pytest.param(C, 0, 100, f"c.{tag_at(C, NOW):04x}", False, id="another key"),
        pytest.param(PLAIN, 0, 100, f"p.{PLAIN.host_tag:04x}", False, id="no signature"),
        pytest.param(A, 9000, 0, "a", False, id="revoked: what it has stays"),
        pytest.param(B, 9000, 0, "b", True, id="revoked: the same signature elsewhere"),
    ],
)
def test_names(edge: Edge, age_s: int, until_s: int, pathway: str, is_sibling: bool) -> None:
    now = NOW + age_s
    found = named(STATE, edge, A, now, until_s and now + until_s)
    assert found is not None
    assert (pathway, is_sibling) == (found.pathway, found.is_sibling)


def test_no_name() -> None:
    """A revoked session gets no signature of an edge that it does not know."""
    assert named(STATE, C, A, NOW, 0) is None


def test_without_its_base_a_session_goes_on() -> None:
    found = named(STATE, B, None, NOW, NOW + 100)
    assert found is not None
    assert f"b.{tag_at(B, NOW):04x}" == found.pathway


def test_the_last_signature_of_each_edge_is_remembered() -> None:
    """The declared ones stay."""
    tags = [tag_at(C, NOW + step * STEP_S) for step in range(3)]
    state = replace(STATE, declared=2, clones=(Clone(B.tag, 5), Clone(C.tag, tags[0])))
    names = ["a", "b", f"c.{tags[2]:04x}"]
    known = with_clones(state, [A, B, C], names, [state.base_host, 5, tags[2]])
    assert ((B.tag, 5), (C.tag, tags[2])) == known


def test_the_ttl_is_a_third_of_the_shortest_life() -> None:
    assert 200 == longest_renewed_s([A, PLAIN])
    assert 5 == longest_renewed_s([A, replace(C, signing=signing(lifetime_s=17))])
    assert 1 == longest_renewed_s([replace(A, signing=signing(lifetime_s=2, step_s=1))])
