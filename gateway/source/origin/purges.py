"""Was this copy made before somebody purged it?

A purge is a time: copies that were asked for until then no longer count, wherever they are. So it
also covers what is under way, and what other workers have shared. Patterns are ``=asset`` for one
asset and ``prefix`` for all that start with it (``""``: everything).
"""

from collections.abc import Mapping

MOST = 1000
"""Notes that are kept. When there are more, the oldest are forgotten by purging everything that is
as old as they are: too much is fetched again, nothing purged comes back."""

ONE = "="


class Purges:
    """What was purged, and when (Unix time)."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}

    def note(self, pattern: str, at: float) -> None:
        """``pattern`` was purged at ``at``."""
        self._at[pattern] = max(at, self._at.get(pattern, at))
        if len(self._at) > MOST:
            oldest = sorted(self._at, key=self._at.__getitem__)[: MOST // 2]
            everything = max(self._at.pop(each) for each in oldest)
            self.note("", everything)

    def merge(self, others: Mapping[str, float]) -> None:
        """What other workers have noted."""
        for pattern, at in others.items():
            self.note(pattern, at)

    def covers(self, asset: str, asked_at: float) -> bool:
        """Whether a copy of ``asset`` that was asked for at ``asked_at`` no longer counts."""
        return any(asked_at <= at and matches(pattern, asset) for pattern, at in self._at.items())


def matches(pattern: str, asset: str) -> bool:
    """Whether ``asset`` is meant by ``pattern``."""
    if pattern.startswith(ONE):
        return asset == pattern.removeprefix(ONE)
    return asset.startswith(pattern)
