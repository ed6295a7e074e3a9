"""What a live MPD's Location pins, and what it does not."""

import struct
from dataclasses import replace

import pytest

from gateway.client.facts import Capability, Facts, Pinned, Throughput
from gateway.config.load import load
from gateway.decision import Decision, Memo, Policy, decide, inquire
from gateway.edge.fleet import EdgeCondition, Fleet
from gateway.explanation import reasons_of
from gateway.ladder.rung import Ladder
from gateway.play.dash.refresh import (
    MAX_AGE_H,
    hour_of,
    kept_query,
    read_state,
    sign_state,
)
from gateway.play.facts import with_pinned
from gateway.play.hls.ladder import ladder_of
from gateway.play.request import Headers, Request, read_query
from gateway.trust.keys import KeyRing, Purpose, SigningKey
from geodata.place import NOT_LOOKED_UP
from manifests.codecs import CodecFamily, VideoRange
from tests.unit.test_decision import DESKTOP, LADDER, PARIS, facts_of

POLICY = load(environ={}).policy
FLEET = Fleet.of(POLICY.edges)
RING = KeyRing(SigningKey("k", b"s" * 32))
NOW = 1_800_000_000.0
TELEVISION = Capability(
    2160, 59.94, frozenset({CodecFamily.AVC, CodecFamily.DOLBY_VISION}), frozenset(VideoRange)
)
CAPABILITIES = [
    Capability(),
    Capability(screen=False),
    Capability(spatial=True),
    Capability(codecs=frozenset(), video_ranges=frozenset()),
    TELEVISION,
]


def decided(facts: Facts, policy: Policy = POLICY, fleet: Fleet = FLEET) -> Decision:
    """The decision for the generated ladder."""
    ladder: Ladder = ladder_of(LADDER, "v1")
    return decide(inquire(policy, fleet, facts, ladder, Memo()), Memo())


def read(text: str, asset: str = "film", policy: Policy = POLICY, now_s: float = NOW) -> object:
    """What a state fixes; None when it counts for nothing."""
    return read_state(RING, text, asset, policy, now_s)


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_the_next_request_is_decided_as_the_first(capability: Capability) -> None:
    """Whatever the network has become, and whatever else is now known of the device."""
    device = replace(DESKTOP, capability=capability)
    first = decided(facts_of(device, kbps=3000))
    earlier = read_state(RING, sign_state(RING, first, hour_of(NOW)), "film", POLICY, NOW)
    assert earlier is not None
    assert (first.edge.key, capability) == (
        earlier.edge,
        None if earlier.pinned is None else earlier.pinned.capability,
    )
    for kbps in (1, 90_000, None):
        now = facts_of(replace(DESKTOP, capability=Capability(max_height=240)), kbps=kbps)
        later = decided(with_pinned(now, earlier.pinned, earlier.edge, FLEET))
        assert (first.kept, first.choice, first.edge) == (later.kept, later.choice, later.edge)


def test_it_says_so() -> None:
    """Among the reasons."""
    first = decided(facts_of(kbps=3000))
    pinned = Pinned(first.choice.profile.name, first.choice.rule, 0, Capability())
    later = decided(with_pinned(facts_of(kbps=90_000), pinned, first.edge.key, FLEET))
    codes = {reason.code for reason in reasons_of(later)}
    assert {"profile-pinned", "edge-held"} <= codes
    assert not {code for code in codes if code.startswith("start-bitrate")}


def test_a_dead_edge_is_left() -> None:
    """The filter stays, the edge does not."""
    first = decided(facts_of(kbps=3000))
    down = Fleet.of(POLICY.edges, {first.edge.id: EdgeCondition("down", 0.0, why="gone")})
    earlier = read_state(RING, sign_state(RING, first, hour_of(NOW)), "film", POLICY, NOW)
    assert earlier is not None
    later = decided(with_pinned(facts_of(), earlier.pinned, earlier.edge, down), fleet=down)
    assert first.kept == later.kept
    assert first.edge != later.edge


def test_an_edge_that_is_gone_is_left() -> None:
    """Its key leads nowhere."""
    facts = with_pinned(facts_of(), None, 12345, FLEET)
    assert facts.placed_on is None
    assert facts.pinned is None


def test_the_edge_of_the_record_comes_first() -> None:
    """Content steering may have moved the session."""
    record, state = POLICY.edges[0], POLICY.edges[1]
    facts = replace(facts_of(), placed_on=record.id)
    assert record.id == with_pinned(facts, None, state.key, FLEET).placed_on


