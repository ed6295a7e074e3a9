"""The computed fields of an edge."""

from dataclasses import replace

import pytest

from gateway.edge.edge import Edge, stable_hash, unit_vector


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0xE4A6A0577479B2B4),
        ("us-east-1", 0xBC2C59F28B49B946),
        ("é\ud800", 0x4BFF73141AAA807F),
    ],
)
def test_hashes_are_pinned(text: str, expected: int) -> None:
    """The hash is the same in every process and release; otherwise all viewers would move."""
    assert expected == stable_hash(text)


@pytest.mark.parametrize(
    ("latitude", "longitude", "expected"),
    [
        (0, 0, (1, 0, 0)),
        (0, 90, (0, 1, 0)),
        (0, -180, (-1, 0, 0)),
        (90, 77, (0, 0, 1)),
        (-90, 0, (0, 0, -1)),
    ],
)
def test_directions(latitude: float, longitude: float, expected: tuple[float, ...]) -> None:
    """Points of the unit sphere, poles and the antimeridian included."""
    assert expected == pytest.approx(unit_vector(latitude, longitude), abs=1e-12)


def test_an_edge_knows_what_rankings_need() -> None:
    """Key and direction are computed again by ``replace``, and do not count in comparisons."""
    edge = Edge("a", "https://a.example/", 0.0, 0.0)
    moved = replace(edge, id="b", latitude=90.0)
    assert (stable_hash("a"), stable_hash("b")) == (edge.key, moved.key)
    assert moved.direction == pytest.approx((0, 0, 1))
    assert Edge("a", "https://a.example/", 0.0, 0.0) == edge
    assert replace(edge, latitude=None).direction is None
