"""What counts? Ratios within one run, each from servers that were measured a moment apart.

Machines differ and are noisy, and all contestants of a round bear the same noise; so a ratio is
taken in each round, and the median of the rounds is the figure.
"""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
    """A cost over that of a reference, so less is better. ``goal`` is what we want it to be, and
    ``bound`` what it must not exceed, where there are such."""

    value: float
    goal: float | None = None
    bound: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        return None if self.goal is None else self.value <= self.goal

    @property
    def broken(self) -> bool:
        """Whether the bound is exceeded."""
        return self.bound is not None and self.value > self.bound

    def worse_than(self, before: "Ratio") -> float:
        """By which share this is more than ``before``: 0.15 is 15 %. Negative when it is less."""
        return self.value / before.value - 1


@dataclass(frozen=True, slots=True)
class Question:
    """A ratio of two contestants: CPU for each request of ``of`` over that of ``to``.

    Requests/s for each core are the reciprocal of that. They are not taken from the clock: what
    else runs on the machine takes its share of the core from one more than from the other.
    """

    of: str
    to: str
    goal: float | None = None
    bound: float | None = None

    @property
    def name(self) -> str:
        """As the table, the baseline and the guard call it."""
        return f"{self.of}: CPU to {self.to}"


QUESTIONS = (
    Question("real", "bare", goal=4.5, bound=6.2),
    Question("real", "starlette"),
    Question("real", "nginx"),
    Question("real-granian", "bare-granian"),
    Question("new", "bare"),
    # 400 µs, on a machine where the bare server takes 38.
    Question("cold", "bare", goal=400 / 38),
)
"""The first is the headline."""


def ratios(rounds: Sequence[Mapping[str, Run]]) -> dict[str, Ratio]:
    """The answers to all questions whose contestants took part."""
    found = {}
    for ask in QUESTIONS:
        if all(ask.of in each and ask.to in each for each in rounds):
            values = [each[ask.of].cpu_us / each[ask.to].cpu_us for each in rounds]
            found[ask.name] = Ratio(statistics.median(values), ask.goal, ask.bound)
    return found


def median(runs: Sequence[Run]) -> Run:
    """The median of each figure by itself."""
    return Run(*(statistics.median(getattr(run, name) for run in runs) for name in Run.__slots__))


def ratio_table(found: Mapping[str, Ratio]) -> str:
    """Ratios for people."""
    lines = [f"{'':36} {'ratio':>8} {'goal':>8} {'bound':>8}"]
    for name, ratio in found.items():
        goal, bound = (_at_most(each) for each in (ratio.goal, ratio.bound))
        verdict = {None: "", True: "goal met", False: "goal missed"}[ratio.met]
        if ratio.broken:
            verdict = "above the bound"
        lines.append(f"{name:36} {ratio.value:8.3f} {goal:>8} {bound:>8} {verdict}".rstrip())
    return "\n".join(lines)


def _at_most(value: float | None) -> str:
    return "" if value is None else f"≤ {value:.4g}"


def as_json(found: Mapping[str, Ratio]) -> dict[str, dict[str, float]]:
    """Ratios for machines: ``value``, and ``bound`` where there is one."""
    return {
        name: {"value": round(ratio.value, 4)}
        | ({} if ratio.bound is None else {"bound": ratio.bound})
        for name, ratio in found.items()
    }


def from_json(text: str) -> dict[str, Ratio]:
    """The ``ratios`` of a file that ``make bench`` has written."""
    return {
        name: Ratio(each["value"], bound=each.get("bound"))
        for name, each in json.loads(text)["ratios"].items()
    }
