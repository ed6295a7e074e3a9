"""Which state is an edge in, judging by its probes so far?

A state machine without a clock: each :class:`ProbeOutcome` turns one :class:`HealthRecord` into the
next, and :func:`condition` says what follows for viewers at a given time.

* *down* after ``fall`` failed probes in a row; up again after ``rise`` good probes in a row. An
  edge that keeps failing needs more good probes each time: every fall within ``CALM_S`` of its last
  return doubles them, up to ``MAX_DAMPING`` times ``rise``.
* *degraded* while it answers, but slowly or not always. Slow: ``fall`` answers in a row took longer
  than ``slow_s``; it recovers after ``rise`` answers in a row within ``QUICK_SHARE`` of that time.
  Unreliable: ``UNRELIABLE_FAILURES`` of the last ``HISTORY_PROBES`` probes failed; it recovers when
  at most ``RELIABLE_FAILURES`` of them did. Between the two bounds it stays as it was. A degraded
  edge takes ``DEGRADED_ADMITS`` of its new viewers.
* *slow start*: an edge that returns from down takes a tenth of its new viewers at first, and one
  tenth more after each tenth of ``slow_start_s``. The steps keep the number of changes small.

An edge that was never probed is up and takes all viewers: only an edge that was down starts slowly.
"""

from dataclasses import dataclass, replace
from typing import Literal

from gateway.edge.fleet import UP, EdgeCondition

HealthState = Literal["up", "degraded", "down"]

HISTORY_PROBES = 10
UNRELIABLE_FAILURES = 3
RELIABLE_FAILURES = 1
QUICK_SHARE = 0.8
DEGRADED_ADMITS = 0.5
SLOW_START_STEPS = 10
CALM_S = 300.0
"""After this many seconds without a fall, earlier falls no longer count."""
MAX_DAMPING = 16


@dataclass(frozen=True, slots=True)
class HealthThresholds:
    """When an edge changes its state. ``fall`` and ``rise`` count probes, times are in seconds."""

    fall: int
    rise: int
    slow_s: float
    slow_start_s: float


@dataclass(frozen=True, slots=True)
class ProbeOutcome:
    """One probe. It was good and took ``latency_s`` seconds when ``failure`` is empty. Otherwise it
    failed, and ``failure`` says why, in text for people."""

    latency_s: float
    failure: str = ""


