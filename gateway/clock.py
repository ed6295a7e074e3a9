"""How old is something that this process has seen? A clock that never jumps.

Unix time jumps when a host's clock is corrected, so an age must not be judged by it. Inside a
process, times are those of the monotonic clock. What leaves the process, such as a value in Redis
or a log line, has Unix time, since monotonic clocks of two processes have nothing in common.
"""

import time
from collections.abc import Callable

_STEP_S = 0.5
"""Smaller corrections of the host's clock are ignored, so that a time has the same Unix time each
time it is written."""


class Clock:
    """The monotonic clock of this process, and what its times are in Unix time."""

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        unix: Callable[[], float] = time.time,
    ) -> None:
        self.now = monotonic
        """Seconds since an unknown moment, the same for the whole process."""
        self.unix = unix
        """Unix time now."""
        self._ahead_s = unix() - monotonic()

    def to_unix(self, at: float) -> float:
        """The Unix time of ``at``, a time of this clock."""
        return at + self.unix_ahead_s()

    def from_unix(self, unix_s: float) -> float:
        """A Unix time as a time of this clock, never in the future: the clocks of hosts differ a
        little."""
        return min(unix_s - self.unix_ahead_s(), self.now())

    def unix_ahead_s(self) -> float:
        """What to add to a time of this clock for its Unix time."""
        ahead_s = self.unix() - self.now()
        if abs(ahead_s - self._ahead_s) > _STEP_S:
            self._ahead_s = ahead_s
        return self._ahead_s
