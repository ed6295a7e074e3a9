"""How well does an estimate of a session's speed choose the rung to start on?

    python -m tests.benchmark.bench_estimator [--tune] [FOLDER OF TRACES]

Each trace is a session that reports its speed every few seconds. After each report, every estimator
chooses a start rung as the gateway does, and the next 10 s of the trace say what the network held.

- *rung error*: rungs between the chosen one and the highest that fits 0.8 of what the network held.
- *above*: share of starts on a rung above all that the network held.
- *speed error*: median and 90th percentile of ``|ln(estimate / held)|``; 0.1 is about 10 % off.
- *settled*, *changed*: seconds after the session's start, and after a change to another kind of
  network, until two starts in a row are at most one rung off: the mean, where a session that never
  gets there counts as ``NEVER_S``.

Families of traces weigh the same. Everything is deterministic. ``--tune`` compares constants on the
traces for tuning; the other tables are made from those held out.
"""

import math
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

from gateway.client.estimate import EstimatorConfig, SessionEstimate
from gateway.client.prior import SLOTS, PriorSketch, rounded
from gateway.config.build import estimator_of, prior_config_of
from gateway.config.load import load
from gateway.ladder.start import DEFAULT_START_BANDWIDTH
from tests.benchmark.traces import MEASURED_S, TRACES, Report, Trace, fraction, read_traces

LADDER_KBPS = (290, 620, 1400, 2800, 6700, 12_000, 20_000)
HEADROOM = 0.8
EVERY_S = (10.0, 30.0)
WRONG = 0.1
"""Share of the reports that are wrong in the second table: half of them 1000 times too high (bit/s
for kbit/s), half 1000 times too low (Gbit/s for Mbit/s)."""
CHANGE_S = 60.0
NEVER_S = 120.0

Seen = Sequence[tuple[float, float]]
"""(seconds, kbit/s) of the reports until now."""
Estimator = Callable[[Seen], float | None]


def nothing(seen: Seen) -> float | None:
    """No estimate: the gateway starts within 2 Mbit/s."""
    return None


def last(seen: Seen) -> float:
    """The newest sample."""
    return seen[-1][1]


def ewma(seen: Seen) -> float:
    """Exponentially weighted mean, 0.3 for the newest."""
    estimate = seen[0][1]
    for _, kbps in seen[1:]:
        estimate += 0.3 * (kbps - estimate)
    return estimate


def gateway_with(config: EstimatorConfig) -> Estimator:
    """The gateway's own estimate."""

    def estimate(seen: Seen) -> float | None:
        session = SessionEstimate()
        for time_s, kbps in seen[-16:]:
            session = session.updated(kbps, "cmcd", time_s, config)
        found = session.at(seen[-1][0], config)
        return found and found.kbps

    return estimate


SHIPPED = estimator_of(load(environ={}).settings)
PRIORS = prior_config_of(load(environ={}).settings)
ESTIMATORS: dict[str, Estimator] = {
    "no estimate": nothing,
    "last sample": last,
    "EWMA 0.3": ewma,
    "gateway": gateway_with(SHIPPED),
}


def rung_within(kbps: float) -> int:
    """The highest rung within ``kbps``, else the lowest."""
    return max(0, sum(rung <= kbps for rung in LADDER_KBPS) - 1)


def start_of(estimate: float | None) -> int:
    """The start rung for an estimate, by the gateway's rule."""
    if estimate is None:
        return rung_within(DEFAULT_START_BANDWIDTH / 1000)
    return rung_within(estimate * HEADROOM)


def off_by(estimate: float | None, report: Report) -> int:
    """The rung error of one start."""
    return abs(start_of(estimate) - rung_within(report.held_kbps * HEADROOM))


def told(trace: Trace, reports: Iterable[Report], wrong: float) -> list[tuple[float, float]]:
    """The reports as the gateway gets them: a share of them is wrong."""
    seen = []
    for index, report in enumerate(reports):
        luck, kbps = fraction(f"{trace.name} {index}"), report.kbps
        if luck < wrong:
            kbps = kbps * 1000 if luck < wrong / 2 else kbps / 1000
        seen.append((report.time_s, min(1e7, max(1.0, kbps))))
    return seen


