"""How is an edge, judging by the probes of it so far?

A state machine without a clock: each :class:`Outcome` of a probe turns one :class:`Health` into the
next, and :func:`condition` says what follows for viewers at a given time.

* *down* after ``fall`` failed probes in a row; up again after ``rise`` good ones in a row. An edge
  that keeps falling must be good for longer each time: every fall within ``CALM_S`` after it came
  back doubles the probes that it takes to rise, up to ``MAX_DAMPING`` times as many.
* *degraded* while it answers, but not well. Slow: ``fall`` answers in a row took longer than
  ``slow_s``; well again after ``rise`` in a row within ``QUICK`` of that. Patchy: ``PATCHY`` of the
  last ``REMEMBERED`` probes failed; well again when at most ``MENDED`` of them did. In between it
  stays what it was. A degraded edge takes ``DEGRADED_ADMITS`` of its new viewers.
* *slow start*: an edge that comes back from down takes a tenth of its new viewers at first, and
  another tenth after each tenth of ``slow_start_s``. In steps, so that little changes with time.

An edge that was never probed is up, and takes everyone: only one that was down starts slowly.
"""

from dataclasses import dataclass, replace
from typing import Literal

from gateway.edge.fleet import UP, Condition

HealthState = Literal["up", "degraded", "down"]

REMEMBERED = 10
PATCHY = 3
MENDED = 1
QUICK = 0.8
DEGRADED_ADMITS = 0.5
STEPS = 10
CALM_S = 300.0
"""An edge that has been back for so long has its earlier falls forgiven; in seconds."""
MAX_DAMPING = 16


@dataclass(frozen=True, slots=True)
class Rules:
    """When an edge changes its state; times in seconds, ``fall`` and ``rise`` in probes."""

    fall: int
    rise: int
    slow_s: float
    slow_start_s: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """One probe: good after ``latency_s`` seconds when ``failure`` is empty, else failed, and
    ``failure`` says why, for people."""

    latency_s: float
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """What is known of one edge.

    ``since_s`` (Unix time) is when it entered its state, None when it never left the first one, and
    ``why`` is what brought it there. ``returned_s`` is when it last came back from down; ``falls``
    counts how often it fell without such a calm spell between.

    The rest are runs and counts of probes: failed and good ones in a row, slow and quick ones in a
    row, and the failures among the last ``REMEMBERED``, one bit each, the newest lowest.
    """

    state: HealthState = "up"
    why: str = ""
    since_s: float | None = None
    returned_s: float | None = None
    falls: int = 0
    failed: int = 0
    good: int = 0
    slow: int = 0
    quick: int = 0
    history: int = 0

    @property
    def suspect(self) -> bool:
        """The last probe failed, and it is not down yet: ask again at once."""
        return self.failed > 0 and self.state != "down"


UNKNOWN = Health()
"""Of an edge that was never probed."""


def after(health: Health, outcome: Outcome, rules: Rules, now_s: float) -> Health:
    """``health`` after one more probe, that ended at ``now_s`` (Unix time)."""
    if outcome.failure:
        return _after_failure(health, outcome, rules, now_s)
    is_slow = outcome.latency_s > rules.slow_s
    is_quick = outcome.latency_s <= QUICK * rules.slow_s
    seen = replace(
        health,
        failed=0,
        good=health.good + 1,
        slow=health.slow + 1 if is_slow else 0,
        quick=health.quick + 1 if is_quick else 0,
        history=_remember(health.history, failed=False),
    )
    if seen.state != "down":
        return _judged(seen, outcome, rules, now_s)
    if seen.good < rises_after(seen, rules):
        return seen
    back = replace(seen, state="up", why="", since_s=now_s, returned_s=now_s, history=0)
    return _judged(back, outcome, rules, now_s)


def _after_failure(health: Health, outcome: Outcome, rules: Rules, now_s: float) -> Health:
    seen = replace(
        health,
        failed=health.failed + 1,
        good=0,
        slow=0,
        quick=0,
        history=_remember(health.history, failed=True),
    )
    if seen.state == "down":
        return seen
    if seen.failed < rules.fall:
        return _judged(seen, outcome, rules, now_s)
    falls = 1 if _is_calm(seen, now_s) else seen.falls + 1
    return replace(seen, state="down", why=outcome.failure, since_s=now_s, falls=falls)


def _judged(health: Health, outcome: Outcome, rules: Rules, now_s: float) -> Health:
    """An edge that is not down is up or degraded."""
    failures = health.history.bit_count()
    was_degraded = health.state == "degraded"
    patchy = failures >= PATCHY or (was_degraded and failures > MENDED)
    slow = health.slow >= rules.fall or (was_degraded and health.quick < rules.rise)
    if not (patchy or slow):
        return replace(health, state="up", why="", since_s=now_s) if was_degraded else health
    if was_degraded:
        return health
    if failures >= PATCHY:
        why = f"{failures} of the last {REMEMBERED} probes failed"
        why += f": {outcome.failure}" if outcome.failure else ""
    else:
        why = f"slow: answered in {outcome.latency_s * 1000:.0f} ms"
    return replace(health, state="degraded", why=why, since_s=now_s)


def rises_after(health: Health, rules: Rules) -> int:
    """How many good probes in a row bring an edge back that is down."""
    return int(rules.rise * min(2 ** max(0, min(health.falls, 64) - 1), MAX_DAMPING))


def condition(health: Health, rules: Rules, now_s: float) -> Condition:
    """What follows for viewers at ``now_s`` (Unix time)."""
    if health.state == "up" and health.returned_s is None and health.since_s is None:
        return UP
    if health.state == "down":
        return Condition("down", 0.0, why=health.why, since_s=health.since_s)
    admits = _share(health, rules, now_s)
    why = health.why
    if admits < 1 and not why:
        why = "was down"
    if health.state == "degraded":
        admits *= DEGRADED_ADMITS
    return Condition(health.state, round(admits, 3), why=why, since_s=health.since_s)


def is_plain(health: Health, rules: Rules, now_s: float) -> bool:
    """Whether nothing about the edge needs to be remembered: it is as if never probed."""
    return (
        health.state == "up"
        and _share(health, rules, now_s) >= 1
        and (health.falls == 0 or _is_calm(health, now_s))
    )


def _share(health: Health, rules: Rules, now_s: float) -> float:
    """The share of new viewers that the slow start admits. Clocks of hosts may differ a little, so
    a return in the future counts as now."""
    if health.returned_s is None or rules.slow_start_s <= 0:
        return 1.0
    elapsed = max(0.0, now_s - health.returned_s) / rules.slow_start_s
    return min(STEPS, 1 + int(elapsed * STEPS)) / STEPS


def _is_calm(health: Health, now_s: float) -> bool:
    return health.returned_s is None or now_s - health.returned_s > CALM_S


def _remember(history: int, *, failed: bool) -> int:
    return (history << 1 | failed) & ((1 << REMEMBERED) - 1)
