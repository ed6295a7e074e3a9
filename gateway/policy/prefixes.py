"""Finds those of many prefixes with which a text begins."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator


class Prefixes:
    """A set of prefixes that finds those of a text by binary search.

    All prefixes of one text begin with each other. Sorted, the longest of them is at or before the
    position where the text itself would be inserted. Each prefix remembers the position of the next
    shorter one.
    """

    def __init__(self, prefixes: Iterable[str]) -> None:
        """``prefixes`` may be any texts, the empty one included."""
        self._sorted = sorted(set(prefixes))
        self._shorter: list[int] = []
        nested: list[int] = []
        for at, prefix in enumerate(self._sorted):
            while nested and not prefix.startswith(self._sorted[nested[-1]]):
                nested.pop()
            self._shorter.append(nested[-1] if nested else -1)
            nested.append(at)

    def of(self, text: str) -> Iterator[str]:
        """Every prefix that ``text`` begins with, the longest first."""
        at = bisect_right(self._sorted, text) - 1
        while at >= 0:
            prefix = self._sorted[at]
            if text.startswith(prefix):
                yield prefix
            at = self._shorter[at]
