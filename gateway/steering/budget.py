"""How many sessions may still move to an edge?

What is leased on an edge shows a move only after the player has made it, which takes up to two of
its requests. Until then, the budget counts what was promised. So sessions that leave a failing edge
at the same time do not all find the same room.
"""

from collections.abc import Callable

FreeKbps = Callable[[str], int | None]
"""The kbit/s that this worker may still place on an edge, by its id; None without a limit."""


class MoveBudget:
    """Promises of one worker. Callers pass the time of a monotonic clock, in seconds."""

    def __init__(self, free_kbps: FreeKbps, settle_s: float) -> None:
        """A promise counts for one to two times ``settle_s`` seconds; then the move shows in
        ``free_kbps``, or has not happened."""
        self._free_kbps = free_kbps
        self.settle_s = settle_s
        self._period = 0
        self._recent: dict[str, int] = {}
        self._older: dict[str, int] = {}

    def left_kbps(self, edge: str, now_s: float) -> int | None:
        """The kbit/s that may still be promised on an edge; None without a limit."""
        free = self._free_kbps(edge)
        if free is None:
            return None
        self._renew(now_s)
        return free - self._recent.get(edge, 0) - self._older.get(edge, 0)

    def promise(self, edge: str, kbps: int, now_s: float) -> None:
        """Note that a session was told to move to an edge."""
        if self._free_kbps(edge) is not None:
            self._renew(now_s)
            self._recent[edge] = self._recent.get(edge, 0) + kbps

    def _renew(self, now_s: float) -> None:
        period = int(now_s // self.settle_s)
        if period != self._period:
            self._older = self._recent if period == self._period + 1 else {}
            self._recent = {}
            self._period = period
