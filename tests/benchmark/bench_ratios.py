"""What counts? Ratios within one run, each from servers that were measured a moment apart.

Machines differ and are noisy, and all contestants of a round bear the same noise; so a ratio is
taken in each round, and the median of the rounds is the figure.
"""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

TOLERANCE = 0.15
"""A ratio may be so much worse than the baseline's before the guard fails."""


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement of one server. CPU in µs for each request, of the server's process and of
    its store; ``busy`` and ``generator_load`` are shares of a core."""

    requests_per_s: float
    cpu_us: float
    store_cpu_us: float
    busy: float
    generator_load: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Ratio:
    """A figure, which way is better, and the goal, where there is one."""

    value: float
    better: Literal["higher", "lower"]
    goal: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.better == "higher" else self.value <= self.goal

    def worse_than(self, before: "Ratio") -> float:
        """By which share this is worse than ``before``: 0.15 is 15 % more, where less is better.
        Negative when it is better."""
        change = self.value / before.value - 1
        return change if self.better == "lower" else -change


@dataclass(frozen=True, slots=True)
class Question:
    """A ratio of two contestants: CPU for each request of ``of`` over that of ``to``.

    Requests/s for each core are the reciprocal of that. They are not taken from the clock: what
    else runs on the machine takes its share of the core from one more than from the other.
    """

    name: str
    of: str
    to: str
    better: Literal["higher", "lower"]
    goal: float | None = None


QUESTIONS = (
    Question("warm: requests/s per core to bare", "bare", "warm", "higher", 0.75),
    Question("warm: requests/s per core to starlette", "starlette", "warm", "higher", 1.1),
    Question("warm: requests/s per core to nginx", "nginx", "warm", "higher", 1.0),
    Question("warm-granian: requests/s per core to bare", "bare", "warm-granian", "higher"),
    Question("warm-granian: the same to nginx", "nginx", "warm-granian", "higher", 1.0),
    Question("new: CPU to bare", "new", "bare", "lower"),
    # 400 µs, on a machine where the bare server takes 38.
    Question("cold: CPU to bare", "cold", "bare", "lower", 400 / 38),
)


def ratios(rounds: Sequence[Mapping[str, Run]]) -> dict[str, Ratio]:
    """The answers to all questions whose contestants took part."""
    found = {}
    for ask in QUESTIONS:
        if all(ask.of in each and ask.to in each for each in rounds):
            values = [each[ask.of].cpu_us / each[ask.to].cpu_us for each in rounds]
            found[ask.name] = Ratio(statistics.median(values), ask.better, ask.goal)
    return found


def median(runs: Sequence[Run]) -> Run:
    """The median of each figure by itself."""
    return Run(*(statistics.median(getattr(run, name) for run in runs) for name in Run.__slots__))


def ratio_table(found: Mapping[str, Ratio]) -> str:
    """Ratios for people."""
    lines = [f"{'':42} {'ratio':>8} {'goal':>8}"]
    for name, ratio in found.items():
        sign = "≥" if ratio.better == "higher" else "≤"
        goal = "" if ratio.goal is None else f"{sign} {ratio.goal:.4g}"
        verdict = {None: "", True: "met", False: "missed"}[ratio.met]
        lines.append(f"{name:42} {ratio.value:8.3f} {goal:>8} {verdict}".rstrip())
    return "\n".join(lines)


def as_json(found: Mapping[str, Ratio]) -> dict[str, dict[str, float | str]]:
    """Ratios for machines."""
    return {
        name: {"value": round(ratio.value, 4), "better": ratio.better}
        for name, ratio in found.items()
    }


def from_json(text: str) -> dict[str, Ratio]:
    """The ``ratios`` of a file that ``make bench`` has written."""
    return {
        name: Ratio(each["value"], each["better"])
        for name, each in json.loads(text)["ratios"].items()
    }
