"""Was this copy requested before it was purged?

A purge is a pattern and a time: copies requested up to that time no longer count. So it also covers
requests in progress and copies that other workers have shared. Patterns are ``=asset`` for one
asset and ``prefix`` for all ids that start with it (``""``: everything).
"""

from collections.abc import Iterator, Mapping
from typing import Final

MAX_NOTES = 1000
"""The most purges kept. Beyond that, the oldest half is replaced by one purge of everything up to
their time: more is fetched again, but nothing purged comes back."""

CLOCKS_DIFFER_S: Final = 2.0
"""How far ahead the clock of another host may be."""
EXACT = "="


class Purges:
    """Purged patterns and their times, by the clock of this process."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}

    def note(self, pattern: str, at: float) -> None:
        """``pattern`` was purged at ``at``."""
        self._at[pattern] = max(at, self._at.get(pattern, at))
        if len(self._at) > MAX_NOTES:
            oldest = sorted(self._at, key=self._at.__getitem__)[: MAX_NOTES // 2]
            everything = max(self._at.pop(each) for each in oldest)
            self.note("", everything)

    def merge(self, others: Mapping[str, float]) -> None:
        """Add the purges of other workers."""
        for pattern, at in others.items():
            self.note(pattern, at)

    def covers(self, asset: str, asked_at: float) -> bool:
        """Whether a copy of ``asset`` requested at ``asked_at`` was purged."""
        return any(asked_at <= at for at in self._of(asset))

    def may_cover(self, asset: str, asked_at: float, known_at: float | None) -> bool:
        """The same for a copy of another host, whose clock may be ahead, so that ``asked_at`` is
        too late. ``known_at`` is the newest purge that it knew when it asked, None for none."""
        return any(
            asked_at <= at + CLOCKS_DIFFER_S
            and not (asked_at > at and known_at is not None and known_at >= at - CLOCKS_DIFFER_S)
            for at in self._of(asset)
        )

    def newest(self, asset: str) -> float | None:
        """When ``asset`` was purged last; None for never."""
        return max(self._of(asset), default=None)

    def _of(self, asset: str) -> Iterator[float]:
        return (at for pattern, at in self._at.items() if matches(pattern, asset))


def matches(pattern: str, asset: str) -> bool:
    """Whether ``pattern`` covers ``asset``."""
    if pattern.startswith(EXACT):
        return asset == pattern.removeprefix(EXACT)
    return asset.startswith(pattern)
