"""A decision in the store: read back equal, or not at all."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gateway.decision import Decision, Policy
from gateway.decision_wire import FORMAT, from_bytes, to_bytes
from gateway.edge.edge import Edge
from gateway.edge.fleet import Fleet
from gateway.edge.rank import BANDS_KM, Tier
from gateway.policy.profile import Profile
from gateway.policy.rules import Rule, When
from gateway.reason import Reason, Step
from manifests.hls.multivariant import Edit
from tests.unit.ladder.sources import iframes, media, playlist, variant

SOURCE = playlist(
    media("AUDIO", "a"), media("AUDIO", "b"), variant("u", 1), variant("v", 2), iframes("i", 1)
)
POLICY = Policy(
    profiles={"p": Profile("p")},
    rules=(Rule(When(), "p"),),
    default_profile="p",
    edges=(Edge("e", "https://e.example/"), Edge("f", "https://f.example/")),
    time_zone="UTC",
    version="1",
)
FLEET = Fleet.of(POLICY.edges)
DECISION = Decision(
    profile="p",
    rule=0,
    edit=Edit((1, 0), frozenset({0}), frozenset({0, 1})),
    tiers=(Tier((1,), "continent", 3), Tier((0,), "fallback", None)),
    reasons=(Reason(Step.LADDER, "caps", "at most 500 kbit/s: 1 of 2 left out – é"),),
)


def read(data: bytes) -> Decision | None:
    """What the store's bytes are taken for."""
    return from_bytes(data, POLICY, FLEET, SOURCE)


@pytest.mark.parametrize(
    "decision",
    [
        DECISION,
        replace(DECISION, rule=None, reasons=()),
        replace(DECISION, edit=Edit((0,), frozenset(), frozenset())),
        replace(DECISION, tiers=(Tier((0, 1), "nearest", len(BANDS_KM) - 1),)),
    ],
)
def test_a_decision_comes_back_equal(decision: Decision) -> None:
    """Whatever was decided is written and read without a loss, in the same bytes."""
    assert decision == read(to_bytes(decision))
    assert to_bytes(decision) == to_bytes(replace(decision))


def test_the_shape_is_pinned() -> None:
    """Workers of one release read what those of another wrote, or FORMAT has to change."""
    expected = (
        '{"format":1,"profile":"p","rule":0,"variants":[1,0],"iframes":[0],"renditions":[0,1],'
        '"tiers":[["continent",3,[1]],["fallback",null,[0]]],'
        '"reasons":[["ladder","caps","at most 500 kbit/s: 1 of 2 left out \\u2013 \\u00e9"]]}'
    )
    assert expected.encode() == to_bytes(DECISION)
    assert FORMAT == 1


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("format", 2),
        ("format", 1.0),
        ("format", True),
        ("format", "1"),
        ("profile", "gone"),
        ("profile", None),
        ("profile", ["p"]),
        ("profile", {"p": 1}),
        ("rule", 1),
        ("rule", -1),
        ("rule", False),
        ("rule", 0.0),
        ("rule", "0"),
        ("rule", [0]),
        ("variants", []),
        ("variants", [2]),
        ("variants", [-1]),
        ("variants", [0, 0]),
        ("variants", [True]),
        ("variants", [0.0]),
        ("variants", ["0"]),
        ("variants", [[0]]),
        ("variants", [None]),
        ("variants", [10**400]),
        ("variants", "01"),
        ("variants", 0),
        ("variants", None),
        ("variants", {"0": 0}),
        ("iframes", [1]),
        ("iframes", [False]),
        ("iframes", [{}]),
        ("iframes", None),
        ("renditions", [2]),
        ("renditions", [0.5]),
        ("renditions", 7),
        ("tiers", []),
        ("tiers", [["continent", 3, []]]),
        ("tiers", [["continent", 3, [2]]]),
        ("tiers", [["continent", 3, [0, 0]]]),
        ("tiers", [["continent", 3, [0]], ["any", None, [0]]]),
        ("tiers", [["continent", 3, [True]]]),
        ("tiers", [["continent", len(BANDS_KM), [0]]]),
        ("tiers", [["continent", -1, [0]]]),
        ("tiers", [["continent", 3.0, [0]]]),
        ("tiers", [["continent", True, [0]]]),
        ("tiers", [["nowhere", 3, [0]]]),
        ("tiers", [[["any"], 3, [0]]]),
        ("tiers", [["any", 3]]),
        ("tiers", [["any", 3, [0], 4]]),
        ("tiers", ["any"]),
        ("tiers", 5),
        ("reasons", [["nowhere", "c", "t"]]),
        ("reasons", [[[], "c", "t"]]),
        ("reasons", [["ladder", 1, "t"]]),
        ("reasons", [["ladder", "c", None]]),
        ("reasons", [["ladder", "c", "line\nbreak"]]),
        ("reasons", [["ladder", "c", "\ud800"]]),
        ("reasons", [["ladder", "c"]]),
        ("reasons", None),
    ],
)
def test_anything_else_is_no_decision(where: str, value: object) -> None:
    """Wrong kinds, positions that point nowhere, and JSON's true for 1 are refused."""
    found = json.loads(to_bytes(DECISION))
    assert read(json.dumps(found).encode()) is not None
    assert read(json.dumps({**found, where: value}).encode()) is None


@pytest.mark.parametrize(
    "member",
    ["format", "profile", "rule", "variants", "iframes", "renditions", "tiers", "reasons"],
)
def test_every_member_is_needed(member: str) -> None:
    """A decision with a part missing is none."""
    found = json.loads(to_bytes(DECISION))
    del found[member]
    assert read(json.dumps(found).encode()) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"7",
        b"NaN",
        b"{",
        b"\xff\xfe\x00",
        b"\x80\x04K\x01.",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"9" * 100_000,
        to_bytes(DECISION)[:-1],
        to_bytes(DECISION).replace(b"0", b"NaN"),
        to_bytes(DECISION).replace(b"0", b"-0.0"),
        to_bytes(DECISION).replace(b"0", b"Infinity"),
        to_bytes(DECISION).replace(b"0", b"1e999"),
        to_bytes(DECISION).replace(b"0", b"9" * 5000),
        to_bytes(DECISION).replace(b"[1,0]", b"[" * 50_000),
    ],
    ids=range(19),
)
def test_garbage_is_no_decision(data: bytes) -> None:
    """Other formats, deep nesting, and numbers beyond all bounds are no exception either."""
    assert read(data) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda: (POLICY, Fleet.of(FLEET.edges[:1]), SOURCE),
        lambda: (replace(POLICY, rules=()), FLEET, SOURCE),
        lambda: (replace(POLICY, profiles={}), FLEET, SOURCE),
        lambda: (POLICY, FLEET, playlist(variant("u", 1))),
    ],
)
def test_it_must_fit_what_is_there_now(change: Callable[[], tuple[Any, Any, Any]]) -> None:
    """A decision for another policy or another source is none."""
    policy, fleet, source = change()
    assert from_bytes(to_bytes(DECISION), policy, fleet, source) is None
