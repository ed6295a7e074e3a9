"""Great-circle distances against published ones."""

import pytest

from geodata.distance import great_circle_km

NEW_YORK = (40.7128, -74.0060)
LONDON = (51.5074, -0.1278)
SYDNEY = (-33.8688, 151.2093)


@pytest.mark.parametrize(
    ("name", "start", "end", "expected"),
    [
        ("the same point", LONDON, LONDON, 0.0),
        ("New York to London", NEW_YORK, LONDON, 5570.2),
        ("London to Sydney", LONDON, SYDNEY, 16994.0),
        ("a quarter of the equator", (0, 0), (0, 90), 10007.6),
        ("pole to pole", (90, 0), (-90, 0), 20015.1),
        ("antipodes on the equator", (0, 0), (0, 180), 20015.1),
        ("antipodes where rounding passes 1", (11.09, -51.03), (-11.09, 128.97), 20015.1),
        ("over the antimeridian", (0, 179.5), (0, -179.5), 111.2),
        ("one degree of latitude", (50, 8), (51, 8), 111.2),
        ("one degree of longitude at 60° N", (60, 10), (60, 11), 55.6),
    ],
)
def test_distance(
    name: str, start: tuple[float, float], end: tuple[float, float], expected: float
) -> None:
    """The distance in km is right to a tenth."""
    assert expected == round(great_circle_km(*start, *end), 1)
