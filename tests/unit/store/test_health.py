"""Which findings about edges are shared, and which are rejected."""

import json
from dataclasses import replace

import pytest

from gateway.clock import Clock
from gateway.edge.health import HealthRecord
from gateway.edge.live import LivePosition
from gateway.store.coordination.health_board import (
    MAX_BYTES,
    Finding,
    Findings,
    decode_findings,
    encode_findings,
)

CLOCK = Clock(lambda: 1_000.0, lambda: 2_000.0)
GOOD = ["a", 7, "down", 1900.5, None, 2, "HTTP 503", 4, 6, 1899.0]
FOUND = Finding(7, HealthRecord("down", "HTTP 503", 900.5, None, 2), LivePosition(4, 6, 899.0))


def test_how_it_is_written() -> None:
    """One row for each edge, with Unix times; workers of other releases read it."""
    assert [GOOD] == json.loads(encode_findings({"a": FOUND}, CLOCK))
    assert Findings({"a": FOUND}, frozenset(), 0) == read(GOOD)
    assert Findings({}, frozenset(), 0) == read()


def read(*rows: object) -> Findings | None:
    """What a worker reads."""
    return decode_findings(json.dumps(rows).encode(), CLOCK)


HEADS = [
    (0, -1),
    (0, 0),
    (2**60, 2**60 + 5),
    (1152921504606846976, 1152921504606846978),
    (2**64 - 1, 2**64 - 2),
    (2**64 - 1, 2**64 - 1),
]


@pytest.mark.parametrize(("first", "last"), HEADS)
def test_every_legal_media_sequence_is_shared(first: int, last: int) -> None:
    """A decimal-integer goes up to 2^64 - 1 (RFC 8216bis, section 4.2)."""
    finding = replace(FOUND, head=LivePosition(first, last, 899.0))
    found = decode_findings(encode_findings({"a": finding}, CLOCK), CLOCK)
    assert Findings({"a": finding}, frozenset(), 0) == found


def test_a_reason_that_no_reader_accepts_is_not_written() -> None:
    """It is cut, and what cannot be printed is replaced."""
    finding = replace(FOUND, health=replace(FOUND.health, why="\x1b[31m" + "x" * 300))
    found = decode_findings(encode_findings({"a": finding}, CLOCK), CLOCK)
    assert found is not None
    assert "?[31m" + "x" * 195 == found.by_edge["a"].health.why


def test_times_from_the_future_count_as_now() -> None:
    """The clocks of hosts differ a little, and one may be wrong."""
    found = read(["a", 7, "up", 2.0**53, 2_000.5, 2, "", 4, 6, 9e15])
    assert found is not None
    health, head = found.by_edge["a"].health, found.by_edge["a"].head
    assert (1000.0, 1000.0) == (health.since_s, health.returned_s)
    assert LivePosition(4, 6, 1000.0) == head


@pytest.mark.parametrize(
    ("position", "value"),
    [
        (0, 1),
        (1, "7"),
        (1, True),
        (1, -7),
        (2, "draining"),
        (3, "yesterday"),
        (3, float("nan")),
        (3, float("inf")),
        (1, 2**32),
        (1, 10**400),
        (3, -1),
        (3, 2**53 + 2),
        (4, -5.0),
        (4, 10**400),
        (5, -1),
        (5, 2**60),
        (5, 1.5),
        (5, None),
        (6, "\x1b[31m"),
        (6, "x" * 201),
        (6, None),
        (7, [1]),
        (7, None),
        (7, 2**64),
        (7, -1),
        (7, 10**400),
        (8, False),
        (8, 2),
        (8, 2**64),
        (8, 6.0),
        (9, None),
        (9, "now"),
        (9, 10**400),
    ],
)
def test_an_entry_that_cannot_be_read_costs_that_entry(position: int, value: object) -> None:
    """One invalid field, and the entry is rejected; the others count."""
    row = ["b", *GOOD[1:]]
    row[position] = value
    found = read(["c", *GOOD[1:]], row, GOOD)
    unreadable = frozenset() if position == 0 else frozenset({"b"})
    assert Findings({"a": FOUND, "c": FOUND}, unreadable, 1) == found


@pytest.mark.parametrize("row", [1, None, {}, [], [[]], ["b"], ["b", *GOOD[1:], 1], GOOD[:-1]])
def test_an_entry_of_another_form(row: object) -> None:
    """It costs itself."""
    found = read(row, ["c", *GOOD[1:]])
    assert found is not None
    assert ({"c": FOUND}, 1) == (found.by_edge, found.faults)


@pytest.mark.parametrize(
    "value",
    [b"", b"{}", b"null", b"\xff", b"[" * 100_000, b" " * (MAX_BYTES + 1) + b"[]", b"too long"],
    ids=lambda value: repr(value[:10]),
)
def test_malformed_findings(value: bytes) -> None:
    """Arbitrary bytes decode to None or to valid findings."""
    assert None is decode_findings(value, CLOCK)