@dataclass
class Score:
    """What one estimator did, by family: one value for each session, or each start."""

    rung: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    above: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    error: list[float] = field(default_factory=list)
    settled: list[float] = field(default_factory=list)
    changed: list[float] = field(default_factory=list)

    def row(self, name: str) -> str:
        """One line of the table."""
        error = "            -"
        if self.error:
            error = f"{quantile_of(self.error, 0.5):6.2f} /{quantile_of(self.error, 0.9):5.2f}"
        return (
            f"| {name:22} | {balanced(self.rung):10.2f} | {balanced(self.above):6.1%} | {error} "
            f"| {_seconds(self.settled)} "
            f"| {_seconds(self.changed)} |"
        )


HEADER = (
    f"| {'':22} | rung error | above  |   speed error | settled | changed |\n"
    f"|{'-' * 24}|-----------:|-------:|--------------:|--------:|--------:|"
)


def balanced(by_family: dict[str, list[float]]) -> float:
    """The mean in which each family weighs the same; NaN without any."""
    means = [statistics.mean(values) for values in by_family.values()]
    return statistics.mean(means) if means else math.nan


def quantile_of(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of the values do not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def _seconds(values: Sequence[float]) -> str:
    """The mean; a folder with one kind of network has no changes."""
    return f"{statistics.mean(values):5.1f} s" if values else f"{'-':>7}"


def settled_after(estimator: Estimator, seen: Seen, reports: Sequence[Report], since: int) -> float:
    """Seconds from report ``since`` until two starts in a row are at most one rung off."""
    good = 0
    for at in range(since, len(reports)):
        good = good + 1 if off_by(estimator(seen[: at + 1]), reports[at]) <= 1 else 0
        if good == 2:
            return seen[at - 1][0] - seen[since][0] + MEASURED_S
    return NEVER_S


def score(estimator: Estimator, traces: Sequence[Trace], every_s: float, wrong: float) -> Score:
    """Replay all sessions with one estimator."""
    found = Score()
    sessions = [(trace, reports) for trace in traces if (reports := trace.reports(every_s))]
    for trace, reports in sessions:
        seen = told(trace, reports, wrong)
        offs, aboves = [], []
        for at, report in enumerate(reports):
            estimate = estimator(seen[: at + 1])
            start = start_of(estimate)
            offs.append(off_by(estimate, report))
            aboves.append(start > 0 and report.held_kbps < LADDER_KBPS[start])
            if estimate is not None:
                found.error.append(abs(math.log(estimate / report.held_kbps)))
        found.rung[trace.family].append(statistics.mean(offs))
        found.above[trace.family].append(statistics.mean(aboves))
        found.settled.append(settled_after(estimator, seen, reports, 0))
    found.changed = changes(estimator, sessions, wrong)
    return found


def changes(
    estimator: Estimator, sessions: Sequence[tuple[Trace, list[Report]]], wrong: float
) -> list[float]:
    """Seconds to settle after ``CHANGE_S`` on one network, and then on another."""
    ordered = sorted(sessions, key=lambda session: fraction(f"{session[0].name} order"))
    found = []
    for (trace, reports), (other, later) in pairwise(ordered):
        if trace.family == other.family:
            continue
        before = [report for report in reports if report.time_s <= CHANGE_S]
        moved = [replace(report, time_s=report.time_s + CHANGE_S) for report in later]
        seen = [*told(trace, before, wrong), *told(other, moved, wrong)]
        found.append(settled_after(estimator, seen, [*before, *moved], len(before)))
    return found


def confidence_table(traces: Sequence[Trace]) -> Iterable[str]:
    """How far off estimates of each confidence are, honest and wrong reports together, at ages of 0
    to 5 minutes."""
    errors: dict[int, list[float]] = defaultdict(list)
    for trace in traces:
        for wrong in (0.0, WRONG):
            session, reports = SessionEstimate(), trace.reports(10.0)
            for time_s, kbps in told(trace, reports, wrong):
                session = session.updated(kbps, "cmcd", time_s, SHIPPED)
                for age_s in (0, 60, 120, 300):
                    until_s = time_s + age_s + MEASURED_S
                    estimated = session.at(time_s + age_s, SHIPPED)
                    if estimated is None or until_s > trace.ends_s[-1]:
                        continue
                    held = trace.mean_kbps(until_s - MEASURED_S, until_s)
                    bucket = int(estimated.confidence * 5)
                    errors[bucket].append(abs(math.log(estimated.kbps / held)))
    yield "| confidence | estimates | within a factor of 1.5 | 90th percentile of the factor |"
    yield "|------------|----------:|-----------------------:|------------------------------:|"
    for bucket, found in sorted(errors.items()):
        within = statistics.mean(error <= math.log(1.5) for error in found)
        factor = math.exp(quantile_of(found, 0.9))
        yield (
            f"| {bucket / 5:.1f} – {(bucket + 1) / 5:.1f}  | {len(found):9} | {within:22.0%} "
            f"| {factor:29.1f} |"
        )


def prior_table(traces: Sequence[Trace]) -> Iterable[str]:
    """How well a prior starts a session of which nothing is known. Each minute of a trace is a
    viewer; those of the traces for tuning make the priors."""
    starts: dict[tuple[str, bool], list[float]] = defaultdict(list)
    for trace in sorted(traces, key=lambda trace: fraction(trace.name)):
        minutes = range(0, int(trace.ends_s[-1] - MEASURED_S), 60)
        starts[trace.family, trace.tuning] += [
            trace.mean_kbps(at, at + MEASURED_S) for at in minutes
        ]
    families = sorted({family for family, _ in starts})
    yield "| prior | " + " | ".join(families) + " | rung error | above |"
    yield "|---|" + "--:|" * (len(families) + 2)
    for quantile in (None, 0.1, 0.25, 0.5):
        known: dict[str, int | None] = {}
        off: dict[str, list[float]] = defaultdict(list)
        above: dict[str, list[float]] = defaultdict(list)
        for family in families:
            if quantile is not None:
                speeds = dict(enumerate(map(rounded, starts[family, True][:SLOTS])))
                config = replace(PRIORS, quantile=quantile)
                known[family] = PriorSketch().with_viewers(speeds).prior_kbps(config)
            start = start_of(known.get(family))
            for held in starts[family, False]:
                off[family].append(abs(start - rung_within(held * HEADROOM)))
                above[family].append(start > 0 and held < LADDER_KBPS[start])
        name = "none" if quantile is None else f"quantile {quantile}"
        cells = " | ".join(str(known.get(family) or "–") for family in families)
        yield f"| {name} | {cells} | {balanced(off):.2f} | {balanced(above):.1%} |"


def tune(traces: Sequence[Trace]) -> None:
    """Compare constants on the traces for tuning."""
    for every_s in EVERY_S:
        for wrong in (0.0, WRONG):
            print(f"\na report each {every_s:.0f} s, {wrong:.0%} of them wrong\n{HEADER}")
            for newer in (0.5, 0.6, 0.7, 0.8, 0.9):
                for half_life_s in (60, 120, 300, 100_000):
                    config = replace(SHIPPED, newer_weight=newer, half_life_s=half_life_s)
                    found = score(gateway_with(config), traces, every_s, wrong)
                    print(found.row(f"{newer}, {half_life_s} s"))
            for rise, fall in ((1, 1), (1.25, 1.25), (1.25, 2), (1.5, 3), (2, 2), (3, 3), (10, 10)):
                config = replace(SHIPPED, rise_factor=rise, fall_factor=fall)
                found = score(gateway_with(config), traces, every_s, wrong)
                print(found.row(f"x{rise}, /{fall}"))


def main(arguments: Sequence[str]) -> int:
    """Print the tables; 1 when there are no traces."""
    folders = [Path(argument) for argument in arguments if not argument.startswith("-")]
    folder = folders[0] if folders else TRACES
    traces = list(read_traces(folder))
    if not traces:
        print(f"no traces (*.jsonl) in {folder}", file=sys.stderr)
        return 1
    held_out = [trace for trace in traces if not trace.tuning] or traces
    print(f"{len(traces)} traces, {len(held_out)} of them held out")
    if "--tune" in arguments:
        tune([trace for trace in traces if trace.tuning])
        return 0
    for every_s in EVERY_S:
        for wrong in (0.0, WRONG):
            print(f"\na report each {every_s:.0f} s, {wrong:.0%} of them wrong\n{HEADER}")
            for name, estimator in ESTIMATORS.items():
                print(score(estimator, held_out, every_s, wrong).row(name))
    print("\n" + "\n".join(confidence_table(held_out)))
    print("\n" + "\n".join(prior_table(traces)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