@dataclass(frozen=True, slots=True)
class HealthRecord:
    """What the probes of one edge have shown.

    Times are in seconds of a clock that never jumps. ``since_s`` is when it entered its state, None
    when it never left the first one, and ``why`` says what caused the state. ``returned_s`` is when
    it last returned from down.
    ``falls`` counts how often it went down without ``CALM_S`` seconds between.

    The other fields count probes: failed and good ones in a row, slow and quick ones in a row.
    ``history`` has one bit for each of the last ``HISTORY_PROBES`` probes, the newest lowest; 1 is
    a failure.
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


NEVER_PROBED = HealthRecord()


def after_probe(
    health: HealthRecord, result: ProbeOutcome, thresholds: HealthThresholds, now_s: float
) -> HealthRecord:
    """``health`` after one more probe, which ended at ``now_s``."""
    if result.failure:
        return _after_failure(health, result, thresholds, now_s)
    is_slow = result.latency_s > thresholds.slow_s
    is_quick = result.latency_s <= QUICK_SHARE * thresholds.slow_s
    updated = replace(
        health,
        failed=0,
        good=health.good + 1,
        slow=health.slow + 1 if is_slow else 0,
        quick=health.quick + 1 if is_quick else 0,
        history=_with_probe(health.history, failed=False),
    )
    if updated.state != "down":
        return _with_state(updated, result, thresholds, now_s)
    if updated.good < probes_to_rise(updated, thresholds):
        return updated
    back = replace(updated, state="up", why="", since_s=now_s, returned_s=now_s, history=0)
    return _with_state(back, result, thresholds, now_s)


def _after_failure(
    health: HealthRecord, result: ProbeOutcome, thresholds: HealthThresholds, now_s: float
) -> HealthRecord:
    updated = replace(
        health,
        failed=health.failed + 1,
        good=0,
        slow=0,
        quick=0,
        history=_with_probe(health.history, failed=True),
    )
    if updated.state == "down":
        return updated
    if updated.failed < thresholds.fall:
        return _with_state(updated, result, thresholds, now_s)
    falls = 1 if _is_calm(updated, now_s) else updated.falls + 1
    return replace(updated, state="down", why=result.failure, since_s=now_s, falls=falls)


def _with_state(
    health: HealthRecord, result: ProbeOutcome, thresholds: HealthThresholds, now_s: float
) -> HealthRecord:
    """Set the state of an edge that is not down: up or degraded."""
    failures = health.history.bit_count()
    was_degraded = health.state == "degraded"
    unreliable = failures >= UNRELIABLE_FAILURES or (was_degraded and failures > RELIABLE_FAILURES)
    slow = health.slow >= thresholds.fall or (was_degraded and health.quick < thresholds.rise)
    if not (unreliable or slow):
        return replace(health, state="up", why="", since_s=now_s) if was_degraded else health
    if was_degraded:
        return health
    if failures >= UNRELIABLE_FAILURES:
        why = f"{failures} of the last {HISTORY_PROBES} probes failed"
        why += f": {result.failure}" if result.failure else ""
    else:
        why = f"slow: answered in {result.latency_s * 1000:.0f} ms"
    return replace(health, state="degraded", why=why, since_s=now_s)


def probes_to_rise(health: HealthRecord, thresholds: HealthThresholds) -> int:
    """The number of good probes in a row after which an edge that is down is up again."""
    return int(thresholds.rise * min(2 ** max(0, min(health.falls, 64) - 1), MAX_DAMPING))


def condition(
    health: HealthRecord, thresholds: HealthThresholds, now_s: float, unix_ahead_s: float = 0.0
) -> EdgeCondition:
    """The condition of the edge at ``now_s``. It has Unix time, ``unix_ahead_s`` ahead of the
    record's times."""
    if health.state == "up" and health.returned_s is None and health.since_s is None:
        return UP
    since_s = None if health.since_s is None else health.since_s + unix_ahead_s
    if health.state == "down":
        return EdgeCondition("down", 0.0, why=health.why, since_s=since_s)
    admits = _share(health, thresholds, now_s)
    why = health.why
    if admits < 1 and not why:
        why = "was down"
    if health.state == "degraded":
        admits *= DEGRADED_ADMITS
    return EdgeCondition(health.state, round(admits, 3), why=why, since_s=since_s)


def is_default(health: HealthRecord, thresholds: HealthThresholds, now_s: float) -> bool:
    """Whether the record can be dropped: the edge is treated like one that was never probed."""
    return (
        health.state == "up"
        and _share(health, thresholds, now_s) >= 1
        and (health.falls == 0 or _is_calm(health, now_s))
    )


def _share(health: HealthRecord, thresholds: HealthThresholds, now_s: float) -> float:
    """The share of new viewers that the slow start admits.

    The clocks of hosts may differ a little, so a return in the future counts as now.
    """
    if health.returned_s is None or thresholds.slow_start_s <= 0:
        return 1.0
    elapsed = max(0.0, now_s - health.returned_s) / thresholds.slow_start_s
    return min(SLOW_START_STEPS, 1 + int(elapsed * SLOW_START_STEPS)) / SLOW_START_STEPS


def _is_calm(health: HealthRecord, now_s: float) -> bool:
    return health.returned_s is None or now_s - health.returned_s > CALM_S


def _with_probe(history: int, *, failed: bool) -> int:
    return (history << 1 | failed) & ((1 << HISTORY_PROBES) - 1)