def test_another_config_decides_anew() -> None:
    """But for the edge. A change of edges alone keeps the rest."""
    text = sign_state(RING, decided(facts_of(kbps=3000)), hour_of(NOW))
    other = load(environ={"GATEWAY_PROFILES__WIFI__MAX_HEIGHT": "720"}).policy
    found = read_state(RING, text, "film", other, NOW)
    assert found is not None
    assert found.pinned is None
    assert found.edge in FLEET.index.by_key
    fewer = replace(POLICY, edges=POLICY.edges[1:], version="another")
    kept = read_state(RING, text, "film", fewer, NOW)
    assert kept is not None
    assert kept.pinned is not None


HOUR_S = 3600.0
AGES = [
    (0.0, True),
    (HOUR_S * MAX_AGE_H, True),
    (HOUR_S * (MAX_AGE_H + 1), False),
    (-HOUR_S, True),
    (-2 * HOUR_S, False),
]


@pytest.mark.parametrize(("age_s", "counts"), AGES)
def test_it_expires(age_s: float, *, counts: bool) -> None:
    """Two days after the answer that carried it; clocks may differ by an hour."""
    text = sign_state(RING, decided(facts_of()), hour_of(NOW))
    assert counts is (read(text, now_s=NOW + age_s) is not None)


def test_what_is_foreign_counts_for_nothing() -> None:
    """Another asset's, another key's, another purpose's, another form, and what is no state."""
    decision = decided(facts_of())
    text = sign_state(RING, decision, hour_of(NOW))
    payload = RING.verify(Purpose.REFRESH_STATE, text) or b""
    foreign = [
        sign_state(KeyRing(SigningKey("k", b"t" * 32)), decision, hour_of(NOW)),
        RING.sign(Purpose.STEERING_STATE, payload),
        RING.sign(Purpose.REFRESH_STATE, b""),
        RING.sign(Purpose.REFRESH_STATE, b"\x02" + payload[1:]),
        RING.sign(Purpose.REFRESH_STATE, payload + b"x"),
        text[:-1],
        text + "A",
        "x" * 100_000,
        "",
        "\ud800",
    ]
    assert [None] * len(foreign) == [read(each) for each in foreign]
    assert read(text, asset="film2") is None
    assert read(text) is not None


@pytest.mark.parametrize(("offset", "layout", "value"), [(29, ">H", 99), (31, ">H", 99)])
def test_a_profile_or_rule_that_does_not_exist_is_decided_anew(
    offset: int, layout: str, value: int
) -> None:
    """Even if a gateway with the same keys and rules has signed it."""
    text = sign_state(RING, decided(facts_of()), hour_of(NOW))
    payload = bytearray(RING.verify(Purpose.REFRESH_STATE, text) or b"")
    struct.pack_into(layout, payload, offset, value)
    found = read_state(RING, RING.sign(Purpose.REFRESH_STATE, bytes(payload)), "film", POLICY, NOW)
    assert found is not None
    assert found.pinned is None


def test_it_is_short_and_the_same_for_all_viewers() -> None:
    """It holds no session, no place and no address."""
    alone = Fleet.of(POLICY.edges[:1])
    states = {
        sign_state(RING, decided(facts_of(place=place, session=name, viewer=name), fleet=alone), 1)
        for name, place in (("one", PARIS), ("two", NOT_LOOKED_UP))
    }
    assert 1 == len(states)
    assert len(states.pop()) < 100


def asked(query: bytes) -> Request:
    """A request with this query."""
    return Request("GET", "/", query, Headers({}), None, "http", "gw", read_query(query))


QUERIES = [
    (b"", ""),
    (b"speed=300&CMCD=mtp%3D300&session=abc&token=x", ""),
    (b"max_resolution=720p&speed=1", "max_resolution=720p"),
    (b"codecs=avc,%20HEVC&max_bitrate=0900", "max_bitrate=0900&codecs=avc,%20HEVC"),
    (b"min_resolution=360p&max_resolution=720p", "max_resolution=720p&min_resolution=360p"),
    (b"state=x&max_bitrate=1&max_bitrate=2", "max_bitrate=2"),
]


@pytest.mark.parametrize(("query", "expected"), QUERIES)
def test_a_refresh_repeats_the_limits_of_the_request(query: bytes, expected: str) -> None:
    """What was measured, other parameters and an old state are not repeated."""
    assert expected == kept_query(asked(query))


def test_a_prior_speed_is_pinned_as_well() -> None:
    """The start rung stays where it was."""
    first = decided(replace(facts_of(), throughput=Throughput(5000, "prior")))
    earlier = read_state(RING, sign_state(RING, first, hour_of(NOW)), "film", POLICY, NOW)
    assert earlier is not None
    later = decided(with_pinned(facts_of(), earlier.pinned, earlier.edge, FLEET))
    assert first.kept == later.kept
