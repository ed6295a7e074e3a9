"""The halves of a decision in the store: read back equal, or not at all."""

import json
from dataclasses import replace

import pytest

from gateway.decision import Choice, FittedLadder
from gateway.edge.edge import Edge
from gateway.edge.fleet import Fleet
from gateway.edge.index import BANDS_KM
from gateway.edge.rank import EdgeTier
from gateway.ladder.rung import Constraints, Ladder
from gateway.play.hls.ladder import ladder_of
from gateway.policy.profile import Profile
from gateway.reason import Reason, Step
from gateway.store.caches.decision_wire import (
    FORMAT,
    ladder_from_bytes,
    ladder_to_bytes,
    tiers_from_bytes,
    tiers_to_bytes,
)
from tests.unit.ladder.sources import playlist, variant

SOURCE = ladder_of(playlist(variant("u", 1), variant("v", 2)), "1")
CHOICE = Choice(Profile("all"), None, Constraints(), "all")
FLEET = Fleet.of((Edge("e", "https://e.example/"), Edge("f", "https://f.example/")))
LADDER = FittedLadder(
    CHOICE,
    (1, 0),
    (Reason(Step.LADDER, "caps", "at most 500 kbit/s: 1 of 2 left out – é"),),
    2,
)
TIERS = (EdgeTier((1,), "continent", 3), EdgeTier((0,), "fallback", None))
WRITTEN = {**json.loads(ladder_to_bytes(LADDER)), **json.loads(tiers_to_bytes(TIERS))}
"""The members of both halves: either reads its own, and leaves the other's alone."""


def read(data: bytes) -> tuple[FittedLadder | None, tuple[EdgeTier, ...] | None]:
    """What the store's bytes are taken for, asked for as one half and as the other."""
    return ladder_from_bytes(data, CHOICE, SOURCE), tiers_from_bytes(data, FLEET)


@pytest.mark.parametrize(
    "ladder",
    [
        LADDER,
        replace(LADDER, reasons=()),
        replace(LADDER, kept=(0,), rungs=1),
    ],
)
def test_a_ladder_comes_back_equal(ladder: FittedLadder) -> None:
    """Whatever was decided is written and read without a loss, in the same bytes."""
    assert (ladder, None) == read(ladder_to_bytes(ladder))
    assert ladder_to_bytes(ladder) == ladder_to_bytes(replace(ladder))


def test_every_period_has_a_rung() -> None:
    """E6: an entry that leaves a Period without a rung is not of this ladder."""
    first, second = SOURCE.rungs
    source = Ladder("1", (first, replace(second, period=1)))
    for kept, is_good in [((0, 1), True), ((0,), False), ((1,), False), ((), False)]:
        found = ladder_from_bytes(ladder_to_bytes(replace(LADDER, kept=kept)), CHOICE, source)
        assert is_good == (found is not None), kept
    none = replace(LADDER, kept=(), rungs=0)
    assert none == ladder_from_bytes(ladder_to_bytes(none), CHOICE, Ladder("1", ()))


@pytest.mark.parametrize("tiers", [TIERS, (EdgeTier((0, 1), "nearest", len(BANDS_KM) - 1),)])
def test_a_ranking_comes_back_equal(tiers: tuple[EdgeTier, ...]) -> None:
    """Whatever was decided is written and read without a loss."""
    assert (None, tiers) == read(tiers_to_bytes(tiers))


def test_the_shape_is_pinned() -> None:
    """Workers of one release read what those of another wrote, or FORMAT has to change."""
    ladder = (
        '{"format":4,"kept":[1,0],'
        '"reasons":[["ladder","caps","at most 500 kbit/s: 1 of 2 left out \\u2013 \\u00e9"]]}'
    )
    tiers = '{"format":4,"tiers":[["continent",3,[1]],["fallback",null,[0]]]}'
    assert ladder.encode() == ladder_to_bytes(LADDER)
    assert tiers.encode() == tiers_to_bytes(TIERS)
    assert FORMAT == 4


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("format", 3),
        ("format", 5),
        ("format", 3.0),
        ("format", True),
        ("format", "3"),
        ("kept", []),
        ("kept", [2]),
        ("kept", [-1]),
        ("kept", [0, 0]),
        ("kept", [True]),
        ("kept", [0.0]),
        ("kept", ["0"]),
        ("kept", [[0]]),
        ("kept", [None]),
        ("kept", [10**400]),
        ("kept", "01"),
        ("kept", 0),
        ("kept", None),
        ("kept", {"0": 0}),
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
def test_anything_else_is_refused(where: str, value: object) -> None:
    """Wrong kinds, positions that point nowhere, and JSON's true for 1 are refused by the half
    that has them."""
    assert (LADDER, TIERS) == read(json.dumps(WRITTEN).encode())
    found = read(json.dumps({**WRITTEN, where: value}).encode())
    assert _without(where) == found


@pytest.mark.parametrize("member", ["format", "kept", "tiers", "reasons"])
def test_every_member_is_needed(member: str) -> None:
    """A half with a part missing is none."""
    found = {name: value for name, value in WRITTEN.items() if name != member}
    assert _without(member) == read(json.dumps(found).encode())


def _without(member: str) -> tuple[FittedLadder | None, tuple[EdgeTier, ...] | None]:
    """What is left when that member is no good."""
    return (
        LADDER if member == "tiers" else None,
        None if member in ("format", "tiers") else TIERS,
    )


@pytest.mark.parametrize("whole", [ladder_to_bytes(LADDER), tiers_to_bytes(TIERS)])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"}", b""),
        (b"0", b"NaN"),
        (b"0", b"-0.0"),
        (b"0", b"Infinity"),
        (b"0", b"1e999"),
        (b"0", b"9" * 5000),
        (b"[", b"[" * 50_000),
    ],
)
def test_spoilt_bytes_are_neither(whole: bytes, old: bytes, new: bytes) -> None:
    """Cut short, or with numbers and nesting beyond all bounds: no exception either."""
    assert (None, None) == read(whole.replace(old, new))


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
    ],
    ids=range(12),
)
def test_garbage_is_neither(data: bytes) -> None:
    """Other formats and deep nesting are no exception either."""
    assert (None, None) == read(data)


def test_it_must_fit_what_is_there_now() -> None:
    """What was decided for another source or another fleet is none."""
    other = ladder_of(playlist(variant("u", 1)), "2")
    assert ladder_from_bytes(ladder_to_bytes(LADDER), CHOICE, other) is None
    assert tiers_from_bytes(tiers_to_bytes(TIERS), Fleet.of(FLEET.edges[:1])) is None
