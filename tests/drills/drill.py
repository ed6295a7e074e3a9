"""What is a drill, and what did one show?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.drills.seen import Sign
from tests.drills.stages import Staging
from tests.drills.viewers import Sample

TAKES_EFFECT_S = 0.2
"""So long after the break an answer may still come from before it."""

DEAD_EDGE_S = 2.0
"""So long after its death a manifest may still name an edge."""


BUSY_MS = 250.0
"""A machine on which the 99th percentile is above this before anything breaks is too busy to time a
reaction."""


@dataclass(frozen=True)
class Bounds:
    """What turns a drill red besides a failure: seconds to react and to recover, milliseconds that
    the 99th percentile may grow by, and requests that may have to be asked again since their
    connection broke. The last two are wide: they hold on two cores that are busy with other
    things; the first are what is promised."""

    react_s: float
    recover_s: float
    added_p99_ms: float = 300.0
    lost: int = 0


@dataclass(frozen=True)
class Drill:
    """One thing that breaks and is mended while players ask.

    ``broken``, ``mended`` and ``expected`` are sentences for people. ``prepare`` is done long
    before. ``reacted`` is looked for from the moment of ``break_it`` on, ``recovered`` from the end
    of ``mend_it`` on, or from the reaction on where nobody mends it; where there is nothing to
    react to, ``reacted`` is None. It stays broken for
    ``hold_s`` at least. ``dead`` are edges that nobody may be sent to in between, ``dead_after_s``
    after the break. ``wrong`` finds further faults in answers from between the two.
    """

    name: str
    group: str
    staging: Staging
    broken: str
    mended: str
    expected: str
    break_it: Callable[[Any], None]
    mend_it: Callable[[Any], None] | None
    reacted: Sign | None
    recovered: Sign
    bounds: Bounds
    prepare: Callable[[Any], None] = lambda _: None
    hold_s: float = 2.5
    dead: tuple[str, ...] = ()
    dead_after_s: float = DEAD_EDGE_S
    wrong: Callable[[Sample], str] = lambda _: ""


@dataclass(frozen=True)
class Course:
    """How a drill went: its moments, and every sample.

    Measured from ``began`` on, broken from ``broken`` to ``held``, when mending began; it was done
    at ``mended``, which recovery counts from: that is the break where nobody mended it, and
    ``held`` is the recovery. ``reacted`` and ``recovered`` are None where it did not come to that.
    """

    samples: Sequence[Sample]
    began: float
    broken: float
    reacted: float | None
    held: float
    mended: float
    recovered: float | None


@dataclass(frozen=True)
class Figures:
    """What a drill showed. ``react_s`` counts from the break, ``recover_s`` from its mending."""

    requests: int
    failures: tuple[str, ...]
    lost: int
    refused: int
    before_p99_ms: float
    during_p99_ms: float
    react_s: float | None
    recover_s: float | None
    misses: tuple[str, ...]
    """The bounds that were not held, in words; without that of the latency."""
    slow: str
    """How that of the latency was not held; empty when it was."""
    runs: int = 1
    """How often it was run; these figures are the last run's."""

    @property
    def added_p99_ms(self) -> float:
        """How much slower it was while it was broken."""
        return self.during_p99_ms - self.before_p99_ms

    @property
    def green(self) -> bool:
        """No failures, and within all bounds."""
        return not (self.failures or self.misses or self.slow)

    @property
    def is_inconclusive(self) -> bool:
        """It is red, but a busy machine explains it: by the latency alone; or by any bound, where
        it was too busy before anything broke."""
        too_busy = self.before_p99_ms > BUSY_MS
        return not (self.green or self.failures) and (too_busy or not self.misses)


def figures(drill: Drill, course: Course) -> Figures:
    """The figures of a drill. Every answer counts, from the first before the break to the last."""
    samples = [one for one in course.samples if one.due >= course.began]
    faults = [(one, _fault(drill, course, one)) for one in samples]
    known = [one for one in samples if one.known]
    before = [one.latency_ms for one in known if one.done < course.broken]
    during = [one.latency_ms for one in known if course.broken <= one.due < course.held]
    before_p99_ms, during_p99_ms = percentile(before, 0.99), percentile(during, 0.99)
    react_s = None if course.reacted is None else course.reacted - course.broken
    recover_s = None if course.recovered is None else course.recovered - course.mended
    lost = sum(one.lost for one in samples)
    return Figures(
        requests=len(samples),
        failures=tuple(
            f"{one.sent - course.broken:+.2f} s, {one.asset}, viewer {one.viewer}: {text}"
            for one, text in faults
            if text
        ),
        lost=lost,
        refused=sum(one.refused for one in samples),
        before_p99_ms=before_p99_ms,
        during_p99_ms=during_p99_ms,
        react_s=react_s,
        recover_s=recover_s,
        misses=tuple(_misses(drill, react_s, recover_s, lost)),
        slow=_slow(drill.bounds, during_p99_ms - before_p99_ms),
    )


def percentile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of them do not exceed; NaN when there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def _fault(drill: Drill, course: Course, one: Sample) -> str:
    if one.fault:
        return one.fault
    if one.refused and (one.done < course.broken or one.sent > (course.recovered or one.sent)):
        return f"refused ({one.status}), though all is well"
    if not course.broken < one.sent <= one.done < course.held:
        return ""
    if one.edge in drill.dead and one.sent > course.broken + drill.dead_after_s:
        return f"names {one.edge}, which has been gone for {one.sent - course.broken:.2f} s"
    return drill.wrong(one) if one.sent > course.broken + TAKES_EFFECT_S else ""


def _misses(drill: Drill, react_s: float | None, recover_s: float | None, lost: int) -> list[str]:
    misses = []
    bounds = drill.bounds
    for what, value, bound in (
        ("reacted", react_s, bounds.react_s),
        ("recovered", recover_s, bounds.recover_s),
    ):
        if value is None and not (what == "reacted" and drill.reacted is None):
            misses.append(f"never {what}")
        elif value is not None and value > bound:
            misses.append(f"{what} after {value:.2f} s; allowed: {bound:g} s")
    if lost > bounds.lost:
        misses.append(f"{lost} connections were lost; allowed: {bounds.lost}")
    return misses


def _slow(bounds: Bounds, added_p99_ms: float) -> str:
    # Not a number, where there were no answers to measure, is too slow as well.
    if added_p99_ms <= bounds.added_p99_ms:
        return ""
    return f"p99 grew by {added_p99_ms:.0f} ms; allowed: {bounds.added_p99_ms:g} ms"
