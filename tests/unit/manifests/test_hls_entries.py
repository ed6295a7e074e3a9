"""Attribute values are numbers only in ASCII digits (RFC 8216bis 4.2)."""

import pytest

from manifests.hls.entries import decimal, integer, resolution


@pytest.mark.parametrize("digits", ["\u0663", "\uff13", "\u00b2"])
def test_only_ascii_digits_are_numbers(digits: str) -> None:
    """Arabic-Indic and fullwidth digits and superscripts are not."""
    assert integer(digits) is None
    assert decimal(f"2{digits}.0") is None
    assert resolution(f"64{digits}x360") is None
    assert (3, 3.0, (3, 3)) == (integer("3"), decimal("3"), resolution("3x3"))
