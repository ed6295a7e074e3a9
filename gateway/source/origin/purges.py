"""Was this copy requested before it was purged?

A purge is a pattern and a time: copies requested up to that time no longer count. So it also covers
requests in progress and copies that other workers have shared. Patterns are ``=asset`` for one
asset and ``prefix`` for all ids that start with it (``""``: everything).
"""

from collections.abc import Mapping

MAX_NOTES = 1000
"""The most purges kept. Beyond that, the oldest half is replaced by one purge of everything up to
their time: more is fetched again, but nothing purged comes back."""

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
        return any(asked_at <= at and matches(pattern, asset) for pattern, at in self._at.items())


def matches(pattern: str, asset: str) -> bool:
    """Whether ``pattern`` covers ``asset``."""
    if pattern.startswith(EXACT):
        return asset == pattern.removeprefix(EXACT)
    return asset.startswith(pattern)
