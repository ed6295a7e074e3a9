"""Which findings about edges are shared, and which are rejected."""

import json

import pytest

from gateway.edge.health import HealthRecord
from gateway.edge.live import LivePosition
from gateway.store.coordination.health_board import (
    MAX_BYTES,
    Finding,
    decode_findings,
    encode_findings,
)

GOOD = ["a", 7, "down", 1000.5, None, 2, "HTTP 503", 4, 6, 999.0]
FOUND = Finding(7, HealthRecord("down", "HTTP 503", 1000.5, None, 2), LivePosition(4, 6, 999.0))


def test_how_it_is_written() -> None:
    """One row for each edge; workers of other releases read it."""
    assert [GOOD] == json.loads(encode_findings({"a": FOUND}))
    assert {"a": FOUND} == decode_findings(json.dumps([GOOD]).encode())
    assert {} == decode_findings(b"[]")


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
        (4, -5.0),
        (4, 10**400),
        (5, 1.5),
        (5, None),
        (6, "\x1b[31m"),
        (6, "x" * 201),
        (6, None),
        (7, [1]),
        (8, False),
    ],
)
def test_untrusted_findings_are_rejected(position: int, value: object) -> None:
    """One invalid field, and the whole value is rejected."""
    row = list(GOOD)
    row[position] = value
    assert None is decode_findings(json.dumps([GOOD, row]).encode())


@pytest.mark.parametrize(
    "value",
    [b"", b"{}", b"null", b"[1]", b"[[]]", b"\xff", b"[" * 100_000, b" " * (MAX_BYTES + 1) + b"[]"],
    ids=lambda value: repr(value[:10]),
)
def test_malformed_findings(value: bytes) -> None:
    """Arbitrary bytes decode to None or to valid findings."""
    assert None is decode_findings(value)
