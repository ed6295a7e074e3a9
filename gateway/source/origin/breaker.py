"""Is it worth asking this origin now? A circuit breaker, with the time passed in.

Closed: everybody asks. It opens when ``failures`` of the last ``2 * failures`` outcomes were
failures, so also when an origin fails every other time. Open: nobody asks for ``open_s``. Then half
open: one probe at a time; one success closes it, one failure opens it for twice as long, up to
``max_open_s``.

A request that a 304 may answer is no probe, and a 304 closes nothing: an origin whose bodies come
too slowly to be of use confirms copies as fast as ever. Who asks so has a copy to go on with.

A failure "about" one file (500 for one playlist) counts once, however often it is asked for: one
broken file must not take the others away.
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
    """One origin's breaker. ``told`` is called with the new state at every change."""

    def __init__(
        self,
        failures: int,
        open_s: float,
        max_open_s: float,
        told: Callable[[BreakerState], None] = lambda _: None,
    ) -> None:
        self._failures = failures
        self._first_open_s = open_s
        self._max_open_s = max_open_s
        self._told = told
        self._outcomes: deque[str | bool] = deque(maxlen=2 * failures)
        self._open_s = open_s
        self._until = 0.0
        self._probing = False
        self._state = BreakerState.CLOSED

    @property
    def state(self) -> BreakerState:
        """The state as of the last event."""
        return self._state

    def wait_s(self, now: float) -> float:
        """How long nobody may ask, in seconds; 0 when somebody may."""
        return max(0.0, self._until - now) if self._state is BreakerState.OPEN else 0.0

    def admits(self, now: float, *, conditional: bool = False) -> bool:
        """Whether to ask now. Whoever is let in tells how it went, or that nothing came of it.

        ``conditional``: what is asked is whether a copy is still good.
        """
        if self._state is BreakerState.CLOSED:
            return True
        if conditional or self._probing or now < self._until:
            return False
        self._probing = True
        self._enter(BreakerState.HALF_OPEN)
        return True

    def succeeded(self) -> None:
        """The origin answered."""
        self._probing = False
        if self._state is BreakerState.CLOSED:
            self._outcomes.append(True)
            return
        self._outcomes.clear()
        self._open_s = self._first_open_s
        self._enter(BreakerState.CLOSED)

    def confirmed(self) -> None:
        """The origin answered that a copy is still good (304)."""
        if self._state is BreakerState.CLOSED:
            self._outcomes.append(True)

    def failed(self, now: float, about: str | None = None) -> None:
        """The origin failed: altogether, or for the file that ``about`` names."""
        self._probing = False
        if self._state is BreakerState.CLOSED:
            self._outcomes.append(False if about is None else about)
            altogether = sum(outcome is False for outcome in self._outcomes)
            files = {outcome for outcome in self._outcomes if isinstance(outcome, str)}
            if altogether + len(files) < self._failures:
                return
        elif self._state is BreakerState.OPEN:
            return  # one that was still under way when it opened
        else:
            self._open_s = min(2 * self._open_s, self._max_open_s)
        self._until = now + self._open_s
        self._enter(BreakerState.OPEN)

    def abandoned(self) -> None:
        """Whoever was let in cannot say how it went."""
        self._probing = False

    def _enter(self, state: BreakerState) -> None:
        if state is not self._state:
            self._state = state
            self._told(state)
