"""Which of many prefixes does a text begin with?"""

from bisect import bisect_right
from collections.abc import Iterable


class Prefixes:
    """Prefixes in order. Those of one text begin with each other, so that the longest of them
    says which the others are; it is at or before the place where the text would stand."""

    def __init__(self, prefixes: Iterable[str]) -> None:
        """Any text may be one, the empty one included."""
        self._sorted = sorted(set(prefixes))
        self._shorter: list[int] = []
        nested: list[int] = []
        for at, prefix in enumerate(self._sorted):
            while nested and not prefix.startswith(self._sorted[nested[-1]]):
                nested.pop()
            self._shorter.append(nested[-1] if nested else -1)
            nested.append(at)

    def longest(self, text: str) -> str | None:
        """The longest prefix of ``text``; None when there is none."""
        at = bisect_right(self._sorted, text) - 1
        while at >= 0:
            if text.startswith(self._sorted[at]):
                return self._sorted[at]
            at = self._shorter[at]
        return None

    def within(self, prefix: str) -> list[str]:
        """``prefix``, which is one of them, and all that it begins with."""
        found = []
        at = bisect_right(self._sorted, prefix) - 1
        while at >= 0:
            found.append(self._sorted[at])
            at = self._shorter[at]
        return found
