"""May a request be sent to this origin now? A circuit breaker; the time is passed in.

Closed: requests pass. It opens when ``failures`` of the last ``2 * failures`` outcomes were
failures, so an origin that fails every other time opens it as well. Open: no requests for
``open_s``. Then half-open: one probe at a time. A success closes the breaker; a failure opens it
again for twice as long, up to ``max_open_s``.

A conditional request is never a probe, and a 304 does not close the breaker: an origin that sends
bodies too slowly may still answer 304 quickly. A player that waits for a conditional request can be
served the copy.

Failures of one file (500 for one playlist) count once, however often it is requested: one broken
file must not block the others. The caller reports only outcomes that say something about the
origin. Failures of ids that players choose freely do not; whether the origin fails as a whole is
then found out with files that it is known to have, and :meth:`trip` opens the breaker.
"""

from collections import deque
from collections.abc import Callable
from enum import StrEnum


class BreakerState(StrEnum):
    """The three states."""

    CLOSED = "closed"
    HALF_OPEN = "half-open"
    OPEN = "open"


class Breaker:
    """One origin's breaker. ``on_change`` is called with the new state at every change."""

    def __init__(
        self,
        failures: int,
        open_s: float,
        max_open_s: float,
        on_change: Callable[[BreakerState], None] = lambda _: None,
    ) -> None:
        self._failures = failures
        self._first_open_s = open_s
        self._max_open_s = max_open_s
        self._on_change = on_change
        self._outcomes: deque[str | bool] = deque(maxlen=2 * failures)
        self._open_s = open_s
        self._until = 0.0
        self._probing = False
        self._state = BreakerState.CLOSED

    @property
    def state(self) -> BreakerState:
        """The state after the last event."""
        return self._state

    def wait_s(self, now: float) -> float:
        """Seconds until a request may pass; 0 when one may pass now."""
        return max(0.0, self._until - now) if self._state is BreakerState.OPEN else 0.0

    def admits(self, now: float, *, conditional: bool = False) -> bool:
        """Whether a request may pass now. The caller must report its outcome: :meth:`succeeded`,
        :meth:`confirmed`, :meth:`failed` or :meth:`abandoned`.

        ``conditional``: the request only asks whether a cached copy is still valid.
        """
        if self._state is BreakerState.CLOSED:
            return True
        if conditional or self._probing or now < self._until:
            return False
        self._probing = True
        self._enter(BreakerState.HALF_OPEN)
        return True

    def succeeded(self) -> None:
        """The origin sent a response."""
        self._probing = False
        if self._state is BreakerState.CLOSED:
            self._outcomes.append(True)
            return
        self._outcomes.clear()
        self._open_s = self._first_open_s
        self._enter(BreakerState.CLOSED)

    def confirmed(self) -> None:
        """The origin confirmed a cached copy (304)."""
        if self._state is BreakerState.CLOSED:
            self._outcomes.append(True)

    def failed(self, now: float, about: str | None = None) -> None:
        """The origin failed: for every file, or only for the file that ``about`` names."""
        self._probing = False
        if self._state is BreakerState.CLOSED:
            self._outcomes.append(False if about is None else about)
            altogether = sum(outcome is False for outcome in self._outcomes)
            files = {outcome for outcome in self._outcomes if isinstance(outcome, str)}
            if altogether + len(files) < self._failures:
                return
        elif self._state is BreakerState.OPEN:
            return  # a request that began before the breaker opened
        else:
            self._open_s = min(2 * self._open_s, self._max_open_s)
        self._until = now + self._open_s
        self._enter(BreakerState.OPEN)

    def trip(self, now: float) -> None:
        """The origin fails for every file that it is known to have."""
        if self._state is BreakerState.CLOSED:
            self._until = now + self._open_s
            self._enter(BreakerState.OPEN)

    def abandoned(self) -> None:
        """The admitted request ended without an outcome."""
        self._probing = False

    def _enter(self, state: BreakerState) -> None:
        if state is not self._state:
            self._state = state
            self._on_change(state)
