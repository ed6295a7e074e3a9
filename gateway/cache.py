"""What was used lately? A small bounded map.

Two generations: what is put or found is young; when the young fill half of the room, they become
the old ones, and the old ones before them are forgotten. So nothing that is used often is lost, a
lookup costs one or two of a dict, and there is no list of uses to keep in order.
"""

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """At most ``capacity`` values by key; values are not None."""

    __slots__ = ("_half", "_old", "_young")

    def __init__(self, capacity: int) -> None:
        """``capacity`` is at least 2."""
        self._half = max(1, capacity // 2)
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def __len__(self) -> int:
        """How many are held; one that is young again counts twice."""
        return len(self._young) + len(self._old)

    def get(self, key: K) -> V | None:
        """The value under ``key``, None when there is none."""
        found = self._young.get(key)
        if found is None:
            found = self._old.get(key)
            if found is not None:
                self.put(key, found)
        return found

    def put(self, key: K, value: V) -> None:
        """Keep ``value`` under ``key``."""
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}
        self._young[key] = value

    def clear(self) -> None:
        """Forget everything."""
        self._young, self._old = {}, {}
