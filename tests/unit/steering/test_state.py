"""The state in the RELOAD-URI: it comes back as it was, and anything else is refused."""

import random
from dataclasses import replace

import pytest

from gateway.steering.state import (
    CLOCK_SKEW_S,
    MAX_AGE_S,
    MAX_BYTES,
    MAX_CLONES,
    MAX_KBPS,
    MAX_KEPT_BYTES,
    MAX_RECORDS,
    MAX_SAID,
    Clone,
    PathwayRecord,
    PlaylistReference,
    SteeringState,
)

NOW = 1_800_000_000
ASSET = b"12345678"
STATE = SteeringState(
    asset=ASSET,
    viewer=2**64 - 1,
    spread_point=32,
    base="us-east-1",
    shape=2**32 - 1,
    need_kbps=6700,
    expected_kbps=2800,
    told=2**63,
    told_s=NOW - 90,
    issued_s=NOW - 30,
    estimate_kbps=9000,
    records=(PathwayRecord(1, 5000, NOW - 30), PathwayRecord(2, 0, NOW), PathwayRecord(3, 7, 5)),
    began_s=NOW - 300,
    base_host=1,
    clones=(Clone(65535, 65535), Clone(0, 1)),
)
LONGEST = replace(
    STATE,
    base="b" * 69,
    records=tuple(PathwayRecord(n, 1, NOW) for n in range(MAX_RECORDS)),
    clones=tuple(Clone(n, n) for n in range(MAX_CLONES)),
    declared=MAX_CLONES + 1,
    playlist=PlaylistReference(b"abcd", bytes(MAX_KEPT_BYTES)),
)


@pytest.mark.parametrize(
    "state",
    [
        STATE,
        LONGEST,
        replace(STATE, records=(), clones=(), issued_s=0, told_s=0, began_s=0),
        replace(STATE, declared=2),
        replace(STATE, clones=(), declared=1),
        replace(STATE, unstated=True),
        replace(STATE, unstated=True, said=MAX_SAID),
        replace(STATE, live=True),
        replace(STATE, unstated=True, said=MAX_SAID, live=True),
        replace(STATE, playlist=PlaylistReference(b"\0\1\2\3", b"\7")),
        replace(STATE, playlist=PlaylistReference(b"\0\1\2\3", b""), records=(), clones=()),
    ],
)
def test_it_comes_back(state: SteeringState) -> None:
    assert state == SteeringState.from_bytes(state.to_bytes(), ASSET, NOW)
    assert len(state.to_bytes()) <= len(LONGEST.to_bytes()) == MAX_BYTES


BAD = [
    ("of another asset", replace(STATE, asset=b"87654321")),
    ("too old", replace(STATE, issued_s=NOW - MAX_AGE_S - 1, told_s=0, began_s=0)),
    ("from the future", replace(STATE, issued_s=NOW + CLOCK_SKEW_S + 1)),
    ("told after it was issued", replace(STATE, told_s=NOW)),
    ("begun after it was issued", replace(STATE, began_s=NOW)),
    ("too many clones", replace(STATE, clones=tuple(Clone(n, n) for n in range(9)))),
    ("more declared than known", replace(STATE, declared=4)),
    ("a place that does not exist", replace(STATE, spread_point=33)),
    ("a bit rate that does not exist", replace(STATE, need_kbps=MAX_KBPS + 1)),
    ("an estimate that does not exist", replace(STATE, estimate_kbps=MAX_KBPS + 1)),
    ("no pathway id", replace(STATE, base="")),
    ("a pathway id with a line end", replace(STATE, base="a\n")),
    ("an edge twice", replace(STATE, records=(PathwayRecord(1, 1, 1), PathwayRecord(1, 2, 2)))),
    ("too many records", replace(STATE, records=tuple(PathwayRecord(n, 1, 1) for n in range(5)))),
    ("a record from the future", replace(STATE, records=(PathwayRecord(1, 1, NOW + 99),))),
    ("an absurd record", replace(STATE, records=(PathwayRecord(1, MAX_KBPS + 1, NOW),))),
]


@pytest.mark.parametrize("state", [row[1] for row in BAD], ids=[row[0] for row in BAD])
def test_what_is_out_of_range_is_refused(state: SteeringState) -> None:
    assert SteeringState.from_bytes(state.to_bytes(), ASSET, NOW) is None


def test_what_is_in_range_by_a_hair_is_read() -> None:
    """The bounds of the rows above."""
    for state in (
        replace(STATE, issued_s=NOW - MAX_AGE_S, told_s=0, began_s=0),
        replace(STATE, issued_s=NOW + CLOCK_SKEW_S),
        replace(STATE, records=(PathwayRecord(1, MAX_KBPS, NOW + CLOCK_SKEW_S),)),
    ):
        assert state == SteeringState.from_bytes(state.to_bytes(), ASSET, NOW)


def test_cut_and_changed_bytes_are_never_an_error() -> None:
    """A state of another version may have the right key and other bytes."""
    data = STATE.to_bytes()
    rng = random.Random(3)
    for end in range(len(data)):
        SteeringState.from_bytes(data[:end], ASSET, NOW)
    for _ in range(2000):
        changed = bytearray(data)
        changed[rng.randrange(len(data))] = rng.randrange(256)
        found = SteeringState.from_bytes(bytes(changed), ASSET, NOW)
        if found is not None:
            assert found.spread_point <= 32
            assert found.need_kbps <= MAX_KBPS
    for version in (b"\x01", b"\x04"):
        assert SteeringState.from_bytes(version + data[1:], ASSET, NOW) is None
    for end in range(58 + len(STATE.base) + 8):
        assert SteeringState.from_bytes(data[:end], ASSET, NOW) is None
