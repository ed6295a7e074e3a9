"""Sets of codec families and video ranges as bits, for what is signed and put into URLs."""

from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import TypeVar

_Member = TypeVar("_Member", bound=StrEnum)


def bits_of(members: Iterable[StrEnum], chosen: Collection[StrEnum] | None) -> int:
    """One bit for each of ``members``, the first in the lowest, set for those that are chosen. No
    bit is set for None."""
    return sum(1 << at for at, member in enumerate(members) if chosen and member in chosen)


def members_of(members: Iterable[_Member], bits: int) -> frozenset[_Member]:
    """Those whose bits are set."""
    return frozenset(member for at, member in enumerate(members) if bits >> at & 1)
