"""Facts that are made by the hundred."""

from dataclasses import replace

from manifests.fact import fact


@fact
class Size:
    """Two numbers."""

    width: int
    height: int = 1


def test_a_fact_is_its_fields() -> None:
    """Compared, hashed, printed and replaced by them, like any frozen dataclass."""
    size = Size(2)
    assert (Size(2, 1), {Size(2, 1)}, "Size(width=2, height=1)") == (size, {size}, repr(size))
    assert Size(2, 3) == replace(size, height=3)


def test_a_fact_has_nothing_but_its_fields() -> None:
    """Slotted: no dictionary of its own, which is what makes many of them small."""
    assert not hasattr(Size(2), "__dict__")
